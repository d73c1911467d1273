// Readers of the compiled policy set: who is internal, who is trusted, which exception applies. The
// sets are written as YAML.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/policy.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/policy_ask.h"
#include "tests/support/table.h"

static struct policy *parsed(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = policy_parse("p.yaml", text, strlen(text), &policy, &detail);

    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    return policy;
}

// ---- Domains and networks

struct domain_row {
    const char *name;
    const char *domain;
    bool internal;
};

static const struct domain_row domain_rows[] = {
    {"first", "a.example", true},
    {"middle", "corp.example", true},
    {"last", "z.example", true},
    {"below one of ours", "mx.corp.example", false},
    {"above one of ours", "example", false},
    {"ends like one of ours", "xcorp.example", false},
    {"before the first", "a", false},
    {"behind the last", "zz.example", false},
    {"none", "", false},
};

static void check_domain(void **state)
{
    const struct domain_row *row = *state;
    struct policy *policy = parsed("domains: {z.example: {}, corp.example: {}, a.example: {}}");

    assert_int_equal(policy_is_internal(policy, row->domain), row->internal);
    policy_free(&policy);
}

static void nobody_is_internal_without_domains(void **state)
{
    struct policy *policy = parsed("");

    (void)state;
    assert_false(policy_is_internal(policy, "corp.example"));
    assert_false(policy_is_internal(policy, ""));
    policy_free(&policy);
}

struct trust_row {
    const char *name; // the address
    bool trusted;
};

static const struct trust_row trust_rows[] = {
    {"10.0.0.0", true},
    {"10.255.255.255", true},
    {"10.1.2.3", true},
    {"9.255.255.255", false},
    {"11.0.0.0", false},
    {"192.0.2.7", true},
    {"192.0.2.6", false},
    {"192.0.2.8", false},
    {"198.51.100.127", true},
    {"198.51.100.128", false},
    {"0.0.0.0", false},
    {"255.255.255.255", false},
    {"127.0.0.1", false},
    {"::ffff:10.0.0.1", true},
    {"2001:db8:10::1", true},
    {"2001:db8:10:0:ffff:ffff:ffff:ffff", true},
    {"2001:db8:10:1::", false},
    {"2001:db8:f::", false},
    {"::1", false},
    {"::", false},
    {"ffff::", false},
};

static void check_trust(void **state)
{
    const struct trust_row *row = *state;
    struct policy *policy = parsed(
        "trusted_sources: [198.51.100.0/25, 10.1.0.0/16, 10.0.0.0/8, 10.1.2.0/24, 192.0.2.7,\n"
        "                  \"2001:db8:10::/64\", \"2001:db8:10::5\"]");
    struct ip ip;

    assert_true(ip_parse(row->name, &ip));
    assert_int_equal(policy_is_trusted_ip(policy, &ip), row->trusted);
    policy_free(&policy);
}

static void everywhere_can_be_trusted(void **state)
{
    struct policy *policy = parsed("trusted_sources: [0.0.0.0/0, \"::/0\"]");
    struct ip ip;
    struct ip none = {0};

    (void)state;
    assert_true(ip_parse("192.0.2.1", &ip) && policy_is_trusted_ip(policy, &ip));
    assert_true(ip_parse("::", &ip) && policy_is_trusted_ip(policy, &ip));
    assert_true(ip_parse("ffff::1", &ip) && policy_is_trusted_ip(policy, &ip));
    assert_false(policy_is_trusted_ip(policy, &none));
    policy_free(&policy);
}

// ---- Exceptions

#define JAN_1  1798761600000ULL // 2027-01-01
#define FEB_1  1801440000000ULL // 2027-02-01
#define NOBODY ""               // no client address

struct match_row {
    const char *name;
    const char *rule; // what stands in it beside kind and option; "; " begins the next one
    const char *sender;
    const char *recipient;
    const char *client;
    uint64_t now_ms;
    const char *id; // "" = nothing matches
};

static const struct match_row match_rows[] = {
    // patterns
    {"everyone", "id: a, from: '*'", "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"everyone, null sender", "id: a, from: '*'", "", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"null sender", "id: a, from: <>", "", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"null sender only", "id: a, from: <>", "ann@x.example", "bob@corp.example", "192.0.2.1", 1,
     ""},
    {"null sender is not internal", "id: a, from: internal", "", "bob@corp.example", "192.0.2.1", 1,
     ""},
    {"null sender is not external", "id: a, from: external", "", "bob@corp.example", "192.0.2.1", 1,
     ""},
    {"null sender has no domain", "id: a, from: x.example", "", "bob@corp.example", "192.0.2.1", 1,
     ""},
    {"internal", "id: a, from: internal", "ann@corp.example", "bob@x.example", "192.0.2.1", 1, "a"},
    {"internal is not below", "id: a, from: internal", "ann@a.corp.example", "bob@x.example",
     "192.0.2.1", 1, ""},
    {"external", "id: a, from: external", "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"external is not internal", "id: a, from: external", "ann@corp.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"postmaster is of no party", "id: a, to: internal; id: b, to: external", "ann@x.example",
     "postmaster", "192.0.2.1", 1, ""},
    {"domain", "id: a, from: x.example", "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"domain in capitals", "id: a, from: x.example", "Ann@X.EXAMPLE.", "bob@corp.example",
     "192.0.2.1", 1, "a"},
    {"domain is not below", "id: a, from: x.example", "ann@mx.x.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"domain is not a suffix", "id: a, from: x.example", "ann@ax.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"below", "id: a, from: .x.example", "ann@mx.x.example", "bob@corp.example", "192.0.2.1", 1,
     "a"},
    {"far below", "id: a, from: .x.example", "ann@a.b.c.x.example", "bob@corp.example", "192.0.2.1",
     1, "a"},
    {"below is not the apex", "id: a, from: .x.example", "ann@x.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"below is not a suffix", "id: a, from: .x.example", "ann@ax.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"user anywhere", "id: a, from: ann@*", "ann@y.example", "bob@corp.example", "192.0.2.1", 1,
     "a"},
    {"another user anywhere", "id: a, from: ann@*", "anna@y.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"address", "id: a, from: ann@x.example", "ANN@x.example", "bob@corp.example", "192.0.2.1", 1,
     "a"},
    {"address, other domain", "id: a, from: ann@x.example", "ann@y.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"address, other user", "id: a, from: ann@x.example", "bob@x.example", "bob@corp.example",
     "192.0.2.1", 1, ""},
    {"broken sender", "id: a, from: external", "ann@@", "bob@corp.example", "192.0.2.1", 1, ""},
    {"from and to", "id: a, from: x.example, to: corp.example", "ann@x.example", "bob@corp.example",
     "192.0.2.1", 1, "a"},
    {"from without to", "id: a, from: x.example, to: y.example", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, ""},
    {"to without from", "id: a, from: y.example, to: corp.example", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, ""},

    // +tag
    {"tagged sender is another", "id: a, from: ann@x.example", "ann+t@x.example",
     "bob@corp.example", "192.0.2.1", 1, ""},
    {"tagged sender anywhere is another", "id: a, from: ann@*", "ann+t@x.example",
     "bob@corp.example", "192.0.2.1", 1, ""},
    {"tagged sender as written", "id: a, from: ann+T@x.example", "ann+t@x.example",
     "bob@corp.example", "192.0.2.1", 1, "a"},
    {"untagged sender of a tagged pattern", "id: a, from: ann+t@x.example", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, ""},
    {"tagged recipient is the base", "id: a, to: bob@corp.example", "ann@x.example",
     "bob+t@corp.example", "192.0.2.1", 1, "a"},
    {"tagged recipient anywhere", "id: a, to: bob@*", "ann@x.example", "Bob+t@corp.example",
     "192.0.2.1", 1, "a"},

    // source
    {"source", "id: a, from: '*', source: 192.0.2.0/24", "ann@x.example", "bob@corp.example",
     "192.0.2.255", 1, "a"},
    {"source outside", "id: a, from: '*', source: 192.0.2.0/24", "ann@x.example",
     "bob@corp.example", "192.0.3.0", 1, ""},
    {"second source", "id: a, from: '*', source: [10.0.0.0/8, 192.0.2.1]", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "a"},
    {"source of the other family", "id: a, from: '*', source: 0.0.0.0/0", "ann@x.example",
     "bob@corp.example", "2001:db8::1", 1, ""},
    {"mapped client", "id: a, from: '*', source: 192.0.2.1", "ann@x.example", "bob@corp.example",
     "::ffff:192.0.2.1", 1, "a"},
    {"unknown client and a source", "id: a, from: '*', source: [0.0.0.0/0, '::/0']",
     "ann@x.example", "bob@corp.example", NOBODY, 1, ""},
    {"unknown client, no source", "id: a, from: '*'", "ann@x.example", "bob@corp.example", NOBODY,
     1, "a"},

    // time and switches
    {"disabled", "id: a, from: '*', enabled: no", "ann@x.example", "bob@corp.example", "192.0.2.1",
     1, ""},
    {"before valid", "id: a, from: '*', valid: {from: 2027-01-01}", "ann@x.example",
     "bob@corp.example", "192.0.2.1", JAN_1 - 1, ""},
    {"valid from is inside", "id: a, from: '*', valid: {from: 2027-01-01}", "ann@x.example",
     "bob@corp.example", "192.0.2.1", JAN_1, "a"},
    {"before until", "id: a, from: '*', valid: {until: 2027-02-01}", "ann@x.example",
     "bob@corp.example", "192.0.2.1", FEB_1 - 1, "a"},
    {"valid until is outside", "id: a, from: '*', valid: {until: 2027-02-01}", "ann@x.example",
     "bob@corp.example", "192.0.2.1", FEB_1, ""},
    {"an expired one leaves the next",
     "id: a, from: ann@x.example, valid: {until: 2027-01-01}; id: b, from: x.example",
     "ann@x.example", "bob@corp.example", "192.0.2.1", JAN_1, "b"},

    // both directions
    {"one direction", "id: a, from: x.example, to: corp.example", "bob@corp.example",
     "ann@x.example", "192.0.2.1", 1, ""},
    {"both directions", "id: a, from: x.example, to: corp.example, bidirectional: yes",
     "bob@corp.example", "ann@x.example", "192.0.2.1", 1, "a"},
    {"both directions, as written", "id: a, from: x.example, to: corp.example, bidirectional: yes",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"exchanged, the recipient is the base", "id: a, from: ann@x.example, bidirectional: yes",
     "bob@corp.example", "ann+t@x.example", "192.0.2.1", 1, "a"},
    {"exchanged, the sender is as written", "id: a, to: bob@corp.example, bidirectional: yes",
     "bob+t@corp.example", "ann@x.example", "192.0.2.1", 1, ""},
    {"not half exchanged", "id: a, from: x.example, to: corp.example, bidirectional: yes",
     "ann@x.example", "bob@x.example", "192.0.2.1", 1, ""},

    // which one
    {"address before user anywhere", "id: a, from: ann@*; id: b, from: ann@x.example",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"user anywhere before domain", "id: a, from: x.example; id: b, from: ann@*", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"domain before below", "id: a, from: .x.example; id: b, from: a.x.example", "ann@a.x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"longer below first", "id: a, from: .example; id: b, from: .x.example", "ann@a.x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"below before party", "id: a, from: external; id: b, from: .example", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"party before everyone", "id: a, from: '*'; id: b, from: external", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"from before to", "id: a, from: external, to: bob@corp.example; id: b, from: x.example",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"then to", "id: a, from: x.example; id: b, from: x.example, to: internal", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"a source before none", "id: a, from: x.example; id: b, from: x.example, source: 0.0.0.0/0",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"a source does not beat a specific to",
     "id: a, from: x.example, to: corp.example; id: b, from: x.example, source: 192.0.2.1",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"longest prefix first",
     "id: a, from: x.example, source: 192.0.2.0/24; id: b, from: x.example, source: 192.0.2.0/25",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"the prefix that fits counts",
     "id: a, from: x.example, source: [10.0.0.1, 192.0.0.0/16]; id: b, from: x.example, source: "
     "192.0.2.0/24",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"then the lowest id", "id: b, from: x.example; id: a, from: x.example", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "a"},
    {"lowest id of equal sources",
     "id: b, from: x.example, source: 192.0.2.1; id: a, from: x.example, source: 192.0.2.1",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "a"},
    {"override first", "id: a, from: ann@x.example; id: b, from: '*', override: yes",
     "ann@x.example", "bob@corp.example", "192.0.2.1", 1, "b"},
    {"the more specific override",
     "id: a, from: '*', override: yes; id: b, from: x.example, override: yes", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "b"},
    {"an override that does not match",
     "id: a, from: x.example; id: b, from: y.example, override: yes", "ann@x.example",
     "bob@corp.example", "192.0.2.1", 1, "a"},
    {"no rules at all", "", "ann@x.example", "bob@corp.example", "192.0.2.1", 1, ""},
};

// written_out: the rules of a row as a policy file.
static char *written_out(const char *rules, const char *tail)
{
    char *text = mem_text("domains: {corp.example: {}}\npolicies:\n");

    while (rules[0] != '\0') {
        const char *end = strstr(rules, "; ");
        int len = end != NULL ? (int)(end - rules) : (int)strlen(rules);
        char *longer = mem_format("%s  - {kind: greylist, option: no_action, %.*s%s}\n", text, len,
                                  rules, tail);

        mem_free(text);
        text = longer;
        rules = end != NULL ? end + 2 : rules + len;
    }
    return text;
}

static const char *match_id(const struct policy *policy, const struct match_row *row,
                            enum policy_view view)
{
    const struct policy_asked asked = {POLICY_GREYLIST, row->sender, row->recipient, row->client,
                                       row->now_ms};
    const struct policy_rule *rule = policy_ask(policy, &asked, view);

    return rule != NULL ? rule->id : "";
}

static void check_match(void **state)
{
    const struct match_row *row = *state;
    char *text = written_out(row->rule, "");
    struct policy *policy = parsed(text);

    assert_string_equal(match_id(policy, row, POLICY_IN_FORCE), row->id);
    assert_string_equal(match_id(policy, row, POLICY_AS_IF), row->id);
    policy_free(&policy);
    mem_free(text);
}

// The same rules in shadow decide nothing, and are found the same way when those in shadow count.
static void check_shadow(void **state)
{
    const struct match_row *row = *state;
    char *text = written_out(row->rule, ", mode: shadow");
    struct policy *policy = parsed(text);

    assert_string_equal(match_id(policy, row, POLICY_IN_FORCE), "");
    assert_string_equal(match_id(policy, row, POLICY_AS_IF), row->id);
    policy_free(&policy);
    mem_free(text);
}

static void shadow_and_force_do_not_hide_each_other(void **state)
{
    static const struct match_row row = {
        .sender = "ann@x.example", .recipient = "bob@corp.example", .client = "192.0.2.1"};
    struct policy *policy =
        parsed("policies:\n"
               "  - {id: s, kind: greylist, option: no_action, from: ann@x.example, mode: shadow}\n"
               "  - {id: e, kind: greylist, option: no_action, from: x.example}\n"
               "  - {id: t, kind: greylist, option: no_action, from: '*', mode: shadow}\n");

    (void)state;
    assert_string_equal(match_id(policy, &row, POLICY_IN_FORCE), "e");
    assert_string_equal(match_id(policy, &row, POLICY_AS_IF), "s");
    policy_free(&policy);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, domain_rows, check_domain);
    TABLE_TEST(&table, nobody_is_internal_without_domains);
    TABLE_ROWS(&table, trust_rows, check_trust);
    TABLE_TEST(&table, everywhere_can_be_trusted);
    TABLE_ROWS(&table, match_rows, check_match);
    TABLE_ROWS(&table, match_rows, check_shadow);
    TABLE_TEST(&table, shadow_and_force_do_not_hide_each_other);
    return table_run(&table, "policy");
}
