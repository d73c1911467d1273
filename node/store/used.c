// used.c: how often policies decided, in Redis. Promises: numbers for people, by which nothing is decided; nodes add, none
// writes a sum; who is not used for USED_KEEP_MS is forgotten.
//
//     HINCRBY used:{p}:<id> hits n   HINCRBY used:{p}:<id> shadow n   HSET used:{p}:<id> last ms   EXPIREAT
//     HMGET used:{p}:<id> hits shadow last
#include <stdio.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

enum { USED_NAME_MAX = 128 };
#define USED_KEEP_MS (100ULL * 24 * 3600 * 1000)

static const char *name_of(const char *id, char out[USED_NAME_MAX])
{
    (void)snprintf(out, USED_NAME_MAX, "used:{p}:%s", id);
    return out;
}

// ---- adding

static void send_sum(struct store *store, const char *name, const char *field, uint64_t number)
{
    struct resp resp;

    if (number == 0)
        return;
    resp_begin(&resp, "HINCRBY");
    resp_text(&resp, name);
    resp_text(&resp, field);
    resp_number(&resp, number);
    store_send(store, &resp);
}

bool store_used_add(struct store *store, const struct store_used *used)
{
    char name[USED_NAME_MAX];
    struct resp resp;

    if (redis_state(store->lane[STORE_LOOKUPS]) != STORE_UP)
        return false;
    name_of(used->id, name);
    send_sum(store, name, "hits", used->hits);
    send_sum(store, name, "shadow", used->shadow_hits);
    resp_begin(&resp,
               "HSET"); // of nodes that write at once the last one wins: all of them mean now
    resp_text(&resp, name);
    resp_text(&resp, "last");
    resp_number(&resp, used->last_ms);
    store_send(store, &resp);
    if (store_keeps_expiry(store)) {
        store_put_expiry(&resp, name, used->last_ms + USED_KEEP_MS);
        store_send(store, &resp);
    }
    return true;
}

// ---- reading

struct used_question {
    struct used_done done;
    size_t count, came;
    struct store_used row[STORE_USED_MAX];
};

static void take(uint64_t *out, const struct redisReply *reply, struct store *store, struct op *op)
{
    if (reply->type != REDIS_REPLY_NIL && !reply_number(reply, out))
        store_note_garbage(store, op);
}

static void got_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct used_question *ask = op->work;
    struct store_used *row = &ask->row[ask->came++];

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_array(reply, 3)) {
        store_note_garbage(store, op);
        return;
    }
    take(&row->hits, reply->element[0], store, op);
    take(&row->shadow_hits, reply->element[1], store, op);
    take(&row->last_ms, reply->element[2], store, op);
}

static void finish(struct store *store, struct used_question *ask, enum store_state state)
{
    store->admin_work--;
    ask->done.fn(ask->done.arg, state, ask->row, ask->count);
    mem_free(ask);
}

static void end(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static const struct op_kind READ = {got_row, end};

void store_used_read(struct store *store, const char *const *id, size_t count,
                     struct used_done done)
{
    struct used_question *ask = mem_new(sizeof(*ask));
    enum store_state why = STORE_UP;
    struct op *op = NULL;
    char name[USED_NAME_MAX];
    struct resp resp;

    ask->done = done;
    ask->count = count < STORE_USED_MAX ? count : STORE_USED_MAX;
    for (size_t i = 0; i < ask->count; i++)
        ask->row[i].id = id[i];
    store->admin_work++;
    if (ask->count > 0)
        op = op_begin_admin(store->ops, &READ, (unsigned)ask->count, ask, &why);
    if (op == NULL) {
        finish(store, ask, why);
        return;
    }
    for (size_t i = 0; i < ask->count; i++) {
        resp_begin(&resp, "HMGET");
        resp_text(&resp, name_of(id[i], name));
        resp_text(&resp, "hits");
        resp_text(&resp, "shadow");
        resp_text(&resp, "last");
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}
