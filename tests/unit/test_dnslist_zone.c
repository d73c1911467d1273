// Which DNS lists are believed, and from when on.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/dnslist_scene.h"

// ---- which lists are believed

static void a_listing_waits_for_the_check(void **unused)
{
    struct asker listed;
    struct asker clean;

    (void)unused;
    ask(&listed, LISTED);
    ask(&clean, CLEAN);
    answer(AT_BAD);
    answer("8.2.0.192.bad.x");
    assert_int_equal(listed.told, 0);
    assert_told(&clean, FACTS_LIST_CLEAR); // needs no proof
    answer(ALWAYS);
    assert_int_equal(listed.told, 0);
    answer(NEVER);
    assert_told(&listed, FACTS_LIST_HIT);
    assert_int_equal(counters()->silent, 0);
}

static void a_listing_joins_the_check(void **unused)
{
    struct asker first;
    struct asker second;

    (void)unused;
    ask(&first, LISTED);
    answer(AT_BAD);
    ask(&second, LISTED);
    assert_int_equal(first.told + second.told, 0);
    assert_int_equal(question_count, 3);
    answer(NEVER);
    assert_told(&first, FACTS_LIST_HIT);
    assert_told(&second, FACTS_LIST_HIT);
}

static void who_cannot_wait_for_the_check_is_told(void **unused)
{
    struct asker asker;

    (void)unused;
    ask_of(&asker, 1, LISTED, "", WAIT_MS);
    answer(AT_BAD);
    run_until_told(&asker);
    assert_told(&asker, FACTS_LIST_SILENT);
    answer(NEVER);
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
}

static const struct unsound_row {
    const char *name;
    const char *of; // the name that answers so
    uint32_t code;
} unsound_rows[] = {
    {"127.0.0.1 is listed", NEVER, 0x7f000002},     {"127.0.0.1 is an error", NEVER, 0x7fffffff},
    {"127.0.0.1 is elsewhere", NEVER, 0xc0000201},  {"127.0.0.2 is an error", ALWAYS, 0x7ffffffe},
    {"127.0.0.2 is elsewhere", ALWAYS, 0xc0000201}, {"a client is an error", AT_BAD, 0x7ffffffc},
    {"a client is 127.0.0.1", AT_BAD, 0x7f000001},  {"a client is elsewhere", AT_BAD, 0xc0000201},
};

static void say(const char *name, uint32_t code)
{
    struct record *record = records;

    while (record->name != NULL && strcmp(record->name, name) != 0)
        record++;
    *record = (struct record){name, code, TTL_S};
}

// Nobody is listed until it is sound again, and nobody is asked about but 127.0.0.1 and .2, seldom.
static void an_unsound_list_is_off(void **state)
{
    const struct unsound_row *row = *state;
    struct asker asker;

    assert_int_equal(open_desk(NULL), 0);
    at_once = true;
    say(row->of, row->code);
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_true(is_off());
    question_count = 0;
    ask(&asker, LISTED);
    ask(&asker, CLEAN);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(question_count, 0);
    assert_true(counters()->unsound >= 2);
    skipped_ms += DNSLIST_OFF_MS - 1000;
    ask(&asker, LISTED);
    assert_int_equal(question_count, 0);
    records[0].code = 0x7f000002;
    say(NEVER, strcmp(row->of, NEVER) == 0 ? row->code : FAILS);
    skipped_ms += 1000;
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(question_count, 2);
    assert_true(is_off());
    assert_int_equal(close_desk(NULL), 0);
}

static void an_unsound_list_becomes_sound(void **state)
{
    const struct unsound_row *row = *state;
    struct asker asker;

    assert_int_equal(open_desk(NULL), 0);
    at_once = true;
    say(row->of, row->code);
    ask(&asker, LISTED);
    assert_true(is_off());
    records[0].code = records[1].code = 0x7f000002;
    if (strcmp(row->of, NEVER) == 0)
        records[5].name = NULL;
    skipped_ms += DNSLIST_OFF_MS;
    question_count = 0;
    ask(&asker, LISTED);
    assert_false(is_off());
    assert_told(&asker, FACTS_LIST_HIT);
    assert_int_equal(count_asked(AT_BAD), 1); // what it said while it was off is forgotten
    assert_int_equal(close_desk(NULL), 0);
}

// What a list that lists everything has said before it was found out does not count afterwards.
static void what_an_unsound_list_said_is_forgotten(void **unused)
{
    struct asker asker;

    (void)unused;
    at_once = true;
    records[0].ttl_s = 86400;
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
    say(NEVER, 0x7f000002);
    skipped_ms += DNSLIST_SOUND_MS;
    ask(&asker, LISTED);
    assert_true(is_off());
    assert_told(&asker, FACTS_LIST_SILENT);
    records[5].name = NULL;
    records[0].name = "gone.x";
    skipped_ms += DNSLIST_OFF_MS;
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_CLEAR);
}

static void a_sound_list_is_looked_at_every_hour(void **unused)
{
    struct asker asker;

    (void)unused;
    make_sound();
    skipped_ms += DNSLIST_SOUND_MS - 1000;
    ask(&asker, CLEAN);
    answer_all();
    assert_told(&asker, FACTS_LIST_CLEAR);
    assert_int_equal(count_asked(NEVER), 0);
    skipped_ms += 1000;
    ask(&asker, LISTED);
    assert_int_equal(count_asked(NEVER), 1);
    answer(AT_BAD);
    assert_told(&asker, FACTS_LIST_HIT); // it is believed meanwhile
    say(NEVER, FAILS);
    answer(NEVER);
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT); // and while DNS does not say
}

static void without_a_check_nothing_is_believed(void **unused)
{
    struct asker asker;

    (void)unused;
    at_once = true;
    say(NEVER, FAILS);
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_SILENT);
    ask(&asker, CLEAN);
    assert_told(&asker, FACTS_LIST_CLEAR);
    assert_false(is_off());
    records[5].name = NULL;
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(count_asked(NEVER), 1);
    skipped_ms += DNSLIST_UNKNOWN_MS;
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
}

static void a_list_without_127_0_0_2_is_believed(void **unused)
{
    struct asker asker;

    (void)unused;
    at_once = true;
    records[1].name = "gone.x";
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
    assert_false(is_off());
}

static void an_error_in_the_middle_counts_for_the_check(void **unused)
{
    struct asker asker;

    (void)unused;
    say(AT_BAD, 0x7fffffff);
    ask(&asker, LISTED);
    answer(AT_BAD); // an error
    assert_told(&asker, FACTS_LIST_SILENT);
    answer(NEVER); // not listed, which alone would make it sound
    assert_true(is_off());
}

int main(void)
{
    static struct table table;
    const struct CMUnitTest tests[] = {
        DESK_TEST(a_listing_waits_for_the_check),
        DESK_TEST(a_listing_joins_the_check),
        DESK_TEST(who_cannot_wait_for_the_check_is_told),
        DESK_TEST(what_an_unsound_list_said_is_forgotten),
        DESK_TEST(a_sound_list_is_looked_at_every_hour),
        DESK_TEST(without_a_check_nothing_is_believed),
        DESK_TEST(a_list_without_127_0_0_2_is_believed),
        DESK_TEST(an_error_in_the_middle_counts_for_the_check),
    };

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, unsound_rows, an_unsound_list_is_off);
    TABLE_ROWS(&table, unsound_rows, an_unsound_list_becomes_sound);
    const int failed = table_run(&table, "dnslist_zone tables");

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
