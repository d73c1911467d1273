// hold.h: a compiled policy set and how many use it; the last one out frees it, beside the loop, because freeing a
// hundred thousand policies takes as long as many lookups.
#pragma once

#include "node/core/policy.h"
#include "proto/base/loop.h"

struct used;

struct policy_hold {
    struct policy *policy;
    unsigned users;
    struct loop *loop; // borrowed; NULL: it is freed at once
    struct used
        *used; // how often its policies were, as who judges by it counts; NULL = nobody counts
    void (*used_free)(struct used **used);
};

// hold_new: takes the set. One uses it: the caller.
struct policy_hold *hold_new(struct policy *policy, struct loop *loop);
// hold_take: one more uses it. Returns it.
struct policy_hold *hold_take(struct policy_hold *hold);
// hold_release: one less. NULL-safe, NULLs.
void hold_release(struct policy_hold **hold);
