// used.h: how often each policy of a set was used, since that was last told to the store.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/chain.h"
#include "node/store/store.h"

struct used;

// used_new: for a set of so many policies.
struct used *used_new(size_t rule_count);
void used_free(struct used **used);

// used_count: the policies that a verdict names, in memory; some nanoseconds each.
void used_count(struct used *used, const struct policy *policy, const struct verdict *verdict,
                uint64_t now_ms);
// used_flush: tells the store of some of them, 256 at most; the others, and all of them while it is away, wait for the next
// time. policy is the set that was counted by.
void used_flush(struct used *used, const struct policy *policy, struct store *store);
// used_add: what the store was not told yet of a policy is added.
void used_add(const struct used *used, size_t rule, struct store_used *out);
