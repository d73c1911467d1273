// triplet.c: greylist triplets. Promises: a fact is only what an HMGET said; a pipeline is written
// to the socket at once and allocates nothing of ours; nothing is read, changed and written back,
// so nodes that race do no harm and need no lock.
//
//     store_read_passed   a pair:  HMGET p(current); for an operator HMGET p(previous) as well
//     store_add_pending   a pair:  HMGET p(previous)  HMGET g(previous)
//                                  HSETNX g(current) ...an identity  EXPIREAT g(current)
//                                  HMGET g(current)
//
// What passed lately is found by the first command, and nearly all known mail did: the slice before
// is read with the first try, which costs known mail of that slice a second trip once. The read of
// the first try comes last: the answer to "when was this first seen" is what is stored, whoever wrote
// it. A write that was refused leaves FACT_ABSENT and a state that says why.
#include "node/store/inside.h"
#include "node/store/reply.h"

// ---- commands

static void send_read(struct store *store, struct op *op, struct redis *redis, enum key_table table,
                      const struct key_place *place, unsigned identities)
{
    char name[KEY_NAME_MAX];
    struct resp resp;

    resp_begin(&resp, "HMGET");
    resp_bytes(&resp, name, key_name(table, place, name));
    for (unsigned i = 0; i < identities; i++)
        resp_bytes(&resp, place->field[i], KEY_FIELD_BYTES);
    op_send(store->ops, op, redis, &resp);
}

static void send_first_seen(struct store *store, struct op *op, const struct store_triplet *triplet)
{
    const struct key_place *place = &triplet->key->pending[KEY_CURRENT];
    struct redis *redis = store->lane[STORE_LOOKUPS];
    uint8_t value[KEY_VALUE_BYTES];
    char name[KEY_NAME_MAX];
    size_t name_len = key_name(KEY_PENDING, place, name);
    struct resp resp;

    key_value_pack(triplet->now_ms, triplet->mark, value);
    for (unsigned i = 0; i < triplet->key->identity_count; i++) {
        if (triplet->key->identity[i].kind == KEY_ANY)
            continue;
        resp_begin(&resp, "HSETNX");
        resp_bytes(&resp, name, name_len);
        resp_bytes(&resp, place->field[i], KEY_FIELD_BYTES);
        resp_bytes(&resp, value, sizeof(value));
        op_send(store->ops, op, redis, &resp);
    }
    if (store_keeps_expiry(store)) {
        store_put_expiry(&resp, name, key_expiry_ms(place));
        op_send(store->ops, op, redis, &resp);
    }
}

// How many commands send_first_seen sends.
static unsigned first_seen_commands(const struct store *store, const struct store_triplet *triplet)
{
    unsigned writes = 0;

    for (unsigned i = 0; i < triplet->key->identity_count; i++)
        writes += triplet->key->identity[i].kind != KEY_ANY;
    return writes + store_keeps_expiry(store);
}

// ---- replies

static void read_stamp(struct store *store, struct op *op, const struct redisReply *value,
                       struct fact_stamp *stamp)
{
    if (value->type == REDIS_REPLY_NIL) {
        stamp->state = FACT_ABSENT;
        return;
    }
    if (reply_is_text(value) &&
        key_value_unpack(value->str, value->len, &stamp->at_ms, &stamp->mark)) {
        stamp->state = FACT_PRESENT;
        return;
    }
    store_note_garbage(store, op);
}

static void read_stamps(struct store *store, struct op *op, const struct redisReply *reply,
                        struct fact_stamp stamp[KEY_IDENTITY_MAX])
{
    unsigned identities = op->at->key->identity_count;

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_array(reply, identities)) {
        op_note(op, STORE_ERROR);
        return;
    }
    for (unsigned i = 0; i < identities; i++)
        read_stamp(store, op, reply->element[i], &stamp[i]);
}

// The first of a list that the near cache has not answered.
static struct store_triplet *asked_first(struct store_triplet *list)
{
    while (list != NULL && list->is_near)
        list = list->next;
    return list;
}

static void next_step(struct op *op, bool triplet_is_done)
{
    op->step++;
    if (triplet_is_done) {
        op->at = asked_first(op->at->next);
        op->step = 0;
    }
}

static void end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

// What was asked before the last drop may have been forgotten since; what is read while the events
// are not followed could be forgotten unheard.
static void learn(struct store *store, const struct op *op)
{
    if (store->near != NULL && store->events.last[0] != '\0' && op->drops == store->events.drops)
        near_learn(store->near, op->at->key, op->at->facts->passed[KEY_CURRENT], op->at->now_ms);
}

static void passed_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    read_stamps(store, op, reply, op->at->facts->passed[KEY_CURRENT]);
    learn(store, op);
    next_step(op, true);
}

static void both_passed_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    read_stamps(store, op, reply, op->at->facts->passed[op->step]);
    next_step(op, op->step == KEY_PREVIOUS);
}

// The replies of a pair in store_add_pending; those between the last two are of writes.
enum { REPLY_PASSED = 0, REPLY_PENDING = 1, PENDING_READS = 3 };

static unsigned pending_commands(const struct store *store, const struct store_triplet *triplet,
                                 bool read_only)
{
    return PENDING_READS + (read_only ? 0 : first_seen_commands(store, triplet));
}

static void pending_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    unsigned last = pending_commands(store, op->at, op->read_only) - 1;

    if (op->step == REPLY_PASSED)
        read_stamps(store, op, reply, op->at->facts->passed[KEY_PREVIOUS]);
    else if (op->step == REPLY_PENDING)
        read_stamps(store, op, reply, op->at->facts->pending[KEY_PREVIOUS]);
    else if (op->step == last)
        read_stamps(store, op, reply, op->at->facts->pending[KEY_CURRENT]);
    else if (reply->type == REDIS_REPLY_ERROR)
        op->at->facts->refused = true;
    next_step(op, op->step == last);
}

static const struct op_kind PASSED = {passed_reply, end};
static const struct op_kind BOTH_PASSED = {both_passed_reply, end};
static const struct op_kind PENDING = {pending_reply, end};

// ---- the seam

static void forget_stamps(struct fact_stamp stamp[KEY_IDENTITY_MAX])
{
    for (unsigned i = 0; i < KEY_IDENTITY_MAX; i++)
        stamp[i] = (struct fact_stamp){.state = FACT_UNKNOWN};
}

// An operation on a list; NULL: done was called, because there is nothing to ask or nobody to ask.
static struct op *begin(struct store *store, struct redis *redis, const struct op_kind *kind,
                        unsigned commands, struct store_triplet *list, struct store_done done)
{
    enum store_state why = STORE_UP;
    struct op *op = commands > 0 ? op_begin(store->ops, redis, kind, commands, &why) : NULL;

    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return NULL;
    }
    op->done = done;
    op->at = asked_first(list);
    op->drops = store->events.drops;
    op_hurry(store->ops, op, done.within_ms);
    return op;
}

// Asks the near cache, if it may be trusted: while everything is heard of, and while there is no
// store that could be asked instead. Whoever forgets does it in the store, and this node hears of
// it before it uses the store again.
static void recall(struct store *store, struct store_triplet *list)
{
    bool may = store->near != NULL &&
               (events_are_known(store) || redis_is_away(store->lane[STORE_LOOKUPS]));

    for (struct store_triplet *each = list; each != NULL; each = each->next) {
        each->is_near = may && near_recall(store->near, each->key, each->now_ms, each->life_ms,
                                           each->facts->passed[KEY_CURRENT]);
        store->counters.near_hits += each->is_near;
        store->counters.near_misses += store->near != NULL && !each->is_near;
    }
}

void store_read_passed(struct store *store, enum store_lane lane, struct store_triplet *list,
                       struct store_done done)
{
    struct redis *redis = store->lane[lane];
    bool both = lane == STORE_ADMIN;
    unsigned slices = both ? 2 : 1;
    unsigned commands = 0;

    for (struct store_triplet *each = list; each != NULL; each = each->next) {
        forget_stamps(each->facts->passed[KEY_CURRENT]);
        forget_stamps(each->facts->passed[KEY_PREVIOUS]);
        each->is_near = false;
    }
    if (lane == STORE_LOOKUPS)
        recall(store, list);
    for (const struct store_triplet *each = list; each != NULL; each = each->next)
        commands += each->is_near ? 0 : slices;
    struct op *op = begin(store, redis, both ? &BOTH_PASSED : &PASSED, commands, list, done);

    if (op == NULL)
        return;
    for (const struct store_triplet *each = list; each != NULL; each = each->next) {
        for (unsigned age = KEY_CURRENT; age < slices && !each->is_near; age++)
            send_read(store, op, redis, KEY_PASSED, &each->key->passed[age],
                      each->key->identity_count);
    }
}

void store_add_pending(struct store *store, struct store_triplet *list, bool read_only,
                       struct store_done done)
{
    struct redis *redis = store->lane[STORE_LOOKUPS];
    unsigned commands = 0;

    for (struct store_triplet *each = list; each != NULL; each = each->next) {
        forget_stamps(each->facts->passed[KEY_PREVIOUS]);
        forget_stamps(each->facts->pending[KEY_CURRENT]);
        forget_stamps(each->facts->pending[KEY_PREVIOUS]);
        each->is_near = false;
        each->facts->pending_asked = true;
        each->facts->refused = false;
        commands += pending_commands(store, each, read_only);
    }
    struct op *op = begin(store, redis, &PENDING, commands, list, done);

    if (op == NULL)
        return;
    op->read_only = read_only;
    for (const struct store_triplet *each = list; each != NULL; each = each->next) {
        const struct key_triplet *key = each->key;

        send_read(store, op, redis, KEY_PASSED, &key->passed[KEY_PREVIOUS], key->identity_count);
        send_read(store, op, redis, KEY_PENDING, &key->pending[KEY_PREVIOUS], key->identity_count);
        if (!read_only)
            send_first_seen(store, op, each);
        send_read(store, op, redis, KEY_PENDING, &key->pending[KEY_CURRENT], key->identity_count);
    }
}

static void write_current(struct store *store, enum key_table table, const struct key_triplet *key,
                          uint64_t at_ms, uint32_t mark)
{
    const struct key_place *place =
        table == KEY_PENDING ? &key->pending[KEY_CURRENT] : &key->passed[KEY_CURRENT];
    uint8_t value[KEY_VALUE_BYTES];
    char name[KEY_NAME_MAX];
    struct resp resp;
    unsigned written = 0;

    key_value_pack(at_ms, mark, value);
    resp_begin(&resp, "HSET");
    resp_bytes(&resp, name, key_name(table, place, name));
    for (unsigned i = 0; i < key->identity_count; i++) {
        if (key->identity[i].kind == KEY_ANY)
            continue;
        resp_bytes(&resp, place->field[i], KEY_FIELD_BYTES);
        resp_bytes(&resp, value, sizeof(value));
        written++;
    }
    if (written == 0)
        return;
    store_send(store, &resp);
    if (store_keeps_expiry(store)) {
        store_put_expiry(&resp, name, key_expiry_ms(place));
        store_send(store, &resp);
    }
}

void store_write_passed(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                        uint32_t mark)
{
    write_current(store, KEY_PASSED, key, now_ms, mark);
}

void store_align_pending(struct store *store, const struct key_triplet *key, uint64_t at_ms,
                         uint32_t mark)
{
    write_current(store, KEY_PENDING, key, at_ms, mark);
}
