// What a set says, statement by statement: the number of a set, what is printed of it, and the difference of two.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/canonical.h"
#include "node/policy/diff.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

static struct policy *parsed(const char *name, const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    if (policy_parse(name, text, strlen(text), &policy, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    return policy;
}

// ---- Statements

struct said_row {
    const char *name;
    const char *set;
    const char *expected; // "key = value" of all but trusted_sources' defaults
};

static const struct said_row said_rows[] = {
    {"nothing", "", ""},
    {"defaults that are written out",
     "domains: {a.example: {recipients: any, anti_spoof: aged}}\n"
     "settings: {relay: judge, greylist: {delay: 60s}, limits: {recipients: 100}, timezone: UTC}\n"
     "users: {a@a.example: {state: active, aliases: [], send_as: []}}\n"
     "policies: [{id: p, kind: block, option: block, from: \"*\", enabled: yes, override: no,\n"
     "            mode: enforce, part: envelope, bidirectional: false, note: ''}]\n",
     "domain a.example = {}\n"
     "user a@a.example = {}\n"
     "policy p = {id: \"p\", kind: block, option: block, from: \"*\"}\n"},
    {"domains", "domains: {b.example: {anti_spoof: shadow}, A.Example.: {anti_spoof: enforce}}",
     "domain a.example = {anti_spoof: enforce}\n"
     "domain b.example = {anti_spoof: shadow}\n"},
    {"hosts that are asked",
     "domains:\n  a.example: {recipients: callforward, host: MX.Internal}\n"
     "  b.example: {recipients: callforward, host: \"[2001:DB8:0::5]:2525\"}\n"
     "  c.example: {recipients: callforward, host: \"2001:db8::5\"}\n"
     "  d.example: {recipients: callforward, host: \"192.0.2.1:65535\"}\n"
     "  e.example: {recipients: callforward, host: \"localhost:1\", learn: yes}\n",
     "domain a.example = {recipients: callforward, host: \"mx.internal:25\"}\n"
     "domain b.example = {recipients: callforward, host: \"[2001:db8::5]:2525\"}\n"
     "domain c.example = {recipients: callforward, host: \"[2001:db8::5]:25\"}\n"
     "domain d.example = {recipients: callforward, host: \"192.0.2.1:65535\"}\n"
     "domain e.example = {recipients: callforward, host: \"localhost:1\", learn: true}\n"},
    {"call forward",
     "settings: {callforward: {starttls: never, helo: GATE.example, timeout: 2min}}",
     "setting callforward.timeout = 2min\n"
     "setting callforward.starttls = never\n"
     "setting callforward.helo = \"gate.example\"\n"},
    {"settings",
     "settings:\n  relay: ignore\n  greylist: {delay: 90s, fold_sender: no}\n"
     "  limits: {message_size: 52428800}\n  leaving: {rcpt_per_day: 7}\n  login_match: off\n"
     "  auth_failure_voids: no\n  timezone: Europe/Berlin\n  tracking: {sample: 0.5}\n",
     "setting relay = ignore\n"
     "setting login_match = off\n"
     "setting auth_failure_voids = false\n"
     "setting timezone = \"Europe/Berlin\"\n"
     "setting greylist.delay = 90s\n"
     "setting greylist.fold_sender = false\n"
     "setting limits.message_size = 50M\n"
     "setting leaving.rcpt_per_day = 7\n"
     "setting tracking.sample = 0.5\n"},
    {"groups",
     "groups:\n  b: {address: B@X.example, members: [z@x.example, {group: a}, a@x.example, \"*\",\n"
     "      .x.example, \"@internal\", external, <>, \"u@*\", z@x.example]}\n  a: y.example\n",
     "group a = {}\n"
     "member a y.example = \"y.example\"\n"
     "group b = {address: \"b@x.example\"}\n"
     "member b * = \"*\"\n"
     "member b external = \"external\"\n"
     "member b .x.example = \".x.example\"\n"
     "member b @internal = \"@internal\"\n"
     "member b group:a = {group: \"a\"}\n"
     "member b u@* = \"u@*\"\n"
     "member b a@x.example = \"a@x.example\"\n"
     "member b z@x.example = \"z@x.example\"\n"
     "member b <> = \"<>\"\n"},
    {"users",
     "users:\n  Bob@x.example: {role: admin, state: disabled}\n"
     "  ann@x.example: {aliases: [z@x.example, b@x.example], state: leaving,\n"
     "                  send_as: [info@x.example, .y.example, info@x.example], role: moderator}\n",
     "user ann@x.example = {aliases: [\"b@x.example\", \"z@x.example\"], state: leaving, send_as: "
     "[\".y.example\", \"info@x.example\"], role: moderator}\n"
     "user bob@x.example = {state: disabled, role: admin}\n"},
    {"policies",
     "policies:\n"
     "  - {id: z, kind: geo, option: hold, country: [XX, AA, XX]}\n"
     "  - {id: b, kind: permit, to: '\"a b\"@x.example', source: [10.0.0.1, 10.0.0.0/8]}\n"
     "  - {id: c, kind: greylist, option: no_action, from: <>, to: x.example, enabled: no,\n"
     "     override: yes, bidirectional: yes, mode: shadow, part: both, note: 'a \"b\" \\c #d',\n"
     "     valid: {from: 2027-01-31, until: 2027-02-01T10:00:00Z}}\n"
     "  - {id: d, kind: anti_spoof, option: spf_bypass, from: internal, part: header}\n",
     "policy b = {id: \"b\", kind: permit, option: permit, to: \"\\\"a b\\\"@x.example\", source: "
     "[\"10.0.0.0/8\", \"10.0.0.1/32\"]}\n"
     "policy c = {id: \"c\", kind: greylist, option: no_action, from: \"<>\", to: \"x.example\", "
     "valid: {from: 2027-01-31T00:00:00Z, until: 2027-02-01T10:00:00Z}, part: both, mode: shadow, "
     "enabled: "
     "false, override: true, bidirectional: true, note: \"a \\\"b\\\" \\\\c #d\"}\n"
     "policy d = {id: \"d\", kind: anti_spoof, option: spf_bypass, from: \"internal\", part: "
     "header}\n"
     "policy z = {id: \"z\", kind: geo, option: hold, from: \"*\", country: [\"AA\", \"XX\"]}\n"},
};

static bool add_said(const struct canonical *said, void *arg)
{
    if (said->section != CANONICAL_TRUSTED)
        (void)fprintf(arg, "%s = %s\n", said->key, said->value);
    return true;
}

static void check_said(void **state)
{
    const struct said_row *row = *state;
    struct policy *policy = parsed("p.yaml", row->set);
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    canonical_each(policy, CANONICAL_SORTED, add_said, out);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(text, row->expected);
    free(text);
    policy_free(&policy);
}

static bool count_three(const struct canonical *said, void *arg)
{
    size_t *count = arg;

    (void)said;
    return ++*count < 3;
}

static void an_enumeration_can_be_ended(void **state)
{
    struct policy *policy = parsed("p.yaml", said_rows[4].set);
    size_t count = 0;

    (void)state;
    canonical_each(policy, CANONICAL_SORTED, count_three, &count);
    assert_int_equal(count, 3);
    policy_free(&policy);
}

// ---- Differences

struct diff_row {
    const char *name;
    const char *before;
    const char *after;
    const char *expected;
};

static const struct diff_row diff_rows[] = {
    {"nothing", "", "", ""},
    {"order and comments",
     "groups: {a: [x.example, y.example], b: []}\nusers: {a@x.example: {}, b@x.example: {}}\n",
     "# other\nusers:\n  b@x.example:\n  A@x.example:\ngroups:\n  b:\n  a: [y.example, "
     "X.example]\n",
     ""},
    {"a member twice", "groups: {a: [x.example]}", "groups: {a: [x.example, '@x.example']}", ""},
    {"defaults that are written out", "settings: {relay: judge}", "", ""},
    {"a domain more", "domains: {a.example: {}}", "domains: {a.example: {},\n b.example: {}}",
     "added domain b.example: '' -> '{}' (new:2)\n"},
    {"a domain less", "domains: {a.example: {},\n b.example: {}}", "domains: {a.example: {}}",
     "removed domain b.example: '{}' -> '' (old:2)\n"},
    {"a domain otherwise", "domains: {a.example: {}}",
     "domains:\n  a.example: {anti_spoof: enforce}",
     "changed domain a.example: '{}' -> '{anti_spoof: enforce}' (new:2)\n"},
    {"trust", "trusted_sources: [10.0.0.1]", "trusted_sources:\n  - 10.0.0.2\n",
     "removed trusted 10.0.0.1/32: '\"10.0.0.1/32\"' -> '' (old:1)\n"
     "added trusted 10.0.0.2/32: '' -> '\"10.0.0.2/32\"' (new:2)\n"},
    {"a setting", "settings: {greylist: {delay: 90s}}",
     "settings:\n  greylist:\n    delay: 80s\n  relay: ignore\n",
     "changed setting greylist.delay: '90s' -> '80s' (new:3)\n"
     "added setting relay: '' -> 'ignore' (new:4)\n"},
    {"a setting back to its default", "settings: {relay: ignore}", "settings: {relay: judge}",
     "removed setting relay: 'ignore' -> '' (old:1)\n"},
    {"members", "groups: {b: [x.example], a: [z.example, y.example]}",
     "groups:\n  b: [x.example]\n  a:\n    - z.example\n    - x.example\n    - {group: b}\n",
     "added member a group:b: '' -> '{group: \"b\"}' (new:6)\n"
     "added member a x.example: '' -> '\"x.example\"' (new:5)\n"
     "removed member a y.example: '\"y.example\"' -> '' (old:1)\n"},
    {"a group more", "groups: {a: []}", "groups: {a: {address: a@x.example}, a-b: [x.example]}",
     "changed group a: '{}' -> '{address: \"a@x.example\"}' (new:1)\n"
     "added group a-b: '' -> '{}' (new:1)\n"
     "added member a-b x.example: '' -> '\"x.example\"' (new:1)\n"},
    {"users", "users: {a@x.example: {aliases: [b@x.example]}, c@x.example: {}}",
     "users: {a@x.example: {aliases: [d@x.example]}}",
     "changed user a@x.example: '{aliases: [\"b@x.example\"]}' -> '{aliases: [\"d@x.example\"]}' "
     "(new:1)\n"
     "removed user c@x.example: '{}' -> '' (old:1)\n"},
    {"policies",
     "policies:\n- {id: a, kind: block, from: x.example}\n- {id: b, kind: block, from: "
     "y.example}\n",
     "policies:\n- {id: c, kind: block, from: y.example}\n"
     "- {id: a, kind: block, from: x.example, mode: shadow}\n",
     "changed policy a: '{id: \"a\", kind: block, option: block, from: \"x.example\"}' -> '{id: "
     "\"a\", kind: block, option: block, from: \"x.example\", mode: shadow}' (new:3)\n"
     "removed policy b: '{id: \"b\", kind: block, option: block, from: \"y.example\"}' -> '' "
     "(old:3)\n"
     "added policy c: '' -> '{id: \"c\", kind: block, option: block, from: \"y.example\"}' "
     "(new:2)\n"},
    {"sections one after the other", "",
     "policies: [{id: a, kind: block, from: x.example}]\nusers: {a@x.example: {}}\n"
     "groups: {g: []}\nsettings: {fail: defer}\ndomains: {x.example: {}}\n",
     "added domain x.example: '' -> '{}' (new:5)\n"
     "added setting fail: '' -> 'defer' (new:4)\n"
     "added group g: '' -> '{}' (new:3)\n"
     "added user a@x.example: '' -> '{}' (new:2)\n"
     "added policy a: '' -> '{id: \"a\", kind: block, option: block, from: \"x.example\"}' "
     "(new:1)\n"},
};

static bool add_change(const struct policy_change *change, void *arg)
{
    (void)fprintf(arg, "%s %s: '%s' -> '%s' (%s:%u)\n", policy_change_word(change->kind),
                  change->what, change->before, change->after, change->file, change->line);
    return true;
}

static char *difference(const struct policy *before, const struct policy *after)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    policy_diff(before, after, add_change, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void check_diff(void **state)
{
    const struct diff_row *row = *state;
    struct policy *before = parsed("old", row->before);
    struct policy *after = parsed("new", row->after);
    char *text = difference(before, after);
    char *none = difference(after, after);

    assert_string_equal(text, row->expected);
    assert_string_equal(none, "");
    assert_int_equal(before->hash == after->hash, row->expected[0] == '\0');
    free(text);
    free(none);
    policy_free(&before);
    policy_free(&after);
}

static bool count_two(const struct policy_change *change, void *arg)
{
    size_t *count = arg;

    (void)change;
    return ++*count < 2;
}

static void a_difference_can_be_ended(void **state)
{
    struct policy *before = parsed("old", "");
    struct policy *after = parsed("new", said_rows[4].set);
    size_t count = 0;

    (void)state;
    policy_diff(before, after, count_two, &count);
    assert_int_equal(count, 2);
    policy_free(&before);
    policy_free(&after);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, said_rows, check_said);
    TABLE_TEST(&table, an_enumeration_can_be_ended);
    TABLE_ROWS(&table, diff_rows, check_diff);
    TABLE_TEST(&table, a_difference_can_be_ended);
    return table_run(&table, "policy_diff");
}
