// store_memory_table.h: the hashes of the store in memory: (key, field) -> 10 byte value, with one
// expiry a key.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/key.h"

struct memory_field {
    struct memory_field *next; // of one chain
    enum key_table table;
    uint64_t expires_ms; // of its key; every write sends it along
    char key[KEY_NAME_MAX];
    uint8_t field[KEY_FIELD_BYTES];
    uint8_t value[KEY_VALUE_BYTES];
};

enum { MEMORY_CHAINS = 4096 };

struct memory_table {
    struct memory_field *chain[MEMORY_CHAINS];
    bool expires; // false: what has expired is found all the same
};

// One field of one place, as the commands name it.
struct memory_name {
    enum key_table table;
    const struct key_place *place;
    const uint8_t *field;
};

// HGET: NULL if there is none, or its key has expired by now_ms.
const struct memory_field *memory_table_get(const struct memory_table *table,
                                            const struct memory_name *name, uint64_t now_ms);
// HSET (keep false), HSETNX (keep true), with EXPIREAT.
void memory_table_set(struct memory_table *table, const struct memory_name *name, bool keep,
                      const uint8_t value[KEY_VALUE_BYTES], uint64_t now_ms);
// memory_table_take: HSCAN of one key: calls fn for each field of the pair that the name's field
// begins with; a field for which fn says true is removed (HDEL).
void memory_table_take(struct memory_table *table, const struct memory_name *name, uint64_t now_ms,
                       bool (*fn)(void *arg, const struct memory_field *field), void *arg);
size_t memory_table_count(const struct memory_table *table, enum key_table kind, uint64_t now_ms);
void memory_table_clear(struct memory_table *table);
