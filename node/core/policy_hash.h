// policy_hash.h: the hash of the policy set's tables, between the builder and the readers. Text is hashed from
// its end, so that the hash of a domain is on the way to the hash of all domains below it: an address and all it can fit are
// hashed in one go. Not keyed: what stands in the tables is the operator's, and a stranger's address is only looked up.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"

#define POLICY_HASH_SEED 0x9e3779b97f4a7c15ULL

// MurmurHash3's finaliser: every bit of the result hangs on every bit of the value.
static inline uint64_t policy_hash_mix(uint64_t value)
{
    value ^= value >> 33;
    value *= 0xff51afd7ed558ccdULL;
    value ^= value >> 33;
    value *= 0xc4ceb9fe1a85ec53ULL;
    return value ^ value >> 33;
}

// FNV-1a over the bytes from the last to the first.
static inline uint64_t policy_hash_back(uint64_t hash, const char *text, size_t len)
{
    while (len > 0)
        hash = (hash ^ (unsigned char)text[--len]) * 0x100000001b3ULL;
    return hash;
}

static inline uint64_t policy_hash_end(uint64_t hash, enum policy_pattern_kind kind, bool internal)
{
    return policy_hash_mix(hash + ((uint64_t)kind << 1 | internal) * POLICY_HASH_SEED);
}

// policy_find_hashed: the number of a pattern whose hash is known, or POLICY_NOBODY.
uint32_t policy_find_hashed(const struct policy *policy, const struct policy_pattern *pattern,
                            uint64_t hash);
// policy_find_bucket: the policies that name these two, or NULL. Only if the table is not empty.
const struct policy_bucket *policy_find_bucket(const struct policy *policy, uint32_t table,
                                               uint32_t from, uint32_t to);
