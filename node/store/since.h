// since.h: since when internal domains are declared, as a node has it in memory. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

// A stamp later than this is none: in the year 10889.
#define SINCE_AT_MAX_MS ((1ULL << 48) - 1)

struct since {
    struct declared *row; // sorted by domain; the names are owned
    size_t count;
    size_t room;
};

// since_find: NULL if it has no such domain.
struct declared *since_find(const struct since *since, const char *domain);
// since_set: adds it, or changes what is known of it.
void since_set(struct since *since, const char *domain, uint64_t at_ms);
// since_take: from now on these domains (sorted, none twice); what is known of them stays, the others go.
void since_take(struct since *since, const char *const *domain, size_t count);
void since_clear(struct since *since);
