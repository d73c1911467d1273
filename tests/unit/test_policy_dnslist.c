// DNS lists of a policy set: what is taken, as what it is told again, and what is refused with which words.
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
#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define LISTS(text) "settings: {reputation: {lists: [" text "]}}\n"
#define GOOD(text)  "settings: {reputation: {good: [" text "]}}\n"
#define LABEL40     "abcdefghijklmnopqrstuvwxyzabcdefghijklmn"
#define ZONE120             \
    LABEL40 "." LABEL40 "." \
            "abcdefghijklmnopqrstuvwxyzabcdefghijkl"

static struct policy *parsed(const char *text)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    const enum err err = policy_parse("p.yaml", text, strlen(text), &policy, &detail);

    assert_string_equal(detail.text, "");
    assert_int_equal(err, ERR_NONE);
    return policy;
}

// ---- taken

// What is told of the first list.
struct told {
    char key[400], value[2000];
    unsigned line, count;
};

static bool note(const struct canonical *said, void *arg)
{
    struct told *told = arg;

    if (strncmp(said->key, "setting reputation.", 19) != 0)
        return true;
    if (told->count++ == 0) {
        (void)snprintf(told->key, sizeof(told->key), "%s", said->key + 19);
        (void)snprintf(told->value, sizeof(told->value), "%s", said->value);
        told->line = said->line;
    }
    return true;
}

static char *printed(const struct policy *policy)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    policy_print(policy, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static const struct taken_row {
    const char *name;
    const char *text;
    const char *key, *value;
} taken_rows[] = {
    {"a zone alone", LISTS("BL.Example."), "lists.client.bl.example", "{zone: \"bl.example\"}"},
    {"a zone in a map", LISTS("{zone: bl.example}"), "lists.client.bl.example",
     "{zone: \"bl.example\"}"},
    {"what is said is the default",
     LISTS("{zone: bl.example, of: client, weight: 1.0, codes: [], mode: enforce}"),
     "lists.client.bl.example", "{zone: \"bl.example\"}"},
    {"everything",
     LISTS("{zone: dbl.example, of: sender, weight: 0.25, codes: 127.0.1.2, mode: "
           "shadow}"),
     "lists.sender.dbl.example",
     "{zone: \"dbl.example\", weight: 0.25, codes: [\"127.0.1.2\"], of: sender, mode: shadow}"},
    {"a good one", GOOD("{zone: wl.example, codes: [127.0.0.0/16]}"), "good.client.wl.example",
     "{zone: \"wl.example\", codes: [\"127.0.0.0-127.0.255.255\"]}"},
    {"codes are joined",
     LISTS("{zone: bl.example, codes: [127.0.0.9, 127.0.0.4-8, 127.0.0.2, 127.0.0.5-6, "
           "127.0.0.12-127.0.1.0]}"),
     "lists.client.bl.example",
     "{zone: \"bl.example\", codes: [\"127.0.0.2\", \"127.0.0.4-127.0.0.9\", "
     "\"127.0.0.12-127.0.1.0\"]}"},
    {"all codes", LISTS("{zone: bl.example, codes: [127.0.0.0/8]}"), "lists.client.bl.example",
     "{zone: \"bl.example\", codes: [\"127.0.0.0-127.255.255.255\"]}"},
    {"a range around an error", LISTS("{zone: bl.example, codes: [127.0.0.1-2]}"),
     "lists.client.bl.example", "{zone: \"bl.example\", codes: [\"127.0.0.1-127.0.0.2\"]}"},
    {"the least weight", LISTS("{zone: bl.example, weight: 0.000001}"), "lists.client.bl.example",
     "{zone: \"bl.example\", weight: 0.000001}"},
    {"the highest weight", LISTS("{zone: bl.example, weight: 1000}"), "lists.client.bl.example",
     "{zone: \"bl.example\", weight: 1000}"},
    {"the longest zone", LISTS(ZONE120), "lists.client." ZONE120, "{zone: \"" ZONE120 "\"}"},
    {"one zone, of clients and of senders",
     LISTS("{zone: bl.example, of: sender}, {zone: bl.example}"), "lists.client.bl.example",
     "{zone: \"bl.example\"}"},
};

// What is told, and what is printed, reads back as the same.
static void a_list_is_taken(void **state)
{
    const struct taken_row *row = *state;
    struct policy *policy = parsed(row->text);
    struct told told = {.count = 0};
    char *text = printed(policy);
    struct policy *again = parsed(text);

    canonical_each(policy, CANONICAL_SORTED, note, &told);
    assert_string_equal(told.key, row->key);
    assert_string_equal(told.value, row->value);
    assert_int_equal(told.line, 1);
    assert_int_equal(again->hash, policy->hash);
    assert_int_equal(again->settings.reputation.list_count, policy->settings.reputation.list_count);
    policy_free(&again);
    policy_free(&policy);
    free(text);
}

static void nothing_is_nothing(void **state)
{
    static const char *const texts[] = {"", "settings: {reputation: {lists: []}}\n",
                                        "settings: {reputation: {lists: , good: }}\n"};

    (void)state;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        struct policy *policy = parsed(texts[i]);
        struct told told = {.count = 0};

        canonical_each(policy, CANONICAL_SORTED, note, &told);
        assert_int_equal(told.count, 0);
        assert_int_equal(policy->settings.reputation.list_count, 0);
        policy_free(&policy);
    }
}

static uint64_t hash_of(const char *text)
{
    struct policy *policy = parsed(text);
    const uint64_t hash = policy->hash;

    policy_free(&policy);
    return hash;
}

static void their_order_says_nothing_and_all_else_does(void **state)
{
    static const char base[] = LISTS("a.example, {zone: b.example, weight: 2, codes: [127.0.0.2]}");
    static const char *const others[] = {
        LISTS("a.example"),
        LISTS("a.example, {zone: c.example, weight: 2, codes: [127.0.0.2]}"),
        LISTS("a.example, {zone: b.example, weight: 3, codes: [127.0.0.2]}"),
        LISTS("a.example, {zone: b.example, weight: 2, codes: [127.0.0.3]}"),
        LISTS("a.example, {zone: b.example, weight: 2, codes: [127.0.0.2-3]}"),
        LISTS("a.example, {zone: b.example, weight: 2}"),
        LISTS("a.example, {zone: b.example, weight: 2, codes: [127.0.0.2], mode: shadow}"),
        LISTS("a.example, {zone: b.example, weight: 2, codes: [127.0.0.2], of: sender}"),
        GOOD("a.example"),
    };

    (void)state;
    assert_int_equal(
        hash_of(base),
        hash_of(LISTS("{codes: [127.0.0.2-2], weight: 2.0, zone: B.example}, {zone: a.example}")));
    for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        assert_int_not_equal(hash_of(base), hash_of(others[i]));
    assert_int_not_equal(hash_of(LISTS("a.example")), hash_of(GOOD("a.example")));
}

static void they_are_sorted(void **state)
{
    struct policy *policy = parsed("settings:\n  reputation:\n    good: [b.example, a.example]\n"
                                   "    lists: [d.example, {zone: c.example, of: sender}, "
                                   "c.example]\n");
    static const char *const zones[] = {"c.example", "c.example", "d.example", "a.example",
                                        "b.example"};

    (void)state;
    assert_int_equal(policy->settings.reputation.list_count, 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(policy->settings.reputation.list[i].zone, zones[i]);
        assert_int_equal(policy->settings.reputation.list[i].is_good, i >= 3);
        assert_int_equal(policy->settings.reputation.list[i].of_sender, i == 1);
    }
    policy_free(&policy);
}

// ---- refused

#define CODES(text)                                                                        \
    "p.yaml:1: settings.reputation: codes of bl.example: expected answers of a list like " \
    "127.0.0.2, 127.0.0.4-11 or 127.0.1.0/24, not '" text "'"
#define ERROR_CODE(text)                                        \
    "p.yaml:1: settings.reputation: codes of bl.example: " text \
    " is what a list answers that refuses to answer, and never counts"
#define ZONE(text)                                                                             \
    "p.yaml:1: settings.reputation: zone: expected the domain of a list like bl.example, not " \
    "'" text "'"
#define WEIGHT(text)                                                                          \
    "p.yaml:1: lists.weight: expected a number between 0 and 1000 like 0.5 (six decimals at " \
    "most), not '" text "'"
#define CODE(text) LISTS("{zone: bl.example, codes: [" text "]}")

static const struct refused_row {
    const char *name;
    const char *text;
    const char *error;
} refused_rows[] = {
    {"no list", "settings: {reputation: {lists: bl.example}}\n",
     "p.yaml:1: reputation.lists: expected a list, not text"},
    {"a map", "settings: {reputation: {good: {zone: bl.example}}}\n",
     "p.yaml:1: reputation.good: expected a list, not a map"},
    {"a list in a list", LISTS("[bl.example]"),
     "p.yaml:1: settings.reputation: expected a list like {zone: bl.example}, or its zone alone"},
    {"no zone", LISTS("{weight: 1}"), "p.yaml:1: lists.zone is required (domain of the list)"},
    {"an unknown key", LISTS("{zone: bl.example, code: 1}"),
     "p.yaml:1: unknown key 'code' in 'lists' (known: zone, of, codes, mode, weight)"},
    {"an empty zone", LISTS("\"\""), ZONE("")},
    {"a single label", LISTS("bl"), ZONE("bl")},
    {"an address", LISTS("\"[192.0.2.1]\""), ZONE("[192.0.2.1]")},
    {"two zones", LISTS("a.example b.example"), ZONE("a.example b.example")},
    {"a zone too long", LISTS("a" ZONE120),
     "p.yaml:1: settings.reputation: zone: longer than 120 bytes"},
    {"of", LISTS("{zone: bl.example, of: helo}"),
     "p.yaml:1: lists.of: expected client or sender, not 'helo'"},
    {"mode", GOOD("{zone: bl.example, mode: off}"),
     "p.yaml:1: good.mode: expected enforce or shadow, not 'off'"},
    {"weight of a good one", GOOD("{zone: bl.example, weight: 1}"),
     "p.yaml:1: settings.reputation: a good list has no weight: each counts"},
    {"weight 0", LISTS("{zone: bl.example, weight: 0}"),
     "p.yaml:1: settings.reputation: a list of weight 0 is asked in vain: leave it out, or let it "
     "be mode: shadow"},
    {"weight below 0", LISTS("{zone: bl.example, weight: -1}"), WEIGHT("-1")},
    {"weight too high", LISTS("{zone: bl.example, weight: 1000.000001}"), WEIGHT("1000.000001")},
    {"weight with seven decimals", LISTS("{zone: bl.example, weight: 0.0000001}"),
     WEIGHT("0.0000001")},
    {"weight as a power", LISTS("{zone: bl.example, weight: 1e2}"), WEIGHT("1e2")},
    {"no weight", LISTS("{zone: bl.example, weight: nan}"), WEIGHT("nan")},
    {"a code elsewhere", CODE("192.0.2.1"), CODES("192.0.2.1")},
    {"right below", CODE("126.255.255.255"), CODES("126.255.255.255")},
    {"right above", CODE("128.0.0.0"), CODES("128.0.0.0")},
    {"a range that goes out", CODE("127.255.255.255-128.0.0.0"),
     CODES("127.255.255.255-128.0.0.0")},
    {"a wide network", CODE("126.0.0.0/7"), CODES("126.0.0.0/7")},
    {"a network's host bits", CODE("127.0.0.1/24"), CODES("127.0.0.1/24")},
    {"backwards", CODE("127.0.0.9-4"), CODES("127.0.0.9-4")},
    {"an end over 255", CODE("127.0.0.4-256"), CODES("127.0.0.4-256")},
    {"an end of four digits", CODE("127.0.0.4-0005"), CODES("127.0.0.4-0005")},
    {"no end", CODE("127.0.0.4-"), CODES("127.0.0.4-")},
    {"no beginning", CODE("\"-127.0.0.4\""), CODES("-127.0.0.4")},
    {"two ends", CODE("127.0.0.4-5-6"), CODES("127.0.0.4-5-6")},
    {"IPv6", CODE("\"::1\""), CODES("::1")},
    {"a number", CODE("2"), CODES("2")},
    {"a beginning without an end to it",
     CODE("1111111111111111111111111111111111111111111111111-2"),
     CODES("1111111111111111111111111111111111111111111111111-2")},
    {"127.0.0.1", CODE("127.0.0.1"), ERROR_CODE("127.0.0.1")},
    {"127.0.0.1 as a range", CODE("127.0.0.1-1"), ERROR_CODE("127.0.0.1-1")},
    {"an error code", CODE("127.255.255.254"), ERROR_CODE("127.255.255.254")},
    {"all error codes", CODE("127.255.255.0/24"), ERROR_CODE("127.255.255.0/24")},
    {"named twice", "settings:\n reputation:\n  lists:\n  - bl.example\n  - BL.example\n",
     "p.yaml:5: settings.reputation: the list bl.example is named twice (first in p.yaml:4)"},
    {"bad and good", "settings:\n reputation:\n  lists: [bl.example]\n  good: [bl.example]\n",
     "p.yaml:4: settings.reputation: the list bl.example is named twice (first in p.yaml:3)"},
};

static void assert_refused(const char *text, const char *error)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    assert_int_equal(policy_parse("p.yaml", text, strlen(text), &policy, &detail), ERR_CONFIG);
    assert_string_equal(detail.text, error);
    assert_null(policy);
}

static void a_list_is_refused(void **state)
{
    const struct refused_row *row = *state;

    assert_refused(row->text, row->error);
}

static void thirty_two_lists_are_enough(void **state)
{
    char *text = mem_text("settings: {reputation: {good: [w.example], lists: [");

    (void)state;
    for (unsigned i = 1; i <= 32; i++) {
        char *more = mem_format("%s%sl%u.example", text, i > 1 ? ", " : "", i);

        mem_free(text);
        text = more;
        char *whole = mem_format("%s]}}\n", text);

        if (i < 32) {
            struct policy *policy = parsed(whole);

            assert_int_equal(policy->settings.reputation.list_count, i + 1);
            policy_free(&policy);
        } else {
            assert_refused(whole, "p.yaml:1: settings.reputation: more than 32 lists: each is a "
                                  "question to DNS for each mail");
        }
        mem_free(whole);
    }
    mem_free(text);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, taken_rows, a_list_is_taken);
    TABLE_TEST(&table, nothing_is_nothing);
    TABLE_TEST(&table, their_order_says_nothing_and_all_else_does);
    TABLE_TEST(&table, they_are_sorted);
    TABLE_ROWS(&table, refused_rows, a_list_is_refused);
    TABLE_TEST(&table, thirty_two_lists_are_enough);
    return table_run(&table, "policy_dnslist");
}
