// limit.c: what somebody has sent today: a hash of an owner and a day, a field a thing that is counted.
//
//     add     HSETNX key field 0    HGET key field    HLEN key      ... EXPIREAT key        what HLEN says is the count
//     keep    HSET key field 1    EXPIREAT key                                              it was accepted
//     drop    HDEL key field                                                                it was refused
//
// Promises: whatever is written comes before the number is read, so of two that race for the last place at most one
// finds a number that is not over the limit. (Both may be over it: then the place stays empty until the next one.)
// What is asked again finds its field there and counts once. A refused write leaves no number.
#include "node/store/inside.h"
#include "node/store/reply.h"

#include <string.h>

enum { REPLY_ADDED, REPLY_FIELD, REPLY_COUNT, REPLY_EXPIRY };

static const char ADDED[] = "0";
static const char KEPT[] = "1";

static bool is_same_key(const struct store_limit *a, const struct store_limit *b)
{
    return a != NULL && b != NULL && a->key->kind == b->key->kind && a->key->day == b->key->day &&
           memcmp(a->key->owner, b->key->owner, sizeof(a->key->owner)) == 0;
}

// The key's expiry goes with its last thing.
static bool has_expiry(const struct store *store, const struct store_limit *limit, bool read_only)
{
    return !read_only && store_keeps_expiry(store) && !is_same_key(limit, limit->next);
}

// ---- commands

static void put(struct resp *resp, const char *verb, const struct key_count *key)
{
    char name[KEY_NAME_MAX];

    resp_begin(resp, verb);
    resp_bytes(resp, name, key_count_name(key, name));
}

static void put_field(struct resp *resp, const char *verb, const struct key_count *key)
{
    put(resp, verb, key);
    resp_bytes(resp, key->field, sizeof(key->field));
}

static void send_one(struct store *store, struct op *op, const struct store_limit *limit)
{
    struct redis *redis = store->lane[STORE_LOOKUPS];
    char name[KEY_NAME_MAX];
    struct resp resp;

    if (!op->read_only) {
        put_field(&resp, "HSETNX", limit->key);
        resp_text(&resp, ADDED);
        op_send(store->ops, op, redis, &resp);
    }
    put_field(&resp, "HGET", limit->key);
    op_send(store->ops, op, redis, &resp);
    put(&resp, "HLEN", limit->key);
    op_send(store->ops, op, redis, &resp);
    if (has_expiry(store, limit, op->read_only)) {
        (void)key_count_name(limit->key, name);
        store_put_expiry(&resp, name, limit->expires_ms);
        op_send(store->ops, op, redis, &resp);
    }
}

static unsigned commands_for(const struct store *store, const struct store_limit *limit,
                             bool read_only)
{
    return (read_only ? 2U : 3U) + has_expiry(store, limit, read_only);
}

// ---- replies

static void next_one(struct op *op, struct store_limit *limit)
{
    if (is_same_key(limit, limit->next))
        limit->next->ahead = limit->ahead + (limit->field == FACT_ABSENT);
    op->work = limit->next;
    op->step = op->read_only ? REPLY_FIELD : REPLY_ADDED;
}

static void got_field(struct store *store, struct op *op, struct store_limit *limit,
                      const struct redisReply *reply)
{
    bool is_text = reply_is_text(reply);

    if (reply->type == REDIS_REPLY_NIL) {
        limit->field = FACT_ABSENT;
    } else if (is_text && strcmp(reply->str, ADDED) == 0) {
        limit->field = FACT_PRESENT;
    } else if (is_text && strcmp(reply->str, KEPT) == 0) {
        limit->field = FACT_PRESENT;
        limit->count->kept = true;
    } else if (reply->type != REDIS_REPLY_ERROR) {
        store_note_garbage(store, op);
    }
}

// What is not there although it was added: its write was refused, so there is no number.
static void got_count(struct op *op, struct store_limit *limit, const struct redisReply *reply)
{
    bool would_add = op->read_only && limit->field == FACT_ABSENT;

    if (!reply_is_integer(reply) || reply->integer < 0) {
        if (reply->type != REDIS_REPLY_ERROR)
            op_note(op, STORE_ERROR);
        return;
    }
    if (!would_add && limit->field != FACT_PRESENT)
        return;
    limit->count->state = FACT_PRESENT;
    limit->count->count = (uint64_t)reply->integer + (would_add ? limit->ahead + 1 : 0);
}

static void got_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct store_limit *limit = op->work;
    unsigned last = has_expiry(store, limit, op->read_only) ? REPLY_EXPIRY : REPLY_COUNT;

    switch (op->step) {
    case REPLY_ADDED:
        limit->added = reply_is_integer(reply) && reply->integer == 1;
        break;
    case REPLY_FIELD:
        got_field(store, op, limit, reply);
        break;
    case REPLY_COUNT:
        got_count(op, limit, reply);
        break;
    default: // the expiry: what is wrong with it, the operation notes
        break;
    }
    if (op->step++ == last)
        next_one(op, limit);
}

static void end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

static const struct op_kind LIMIT = {got_reply, end};

// ---- the seam

static unsigned prepare(const struct store *store, struct store_limit *list, bool read_only)
{
    unsigned commands = 0;

    for (struct store_limit *each = list; each != NULL; each = each->next) {
        *each->count = (struct limit_count){.state = FACT_UNKNOWN};
        each->added = false;
        each->field = FACT_UNKNOWN;
        each->ahead = 0;
        commands += commands_for(store, each, read_only);
    }
    return commands;
}

void store_limit_add(struct store *store, struct store_limit *list, bool read_only,
                     struct store_done done)
{
    enum store_state why = STORE_UP;
    unsigned commands = prepare(store, list, read_only);
    struct op *op = op_begin(store->ops, store->lane[STORE_LOOKUPS], &LIMIT, commands, &why);

    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->read_only = read_only;
    op->work = list;
    op->step = read_only ? REPLY_FIELD : REPLY_ADDED;
    op_hurry(store->ops, op, done.within_ms);
    for (const struct store_limit *each = list; each != NULL; each = each->next)
        send_one(store, op, each);
}

void store_limit_keep(struct store *store, const struct key_count *key, uint64_t expires_ms)
{
    char name[KEY_NAME_MAX];
    struct resp resp;

    put_field(&resp, "HSET", key);
    resp_text(&resp, KEPT);
    store_send(store, &resp);
    if (store_keeps_expiry(store)) {
        (void)key_count_name(key, name);
        store_put_expiry(&resp, name, expires_ms);
        store_send(store, &resp);
    }
}

void store_limit_drop(struct store *store, const struct key_count *key)
{
    struct resp resp;

    put_field(&resp, "HDEL", key);
    store_send(store, &resp);
}
