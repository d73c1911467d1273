// lint_find.h: between the files of lint: findings while they are gathered.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/policy/lint.h"
#include "proto/err.h"

struct lint_finding {
    struct policy_finding said;
    size_t order;
};

struct lint {
    const struct policy *policy;
    uint64_t now_ms;
    bool *is_wide; // of a group's pattern: it has members that may be any number of people
    struct lint_finding *finding;
    size_t count;
};

void lint_say(struct lint *lint, const char *kind, const char *file, unsigned line, const char *fmt,
              ...) PRINTF_LIKE(5, 6);

// lint_rules.c: policies that others decide before.
void lint_rules(struct lint *lint);
