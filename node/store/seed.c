// seed.c: triplets that passed somewhere else are written as passed. Promises: on the operator's
// connection, so that no lookup waits; what somebody wrote meanwhile stays (HSETNX), but for entries
// that the caller has read and found dead; the caller learns of each row how much of it is new.
//
//     a row:  HSETNX p(its slice) ...an identity that is wanted   EXPIREAT
#include "node/store/inside.h"
#include "node/store/reply.h"

// How many commands one row sends, its EXPIREAT left out.
static unsigned writes_of(const struct store_seed *seed)
{
    unsigned count = 0;

    for (unsigned i = 0; i < seed->key->identity_count; i++)
        count += seed->write[i] != STORE_SEED_LEAVE;
    return count;
}

static unsigned commands_of(const struct store *store, const struct store_seed *seed)
{
    unsigned writes = writes_of(seed);

    return writes > 0 ? writes + store_keeps_expiry(store) : 0;
}

// skip: rows that send nothing get no reply.
static struct store_seed *skip(const struct store *store, struct store_seed *seed)
{
    while (seed != NULL && commands_of(store, seed) == 0)
        seed = seed->next;
    return seed;
}

// ---- replies

static void got_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct store_seed *seed = op->work;

    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
    else if (op->step < writes_of(seed))
        seed->written += reply->integer > 0;
    if (++op->step == commands_of(store, seed)) {
        op->work = skip(store, seed->next);
        op->step = 0;
    }
}

static void end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

static const struct op_kind SEED = {got_reply, end};

// ---- commands

// A dead entry is replaced by HDEL and HSETNX in effect; one HSET says the same, and whoever
// revives the entry in this very moment leaves it known either way.
static void send_write(struct store *store, struct op *op, const struct store_seed *seed,
                       unsigned identity)
{
    const struct key_place *place = &seed->key->passed[seed->age];
    uint8_t value[KEY_VALUE_BYTES];
    char name[KEY_NAME_MAX];
    struct resp resp;

    key_value_pack(seed->at_ms, 0, value);
    resp_begin(&resp, seed->write[identity] == STORE_SEED_REPLACE ? "HSET" : "HSETNX");
    resp_bytes(&resp, name, key_name(KEY_PASSED, place, name));
    resp_bytes(&resp, place->field[identity], KEY_FIELD_BYTES);
    resp_bytes(&resp, value, sizeof(value));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

static void send_row(struct store *store, struct op *op, const struct store_seed *seed)
{
    const struct key_place *place = &seed->key->passed[seed->age];
    char name[KEY_NAME_MAX];
    struct resp resp;

    for (unsigned i = 0; i < seed->key->identity_count; i++) {
        if (seed->write[i] != STORE_SEED_LEAVE)
            send_write(store, op, seed, i);
    }
    if (commands_of(store, seed) == 0 || !store_keeps_expiry(store))
        return;
    (void)key_name(KEY_PASSED, place, name);
    store_put_expiry(&resp, name, key_expiry_ms(place));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

void store_seed_passed(struct store *store, struct store_seed *list, struct store_done done)
{
    enum store_state why = STORE_UP;
    struct op *op = NULL;
    unsigned commands = 0;

    for (struct store_seed *each = list; each != NULL; each = each->next) {
        each->written = 0;
        commands += commands_of(store, each);
    }
    if (commands > 0)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], &SEED, commands, &why);
    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->work = skip(store, list);
    for (const struct store_seed *each = list; each != NULL; each = each->next)
        send_row(store, op, each);
}
