// Who waits for SPF, for how long, and who asks DNS: the resolver and the clock here are the test's
// own.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "client/spf/desk.h"
#include "proto/base/clock.h"
#include "proto/base/dns.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/spf_zone.h"
#include "tests/support/table.h"

enum { QUESTIONS_MAX = 64, DEADLINE_MS = 30, LONG_MS = 5000 };

// ---- a resolver that answers when it is told to

static struct question {
    struct spf_query query;
    void (*done)(void *arg, const struct dns_reply *reply);
    void *arg;
} questions[QUESTIONS_MAX];
static size_t question_count; // since the beginning of the test
static size_t answered_count; // of them, in their order
static bool answers_at_once;

static struct zone_record zone[16];
static uint64_t skipped_ms; // by which the clock here is ahead

struct dns {
    int unused;
};

enum err dns_new(struct dns **out, struct loop *loop, const struct dns_config *config,
                 struct err_detail *detail)
{
    (void)loop;
    (void)config;
    (void)detail;
    *out = mem_new(sizeof(**out));
    return ERR_NONE;
}

static void reply_to_next(struct dns_reply reply)
{
    const struct question question = questions[answered_count++];

    question.done(question.arg, &reply);
}

static void answer_next(void)
{
    struct zone_message *message = mem_new(sizeof(*message));
    struct dns_reply reply = {.why = "SERVFAIL", .bytes = message->bytes};

    assert_true(answered_count < question_count);
    reply.state = zone_answer(zone, &questions[answered_count].query, message);
    reply.len = message->len;
    reply_to_next(reply);
    mem_free(message);
}

void dns_ask(struct dns *resolver, const char *name, int type,
             void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
    struct question *question = &questions[question_count++];

    (void)resolver;
    assert_true(question_count <= QUESTIONS_MAX);
    *question = (struct question){{.type = (enum spf_type)type}, done, arg};
    (void)snprintf(question->query.name, sizeof(question->query.name), "%s", name);
    if (answers_at_once)
        answer_next();
}

void dns_free(struct dns **resolver)
{
    while (answered_count < question_count)
        reply_to_next((struct dns_reply){.state = DNS_FAILED, .why = "closing"});
    mem_free(*resolver);
    *resolver = NULL;
}

uint64_t clock_mono_us(void)
{
    struct timespec now = {0};

    assert_int_equal(clock_gettime(CLOCK_MONOTONIC, &now), 0);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + skipped_ms * 1000;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
    return clock_mono_ms();
}

// ---- one desk, and who asks at it

struct asker {
    struct spf_waiter *waiter;
    enum spf_outcome outcome;
    unsigned told;
};

static struct loop *loop;
static struct spf_desk *desk;
static struct spf_settings settings;

static int open_desk(void **unused)
{
    (void)unused;
    settings =
        (struct spf_settings){.evaluate = true, .deadline_ms = LONG_MS, .cache = 16, .parallel = 4};
    question_count = 0;
    answered_count = 0;
    answers_at_once = false;
    skipped_ms = 0;
    memset(zone, 0, sizeof(zone));
    zone[0] = (struct zone_record){"a.x", SPF_TYPE_TXT, "v=spf1 ip4:192.0.2.7 -all", 300};
    zone[1] = (struct zone_record){"b.x", SPF_TYPE_TXT, "v=spf1 ~all", 300};
    zone[2] = (struct zone_record){"l.x", SPF_TYPE_TXT, "v=spf1 exists:%{l}.u.x -all", 300};
    zone[3] = (struct zone_record){"ann.u.x", SPF_TYPE_A, "127.0.0.2", 300};
    zone[4] = (struct zone_record){"e.x", SPF_TYPE_TXT, "v=spf1 a:h.x -all", 300};
    zone[5] = (struct zone_record){"h.x", SPF_TYPE_A, "192.0.2.7", 300};
    zone[6] = (struct zone_record){"bad.x", SPF_TYPE_TXT, "v=spf1 wibble", 300};
    zone[7] = (struct zone_record){"sick.x", SPF_TYPE_TXT, NULL, 300};
    zone[8] = (struct zone_record){"many.x", SPF_TYPE_TXT, "v=spf1 a:h.x", 300};
    assert_int_equal(loop_new(&loop, NULL), ERR_NONE);
    return spf_desk_new(&desk, loop, &settings, NULL) == ERR_NONE ? 0 : -1;
}

static int close_desk(void **unused)
{
    (void)unused;
    spf_desk_free(&desk);
    spf_desk_free(&desk);
    loop_free(&loop);
    return 0;
}

static void heard(void *arg, enum spf_outcome outcome)
{
    struct asker *asker = arg;

    asker->waiter = NULL;
    asker->outcome = outcome;
    asker->told++;
}

// ask: true if the answer came at once.
static bool ask_as(struct asker *asker, const char *client, const char *sender)
{
    struct spf_subject subject;

    asker->told = 0;
    assert_true(spf_subject_init(&subject, client, sender, "helo.x"));
    asker->waiter = spf_desk_ask(desk, &subject, heard, asker, &asker->outcome);
    assert_int_equal(asker->told, 0);
    return asker->waiter == NULL;
}

static bool ask(struct asker *asker, const char *sender)
{
    return ask_as(asker, "192.0.2.7", sender);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void run_for(uint64_t ms)
{
    struct loop_timer *timer = loop_timer_new(loop, stop, loop);

    loop_timer_set(timer, ms, 0);
    loop_run(loop);
    loop_timer_free(&timer);
}

static void assert_heard(const struct asker *asker, enum spf_outcome outcome)
{
    assert_int_equal(asker->told, 1);
    assert_int_equal(asker->outcome, outcome);
}

// ---- the tests

static void an_outcome_is_found_out_once(void **unused)
{
    struct asker askers[10];
    struct asker late;

    (void)unused;
    for (size_t i = 0; i < 10; i++)
        assert_false(ask(&askers[i], "ann@a.x"));
    assert_int_equal(question_count, 1);
    answer_next();
    for (size_t i = 0; i < 10; i++)
        assert_heard(&askers[i], SPF_PASS);
    assert_true(ask(&late, "bob@a.x"));
    assert_int_equal(late.outcome, SPF_PASS);
    assert_int_equal(question_count, 1);
    assert_int_equal(spf_desk_counts(desk)->asked, 11);
    assert_int_equal(spf_desk_counts(desk)->joined, 9);
    assert_int_equal(spf_desk_counts(desk)->known, 1);
    assert_int_equal(spf_desk_counts(desk)->begun, 1);
    assert_int_equal(spf_desk_counts(desk)->outcomes[SPF_PASS], 1);
    assert_int_equal(spf_desk_counts(desk)->late + spf_desk_counts(desk)->full, 0);
}

static void what_dns_says_at_once_is_said_at_once(void **unused)
{
    static const struct {
        const char *sender;
        enum spf_outcome outcome;
    } rows[] = {
        {"ann@a.x", SPF_PASS},         {"ann@b.x", SPF_SOFTFAIL}, {"ann@l.x", SPF_PASS},
        {"bob@l.x", SPF_FAIL},         {"ann@e.x", SPF_PASS},     {"ann@bad.x", SPF_PERMERROR},
        {"ann@sick.x", SPF_TEMPERROR}, {"ann@none.x", SPF_NONE},  {"ann", SPF_NONE},
        {"ann@many.x", SPF_PASS}};
    struct asker asker;

    (void)unused;
    answers_at_once = true;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            assert_true(ask(&asker, rows[i].sender));
            assert_int_equal(asker.outcome, rows[i].outcome);
        }
    }
    assert_int_equal(question_count, 13);
}

static void another_client_is_another_question(void **unused)
{
    struct asker asker;

    (void)unused;
    answers_at_once = true;
    assert_true(ask_as(&asker, "192.0.2.7", "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_PASS);
    assert_true(ask_as(&asker, "192.0.2.8", "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_FAIL);
    assert_true(ask_as(&asker, "2001:db8::c000:207", "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_FAIL);
    assert_int_equal(question_count, 3);
}

static void who_waits_too_long_goes_on_without(void **unused)
{
    struct asker first;
    struct asker second;

    (void)unused;
    settings.deadline_ms = DEADLINE_MS;
    const uint64_t began_ms = clock_mono_ms();
    assert_false(ask(&first, "ann@a.x"));
    while (first.told == 0)
        run_for(1);
    assert_heard(&first, SPF_UNKNOWN);
    assert_true(clock_mono_ms() - began_ms >= DEADLINE_MS);
    assert_int_equal(spf_desk_counts(desk)->late, 1);
    settings.deadline_ms = LONG_MS;
    assert_false(ask(&second, "ann@a.x"));
    answer_next();
    assert_int_equal(first.told, 1);
    assert_heard(&second, SPF_PASS);
    assert_true(ask(&second, "ann@a.x"));
    assert_int_equal(question_count, 1);
}

static void without_a_deadline_nobody_waits(void **unused)
{
    struct asker asker;

    (void)unused;
    settings.deadline_ms = 0;
    assert_true(ask(&asker, "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_UNKNOWN);
    answer_next();
    assert_true(ask(&asker, "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_PASS);
    assert_int_equal(spf_desk_counts(desk)->late, 1);
}

static void who_forgets_hears_nothing(void **unused)
{
    struct asker gone;
    struct asker here;

    (void)unused;
    assert_false(ask(&gone, "ann@a.x"));
    assert_false(ask(&here, "ann@a.x"));
    spf_desk_forget(desk, &gone.waiter);
    assert_null(gone.waiter);
    spf_desk_forget(desk, &gone.waiter);
    answer_next();
    assert_int_equal(gone.told, 0);
    assert_heard(&here, SPF_PASS);
}

static void evaluations_are_bounded(void **unused)
{
    static const char *const senders[] = {"1@1.x", "1@2.x", "1@3.x", "1@4.x"};
    struct asker askers[4];
    struct asker more;

    (void)unused;
    for (size_t i = 0; i < 4; i++)
        assert_false(ask(&askers[i], senders[i]));
    assert_true(ask(&more, "ann@a.x"));
    assert_int_equal(more.outcome, SPF_UNKNOWN);
    assert_int_equal(spf_desk_counts(desk)->full, 1);
    assert_int_equal(question_count, 4);
    assert_false(ask(&more, "1@1.x")); // joins
    answer_next();
    assert_heard(&more, SPF_NONE);
    assert_false(ask(&more, "ann@a.x")); // room again
    for (size_t i = 0; i < 4; i++)
        answer_next();
    assert_heard(&more, SPF_PASS);
}

static void what_is_slow_gives_way(void **unused)
{
    static const char *const senders[] = {"1@1.x", "1@2.x", "1@3.x", "1@4.x"};
    struct asker asker;

    (void)unused;
    settings.deadline_ms = 0;
    for (size_t i = 0; i < 4; i++)
        assert_true(ask(&asker, senders[i]));
    skipped_ms += 500; // so long an answer may take
    settings.deadline_ms = LONG_MS;
    assert_true(ask(&asker, "ann@a.x"));
    assert_int_equal(spf_desk_counts(desk)->full, 1);
    skipped_ms += 500;
    assert_false(ask(&asker, "ann@a.x"));
    assert_int_equal(spf_desk_counts(desk)->given_up, 1);
    for (size_t i = 0; i < 5; i++)
        answer_next(); // also to the question that nobody has any more
    assert_heard(&asker, SPF_PASS);
    assert_int_equal(spf_desk_counts(desk)->outcomes[SPF_NONE], 3);
    assert_true(ask(&asker, "1@2.x"));
    assert_int_equal(asker.outcome, SPF_NONE);
    assert_false(ask(&asker, "1@1.x")); // anew
    answer_next();
    assert_heard(&asker, SPF_NONE);
}

static void what_is_waited_for_does_not_give_way(void **unused)
{
    static const char *const senders[] = {"1@1.x", "1@2.x", "1@3.x", "1@4.x"};
    struct asker askers[4];
    struct asker more;

    (void)unused;
    for (size_t i = 0; i < 4; i++)
        assert_false(ask(&askers[i], senders[i]));
    skipped_ms += 2000;
    assert_true(ask(&more, "ann@a.x"));
    assert_int_equal(spf_desk_counts(desk)->given_up, 0);
    spf_desk_forget(desk, &askers[2].waiter);
    assert_false(ask(&more, "ann@a.x"));
    assert_int_equal(spf_desk_counts(desk)->given_up, 1);
    for (size_t i = 0; i < 5; i++)
        answer_next();
    assert_heard(&askers[0], SPF_NONE);
    assert_heard(&askers[3], SPF_NONE);
    assert_heard(&more, SPF_PASS);
    assert_int_equal(askers[2].told, 0);
}

// What was given up still has its question under way; of these there are four times as many.
static void giving_way_is_bounded(void **unused)
{
    struct asker asker;
    char sender[16];

    (void)unused;
    settings.deadline_ms = 0;
    for (unsigned i = 0; i < 24; i++) {
        (void)snprintf(sender, sizeof(sender), "ann@%u.x", i);
        assert_true(ask(&asker, sender));
        skipped_ms += 2000;
    }
    assert_int_equal(question_count, 4 + 16);
    assert_int_equal(spf_desk_counts(desk)->given_up, 16);
    assert_int_equal(spf_desk_counts(desk)->full, 4);
    answer_next();
    assert_true(ask(&asker, "ann@a.x"));
    assert_int_equal(question_count, 4 + 16 + 1);
}

static void what_varies_is_found_out_for_each_sender(void **unused)
{
    struct asker ann;
    struct asker bob;
    struct asker ann2;

    (void)unused;
    assert_false(ask(&ann, "ann@l.x"));
    assert_false(ask(&bob, "bob@l.x"));
    assert_false(ask(&ann2, "ann@l.x"));
    assert_int_equal(question_count, 1);
    answer_next(); // TXT
    answer_next(); // ann.u.x
    assert_heard(&ann, SPF_PASS);
    assert_heard(&ann2, SPF_PASS);
    assert_int_equal(bob.told, 0);
    answer_next(); // bob's TXT
    answer_next(); // bob.u.x
    assert_heard(&bob, SPF_FAIL);
    assert_true(ask(&bob, "bob@l.x"));
    assert_true(ask(&ann, "ann@l.x"));
    assert_true(bob.outcome == SPF_FAIL && ann.outcome == SPF_PASS);
    assert_int_equal(question_count, 4);
}

static void a_waiter_that_moves_keeps_its_deadline(void **unused)
{
    struct asker ann;
    struct asker bob;

    (void)unused;
    settings.deadline_ms = DEADLINE_MS;
    assert_false(ask(&ann, "ann@l.x"));
    assert_false(ask(&bob, "bob@l.x"));
    answer_next();
    answer_next();
    assert_int_equal(bob.told, 0);
    while (bob.told == 0)
        run_for(1);
    assert_heard(&bob, SPF_UNKNOWN);
    assert_heard(&ann, SPF_PASS);
}

static void how_long_an_outcome_is_kept(void **unused)
{
    static const struct {
        const char *sender;
        uint32_t ttl_s;
        uint64_t life_ms;
    } rows[] = {
        {"ann@a.x", 0, SPF_LIFE_LEAST_MS},
        {"ann@a.x", 61, 61000},
        {"ann@a.x", 86400, SPF_LIFE_PASS_MS},
        {"ann@b.x", 0, SPF_LIFE_LEAST_MS},
        {"ann@b.x", 299, 299000},
        {"ann@b.x", 86400, SPF_LIFE_OTHER_MS},
        {"ann@none.x", 0, SPF_LIFE_OTHER_MS},
        {"ann@sick.x", 86400, SPF_LIFE_TEMPERROR_MS},
        {"ann@bad.x", 3600, SPF_LIFE_OTHER_MS},
        {"ann@l.x", 90, 90000},
    };
    struct asker asker;

    (void)unused;
    answers_at_once = true;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        size_t before = 0;

        question_count = answered_count = 0;
        skipped_ms += 10 * SPF_LIFE_PASS_MS;
        for (size_t j = 0; j < 9; j++)
            zone[j].ttl_s = rows[i].ttl_s;
        assert_true(ask(&asker, rows[i].sender));
        before = question_count;
        skipped_ms += rows[i].life_ms - 1000; // a second for a slow machine
        assert_true(ask(&asker, rows[i].sender));
        assert_int_equal(question_count, before);
        skipped_ms += 1000;
        assert_true(ask(&asker, rows[i].sender));
        assert_true(question_count > before);
    }
}

static void without_dns_nobody_waits(void **unused)
{
    static const struct dns_reply nobody = {
        .state = DNS_FAILED, .unreachable = true, .why = "refused"};
    struct asker asker;
    char sender[16];

    (void)unused;
    for (unsigned i = 0; i < 5; i++) {
        (void)snprintf(sender, sizeof(sender), "ann@%u.x", i);
        assert_false(ask(&asker, sender));
        reply_to_next(nobody);
        assert_heard(&asker, SPF_TEMPERROR);
    }
    assert_true(ask(&asker, "ann@a.x")); // asks, and does not wait
    assert_int_equal(asker.outcome, SPF_UNKNOWN);
    assert_int_equal(spf_desk_counts(desk)->late, 1);
    answer_next();
    assert_true(ask(&asker, "ann@a.x"));
    assert_int_equal(asker.outcome, SPF_PASS);
    assert_false(ask(&asker, "ann@b.x")); // waits again
    answer_next();
    assert_heard(&asker, SPF_SOFTFAIL);
}

static void an_error_of_dns_is_no_absence(void **unused)
{
    struct asker asker;
    char sender[16];

    (void)unused;
    for (unsigned i = 0; i < 10; i++) {
        (void)snprintf(sender, sizeof(sender), "ann@%u.x", i);
        assert_false(ask(&asker, sender));
        reply_to_next((struct dns_reply){.state = DNS_FAILED, .why = "SERVFAIL"});
        assert_heard(&asker, SPF_TEMPERROR);
    }
}

static void an_evaluation_ends_in_time(void **unused)
{
    struct asker asker;

    (void)unused;
    assert_false(ask(&asker, "ann@e.x"));
    skipped_ms += SPF_EVALUATION_MS;
    answer_next(); // names another name, for which there is no time
    assert_heard(&asker, SPF_TEMPERROR);
    assert_int_equal(question_count, 1);
    assert_false(ask(&asker, "ann@many.x"));
    skipped_ms += SPF_EVALUATION_MS - 1000;
    answer_next();
    assert_int_equal(asker.told, 0);
    answer_next();
    assert_heard(&asker, SPF_PASS);
}

static void an_answer_without_end_is_a_permerror(void **unused)
{
    static char text[60000];
    struct asker asker;

    (void)unused;
    memset(text, ' ', sizeof(text) - 1);
    memcpy(text, "v=spf1", 6);
    zone[9] = (struct zone_record){"long.x", SPF_TYPE_TXT, text, 300};
    assert_false(ask(&asker, "ann@long.x"));
    answer_next();
    assert_heard(&asker, SPF_PERMERROR);
}

static void a_desk_is_closed_in_the_middle(void **unused)
{
    struct asker asker;

    (void)unused;
    assert_false(ask(&asker, "ann@a.x"));
    spf_desk_forget(desk, &asker.waiter);
    spf_desk_free(&desk);
    assert_int_equal(asker.told, 0);
}

#define DESK_TEST(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

int main(void)
{
    const struct CMUnitTest tests[] = {
        DESK_TEST(an_outcome_is_found_out_once),
        DESK_TEST(what_dns_says_at_once_is_said_at_once),
        DESK_TEST(another_client_is_another_question),
        DESK_TEST(who_waits_too_long_goes_on_without),
        DESK_TEST(without_a_deadline_nobody_waits),
        DESK_TEST(who_forgets_hears_nothing),
        DESK_TEST(evaluations_are_bounded),
        DESK_TEST(what_is_slow_gives_way),
        DESK_TEST(what_is_waited_for_does_not_give_way),
        DESK_TEST(giving_way_is_bounded),
        DESK_TEST(what_varies_is_found_out_for_each_sender),
        DESK_TEST(a_waiter_that_moves_keeps_its_deadline),
        DESK_TEST(how_long_an_outcome_is_kept),
        DESK_TEST(without_dns_nobody_waits),
        DESK_TEST(an_error_of_dns_is_no_absence),
        DESK_TEST(an_evaluation_ends_in_time),
        DESK_TEST(an_answer_without_end_is_a_permerror),
        DESK_TEST(a_desk_is_closed_in_the_middle),
    };

    log_open("test", LOG_ERROR_LEVEL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
