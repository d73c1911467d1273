// lint_cover.h: which policies of a table fit whatever another one fits: those whose from, to and source hold all of its.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"

// A policy that covers, in the place where it was found: one that is bidirectional stands in two.
struct cover_fit {
    const struct policy_rule *rule;
    uint32_t from, to; // patterns
};

struct cover {
    const struct policy *policy;
    const struct policy_rule
        *rule;      // that is covered; may be one of the table's, but is no fit itself
    bool exchanged; // its from and to change places
    bool (*visit)(const struct cover_fit *fit, void *arg); // false ends it
    void *arg;
};
// cover_each: policies of the table that cover the rule. Of policies of one place the first ones alone.
void cover_each(const struct cover *cover, uint32_t table);

// cover_mark: sets marks[number] of each pattern that holds this one, itself included. cover_is_marked: whether one of
// those is set.
void cover_mark(const struct policy *policy, uint32_t number, bool is_from, bool *marks);
bool cover_is_marked(const struct policy *policy, uint32_t number, bool is_from, const bool *marks);

// cover_holds: whether `by` is in force whenever `rule` is, as far as that does not depend on the mail.
bool cover_holds(const struct policy_rule *by, const struct policy_rule *rule);
