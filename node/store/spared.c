// spared.c: spared clients in Redis: read with a lookup, written when a pair passed, shown and forgotten
// for an operator. Promises: a hash with anything in it that is not ours is not known, so it spares
// nobody; nothing is read, changed and written back: fields are set and removed, so nodes that race
// leave a pair too many at worst, and the next write removes it.
//
//     w:<client>   field = 8 bytes of a pair's hash, value = the day in decimal; gone 36 d after the last write
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

// ---- reading

void spared_ask(struct store *store, struct op *op, struct redis *redis, const char *name)
{
    struct resp resp;

    resp_begin(&resp, "HGETALL");
    resp_text(&resp, name);
    op_send(store->ops, op, redis, &resp);
}

static bool take_pair(const struct redisReply *field, const struct redisReply *value,
                      struct spared_pair *out)
{
    if (!reply_is_text(field) || field->len != KEY_PAIR_BYTES || !reply_number(value, &out->day) ||
        out->day > UINT32_MAX) // so that no day overflows as a moment
        return false;
    memcpy(out->pair, field->str, KEY_PAIR_BYTES);
    return true;
}

void spared_take(struct store *store, struct op *op, const struct redisReply *reply,
                 struct spared_client *client)
{
    client->known = false;
    client->count = 0;
    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        op_note(op, STORE_ERROR);
        return;
    }
    for (size_t i = 0; i < reply->elements && client->count < SPARED_READ_MAX; i += 2) {
        if (!take_pair(reply->element[i], reply->element[i + 1], &client->pair[client->count])) {
            client->count = 0;
            store_note_garbage(store, op);
            return;
        }
        client->count++;
    }
    client->known = true;
}

// ---- writing

void store_spared_write(struct store *store, const char *name, const struct spared_change *change)
{
    struct resp resp;

    resp_begin(&resp, "HSET");
    resp_text(&resp, name);
    resp_bytes(&resp, change->set.pair, KEY_PAIR_BYTES);
    resp_number(&resp, change->set.day);
    store_send(store, &resp);
    if (change->removed_count > 0) {
        resp_begin(&resp, "HDEL");
        resp_text(&resp, name);
        for (unsigned i = 0; i < change->removed_count; i++)
            resp_bytes(&resp, change->removed[i], KEY_PAIR_BYTES);
        store_send(store, &resp);
    }
    if (store_keeps_expiry(store)) {
        store_put_expiry(&resp, name, spared_expiry_ms(change->set.day));
        store_send(store, &resp);
    }
}

// ---- what an operator asks

struct spared_work {
    struct spared_client client;
    struct spared_done done;
    bool forgets;
};

static void finish(struct store *store, struct spared_work *work, enum store_state state)
{
    if (state != STORE_UP)
        work->client.count = 0; // half a list helps nobody
    store->admin_work--;
    work->done.fn(work->done.arg, state, &work->client);
    mem_free(work);
}

static void end(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct spared_work *work)
{
    enum store_state why = STORE_CROWDED;
    struct op *op = NULL;

    if (store->admin_work <= STORE_ADMIN_WORK_MAX)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, 1, &why);
    if (op == NULL)
        finish(store, work, why);
    else
        op->work = work;
    return op;
}

static void got_removed(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
}

static const struct op_kind REMOVE = {got_removed, end};

static void remove_all(struct store *store, struct spared_work *work)
{
    struct op *op = begin(store, &REMOVE, work);
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "HDEL");
    resp_text(&resp, work->client.name);
    for (unsigned i = 0; i < work->client.count; i++)
        resp_bytes(&resp, work->client.pair[i].pair, KEY_PAIR_BYTES);
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

static void got_client(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct spared_work *work = op->work;

    spared_take(store, op, reply, &work->client);
}

static void end_reading(struct store *store, struct op *op)
{
    struct spared_work *work = op->work;

    if (op->state == STORE_UP && work->forgets && work->client.count > 0)
        remove_all(store, work);
    else
        finish(store, work, op->state);
}

static const struct op_kind READ = {got_client, end_reading};

static void look(struct store *store, const char *name, bool forgets, struct spared_done done)
{
    struct spared_work *work = mem_new(sizeof(*work));

    work->done = done;
    work->forgets = forgets;
    (void)snprintf(work->client.name, sizeof(work->client.name), "%s", name);
    store->admin_work++;
    struct op *op = begin(store, &READ, work);

    if (op != NULL)
        spared_ask(store, op, store->lane[STORE_ADMIN], work->client.name);
}

void store_spared_show(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, false, done);
}

void store_spared_forget(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, true, done);
}
