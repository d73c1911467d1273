// store_memory_directory.c: node/store/store.h in memory, the part about directories. The server has the rows, as hashes,
// and which directories are in force; each node a mirror of the latter, brought up to date whenever the node could have asked.
#include <stdio.h>
#include <string.h>

#include "tests/support/store_memory_inside.h"

// ---- the mirror

// To its readers the store does not change; what it mirrors does.
static const struct directory_table *table_of(const struct store *store)
{
    struct store *writable = (struct store *)(uintptr_t)store;
    const struct directory_table *from = &store->memory->directories;

    if (!memory_reads(store_state(store)))
        return &store->directories;
    directory_clear(&writable->directories);
    for (size_t i = 0; i < from->count; i++)
        (void)directory_set(&writable->directories, &from->item[i]);
    writable->knows_directories = true;
    return &store->directories;
}

bool store_directory(const struct store *store, const char *domain, struct person_directory *out)
{
    const struct store_directory *row = directory_find(table_of(store), domain);

    *out = row != NULL ? row->directory : (struct person_directory){.version = 0};
    return store->knows_directories;
}

bool store_directory_find(const struct store *store, const char *domain,
                          struct store_directory *out)
{
    const struct store_directory *row = directory_find(table_of(store), domain);

    if (row != NULL)
        *out = *row;
    return row != NULL;
}

size_t store_directory_count(const struct store *store)
{
    return table_of(store)->count;
}

size_t store_directory_list(const struct store *store, const char *after,
                            struct store_directory *out, size_t max)
{
    return directory_page(table_of(store), after, out, max);
}

// ---- the hashes

static void set_whole(struct memory *memory, const struct store_directory *row, const char *value)
{
    char key[PERSON_KEY_MAX];

    for (uint32_t i = 0; i < row->directory.buckets; i++) {
        (void)person_directory_key(&row->directory, i, key);
        memory_kept_set(memory, key, PERSON_WHOLE_FIELD, value, 0);
    }
}

static void add(struct memory *memory, const struct store_entry *entry)
{
    char key[PERSON_KEY_MAX];

    (void)person_directory_key(&entry->directory,
                               person_directory_bucket(&entry->directory, entry->address), key);
    memory_kept_set(memory, key, entry->address, entry->value, 0);
}

static size_t count_entries(const struct memory *memory, const struct store_directory *row)
{
    char end[TEXT_NUMBER_MAX + 3];
    size_t count = 0;

    (void)snprintf(end, sizeof(end), ".%llu}", (unsigned long long)row->directory.version);
    for (const struct memory_kept *kept = memory->kept; kept != NULL; kept = kept->next)
        count += strstr(kept->key, end) != NULL && strcmp(kept->field, PERSON_WHOLE_FIELD) != 0;
    return count;
}

void memory_lose_directory(struct memory *memory)
{
    for (size_t i = 0; i < memory->directories.count; i++)
        set_whole(memory, &memory->directories.item[i], NULL);
}

// ---- what an operator changes

static enum store_state trouble_of(struct store *store)
{
    const enum store_state state = store->trouble[MEMORY_ADMIN];

    store->memory->used.write_admin++;
    return memory_writes(state) && state != STORE_SLOW ? STORE_UP : state;
}

static void answer(struct store_done done, enum store_state state)
{
    done.fn(done.arg, done.token, state);
}

void store_directory_begin(struct store *store, struct store_directory *rows, size_t count,
                           struct store_done done)
{
    const enum store_state state = trouble_of(store);

    if (state == STORE_UP)
        directory_number(rows, count, store_now_ms(store));
    for (size_t i = 0; state == STORE_UP && i < count; i++)
        set_whole(store->memory, &rows[i], "0");
    answer(done, state);
}

void store_directory_add(struct store *store, const struct store_entry *rows, size_t count,
                         struct store_done done)
{
    const enum store_state state = trouble_of(store);

    for (size_t i = 0; state == STORE_UP && i < count; i++)
        add(store->memory, &rows[i]);
    answer(done, state);
}

void store_directory_switch(struct store *store, const struct store_directory *rows, size_t count,
                            struct store_directory_done done)
{
    const enum store_state state = trouble_of(store);
    const struct store_directory *torn = NULL;

    for (size_t i = 0; i < count && torn == NULL; i++)
        if (count_entries(store->memory, &rows[i]) != rows[i].entries)
            torn = &rows[i];
    for (size_t i = 0; i < count && torn == NULL && state == STORE_UP; i++) {
        set_whole(store->memory, &rows[i], PERSON_WHOLE_VALUE);
        (void)directory_set(&store->memory->directories, &rows[i]);
    }
    done.fn(done.arg, state, state == STORE_UP ? torn : NULL);
}

void store_directory_abort(struct store *store, const struct store_directory *rows, size_t count,
                           struct store_done done)
{
    const enum store_state state = trouble_of(store);

    for (size_t i = 0; state == STORE_UP && i < count; i++)
        set_whole(store->memory, &rows[i], NULL);
    answer(done, state);
}

void store_directory_drop(struct store *store, const char *domain, struct store_done done)
{
    const enum store_state state = trouble_of(store);

    if (state == STORE_UP)
        directory_remove(&store->memory->directories, domain);
    answer(done, state);
}

// ---- a line of a scenario

static bool read_status(const char *text, enum person_status *out)
{
    for (int i = PERSON_ACTIVE; i <= PERSON_DISABLED; i++) {
        if (strcmp(text, person_status_text((enum person_status)i)) != 0)
            continue;
        *out = (enum person_status)i;
        return true;
    }
    return false;
}

static bool add_word(struct memory *memory, const struct store_directory *directory,
                     const char *word)
{
    struct person_row row = {.state = FACT_PRESENT};
    const char *equals = strrchr(word, '=');
    char address[PERSON_ADDRESS_MAX];
    char value[2 * PERSON_ADDRESS_MAX];

    (void)snprintf(address, sizeof(address), "%.*s",
                   (int)(equals != NULL ? (size_t)(equals - word) : strlen(word)), word);
    if (equals != NULL && strchr(equals, '@') != NULL)
        (void)snprintf(row.mailbox, sizeof(row.mailbox), "%s", equals + 1);
    else if (equals != NULL && !read_status(equals + 1, &row.status))
        return false;
    (void)person_row_write(&row, "", value, sizeof(value));
    add(memory, &(struct store_entry){address, value, directory->directory});
    return strchr(address, '@') != NULL;
}

bool memory_directory(struct memory *memory, const char *domain, char *const *words, size_t count)
{
    struct store_directory row = {
        .domain = domain, .entries = count, .at_ms = memory_now_ms(memory), .by = "scenario"};
    bool is_sound = true;

    directory_number(&row, 1, memory_now_ms(memory));
    while (directory_find(&memory->directories, domain) != NULL &&
           directory_find(&memory->directories, domain)->directory.version >= row.directory.version)
        row.directory.version++;
    set_whole(memory, &row, PERSON_WHOLE_VALUE);
    for (size_t i = 0; i < count; i++)
        is_sound &= add_word(memory, &row, words[i]);
    return directory_set(&memory->directories, &row) && is_sound;
}
