// parents.h: levels above a leaf, as they were read a moment ago: many messages share them, and a few seconds more or less change nothing. Pure: a
// bounded set-associative table; what has no room takes the oldest's place.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/reputation.h"

enum {
    PARENTS_KEEP_MS = 5000,
    PARENTS_SETS = 4096, // of PARENTS_WAYS entries of 64 bytes: a mebibyte
    PARENTS_WAYS = 4,
    PARENTS_SECRET_BYTES = 16,
};

struct parents;

struct parents *parents_new(const uint8_t secret[PARENTS_SECRET_BYTES]);
void parents_free(struct parents **parents); // null-safe, NULLs
void parents_drop(struct parents *parents);  // forgets all
// parents_put: what the store said of the level, PRESENT or ABSENT; key is its id's.
void parents_put(struct parents *parents, const char *key, const struct reputation_level *level,
                 uint64_t now_ms);
// parents_get: fills state and is, if the level was read within PARENTS_KEEP_MS.
bool parents_get(const struct parents *parents, const char *key, struct reputation_level *level,
                 uint64_t now_ms);
