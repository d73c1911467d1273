// diff.h: what one policy set says otherwise than another.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node/core/policy.h"

enum policy_change_kind { POLICY_ADDED, POLICY_REMOVED, POLICY_CHANGED };

// One statement (canonical.h) that only one of the sets makes, or both differently. Texts live until the next one.
struct policy_change {
    enum policy_change_kind kind;
    const char *what;   // "policy c", "member staff ann@corp.example", "setting greylist.mode"
    const char *before; // one line of YAML; "" if it was added
    const char *after;  // likewise; "" if it was removed
    const char
        *file; // where it stands, in the set before if it was removed; "" if that is not known
    unsigned line;
};

// policy_diff: all of them: domains, networks, settings, groups with their members, users, policies, each sorted by its
// name. visit returns false to end it. Takes a second or two for sets of a million members, most of it the same: not
// for a thread that has requests to answer.
void policy_diff(const struct policy *before, const struct policy *after,
                 bool (*visit)(const struct policy_change *change, void *arg), void *arg);

// policy_change_word: "added", "removed", "changed".
const char *policy_change_word(enum policy_change_kind kind);
