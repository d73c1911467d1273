// store.c: assembles the store and takes it apart. Promises: nothing here blocks but store_free,
// which waits for the embedded server; whatever happens to Redis, everything comes back by itself.
#include "node/store/store.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// ---- commands that nobody waits for

static void got_written(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    enum store_state state = reply_state(reply);

    (void)tag;
    if (state == STORE_UP)
        return;
    store->counters.lost_writes++;
    store->kept_day = 0; // what was lost may have been a row, or the expiry of its stream
    if (reply != NULL)
        store_note_error(store, state, reply);
}

void store_send(struct store *store, struct resp *resp)
{
    struct redis *redis = store->lane[STORE_LOOKUPS];
    struct redis_wait wait = {.fn = got_written, .arg = store};

    if (redis_state(redis) != STORE_UP || !redis_send(redis, resp, wait))
        store->counters.lost_writes++;
}

// What an HDEL may hold beside its fields, and what each of them takes beside its bytes.
enum { REMOVAL_BYTES = RESP_BYTES - 256, FIELD_HEAD_BYTES = 16 };

static void got_removed(void *arg, uint64_t tag, const struct redisReply *reply)
{
    (void)tag;
    store_note_error(arg, reply_state(reply), reply);
}

void store_remove_over(struct store *store, const char *key, const struct redisReply *rows,
                       bool (*is_over)(const struct redisReply *field,
                                       const struct redisReply *value, uint64_t now_ms))
{
    struct redis_wait wait = {.fn = got_removed, .arg = store};
    uint64_t now_ms = store_now_ms(store);
    struct resp resp;
    size_t used = 0;

    resp_begin(&resp, "HDEL");
    resp_text(&resp, key);
    for (size_t i = 0; i < rows->elements; i += 2) {
        const struct redisReply *field = rows->element[i];

        if (!is_over(field, rows->element[i + 1], now_ms) ||
            used + field->len + FIELD_HEAD_BYTES > REMOVAL_BYTES)
            continue;
        resp_bytes(&resp, field->str, field->len);
        used += field->len + FIELD_HEAD_BYTES;
    }
    if (used > 0)
        redis_send(store->lane[STORE_ADMIN], &resp, wait); // fails only with the connection
}

void store_note_error(struct store *store, enum store_state state, const struct redisReply *reply)
{
    char text[LOG_QUOTE_MAX];

    if (reply == NULL || state == STORE_UP)
        return;
    store->counters.errors[state]++;
    store->refusal = state;
    store->refused_at_ms = clock_mono_ms();
    log_limited(&store->refusal_lines, store->refused_at_ms, LOG_WARN_LEVEL,
                "store refuses a command reply=%s", log_quote(text, reply->str));
}

void store_note_garbage(struct store *store, struct op *op)
{
    op_note(op, STORE_ERROR);
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds a value that is not of our format");
}

bool store_keeps_expiry(const struct store *store)
{
    return !store->config->replay;
}

void store_put_expiry(struct resp *resp, const char *key, uint64_t at_ms)
{
    resp_begin(resp, "EXPIREAT");
    resp_text(resp, key);
    resp_number(resp, (at_ms + 999) / 1000);
}

// ---- the clock

uint64_t store_now_ms(const struct store *store)
{
    // What was given out last is the clock's own memory; to its readers the store does not change.
    struct store_clock *clock = (struct store_clock *)(uintptr_t)&store->clock;

    return store_clock_read(clock, clock_mono_ms(), clock_wall_ms());
}

bool store_clock_ok(const struct store *store)
{
    return store->clock.replay || !store->clock.held;
}

void store_clock_accept(struct store *store)
{
    events_drop(store);
    store_clock_follow(&store->clock);
}

int64_t store_clock_offset_ms(const struct store *store)
{
    return (int64_t)store_now_ms(store) - (int64_t)clock_wall_ms();
}

void store_replay(struct store *store, uint64_t now_ms)
{
    if (now_ms > store->clock.replay_ms)
        store->clock.replay_ms = now_ms;
}

// ---- life

void store_became_up(struct store *store)
{
    store->indexed_day = 0;
    store->kept_day = 0;
    events_lost(store);
    reputation_lost(store);
    declared_again(store);
    redis_ready(store->lane[STORE_LOOKUPS]);
    redis_start(store->lane[STORE_ADMIN]);
    retry_ask(store);
}

static void server_listens(void *arg)
{
    struct store *store = arg;

    redis_start(store->lane[STORE_LOOKUPS]);
}

static void tick(void *arg)
{
    struct store *store = arg;

    store->ticks++;
    retry_flush(store);
    declared_tick(store);
    reputation_tick(store);
    directory_tick(store);
    if (store->ticks % STORE_SYNC_TICKS == 0)
        greeting_sync(store);
    if (store->ticks % STORE_RETRY_TICKS == 0)
        retry_ask(store);
}

static enum err read_secrets(struct store *store, struct err_detail *detail)
{
    const struct store_config *config = store->config;
    enum err err = ERR_NONE;

    if (config->mode == STORE_SINGLE && config->password_file[0] != '\0')
        err = secret_password_read(config->password_file, &store->password, detail);
    else if (config->mode == STORE_SINGLE && config->user[0] != '\0')
        err =
            err_say(detail, ERR_CONFIG, "store.user is given: store.password_file is needed, too");
    if (err == ERR_NONE && config->secret_file[0] != '\0')
        err = secret_file_read(config->secret_file, &store->meta.file, detail);
    return err;
}

static enum err start_server(struct store *store, struct err_detail *detail)
{
    const struct store_config *config = store->config;
    struct embedded_config embedded = {
        .loop = store->loop,
        .state_dir = config->state_dir,
        .redis_server = config->redis_server,
        .max_bytes = config->embedded_bytes,
        .counters = &store->counters,
        .listening = server_listens,
        .arg = store,
    };
    enum err err = ERR_NONE;

    store->address = config->address;
    if (config->mode == STORE_EMBEDDED)
        err = embedded_new(&store->embedded, &embedded, detail);
    if (store->embedded != NULL)
        store->address = embedded_address(store->embedded);
    return err;
}

static enum err make_lane(struct store *store, enum store_lane lane, struct err_detail *detail)
{
    bool is_single = store->config->mode == STORE_SINGLE;
    struct redis_config config = {
        .loop = store->loop,
        .lane = lane == STORE_LOOKUPS ? "lookups" : "admin",
        .logs_changes = lane == STORE_LOOKUPS,
        .address = store->address,
        .user = is_single ? store->config->user : "",
        .password = store->password != NULL ? store->password : "",
        .deadline_ms = store->config->deadline_ms,
        .counters = &store->counters,
        .greet = lane == STORE_LOOKUPS ? greeting_start_lookups : greeting_start_admin,
        .arg = store,
    };

    return redis_new(&store->lane[lane], &config, detail);
}

static enum err assemble(struct store *store, struct err_detail *detail)
{
    enum err err = read_secrets(store, detail);

    if (err == ERR_NONE)
        err = start_server(store, detail);
    if (err == ERR_NONE)
        err = make_lane(store, STORE_LOOKUPS, detail);
    if (err == ERR_NONE)
        err = make_lane(store, STORE_ADMIN, detail);
    return err;
}

static void make_near(struct store *store)
{
    uint8_t secret[NEAR_SECRET_BYTES];

    if (store->config->near_bytes == 0)
        return;
    randombytes_buf(secret, sizeof(secret));
    store->near = near_new(store->config->near_bytes, secret);
}

static void make_roll(struct store *store)
{
    uint8_t secret[ROLL_SECRET_BYTES];

    randombytes_buf(secret, sizeof(secret));
    roll_begin(&store->roll, secret);
}

enum err store_new(struct store **out, struct loop *loop, const struct store_config *config,
                   struct err_detail *detail)
{
    struct store *store = mem_new(sizeof(*store));

    store->loop = loop;
    store->config = config;
    store->meta.buckets = (uint32_t)config->buckets;
    store->clock.replay = config->replay;
    store->refusal = STORE_UP;
    randombytes_buf(&store->node, sizeof(store->node));
    store->ops = ops_new(store, loop, config->deadline_ms);
    make_near(store);
    make_roll(store);
    store->harvesting.named = named_new(NAMED_CLIENTS);
    enum err err = assemble(store, detail);

    if (err != ERR_NONE) {
        store_free(&store);
        return err;
    }
    store->tick = loop_timer_new(loop, tick, store);
    loop_timer_set(store->tick, STORE_TICK_MS, STORE_TICK_MS);
    events_start(store);
    if (store->embedded == NULL)
        redis_start(store->lane[STORE_LOOKUPS]);
    *out = store;
    return ERR_NONE;
}

void store_free(struct store **store)
{
    if (*store == NULL)
        return;
    (*store)->is_closing = true;
    for (unsigned lane = 0; lane < STORE_LANES; lane++)
        redis_free(&(*store)->lane[lane]);
    policy_jobs_stop(*store);
    ops_free(&(*store)->ops);
    embedded_free(&(*store)->embedded);
    loop_timer_free(&(*store)->tick);
    events_stop(*store);
    near_free(&(*store)->near);
    roll_clear(&(*store)->roll);
    named_free(&(*store)->harvesting.named);
    bans_clear(&(*store)->harvesting.bans);
    reputation_clear(*store);
    mirror_clear(&(*store)->mirror);
    since_clear(&(*store)->declaring.since);
    directory_clear(&(*store)->directories.table);
    if ((*store)->password != NULL)
        sodium_memzero((*store)->password, strlen((*store)->password));
    mem_free((*store)->password);
    sodium_memzero(*store, sizeof(**store));
    mem_free(*store);
    *store = NULL;
}

// ---- how it is

enum store_state store_state(const struct store *store)
{
    return redis_state(store->lane[STORE_LOOKUPS]);
}

static void describe_trouble(const struct redis *redis, enum store_state state,
                             struct text_buf *out)
{
    text_buf_add(out, ", %s", store_state_text(state));
    if (state == STORE_SLOW && redis_why(redis)[0] == '\0')
        return;
    text_buf_add(out, " for ");
    text_buf_add_duration(out, clock_mono_ms() - redis_since_ms(redis));
    text_buf_add(out, ": %s", redis_why(redis));
}

void store_describe(const struct store *store, struct text_buf *out)
{
    const struct redis *redis = store->lane[STORE_LOOKUPS];
    enum store_state state = redis_state(redis);

    if (store->embedded != NULL)
        text_buf_add(out, "embedded");
    else
        text_buf_add(out, "single %s", store->address);
    if (state != STORE_UP) {
        describe_trouble(redis, state, out);
        return;
    }
    text_buf_add(out, ", up");
    if (store->version[0] != '\0')
        text_buf_add(out, ", redis %s", store->version);
    if (store->refusal != STORE_UP && clock_mono_ms() - store->refused_at_ms < STORE_LATELY_MS)
        text_buf_add(out, ", but lately %s", store_state_text(store->refusal));
}

const struct key_ring *store_ring(const struct store *store)
{
    return &store->meta.ring;
}

const struct store_counters *store_counters(const struct store *store)
{
    return &store->counters;
}

size_t store_near_entries(const struct store *store)
{
    return store->near != NULL ? near_count(store->near) : 0;
}
