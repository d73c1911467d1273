// rotate.c: opens a new epoch in meta. Promises: nothing that is stored is lost: a slice is always
// read with the epoch it was opened under; two operators who rotate at once make one epoch, not
// two.
//
//     HSETNX secret:<n> (random)   claims the number; a rotation that died here is continued by the
//     next one HGET   secret:<n>            whose it is HSETNX epoch:<n>             opens it
#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

#define ROTATE_LEAD_MS (10ULL * 60 * 1000) // every node has read meta by then

struct rotation {
    struct store *store;
    struct store_text_done done;
    unsigned number;
    bool makes_secret;
    struct key_epoch epoch;
    unsigned drops; // 0 = none, else 1 + the number of the epoch that nothing can need any more
    unsigned reply; // which reply comes now
    bool was_first; // our epoch was the one that was stored
};

static void finish(struct rotation *rotation, enum store_state state, const char *text)
{
    rotation->store->admin_work--;
    rotation->done.fn(rotation->done.arg, state, text);
    sodium_memzero(&rotation->epoch, sizeof(rotation->epoch));
    mem_free(rotation);
}

static struct op *begin(struct rotation *rotation, const struct op_kind *kind, unsigned commands)
{
    struct store *store = rotation->store;
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);

    if (op != NULL)
        op->work = rotation;
    else
        finish(rotation, why, store_state_text(why));
    return op;
}

static void send_hash(struct rotation *rotation, struct op *op, const char *verb, const char *name,
                      const char *value)
{
    struct store *store = rotation->store;
    struct resp resp;

    resp_begin(&resp, verb);
    resp_text(&resp, "meta");
    resp_text(&resp, name);
    if (value != NULL)
        resp_text(&resp, value);
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

// ---- second trip: the epoch

static void got_opened(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct rotation *rotation = op->work;

    (void)store;
    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
    else if (rotation->reply++ == 0)
        rotation->was_first = reply->integer == 1;
}

static void end_opening(struct store *store, struct op *op)
{
    struct rotation *rotation = op->work;
    char text[200];

    if (op->state != STORE_UP) {
        finish(rotation, op->state, store_state_text(op->state));
        return;
    }
    if (!rotation->was_first) {
        finish(rotation, STORE_ERROR,
               "somebody else has opened a new epoch just now; nothing was changed");
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "epoch %u: %s, %" PRIu32 " buckets, for the slices that begin after %" PRIu64
                   " (Unix ms); until then and for what is stored nothing changes",
                   rotation->number, rotation->makes_secret ? "a new secret" : "the same secret",
                   rotation->epoch.buckets, rotation->epoch.since_ms);
    greeting_sync(store);
    finish(rotation, STORE_UP, text);
}

static const struct op_kind OPEN = {got_opened, end_opening};

static void open_epoch(struct rotation *rotation)
{
    struct op *op = begin(rotation, &OPEN, rotation->drops != 0 ? 3 : 1);
    struct meta_field field = {.name = ""};
    char name[24];

    if (op == NULL)
        return;
    meta_put_epoch(&field, rotation->number, &rotation->epoch);
    send_hash(rotation, op, "HSETNX", field.name, field.value);
    if (rotation->drops == 0)
        return;
    (void)snprintf(name, sizeof(name), "epoch:%u", rotation->drops - 1);
    send_hash(rotation, op, "HDEL", name, NULL);
    (void)snprintf(name, sizeof(name), "secret:%u", rotation->drops - 1);
    send_hash(rotation, op, "HDEL", name, NULL);
}

// ---- first trip: the secret

static void got_claimed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct rotation *rotation = op->work;

    (void)store;
    if (rotation->reply++ == 0) {
        if (!reply_is_integer(reply))
            op_note(op, STORE_ERROR);
    } else if (!reply_is_text(reply) || !secret_from_hex(reply->str, rotation->epoch.secret)) {
        op_note(op, STORE_ERROR);
    }
}

static void end_claiming(struct store *store, struct op *op)
{
    struct rotation *rotation = op->work;

    (void)store;
    rotation->reply = 0;
    if (op->state != STORE_UP)
        finish(rotation, op->state, store_state_text(op->state));
    else
        open_epoch(rotation);
}

static const struct op_kind CLAIM = {got_claimed, end_claiming};

static void claim_secret(struct rotation *rotation)
{
    struct op *op = begin(rotation, &CLAIM, 2);
    struct meta_field field = {.name = ""};

    if (op == NULL)
        return;
    meta_put_secret(&field, rotation->number, rotation->epoch.secret);
    send_hash(rotation, op, "HSETNX", field.name, field.value);
    send_hash(rotation, op, "HGET", field.name, NULL);
    sodium_memzero(&field, sizeof(field));
}

// ---- may it be done?

// An epoch is needed while a slice that began before its successor can still be read: 36 days, and
// 36 more as the previous one.
static bool oldest_is_needed(const struct key_ring *ring, uint64_t now_ms)
{
    return ring->epoch[1].since_ms + 2 * KEY_PASSED_SLICE_MS > now_ms;
}

static const char *objection(const struct store *store, uint64_t buckets)
{
    const struct key_ring *ring = &store->meta.ring;

    if (store->admin_work > STORE_ADMIN_WORK_MAX)
        return "too many questions of operators at once; try again";
    if (ring->count == 0)
        return "the store was not reached yet, so its secrets are not known";
    if (buckets > META_BUCKETS_MAX || (buckets & (buckets - 1)) != 0)
        return "the number of buckets must be a power of two, at most 16777216";
    if (buckets == 0 && store->meta.file.count > 0)
        return "secret_file rules here: add a line with the new secret and the moment from which "
               "it holds "
               "to it on every node, and restart them one after the other";
    if (ring->epoch[ring->count - 1].since_ms > store_now_ms(store))
        return "the last rotation is not in force yet; wait for it";
    if (ring->count == KEY_EPOCH_MAX && oldest_is_needed(ring, store_now_ms(store)))
        return "four epochs are in use, and what was stored under the oldest is still needed; an "
               "epoch is "
               "free 72 days after the next one began";
    return NULL;
}

void store_secret_rotate(struct store *store, uint64_t buckets, struct store_text_done done)
{
    struct rotation *rotation = mem_new(sizeof(*rotation));
    const struct meta *meta = &store->meta;

    rotation->store = store;
    rotation->done = done;
    store->admin_work++;
    const char *why_not = objection(store, buckets);

    if (why_not != NULL) {
        finish(rotation, store->meta.ring.count == 0 ? STORE_DOWN : STORE_ERROR, why_not);
        return;
    }
    rotation->number = meta->number[meta->ring.count - 1] + 1;
    rotation->epoch = meta->ring.epoch[meta->ring.count - 1];
    rotation->epoch.since_ms = store_now_ms(store) + ROTATE_LEAD_MS;
    if (buckets != 0)
        rotation->epoch.buckets = (uint32_t)buckets;
    if (meta->ring.count == KEY_EPOCH_MAX)
        rotation->drops = 1 + meta->number[0];
    rotation->makes_secret = meta->file.count == 0;
    if (!rotation->makes_secret) {
        open_epoch(rotation);
        return;
    }
    randombytes_buf(rotation->epoch.secret, sizeof(rotation->epoch.secret));
    claim_secret(rotation);
}
