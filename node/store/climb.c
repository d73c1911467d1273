// climb.c: what climbs from a level to its parent: summed for a second, so that a parent that many share is written once a second
// and not once a message. Promises: a sum is written once, or counted as lost; sums are bounded; a store that is away is not asked, and they wait.
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/reputation.h"
#include "proto/base/mem.h"

struct climb_sum {
    struct climb_sum *next;    // of its chain
    struct climb_sum *younger; // of all
    uint64_t hash;
    uint64_t tick; // of its first part
    struct climb_part part;
    char path[]; // where part.path points
};

// ---- sums

static uint64_t mix(uint64_t hash, uint8_t byte)
{
    return (hash ^ byte) * 1099511628211U; // FNV-1a: the texts are ours, or domains
}

static uint64_t hash_of(const struct climb_part *part)
{
    uint64_t hash = 14695981039346656037U;

    for (const char *at = part->path; *at != '\0'; at++)
        hash = mix(hash, (uint8_t)*at);
    hash = mix(hash, (uint8_t)part->reporter);
    hash = mix(hash, (uint8_t)(part->reporter >> 8));
    return mix(hash, part->is_spam);
}

static struct climb_sum **chain_of(struct climb *climb, uint64_t hash)
{
    return &climb->chain[(hash ^ hash >> 32) % CLIMB_CHAINS];
}

static bool is_same(const struct climb_sum *sum, uint64_t hash, const struct climb_part *part)
{
    return sum->hash == hash && sum->part.reporter == part->reporter &&
           sum->part.is_spam == part->is_spam && strcmp(sum->path, part->path) == 0;
}

static struct climb_sum *sum_new(struct climb *climb, uint64_t hash, const struct climb_part *part)
{
    const size_t size = strlen(part->path) + 1;
    struct climb_sum *sum = mem_new(sizeof(*sum) + size);
    struct climb_sum **chain = chain_of(climb, hash);

    *sum = (struct climb_sum){.next = *chain, .hash = hash, .tick = climb->tick, .part = *part};
    memcpy(sum->path, part->path, size);
    sum->part.path = sum->path;
    sum->part.weight = 0;
    *chain = sum;
    if (climb->last != NULL)
        climb->last->younger = sum;
    else
        climb->first = sum;
    climb->last = sum;
    climb->count++;
    return sum;
}

void climb_add(struct store *store, const struct climb_part *part)
{
    struct climb *climb = &store->reputing.climb;
    const uint64_t hash = hash_of(part);
    struct climb_sum *sum = *chain_of(climb, hash);

    while (sum != NULL && !is_same(sum, hash, part))
        sum = sum->next;
    if (sum == NULL && climb->count >= CLIMB_MAX) {
        store->counters.lost_writes++;
        return;
    }
    if (sum == NULL)
        sum = sum_new(climb, hash, part);
    sum->part.weight += part->weight;
    if (part->now_s > sum->part.now_s)
        sum->part.now_s = part->now_s;
}

// take_first: out of all lists; the caller frees it.
static struct climb_sum *take_first(struct climb *climb)
{
    struct climb_sum *sum = climb->first;
    struct climb_sum **at = chain_of(climb, sum->hash);

    while (*at != sum)
        at = &(*at)->next;
    *at = sum->next;
    climb->first = sum->younger;
    if (climb->first == NULL)
        climb->last = NULL;
    climb->count--;
    return sum;
}

void climb_clear(struct climb *climb)
{
    while (climb->first != NULL)
        mem_free(take_first(climb));
}

void climb_forget(struct store *store, uint16_t reporter)
{
    for (struct climb_sum *sum = store->reputing.climb.first; sum != NULL; sum = sum->younger)
        if (sum->part.reporter == reporter)
            sum->part.weight = 0;
}

// ---- writing

struct batch {
    struct climb_sum *sum[CLIMB_BATCH];
    unsigned count, at;
};

// The first key of a path; NULL behind it, if there is nothing.
static const char *split(const char *path, char key[REPUTATION_KEY_MAX])
{
    const size_t len = strcspn(path, " ");

    if (len >= REPUTATION_KEY_MAX) {
        key[0] = '\0';
        return NULL;
    }
    memcpy(key, path, len);
    key[len] = '\0';
    return path[len] == ' ' ? path + len + 1 : NULL;
}

static void learn(struct store *store, const char *key, const struct redisReply *value)
{
    struct reputation_level level;

    if (value != NULL && reputation_id_read(key, &level.id))
        (void)reputation_take(store, &level, value);
}

static void got_sum(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct batch *batch = op->work;
    const struct climb_sum *sum = batch->sum[batch->at++];
    struct climb_part part = sum->part;
    struct script_added taken;
    char key[REPUTATION_KEY_MAX];

    if (reply_state(reply) == STORE_NOSCRIPT) { // nothing was done: again, whole
        reputation_unname(store);
        climb_add(store, &part);
        return;
    }
    if (reply->type == REDIS_REPLY_ERROR) {
        store->counters.lost_writes++;
        return;
    }
    part.path = split(sum->path, key);
    if (!script_take_add(reply, &taken)) {
        store_note_garbage(store, op);
        return;
    }
    learn(store, key, taken.value);
    part.weight = taken.added.onward;
    if (part.path != NULL && part.weight >= REPUTATION_LEAST)
        climb_add(store, &part);
}

static void end_sums(struct store *store, struct op *op)
{
    struct batch *batch = op->work;

    if (op->state != STORE_UP)
        store->counters.lost_writes += batch->count - batch->at;
    for (unsigned i = 0; i < batch->count; i++)
        mem_free(batch->sum[i]);
    mem_free(batch);
    store->reputing.climb.batches--;
    if (!store->is_closing)
        climb_flush(store);
}

static const struct op_kind SUMS = {got_sum, end_sums};

static void send_sum(struct store *store, struct op *op, const struct climb_sum *sum)
{
    const struct climb *climb = &store->reputing.climb;
    const struct reputation_report report = {.reporter = sum->part.reporter,
                                             .active = store_reporters(store).active,
                                             .is_spam = sum->part.is_spam,
                                             .weight = sum->part.weight,
                                             .now_s = sum->part.now_s};
    struct reputation_id id;
    char key[REPUTATION_KEY_MAX];
    struct resp resp;

    (void)split(sum->path, key);
    (void)reputation_id_read(key, &id); // a path is made of keys
    const struct script_how how = reputation_how(store);

    script_put_add(&resp, key, &climb->settings.level[id.kind], &report, &how);
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

static bool is_due(const struct climb *climb)
{
    return climb->first != NULL && (climb->is_urgent || climb->first->tick < climb->tick);
}

static unsigned count_due(const struct climb *climb)
{
    unsigned count = 0;

    for (const struct climb_sum *sum = climb->first;
         sum != NULL && count < CLIMB_BATCH && (climb->is_urgent || sum->tick < climb->tick);
         sum = sum->younger)
        count++;
    return count;
}

// False: the store is away, or crowded: what is due waits for the next second.
static bool send_batch(struct store *store)
{
    struct climb *climb = &store->reputing.climb;
    const unsigned count = count_due(climb);
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], &SUMS, count, &why);

    if (op == NULL)
        return false;
    struct batch *batch = mem_new(sizeof(*batch));

    op->work = batch;
    climb->batches++;
    while (batch->count < count)
        batch->sum[batch->count++] = take_first(climb);
    for (unsigned i = 0; i < count; i++)
        send_sum(store, op, batch->sum[i]);
    return true;
}

void climb_flush(struct store *store)
{
    struct climb *climb = &store->reputing.climb;

    while (climb->batches < CLIMB_BATCHES && is_due(climb) && send_batch(store))
        continue;
    if (climb->count == 0 && climb->batches == 0)
        climb->is_urgent = false;
}

void store_reputation_flush(struct store *store)
{
    store->reputing.climb.is_urgent = true;
    gateways_flush(store);
    climb_flush(store);
}

size_t store_reputation_waiting(const struct store *store)
{
    return store->reputing.climb.count + store->reputing.climb.batches;
}
