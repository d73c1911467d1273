// tally.h: what came of a load's questions, counted; and how it is told.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "client/load/asker.h"
#include "client/load/histogram.h"

// X(name, what is asked): the kinds of questions of a mix.
#define LOAD_KINDS(X)                                                   \
    X(known, "of all the known senders, one after the other at random") \
    X(new, "of a sender that was never seen before")                    \
    X(cached, "of the first sixteen known senders again and again")

enum load_kind {
#define LOAD_KIND(name, what) LOAD_##name,
    LOAD_KINDS(LOAD_KIND)
#undef LOAD_KIND
        LOAD_KIND_COUNT
};
// load_kind_name: NULL behind the last.
const char *load_kind_name(unsigned kind);

enum { TALLY_REASONS_MAX = 32, TALLY_REASON_BYTES = 32 };

struct tally_reason {
    char name[TALLY_REASON_BYTES];
    uint64_t count;
};

struct tally {
    struct histogram took[LOAD_KIND_COUNT];        // of those that were answered
    struct tally_reason reason[TALLY_REASONS_MAX]; // in the order in which they were met
    unsigned reason_count;
    uint64_t answered, shadowed, degraded;
    uint64_t refused, damaged, timed_out; // a gateway would have used its fallback
    uint64_t began_us, ended_us;
};

void tally_add(struct tally *tally, const struct asker_question *question,
               const struct asker_answer *answer);

// What a report says beside the numbers.
struct tally_about {
    const struct asker_config *config;
    uint64_t seed, population;
    uint64_t late, unsent; // asker.h
    bool as_json;          // one object, one line
};

// tally_print: times in us.
void tally_print(const struct tally *tally, const struct tally_about *about, FILE *out);
