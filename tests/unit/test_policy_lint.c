// What lint finds in a policy set, and what it must not find: a set of which every entry decides something has no findings.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "node/policy/lint.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define NOW_MS 1800000000000ULL // 2027-01-15T08:00:00Z

static struct policy *parsed(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    if (policy_parse("p", text, strlen(text), &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    return policy;
}

struct lint_row {
    const char *name;
    const char *set;
    const char *expected; // "line kind: what", each on a line
};

#define P "policies:\n"

static const struct lint_row lint_rows[] = {
    {"nothing", "", ""},
    {"entries that decide",
     "domains: {x.example: {}}\n" P "- {id: a, kind: block, from: spam.example}\n"
     "- {id: b, kind: block, option: no_action, from: ann@spam.example}\n"
     "- {id: c, kind: permit, from: joe@spam2.example}\n"
     "- {id: d, kind: block, from: spam2.example}\n"
     "- {id: e, kind: block, option: no_action, from: joe@spam2.example}\n"
     "- {id: f, kind: permit, from: \"*\", source: [192.0.2.1]}\n"
     "- {id: g, kind: block, from: \"*\", source: [192.0.2.0/24], to: x.example}\n"
     "- {id: h, kind: anti_spoof, option: no_action, from: a.x.example, source: 192.0.2.9}\n",
     ""},

    // over
    {"over", P "- {id: a, kind: block, from: x.example, valid: {until: 2027-01-15}}",
     "2 dead: policy a was over on 2027-01-15T00:00:00Z\n"},
    {"over now", P "- {id: a, kind: block, from: x.example, valid: {until: 2027-01-15T08:00:00Z}}",
     "2 dead: policy a was over on 2027-01-15T08:00:00Z\n"},
    {"over in a second",
     P "- {id: a, kind: block, from: x.example, valid: {until: 2027-01-15T08:00:01Z}}", ""},
    {"not begun", P "- {id: a, kind: block, from: x.example, valid: {from: 2028-01-01}}", ""},
    {"over, but disabled",
     P "- {id: a, kind: block, from: x.example, enabled: no, valid: {until: 2027-01-15}}", ""},

    // the same place
    {"the same twice",
     P "- {id: b, kind: block, from: x.example}\n- {id: a, kind: block, from: x.example}",
     "2 shadowed: policy b never decides: policy a (p:3) has the same from, to and source, and "
     "goes first\n"},
    {"an exception of the same",
     P "- {id: a, kind: block, option: no_action, from: x.example}\n"
       "- {id: b, kind: block, from: x.example}",
     "2 shadowed: policy a never decides: policy b (p:3) has the same from, to and source, and "
     "goes first\n"},
    {"another source",
     P "- {id: a, kind: block, from: x.example, source: 192.0.2.1}\n"
       "- {id: b, kind: block, from: x.example}",
     ""},
    {"the same source",
     P "- {id: a, kind: block, from: x.example, source: [192.0.2.1, 192.0.2.2]}\n"
       "- {id: b, kind: block, from: x.example, source: [192.0.2.2, 192.0.2.1]}",
     "3 shadowed: policy b never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},
    {"one source of two",
     P "- {id: a, kind: block, from: x.example, source: [192.0.2.1]}\n"
       "- {id: b, kind: block, from: x.example, source: [192.0.2.1, 192.0.2.2]}",
     ""},
    {"a wider source",
     P "- {id: a, kind: block, from: x.example, source: [192.0.2.0/24]}\n"
       "- {id: b, kind: block, option: no_action, from: x.example, source: [192.0.2.1]}",
     ""},
    {"before one in shadow",
     P "- {id: a, kind: block, from: x.example}\n"
       "- {id: b, kind: block, from: x.example, mode: shadow}",
     "3 shadowed: policy b never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},
    {"behind one in shadow",
     P "- {id: a, kind: block, from: x.example, mode: shadow}\n"
       "- {id: b, kind: block, from: x.example}",
     ""},
    {"behind one that is disabled",
     P "- {id: a, kind: block, from: x.example, enabled: no}\n"
       "- {id: b, kind: block, from: x.example}",
     ""},
    {"behind one for a while",
     P "- {id: a, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2028-01-01}}\n"
       "- {id: b, kind: block, from: x.example}",
     ""},
    {"behind one for a longer while",
     P "- {id: a, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2028-01-01}}\n"
       "- {id: b, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2028-01-01}}",
     "3 shadowed: policy b never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},
    {"behind one that begins later",
     P "- {id: a, kind: block, from: x.example, valid: {from: 2027-01-02, until: 2028-01-01}}\n"
       "- {id: b, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2028-01-01}}",
     ""},
    {"behind one that ends before",
     P "- {id: a, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2027-12-31}}\n"
       "- {id: b, kind: block, from: x.example, valid: {from: 2027-01-01, until: 2028-01-01}}",
     ""},
    {"another kind",
     P "- {id: a, kind: block, from: x.example}\n"
       "- {id: b, kind: greylist, option: no_action, from: x.example}",
     ""},
    {"of two ways one",
     P "- {id: a, kind: block, from: x.example, to: y.example}\n"
       "- {id: b, kind: block, from: x.example, to: y.example, bidirectional: true}",
     ""},
    {"of two ways both",
     P "- {id: a, kind: block, from: x.example, to: y.example}\n"
       "- {id: b, kind: block, from: y.example, to: x.example}\n"
       "- {id: c, kind: block, from: x.example, to: y.example, bidirectional: true}",
     "4 shadowed: policy c never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},

    // override, and groups before domains
    {"under an override",
     P "- {id: a, kind: block, from: .example, override: true}\n"
       "- {id: b, kind: block, option: no_action, from: ann@x.example}",
     "3 dead: policy b never decides: policy a (p:2) fits all of its mail, and goes first by "
     "override\n"},
    {"under an override for everyone",
     P "- {id: a, kind: permit, option: no_action, from: \"*\", override: true}\n"
       "- {id: b, kind: permit, from: <>}\n- {id: c, kind: permit, from: .y, to: z@y.example}",
     "3 dead: policy b never decides: policy a (p:2) fits all of its mail, and goes first by "
     "override\n"
     "4 dead: policy c never decides: policy a (p:2) fits all of its mail, and goes first by "
     "override\n"},
    {"beside an override",
     P "- {id: a, kind: block, from: .x.example, override: true}\n"
       "- {id: b, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"an override that lets no tags through",
     P "- {id: a, kind: block, option: no_action, from: ann@x.example, override: true}\n"
       "- {id: b, kind: block, from: ann@x.example}\n"
       "- {id: c, kind: block, option: no_action, from: joe@x.example, override: true}\n"
       "- {id: d, kind: block, option: no_action, from: joe@x.example}\n"
       "- {id: e, kind: block, option: no_action, from: y.example, override: true}\n"
       "- {id: f, kind: block, from: ann@y.example}\n",
     "5 dead: policy d never decides: policy c (p:4) fits all of its mail, and goes first by "
     "override\n"
     "7 dead: policy f never decides: policy e (p:6) fits all of its mail, and goes first by "
     "override\n"},
    {"an override from some networks",
     P "- {id: a, kind: block, from: x.example, override: true, source: 10.0.0.0/8}\n"
       "- {id: b, kind: block, option: no_action, from: ann@x.example}\n"
       "- {id: c, kind: block, option: no_action, from: joe@x.example, source: 10.1.0.0/16}",
     "4 dead: policy c never decides: policy a (p:2) fits all of its mail, and goes first by "
     "override\n"},
    {"a group around a domain",
     "groups:\n  g: [x.example, y.example]\n" P "- {id: a, kind: block, from: {group: g}}\n"
     "- {id: b, kind: block, option: no_action, from: x.example}\n"
     "- {id: c, kind: block, option: no_action, from: ann@x.example}",
     "5 dead: policy b never decides: policy a (p:4) fits all of its mail, and goes first\n"},
    {"an exception inside of a block",
     P "- {id: a, kind: block, from: x.example}\n"
       "- {id: b, kind: block, option: no_action, from: ann@x.example}",
     ""},

    // geo: permit, hold, block
    {"countries that are permitted",
     P "- {id: a, kind: geo, option: permit, country: [XX, YY]}\n"
       "- {id: b, kind: geo, country: XX}\n- {id: c, kind: geo, country: [XX, ZZ]}",
     "3 shadowed: policy b never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},
    {"any country is permitted",
     P "- {id: a, kind: geo, option: permit, country: \"*\", from: x.example}\n"
       "- {id: b, kind: geo, country: XX, from: ann@x.example}\n"
       "- {id: c, kind: geo, country: XX}",
     "3 dead: policy b never decides: policy a (p:2) fits all of its mail, and goes first\n"},

    // permits behind blocks
    {"a permit of what is blocked",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: x.example}",
     "2 contradicting: policy a permits what policy b (p:3) blocks: the block goes first\n"},
    {"a permit inside of a block",
     P "- {id: a, kind: permit, from: ann@x.example, to: y.example}\n"
       "- {id: b, kind: block, from: .example}",
     "2 dead: policy a permits nothing: policy b (p:3) blocks all of its mail before\n"},
    {"a permit around a block",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: ann@x.example}", ""},
    {"a permit of other recipients",
     P "- {id: a, kind: permit, from: x.example}\n"
       "- {id: b, kind: block, from: x.example, to: ann@y.example}",
     ""},
    {"a permit with an exception from the block",
     P "- {id: a, kind: permit, from: ann@x.example}\n- {id: b, kind: block, from: x.example}\n"
       "- {id: c, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"a permit with an exception for some of it",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: x.example}\n"
       "- {id: c, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"a permit with an exception for some recipients",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: .example}\n"
       "- {id: c, kind: block, option: no_action, from: x.example, to: ann@y.example}",
     ""},
    {"a permit with an exception across",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: .example}\n"
       "- {id: c, kind: block, option: no_action, from: .example, to: ann@y.example}",
     ""},
    {"a permit with an exception elsewhere",
     P "- {id: a, kind: permit, from: x.example}\n- {id: b, kind: block, from: x.example}\n"
       "- {id: c, kind: block, option: no_action, from: ann@y.example}",
     "2 contradicting: policy a permits what policy b (p:3) blocks: the block goes first\n"},
    {"a permit behind a block in shadow",
     P "- {id: a, kind: permit, from: x.example}\n"
       "- {id: b, kind: block, from: x.example, mode: shadow}",
     ""},
    {"a permit behind a block from some networks",
     P "- {id: a, kind: permit, from: x.example, source: 10.1.2.3}\n"
       "- {id: b, kind: block, from: \"*\", source: [10.1.0.0/16]}\n"
       "- {id: c, kind: permit, from: x.example, source: 10.2.2.3}",
     "2 dead: policy a permits nothing: policy b (p:3) blocks all of its mail before\n"},
    {"a permit of a blocked group's member",
     "groups: {g: [{group: h}], h: [ann@x.example]}\n" P
     "- {id: a, kind: permit, from: ann@x.example}\n- {id: b, kind: block, from: {group: g}}",
     "3 dead: policy a permits nothing: policy b (p:4) blocks all of its mail before\n"},
    {"a mailbox in a domain that is gone first, with an alias elsewhere",
     "users: {ann@x.example: {aliases: a@y.example}}\n" P
     "- {id: a, kind: block, from: x.example, override: true}\n"
     "- {id: b, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"a permit of a mailbox in a blocked domain, with an alias elsewhere",
     "users: {ann@x.example: {aliases: a@y.example}}\n" P
     "- {id: a, kind: block, from: x.example}\n- {id: b, kind: permit, from: ann@x.example}",
     ""},
    {"a permit of a mailbox in a blocked domain, with an alias there",
     "users: {ann@x.example: {aliases: a@x.example}}\n" P
     "- {id: a, kind: block, from: x.example}\n- {id: b, kind: permit, from: ann@x.example}",
     "4 dead: policy b permits nothing: policy a (p:3) blocks all of its mail before\n"},
    {"a mailbox whose name is gone first everywhere, with an alias",
     "users: {ann@x.example: {aliases: a@x.example}}\n" P
     "- {id: a, kind: block, from: ann@*, override: true}\n"
     "- {id: b, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"a permit behind a block that an alias is let out of by its mailbox",
     "users: {ann@x.example: {aliases: a@y.example}}\n" P
     "- {id: a, kind: permit, from: y.example}\n- {id: b, kind: block, from: y.example}\n"
     "- {id: c, kind: block, option: no_action, from: ann@x.example}",
     ""},
    {"a permit of an alias of somebody blocked",
     "users: {ann@x.example: {aliases: a@x.example}}\n" P
     "- {id: a, kind: permit, from: a@x.example}\n- {id: b, kind: block, from: ann@x.example}",
     "3 dead: policy a permits nothing: policy b (p:4) blocks all of its mail before\n"},
    {"a permit behind a block that a whole network is let out of",
     P "- {id: a, kind: permit, from: ann@x.example}\n- {id: b, kind: block, from: \"*\"}\n"
       "- {id: c, kind: block, option: no_action, from: x.example, source: 10.1.0.0/16}",
     ""},
    {"a permit behind a block that all are let out of for a while",
     P "- {id: a, kind: permit, from: ann@x.example}\n- {id: b, kind: block, from: \"*\"}\n"
       "- {id: c, kind: block, option: no_action, from: x.example, valid: {from: 2028-01-01}}",
     ""},
    {"a permit of external behind a block",
     "domains: {x.example: {}}\n" P "- {id: a, kind: permit, from: y.example}\n"
     "- {id: b, kind: block, from: external}\n- {id: c, kind: permit, from: x.example}",
     "3 dead: policy a permits nothing: policy b (p:4) blocks all of its mail before\n"},

    // what cannot be
    {"a group without members",
     "groups: {g: [], h: [{group: g}], i: {address: i@x.example}}\n" P
     "- {id: a, kind: block, from: {group: h}}\n- {id: b, kind: block, to: {group: g}}\n"
     "- {id: c, kind: block, to: {group: i}}\n- {id: d, kind: block, from: {group: i}}",
     "3 empty: policy a is about group h, which has no members\n"
     "4 empty: policy b is about group g, which has no members\n"
     "6 empty: policy d is about group i, which has no members\n"},
    {"groups that are not used", "groups: {g: []}", ""},
    {"a circle",
     "groups:\n  c: [{group: a}]\n  b: [{group: c}]\n  a: [{group: b}]\n  d: [{group: a}]",
     "4 cycle: group a and group b (p:3) lie in each other: each has the members of both\n"},
    {"two circles",
     "groups:\n  a: [{group: b}]\n  b: [{group: a}]\n  c: [{group: d}]\n  d: [{group: c}]",
     "2 cycle: group a and group b (p:3) lie in each other: each has the members of both\n"
     "4 cycle: group c and group d (p:5) lie in each other: each has the members of both\n"},
    {"a group in itself", "groups: {a: [x.example, {group: a}]}",
     "1 cycle: group a is a member of itself\n"},
    {"send_as of nobody",
     "groups: {g: []}\nusers:\n  a@x.example: {send_as: [b@x.example, {group: g}]}",
     "3 empty: a@x.example may send as group g, which has no members\n"},
    {"users elsewhere",
     "domains: {x.example: {}}\nusers:\n  a@x.example: {aliases: [a@y.example]}\n  b@z.example: {}",
     "3 stranger: a@y.example is a user's address, but y.example is no internal domain\n"
     "4 stranger: b@z.example is a user's address, but z.example is no internal domain\n"},
    {"users without domains", "users: {b@z.example: {}}", ""},
    {"addresses of one mail",
     P "- {id: a, kind: block, from: bounce-12345678@x.example}\n"
       "- {id: b, kind: block, from: b+ann=corp.example@x.example}\n"
       "- {id: c, kind: block, from: news-1234567@x.example}\n"
       "- {id: d, kind: block, to: 12345678@x.example}\n",
     "2 verp: policy a is about bounce-12345678@x.example, which looks made for one mail: it would "
     "match once (the domain x.example would match the next one too)\n"
     "3 verp: policy b is about b+ann=corp.example@x.example, which looks made for one mail: it "
     "would match once (the domain x.example would match the next one too)\n"},
    {"headers",
     P "- {id: a, kind: block, from: x.example, part: header}\n"
       "- {id: b, kind: block, from: y.example, part: both}",
     "2 header: policy a is about the header alone, which decides nothing in this version\n"
     "3 header: the header part of policy b decides nothing in this version\n"},
    {"the null sender",
     P "- {id: a, kind: anti_spoof, from: <>}\n- {id: b, kind: permit, from: <>}",
     "2 dead: policy a is about <>, and policies of its kind are never asked about that\n"},
    {"anti-spoofing of strangers",
     "domains: {x.example: {}}\n" P "- {id: a, kind: anti_spoof, from: y.example}\n"
     "- {id: b, kind: anti_spoof, from: ann@s.x.example}",
     "3 dead: policy a is about senders in y.example, which is no internal domain: nobody is asked "
     "there\n"},
    {"limits of users that leave",
     "settings:\n  leaving:\n    rcpt_per_day: 7\n    rcpt_per_mail: 8\n",
     "4 limit: settings.leaving.rcpt_per_mail never binds: rcpt_per_day is less\n"},
    {"limits that bind", "settings: {leaving: {rcpt_per_day: 7, rcpt_per_mail: 7}}\n", ""},
    // limits and mail policies
    {"limits above others",
     "settings: {limits: {recipients: 50}}\n" P
     "- {id: a, kind: limit, from: a.example, rcpt_per_mail: 51}\n"
     "- {id: b, kind: limit, from: b.example, rcpt_per_mail: 50}\n"
     "- {id: c, kind: limit, from: c.example, rcpt_per_mail: 11, rcpt_per_day: 10}\n"
     "- {id: d, kind: limit, from: d.example, rcpt_per_mail: 10, rcpt_per_day: 10}\n"
     "- {id: e, kind: limit, from: e.example, rcpt_per_day: 10, mail_per_day: 10}\n"
     "- {id: f, kind: limit, from: f.example, rcpt_per_day: 10, mail_per_day: 9}\n",
     "3 limit: rcpt_per_mail of policy a never binds: a message has 50 recipients at most "
     "(settings.limits.recipients)\n"
     "5 limit: rcpt_per_mail of policy c never binds: rcpt_per_day is less\n"
     "7 limit: mail_per_day of policy e never binds: rcpt_per_day is no more, and each mail has a "
     "recipient\n"},
    {"a limit behind another",
     P "- {id: a, kind: limit, from: a.example, rcpt_per_day: 10}\n"
       "- {id: b, kind: limit, from: a.example, rcpt_per_day: 5}\n"
       "- {id: c, kind: limit, from: ann@a.example, rcpt_per_day: 5}\n",
     "3 shadowed: policy b never decides: policy a (p:2) has the same from, to and source, and "
     "goes first\n"},
    {"senders twice",
     P "- {id: a, kind: mail, from: a.example, default: allow}\n"
       "- {id: b, kind: mail, from: a.example, default: block}\n"
       "- {id: c, kind: mail, to: a.example, default: block}\n",
     "2 shadowed: policy a never decides: policy b (p:3) has the same from, to and source, and "
     "goes first\n"},
    {"the null sender in mail policies", P "- {id: a, kind: mail, from: <>, default: block}\n",
     "2 dead: policy a is about <>, and policies of its kind are never asked about that\n"},
    {"conditions that never hold",
     "settings: {limits: {message_size: 50M, recipients: 20}}\n"
     "groups:\n  g: [a@x.example, {group: h}]\n  h: [b@x.example]\n  w: [x.example]\n  e: []\n" P
     "- {id: a, kind: mail, from: \"*\", when: {size_over: 50M}, action: block}\n"
     "- {id: b, kind: mail, from: \"*\", when: {size_over: 49M}, action: block}\n"
     "- {id: c, kind: mail, from: \"*\", when: {recipients_over: 20}, action: block}\n"
     "- {id: d, kind: mail, from: \"*\", when: {recipients_over: 19}, action: block}\n"
     "- {id: f, kind: mail, from: \"*\", when: {rcpt_in_group: {group: g, at_least: 3}},\n"
     "   action: hold}\n"
     "- {id: h, kind: mail, from: \"*\", when: {rcpt_in_group: {group: g, at_least: 2}},\n"
     "   action: hold}\n"
     "- {id: i, kind: mail, from: \"*\", when: {rcpt_in_group: {group: w, at_least: 9}},\n"
     "   action: hold}\n"
     "- {id: j, kind: mail, from: \"*\", when: {to: [{group: e}]}, action: hold}\n"
     "- {id: k, kind: mail, from: \"*\", when: {to: [{group: e}, {group: g}]}, action: hold}\n"
     "- {id: l, kind: mail, to: x.example, default: block, except: [{from: y.example},\n"
     "   {from: {group: e}}]}\n",
     "8 dead: when of policy a never holds: no message is larger than "
     "settings.limits.message_size\n"
     "10 dead: when of policy c never holds: no message has more recipients than "
     "settings.limits.recipients\n"
     "12 dead: when of policy f never holds: rcpt_in_group asks for more members than the group "
     "has\n"
     "18 dead: when of policy j never holds: it asks for members of a group that has none\n"
     "20 dead: exception 2 of policy l never holds: it asks for members of a group that has "
     "none\n"},
    {"rules of one place go by their conditions",
     P "- {id: a, kind: mail, from: \"*\", when: {size_over: 5M}, action: block}\n"
       "- {id: b, kind: mail, from: \"*\", when: {size_over: 9M}, action: block}\n",
     ""},
    {"a password in the clear",
     "settings: {ldap: {bind_dn: cn=reeve,\n  servers: \"ldaps://a ldap://b\"}}\n",
     "2 clear: the password of settings.ldap.bind_dn goes to ldap:// in the clear: say start_tls: "
     "true, or ldaps://\n"},
    {"lists that refuse nobody",
     "settings: {reputation: {dns_threshold: 2,\n  lists: [{zone: a.example, weight: 1.5},\n    "
     "{zone: b.example, mode: shadow}]}}\n",
     "2 dead: the lists in force weigh 1.5 together, less than "
     "settings.reputation.dns_threshold (2): nobody is ever refused by them\n"},
    {"lists that refuse",
     "settings: {reputation: {dns_threshold: 2, lists: [a.example, b.example]}}\n", ""},
    {"lists that may refuse nobody",
     "settings: {reputation: {lists: [{zone: a.example, weight: 0.5, mode: shadow}], good: "
     "[w.example]}}\n",
     ""},
    {"no password, or not in the clear", "settings: {ldap: {servers: \"ldap://a\"}}\n", ""},
    {"a password in TLS",
     "settings: {ldap: {bind_dn: cn=reeve, start_tls: true, servers: \"ldap://a\"}}\n", ""},
    {"a password in TLS from the start, or on this machine",
     "settings: {ldap: {bind_dn: cn=reeve, servers: \"ldaps://a ldapi://%2frun%2fldapi\"}}\n", ""},
    {"in the order of lines",
     P "- {id: z, kind: block, from: x.example, valid: {until: 2026-01-01}}\n"
       "- {id: y, kind: block, from: y.example, part: both}\n"
       "- {id: x, kind: block, from: x.example, valid: {until: 2026-01-01}}\n",
     "2 dead: policy z was over on 2026-01-01T00:00:00Z\n"
     "3 header: the header part of policy y decides nothing in this version\n"
     "4 dead: policy x was over on 2026-01-01T00:00:00Z\n"},
};

static bool add_finding(const struct policy_finding *finding, void *arg)
{
    assert_true(finding->line == 0 || strcmp(finding->file, "p") == 0);
    (void)fprintf(arg, "%u %s: %s\n", finding->line, finding->kind, finding->what);
    return true;
}

static void check_lint(void **state)
{
    const struct lint_row *row = *state;
    struct policy *policy = parsed(row->set);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    policy_lint(policy, NOW_MS, add_finding, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, row->expected);
    free(text);
    policy_free(&policy);
}

static bool count_one(const struct policy_finding *finding, void *arg)
{
    size_t *count = arg;

    (void)finding;
    ++*count;
    return false;
}

static void lint_can_be_ended(void **state)
{
    struct policy *policy = parsed(lint_rows[sizeof(lint_rows) / sizeof(lint_rows[0]) - 1].set);
    size_t count = 0;

    (void)state;
    policy_lint(policy, NOW_MS, count_one, &count);
    assert_int_equal(count, 1);
    policy_free(&policy);
}

// ---- Size

// big: so many policies in one place, and so many with a place of their own, about members of a big group.
static char *big(unsigned count)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    (void)fputs("groups:\n  g:\n", out);
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(out, "  - u%u@d%u.example\n", i, i % 10);
    (void)fputs("policies:\n", out);
    for (unsigned i = 0; i < count; i++)
        (void)fprintf(out,
                      "- {id: s%u, kind: block, from: {group: g}, source: 192.0.2.0/24}\n"
                      "- {id: o%u, kind: permit, from: u%u@d%u.example, source: 10.%u.%u.0/24}\n",
                      i, i, i, i % 10, i / 256 % 256, i % 256);
    assert_int_equal(fclose(out), 0);
    return text;
}

static bool count_all(const struct policy_finding *finding, void *arg)
{
    size_t *count = arg;

    (void)finding;
    ++*count;
    return true;
}

// cpu_of: what reading and linting takes, in seconds of the processor.
static double cpu_of(unsigned size)
{
    char *text = big(size);
    clock_t begin = clock();
    struct policy *policy = parsed(text);
    size_t count = 0;

    policy_lint(policy, NOW_MS, count_all, &count);
    assert_int_equal(count, size - 1); // of those in one place all but the first
    policy_free(&policy);
    free(text);
    return (double)(clock() - begin) / CLOCKS_PER_SEC;
}

// Eight times the policies may take some times as long, and not sixty-four times.
static void time_grows_with_the_size(void **state)
{
    double small = cpu_of(2000);
    double large = cpu_of(16000);

    (void)state;
    if (large > small * 24 + 0.2)
        fail_msg("%.3f s for 2,000, %.3f s for 16,000", small, large);
}

// ---- Use

static uint64_t last_ms(const char *id, void *arg)
{
    (void)arg;
    if (strcmp(id, "never") == 0 || strcmp(id, "off") == 0 || strcmp(id, "new") == 0)
        return 0;
    return strcmp(id, "just") == 0 ? 1700000000000ULL : 1699999999999ULL;
}

static void what_was_not_used(void **state)
{
    struct policy *policy =
        parsed(P "- {id: never, kind: block, from: a.example}\n"
                 "- {id: off, kind: block, from: b.example, enabled: no}\n"
                 "- {id: just, kind: block, from: c.example}\n"
                 "- {id: before, kind: block, from: d.example}\n"
                 "- {id: new, kind: block, from: e.example, valid: {from: 2027-01-01}}\n");
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    (void)state;
    assert_non_null(out);
    policy_lint_used(policy, NOW_MS, 1700000000000ULL, last_ms, add_finding, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, "2 unused: policy never has never decided\n"
                              "5 unused: policy before last decided on 2023-11-14T22:13:19Z\n");
    free(text);
    policy_free(&policy);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, lint_rows, check_lint);
    TABLE_TEST(&table, lint_can_be_ended);
    TABLE_TEST(&table, time_grows_with_the_size);
    TABLE_TEST(&table, what_was_not_used);
    return table_run(&table, "policy_lint");
}
