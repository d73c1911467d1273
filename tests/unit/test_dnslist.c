// Who waits for DNS lists, what DNS is asked, and which lists are believed: the resolver and the clock here are the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <time.h>

#include <cmocka.h>

#include "node/dnslist/dnslist.h"
#include "node/dnslist/zone.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/list_zone.h"
#include "tests/support/table.h"

enum { QUESTIONS_MAX = 4096, LISTS_MAX = 4, WAIT_MS = 20, LONG_MS = 60000, TTL_S = 300 };

// ---- a resolver that answers when it is told to

static struct question {
    char name[256];
    void (*done)(void *arg, const struct dns_reply *reply);
    void *arg; // NULL = it was answered
} questions[QUESTIONS_MAX];
static size_t question_count; // since the beginning of the test
static bool at_once;          // answers come before dns_ask returns
static uint64_t skipped_ms;   // by which the clock here is ahead

// What the lists have; 0 = they do not answer.
static struct record {
    const char *name;
    uint32_t code; // FAILS = no answer in the end
    uint32_t ttl_s;
} records[16];
static uint32_t nothing_s; // SOA of what is not listed
enum { FAILS = 1 };

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

static void reply_to(struct question *question, const struct dns_reply *reply)
{
    void *arg = question->arg;

    assert_non_null(arg);
    question->arg = NULL;
    question->done(arg, reply);
}

static const struct record *find_record(const char *name)
{
    for (const struct record *record = records; record->name != NULL; record++)
        if (strcmp(record->name, name) == 0)
            return record;
    return NULL;
}

static void answer_question(struct question *question)
{
    const struct record *record = find_record(question->name);
    struct list_message message;
    struct dns_reply reply = {.state = DNS_FAILED, .why = "time is over"};

    if (record == NULL) {
        list_begin(&message, 0, 1);
        list_soa(&message, 86400, nothing_s);
        reply = list_reply(DNS_VOID, &message);
    } else if (record->code != FAILS) {
        list_begin(&message, 1, 0);
        list_address(&message, record->ttl_s, record->code);
        reply = list_reply(DNS_FOUND, &message);
    }
    reply_to(question, &reply);
}

void dns_ask(struct dns *resolver, const char *name, int type,
             void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
    struct question *question = &questions[question_count];

    (void)resolver;
    assert_int_equal(type, 1);
    assert_true(question_count < QUESTIONS_MAX);
    question_count++;
    *question = (struct question){.done = done, .arg = arg};
    (void)snprintf(question->name, sizeof(question->name), "%s", name);
    if (at_once)
        answer_question(question);
}

void dns_free(struct dns **resolver)
{
    for (size_t i = 0; i < question_count; i++)
        if (questions[i].arg != NULL)
            reply_to(&questions[i], &(struct dns_reply){.state = DNS_FAILED});
    mem_free(*resolver);
    *resolver = NULL;
}

static size_t count_asked(const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < question_count; i++)
        count += strcmp(questions[i].name, name) == 0;
    return count;
}

// answer: all that are under way for this name; how many.
static size_t answer(const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < question_count; i++) {
        if (questions[i].arg == NULL || strcmp(questions[i].name, name) != 0)
            continue;
        answer_question(&questions[i]);
        count++;
    }
    return count;
}

static void answer_all(void)
{
    for (size_t i = 0; i < question_count; i++)
        if (questions[i].arg != NULL)
            answer_question(&questions[i]);
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
    struct facts_list said[LISTS_MAX];
    unsigned told;
    uint64_t token;
};

static struct loop *loop;
static struct dnslist *desk;
static const char *proven; // the domain that the sender is proven to be of

#define LISTED  "192.0.2.7"
#define CLEAN   "192.0.2.8"
#define AT_BAD  "7.2.0.192.bad.x"
#define AT_GOOD "7.2.0.192.good.x"
#define NEVER   "1.0.0.127.bad.x"
#define ALWAYS  "2.0.0.127.bad.x"

static const struct policy_dns_list lists[] = {
    {.zone = "bad.x"}, {.zone = "good.x", .is_good = true}, {.zone = "names.x", .of_sender = true}};

static int open_with(uint64_t cache)
{
    struct dnslist_config config = {.cache = cache};

    question_count = 0;
    at_once = false;
    proven = "";
    skipped_ms = 0;
    nothing_s = TTL_S;
    memset(records, 0, sizeof(records));
    records[0] = (struct record){AT_BAD, 0x7f000002, TTL_S};
    records[1] = (struct record){ALWAYS, 0x7f000002, TTL_S};
    records[2] = (struct record){"2.0.0.127.good.x", 0x7f000002, TTL_S};
    records[3] = (struct record){"test.names.x", 0x7f000002, TTL_S};
    records[4] = (struct record){"spam.y.names.x", 0x7f000004, TTL_S};
    assert_int_equal(loop_new(&loop, NULL), ERR_NONE);
    config.loop = loop;
    return dnslist_new(&desk, &config, NULL) == ERR_NONE ? 0 : -1;
}

static int open_desk(void **unused)
{
    (void)unused;
    return open_with(64);
}

static unsigned waiting; // who asked and was not told: their places go with the test

static int close_desk(void **unused)
{
    (void)unused;
    assert_int_equal(waiting, 0);
    dnslist_free(&desk);
    dnslist_free(&desk);
    loop_free(&loop);
    return 0;
}

static void heard(void *arg, uint64_t token)
{
    struct asker *asker = arg;

    asker->told++;
    asker->token = token;
    waiting--;
}

static void put(const struct dnslist_question *question, struct dnslist_done done)
{
    waiting++;
    dnslist_ask(desk, question, done);
}

static void ask_of(struct asker *asker, size_t count, const char *client, const char *domain,
                   uint64_t within_ms)
{
    struct ip ip = {0};
    const struct dnslist_question question = {.list = lists,
                                              .count = count,
                                              .client = &ip,
                                              .domain = domain,
                                              .proven = proven,
                                              .out = asker->said,
                                              .within_ms = within_ms};

    if (client[0] != '\0')
        assert_true(ip_parse(client, &ip));
    *asker = (struct asker){.told = 0};
    put(&question, (struct dnslist_done){heard, asker, 77});
}

static void ask(struct asker *asker, const char *client)
{
    ask_of(asker, 1, client, "", LONG_MS);
}

static void assert_told(const struct asker *asker, enum facts_listed said)
{
    assert_int_equal(asker->told, 1);
    assert_int_equal(asker->token, 77);
    assert_int_equal(asker->said[0].said, said);
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void run_until_told(const struct asker *asker)
{
    struct loop_timer *timer = loop_timer_new(loop, stop, loop);

    while (asker->told == 0) {
        loop_timer_set(timer, 1, 0);
        loop_run(loop);
    }
    loop_timer_free(&timer);
}

// The list is sound, and everything else forgotten.
static void make_sound(void)
{
    struct asker asker;

    at_once = true;
    ask_of(&asker, 3, CLEAN, "clean.y", LONG_MS);
    assert_told(&asker, FACTS_LIST_CLEAR);
    at_once = false;
    question_count = 0;
}

static const struct dnslist_counters *counters(void)
{
    return dnslist_counters(desk);
}

static bool is_off(void)
{
    struct dnslist_view view[1];

    assert_int_equal(dnslist_views(desk, view, 1), 1);
    assert_string_equal(view[0].zone, "bad.x");
    return view[0].is_off;
}

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
    {"listed, TTL 0", true, 0, DNSLIST_LIFE_LEAST_MS},
    {"listed, right at the least", true, 5, 5000},
    {"listed, above the least", true, 6, 6000},
    {"listed for an hour and more", true, 7200, 7200000},
    {"listed for a week", true, 604800, DNSLIST_LIFE_MOST_MS},
    {"listed for ever", true, UINT32_MAX, DNSLIST_LIFE_MOST_MS},
    {"clear, minimum 0", false, 0, DNSLIST_LIFE_LEAST_MS},
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
    ask(&asker, LISTED);
    assert_told(&asker, FACTS_LIST_HIT);
    records[0].ttl_s = TTL_S;
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
    struct asker waiting[2];

    (void)unused;
    ask_of(&waiting[0], 3, LISTED, "spam.y", LONG_MS);
    ask(&waiting[1], LISTED);
    answer(AT_BAD);
    dnslist_free(&desk);
    assert_told(&waiting[0], FACTS_LIST_SILENT);
    assert_told(&waiting[1], FACTS_LIST_SILENT);
}

#define DESK_TEST(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)

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
        DESK_TEST(the_least_used_give_way),
        DESK_TEST(a_listing_waits_for_the_check),
        DESK_TEST(a_listing_joins_the_check),
        DESK_TEST(who_cannot_wait_for_the_check_is_told),
        DESK_TEST(what_an_unsound_list_said_is_forgotten),
        DESK_TEST(a_sound_list_is_looked_at_every_hour),
        DESK_TEST(without_a_check_nothing_is_believed),
        DESK_TEST(a_list_without_127_0_0_2_is_believed),
        DESK_TEST(an_error_in_the_middle_counts_for_the_check),
        DESK_TEST(nobody_waits_for_a_list_that_is_always_silent),
        DESK_TEST(what_dns_is_asked_is_bounded),
        DESK_TEST(who_is_told_may_ask_again),
        DESK_TEST(a_desk_is_closed_in_the_middle),
    };

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, life_rows, an_answer_is_kept);
    TABLE_ROWS(&table, unsound_rows, an_unsound_list_is_off);
    TABLE_ROWS(&table, unsound_rows, an_unsound_list_becomes_sound);
    const int failed = table_run(&table, "dnslist tables");

    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
