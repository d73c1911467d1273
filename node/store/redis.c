// redis.c: the life of one connection, a table of states on hiredis' asynchronous context.
// Promises: whoever sent a command is called back exactly once; nothing blocks; whatever the server
// or the network does, the connection is tried again.
//
// Traps of hiredis (0.14 and 1.x): a context must not be freed inside onConnect; after a failed
// connect the library frees it; freed inside a reply's callback it lives until that returns. So a
// context is let go in one place (let_go), which first cuts its way back to us: what it still calls
// finds no redis and does nothing, and whoever waits is told by our own ring.
#include "node/store/redis.h"

#include <hiredis/async.h>
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "node/store/adapter.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum { WATCH_MS = 100 };

enum life { RESTING, CONNECTING, GREETING, SERVING };

struct sent {
    struct redis_wait wait;
    uint64_t at_ms;
};

struct redis {
    struct redis_config config;
    struct redis_address address;
    struct loop_timer *timer; // of the state the connection is in
    redisAsyncContext *context;
    enum life life;
    enum store_state state; // told to those who ask while it does not serve
    char why[512];
    enum store_state logged;
    uint64_t since_ms;
    uint64_t rest_ms;
    bool started;
    bool was_slow; // what the last look found of the oldest command
    bool was_dead;
    struct log_limit slow_lines;
    uint64_t dropping; // depth of let_go: nothing is sent meanwhile
    unsigned first, count;
    struct sent ring[REDIS_IN_FLIGHT_MAX];
};

static void go(struct redis *redis, enum life life);

// ---- what is said about it

static bool is_operators_matter(enum store_state state)
{
    return state == STORE_FOREIGN || state == STORE_DENIED || state == STORE_CLUSTER;
}

static void log_change(struct redis *redis, enum store_state state)
{
    if (state == redis->logged || !redis->config.logs_changes)
        return;
    redis->logged = state;
    if (state == STORE_UP)
        log_info("store is up address=%s", redis->config.address);
    else if (is_operators_matter(state))
        log_error("store is %s address=%s why=\"%s\"", store_state_text(state),
                  redis->config.address, redis->why);
    else
        log_warn("store is %s address=%s why=\"%s\"", store_state_text(state),
                 redis->config.address, redis->why);
}

static void set_state(struct redis *redis, enum store_state state, const char *why)
{
    if ((state == STORE_UP) != (redis->state == STORE_UP))
        redis->since_ms = clock_mono_ms();
    redis->state = state;
    (void)text_clean(redis->why, sizeof(redis->why) - 1, why, strlen(why));
    log_change(redis, state);
}

// ---- the ring of those who wait

static void ring_put(struct redis *redis, const struct redis_wait *wait)
{
    struct sent *sent = &redis->ring[(redis->first + redis->count) % REDIS_IN_FLIGHT_MAX];

    sent->wait = *wait;
    sent->at_ms = clock_mono_ms();
    redis->count++;
}

static struct redis_wait ring_take(struct redis *redis)
{
    struct redis_wait wait = redis->ring[redis->first].wait;

    redis->first = (redis->first + 1) % REDIS_IN_FLIGHT_MAX;
    redis->count--;
    return wait;
}

static uint64_t oldest_age_ms(const struct redis *redis)
{
    if (redis->count == 0)
        return 0;
    uint64_t now_ms = clock_mono_ms();
    uint64_t at_ms = redis->ring[redis->first].at_ms;

    return now_ms > at_ms ? now_ms - at_ms : 0;
}

// ---- letting go

static void let_go(struct redis *redis, bool library_frees)
{
    redisAsyncContext *context = redis->context;

    redis->context = NULL;
    redis->dropping++;
    if (context != NULL) {
        context->data = NULL;
        if (!library_frees)
            redisAsyncFree(context);
    }
    while (redis->count > 0) {
        struct redis_wait wait = ring_take(redis);

        wait.fn(wait.arg, wait.tag, NULL);
    }
    redis->dropping--;
}

static void fail(struct redis *redis, enum store_state state, const char *why, bool library_frees)
{
    char kept[sizeof(redis->why)]; // why may live in the context

    (void)snprintf(kept, sizeof(kept), "%s", why);
    if (redis->life == SERVING)
        redis->config.counters->disconnects++;
    redis->life = RESTING;
    set_state(redis, state, kept);
    let_go(redis, library_frees);
    go(redis, RESTING);
}

// ---- hiredis calls

// More answers than questions: hiredis would abort the process (0.14: an assertion), and every
// later answer would be taken for another question's. No Redis does that; the connection is given
// up.
static const char STRAY[] = "an answer that nobody asked for";

static void on_connect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    if (redis == NULL)
        return;
    if (status != REDIS_OK)
        fail(redis, STORE_DOWN, context->c.errstr, true);
    else
        go(redis, GREETING);
}

static void on_disconnect(const redisAsyncContext *context, int status)
{
    struct redis *redis = context->data;

    (void)status;
    if (redis != NULL)
        fail(redis, STORE_DOWN, context->c.errstr, true);
}

static void on_reply(redisAsyncContext *context, void *any_reply, void *unused)
{
    struct redis *redis = context->data;

    (void)unused;
    if (redis == NULL)
        return;
    if (any_reply == NULL) { // hiredis is taking the context down
        fail(redis, STORE_DOWN, context->c.errstr, true);
        return;
    }
    if (redis->count == 1 && context->c.reader->len > context->c.reader->pos) {
        fail(redis, STORE_ERROR, STRAY, false);
        return;
    }
    struct redis_wait wait = ring_take(redis);

    wait.fn(wait.arg, wait.tag, any_reply);
}

// Something can be read although nothing was asked: the end of the connection, which hiredis finds
// out, or a stray answer.
static void before_read(redisAsyncContext *context)
{
    struct redis *redis = context->data;
    char byte;

    if (redis != NULL && redis->life >= GREETING && redis->count == 0 &&
        recv(context->c.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) > 0)
        fail(redis, STORE_ERROR, STRAY, false);
}

// ---- the states

static void enter_resting(struct redis *redis)
{
    uint64_t jitter_ms = randombytes_uniform((uint32_t)(redis->rest_ms / 2 + 1));

    if (redis->started)
        loop_timer_set(redis->timer, redis->rest_ms * 3 / 4 + jitter_ms, 0);
    redis->rest_ms *= 2;
    if (redis->rest_ms > REDIS_REST_MAX_MS)
        redis->rest_ms = REDIS_REST_MAX_MS;
}

static void rested(struct redis *redis)
{
    go(redis, CONNECTING);
}

static redisAsyncContext *begin_connect(const struct redis_address *address)
{
    if (address->port == 0)
        return redisAsyncConnectUnix(address->host);
    return redisAsyncConnect(address->host, address->port);
}

static void enter_connecting(struct redis *redis)
{
    redisAsyncContext *context = begin_connect(&redis->address);

    redis->context = context;
    if (context == NULL || context->err != 0) {
        fail(redis, STORE_DOWN, context == NULL ? "out of memory" : context->errstr, false);
        return;
    }
    context->data = redis;
    adapter_attach(context, redis->config.loop, before_read);
    (void)redisAsyncSetDisconnectCallback(context, on_disconnect);
    (void)redisAsyncSetConnectCallback(context, on_connect);
    loop_timer_set(redis->timer, REDIS_GREETING_MS, 0);
}

static void connect_too_slow(struct redis *redis)
{
    fail(redis, STORE_DOWN, "no connection within a second", false);
}

static void got_auth(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct redis *redis = arg;
    enum store_state state = reply_state(reply);

    (void)tag;
    if (reply == NULL)
        return;
    if (state == STORE_UP)
        redis->config.greet(redis->config.arg);
    else
        redis_refuse(redis, state, reply->str);
}

static void enter_greeting(struct redis *redis)
{
    struct redis_wait wait = {.fn = got_auth, .arg = redis};
    struct resp resp;

    loop_timer_set(redis->timer, REDIS_GREETING_MS, 0);
    if (redis->config.password[0] == '\0') {
        redis->config.greet(redis->config.arg);
        return;
    }
    resp_begin(&resp, "AUTH");
    if (redis->config.user[0] != '\0')
        resp_text(&resp, redis->config.user);
    resp_text(&resp, redis->config.password);
    redis_send(redis, &resp, wait); // fails only with the connection, and that is told
}

static void greeting_too_slow(struct redis *redis)
{
    fail(redis, STORE_SLOW, "no answer to our greeting within a second", false);
}

static void enter_serving(struct redis *redis)
{
    redis->rest_ms = REDIS_REST_MS;
    redis->was_slow = false;
    redis->was_dead = false;
    redis->config.counters->connects++;
    set_state(redis, STORE_UP, "");
    loop_timer_set(redis->timer, WATCH_MS, WATCH_MS);
}

static void log_slowness(struct redis *redis, bool is_slow)
{
    if (is_slow == redis->was_slow || !redis->config.logs_changes)
        return;
    log_limited(&redis->slow_lines, clock_mono_ms(), is_slow ? LOG_WARN_LEVEL : LOG_INFO_LEVEL,
                is_slow ? "store is slow address=%s" : "store is no longer slow address=%s",
                redis->config.address);
}

// Twice too old in two looks: between them the loop has read what the socket held, so it was not we
// who slept.
static void watch(struct redis *redis)
{
    uint64_t age_ms = oldest_age_ms(redis);
    bool is_slow = age_ms >= redis->config.deadline_ms;
    bool is_dead = age_ms >= REDIS_DEAD_MS;
    bool was_dead = redis->was_dead;

    log_slowness(redis, is_slow);
    redis->was_slow = is_slow;
    redis->was_dead = is_dead;
    if (is_dead && was_dead)
        fail(redis, STORE_SLOW, "no reply within a second", false);
}

static const struct life_row {
    void (*enter)(struct redis *redis);
    void (*timer)(struct redis *redis); // what its timer means
} LIVES[] = {
    [RESTING] = {enter_resting, rested},
    [CONNECTING] = {enter_connecting, connect_too_slow},
    [GREETING] = {enter_greeting, greeting_too_slow},
    [SERVING] = {enter_serving, watch},
};

static void go(struct redis *redis, enum life life)
{
    redis->life = life;
    LIVES[life].enter(redis);
}

static void timer_due(void *arg)
{
    struct redis *redis = arg;

    LIVES[redis->life].timer(redis);
}

// ---- the seam

enum err redis_new(struct redis **out, const struct redis_config *config, struct err_detail *detail)
{
    struct redis_address address;
    enum err err = redis_address_parse(config->address, &address, detail);

    if (err != ERR_NONE)
        return err;
    struct redis *redis = mem_new(sizeof(*redis));

    redis->config = *config;
    redis->address = address;
    redis->timer = loop_timer_new(config->loop, timer_due, redis);
    redis->state = STORE_DOWN;
    redis->logged = STORE_STATE_COUNT; // the first state is news, whatever it is
    redis->rest_ms = REDIS_REST_MS;
    redis->since_ms = clock_mono_ms();
    (void)snprintf(redis->why, sizeof(redis->why), "not connected yet");
    *out = redis;
    return ERR_NONE;
}

void redis_free(struct redis **redis)
{
    if (*redis == NULL)
        return;
    (*redis)->life = RESTING;
    (*redis)->state = STORE_DOWN;
    let_go(*redis, false);
    loop_timer_free(&(*redis)->timer);
    mem_free(*redis);
    *redis = NULL;
}

void redis_start(struct redis *redis)
{
    redis->started = true;
    redis->rest_ms = REDIS_REST_MS;
    if (redis->life == RESTING)
        loop_timer_set(redis->timer, 0, 0);
}

void redis_ready(struct redis *redis)
{
    if (redis->life == GREETING)
        go(redis, SERVING);
}

void redis_refuse(struct redis *redis, enum store_state state, const char *why)
{
    char with_advice[sizeof(redis->why)];
    const char *advice = reply_advice(state);

    (void)snprintf(with_advice, sizeof(with_advice), advice[0] != '\0' ? "%s (%s)" : "%s%s", why,
                   advice);
    if (redis->life == GREETING || redis->life == SERVING)
        fail(redis, state, with_advice, false);
}

enum store_state redis_state(const struct redis *redis)
{
    if (redis->life != SERVING)
        return redis->state;
    return oldest_age_ms(redis) >= redis->config.deadline_ms ? STORE_SLOW : STORE_UP;
}

bool redis_is_greeting(const struct redis *redis)
{
    return redis->life == GREETING;
}

bool redis_is_away(const struct redis *redis)
{
    return redis->life != SERVING;
}

const char *redis_why(const struct redis *redis)
{
    return redis->why;
}

uint64_t redis_since_ms(const struct redis *redis)
{
    return redis->since_ms;
}

bool redis_has_room(const struct redis *redis, unsigned commands)
{
    return redis->count + commands <= REDIS_IN_FLIGHT_MAX;
}

bool redis_send(struct redis *redis, struct resp *resp, struct redis_wait wait)
{
    size_t len = 0;
    const char *bytes = resp_finish(resp, &len);

    return bytes != NULL && redis_send_bytes(redis, bytes, len, wait);
}

bool redis_send_bytes(struct redis *redis, const char *bytes, size_t len, struct redis_wait wait)
{
    if (redis->context == NULL || redis->dropping > 0 || redis->life < GREETING ||
        !redis_has_room(redis, 1))
        return false;
    if (redisAsyncFormattedCommand(redis->context, on_reply, NULL, bytes, len) != REDIS_OK)
        return false;
    ring_put(redis, &wait);
    redis->config.counters->commands++;
    return true;
}
