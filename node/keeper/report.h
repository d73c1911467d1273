// report.h: what lint finds in a set, and what one set says otherwise than another: looked for beside the loop, because a
// set of a million members takes seconds, and handed over as rows.
#pragma once

#include <stddef.h>

#include "node/policy/hold.h"
#include "proto/base/loop.h"

enum { REPORT_ROWS_MAX = 900 };

// The fields of a row of policy.diff, or of a finding of policy.stage (kind, what, file, line).
struct report_row {
    const char *kind;
    char *what, *before, *after, *file;
    unsigned line;
};

struct report {
    struct report_row row[REPORT_ROWS_MAX];
    size_t count;
    size_t left_out; // rows more
};

// Called once, with what was found; NULL: the node is leaving. Valid during the call; possibly before the function returns.
struct report_done {
    void (*fn)(void *arg, const struct report *report);
    void *arg;
};

struct reports; // those under way

// report_lint, report_diff: take uses of the sets for themselves. now_ms: by which policies are over.
void report_lint(struct reports **reports, struct loop *loop, struct policy_hold *set,
                 uint64_t now_ms, struct report_done done);
void report_diff(struct reports **reports, struct loop *loop, struct policy_hold *before,
                 struct policy_hold *after, struct report_done done);
// reports_stop: whoever waits is told.
void reports_stop(struct reports **reports);
