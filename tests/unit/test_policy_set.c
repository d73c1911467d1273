// The policy set as its owner writes it: what each text means, the version of a set, and that what
// is printed reads back.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/policy/build.h"
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/manual.h"
#include "tests/support/table.h"

#define RULE(rest) "policies:\n  - {id: a, kind: greylist, option: no_action, " rest "}\n"

// ---- Taken

static struct policy *parsed(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = policy_parse("p.yaml", text, strlen(text), &policy, &detail);

    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    assert_true(policy->version > 0 && policy->version < 1ULL << 53);
    return policy;
}

static uint64_t version(const char *text)
{
    struct policy *policy = parsed(text);
    uint64_t number = policy->version;

    policy_free(&policy);
    return number;
}

struct pattern_row {
    const char *name; // as written
    enum policy_pattern_kind kind;
    const char *local;
    const char *domain;
    const char *printed;
};

static const struct pattern_row pattern_rows[] = {
    {"*", POLICY_EVERYONE, "", "", "*"},
    {"<>", POLICY_NULL, "", "", "<>"},
    {"internal", POLICY_PARTY, "", "", "internal"},
    {"external", POLICY_PARTY, "", "", "external"},
    {"x.example", POLICY_DOMAIN, "", "x.example", "x.example"},
    {"@X.Example.", POLICY_DOMAIN, "", "x.example", "x.example"},
    {"@internal", POLICY_DOMAIN, "", "internal", "@internal"},
    {"@localhost", POLICY_DOMAIN, "", "localhost", "@localhost"},
    {"localhost.", POLICY_DOMAIN, "", "localhost", "@localhost"},
    {"[192.0.2.1]", POLICY_DOMAIN, "", "[192.0.2.1]", "[192.0.2.1]"},
    {"[IPv6:2001:db8::1]", POLICY_DOMAIN, "", "[ipv6:2001:db8::1]", "[ipv6:2001:db8::1]"},
    {".top", POLICY_BELOW, "", "top", ".top"},
    {".X.example", POLICY_BELOW, "", "x.example", ".x.example"},
    {"*.x.example", POLICY_BELOW, "", "x.example", ".x.example"},
    {"b\xC3\xBC"
     "cher.example",
     POLICY_DOMAIN, "", "xn--bcher-kva.example", "xn--bcher-kva.example"},
    {"Ann@X.example", POLICY_ADDRESS, "ann", "x.example", "ann@x.example"},
    {"ann+tag@x.example", POLICY_ADDRESS, "ann+tag", "x.example", "ann+tag@x.example"},
    {"\"ann\"@x.example", POLICY_ADDRESS, "ann", "x.example", "ann@x.example"},
    {"\"a b\"@x.example", POLICY_ADDRESS, "\"a b\"", "x.example", "\"a b\"@x.example"},
    {"ann@[192.0.2.1]", POLICY_ADDRESS, "ann", "[192.0.2.1]", "ann@[192.0.2.1]"},
    {"Root@*", POLICY_LOCAL, "root", "", "root@*"},
};

static void check_pattern(void **state)
{
    const struct pattern_row *row = *state;
    char *text =
        mem_format("policies: [{id: a, kind: greylist, option: no_action, from: '%s'}]", row->name);
    struct policy *policy = parsed(text);
    const struct policy_pattern *from = &policy->known[policy->rule[0].from].pattern;
    char printed[POLICY_PATTERN_TEXT_MAX];

    assert_int_equal(from->kind, row->kind);
    assert_string_equal(from->local, row->local);
    assert_string_equal(from->domain, row->domain);
    assert_string_equal(pattern_format(from, printed), row->printed);
    if (row->kind == POLICY_PARTY)
        assert_int_equal(from->internal, row->name[0] == 'i');
    assert_int_equal(policy->known[policy->rule[0].to].pattern.kind, POLICY_EVERYONE);
    policy_free(&policy);
    mem_free(text);
}

static void check_defaults(const struct policy *policy)
{
    struct ip ip;

    assert_int_equal(policy->domain_count, 0);
    assert_int_equal(policy->rule_count, 0);
    assert_int_equal(policy->trusted_count, 2);
    assert_true(ip_parse("127.1.2.3", &ip) && policy_is_trusted_ip(policy, &ip));
    assert_true(ip_parse("::1", &ip) && policy_is_trusted_ip(policy, &ip));
    assert_true(ip_parse("10.0.0.1", &ip) && !policy_is_trusted_ip(policy, &ip));
    assert_int_equal(policy->settings.greylist.mode, POLICY_SHADOW);
    assert_int_equal(policy->settings.greylist.delay_ms, 60 * 1000);
    assert_int_equal(policy->settings.greylist.window_ms, 12 * 3600 * 1000);
    assert_int_equal(policy->settings.greylist.life_ms, 36ULL * 24 * 3600 * 1000);
    assert_int_equal(policy->settings.greylist.net_ipv4, 24);
    assert_int_equal(policy->settings.greylist.net_ipv6, 64);
    assert_int_equal(policy->settings.greylist.new_per_hour, 1000);
    assert_true(policy->settings.greylist.fold_sender);
    assert_int_equal(policy->settings.relay, POLICY_RELAY_JUDGE);
    assert_int_equal(policy->settings.fail, POLICY_FAIL_PASS);
    assert_string_equal(policy->settings.auth_domain, "");
    assert_float_equal(policy->settings.tracking_sample, 0.01, 0);
}

static void defaults_without_files(void **state)
{
    struct policy *policy = NULL;

    (void)state;
    assert_int_equal(policy_load(NULL, 0, &policy, NULL), ERR_NONE);
    assert_int_equal(policy->version, 0);
    check_defaults(policy);
    policy_free(&policy);
    assert_null(policy);
    policy_free(&policy);
}

static void defaults_of_an_empty_file(void **state)
{
    static const char *const texts[] = {
        "", "# nothing yet\n",
        "domains:\ntrusted_sources: [127.0.0.0/8, '::1']\nsettings:\npolicies:\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct policy *policy = parsed(texts[i]);

        check_defaults(policy);
        assert_int_equal(policy->version, version(""));
        policy_free(&policy);
    }
}

static const char full[] =
    "domains:\n"
    "  corp.example: {recipients: any}\n"
    "  Branch.Corp.Example: {}\n"
    "trusted_sources: [192.0.2.0/28, \"2001:db8:10::/64\", 192.0.2.3]\n"
    "settings:\n"
    "  greylist: {mode: enforce, delay: 5min, window: 4h, life: 7d, net_ipv4: 32, fold_sender: "
    "no}\n"
    "  relay: ignore\n"
    "  fail: defer\n"
    "  auth_domain: Corp.Example\n"
    "  tracking: {sample: 0.5}\n"
    "policies:\n"
    "  - {id: e, kind: greylist, option: no_action, to: lists.corp.example}\n"
    "  - {id: d, kind: greylist, option: no_action, from: \"*\", source: [203.0.113.7, "
    "198.51.100.0/24]}\n"
    "  - {id: c, kind: greylist, option: no_action, from: ann@x.example, note: \"say "
    "\\\"hi\\\"\",\n"
    "     valid: {from: 2027-01-01, until: \"2027-02-01T12:30:59Z\"}, mode: shadow}\n"
    "  - {id: b, kind: greylist, option: no_action, from: .x.example, to: internal, override: "
    "true,\n"
    "     bidirectional: true, enabled: false, part: envelope}\n";

static void everything_is_read(void **state)
{
    struct policy *policy = parsed(full);
    const struct policy_rule *rule = policy->rule; // by id

    (void)state;
    assert_int_equal(policy->domain_count, 2);
    assert_string_equal(policy->domain[0].name, "branch.corp.example");
    assert_int_equal(policy->trusted_count, 2); // 192.0.2.3 lies inside 192.0.2.0/28
    assert_int_equal(policy->settings.greylist.mode, POLICY_ENFORCE);
    assert_int_equal(policy->settings.greylist.delay_ms, 300000);
    assert_int_equal(policy->settings.greylist.net_ipv6, 64);
    assert_false(policy->settings.greylist.fold_sender);
    assert_int_equal(policy->settings.relay, POLICY_RELAY_IGNORE);
    assert_int_equal(policy->settings.fail, POLICY_FAIL_DEFER);
    assert_string_equal(policy->settings.auth_domain, "corp.example");
    assert_float_equal(policy->settings.tracking_sample, 0.5, 0);
    assert_int_equal(policy->rule_count, 4);
    assert_string_equal(rule[0].id, "b");
    assert_true(rule[0].override && rule[0].bidirectional && !rule[0].enabled);
    assert_string_equal(rule[1].id, "c");
    assert_string_equal(rule[1].note, "say \"hi\"");
    assert_int_equal(rule[1].valid_from_ms, 1798761600000);
    assert_int_equal(rule[1].valid_until_ms, 1801485059000);
    assert_int_equal(rule[1].mode, POLICY_SHADOW);
    assert_int_equal(rule[1].line, 14);
    assert_string_equal(rule[1].file, "p.yaml");
    assert_string_equal(rule[2].id, "d");
    assert_int_equal(rule[2].source_count, 2);
    assert_string_equal(rule[3].id, "e");
    assert_string_equal(rule[3].note, "");
    policy_free(&policy);
}

static void an_empty_list_trusts_nobody(void **state)
{
    struct policy *policy = parsed("trusted_sources: []\n");
    struct ip ip;

    (void)state;
    assert_int_equal(policy->trusted_count, 0);
    assert_true(ip_parse("127.0.0.1", &ip) && !policy_is_trusted_ip(policy, &ip));
    assert_true(policy->version != version(""));
    policy_free(&policy);
}

// ---- Version

struct version_row {
    const char *name;
    const char *text; // compared with full
    bool same;
};

#define HEAD  "domains: {branch.corp.example: {}, corp.example: {}}\n"
#define TRUST "trusted_sources: [\"2001:db8:10::/64\", 192.0.2.0/28]\n"
#define SETTINGS                                                                                \
    "settings:\n  auth_domain: corp.example\n  relay: ignore\n  fail: defer\n  tracking: "      \
    "{sample: 0.500000}\n"                                                                      \
    "  greylist: {net_ipv6: 64, fold_sender: false, net_ipv4: 32, life: 168h, window: 240min, " \
    "delay: 300s, mode: enforce}\n"
#define ENTRY "  - {option: no_action, kind: greylist, "
#define RULE_B                                                                         \
    ENTRY "id: b, bidirectional: yes, enabled: no, override: on, to: internal, from: " \
          "\"*.X.example\"}\n"
#define RULE_C1                                                                  \
    ENTRY "mode: shadow, id: c, valid: {until: \"2027-02-01T12:30:59Z\", from: " \
          "\"2027-01-01T00:00:00Z\"},\n"
#define RULE_C RULE_C1 "     from: ANN@x.example., note: 'say \"hi\"'}\n"
#define RULE_D ENTRY "id: d, to: \"*\", source: [198.51.100.0/24, \"::ffff:203.0.113.7\"]}\n"
#define RULE_E ENTRY "id: e, from: \"*\", to: \"@lists.corp.example\"}\n"
#define LDAP(domain)                                                                               \
    "settings: {ldap: {servers: \"ldaps://[2001:db8::1]:636 ldapi://%2frun%2fldapi ldap://a\"}}\n" \
    "domains: {a.example: {" domain "}}\n"
#define RULES "policies:\n" RULE_B RULE_C RULE_D RULE_E

static const struct version_row version_rows[] = {
    {"itself", full, true},
    {"another order, comments, other words", "# x\n" RULES SETTINGS TRUST HEAD, true},
    {"rules shuffled", HEAD TRUST SETTINGS "policies:\n" RULE_D RULE_B RULE_E RULE_C, true},
    {"a rule less", HEAD TRUST SETTINGS "policies:\n" RULE_D RULE_B RULE_E, false},
    {"a domain less", "domains: {corp.example: {}}\n" TRUST SETTINGS RULES, false},
    {"another network", HEAD "trusted_sources: [192.0.2.0/28]\n" SETTINGS RULES, false},
    {"other settings", HEAD TRUST RULES, false},
    {"another note",
     HEAD TRUST SETTINGS "policies:\n" RULE_B RULE_D RULE_E RULE_C1
                         "     from: ANN@x.example, note: hi}\n",
     false},
};

static void check_version(void **state)
{
    const struct version_row *row = *state;

    assert_int_equal(version(row->text) == version(full), row->same);
}

// Each of these alone changes the number.
static void every_value_counts(void **state)
{
    static const char *const texts[] = {
        "",
        "settings: {relay: ignore}",
        "settings: {fail: defer}",
        "settings: {auth_domain: a.example}",
        "settings: {tracking: {sample: 0.000001}}",
        "settings: {greylist: {mode: enforce}}",
        "settings: {greylist: {delay: 61s}}",
        "settings: {greylist: {window: 13h}}",
        "settings: {greylist: {life: 35d}}",
        "settings: {greylist: {net_ipv4: 25}}",
        "settings: {greylist: {net_ipv6: 65}}",
        "settings: {greylist: {new_per_hour: 0}}",
        "settings: {greylist: {new_per_hour: 999}}",
        "settings: {greylist: {fold_sender: false}}",
        "settings: {ldap: {servers: \"ldap://a\"}}",
        "settings: {ldap: {servers: \"ldap://a ldap://b\"}}",
        "settings: {ldap: {servers: \"ldap://b ldap://a\"}}",
        "settings: {ldap: {start_tls: true}}",
        "settings: {ldap: {bind_dn: cn=reeve}}",
        "settings: {ldap: {base: dc=a}}",
        "settings: {ldap: {scope: one}}",
        "settings: {ldap: {filter: (uid=%u)}}",
        "settings: {ldap: {mailbox: mail}}",
        "settings: {ldap: {connections: 5}}",
        "settings: {ldap: {reply_timeout: 3s}}",
        "settings: {ldap: {timeout: 3s}}",
        "settings: {ldap: {positive_life: 3s}}",
        "settings: {ldap: {negative_life: 3s}}",
        LDAP("recipients: ldap"),
        LDAP("recipients: ldap, base: dc=b"),
        LDAP("recipients: ldap, base: dc=c"),
        "domains: {a.example: {}}",
        "trusted_sources: [10.0.0.1]",
        RULE("from: x.example"),
        RULE("to: x.example"),
        RULE("from: .x.example"),
        RULE("from: external"),
        RULE("from: internal"),
        RULE("from: <>"),
        RULE("from: a@x.example"),
        RULE("from: a@*"),
        RULE("from: x.example, source: 10.0.0.1"),
        RULE("from: x.example, source: 10.0.0.0/31"),
        RULE("from: x.example, enabled: no"),
        RULE("from: x.example, override: yes"),
        RULE("from: x.example, bidirectional: yes"),
        RULE("from: x.example, mode: shadow"),
        RULE("from: x.example, note: n"),
        RULE("from: x.example, valid: {from: 2027-01-01}"),
        RULE("from: x.example, valid: {until: 2027-01-01}"),
    };
    uint64_t seen[sizeof(texts) / sizeof(texts[0])];

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        seen[i] = version(texts[i]);
        for (size_t j = 0; j < i; j++)
            assert_int_not_equal(seen[i], seen[j]);
    }
}

// ---- Print

static char *printed(const struct policy *policy)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    assert_non_null(out);
    policy_print(policy, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void check_print(void **state)
{
    const struct version_row *row = *state;
    struct policy *policy = parsed(row->text);
    char *text = printed(policy);
    struct policy *again = parsed(text);
    char *second = printed(again);

    assert_int_equal(again->version, policy->version);
    assert_int_equal(again->rule_count, policy->rule_count);
    free(second);
    free(text);
    policy_free(&again);
    policy_free(&policy);
}

static const struct version_row print_rows[] = {
    {"print everything", full, true},
    {"print an empty set", "", true},
    {"print a domain of a directory server", LDAP("recipients: ldap, base: 'o=\"a\\, b\",ou=%d'"),
     true},
    {"print no trust", "trusted_sources: []\n", true},
    {"print a domain that is called like a party", RULE("from: \"@external\", to: \"@internal\""),
     true},
    {"print quotes and backslashes",
     RULE("from: '\"a\\\\ b\\\"\"@x.example', note: '\\ and \" and #'"), true},
    {"print from 1970", RULE("from: x.example, valid: {until: 1970-01-02}"), true},
    {"print to 9999",
     RULE("from: x.example, valid: {from: 2024-02-29, until: \"9999-12-31T23:59:59Z\"}"), true},
};

static void print_says_what_is_default(void **state)
{
    struct policy *policy = parsed("settings: {greylist: {delay: 90s}}");
    char *text = printed(policy);

    (void)state;
    assert_non_null(strstr(text, "    mode: shadow # default: "));
    assert_non_null(strstr(text, "    delay: 90s # age "));
    assert_non_null(
        strstr(text, "domains: {}\ntrusted_sources:\n  - \"127.0.0.0/8\"\n  - \"::1/128\"\n"));
    free(text);
    policy_free(&policy);
}

// ---- Dates

struct date_row {
    const char *name;
    bool ok;
    uint64_t s;
};

static const struct date_row date_rows[] = {
    {"1970-01-01", true, 0},
    {"2000-02-29", true, 951782400},
    {"2027-01-31", true, 1801353600},
    {"2027-01-31T18:00:01Z", true, 1801418401},
    {"2100-03-01", true, 4107542400},
    {"9999-12-31T23:59:59Z", true, 253402300799},
    {"", false, 0},
    {"1969-12-31", false, 0},
    {"2027-00-01", false, 0},
    {"2027-13-01", false, 0},
    {"2027-01-00", false, 0},
    {"2027-01-32", false, 0},
    {"2027-04-31", false, 0},
    {"2100-02-29", false, 0},
    {"2027-1-1", false, 0},
    {"27-01-01", false, 0},
    {"2027-01-01 ", false, 0},
    {"2027-01-01T", false, 0},
    {"2027-01-01T10:00", false, 0},
    {"2027-01-01T10:00:00", false, 0},
    {"2027-01-01T24:00:00Z", false, 0},
    {"2027-01-01T10:60:00Z", false, 0},
    {"2027-01-01T10:00:60Z", false, 0},
    {"2027-01-01T10:00:00+00:00", false, 0},
    {"2027-01-01T10:00:00.5Z", false, 0},
    {"2027-01-01T10:00:00Zx", false, 0},
    {"12027-01-01", false, 0},
    {"2027/01/01", false, 0},
};

static void check_date(void **state)
{
    const struct date_row *row = *state;
    uint64_t ms = 7;
    char text[POLICY_DATE_TEXT_MAX];
    uint64_t again = 0;

    assert_int_equal(date_parse(row->name, &ms), row->ok);
    assert_int_equal(ms, row->ok ? row->s * 1000 : 7);
    if (row->ok) {
        assert_true(date_parse(date_format(ms, text), &again));
        assert_int_equal(again, ms);
    }
}

// ---- What ships

// known_keys: what the message about an unknown key lists.
static char *known_keys(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail;
    const char *known;

    assert_int_equal(policy_parse("p.yaml", text, strlen(text), &policy, &detail), ERR_CONFIG);
    known = strstr(detail.text, "(known: ");
    assert_non_null(known);
    return mem_text_n(known + 8, strlen(known + 8) - 1);
}

static size_t check_keys(const char *page, const char *prefix, const char *text)
{
    char *keys = known_keys(text);
    size_t count = 0;
    size_t len;

    for (const char *at = keys; *at != '\0'; at += len + strspn(at + len, ", "), count++) {
        char *key;

        len = strcspn(at, ",");
        key = mem_format("%s%.*s", prefix, (int)len, at);
        mem_free(manual_item(page, key));
        mem_free(key);
    }
    mem_free(keys);
    return count;
}

static void the_manual_page_is_complete(void **state)
{
    struct policy *policy = parsed("");
    char *page = manual_read("node/policy/reeve-policy.5");
    char *text = printed(policy);
    size_t keys = 6 + 3 + 4; // of domains, groups and users

    keys += check_keys(page, "", "policies: [{id: a, kind: greylist, option: no_action, x: y}]");
    keys +=
        check_keys(page, "when.",
                   "policies: [{id: a, kind: mail, to: a.example, action: block, when: {x: y}}]");

    (void)state;
    assert_int_equal(keys + manual_check(page, text), manual_count(page));
    free(text);
    mem_free(page);
    policy_free(&policy);
}

// An example begins at the first column: `# key: value` or `# - {...}`.
static bool is_example(const char *line)
{
    size_t key =
        strncmp(line, "# ", 2) == 0 ? strspn(line + 2, "abcdefghijklmnopqrstuvwxyz@._") : 0;

    return strncmp(line, "# - {", 5) == 0 || (key > 0 && strncmp(line + 2 + key, ": ", 2) == 0);
}

// An empty value stands for the examples below it.
static bool is_empty(const char *line, size_t len)
{
    return line[0] != ' ' && len > 4 &&
           (strncmp(line + len - 4, " {}", 3) == 0 || strncmp(line + len - 4, " []", 3) == 0);
}

// uncommented: the sample with its examples taken in, and without the empty values that stand for
// them.
static char *uncommented(const char *sample)
{
    char *text = mem_text(sample);
    size_t len;

    for (char *line = text; *line != '\0'; line += len) {
        len = strcspn(line, "\n") + 1;
        if (is_example(line))
            line[0] = ' ';
        else if (is_empty(line, len))
            memset(line + len - 3, ' ', 2);
    }
    return text;
}

static void the_sample_holds_the_defaults(void **state)
{
    static const char *const paths[] = {"deploy/policy.yaml"};
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = policy_load(paths, 1, &policy, &detail);

    (void)state;
    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    assert_int_equal(policy->settings.relay, POLICY_RELAY_IGNORE);
    assert_int_equal(policy->settings.login_match, POLICY_LOGIN_SHADOW);
    policy->settings.relay = POLICY_RELAY_JUDGE;
    policy->settings.login_match = POLICY_LOGIN_ENFORCE;
    check_defaults(policy);
    policy_free(&policy);
}

static void the_examples_in_the_sample_work(void **state)
{
    char *sample = manual_read("deploy/policy.yaml");
    char *text = uncommented(sample);
    struct policy *policy = parsed(text);

    (void)state;
    assert_int_equal(policy->domain_count, 4);
    assert_int_equal(policy->rule_count, 12);
    assert_int_equal(policy->group_count, 2);
    assert_int_equal(policy->user_count, 3);
    assert_string_equal(policy->settings.auth_domain, "corp.example");
    policy_free(&policy);
    mem_free(text);
    mem_free(sample);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, pattern_rows, check_pattern);
    TABLE_TEST(&table, defaults_without_files);
    TABLE_TEST(&table, defaults_of_an_empty_file);
    TABLE_TEST(&table, everything_is_read);
    TABLE_TEST(&table, an_empty_list_trusts_nobody);
    TABLE_ROWS(&table, version_rows, check_version);
    TABLE_TEST(&table, every_value_counts);
    TABLE_ROWS(&table, print_rows, check_print);
    TABLE_TEST(&table, print_says_what_is_default);
    TABLE_ROWS(&table, date_rows, check_date);
    TABLE_TEST(&table, the_manual_page_is_complete);
    TABLE_TEST(&table, the_sample_holds_the_defaults);
    TABLE_TEST(&table, the_examples_in_the_sample_work);
    return table_run(&table, "policy_set");
}
