// retry.h: first tries and passes of the whole cluster by pending slice, so that "failed to retry"
// can be told as a number: `c:retry:{<slice_ms>:<slice>}` with the fields first and pass.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/store.h"

enum { RETRY_SLICES_MAX = 8 };

struct retry {
    struct retry_counts waiting[RETRY_SLICES_MAX]; // not sent yet
    unsigned count;
    uint64_t slice_ms; // of the last count: the window in force; 0 = not known
    bool known;
    struct retry_counts whole; // of the newest slice whose window is over
};

void retry_flush(struct store *store); // once a second
void retry_ask(struct store *store);   // once a minute
