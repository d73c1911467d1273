// reputation.c: what the lookup reads. Promises: one command, or none; what cannot be read stays unknown; a value that is none of ours is
// unknown, is complained of, and costs no other level.
#include "node/store/reputation.h"

#include <hiredis/hiredis.h>
#include <sodium.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// ---- the roots

static const struct reputation_id ROOTS[] = {{.kind = REPUTATION_WORLD},
                                             {.kind = REPUTATION_SENDERS}};

bool reputation_is_empty(const struct store *store)
{
    const struct reputing *reputing = &store->reputing;

    return reputing->has_looked && reputing->are_roots_empty && reputing->reporters.count == 0;
}

static void got_roots(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    const enum store_state state = reply_state(reply);

    (void)tag;
    store->reputing.is_looking = false;
    store_note_error(store, state, reply);
    if (state != STORE_UP || !reply_is_array(reply, 2))
        return;
    store->reputing.has_looked = true;
    store->reputing.are_roots_empty =
        reply->element[0]->type == REDIS_REPLY_NIL && reply->element[1]->type == REDIS_REPLY_NIL;
}

void reputation_complain(struct store *store)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds reputation that is not of our format");
}

static void put_keys(struct resp *resp, const struct reputation_id *id, size_t count)
{
    char key[REPUTATION_KEY_MAX];

    for (size_t i = 0; i < count; i++)
        resp_bytes(resp, key, reputation_key(&id[i], key));
}

void reputation_look(struct store *store)
{
    struct reputing *reputing = &store->reputing;
    const uint64_t now_ms = clock_mono_ms();
    struct redis_wait wait = {.fn = got_roots, .arg = store};
    struct resp resp;

    if (reputing->is_looking || store->config->replay ||
        (reputing->has_looked &&
         (!reputing->are_roots_empty || now_ms - reputing->looked_ms < REPUTATION_ROOTS_MS)))
        return;
    resp_begin(&resp, "MGET");
    put_keys(&resp, ROOTS, 2);
    if (!redis_send(store->lane[STORE_ADMIN], &resp, wait))
        return;
    store->counters.event_polls++;
    reputing->is_looking = true;
    reputing->looked_ms = now_ms;
}

void reputation_learn(struct store *store, const struct reputation_level *level)
{
    uint8_t secret[PARENTS_SECRET_BYTES];
    char key[REPUTATION_KEY_MAX];

    if (level->state == FACT_UNKNOWN)
        return;
    if (level->id.kind == REPUTATION_IP || level->id.kind == REPUTATION_SENDER)
        return; // nobody's parent
    if (store->reputing.parents == NULL) {
        randombytes_buf(secret, sizeof(secret));
        store->reputing.parents = parents_new(secret);
    }
    (void)reputation_key(&level->id, key);
    parents_put(store->reputing.parents, key, level, clock_mono_ms());
}

// ---- scripts by name

struct script_how reputation_how(const struct store *store)
{
    return (struct script_how){.keeps = store_keeps_expiry(store), .names = &store->reputing.names};
}

// Where it is refused they are sent whole.
static void got_name(void *arg, uint64_t script, const struct redisReply *reply)
{
    struct store *store = arg;

    store_note_error(store, reply_state(reply), reply);
    (void)script_take_name(reply, store->reputing.names.of[script]);
}

void reputation_name_scripts(struct store *store)
{
    struct redis_wait wait = {.fn = got_name, .arg = store};
    struct resp resp;

    if (store->reputing.has_asked_names)
        return;
    store->reputing.has_asked_names = true;
    for (int script = 0; script < SCRIPT_COUNT; script++) {
        script_put_load(&resp, (enum script)script);
        wait.tag = (uint64_t)script;
        (void)redis_send(store->lane[STORE_ADMIN], &resp, wait); // fails only with the connection
    }
}

static void forget_names(struct store *store)
{
    store->reputing.names = (struct script_names){.of = {""}};
    store->reputing.has_asked_names = false;
}

void reputation_unname(struct store *store)
{
    if (store->reputing.names.of[0][0] == '\0')
        return; // it was said before
    forget_names(store);
    reputation_name_scripts(store);
}

// ---- reading

struct reading {
    struct reputation_facts *facts;
    unsigned wanted[REPUTATION_LEVELS_MAX];
    unsigned count;
    unsigned replies;
};

static bool is_leaf(const struct reputation_facts *facts, unsigned at)
{
    return at == 0 || at == facts->address_count;
}

static bool is_near(const struct store *store, struct reputation_level *level)
{
    char key[REPUTATION_KEY_MAX];

    if (store->reputing.parents == NULL || store->config->replay)
        return false;
    (void)reputation_key(&level->id, key);
    return parents_get(store->reputing.parents, key, level, clock_mono_ms());
}

static void choose(const struct store *store, struct reading *reading)
{
    struct reputation_facts *facts = reading->facts;

    for (unsigned i = 0; i < facts->count; i++)
        if (is_leaf(facts, i) || !is_near(store, &facts->level[i]))
            reading->wanted[reading->count++] = i;
}

bool reputation_take(struct store *store, struct reputation_level *level,
                     const struct redisReply *reply)
{
    level->is = (struct reputation_state){.at_s = 0};
    level->state = FACT_ABSENT;
    if (reply->type != REDIS_REPLY_NIL) {
        level->state = FACT_UNKNOWN;
        if (!reply_is_text(reply) ||
            reputation_unpack(level->id.kind, reply->str, reply->len, &level->is) != ERR_NONE)
            return false;
        level->state = FACT_PRESENT;
    }
    reputation_learn(store, level);
    return true;
}

static void got_levels(struct store *store, struct op *op, const struct redisReply *reply)
{
    const struct reading *reading = op->work;
    bool is_sound = reply_is_array(reply, reading->count);

    for (unsigned i = 0; i < reading->count && is_sound; i++)
        if (!reputation_take(store, &reading->facts->level[reading->wanted[i]], reply->element[i]))
            store_note_garbage(store, op);
    if (!is_sound)
        store_note_garbage(store, op);
}

static void got_read(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct reading *reading = op->work;
    const unsigned at = reading->replies++;

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (at == 0)
        got_levels(store, op, reply);
    else if (!gateways_take_all(store, reply))
        store_note_garbage(store, op);
}

static void end_read(struct store *store, struct op *op)
{
    (void)store;
    mem_free(op->work);
    op->done.fn(op->done.arg, op->done.token, op->state);
}

static const struct op_kind READ = {got_read, end_read};

static void send_read(struct store *store, struct op *op, const struct reading *reading)
{
    struct redis *redis = store->lane[STORE_LOOKUPS];
    struct resp resp;

    resp_begin(&resp, "MGET");
    for (unsigned i = 0; i < reading->count; i++)
        put_keys(&resp, &reading->facts->level[reading->wanted[i]].id, 1);
    op_send(store->ops, op, redis, &resp);
    if (!store->config->replay)
        return;
    resp_begin(&resp, "HGETALL");
    resp_text(&resp, SCRIPT_GATEWAYS);
    op_send(store->ops, op, redis, &resp);
}

void store_read_reputation(struct store *store, struct reputation_facts *facts,
                           struct store_done done)
{
    const bool is_empty = reputation_is_empty(store); // never with replay, which does not look
    enum store_state why = STORE_UP;

    for (unsigned i = 0; i < facts->count; i++) {
        facts->level[i].state = is_empty ? FACT_ABSENT : FACT_UNKNOWN;
        facts->level[i].is = (struct reputation_state){.at_s = 0};
    }
    struct reading *reading = NULL;

    if (!is_empty && facts->count > 0) {
        reading = mem_new(sizeof(*reading));
        reading->facts = facts;
        choose(store, reading);
    }
    struct op *op = reading == NULL ? NULL
                                    : op_begin(store->ops, store->lane[STORE_LOOKUPS], &READ,
                                               1U + store->config->replay, &why);

    if (op == NULL) {
        mem_free(reading);
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->work = reading;
    op_hurry(store->ops, op, done.within_ms);
    send_read(store, op, reading);
}

// ---- life

void reputation_clear(struct store *store)
{
    parents_free(&store->reputing.parents);
    reporters_clear(&store->reputing.reporters);
    climb_clear(&store->reputing.climb);
    volumes_clear(&store->reputing.volumes);
}

void reputation_tick(struct store *store)
{
    store->reputing.climb.tick++;
    gateways_flush(store);
    climb_flush(store);
    volumes_flush(store);
}

void reputation_lost(struct store *store)
{
    forget_names(store);
    store->reputing.has_looked = false;
    if (store->reputing.parents != NULL)
        parents_drop(store->reputing.parents);
}
