// store_memory_mirror.c: node/store/store.h in memory, the part about expected mail. The server has
// a table, and each node a mirror, as in the product; a mirror is brought up to date whenever the
// node could have asked.
#include <string.h>

#include "tests/support/store_memory_inside.h"

static void copy_table(struct mirror *to, const struct mirror *from)
{
    mirror_clear(to);
    for (size_t i = 0; i < from->count; i++)
        mirror_set(to, &from->item[i]);
}

// To its readers the store does not change; what it mirrors does.
static const struct mirror *mirror_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;

    if (memory_reads(store_state(store)))
        copy_table(&writable->mirror, &store->memory->mirror);
    return &store->mirror;
}

uint64_t store_expected(const struct store *store, const char *recipient)
{
    const struct expectation *row = mirror_find(mirror_of(store), recipient);

    return row != NULL ? row->until_ms : 0;
}

size_t store_expect_count(const struct store *store)
{
    return mirror_of(store)->count;
}

size_t store_expect_list(const struct store *store, const char *after, struct expectation *out,
                         size_t max)
{
    return mirror_page(mirror_of(store), after, store_now_ms(store), out, max);
}

void store_expect_add(struct store *store, const struct expectation *row, struct expect_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];
    bool is_done = memory_writes(state) && state != STORE_SLOW;

    store->memory->used.write_admin++;
    if (is_done)
        mirror_set(&store->memory->mirror, row);
    done.fn(done.arg, is_done ? STORE_UP : state, is_done ? row : NULL);
}

void store_expect_remove(struct store *store, const char *recipient, struct expect_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];
    bool is_done = memory_writes(state) && state != STORE_SLOW;
    const struct expectation *row = mirror_find(&store->memory->mirror, recipient);

    store->memory->used.write_admin++;
    done.fn(done.arg, is_done ? STORE_UP : state, is_done ? row : NULL);
    if (is_done)
        mirror_remove(&store->memory->mirror, recipient);
}
