// measure.h: a mix of questions, for so long or so many, into a tally.
#pragma once

#include <signal.h>

#include "client/load/asker.h"
#include "client/load/tally.h"

struct measure_config {
    uint64_t count;                // questions; 0 = as many as there are in the time
    uint64_t seconds;              // 0 = no limit but count
    uint64_t rate;                 // questions a second, no more; 0 = as many as are answered
    uint64_t seed;                 // of strangers, and of what comes when
    uint64_t population;           // of known senders
    uint32_t mix[LOAD_KIND_COUNT]; // weights; one at least is not 0
};

// measure: ends early when *stop becomes true; what was asked until then is counted.
void measure(struct asker *asker, const struct measure_config *config,
             const volatile sig_atomic_t *stop, struct tally *out);
