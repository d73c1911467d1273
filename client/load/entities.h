// entities.h: what a store holds of reputations, counted: how many entities, and how much memory each takes there.
#pragma once

#include <stdint.h>

#include "proto/err.h"

struct entities {
    uint64_t count;
    uint64_t bytes; // as MEMORY USAGE of Redis says, key included
};

// entities_count: of the Redis at that address, host:port or unix:/path. Asks each key: for a store of tests. ERR_UNAVAILABLE; the detail
// says why.
MUST_USE enum err entities_count(const char *address, struct entities *out,
                                 struct err_detail *detail);
