// pair.c: what an operator asks of one pair: show, pass, forget. Promises: on the operator's
// connection, a few at once; done is called exactly once; what is reported was read from the store,
// or acknowledged by it.
//
//     show      HGETALL of g and p in both slices; the fields of other pairs are passed over
//     forget    the same, then HDEL of what was found, then an event that every node hears of
//     pass      HSET of "any client" in p(current), EXPIREAT
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

enum { PLACES = 4, IDENTITY_BYTES = KEY_FIELD_BYTES - KEY_PAIR_BYTES };

struct pair_work {
    struct key_triplet key;
    struct pair_done done;
    bool forgets;
    unsigned place; // whose reply comes now
    struct pair_entry *entry;
    size_t count;
};

static const struct {
    enum key_table table;
    unsigned age;
} PLACE[PLACES] = {
    {KEY_PENDING, KEY_CURRENT},
    {KEY_PENDING, KEY_PREVIOUS},
    {KEY_PASSED, KEY_CURRENT},
    {KEY_PASSED, KEY_PREVIOUS},
};

static const struct key_place *place_at(const struct key_triplet *key, enum key_table table,
                                        unsigned age)
{
    return table == KEY_PENDING ? &key->pending[age] : &key->passed[age];
}

static struct pair_work *work_new(struct store *store, const struct key_triplet *key,
                                  struct pair_done done)
{
    struct pair_work *work = mem_new(sizeof(*work));

    work->key = *key;
    work->done = done;
    store->admin_work++;
    return work;
}

static void finish(struct store *store, struct pair_work *work, enum store_state state)
{
    store->admin_work--;
    work->done.fn(work->done.arg, state, work->entry, work->count);
    mem_free(work->entry);
    mem_free(work);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct pair_work *work,
                        unsigned commands)
{
    enum store_state why;
    struct op *op = op_begin_admin(store->ops, kind, commands, work, &why);

    if (op == NULL)
        finish(store, work, why);
    return op;
}

static void end(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

// ---- reading

static struct pair_entry *add_entry(struct pair_work *work)
{
    work->entry = mem_grow(work->entry, work->count + 1, sizeof(work->entry[0]));
    return &work->entry[work->count++];
}

static void take_field(struct op *op, const struct redisReply *field,
                       const struct redisReply *value)
{
    struct pair_work *work = op->work;
    enum key_table table = PLACE[work->place].table;
    const struct key_place *place = place_at(&work->key, table, PLACE[work->place].age);
    struct pair_entry entry = {.table = table, .age = PLACE[work->place].age};

    if (!reply_is_text(field) || field->len != KEY_FIELD_BYTES ||
        memcmp(field->str, place->field[0], KEY_PAIR_BYTES) != 0)
        return;
    if (!reply_is_text(value) ||
        !key_value_unpack(value->str, value->len, &entry.at_ms, &entry.mark)) {
        op_note(op, STORE_ERROR);
        return;
    }
    memcpy(entry.identity, field->str + KEY_PAIR_BYTES, IDENTITY_BYTES);
    *add_entry(work) = entry;
}

static void got_hash(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct pair_work *work = op->work;

    (void)store;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0) {
        for (size_t i = 0; i < reply->elements; i += 2)
            take_field(op, reply->element[i], reply->element[i + 1]);
    } else {
        op_note(op, STORE_ERROR);
    }
    work->place++;
}

// ---- telling everybody, when it is gone

static void got_told(struct store *store, struct op *op, const struct redisReply *reply)
{
    char id[EVENT_ID_MAX];

    (void)store;
    if (reply->type != REDIS_REPLY_ERROR && !reply_is_integer(reply) && !event_id_read(reply, id))
        op_note(op, STORE_ERROR);
}

static const struct op_kind TELL = {got_told, end};

static void tell(struct store *store, struct pair_work *work)
{
    struct op *op = begin(store, &TELL, work, 1U + store_keeps_expiry(store));
    struct resp resp;

    if (op == NULL)
        return;
    event_put(&resp, "forget");
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    if (store_keeps_expiry(store)) {
        events_put_expiry(store, &resp);
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}

// ---- forgetting what was read

static void got_removed(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    if (!reply_is_integer(reply)) // 0 is fine: somebody else removed it meanwhile
        op_note(op, STORE_ERROR);
}

static void end_removal(struct store *store, struct op *op)
{
    struct pair_work *work = op->work;

    events_drop(store);
    if (op->state == STORE_UP) {
        tell(store, work);
        return;
    }
    work->count = 0;
    finish(store, work, op->state);
}

static const struct op_kind REMOVE = {got_removed, end_removal};

static void send_removal(struct store *store, struct op *op, const struct pair_entry *entry)
{
    const struct pair_work *work = op->work;
    const struct key_place *place = place_at(&work->key, entry->table, entry->age);
    uint8_t field[KEY_FIELD_BYTES];
    char name[KEY_NAME_MAX];
    struct resp resp;

    memcpy(field, place->field[0], KEY_PAIR_BYTES);
    memcpy(field + KEY_PAIR_BYTES, entry->identity, IDENTITY_BYTES);
    resp_begin(&resp, "HDEL");
    resp_bytes(&resp, name, key_name(entry->table, place, name));
    resp_bytes(&resp, field, sizeof(field));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

static void end_reading(struct store *store, struct op *op)
{
    struct pair_work *work = op->work;

    if (op->state != STORE_UP)
        work->count = 0; // half a list helps nobody
    if (op->state != STORE_UP || !work->forgets) {
        finish(store, work, op->state);
        return;
    }
    if (work->count == 0) { // gone already, but not everybody may have heard of it
        events_drop(store);
        tell(store, work);
        return;
    }
    struct op *removal = begin(store, &REMOVE, work, (unsigned)work->count);

    for (size_t i = 0; removal != NULL && i < work->count; i++)
        send_removal(store, removal, &work->entry[i]);
}

static const struct op_kind READ = {got_hash, end_reading};

static void read_places(struct store *store, struct pair_work *work)
{
    struct op *op = begin(store, &READ, work, PLACES);

    for (unsigned i = 0; op != NULL && i < PLACES; i++) {
        const struct key_place *place = place_at(&work->key, PLACE[i].table, PLACE[i].age);
        char name[KEY_NAME_MAX];
        struct resp resp;

        resp_begin(&resp, "HGETALL");
        resp_bytes(&resp, name, key_name(PLACE[i].table, place, name));
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}

void store_pair_show(struct store *store, const struct key_triplet *key, struct pair_done done)
{
    read_places(store, work_new(store, key, done));
}

void store_pair_forget(struct store *store, const struct key_triplet *key, struct pair_done done)
{
    struct pair_work *work = work_new(store, key, done);

    work->forgets = true;
    read_places(store, work);
}

// ---- passing

static void got_passed(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
}

static void end_passing(struct store *store, struct op *op)
{
    struct pair_work *work = op->work;

    if (op->state != STORE_UP)
        work->count = 0;
    finish(store, work, op->state);
}

static const struct op_kind PASS = {got_passed, end_passing};

void store_pair_pass(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                     struct pair_done done)
{
    struct pair_work *work = work_new(store, key, done);
    const struct key_place *place = &work->key.passed[KEY_CURRENT];
    struct op *op = begin(store, &PASS, work, 1U + store_keeps_expiry(store));
    uint8_t field[KEY_FIELD_BYTES] = {0}; // identity zeros: any client
    uint8_t value[KEY_VALUE_BYTES];
    char name[KEY_NAME_MAX];
    struct resp resp;

    if (op == NULL)
        return;
    *add_entry(work) =
        (struct pair_entry){.table = KEY_PASSED, .age = KEY_CURRENT, .at_ms = now_ms};
    memcpy(field, place->field[0], KEY_PAIR_BYTES);
    key_value_pack(now_ms, 0, value);
    resp_begin(&resp, "HSET");
    resp_bytes(&resp, name, key_name(KEY_PASSED, place, name));
    resp_bytes(&resp, field, sizeof(field));
    resp_bytes(&resp, value, sizeof(value));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    if (store_keeps_expiry(store)) {
        store_put_expiry(&resp, name, key_expiry_ms(place));
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}
