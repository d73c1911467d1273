// Who waits for DNS lists, how long, and what DNS is asked.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/dnslist_scene.h"

// ---- what is asked, and who is told

static void all_lists_are_asked_at_once(void **unused)
{
    struct asker asker;

    (void)unused;
    ask_of(&asker, 3, LISTED, "spam.y", LONG_MS);
    assert_int_equal(question_count, 9); // and whether each is sound
    assert_int_equal(count_asked(AT_BAD) + count_asked(AT_GOOD) + count_asked("spam.y.names.x"), 3);
    assert_int_equal(count_asked(NEVER) + count_asked(ALWAYS), 2);
    assert_int_equal(count_asked("invalid.names.x") + count_asked("test.names.x"), 2);
    assert_int_equal(asker.told, 0);
    answer_all();
    assert_told(&asker, FACTS_LIST_HIT);
    assert_int_equal(asker.said[0].code, 0x7f000002);
    assert_int_equal(asker.said[1].said, FACTS_LIST_CLEAR);
    assert_int_equal(asker.said[1].code, 0);
    assert_int_equal(asker.said[2].said, FACTS_LIST_HIT);
    assert_int_equal(asker.said[2].code, 0x7f000004);
    assert_int_equal(counters()->questions, 3);
    assert_int_equal(counters()->asked, 3);
    assert_int_equal(counters()->listed, 2);
    assert_int_equal(counters()->clear, 1);
}

static void what_is_not_there_is_not_asked(void **unused)
{
    struct asker asker;

    (void)unused;
    ask_of(&asker, 3, "", "", LONG_MS);
    assert_told(&asker, FACTS_LIST_UNASKED);
    assert_int_equal(asker.said[2].said, FACTS_LIST_UNASKED);
    ask_of(&asker, 0, LISTED, "spam.y", LONG_MS);
    assert_int_equal(asker.told, 1);
    assert_int_equal(question_count, 0);
    assert_int_equal(counters()->questions, 0);
}

// Anybody can write a good name: it must be proven.
static void a_good_list_of_senders_is_asked_for_proven_names(void **unused)
{
    static const struct policy_dns_list good[] = {
        {.zone = "names.x", .of_sender = true, .is_good = true}};
    struct ip nobody = {0};
    struct asker asker = {.told = 0};
    struct dnslist_question question = {.list = good,
                                        .count = 1,
                                        .client = &nobody,
                                        .domain = "spam.y",
                                        .proven = "",
                                        .out = asker.said,
                                        .within_ms = LONG_MS};

    (void)unused;
    at_once = true;
    put(&question, (struct dnslist_done){heard, &asker, 77});
    assert_told(&asker, FACTS_LIST_UNASKED);
    question.domain = "";
    question.proven = "spam.y";
    put(&question, (struct dnslist_done){heard, &asker, 77});
    assert_int_equal(asker.said[0].said, FACTS_LIST_HIT);
    proven = "spam.y"; // a bad one is asked for what was written
    ask_of(&asker, 3, "", "", LONG_MS);
    assert_int_equal(asker.said[2].said, FACTS_LIST_UNASKED);
}

static void equal_questions_are_one(void **unused)
{
    struct asker askers[10];
    struct asker late;

    (void)unused;
    make_sound();
    for (size_t i = 0; i < 10; i++)
        ask(&askers[i], LISTED);
    assert_int_equal(question_count, 1);
    assert_int_equal(answer(AT_BAD), 1);
    for (size_t i = 0; i < 10; i++)
        assert_told(&askers[i], FACTS_LIST_HIT);
    ask(&late, LISTED);
    assert_told(&late, FACTS_LIST_HIT);
    assert_int_equal(question_count, 1);
    assert_int_equal(counters()->joined, 9);
    assert_int_equal(counters()->known, 1);
}

static void an_answer_at_once_is_told_at_once(void **unused)
{
    struct asker asker;

    (void)unused;
    at_once = true;
    ask_of(&asker, 3, LISTED, "spam.y", LONG_MS);
    assert_told(&asker, FACTS_LIST_HIT);
    assert_int_equal(asker.said[2].said, FACTS_LIST_HIT);
}

static void who_cannot_wait_is_told_and_the_answer_serves_the_retry(void **unused)
{
    struct asker first;
    struct asker retry;

    (void)unused;
    make_sound();
    const uint64_t began_ms = clock_mono_ms();

    ask_of(&first, 2, LISTED, "", WAIT_MS);
    assert_int_equal(answer(AT_GOOD), 1);
    run_until_told(&first);
    assert_true(clock_mono_ms() - began_ms >= WAIT_MS);
    assert_told(&first, FACTS_LIST_SILENT);
    assert_int_equal(first.said[1].said, FACTS_LIST_CLEAR); // what came in time counts
    assert_int_equal(counters()->silent, 1);
    assert_int_equal(answer(AT_BAD), 1);
    assert_int_equal(first.told, 1);
    assert_int_equal(first.said[0].said, FACTS_LIST_SILENT);
    ask_of(&retry, 2, LISTED, "", WAIT_MS);
    assert_told(&retry, FACTS_LIST_HIT);
    assert_int_equal(question_count, 2);
}

static void who_does_not_wait_is_told_at_once(void **unused)
{
    struct asker asker;

    (void)unused;
    make_sound();
    ask_of(&asker, 1, LISTED, "", 0);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(answer(AT_BAD), 1);
    ask_of(&asker, 1, LISTED, "", 0);
    assert_told(&asker, FACTS_LIST_HIT);
}

static void no_answer_is_no_hit(void **unused)
{
    struct asker asker;

    (void)unused;
    make_sound();
    records[0].code = FAILS;
    ask(&asker, LISTED);
    answer_all();
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(counters()->failed, 1);
    ask(&asker, LISTED); // not asked again at once
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(question_count, 1);
    records[0].code = 0x7f000002;
    skipped_ms += DNSLIST_LIFE_FAILED_MS;
    ask(&asker, LISTED);
    answer_all();
    assert_told(&asker, FACTS_LIST_HIT);
}

// What is known is said without asking, and what is not is not asked.
static void who_asks_for_what_is_known_asks_nobody(void **unused)
{
    struct asker asker;
    struct ip ip;
    struct dnslist_question question = {.list = lists,
                                        .count = 3,
                                        .client = &ip,
                                        .domain = "spam.y",
                                        .proven = "",
                                        .known_only = true};

    (void)unused;
    assert_true(ip_parse(LISTED, &ip));
    asker = (struct asker){.told = 0};
    question.out = asker.said;
    put(&question, (struct dnslist_done){heard, &asker, 77});
    assert_told(&asker, FACTS_LIST_UNASKED);
    assert_int_equal(question_count, 0);
    at_once = true;
    ask_of(&asker, 1, LISTED, "", LONG_MS);
    at_once = false;
    question_count = 0;
    asker = (struct asker){.told = 0};
    put(&question, (struct dnslist_done){heard, &asker, 77});
    assert_told(&asker, FACTS_LIST_HIT);
    assert_int_equal(asker.said[1].said, FACTS_LIST_UNASKED);
    assert_int_equal(question_count, 0);
}

// ---- how long

static const struct life_row {
    const char *name;
    bool is_listed;
    uint32_t ttl_s;
    uint64_t life_ms;
} life_rows[] = {
    {"listed, TTL 0", true, 0, 5000},
    {"listed, right at the least", true, 5, 5000},
    {"listed, above the least", true, 6, 6000},
    {"listed for an hour and more", true, 7200, 7200000},
    {"listed for a week", true, 604800, DNSLIST_LIFE_MOST_MS},
    {"listed for ever", true, UINT32_MAX, DNSLIST_LIFE_MOST_MS},
    {"clear, minimum 0", false, 0, 5000},
    {"clear, by the minimum", false, 60, 60000},
    {"clear for a day", false, 86400, DNSLIST_LIFE_CLEAR_MS},
};

static void an_answer_is_kept(void **state)
{
    const struct life_row *row = *state;
    const char *client = row->is_listed ? LISTED : "192.0.2.9";
    const enum facts_listed said = row->is_listed ? FACTS_LIST_HIT : FACTS_LIST_CLEAR;
    const char *name = row->is_listed ? AT_BAD : "9.2.0.192.bad.x";
    struct asker asker;

    assert_int_equal(open_desk(NULL), 0);
    make_sound();
    at_once = true;
    records[0].ttl_s = row->ttl_s;
    nothing_s = row->ttl_s;
    ask(&asker, client);
    skipped_ms += row->life_ms - 1000; // a second for a slow machine
    ask(&asker, client);
    assert_told(&asker, said);
    assert_int_equal(count_asked(name), 1);
    skipped_ms += 1000;
    ask(&asker, client);
    assert_told(&asker, said);
    assert_int_equal(count_asked(name), 2);
    assert_int_equal(close_desk(NULL), 0);
}

static void what_is_under_way_does_not_give_way(void **unused)
{
    struct asker askers[10];
    char client[24];

    (void)unused;
    assert_int_equal(close_desk(NULL), 0);
    assert_int_equal(open_with(4), 0);
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(client, sizeof(client), "198.51.100.%u", i);
        ask(&askers[i], client);
    }
    assert_int_equal(dnslist_kept(desk), 10);
    answer_all();
    for (unsigned i = 0; i < 10; i++)
        assert_told(&askers[i], FACTS_LIST_CLEAR);
}

static void the_least_used_give_way(void **unused)
{
    struct asker asker;
    char client[24];

    (void)unused;
    assert_int_equal(close_desk(NULL), 0);
    assert_int_equal(open_with(4), 0);
    at_once = true;
    ask(&asker, LISTED);
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(client, sizeof(client), "198.51.100.%u", i);
        ask(&asker, client);
        ask(&asker, LISTED);
    }
    assert_int_equal(dnslist_kept(desk), 4);
    assert_int_equal(count_asked(AT_BAD), 1);
    ask(&asker, "198.51.100.0");
    assert_int_equal(count_asked("0.100.51.198.bad.x"), 2);
}

// ---- too much, and too slow

static void nobody_waits_for_a_list_that_is_always_silent(void **unused)
{
    struct asker asker;
    char client[24];

    (void)unused;
    make_sound();
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(client, sizeof(client), "198.51.100.%u", i);
        ask_of(&asker, 1, client, "", 1);
        assert_int_equal(asker.told, 0); // the eighth waits as well
        run_until_told(&asker);
        assert_told(&asker, FACTS_LIST_SILENT);
    }
    ask_of(&asker, 2, LISTED, "", LONG_MS); // asks, and waits for the other list alone
    assert_int_equal(asker.told, 0);
    answer(AT_GOOD);
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(asker.said[1].said, FACTS_LIST_CLEAR);
    assert_int_equal(answer(AT_BAD), 1);
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
    ask(&asker, "198.51.100.99"); // it answers: it is waited for again
    assert_int_equal(asker.told, 0);
    answer_all();
    assert_told(&asker, FACTS_LIST_CLEAR);
}

static void what_dns_is_asked_is_bounded(void **unused)
{
    struct asker asker;
    char client[24];

    (void)unused;
    make_sound();
    for (unsigned i = 0; i < 600; i++) {
        (void)snprintf(client, sizeof(client), "198.51.%u.%u", i / 250, i % 250);
        ask_of(&asker, 1, client, "", 0);
    }
    assert_int_equal(question_count, 512);
    assert_int_equal(counters()->crowded, 88);
    ask_of(&asker, 2, "198.51.100.200", "", LONG_MS); // the other list has its own room
    assert_int_equal(question_count, 513);
    answer_all();
    assert_told(&asker, FACTS_LIST_SILENT);
    assert_int_equal(asker.said[1].said, FACTS_LIST_CLEAR);
    ask(&asker, "198.51.100.200"); // room again
    answer_all();
    assert_told(&asker, FACTS_LIST_CLEAR);
}

// ---- who asks from inside an answer

struct again {
    struct asker asker, second;
};

static void ask_again(void *arg, uint64_t token)
{
    struct again *again = arg;

    heard(&again->asker, token);
    ask(&again->second, LISTED);
}

static void who_is_told_may_ask_again(void **unused)
{
    struct again again = {0};
    struct ip ip;
    const struct dnslist_question question = {.list = lists,
                                              .count = 1,
                                              .client = &ip,
                                              .domain = "",
                                              .proven = "",
                                              .out = again.asker.said,
                                              .within_ms = LONG_MS};

    (void)unused;
    assert_true(ip_parse(LISTED, &ip));
    put(&question, (struct dnslist_done){ask_again, &again, 77});
    answer(AT_BAD);
    answer(NEVER);
    assert_told(&again.asker, FACTS_LIST_HIT);
    assert_told(&again.second, FACTS_LIST_HIT);
}

static void a_desk_is_closed_in_the_middle(void **unused)
{
    struct asker pair[2];

    (void)unused;
    ask_of(&pair[0], 3, LISTED, "spam.y", LONG_MS);
    ask(&pair[1], LISTED);
    answer(AT_BAD);
    dnslist_free(&desk);
    assert_told(&pair[0], FACTS_LIST_SILENT);
    assert_told(&pair[1], FACTS_LIST_SILENT);
}

int main(void)
{
    static struct table table;
    const struct CMUnitTest tests[] = {
        DESK_TEST(all_lists_are_asked_at_once),
        DESK_TEST(what_is_not_there_is_not_asked),
        DESK_TEST(a_good_list_of_senders_is_asked_for_proven_names),
        DESK_TEST(equal_questions_are_one),
        DESK_TEST(an_answer_at_once_is_told_at_once),
        DESK_TEST(who_cannot_wait_is_told_and_the_answer_serves_the_retry),
        DESK_TEST(who_does_not_wait_is_told_at_once),
        DESK_TEST(no_answer_is_no_hit),
        DESK_TEST(who_asks_for_what_is_known_asks_nobody),
        DESK_TEST(what_is_under_way_does_not_give_way),
        DESK_TEST(the_least_used_give_way),
        DESK_TEST(nobody_waits_for_a_list_that_is_always_silent),
        DESK_TEST(what_dns_is_asked_is_bounded),
        DESK_TEST(who_is_told_may_ask_again),
        DESK_TEST(a_desk_is_closed_in_the_middle),
    };

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, life_rows, an_answer_is_kept);
    const int failed = table_run(&table, "dnslist tables");

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
