// desk.h: SPF for a program with a loop: outcomes at once where they are known, soon where DNS
// answers soon, and never later than the asker is ready to wait.
//
//     spf_desk_ask --- known ------------------------------------> the outcome, at once
//          |  new: an evaluation begins                                  ^
//          |  being found out: joins                                     | kept for the next one
//          v                                                             |
//        waits -----------------> done(outcome)        the evaluation ends, sooner or later
//          '---- its time is over: done(SPF_UNKNOWN) and the evaluation goes on
//
// There is no thread: evaluations are steps of a pure function (evaluate.h) between answers of DNS.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/spf/evaluate.h"
#include "proto/base/loop.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

// How long an outcome is kept: as long as DNS allows, but between the least and the most.
enum {
    SPF_LIFE_LEAST_MS = 60000, // so that the next recipient and an early retry find it
    SPF_LIFE_PASS_MS = 600000,
    SPF_LIFE_OTHER_MS = 300000,
    SPF_LIFE_TEMPERROR_MS = 30000,
};

// An evaluation that still asks after this time is a temperror (RFC 7208 section 4.6.4: 20 s at
// least). It is looked at when DNS answers or gives up, so the last question may take longer.
enum { SPF_EVALUATION_MS = 20000 };

// Settings; spf_settings of reeve-policyd.yaml(5).
struct spf_settings {
    bool evaluate;
    uint64_t deadline_ms;      // for which an asker waits
    struct yaml_texts servers; // see dns.h
    uint64_t cache;            // outcomes that are kept
    uint64_t parallel;         // evaluations at the same time
};

// What has been asked since the start.
struct spf_counts {
    uint64_t asked;
    uint64_t known;                  // of them, answered at once from what was kept
    uint64_t joined;                 // of them, waited for an evaluation of somebody else's
    uint64_t late;                   // of them, went on without: not known in time
    uint64_t full;                   // of them, went on without: too many evaluations under way
    uint64_t begun;                  // evaluations
    uint64_t given_up;               // of them, gave way before they ended
    uint64_t outcomes[SPF_OUTCOMES]; // of evaluations that ended, by enum spf_outcome
};

struct spf_desk;
struct spf_waiter;

// spf_desk_new: settings and loop are borrowed.
MUST_USE enum err spf_desk_new(struct spf_desk **out, struct loop *loop,
                               const struct spf_settings *settings, struct err_detail *detail);
// spf_desk_free: nobody may be waiting any more; evaluations under way are forgotten.
void spf_desk_free(struct spf_desk **desk);

// spf_desk_ask: if the answer can be said at once (a known outcome, or SPF_UNKNOWN for one that
// will not be waited for) returns NULL and sets *now. Otherwise done is called once, after this has
// returned, with the outcome or SPF_UNKNOWN, unless spf_desk_forget comes first. The subject is
// copied.
struct spf_waiter *spf_desk_ask(struct spf_desk *desk, const struct spf_subject *subject,
                                void (*done)(void *arg, enum spf_outcome outcome), void *arg,
                                enum spf_outcome *now);
// spf_desk_forget: done will not be called. Makes *waiter NULL; NULL is fine.
void spf_desk_forget(struct spf_desk *desk, struct spf_waiter **waiter);

const struct spf_counts *spf_desk_counts(const struct spf_desk *desk);

// spf_desk_log: one line with the counts.
void spf_desk_log(const struct spf_desk *desk);

// spf_outcome_name: "pass", ...; "unknown" for SPF_UNKNOWN.
const char *spf_outcome_name(enum spf_outcome outcome);
