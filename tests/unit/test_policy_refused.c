// What a policy file may not say, and the words in which its author is told: one file, one mistake,
// one line.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/set.h"
#include "tests/support/table.h"

struct refused_row {
    const char *name;
    const char *text;
    const char *error;
};

// What a message says is there.
#define KINDS      "geo, anti_spoof, block, permit, greylist, mail, limit, auto_allow"
#define RULE(rest) "policies:\n  - {id: a, kind: greylist, option: no_action, " rest "}\n"
#define NO_WORD                                                                                    \
    "is not a pattern: a word alone is internal or external; a group is {group: name}, all below " \
    "a top level .name, a domain without a dot \"@name\""
#define PLACE "behind % stands s (the address), u (its local part), d (its domain) or %"
#define SERVERS                                                              \
    "settings.ldap.servers: expected URIs like ldap://ldap.corp.example or " \
    "ldaps://192.0.2.1:636, parted by blanks"
#define KNOWN_SETTINGS                                                               \
    "(known: relay, fail, auth_domain, login_match, auth_failure_voids, timezone, "  \
    "personal_lists, "                                                               \
    "admin_permit_over_user_block, greylist, auto_allow, callforward, abuse, ldap, " \
    "reputation, reputation_levels, reputation_weights, "                            \
    "limits, leaving, "                                                              \
    "tracking)"
#define KNOWN_KEYS                                                                                \
    "(known: id, kind, option, from, to, source, enabled, valid, override, bidirectional, note, " \
    "mode, part, country, default, when, action, except, hold_for, rcpt_per_mail, rcpt_per_day, " \
    "mail_per_day, exempt)"

static const struct refused_row refused_rows[] = {
    // the root
    {"unknown section", "domains: {}\npolicy: []\n",
     "p.yaml:2: unknown key 'policy' (known: domains, trusted_sources, groups, users, "
     "settings, policies)"},
    {"a list for a file", "- domains\n", "p.yaml:1: the file: expected a map, not a list"},
    {"text for a file", "domains\n", "p.yaml:1: the file: expected a map, not text"},
    {"no YAML", "domains: {\n",
     "p.yaml:2: did not find expected node content while parsing a flow node (which begins in line "
     "2)"},
    {"two documents", "domains: {}\n---\ndomains: {}\n",
     "p.yaml:2: more than one document in a file"},

    // domains
    {"domains as a list", "domains: [corp.example]\n",
     "p.yaml:1: domains: expected a map, not a list"},
    {"domains as text", "domains: corp.example\n", "p.yaml:1: domains: expected a map, not text"},
    {"domain with text", "domains:\n  corp.example: any\n",
     "p.yaml:2: corp.example: expected a map, not text"},
    {"domain that is none", "domains:\n  corp..example: {}\n",
     "p.yaml:2: domains: 'corp..example' is not a domain name"},
    {"domain with a star", "domains:\n  \"*.corp.example\": {}\n",
     "p.yaml:2: domains: '*.corp.example' is not a domain name"},
    {"domain with a blank", "domains:\n  corp example: {}\n",
     "p.yaml:2: domains: 'corp example' is not a domain name"},
    {"domain twice", "domains:\n  corp.example: {}\n  a.example: {}\n  CORP.example.: {}\n",
     "p.yaml:4: domain 'corp.example' stands twice (first in p.yaml:2)"},
    {"domain twice, one in Unicode",
     "domains:\n  b\xC3\xBC"
     "cher.example: {}\n  xn--bcher-kva.example: {}\n",
     "p.yaml:3: domain 'xn--bcher-kva.example' stands twice (first in p.yaml:2)"},
    {"unknown domain key", "domains:\n  corp.example: {recipient: any}\n",
     "p.yaml:2: unknown key 'recipient' in 'corp.example' (known: recipients, host, unknown, "
     "learn, base, anti_spoof)"},
    {"call forward to nobody", "domains:\n  corp.example: {recipients: callforward}\n",
     "p.yaml:2: corp.example: recipients: callforward asks a host: say which, host: "
     "\"mx.internal:25\""},
    {"a host that nobody asks", "domains:\n  corp.example: {host: \"mx.internal:25\"}\n",
     "p.yaml:2: corp.example: host is what recipients: callforward asks; nobody asks it here"},
#define HOST_AT(text) "domains:\n  corp.example: {recipients: callforward, host: \"" text "\"}\n"
#define NO_HOST(text)                                                                       \
    "p.yaml:2: host: expected a name or an address and a port, like \"mx.internal:25\" or " \
    "\"[2001:db8::5]:25\", not '" text "'"
    {"host empty", HOST_AT(""), NO_HOST("")},
    {"host port 0", HOST_AT("mx.internal:0"), NO_HOST("mx.internal:0")},
    {"host port over 65535", HOST_AT("mx.internal:65536"), NO_HOST("mx.internal:65536")},
    {"host port signed", HOST_AT("mx.internal:+25"), NO_HOST("mx.internal:+25")},
    {"host port a name", HOST_AT("mx.internal:smtp"), NO_HOST("mx.internal:smtp")},
    {"host port alone", HOST_AT(":25"), NO_HOST(":25")},
    {"host with a blank", HOST_AT("mx internal"), NO_HOST("mx internal")},
    {"host bracket open", HOST_AT("[2001:db8::5:25"), NO_HOST("[2001:db8::5:25")},
    {"host bracket and more", HOST_AT("[2001:db8::5]x25"), NO_HOST("[2001:db8::5]x25")},
    {"host a name in brackets", HOST_AT("[mx.internal]:25"), NO_HOST("[mx.internal]:25")},
    {"host an address list", HOST_AT("192.0.2.1,192.0.2.2"), NO_HOST("192.0.2.1,192.0.2.2")},
    {"host a list", "domains:\n  corp.example: {recipients: callforward, host: [a, b]}\n",
     "p.yaml:2: host: expected text, not a list"},
    {"host a path", HOST_AT("/var/run/x"), NO_HOST("/var/run/x")},
    {"callforward helo", "settings:\n  callforward: {helo: \"a b\"}\n",
     "p.yaml:2: settings.callforward.helo: expected a host name"},
    {"method unknown", "domains:\n  corp.example: {recipients: all}\n",
     "p.yaml:2: corp.example.recipients: expected any, send_only, directory, callforward or ldap, "
     "not 'all'"},
    {"method as a list", "domains:\n  corp.example: {recipients: [any]}\n",
     "p.yaml:2: corp.example.recipients: expected any, send_only, directory, callforward or ldap, "
     "not a list"},
    {"ldap without a server", "domains:\n  corp.example: {recipients: ldap}\n",
     "p.yaml:2: corp.example: recipients: ldap needs settings.ldap.servers"},
    {"a base where nobody searches",
     "domains:\n  corp.example: {recipients: directory, base: dc=corp}\n",
     "p.yaml:2: corp.example: base is for recipients: ldap alone"},
    {"a base with a place for nothing",
     "settings: {ldap: {servers: \"ldap://a\"}}\n"
     "domains:\n  corp.example: {recipients: ldap, base: \"ou=%x\"}\n",
     "p.yaml:3: corp.example: " PLACE},
    {"domain learn", "domains:\n  corp.example: {recipients: directory, learn: often}\n",
     "p.yaml:2: corp.example.learn: expected true or false, not 'often'"},
    {"domain unknown", "domains:\n  corp.example: {recipients: directory, unknown: drop}\n",
     "p.yaml:2: corp.example.unknown: expected reject or defer, not 'drop'"},
    {"domain anti_spoof", "domains:\n  corp.example: {anti_spoof: off}\n",
     "p.yaml:2: corp.example.anti_spoof: expected aged, enforce or shadow, not 'off'"},

    // trusted_sources
    {"trusted no network", "trusted_sources: [mx.example]\n",
     "p.yaml:1: trusted_sources: 'mx.example' is no IP address or network (expected one like "
     "192.0.2.0/24 or 2001:db8::/32)"},
    {"trusted host bits", "trusted_sources:\n  - 192.0.2.0/28\n  - 192.0.2.1/28\n",
     "p.yaml:3: trusted_sources: '192.0.2.1/28' has bits set beyond its length; did you mean "
     "192.0.2.0/28?"},
    {"trusted as a map", "trusted_sources: {a: b}\n",
     "p.yaml:1: trusted_sources: expected a list, not a map"},
    {"trusted list in a list", "trusted_sources: [[10.0.0.1]]\n",
     "p.yaml:1: trusted_sources: expected text, not a list"},
    {"trusted twice", "trusted_sources:\n  - 10.0.0.0/8\n  - ::1\n  - ::ffff:10.0.0.0/104\n",
     "p.yaml:4: trusted_sources: 10.0.0.0/8 stands twice (first in p.yaml:2)"},

    // settings
    {"settings as a list", "settings: [relay]\n", "p.yaml:1: settings: expected a map, not a list"},
    {"unknown setting", "settings:\n  relais: judge\n",
     "p.yaml:2: unknown key 'relais' in 'settings' " KNOWN_SETTINGS},
    {"setting of later", "settings: {spam: {level: moderate}}\n",
     "p.yaml:1: settings.spam is not supported by this version"},
    {"limits below nothing", "settings:\n  limits: {recipients: -1}\n",
     "p.yaml:2: settings.limits.recipients: expected a number between 0 and 1000000, not '-1'"},
    {"limits unknown", "settings:\n  limits: {rcpt: 1}\n",
     "p.yaml:2: unknown key 'rcpt' in 'settings.limits' (known: message_size, recipients)"},
    {"a size without an end", "settings: {limits: {message_size: 50MB}}\n",
     "p.yaml:1: settings.limits.message_size: expected a size like 64M between 0 and 1024G, not "
     "'50MB'"},
    {"leaving too much", "settings: {leaving: {rcpt_per_day: 1000001}}\n",
     "p.yaml:1: settings.leaving.rcpt_per_day: expected a number between 0 and 1000000, not "
     "'1000001'"},
    {"login_match of no kind", "settings: {login_match: true}\n",
     "p.yaml:1: settings.login_match: expected enforce, shadow or off, not 'true'"},
    {"auth_failure_voids", "settings: {auth_failure_voids: maybe}\n",
     "p.yaml:1: settings.auth_failure_voids: expected true or false, not 'maybe'"},
    {"timezone of nothing", "settings: {timezone: ''}\n",
     "p.yaml:1: settings.timezone: expected text of 1 to 64 bytes, not ''"},
    {"recipient_check_first", "settings: {greylist: {recipient_check_first: perhaps}}\n",
     "p.yaml:1: settings.greylist.recipient_check_first: expected true or false, not 'perhaps'"},
    {"ldap: http", "settings: {ldap: {servers: \"http://a\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: no scheme", "settings: {ldap: {servers: ldap.corp.example}}\n", "p.yaml:1: " SERVERS},
    {"ldap: no host", "settings: {ldap: {servers: \"ldap://\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: a port alone", "settings: {ldap: {servers: \"ldap://:389\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: a path", "settings: {ldap: {servers: \"ldap://a/dc=x\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: a port too many", "settings: {ldap: {servers: \"ldap://a:65536\"}}\n",
     "p.yaml:1: " SERVERS},
    {"ldap: port 0", "settings: {ldap: {servers: \"ldap://a:0\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: a bracket", "settings: {ldap: {servers: \"ldap://[::1\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: commas", "settings: {ldap: {servers: \"ldap://a,ldap://b\"}}\n", "p.yaml:1: " SERVERS},
    {"ldap: the second is none", "settings: {ldap: {servers: \"ldap://a b\"}}\n",
     "p.yaml:1: " SERVERS},
    {"ldap: nine servers",
     "settings: {ldap: {servers: \"ldap://a ldap://b ldap://c ldap://d ldap://e ldap://f ldap://g "
     "ldap://h ldap://i\"}}\n",
     "p.yaml:1: settings.ldap.servers: more than 8 servers"},
    {"ldap: TLS twice",
     "settings:\n  ldap:\n    start_tls: true\n    servers: \"ldap://a ldaps://b\"\n",
     "p.yaml:4: settings.ldap.servers: ldaps:// is encrypted from the start: without start_tls, "
     "please"},
    {"ldap filter", "settings: {ldap: {filter: \"(mail=%s\"}}\n",
     "p.yaml:1: settings.ldap.filter: a parenthesis is not closed (expected a filter like "
     "(mail=%s))"},
    {"ldap filter for everybody", "settings: {ldap: {filter: \"(mail=*)\"}}\n",
     "p.yaml:1: settings.ldap.filter: without %s or %u it asks the same of every recipient "
     "(expected a filter like (mail=%s))"},
    {"ldap base", "settings: {ldap: {base: \"dc=%\"}}\n", "p.yaml:1: settings.ldap.base: " PLACE},
    {"ldap mailbox", "settings: {ldap: {mailbox: \"mail alias\"}}\n",
     "p.yaml:1: settings.ldap.mailbox: expected the name of an attribute"},
    {"ldap scope", "settings: {ldap: {scope: all}}\n",
     "p.yaml:1: settings.ldap.scope: expected base, one or sub, not 'all'"},
    {"ldap connections", "settings: {ldap: {connections: 0}}\n",
     "p.yaml:1: settings.ldap.connections: expected a number between 1 and 32, not '0'"},
    {"auto_allow days", "settings: {auto_allow: {days: 0}}\n",
     "p.yaml:1: settings.auto_allow.days: expected a number between 1 and 3650, not '0'"},
    {"auto_allow scope", "settings: {auto_allow: {scope: world}}\n",
     "p.yaml:1: settings.auto_allow.scope: expected pair, org or off, not 'world'"},
    {"relay", "settings: {relay: yes}\n",
     "p.yaml:1: settings.relay: expected judge or ignore, not 'yes'"},
    {"fail", "settings: {fail: open}\n",
     "p.yaml:1: settings.fail: expected pass or defer, not 'open'"},
    {"auth_domain", "settings:\n  relay: judge\n  auth_domain: a..b\n",
     "p.yaml:3: settings.auth_domain: expected a domain name"},
    {"mode", "settings:\n  greylist:\n    mode: on\n",
     "p.yaml:3: settings.greylist.mode: expected enforce or shadow, not 'on'"},
    {"delay without a unit", "settings: {greylist: {delay: 60}}\n",
     "p.yaml:1: settings.greylist.delay: expected a duration like 60s between 1s and 1d, not '60'"},
    {"delay of nothing", "settings: {greylist: {delay: 0s}}\n",
     "p.yaml:1: settings.greylist.delay: expected a duration like 60s between 1s and 1d, not '0s'"},
    {"delay of 25 h", "settings: {greylist: {delay: 25h}}\n",
     "p.yaml:1: settings.greylist.delay: expected a duration like 60s between 1s and 1d, not "
     "'25h'"},
    {"window of 59 min", "settings: {greylist: {window: 59min}}\n",
     "p.yaml:1: settings.greylist.window: expected a duration like 60s between 1h and 7d, not "
     "'59min'"},
    {"window of 8 d", "settings: {greylist: {window: 8d}}\n",
     "p.yaml:1: settings.greylist.window: expected a duration like 60s between 1h and 7d, not "
     "'8d'"},
    {"life of 6 d", "settings: {greylist: {life: 6d}}\n",
     "p.yaml:1: settings.greylist.life: expected a duration like 60s between 7d and 36d, not '6d'"},
    {"life of 37 d", "settings: {greylist: {life: 37d}}\n",
     "p.yaml:1: settings.greylist.life: expected a duration like 60s between 7d and 36d, not "
     "'37d'"},
    {"delay as long as the window", "settings:\n  greylist:\n    window: 1h\n    delay: 1h\n",
     "p.yaml:4: settings.greylist.delay (1h) must be shorter than the window (1h)"},
    {"delay over the default window", "settings:\n  greylist: {delay: 13h}\n",
     "p.yaml:2: settings.greylist.delay (13h) must be shorter than the window (12h)"},
    {"net_ipv4", "settings: {greylist: {net_ipv4: 33}}\n",
     "p.yaml:1: settings.greylist.net_ipv4: expected a number between 8 and 32, not '33'"},
    {"net_ipv6", "settings: {greylist: {net_ipv6: 8}}\n",
     "p.yaml:1: settings.greylist.net_ipv6: expected a number between 16 and 128, not '8'"},
    {"net_ipv4 with a slash", "settings: {greylist: {net_ipv4: /24}}\n",
     "p.yaml:1: settings.greylist.net_ipv4: expected a number between 8 and 32, not '/24'"},
    {"new_per_hour", "settings: {greylist: {new_per_hour: 1000001}}\n",
     "p.yaml:1: settings.greylist.new_per_hour: expected a number between 0 and 1000000, not "
     "'1000001'"},
    {"new_per_hour below nothing", "settings: {greylist: {new_per_hour: -1}}\n",
     "p.yaml:1: settings.greylist.new_per_hour: expected a number between 0 and 1000000, not '-1'"},
    {"fold_sender", "settings: {greylist: {fold_sender: maybe}}\n",
     "p.yaml:1: settings.greylist.fold_sender: expected true or false, not 'maybe'"},
    {"identities without net", "settings: {greylist: {identities: [name, asn]}}\n",
     "p.yaml:1: settings.greylist.identities: expected a list of net, name, spf, asn, net among "
     "them, not name asn"},
    {"identities unknown", "settings: {greylist: {identities: [net, helo]}}\n",
     "p.yaml:1: settings.greylist.identities: expected a list of net, name, spf, asn, net among "
     "them, not net helo"},
    {"greylist setting unknown", "settings: {greylist: {wait: 60s}}\n",
     "p.yaml:1: unknown key 'wait' in 'settings.greylist' (known: mode, delay, window, life, "
     "net_ipv4, net_ipv6, new_per_hour, identities, fold_sender, "
     "recipient_check_first)"},
    {"greylist as text", "settings: {greylist: shadow}\n",
     "p.yaml:1: settings.greylist: expected a map, not text"},
    {"sample", "settings: {tracking: {sample: 1.5}}\n",
     "p.yaml:1: settings.tracking.sample: expected a share between 0 and 1 like 0.01 (six decimals "
     "at most), not '1.5'"},
    {"a setting twice", "settings:\n  relay: judge\n  relay: ignore\n",
     "p.yaml:3: key 'relay' stands twice (first in line 2)"},

    // policies
    {"policies as a map", "policies: {a: b}\n", "p.yaml:1: policies: expected a list, not a map"},
    {"policy as text", "policies:\n  - a\n", "p.yaml:2: policies: expected a map, not text"},
    {"no kind", "policies:\n  - {id: a, to: x.example}\n",
     "p.yaml:2: policies.kind is required (supported: " KINDS ")"},
    {"no id", "policies:\n  - {kind: greylist, option: no_action, to: x.example}\n",
     "p.yaml:2: policies.id is required (a name of your choice; answers, logs and traces give it)"},
    {"empty id", "policies:\n  - {id: \"\", kind: greylist, option: no_action, to: x.example}\n",
     "p.yaml:2: policies.id: expected text of 1 to 64 bytes, not ''"},
    {"id with a blank",
     "policies:\n  - {id: a b, kind: greylist, option: no_action, to: x.example}\n",
     "p.yaml:2: policies.id: expected letters, digits, dots, - and _ alone, not 'a b'"},
    {"id twice",
     RULE("to: x.example") "  - id: b\n    kind: greylist\n    option: no_action\n    to: "
                           "x.example\n"
                           "  - {kind: greylist, id: a, option: no_action, from: y.example}\n",
     "p.yaml:7: policy id 'a' is used twice (first in p.yaml:2)"},
    {"no option", "policies:\n  - {id: a, kind: greylist, to: x.example}\n",
     "p.yaml:2: policies.option is required for kind greylist (no_action)"},
    {"another option", "policies:\n  - {id: a, kind: greylist, option: block, to: x.example}\n",
     "p.yaml:2: policies.option: expected one of no_action for kind greylist, not 'block'"},
    {"kind content", "policies:\n  - id: a\n    kind: content\n    from: eve@spam.example\n",
     "p.yaml:3: kind content is not supported by this version (supported: " KINDS ")"},
    {"another option of auto_allow",
     "policies:\n  - {id: h, kind: auto_allow, option: block, from: a@b.example}\n",
     "p.yaml:2: policies.option: expected one of none, no_action for kind auto_allow, not 'block'"},
    {"auto_allow of nobody", "policies:\n  - {id: h, kind: auto_allow, option: none}\n",
     "p.yaml:2: policy 'h' has neither from nor to (for everyone write from: \"*\")"},
    {"kind access", "policies:\n  - {id: h, kind: access, user: {group: staff}}\n",
     "p.yaml:2: kind access is not supported by this version (supported: " KINDS ")"},
    {"kind unknown", "policies:\n  - {id: a, kind: graylist, option: no_action, to: x.example}\n",
     "p.yaml:2: unknown kind 'graylist' (supported: " KINDS ")"},
    {"kind as a list", "policies:\n  - {id: a, kind: [greylist]}\n",
     "p.yaml:2: policies.kind: expected text, not a list"},
    {"key unknown", RULE("form: x.example"),
     "p.yaml:2: unknown key 'form' in 'policies' " KNOWN_KEYS},
    {"neither from nor to", RULE("source: [192.0.2.1]"),
     "p.yaml:2: policy 'a' has neither from nor to (for everyone write from: \"*\")"},
    {"group", RULE("to: {group: execs}"), "p.yaml:2: there is no group 'execs'"},
    {"a map", RULE("to: {domain: x.example}"),
     "p.yaml:2: unknown key 'domain' in 'to' (known: group)"},
    {"a list of patterns", RULE("from: [a.example, b.example]"),
     "p.yaml:2: from: expected one pattern, not a list (write a policy for each)"},
    {"empty pattern", RULE("from: \"\""),
     "p.yaml:2: from: '' is not a pattern: it is empty; everyone is \"*\", the null sender is <>"},
    {"pattern left out", RULE("from: "),
     "p.yaml:2: from: '' is not a pattern: it is empty; everyone is \"*\", the null sender is <>"},
    {"unquoted star", RULE("from: *.x.example"),
     "p.yaml:2: a value that starts with '*' must be put in quotes: \"*.x.example\""},
    {"unquoted lone star", RULE("from: *"),
     "p.yaml:2: a value that starts with '*' must be put in quotes: \"*\""},
    {"unquoted at", RULE("from: @x.example"),
     "p.yaml:2: a value that starts with '@' must be put in quotes: \"@x.example\""},
    {"star in a domain", RULE("from: mx*.example"),
     "p.yaml:2: from: 'mx*.example' is not a pattern: a star stands alone, before a dot (*.dom), "
     "or behind an @ (user@*)"},
    {"star in a local part", RULE("from: ann*@x.example"),
     "p.yaml:2: from: 'ann*@x.example' is not a pattern: a star stands alone, before a dot "
     "(*.dom), or behind an @ (user@*)"},
    {"star in an address's domain", RULE("from: ann@*.example"),
     "p.yaml:2: from: 'ann@*.example' is not a pattern: a star stands alone, before a dot (*.dom), "
     "or behind an @ (user@*)"},
    {"everyone of a domain", RULE("from: \"*@x.example\""),
     "p.yaml:2: from: '*@x.example' is not a pattern: for all of a domain write the domain alone"},
    {"two stars", RULE("from: \"**\""),
     "p.yaml:2: from: '**' is not a pattern: a star stands alone, before a dot (*.dom), or behind "
     "an @ (user@*)"},
    {"lone at", RULE("from: \"@\""), "p.yaml:2: from: '@' is not a pattern: not a domain name"},
    {"lone dot", RULE("from: \".\""), "p.yaml:2: from: '.' is not a pattern: not a domain name"},
    {"address without a domain", RULE("from: ann@"),
     "p.yaml:2: from: 'ann@' is not a pattern: a domain that is no host name or address literal"},
    {"address with a blank", RULE("from: a nn@x.example"),
     "p.yaml:2: from: 'a nn@x.example' is not a pattern: nothing, unbalanced quotes or a forbidden "
     "character before the @"},
    {"no local part", RULE("from: '\"@*'"),
     "p.yaml:2: from: '\"@*' is not a pattern: nothing, unbalanced quotes or a forbidden character "
     "before the @"},
    {"a network as a pattern", RULE("from: 192.0.2.0/24"),
     "p.yaml:2: from: '192.0.2.0/24' is not a pattern: networks of the client stand in source"},
    {"an address of a client as a pattern", RULE("from: 192.0.2.1"),
     "p.yaml:2: from: '192.0.2.1' is not a pattern: networks of the client stand in source"},
    {"an IPv6 address of a client as a pattern", RULE("to: \"2001:db8::1\""),
     "p.yaml:2: to: '2001:db8::1' is not a pattern: networks of the client stand in source"},
    {"a group without its braces", RULE("from: execs"), "p.yaml:2: from: 'execs' " NO_WORD},
    {"a party in capitals", RULE("to: Internal"), "p.yaml:2: to: 'Internal' " NO_WORD},
    {"a word for everyone", RULE("from: any"), "p.yaml:2: from: 'any' " NO_WORD},
    {"a top level", RULE("from: top"), "p.yaml:2: from: 'top' " NO_WORD},
    {"a word in a condition",
     "policies: [{id: a, kind: mail, from: \"*\", default: allow, "
     "except: [{to: [x.example, staff]}]}]",
     "p.yaml:1: to: 'staff' " NO_WORD},
    {"a word as a member", "groups: {g: [x.example, h], h: []}\n",
     "p.yaml:1: member: 'h' " NO_WORD},
    {"a word to send as", "users: {ann@x.example: {send_as: info}}\n",
     "p.yaml:1: send_as: 'info' " NO_WORD},
    {"null recipient", RULE("to: <>"), "p.yaml:2: to: '<>' is not a pattern: <> is a sender only"},
    {"tagged recipient", RULE("to: ann+list@x.example"),
     "p.yaml:2: to: 'ann+list@x.example' is not a pattern: recipients are compared without +tag, "
     "so leave it out"},
    {"tagged recipient anywhere", RULE("to: ann+list@*"),
     "p.yaml:2: to: 'ann+list@*' is not a pattern: recipients are compared without +tag, so leave "
     "it out"},
    {"source that is none", RULE("to: x.example, source: [192.0.2.300]"),
     "p.yaml:2: source: '192.0.2.300' is no IP address or network (expected one like 192.0.2.0/24 "
     "or 2001:db8::/32)"},
    {"source empty", RULE("to: x.example, source: []"),
     "p.yaml:2: source: an empty list matches no client; leave it out for every client"},
    {"source twice", RULE("to: x.example, source: [192.0.2.1, 192.0.2.1/32]"),
     "p.yaml:2: source: 192.0.2.1/32 stands twice (first in p.yaml:2)"},
    {"country of another kind", RULE("from: x.example, country: DE"),
     "p.yaml:2: country belongs to kind geo, not to kind greylist"},
    {"geo without a country", "policies: [{id: a, kind: geo, from: x.example}]",
     "p.yaml:1: policy 'a' of kind geo names no country (country: [XX])"},
    {"no country", "policies: [{id: a, kind: geo, country: [DE, Germany]}]",
     "p.yaml:1: country: expected two capital letters like DE, or \"*\" for any country that is "
     "known, not 'Germany'"},
    {"option of another kind",
     "policies: [{id: a, kind: block, option: spf_bypass, from: x.example}]",
     "p.yaml:1: policies.option: expected one of block, no_action for kind block, not "
     "'spf_bypass'"},
    {"too many labels", RULE("from: .a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q"),
     "p.yaml:2: from: '.a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q' is not a pattern: too many labels (16 "
     "at most)"},
    {"part unknown", RULE("from: x.example, part: body"),
     "p.yaml:2: policies.part: expected envelope, header or both, not 'body'"},
    {"policy mode", RULE("from: x.example, mode: off"),
     "p.yaml:2: policies.mode: expected enforce or shadow, not 'off'"},
    {"enabled", RULE("from: x.example, enabled: 1"),
     "p.yaml:2: policies.enabled: expected true or false, not '1'"},
    {"valid as text", RULE("from: x.example, valid: 2027-01-01"),
     "p.yaml:2: valid: expected a map, not text"},
    {"valid unknown", RULE("from: x.example, valid: {to: 2027-01-01}"),
     "p.yaml:2: unknown key 'to' in 'valid' (known: from, until)"},
    {"valid no day", RULE("from: x.example, valid: {from: 2027-02-29}"),
     "p.yaml:2: valid.from: expected a date like 2027-01-31, or 2027-01-31T18:00:00Z (UTC), not "
     "'2027-02-29'"},
    {"valid with an offset", RULE("from: x.example, valid: {until: \"2027-01-31T18:00+01\"}"),
     "p.yaml:2: valid.until: expected a date like 2027-01-31, or 2027-01-31T18:00:00Z (UTC), not "
     "'2027-01-31T18:00+01'"},
    {"valid left out", RULE("from: x.example, valid: {until: }"),
     "p.yaml:2: valid.until: expected a date like 2027-01-31, or 2027-01-31T18:00:00Z (UTC), not "
     "''"},
    {"valid backwards", RULE("from: x.example, valid: {from: 2027-02-01, until: 2027-01-01}"),
     "p.yaml:2: valid: until must be later than from"},
    {"valid for no moment",
     RULE("from: x.example, valid: {from: 2027-01-01, until: \"2027-01-01T00:00:00Z\"}"),
     "p.yaml:2: valid: until must be later than from"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    assert_int_equal(policy_parse("p.yaml", row->text, strlen(row->text), &policy, &detail),
                     ERR_CONFIG);
    assert_null(policy);
    assert_string_equal(detail.text, row->error);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, refused_rows, check_refused);
    return table_run(&table, "policy_refused");
}
