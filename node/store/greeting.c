// greeting.c: what a connection is asked before it is used, a table of questions. A server that
// does not answer one as it must is not used, and store_describe says why:
//
//     PING          is it fast enough?
//     INFO server   which version is it? (and embedded: which process)
//     CONFIG GET    embedded: is it the server of our directory?
//     TIME          what time is it?
//     HGETALL meta  is it our cluster's? (twice or three times on an empty store, which is then
//     founded)
//
// Meta and the time are asked again every ten seconds, so every node learns of a new secret, and of
// a clock that was set.
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

enum { REDIS_MAJOR = 7 };

enum answer { ANSWER_GOOD, ANSWER_ASK_AGAIN, ANSWER_REFUSED };

struct question {
    void (*put)(struct store *store, struct resp *resp);
    enum answer (*judge)(struct store *store, const struct redisReply *reply);
    bool embedded_only;
};

static struct redis *lookups(struct store *store)
{
    return store->lane[STORE_LOOKUPS];
}

static enum answer refuse(struct store *store, enum store_state state, const char *why)
{
    redis_refuse(lookups(store), state, why);
    return ANSWER_REFUSED;
}

// Any error reply ends it. A reply of a wrong shape is one that Redis would never give.
static enum answer refuse_reply(struct store *store, const struct redisReply *reply)
{
    enum store_state state = reply_state(reply);

    store_note_error(store, state, reply);
    if (state == STORE_UP)
        return refuse(store, STORE_ERROR, "an answer that no Redis gives");
    return refuse(store, state, reply->str);
}

// ---- PING

static void put_ping(struct store *store, struct resp *resp)
{
    (void)store;
    resp_begin(resp, "PING");
}

static enum answer judge_ping(struct store *store, const struct redisReply *reply)
{
    uint64_t took_ms = (clock_mono_us() - store->asked_us) / 1000;

    if (reply->type != REDIS_REPLY_STATUS)
        return refuse_reply(store, reply);
    if (took_ms > store->config->deadline_ms)
        return refuse(store, STORE_SLOW, "its answer to PING took longer than the deadline");
    return ANSWER_GOOD;
}

// ---- INFO

static void put_info(struct store *store, struct resp *resp)
{
    (void)store;
    resp_begin(resp, "INFO");
    resp_text(resp, "server");
}

// What has several lives in one key needs EXPIREAT's NX and GT.
static void warn_of_age(const struct store *store)
{
    const long major = strtol(store->version, NULL, 10);

    if (major > 0 && major < REDIS_MAJOR)
        log_warn(
            "store's Redis is older than %d.0, which Reeve needs for what it keeps of recipients "
            "version=%s",
            REDIS_MAJOR, store->version);
}

static enum answer judge_info(struct store *store, const struct redisReply *reply)
{
    const char *version = NULL;
    const char *process = NULL;
    uint64_t pid = 0;

    store->version[0] = '\0';
    if (!reply_is_text(reply)) // not allowed to us: it is but for display
        return reply->type == REDIS_REPLY_ERROR && reply_state(reply) == STORE_DENIED
                   ? ANSWER_GOOD
                   : refuse_reply(store, reply);
    version = strstr(reply->str, "redis_version:");
    process = strstr(reply->str, "process_id:");
    if (version != NULL)
        (void)sscanf(version, "redis_version:%31[0-9a-zA-Z.-]", store->version);
    warn_of_age(store);
    if (process != NULL && sscanf(process, "process_id:%" SCNu64, &pid) == 1)
        embedded_answered(store->embedded, (int)pid);
    return ANSWER_GOOD;
}

// ---- CONFIG GET dir

static void put_dir(struct store *store, struct resp *resp)
{
    (void)store;
    resp_begin(resp, "CONFIG");
    resp_text(resp, "GET");
    resp_text(resp, "dir");
}

static enum answer judge_dir(struct store *store, const struct redisReply *reply)
{
    char why[256];

    if (!reply_is_array(reply, 2) || !reply_is_text(reply->element[1]))
        return refuse_reply(store, reply);
    if (embedded_is_ours(store->embedded, reply->element[1]->str))
        return ANSWER_GOOD;
    (void)snprintf(why, sizeof(why), "the server at %s keeps its data in %.100s: stop it",
                   store->address, reply->element[1]->str);
    return refuse(store, STORE_FOREIGN, why);
}

// ---- TIME

static void put_time(struct store *store, struct resp *resp)
{
    (void)store;
    resp_begin(resp, "TIME");
}

static void tell_news(struct store *store, enum clock_news news, int64_t step_ms)
{
    if (news == CLOCK_STEP || news == CLOCK_JUMP)
        store->counters.clock_steps++;
    if (news == CLOCK_STEP)
        log_warn("store's clock made a step step_ms=%" PRId64, step_ms);
    if (news == CLOCK_JUMP)
        log_error(
            "store's clock jumped, greylisting passes everything until somebody says that the "
            "new time is right: reevectl clock accept; step_ms=%" PRId64,
            step_ms);
}

static enum answer judge_time(struct store *store, const struct redisReply *reply)
{
    uint64_t seconds = 0;
    uint64_t micros = 0;
    int64_t step_ms = 0;

    if (!reply_is_array(reply, 2) || !reply_number(reply->element[0], &seconds) ||
        !reply_number(reply->element[1], &micros) || seconds > 1ULL << 40)
        return refuse_reply(store, reply);
    enum clock_news news = store_clock_measure(&store->clock, store->asked_us, clock_mono_us(),
                                               seconds * 1000000 + micros, &step_ms);

    tell_news(store, news, step_ms);
    return ANSWER_GOOD;
}

// ---- HGETALL meta

static void put_meta(struct store *store, struct resp *resp)
{
    (void)store;
    resp_begin(resp, "HGETALL");
    resp_text(resp, "meta");
}

static void got_added(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;

    (void)tag;
    if (reply != NULL && reply_state(reply) != STORE_UP)
        (void)refuse_reply(store, reply);
}

static void add_fields(struct store *store, const struct meta_judgement *judgement)
{
    struct redis_wait wait = {.fn = got_added, .arg = store};
    struct resp resp;

    for (unsigned i = 0; i < judgement->field_count; i++) {
        resp_begin(&resp, "HSETNX");
        resp_text(&resp, "meta");
        resp_text(&resp, judgement->field[i].name);
        resp_text(&resp, judgement->field[i].value);
        redis_send(lookups(store), &resp, wait); // fails only with the connection
    }
}

static void take_ring(struct store *store, const struct meta_judgement *judgement)
{
    struct meta *meta = &store->meta;
    const struct key_epoch *newest = &judgement->ring.epoch[judgement->ring.count - 1];

    if (judgement->ring.count != meta->ring.count) {
        events_drop(store);
        log_info("store's secrets are known epochs=%u buckets=%" PRIu32, judgement->ring.count,
                 newest->buckets);
        if (newest->buckets != meta->buckets)
            log_info("store.buckets does not count for this store: it was made with others "
                     "configured=%" PRIu32 " in_force=%" PRIu32,
                     meta->buckets, newest->buckets);
    }
    if (judgement->warning[0] != '\0')
        log_limited(&store->meta_lines, clock_mono_ms(), LOG_ERROR_LEVEL, "%s", judgement->warning);
    meta->ring = judgement->ring;
    memcpy(meta->number, judgement->number, sizeof(meta->number));
}

static enum answer judge_meta(struct store *store, const struct redisReply *reply)
{
    struct meta_judgement judgement;
    uint8_t fresh[KEY_SECRET_BYTES];

    if (reply->type != REDIS_REPLY_ARRAY)
        return refuse_reply(store, reply);
    randombytes_buf(fresh, sizeof(fresh));
    meta_judge(&store->meta, reply, fresh, store_now_ms(store), &judgement);
    switch (judgement.verdict) {
    case META_FOREIGN:
        return refuse(store, STORE_FOREIGN, judgement.why);
    case META_MISSING:
        add_fields(store, &judgement);
        return ++store->meta_rounds < META_ROUNDS_MAX
                   ? ANSWER_ASK_AGAIN
                   : refuse(store, STORE_ERROR, "meta does not keep what is written to it");
    case META_FINE:
        break;
    }
    store->meta_rounds = 0;
    take_ring(store, &judgement);
    return ANSWER_GOOD;
}

// ---- one after the other

enum { ASK_TIME = 3, ASK_META = 4, QUESTIONS = 5 };
static const struct question GREETING[QUESTIONS] = {
    {put_ping, judge_ping, false},
    {put_info, judge_info, false},
    {put_dir, judge_dir, true},
    [ASK_TIME] = {put_time, judge_time, false},
    [ASK_META] = {put_meta, judge_meta, false},
};

static void got_answer(void *arg, uint64_t step, const struct redisReply *reply);

static void ask(struct store *store, uint64_t step)
{
    struct redis_wait wait = {.fn = got_answer, .arg = store, .tag = step};
    struct resp resp;

    GREETING[step].put(store, &resp);
    store->asked_us = clock_mono_us();
    redis_send(lookups(store), &resp, wait); // fails only with the connection
}

static void ask_next(struct store *store, uint64_t step)
{
    while (step < QUESTIONS && GREETING[step].embedded_only && store->embedded == NULL)
        step++;
    if (step < QUESTIONS)
        ask(store, step);
    else if (redis_is_greeting(lookups(store)))
        store_became_up(store);
}

static void got_answer(void *arg, uint64_t step, const struct redisReply *reply)
{
    struct store *store = arg;

    if (reply == NULL)
        return;
    switch (GREETING[step].judge(store, reply)) {
    case ANSWER_GOOD:
        ask_next(store, step + 1);
        break;
    case ANSWER_ASK_AGAIN:
        ask(store, step);
        break;
    case ANSWER_REFUSED:
        break;
    }
}

void greeting_start_lookups(void *arg)
{
    struct store *store = arg;

    store->meta_rounds = 0;
    ask_next(store, 0);
}

void greeting_sync(struct store *store)
{
    if (redis_state(lookups(store)) == STORE_UP)
        ask(store, ASK_TIME); // meta follows
}

// ---- the operator's connection: the other one has judged the server

static void got_admin_pong(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    enum store_state state = reply_state(reply);

    (void)tag;
    if (reply == NULL)
        return;
    if (state != STORE_UP) {
        redis_refuse(store->lane[STORE_ADMIN], state, reply->str);
        return;
    }
    redis_ready(store->lane[STORE_ADMIN]);
    events_poll(store);
}

void greeting_start_admin(void *arg)
{
    struct store *store = arg;
    struct redis_wait wait = {.fn = got_admin_pong, .arg = store};
    struct resp resp;

    put_ping(store, &resp);
    redis_send(store->lane[STORE_ADMIN], &resp, wait); // fails only with the connection
}
