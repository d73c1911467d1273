// report.h: what the log tells of the nodes: each change of state, and on request the counters.
#pragma once

#include <stdint.h>

#include "client/lib/reeve.h"
#include "proto/base/log.h"

enum { REPORT_BURST = 16 };

// Zeroed at first.
struct report {
    struct log_limit lines[REPORT_BURST]; // used in turn: that many lines a second
    unsigned used;
};

// report_node: reeve_options.node_changed; arg is a struct report.
void report_node(void *arg, const struct reeve_node *node);

// report_all: a line a node and one for all of them together.
void report_all(struct reeve *reeve);
// report_totals: the one for all of them together.
void report_totals(const struct reeve *reeve);
