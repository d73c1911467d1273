// spared.c: the evidence of spared clients in Redis, and what an operator asks: it is shown, and forgotten
// with the client's row (spared_roll.c). Promises: a hash with anything in it that is not ours is not known, so
// it spares nobody. Who writes it is spared_note.c.
//
//     w:<client>   field = 8 bytes of a pair's hash, value = the day in decimal; gone 36 d after the last write
//     forget       HDEL w:<client> ...   HDEL spared:{p} <client>   XADD events kind spared, day 0
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

const char *spared_client_of(const char *name)
{
    return name + strlen("w:");
}

// ---- what an operator asks

struct spared_question {
    struct spared_client client;
    struct spared_done done;
    bool forgets;
    unsigned removals_left; // replies of HDEL to come
    bool is_removed;        // none of them was refused
};

static void finish(struct store *store, struct spared_question *ask, enum store_state state)
{
    const char *client = spared_client_of(ask->client.name);
    struct spared_row row = roll_find(&store->roll, client);

    if (state != STORE_UP && !ask->is_removed) { // half a list helps nobody
        ask->client.count = 0;
        row = (struct spared_row){.newest = 0};
    }
    if (ask->is_removed)
        roll_remove(&store->roll, client);
    store->admin_work--;
    ask->done.fn(ask->done.arg, state, &ask->client, &row);
    mem_free(ask);
}

static void end(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static struct op *begin(struct store *store, const struct op_kind *kind,
                        struct spared_question *ask, unsigned commands)
{
    enum store_state why;
    struct op *op = op_begin_admin(store->ops, kind, commands, ask, &why);

    if (op == NULL)
        finish(store, ask, why);
    return op;
}

static void got_removed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct spared_question *ask = op->work;

    (void)store;
    if (ask->removals_left == 0)
        return; // of the event: what is wrong with it, the operation notes
    if (!reply_is_integer(reply)) {
        op_note(op, STORE_ERROR);
        return;
    }
    ask->removals_left--;
    ask->is_removed = ask->removals_left == 0;
}

static const struct op_kind REMOVE = {got_removed, end};

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static void send_removal(struct store *store, struct op *op, const struct spared_client *client)
{
    struct resp resp;

    resp_begin(&resp, "HDEL");
    resp_text(&resp, client->name);
    for (unsigned i = 0; i < client->count; i++)
        resp_bytes(&resp, client->pair[i].pair, KEY_PAIR_BYTES);
    send(store, op, &resp);
}

// Also where nothing is stored: the row may be there all the same, or somewhere in a node's memory.
static void remove_all(struct store *store, struct spared_question *ask)
{
    const struct spared_row none = {.newest = 0};
    const char *client = spared_client_of(ask->client.name);
    const bool keeps = store_keeps_expiry(store);
    struct resp resp;

    ask->removals_left = 1U + (ask->client.count > 0);
    struct op *op = begin(store, &REMOVE, ask, ask->removals_left + 1U + keeps);

    if (op == NULL)
        return;
    if (ask->client.count > 0)
        send_removal(store, op, &ask->client);
    spared_put_row(&resp, client, &none);
    send(store, op, &resp);
    spared_put_event(&resp, client, &none);
    send(store, op, &resp);
    if (keeps) {
        events_put_expiry(store, &resp);
        send(store, op, &resp);
    }
}

static void got_client(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct spared_question *ask = op->work;

    spared_take(store, op, reply, &ask->client);
}

static void end_reading(struct store *store, struct op *op)
{
    struct spared_question *ask = op->work;

    if (op->state == STORE_UP && ask->forgets)
        remove_all(store, ask);
    else
        finish(store, ask, op->state);
}

static const struct op_kind READ = {got_client, end_reading};

static void look(struct store *store, const char *name, bool forgets, struct spared_done done)
{
    struct spared_question *ask = mem_new(sizeof(*ask));

    ask->done = done;
    ask->forgets = forgets;
    (void)snprintf(ask->client.name, sizeof(ask->client.name), "%s", name);
    store->admin_work++;
    struct op *op = begin(store, &READ, ask, 1);

    if (op != NULL)
        spared_ask(store, op, store->lane[STORE_ADMIN], ask->client.name);
}

void store_spared_show(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, false, done);
}

void store_spared_forget(struct store *store, const char *name, struct spared_done done)
{
    look(store, name, true, done);
}
