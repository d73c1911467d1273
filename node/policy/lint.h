// lint.h: what an author of a policy set probably did not mean: entries that never decide anything, and entries
// that contradict each other. A finding is a warning: the set is fine all the same, and means what it says.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"

struct policy_finding {
    const char *kind; // a word of the list below
    const char *file;
    unsigned line;
    const char *
        what; // one line for a person, with the other place where there is one; lives until the next one
};

// policy_lint: all of them, in the order of files and lines. visit returns false to end it. now_ms: wall time, by
// which policies are over. Its time grows with the set's size, not with its square.
//
//     dead            it can never decide: it is over, others fit all its mail and go first, or nobody asks it
//     shadowed        another policy of the same place decides first
//     contradicting   a block and a permit say the opposite about the same mail
//     verp            a sender that names one mail: it matches once
//     header          its header part decides nothing in this version
//     cycle           groups that lie in each other
//     empty           a group without members that is used; a send_as of nobody
//     limit           a limit that another one makes idle
//     stranger        a mailbox or an alias outside the internal domains
void policy_lint(const struct policy *policy, uint64_t now_ms,
                 bool (*visit)(const struct policy_finding *finding, void *arg), void *arg);

// policy_lint_used: findings "unused" about policies that have not decided since since_ms. last_ms says when the policy
// (by its id) did, 0 = never. Those that are not in force for themselves (disabled, over) are not named again.
void policy_lint_used(const struct policy *policy, uint64_t now_ms, uint64_t since_ms,
                      uint64_t (*last_ms)(const char *id, void *arg),
                      bool (*visit)(const struct policy_finding *finding, void *arg), void *arg);
