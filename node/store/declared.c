// declared.c: since when internal domains are declared, in Redis. Promises: the first node that names a domain decides
// for all of them, and what is not known stays unknown until the store has said it; nobody waits.
//
//     HMGET since:{p} domain ...       as many as a command holds
//     HSETNX since:{p} domain now      each that is not there: now, or what this node knew before the store lost it
//     HMGET since:{p} domain ...       what this says counts
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum {
    CHUNK_ROWS = 64,
    CHUNK_BYTES = RESP_BYTES - 1024, // of names, with what each takes beside them
    NAME_HEAD_BYTES = 16,
    AGAIN_TICKS = 10, // after it failed
};

// ---- what a node knows

uint64_t store_declared(const struct store *store, const char *domain)
{
    const struct declared *row = since_find(&store->declaring.since, domain);

    return row != NULL ? row->at_ms : 0;
}

const struct declared *store_declared_all(const struct store *store, size_t *count)
{
    *count = store->declaring.since.count;
    return store->declaring.since.row;
}

uint64_t store_declared_changes(const struct store *store)
{
    return store->declaring.changes;
}

void store_declared_learn(struct store *store, const char *domain, uint64_t at_ms)
{
    if (at_ms == 0 || at_ms > SINCE_AT_MAX_MS)
        return;
    since_set(&store->declaring.since, domain, at_ms);
    declared_again(store); // rows have moved
}

void store_declare(struct store *store, const char *const *domain, size_t count)
{
    since_take(&store->declaring.since, domain, count);
    declared_again(store);
    declared_ask(store);
}

void declared_again(struct store *store)
{
    store->declaring.generation++; // what is under way does not count
    store->declaring.at = 0;
    store->declaring.rest_ticks = 0;
}

// ---- asking

// Some rows, one after another, as long as the table is the one that they were counted in.
struct chunk {
    uint64_t generation;
    size_t first, count;
    uint64_t missing;     // bit n: row first + n is not in the store
    unsigned writes_left; // replies of HSETNX to come
};
_Static_assert(CHUNK_ROWS <= 64, "a bit for each");

static bool is_old(const struct store *store, const struct chunk *chunk)
{
    return chunk->generation != store->declaring.generation;
}

static void send_names(struct store *store, struct op *op)
{
    const struct chunk *chunk = op->work;
    struct resp resp;

    resp_begin(&resp, "HMGET");
    resp_text(&resp, SINCE_KEY);
    for (size_t i = 0; i < chunk->count; i++)
        resp_text(&resp, store->declaring.since.row[chunk->first + i].domain);
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

// A stamp that is none leaves its domain unknown, and the others are asked about all the same.
static void complain(struct store *store)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds a domain's first declaration that is not of our format");
}

static void take_stamp(struct store *store, struct declared *row, const struct redisReply *reply)
{
    uint64_t at_ms = 0;

    if (!reply_number(reply, &at_ms) || at_ms == 0 || at_ms > SINCE_AT_MAX_MS) {
        complain(store);
        return;
    }
    store->declaring.changes += row->at_ms != at_ms;
    row->at_ms = at_ms;
}

static void take_stamps(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct chunk *chunk = op->work;

    if (reply->type == REDIS_REPLY_ERROR || is_old(store, chunk))
        return;
    if (!reply_is_array(reply, chunk->count)) {
        store_note_garbage(store, op);
        return;
    }
    chunk->missing = 0;
    for (size_t i = 0; i < chunk->count; i++) {
        if (reply->element[i]->type == REDIS_REPLY_NIL)
            chunk->missing |= 1ULL << i;
        else
            take_stamp(store, &store->declaring.since.row[chunk->first + i], reply->element[i]);
    }
}

static void rest(struct store *store, struct chunk *chunk)
{
    store->declaring.rest_ticks = AGAIN_TICKS;
    mem_free(chunk);
}

static void finish(struct store *store, struct op *op)
{
    struct chunk *chunk = op->work;

    store->declaring.is_asking = false;
    if (op->state != STORE_UP) {
        rest(store, chunk);
        return;
    }
    if (!is_old(store, chunk))
        store->declaring.at = chunk->first + chunk->count;
    mem_free(chunk);
    declared_ask(store);
}

static bool begin(struct store *store, const struct op_kind *kind, struct chunk *chunk,
                  unsigned commands, struct op **out)
{
    enum store_state why;

    *out = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);
    if (*out == NULL) {
        rest(store, chunk);
        return false;
    }
    (*out)->work = chunk;
    store->declaring.is_asking = true;
    return true;
}

// ---- those that are not there

static void got_added(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct chunk *chunk = op->work;

    if (chunk->writes_left == 0)
        take_stamps(store, op, reply);
    else
        chunk->writes_left--; // a refusal is the operation's: then all of it is asked again
}

static const struct op_kind ADD = {got_added, finish};

static void send_stamp(struct store *store, struct op *op, const struct declared *row)
{
    struct resp resp;

    resp_begin(&resp, "HSETNX");
    resp_text(&resp, SINCE_KEY);
    resp_text(&resp, row->domain);
    resp_number(&resp, row->at_ms != 0 ? row->at_ms : store_now_ms(store));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

static void add_missing(struct store *store, struct chunk *chunk)
{
    struct op *op = NULL;

    for (size_t i = 0; i < chunk->count; i++)
        chunk->writes_left += (unsigned)(chunk->missing >> i & 1U);
    if (!begin(store, &ADD, chunk, chunk->writes_left + 1, &op))
        return;
    for (size_t i = 0; i < chunk->count; i++)
        if ((chunk->missing >> i & 1U) != 0)
            send_stamp(store, op, &store->declaring.since.row[chunk->first + i]);
    send_names(store, op);
}

// ---- what is there

static void end_looking(struct store *store, struct op *op)
{
    struct chunk *chunk = op->work;

    if (op->state != STORE_UP || chunk->missing == 0 || is_old(store, chunk)) {
        finish(store, op);
        return;
    }
    store->declaring.is_asking = false;
    add_missing(store, chunk);
}

static const struct op_kind LOOK = {take_stamps, end_looking};

// The next rows that one command holds.
static struct chunk *next_chunk(const struct store *store)
{
    const struct since *since = &store->declaring.since;
    struct chunk *chunk = mem_new(sizeof(*chunk));
    size_t used = 0;

    chunk->generation = store->declaring.generation;
    chunk->first = store->declaring.at;
    for (size_t at = chunk->first; at < since->count && chunk->count < CHUNK_ROWS; at++) {
        used += strlen(since->row[at].domain) + NAME_HEAD_BYTES;
        if (used > CHUNK_BYTES)
            break;
        chunk->count++;
    }
    return chunk;
}

// No stamp is given by a clock that nobody believes; with replay there is none before the first request.
static bool may_ask(const struct store *store)
{
    return !store->declaring.is_asking && store->declaring.rest_ticks == 0 &&
           store->declaring.at < store->declaring.since.count &&
           redis_state(store->lane[STORE_ADMIN]) == STORE_UP && store_clock_ok(store) &&
           store_now_ms(store) != 0;
}

void declared_ask(struct store *store)
{
    struct op *op = NULL;

    if (may_ask(store) && begin(store, &LOOK, next_chunk(store), 1, &op))
        send_names(store, op);
}

void declared_tick(struct store *store)
{
    if (store->declaring.rest_ticks > 0)
        store->declaring.rest_ticks--;
    declared_ask(store);
}
