// store_memory_used.c: node/store/store.h in memory, the parts about domains and policies: since when the ones are
// declared, and how often the others decided. A node asks and tells whenever it could have.
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

// ---- Since when domains are declared

// The clock that stamps are of: nobody believes one that jumped.
static bool may_declare(const struct store *store)
{
    return memory_reads(store_state(store)) && store_clock_ok(store);
}

// To its readers the store does not change; what it knows does.
static const struct since *since_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;
    struct since *known = &writable->since;
    struct since *all = &writable->memory->since;

    for (size_t i = 0; may_declare(store) && i < known->count; i++) {
        struct declared *row = &known->row[i];

        if (since_find(all, row->domain) == NULL && memory_writes(store_state(store)))
            since_set(all, row->domain, row->at_ms != 0 ? row->at_ms : store_now_ms(store));
        if (since_find(all, row->domain) != NULL)
            row->at_ms = since_find(all, row->domain)->at_ms;
    }
    return known;
}

void store_declare(struct store *store, const char *const *domain, size_t count)
{
    since_take(&store->since, domain, count);
    (void)since_of(store);
}

uint64_t store_declared(const struct store *store, const char *domain)
{
    const struct declared *row = since_find(since_of(store), domain);

    return row != NULL ? row->at_ms : 0;
}

const struct declared *store_declared_all(const struct store *store, size_t *count)
{
    const struct since *since = since_of(store);

    *count = since->count;
    return since->row;
}

uint64_t store_declared_changes(const struct store *store)
{
    (void)store;
    return 0;
}

void store_declared_learn(struct store *store, const char *domain, uint64_t at_ms)
{
    since_set(&store->since, domain, at_ms);
}

// ---- How often policies decided

static struct memory_used_row *row_of(struct memory *memory, const char *id)
{
    for (size_t i = 0; i < memory->used_count; i++)
        if (strcmp(memory->used_row[i].id, id) == 0)
            return &memory->used_row[i];
    if (memory->used_count == MEMORY_USED_ROWS)
        return NULL;
    memory->used_row[memory->used_count].id = mem_text(id);
    return &memory->used_row[memory->used_count++];
}

bool store_used_add(struct store *store, const struct store_used *used)
{
    struct memory_used_row *row;

    if (store_state(store) != STORE_UP)
        return false;
    row = row_of(store->memory, used->id);
    if (row == NULL)
        return false;
    row->hits += used->hits;
    row->shadow_hits += used->shadow_hits;
    row->last_ms = used->last_ms;
    return true;
}

void store_used_read(struct store *store, const char *const *id, size_t count,
                     struct used_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];
    struct store_used rows[STORE_USED_MAX] = {{0}};

    for (size_t i = 0; i < count; i++) {
        const struct memory_used_row *row =
            memory_reads(state) ? row_of(store->memory, id[i]) : NULL;

        rows[i].id = id[i];
        if (row == NULL)
            continue;
        rows[i].hits = row->hits;
        rows[i].shadow_hits = row->shadow_hits;
        rows[i].last_ms = row->last_ms;
    }
    done.fn(done.arg, memory_reads(state) ? STORE_UP : state, rows, count);
}

void memory_used_clear(struct memory *memory)
{
    for (size_t i = 0; i < memory->used_count; i++)
        mem_free(memory->used_row[i].id);
    memset(memory->used_row, 0, sizeof(memory->used_row));
    memory->used_count = 0;
}
