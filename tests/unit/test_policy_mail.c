// Policies of the kinds mail and limit: what their author is told of a mistake, and that what is written of a set reads
// back as the same.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/build.h"
#include "node/policy/canonical.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define GROUPS       "groups: {execs: [ceo@corp.example]}\npolicies:\n"
#define MAIL(rest)   GROUPS "  - {id: m, kind: mail, " rest "}\n"
#define WHEN(rest)   MAIL("from: a@corp.example, action: block, when: {" rest "}")
#define EXCEPT(rest) MAIL("from: a@corp.example, default: allow, except: [{" rest "}]")
#define LIMIT(rest)  GROUPS "  - {id: l, kind: limit, " rest "}\n"

static struct policy *parse(const char *text, struct err_detail *detail)
{
    struct policy *policy = NULL;

    if (policy_parse("p.yaml", text, strlen(text), &policy, detail) != ERR_NONE)
        return NULL;
    return policy;
}

// ---- mistakes

static const struct refused_row {
    const char *name;
    const char *text;
    const char *error;
} REFUSED[] = {
    // which side, which form
    {"neither side", MAIL("default: allow"),
     "p.yaml:3: policy 'm' has neither from nor to (for everyone write from: \"*\")"},
    {"both sides", MAIL("from: a@corp.example, to: b@corp.example, default: allow"),
     "p.yaml:3: policy 'm': a mail policy has from (what somebody may send) or to (what somebody "
     "receives), one of them; the other belongs into its conditions"},
    {"no form", MAIL("from: a@corp.example"),
     "p.yaml:3: policy 'm': a mail policy has either a default, with exceptions from it, or when "
     "and action"},
    {"both forms", MAIL("from: a@corp.example, default: allow, when: {tls: true}, action: block"),
     "p.yaml:3: policy 'm': a mail policy has either a default, with exceptions from it, or when "
     "and action"},
    {"when without action", MAIL("from: a@corp.example, when: {tls: true}"),
     "p.yaml:3: policy 'm': when needs action: allow, block or hold"},
    {"action without when", MAIL("from: a@corp.example, action: block"),
     "p.yaml:3: policy 'm': action needs when: the conditions under which it holds"},
    {"bidirectional", MAIL("from: a@corp.example, default: allow, bidirectional: true"),
     "p.yaml:3: policy 'm': bidirectional: a mail policy has one side; write two"},
    {"no_action with a default", MAIL("from: a@corp.example, default: allow, option: no_action"),
     "p.yaml:3: policy 'm': option: no_action has no default, when, action or except"},
    {"no_action with an exception",
     MAIL("from: a@corp.example, option: no_action, except: [{tls: true}]"),
     "p.yaml:3: policy 'm': option: no_action has no default, when, action or except"},
    {"another option", MAIL("from: a@corp.example, option: block"),
     "p.yaml:3: policies.option: expected one of no_action for kind mail, not 'block'"},

    // actions
    {"a default that holds", MAIL("from: a@corp.example, default: hold"),
     "p.yaml:3: policy 'm': default: expected allow or block, not 'hold'"},
    {"a default that is no action", MAIL("from: a@corp.example, default: deny"),
     "p.yaml:3: policy 'm': default: expected allow or block, not 'deny'"},
    {"an action that is none", MAIL("from: a@corp.example, when: {tls: true}, action: reject"),
     "p.yaml:3: policy 'm': action: expected allow, block or hold, not 'reject'"},
    {"strip", MAIL("from: a@corp.example, when: {tls: true}, action: strip"),
     "p.yaml:3: action: strip is not supported by this version"},
    {"redirect", MAIL("from: a@corp.example, when: {tls: true}, action: redirect"),
     "p.yaml:3: action: redirect is not supported by this version"},
    {"hold_for without hold", MAIL("from: a@corp.example, default: block, hold_for: admin"),
     "p.yaml:3: policy 'm': hold_for belongs to action: hold"},
    {"hold_for nobody", MAIL("from: a@corp.example, when: {tls: true}, action: hold, hold_for: me"),
     "p.yaml:3: policy 'm': hold_for: expected user, moderator or admin"},
    {"a list of actions", MAIL("from: a@corp.example, when: {tls: true}, action: [block]"),
     "p.yaml:3: action: expected text, not a list"},

    // keys of other kinds
    {"a mail's key in a block", GROUPS "  - {id: b, kind: block, from: a.example, except: []}\n",
     "p.yaml:3: except belongs to kind mail, not to kind block"},
    {"a limit's key in a mail", MAIL("from: a@corp.example, default: allow, rcpt_per_day: 3"),
     "p.yaml:3: rcpt_per_day belongs to kind limit, not to kind mail"},
    {"a mail's key in a limit", LIMIT("from: a@corp.example, default: allow"),
     "p.yaml:3: default belongs to kind mail, not to kind limit"},

    // conditions
    {"except as a map", MAIL("from: a@corp.example, default: allow, except: {tls: true}"),
     "p.yaml:3: except: expected a list, not a map"},
    {"an exception that is text", MAIL("from: a@corp.example, default: allow, except: [tls]"),
     "p.yaml:3: except: expected a map, not text"},
    {"no condition", MAIL("from: a@corp.example, when: {}, action: block"),
     "p.yaml:3: when: without a condition it holds for all mail; write default instead"},
    {"no condition in an exception", MAIL("from: a@corp.example, default: allow, except: [{}]"),
     "p.yaml:3: except: without a condition it holds for all mail; write default instead"},
    {"a condition of a later version", EXCEPT("attachment_name: \"*.zip\""),
     "p.yaml:3: except.attachment_name is not supported by this version"},
    {"subject", WHEN("subject: x"), "p.yaml:3: when.subject is not supported by this version"},
    {"dkim", WHEN("dkim: pass"), "p.yaml:3: when.dkim is not supported by this version"},
    {"a condition that is none", WHEN("color: red"),
     "p.yaml:3: unknown key 'color' in 'when' (known: direction, from, to, user, source, country, "
     "tls, time, size_over, size_under, recipients_over, rcpt_in_group, spf, client_name, helo)"},
    {"a direction that is none", WHEN("direction: incoming"),
     "p.yaml:3: when.direction: 'incoming' is none of inbound, outbound, internal, relay"},
    {"an empty direction", WHEN("direction: \"\""),
     "p.yaml:3: when.direction: '' is none of inbound, outbound, internal, relay"},
    {"no direction", WHEN("direction: []"),
     "p.yaml:3: when.direction: an empty list holds for nothing; leave it out to ask nothing"},
    {"no sender", WHEN("from: []"),
     "p.yaml:3: when.from: an empty list holds for nothing; leave it out to ask nothing"},
    {"a sender that is none", WHEN("from: [a@corp.example, \"b c\"]"),
     "p.yaml:3: from: 'b c' is not a pattern: not a domain name"},
    {"a recipient with a tag", WHEN("to: a+b@corp.example"),
     "p.yaml:3: to: 'a+b@corp.example' is not a pattern: recipients are compared without +tag, so "
     "leave it out"},
    {"the null sender as a recipient", WHEN("to: \"<>\""),
     "p.yaml:3: to: '<>' is not a pattern: <> is a sender only"},
    {"a network that is none", WHEN("source: 192.0.2.1/24"),
     "p.yaml:3: source: '192.0.2.1/24' has bits set beyond its length; did you mean 192.0.2.0/24?"},
    {"no network", WHEN("source: []"),
     "p.yaml:3: when: source: an empty list matches no client; leave it out for every client"},
    {"a country in small letters", WHEN("country: de"),
     "p.yaml:3: country: expected two capital letters like DE, or \"*\" for any country that is "
     "known, not 'de'"},
    {"tls by another word", WHEN("tls: required"),
     "p.yaml:3: when.tls: expected true or false, not 'required'"},
    {"an spf that is none", WHEN("spf: ok"),
     "p.yaml:3: when.spf: 'ok' is none of none, pass, fail, softfail, neutral, temperror, "
     "permerror"},
    {"a size without an end", WHEN("size_over: 5MB"),
     "p.yaml:3: when.size_over: expected a size like 64M between 0 and 1024G, not '5MB'"},
    {"a size that nothing is under", WHEN("size_under: 1"),
     "p.yaml:3: when.size_under: expected a size like 64M between 2 and 1024G, not '1'"},
    {"no size is both", WHEN("size_over: 10, size_under: 11"),
     "p.yaml:3: when: no size is over size_over and under size_under"},
    {"recipients that are no number", WHEN("recipients_over: many"),
     "p.yaml:3: when.recipients_over: expected a number between 0 and 1000000, not 'many'"},
    {"rcpt_in_group as text", WHEN("rcpt_in_group: execs"),
     "p.yaml:3: rcpt_in_group: expected a map, not text"},
    {"rcpt_in_group without a number", WHEN("rcpt_in_group: {group: execs}"),
     "p.yaml:3: rcpt_in_group.at_least is required (so many of its members are recipients of one "
     "message)"},
    {"rcpt_in_group without a group", WHEN("rcpt_in_group: {at_least: 2}"),
     "p.yaml:3: rcpt_in_group.group is required (name of a group)"},
    {"rcpt_in_group of none", WHEN("rcpt_in_group: {group: execs, at_least: 0}"),
     "p.yaml:3: rcpt_in_group.at_least: expected a number between 1 and 1000, not '0'"},
    {"an empty glob", WHEN("helo: \"\""),
     "p.yaml:3: when.helo: expected text of 1 to 255 bytes, not ''"},

    // limits
    {"a limit for a recipient", LIMIT("from: a@corp.example, to: b@corp.example, rcpt_per_day: 1"),
     "p.yaml:3: policy 'l': a limit policy is about who sends: it has from, and no to"},
    {"a limit of a recipient", LIMIT("to: b@corp.example, rcpt_per_day: 1"),
     "p.yaml:3: policy 'l': a limit policy is about who sends: it has from, and no to"},
    {"a number of what is no limit",
     LIMIT("from: a@corp.example, option: no_action, rcpt_per_day: 3"),
     "p.yaml:3: policy 'l': option: no_action has no rcpt_per_mail, rcpt_per_day, mail_per_day or "
     "exempt"},
    {"who is exempt of what is no limit",
     LIMIT("from: a@corp.example, option: no_action, exempt: [{user: b@corp.example}]"),
     "p.yaml:3: policy 'l': option: no_action has no rcpt_per_mail, rcpt_per_day, mail_per_day or "
     "exempt"},
    {"a limit of nothing", LIMIT("from: a@corp.example"),
     "p.yaml:3: policy 'l': it limits nothing: give rcpt_per_mail, rcpt_per_day or mail_per_day"},
    {"a limit of 0", LIMIT("from: a@corp.example, rcpt_per_day: 0"),
     "p.yaml:3: policies.rcpt_per_day: expected a number between 1 and 1000000, not '0'"},
    {"a limit of a day as text", LIMIT("from: a@corp.example, mail_per_day: 200/d"),
     "p.yaml:3: policies.mail_per_day: expected a number between 1 and 1000000, not '200/d'"},
    {"a bidirectional limit", LIMIT("from: a@corp.example, mail_per_day: 2, bidirectional: true"),
     "p.yaml:3: policy 'l': bidirectional: a limit policy has one side"},
    {"exempt as a map", LIMIT("from: a@corp.example, mail_per_day: 2, exempt: {user: b@b.example}"),
     "p.yaml:3: exempt: expected a list, not a map"},
    {"exempt without a user",
     LIMIT("from: a@corp.example, mail_per_day: 2, exempt: [{source: 192.0.2.1}]"),
     "p.yaml:3: exempt.user is required"},
    {"exempt from nowhere",
     LIMIT("from: a@corp.example, mail_per_day: 2, exempt: [{user: b@b.example, source: []}]"),
     "p.yaml:3: exempt.source: an empty list exempts nobody; leave it out for every client"},
    {"exempt with another key",
     LIMIT("from: a@corp.example, mail_per_day: 2, exempt: [{user: b@b.example, from: 192.0.2.1}]"),
     "p.yaml:3: unknown key 'from' in 'exempt' (known: user, source)"},
};

static void check_refused(void **state)
{
    const struct refused_row *row = *state;
    struct err_detail detail = {.text = ""};

    assert_null(parse(row->text, &detail));
    assert_string_equal(detail.text, row->error);
}

// A group that no file names, wherever it is asked for.
static void an_unknown_group_is_refused(void **state)
{
    static const char *const TEXTS[] = {
        MAIL("from: {group: nobody}, default: allow"), EXCEPT("to: [{group: nobody}]"),
        EXCEPT("user: {group: nobody}"), WHEN("rcpt_in_group: {group: nobody, at_least: 2}"),
        LIMIT("from: a@corp.example, mail_per_day: 2, exempt: [{user: {group: nobody}}]")};

    (void)state;
    for (size_t i = 0; i < sizeof(TEXTS) / sizeof(TEXTS[0]); i++) {
        struct err_detail detail = {.text = ""};

        assert_null(parse(TEXTS[i], &detail));
        assert_non_null(strstr(detail.text, "nobody"));
        assert_non_null(strstr(detail.text, "p.yaml:3: "));
    }
}

// ---- windows

static const struct window_row {
    const char *name;  // as written
    const char *again; // as it is written of it; NULL = it is none
} WINDOWS[] = {
    {"09:00-18:00", "09:00-18:00"},
    {"22:00-06:00", "22:00-06:00"},
    {"00:00-24:00", "00:00-24:00"},
    {"00:00-00:00", "00:00-00:00"},
    {"mon-fri 22:00-06:00", "mon,tue,wed,thu,fri 22:00-06:00"},
    {"fri-mon", "mon,fri,sat,sun 00:00-24:00"},
    {"sat,sun 12:30-13:00", "sat,sun 12:30-13:00"},
    {"sun,sat", "sat,sun 00:00-24:00"},
    {"mon-sun 01:00-02:00", "01:00-02:00"},
    {"wed", "wed 00:00-24:00"},
    {"mon,wed-thu,sun 01:00-02:00", "mon,wed,thu,sun 01:00-02:00"},
    {"mon-mon", "mon 00:00-24:00"},
    {"", NULL},
    {"9:00-18:00", NULL},
    {"09:00", NULL},
    {"09:00-", NULL},
    {"09:00-18:00 ", NULL},
    {" 09:00-18:00", NULL},
    {"09:00 - 18:00", NULL},
    {"09:60-18:00", NULL},
    {"24:00-06:00", NULL},
    {"09:00-24:01", NULL},
    {"09:00-25:00", NULL},
    {"0900-1800", NULL},
    {"mon-", NULL},
    {"mon,", NULL},
    {"monday", NULL},
    {"Mon-Fri", NULL},
    {"mon  09:00-18:00", NULL},
    {"mon ", NULL},
    {"09:00-18:00 mon", NULL},
    {"x", NULL},
    {"09:0\xC3\xBC-18:00", NULL},
};

static void check_window(void **state)
{
    const struct window_row *row = *state;
    struct zone_window window = {.days = 77};
    struct zone_window again;
    char text[POLICY_WINDOW_TEXT_MAX];

    assert_int_equal(window_read(row->name, &window), row->again != NULL);
    if (row->again == NULL) {
        assert_int_equal(window.days, 77);
        return;
    }
    assert_string_equal(window_format(&window, text), row->again);
    assert_true(window_read(text, &again));
    assert_memory_equal(&window, &again, sizeof(window));
}

// ---- what is written of a policy

struct told {
    char *text;
};

static bool take_policy(const struct canonical *said, void *arg)
{
    struct told *told = arg;

    if (said->section == CANONICAL_POLICY) {
        mem_free(told->text);
        told->text = mem_text(said->value);
    }
    return true;
}

// NULL = itself.
static const struct written_row {
    const char *name;
    const char *text;
    const char *canonical;
} WRITTEN[] = {
    {"the first form",
     "{id: \"m\", kind: mail, from: \"a@corp.example\", default: allow, except: [{to: "
     "[\"b@corp.example\"]}, {tls: true}]}",
     NULL},
    {"the second form",
     "{id: \"m\", kind: mail, to: {group: \"execs\"}, when: {direction: [inbound, relay], from: "
     "[\"far.example\"], source: [\"192.0.2.0/24\"]}, action: hold, hold_for: admin}",
     NULL},
    {"every condition",
     "{id: \"m\", kind: mail, from: \"*\", when: {user: [\"*\"], country: [\"*\", \"DE\"], tls: "
     "false, time: [\"mon 09:00-18:00\", \"sat,sun 00:00-24:00\"], size_over: 5, size_under: "
     "1048576, recipients_over: 0, rcpt_in_group: {group: \"execs\", at_least: 3}, spf: [none, "
     "fail], client_name: \"*.dsl.\\\\?\", helo: \"\\\"\"}, action: block, except: [{from: "
     "[{group: \"execs\"}]}]}",
     NULL},
    {"what is the default is left out, one is a list, and lists are sorted",
     "{id: m, kind: mail, from: a@corp.example, when: {spf: [fail, none], to: b@corp.example, "
     "time: "
     "[sun, mon], country: [FR, DE]}, action: hold, hold_for: moderator, mode: enforce}",
     "{id: \"m\", kind: mail, from: \"a@corp.example\", when: {to: [\"b@corp.example\"], country: "
     "[\"DE\", \"FR\"], time: [\"mon 00:00-24:00\", \"sun 00:00-24:00\"], spf: [none, fail]}, "
     "action: hold}"},
    {"no_action", "{id: \"m\", kind: mail, option: no_action, from: \"a@corp.example\"}", NULL},
    {"a limit",
     "{id: \"l\", kind: limit, from: \"*\", rcpt_per_mail: 30, rcpt_per_day: 500, mail_per_day: "
     "200, "
     "exempt: [{user: \"b@corp.example\", source: [\"192.0.2.5/32\"]}, {user: {group: "
     "\"execs\"}}]}",
     NULL},
    {"a limit that is none",
     "{id: \"l\", kind: limit, option: no_action, from: \"a@corp.example\"}", NULL},
};

static void check_written(void **state)
{
    const struct written_row *row = *state;
    const char *want = row->canonical != NULL ? row->canonical : row->text;
    struct err_detail detail = {.text = ""};
    struct told told = {.text = NULL};
    char *text = mem_format(GROUPS "  - %s\n", row->text);
    struct policy *policy = parse(text, &detail);

    if (policy == NULL)
        fail_msg("%s", detail.text);
    canonical_each(policy, CANONICAL_SORTED, take_policy, &told);
    assert_string_equal(told.text, want);
    mem_free(text);
    text = mem_format(GROUPS "  - %s\n", told.text);
    struct policy *again = parse(text, &detail);

    assert_non_null(again);
    assert_int_equal(again->hash, policy->hash);
    policy_free(&again);
    policy_free(&policy);
    mem_free(told.text);
    mem_free(text);
}

// Whatever of a condition is another makes it another set.
static void each_condition_counts_for_the_version(void **state)
{
    static const char *const TEXTS[] = {
        WHEN("tls: true"),
        WHEN("tls: false"),
        WHEN("size_over: 0"),
        WHEN("size_over: 1"),
        WHEN("size_under: 2"),
        WHEN("recipients_over: 0"),
        WHEN("direction: inbound"),
        WHEN("direction: outbound"),
        WHEN("from: corp.example"),
        WHEN("to: corp.example"),
        WHEN("user: corp.example"),
        WHEN("source: 192.0.2.1"),
        WHEN("country: DE"),
        WHEN("time: mon"),
        WHEN("spf: pass"),
        WHEN("client_name: a"),
        WHEN("helo: a"),
        WHEN("rcpt_in_group: {group: execs, at_least: 1}"),
        WHEN("rcpt_in_group: {group: execs, at_least: 2}"),
        EXCEPT("tls: true"),
        MAIL("from: a@corp.example, action: hold, when: {tls: true}"),
        MAIL("from: a@corp.example, action: hold, when: {tls: true}, hold_for: user"),
        MAIL("from: a@corp.example, default: allow"),
        MAIL("from: a@corp.example, default: block"),
        MAIL("to: a@corp.example, default: block"),
        LIMIT("from: \"*\", rcpt_per_mail: 1"),
        LIMIT("from: \"*\", rcpt_per_day: 1"),
        LIMIT("from: \"*\", mail_per_day: 1"),
        LIMIT("from: \"*\", mail_per_day: 2"),
        LIMIT("from: \"*\", mail_per_day: 2, exempt: [{user: a@corp.example}]"),
        LIMIT("from: \"*\", mail_per_day: 2, exempt: [{user: a@corp.example, source: 192.0.2.1}]")};
    enum { COUNT = sizeof(TEXTS) / sizeof(TEXTS[0]) };
    uint64_t hash[COUNT];

    (void)state;
    for (size_t i = 0; i < COUNT; i++) {
        struct err_detail detail = {.text = ""};
        struct policy *policy = parse(TEXTS[i], &detail);

        if (policy == NULL)
            fail_msg("%s", detail.text);
        hash[i] = policy->hash;
        policy_free(&policy);
        for (size_t j = 0; j < i; j++)
            if (hash[i] == hash[j])
                fail_msg("the same number: %s and %s", TEXTS[j], TEXTS[i]);
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, REFUSED, check_refused);
    TABLE_ROWS(&table, WINDOWS, check_window);
    TABLE_ROWS(&table, WRITTEN, check_written);
    TABLE_TEST(&table, an_unknown_group_is_refused);
    TABLE_TEST(&table, each_condition_counts_for_the_version);
    return table_run(&table, "policy_mail");
}
