// dnslist_scene.h: what tests of node/dnslist stand on: a resolver that answers when it is told to, a clock that can be moved on, a desk and who
// asks at it. Header-only, because a unit test is one file. Include <cmocka.h> and what it needs first.
#pragma once

#include <stdio.h>
#include <time.h>

#include "node/dnslist/dnslist.h"
#include "node/dnslist/zone.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/list_zone.h"
#include "tests/support/table.h"

#define SCENE_UNUSED __attribute__((unused))

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

SCENE_UNUSED static void reply_to(struct question *question, const struct dns_reply *reply)
{
    void *arg = question->arg;

    assert_non_null(arg);
    question->arg = NULL;
    question->done(arg, reply);
}

SCENE_UNUSED static const struct record *find_record(const char *name)
{
    for (const struct record *record = records; record->name != NULL; record++)
        if (strcmp(record->name, name) == 0)
            return record;
    return NULL;
}

SCENE_UNUSED static void answer_question(struct question *question)
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

SCENE_UNUSED static size_t count_asked(const char *name)
{
    size_t count = 0;

    for (size_t i = 0; i < question_count; i++)
        count += strcmp(questions[i].name, name) == 0;
    return count;
}

// answer: all that are under way for this name; how many.
SCENE_UNUSED static size_t answer(const char *name)
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

SCENE_UNUSED static void answer_all(void)
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

SCENE_UNUSED static int open_with(uint64_t cache)
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

SCENE_UNUSED static int open_desk(void **unused)
{
    (void)unused;
    return open_with(64);
}

static unsigned waiting; // who asked and was not told: their places go with the test

SCENE_UNUSED static int close_desk(void **unused)
{
    (void)unused;
    assert_int_equal(waiting, 0);
    dnslist_free(&desk);
    dnslist_free(&desk);
    loop_free(&loop);
    return 0;
}

SCENE_UNUSED static void heard(void *arg, uint64_t token)
{
    struct asker *asker = arg;

    asker->told++;
    asker->token = token;
    waiting--;
}

SCENE_UNUSED static void put(const struct dnslist_question *question, struct dnslist_done done)
{
    waiting++;
    dnslist_ask(desk, question, done);
}

SCENE_UNUSED static void ask_of(struct asker *asker, size_t count, const char *client,
                                const char *domain, uint64_t within_ms)
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

SCENE_UNUSED static void ask(struct asker *asker, const char *client)
{
    ask_of(asker, 1, client, "", LONG_MS);
}

SCENE_UNUSED static void assert_told(const struct asker *asker, enum facts_listed said)
{
    assert_int_equal(asker->told, 1);
    assert_int_equal(asker->token, 77);
    assert_int_equal(asker->said[0].said, said);
}

SCENE_UNUSED static void stop(void *arg)
{
    loop_stop(arg);
}

SCENE_UNUSED static void run_until_told(const struct asker *asker)
{
    struct loop_timer *timer = loop_timer_new(loop, stop, loop);

    while (asker->told == 0) {
        loop_timer_set(timer, 1, 0);
        loop_run(loop);
    }
    loop_timer_free(&timer);
}

// The list is sound, and everything else forgotten.
SCENE_UNUSED static void make_sound(void)
{
    struct asker asker;

    at_once = true;
    ask_of(&asker, 3, CLEAN, "clean.y", LONG_MS);
    assert_told(&asker, FACTS_LIST_CLEAR);
    at_once = false;
    question_count = 0;
}

SCENE_UNUSED static const struct dnslist_counters *counters(void)
{
    return dnslist_counters(desk);
}

SCENE_UNUSED static bool is_off(void)
{
    struct dnslist_view view[1];

    assert_int_equal(dnslist_views(desk, view, 1), 1);
    assert_string_equal(view[0].zone, "bad.x");
    return view[0].is_off;
}

#define DESK_TEST(test) cmocka_unit_test_setup_teardown(test, open_desk, close_desk)
