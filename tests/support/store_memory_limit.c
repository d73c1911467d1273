// store_memory_limit.c: what somebody has sent today, in memory: the part of node/store/store.h that node/store/limit.c
// does in Redis, command by command.
#include <string.h>

#include "tests/support/store_memory_inside.h"

static bool is_of_key(const struct key_count *a, const struct key_count *b)
{
    return a->kind == b->kind && a->day == b->day &&
           memcmp(a->owner, b->owner, sizeof(a->owner)) == 0;
}

static bool is_there(const struct memory *memory, const struct memory_counted *counted)
{
    return !memory->table.expires || memory_now_ms(memory) < counted->expires_ms;
}

// HGET.
static struct memory_counted *find(struct memory *memory, const struct key_count *key)
{
    for (size_t i = 0; i < memory->counted_count; i++) {
        struct memory_counted *counted = &memory->counted[i];

        if (is_there(memory, counted) && is_of_key(&counted->key, key) &&
            memcmp(counted->key.field, key->field, sizeof(key->field)) == 0)
            return counted;
    }
    return NULL;
}

// HLEN.
static uint64_t count(const struct memory *memory, const struct key_count *key)
{
    uint64_t count = 0;

    for (size_t i = 0; i < memory->counted_count; i++)
        count += is_there(memory, &memory->counted[i]) && is_of_key(&memory->counted[i].key, key);
    return count;
}

size_t memory_limits(const struct memory *memory)
{
    size_t count = 0;

    for (size_t i = 0; i < memory->counted_count; i++)
        count += is_there(memory, &memory->counted[i]);
    return count;
}

// HSETNX, and HSET where there is none yet.
static struct memory_counted *add(struct memory *memory, const struct key_count *key,
                                  uint64_t expires_ms)
{
    struct memory_counted *counted = &memory->counted[memory->counted_count];

    if (memory->counted_count == MEMORY_COUNTED)
        return &memory->counted[0]; // a scenario that counts so much will not hold
    *counted = (struct memory_counted){.key = *key, .expires_ms = expires_ms};
    memory->counted_count++;
    return counted;
}

// HDEL.
static void drop(struct memory *memory, const struct key_count *key)
{
    struct memory_counted *counted = find(memory, key);

    if (counted != NULL)
        *counted = memory->counted[--memory->counted_count];
}

static void add_one(struct store *store, struct store_limit *limit, const struct op *op,
                    enum store_state state)
{
    struct memory *memory = store->memory;
    struct memory_counted *counted =
        memory_reads(state) || memory_writes(state) ? find(memory, limit->key) : NULL;

    memory->used.read_limit++;
    memory->used.write_limit += !op->read_only;
    limit->added = false;
    if (counted == NULL && !op->read_only && memory_writes(state)) {
        counted = add(memory, limit->key, limit->expires_ms);
        limit->added = true;
    }
    *limit->count = (struct limit_count){.state = FACT_UNKNOWN};
    if (!memory_reads(state) || (counted == NULL && !op->read_only))
        return;
    limit->count->state = FACT_PRESENT;
    limit->count->kept = counted != NULL && counted->kept;
    limit->count->count = count(memory, limit->key) + (counted == NULL ? limit->ahead + 1 : 0);
    if (limit->next != NULL && is_of_key(limit->key, limit->next->key))
        limit->next->ahead = limit->ahead + (counted == NULL);
}

void memory_limit_add(struct store *store, struct op *op, enum store_state state)
{
    bool is_done = memory_reads(state) && (op->read_only || memory_writes(state));

    for (struct store_limit *one = op->limits; one != NULL; one = one->next)
        one->ahead = 0;
    for (struct store_limit *one = op->limits; one != NULL; one = one->next)
        add_one(store, one, op, state);
    op->done.fn(op->done.arg, op->done.token, is_done ? STORE_UP : state);
}

void memory_limit_settle(struct store *store, struct op *op, enum store_state state)
{
    struct memory *memory = store->memory;
    struct memory_counted *counted;

    memory->used.write_settle++;
    if (!memory_writes(state)) {
        store->counters.lost_writes++;
        return;
    }
    if (!op->keep) {
        drop(memory, &op->count);
        return;
    }
    counted = find(memory, &op->count);
    if (counted == NULL)
        counted = add(memory, &op->count, op->at_ms);
    counted->kept = true;
}
