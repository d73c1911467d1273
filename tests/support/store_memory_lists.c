// store_memory_lists.c: personal lists as people change and read them, in memory: the part of node/store/store.h that
// node/store/lists.c does in Redis.
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_memory_inside.h"

enum { LISTED_MAX = 512 };

static void look(struct memory *memory, struct store_list_entry *one)
{
    char key[PERSON_KEY_MAX];

    (void)person_list_key(one->mailbox, key);
    const char *value = memory_kept_get(memory, key, one->pattern);

    one->was_there = value != NULL;
    one->is_written = false;
    one->was.action = PERSON_NONE;
    if (value != NULL && !person_entry_read(value, strlen(value), &one->was))
        one->was.action = PERSON_NONE;
}

// The entry's value (NULL: it goes), and its mailbox among those that have a list.
static void put(struct memory *memory, struct store_list_entry *one, const char *value)
{
    char key[PERSON_KEY_MAX];
    bool has_others = value != NULL;

    (void)person_list_key(one->mailbox, key);
    memory_kept_set(memory, key, one->pattern, value, 0);
    for (const struct memory_kept *kept = memory->kept; kept != NULL; kept = kept->next)
        has_others |= strcmp(kept->key, key) == 0;
    memory_kept_set(memory, PERSON_LISTS_KEY, one->mailbox, has_others ? "1" : NULL, 0);
    one->is_written = true;
}

static bool does(enum store_state state)
{
    return memory_writes(state) && state != STORE_SLOW;
}

void store_list_read(struct store *store, struct store_list_entry *list, struct store_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];

    for (struct store_list_entry *each = list; each != NULL && memory_reads(state);
         each = each->next)
        look(store->memory, each);
    done.fn(done.arg, done.token, memory_reads(state) ? STORE_UP : state);
}

void store_list_write(struct store *store, struct store_list_entry *list, struct store_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];

    for (struct store_list_entry *each = list; each != NULL; each = each->next) {
        char value[PERSON_VALUE_MAX];

        store->memory->used.write_admin++;
        if (!does(state))
            continue;
        look(store->memory, each);
        (void)person_entry_write(&each->entry, value);
        put(store->memory, each, value);
    }
    done.fn(done.arg, done.token, does(state) ? STORE_UP : state);
}

void store_list_remove(struct store *store, struct store_list_entry *one, struct store_done done)
{
    enum store_state state = store->trouble[MEMORY_ADMIN];

    store->memory->used.write_admin++;
    if (does(state)) {
        look(store->memory, one);
        put(store->memory, one, NULL);
    }
    done.fn(done.arg, done.token, does(state) ? STORE_UP : state);
}

// The fields of a hash from the from-th on, in no order, as Redis gives them.
static void page(struct store *store, const char *key, uint64_t from, size_t limit,
                 struct store_listed_done done)
{
    struct store_listed *rows = mem_new_array(LISTED_MAX, sizeof(*rows));
    enum store_state state = store->trouble[MEMORY_ADMIN];
    uint64_t place = 0, next = 0;
    size_t count = 0;

    for (const struct memory_kept *kept = store->memory->kept;
         kept != NULL && memory_reads(state) && next == 0; kept = kept->next) {
        if (strcmp(kept->key, key) != 0 || place++ < from)
            continue;
        if (count == limit || count == LISTED_MAX) {
            next = place - 1;
            continue;
        }
        rows[count].name = kept->field;
        if (!person_entry_read(kept->value, strlen(kept->value), &rows[count].entry))
            rows[count].entry.action = PERSON_NONE;
        count++;
    }
    done.fn(done.arg, memory_reads(state) ? STORE_UP : state, rows, count, next);
    mem_free(rows);
}

void store_list(struct store *store, const char *mailbox, uint64_t from, size_t limit,
                struct store_listed_done done)
{
    char key[PERSON_KEY_MAX];

    (void)person_list_key(mailbox, key);
    page(store, key, from, limit, done);
}

void store_lists(struct store *store, uint64_t from, size_t limit, struct store_listed_done done)
{
    page(store, PERSON_LISTS_KEY, from, limit, done);
}
