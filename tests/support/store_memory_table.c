// store_memory_table.c: chains of fields, found by the hash of their key. A scenario holds
// thousands of fields, not millions.
#include "tests/support/store_memory_table.h"

#include <string.h>

#include "proto/base/mem.h"

// FNV-1a, 32 bits. A key's fields share a chain, so that a scan of a key walks one chain.
static size_t chain_of(const char *key)
{
    uint32_t hash = 2166136261U;

    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * 16777619U;
    return hash % MEMORY_CHAINS;
}

static bool is_alive(const struct memory_table *table, const struct memory_field *field,
                     uint64_t now_ms)
{
    return !table->expires || now_ms < field->expires_ms;
}

// find: the field, dead or alive.
static struct memory_field *find(const struct memory_table *table, const struct memory_name *name)
{
    char key[KEY_NAME_MAX];
    struct memory_field *field;

    (void)key_name(name->table, name->place, key);
    for (field = table->chain[chain_of(key)]; field != NULL; field = field->next)
        if (strcmp(field->key, key) == 0 && memcmp(field->field, name->field, KEY_FIELD_BYTES) == 0)
            return field;
    return NULL;
}

const struct memory_field *memory_table_get(const struct memory_table *table,
                                            const struct memory_name *name, uint64_t now_ms)
{
    const struct memory_field *field = find(table, name);

    return field != NULL && is_alive(table, field, now_ms) ? field : NULL;
}

static struct memory_field *add(struct memory_table *table, const struct memory_name *name)
{
    struct memory_field *field = mem_new(sizeof(*field));
    size_t chain;

    (void)key_name(name->table, name->place, field->key);
    field->table = name->table;
    memcpy(field->field, name->field, KEY_FIELD_BYTES);
    chain = chain_of(field->key);
    field->next = table->chain[chain];
    table->chain[chain] = field;
    return field;
}

void memory_table_set(struct memory_table *table, const struct memory_name *name, bool keep,
                      const uint8_t value[KEY_VALUE_BYTES], uint64_t now_ms)
{
    struct memory_field *field = find(table, name);

    if (field == NULL)
        field = add(table, name);
    else if (keep && is_alive(table, field, now_ms))
        return;
    memcpy(field->value, value, KEY_VALUE_BYTES);
    field->expires_ms = key_expiry_ms(name->place);
}

void memory_table_take(struct memory_table *table, const struct memory_name *name, uint64_t now_ms,
                       bool (*fn)(void *arg, const struct memory_field *field), void *arg)
{
    char key[KEY_NAME_MAX];
    struct memory_field **at;

    (void)key_name(name->table, name->place, key);
    at = &table->chain[chain_of(key)];
    while (*at != NULL) {
        struct memory_field *field = *at;
        bool is_ours = strcmp(field->key, key) == 0 && is_alive(table, field, now_ms) &&
                       memcmp(field->field, name->field, KEY_PAIR_BYTES) == 0;

        if (is_ours && fn(arg, field)) {
            *at = field->next;
            mem_free(field);
        } else {
            at = &field->next;
        }
    }
}

size_t memory_table_count(const struct memory_table *table, enum key_table kind, uint64_t now_ms)
{
    size_t count = 0;

    for (size_t i = 0; i < MEMORY_CHAINS; i++)
        for (const struct memory_field *field = table->chain[i]; field != NULL; field = field->next)
            count += field->table == kind && now_ms < field->expires_ms;
    return count;
}

void memory_table_clear(struct memory_table *table)
{
    for (size_t i = 0; i < MEMORY_CHAINS; i++) {
        while (table->chain[i] != NULL) {
            struct memory_field *field = table->chain[i];

            table->chain[i] = field->next;
            mem_free(field);
        }
    }
}
