// What is kept of a recipient: the forms in which it is stored, and what a stored value says at a moment.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/person.h"
#include "proto/base/mem.h"

// ---- patterns

static const struct {
    const char *sender;
    const char *patterns; // parted by blanks; ~ = of the base address
} SENDERS[] = {
    {"", "<> *"},
    {"ann@sender.example", "ann@sender.example ann@* sender.example .example *"},
    {"Ann@Sender.Example.", "ann@sender.example ann@* sender.example .example *"},
    {"ann+tag@sender.example",
     "ann+tag@sender.example ~ann@sender.example ann+tag@* ~ann@* sender.example .example *"},
    {"ann@a.b.c.example",
     "ann@a.b.c.example ann@* a.b.c.example .b.c.example .c.example .example *"},
    {"ann@localhost", "ann@localhost ann@* localhost *"},
    {"ann@[192.0.2.1]", "ann@[192.0.2.1] ann@* [192.0.2.1] *"},
    {"no address", "*"},
    {"postmaster", "*"},
};

static void a_sender_fits_its_patterns(void **state)
{
    static char memory[4096];
    static char texts[4096];

    (void)state;
    for (size_t i = 0; i < sizeof(SENDERS) / sizeof(SENDERS[0]); i++) {
        struct arena arena;
        struct mail_address sender;
        struct person_patterns patterns;
        struct text_buf text;
        struct text_buf found;
        char out[1024];

        arena_init(&arena, memory, sizeof(memory));
        assert_int_equal(mail_parse(SENDERS[i].sender, &arena, &sender), ERR_NONE);
        assert_true(person_patterns_size(&sender) <= sizeof(texts));
        text_buf_init(&text, texts, person_patterns_size(&sender));
        person_patterns_of(&sender, &text, &patterns);
        text_buf_init(&found, out, sizeof(out));
        for (unsigned at = 0; at < patterns.count; at++)
            text_buf_add(&found, "%s%s%s", at > 0 ? " " : "", patterns.of[at].is_base ? "~" : "",
                         patterns.of[at].text);
        assert_string_equal(out, SENDERS[i].patterns);
    }
}

static void a_deep_domain_fits_a_bounded_number(void **state)
{
    static char memory[8192];
    static char texts[4096];
    char address[256] = "a@";
    struct arena arena;
    struct mail_address sender;
    struct person_patterns patterns;
    struct text_buf text;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        memcpy(address + 2 + 2 * i, "x.", 3);
    memcpy(address + 2 + 120, "org", 4);
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(mail_parse(address, &arena, &sender), ERR_NONE);
    assert_int_equal(sender.flaw, MAIL_OK);
    text_buf_init(&text, texts, sizeof(texts));
    person_patterns_of(&sender, &text, &patterns);
    assert_int_equal(patterns.count, 3 + PERSON_BELOW_MAX + 1);
    assert_string_equal(patterns.of[patterns.count - 1].text, "*");
}

// ---- lists

static const struct {
    const char *name;
    const char *value[4]; // of ann+t@x.example, ann@x.example (base), ann+t@* and ann@* (base)
    enum person_action action;
    unsigned pattern;
} LISTS[] = {
    {"nothing", {NULL}, PERSON_NONE, 0},
    {"a block", {"b 0 5 bob "}, PERSON_BLOCK, 0},
    {"a permit", {"p 0 5 bob why not"}, PERSON_PERMIT, 0},
    {"the more specific permit wins", {"p 0 5 bob ", "b 0 5 bob "}, PERSON_PERMIT, 0},
    {"the more specific block wins", {"b 0 5 bob ", NULL, "p 0 5 bob "}, PERSON_BLOCK, 0},
    {"a block of the base address counts", {NULL, "b 0 5 bob "}, PERSON_BLOCK, 1},
    {"a permit of the base address does not", {NULL, "p 0 5 bob "}, PERSON_NONE, 0},
    {"nor does it hide what is less specific", {NULL, "p 0 5 bob ", "b 0 5 bob "}, PERSON_BLOCK, 2},
    {"at its end it holds", {"b 1000 5 bob "}, PERSON_BLOCK, 0},
    {"behind its end it does not", {"b 999 5 bob "}, PERSON_NONE, 0},
    {"what has ended hides nothing", {"b 999 5 bob ", NULL, "p 0 5 bob "}, PERSON_PERMIT, 2},
};

static void the_most_specific_entry_that_holds_decides(void **state)
{
    struct person_patterns patterns = {.count = 4};

    (void)state;
    patterns.of[1].is_base = patterns.of[3].is_base = true;
    for (size_t i = 0; i < sizeof(LISTS) / sizeof(LISTS[0]); i++) {
        struct person_list list = {.action = PERSON_NONE};

        for (unsigned at = 0; at < 4; at++)
            if (LISTS[i].value[at] != NULL)
                assert_true(person_list_take(&list, &patterns, at, LISTS[i].value[at],
                                             strlen(LISTS[i].value[at]), 1000));
        if (list.action != LISTS[i].action || list.pattern != LISTS[i].pattern)
            fail_msg("%s: action %d of pattern %u", LISTS[i].name, (int)list.action, list.pattern);
    }
}

// ---- values that are none

static const char *const NO_ENTRIES[] = {
    "",
    "b",
    "x 0 5 bob ",
    "b 0",
    "b 0 5",
    "b 0 5 bob\n x",
    "b -1 5 bob ",
    "b 0x1 5 bob ",
    "b 18446744073709551616 5 bob ",
    "b  5 bob ",
    "b 0 5 bob \x01",
    "b 0 5 bob \xff",
};
static const char *const NO_ALLOWS[] = {
    "", "1", "1 ", " 1 2", "1 2 ", "1 2 3", "a 2", "1 -2", "1 18446744073709551616"};
static const char *const NO_ROWS[] = {"",
                                      "active",
                                      "active\t",
                                      "alive\t\t",
                                      "\t\t",
                                      "activeactiveactiveactive\t\t",
                                      "active\ta\x01\t",
                                      "active\t\t\xff"};
static const char *const NO_ANSWERS[] = {"",     "+",  "+ ",         "- x",      "* 5",
                                         "+ 5 ", "+5", "+ 5\tann@x", "+ 5 a\x01"};

static void what_is_of_another_form_is_refused(void **state)
{
    struct person_entry entry;
    struct person_allow allow;
    struct person_row row;
    struct person_answer answer;
    char mailbox[PERSON_ADDRESS_MAX];

    (void)state;
    for (size_t i = 0; i < sizeof(NO_ENTRIES) / sizeof(NO_ENTRIES[0]); i++)
        if (person_entry_read(NO_ENTRIES[i], strlen(NO_ENTRIES[i]), &entry))
            fail_msg("an entry: '%s'", NO_ENTRIES[i]);
    for (size_t i = 0; i < sizeof(NO_ALLOWS) / sizeof(NO_ALLOWS[0]); i++)
        if (person_allow_read(NO_ALLOWS[i], strlen(NO_ALLOWS[i]), &allow))
            fail_msg("stamps: '%s'", NO_ALLOWS[i]);
    for (size_t i = 0; i < sizeof(NO_ROWS) / sizeof(NO_ROWS[0]); i++)
        if (person_row_read(NO_ROWS[i], strlen(NO_ROWS[i]), &row, NULL))
            fail_msg("a row: '%s'", NO_ROWS[i]);
    for (size_t i = 0; i < sizeof(NO_ANSWERS) / sizeof(NO_ANSWERS[0]); i++)
        if (person_answer_read(NO_ANSWERS[i], strlen(NO_ANSWERS[i]), &answer, mailbox))
            fail_msg("an answer: '%s'", NO_ANSWERS[i]);
}

static void what_is_too_long_is_refused(void **state)
{
    char value[2048];
    struct person_entry entry;
    struct person_row row;
    struct person_answer answer;
    char mailbox[PERSON_ADDRESS_MAX];

    (void)state;
    (void)snprintf(value, sizeof(value), "b 0 5 %0*d ", PERSON_BY_MAX + 1, 1);
    assert_false(person_entry_read(value, strlen(value), &entry));
    (void)snprintf(value, sizeof(value), "b 0 5 bob %0*d", PERSON_NOTE_MAX + 1, 1);
    assert_false(person_entry_read(value, strlen(value), &entry));
    (void)snprintf(value, sizeof(value), "active\t%0*d\t", PERSON_ADDRESS_MAX, 1);
    assert_false(person_row_read(value, strlen(value), &row, NULL));
    (void)snprintf(value, sizeof(value), "+ 5 %0*d", PERSON_ADDRESS_MAX, 1);
    assert_false(person_answer_read(value, strlen(value), &answer, mailbox));
    (void)snprintf(value, sizeof(value), "active\t\t%0*d", PERSON_GROUPS_MAX + 1, 1);
    assert_false(person_row_read(value, strlen(value), &row, NULL));
}

static void what_is_written_is_read(void **state)
{
    struct person_entry entry = {PERSON_PERMIT, UINT64_MAX, 7, "ann@x.example", "a note"};
    struct person_entry entry_back;
    struct person_row row = {.status = PERSON_SEND_ONLY, .mailbox = "ann@x.example"};
    struct person_row row_back;
    struct person_answer answer = {.exists = true, .until_ms = 9};
    struct person_answer answer_back;
    char mailbox[PERSON_ADDRESS_MAX];
    char groups[PERSON_GROUPS_MAX + 1];
    char value[2048];

    (void)state;
    assert_true(person_entry_read(value, person_entry_write(&entry, value), &entry_back));
    assert_int_equal(entry_back.action, PERSON_PERMIT);
    assert_true(entry_back.until_ms == UINT64_MAX && entry_back.since_ms == 7);
    assert_string_equal(entry_back.by, "ann@x.example");
    assert_string_equal(entry_back.note, "a note");
    assert_true(person_row_read(value, person_row_write(&row, "a,b", value, sizeof(value)),
                                &row_back, groups));
    assert_int_equal(row_back.status, PERSON_SEND_ONLY);
    assert_string_equal(row_back.mailbox, "ann@x.example");
    assert_string_equal(groups, "a,b");
    assert_true(
        person_answer_read(value, person_answer_write(&answer, "", value), &answer_back, mailbox));
    assert_true(answer_back.exists && answer_back.until_ms == 9);
    assert_string_equal(mailbox, "");
    assert_true(person_answer_read(value, person_answer_write(&answer, "ann@x.example", value),
                                   &answer_back, mailbox));
    assert_string_equal(mailbox, "ann@x.example");
}

// ---- Auto Allow

static const struct {
    uint64_t sent_ms, disabled_ms, now_ms;
    bool holds, disabled;
} ALLOWS[] = {
    {1000, 0, 1000, true, false},    {1000, 0, 1100, true, false}, // inclusive
    {1000, 0, 1101, false, false},   {1000, 0, 900, true, false},  // another node's clock
    {1000, 999, 1000, true, false},  {1000, 1000, 1000, false, true},
    {1000, 1001, 1002, false, true}, {0, 0, 50, false, false}, // it was never written to
    {0, 40, 50, false, true},
};

static void an_entry_holds_for_its_life_unless_taken_back(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(ALLOWS) / sizeof(ALLOWS[0]); i++) {
        const struct person_allow allow = {FACT_PRESENT, ALLOWS[i].sent_ms, ALLOWS[i].disabled_ms};

        if (person_allow_holds(&allow, ALLOWS[i].now_ms, 100) != ALLOWS[i].holds ||
            person_allow_is_disabled(&allow) != ALLOWS[i].disabled)
            fail_msg("row %zu", i);
    }
}

static void keys_name_whose_they_are(void **state)
{
    const struct person_directory directory = {.version = 12, .buckets = 64};
    char key[PERSON_KEY_MAX];
    char owner[PERSON_ORG_OWNER_MAX];
    unsigned used = 0;

    (void)state;
    assert_int_equal(person_list_key("ann@x.example", key), strlen("m:{ann@x.example}"));
    assert_string_equal(key, "m:{ann@x.example}");
    (void)person_directory_key(&directory, 5, key);
    assert_string_equal(key, "d:{5.12}");
    person_org_owner("ann@x.example", owner);
    assert_int_equal(strlen(owner), 7);
    assert_memory_equal(owner, "org/", 4);
    for (unsigned i = 0; i < 64; i++) { // addresses spread over the buckets
        char address[32];

        (void)snprintf(address, sizeof(address), "u%u@x.example", i);
        assert_true(person_directory_bucket(&directory, address) < 64);
        used += person_directory_bucket(&directory, address) >= 32;
    }
    assert_in_range(used, 16, 48);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_sender_fits_its_patterns),
        cmocka_unit_test(a_deep_domain_fits_a_bounded_number),
        cmocka_unit_test(the_most_specific_entry_that_holds_decides),
        cmocka_unit_test(what_is_of_another_form_is_refused),
        cmocka_unit_test(what_is_too_long_is_refused),
        cmocka_unit_test(what_is_written_is_read),
        cmocka_unit_test(an_entry_holds_for_its_life_unless_taken_back),
        cmocka_unit_test(keys_name_whose_they_are),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
