// replay.h: mail of which one knows what it was, judged anew by running nodes: in the order of time each message is predicted,
// and its label is reported so long after it came. What a node knows at a prediction is so what it could have known.
#pragma once

#include <signal.h>
#include <stdio.h>

#include "client/load/figures.h"
#include "client/load/talk.h"

enum { REPLAY_GATEWAYS_MAX = 64, REPLAY_BANDS_MAX = 16, REPLAY_BAND_BYTES = 32 };

// What a gateway says: the truth, its contrary, always the same, or nothing.
enum replay_tongue { REPLAY_TRUE, REPLAY_FLIP, REPLAY_SPAM, REPLAY_HAM, REPLAY_SILENT };
const char *replay_tongue_name(enum replay_tongue tongue); // true, flip, spam, ham, silent

struct replay_config {
    struct talk_config talk; // window 1: one request at a time
    uint64_t delay_ms;       // a label is reported so long after its message came
    unsigned gateways;       // that report, in turn
    enum replay_tongue tongue[REPLAY_GATEWAYS_MAX];
    uint64_t seed;     // 0, or chance decides which message is whose
    bool goes_on;      // the nodes may know reputations already
    bool has_progress; // on standard error
};

struct replay_result {
    struct prediction *prediction; // of each message
    char band[REPLAY_BANDS_MAX][REPLAY_BAND_BYTES];
    unsigned bands;
    double trust[REPLAY_GATEWAYS_MAX]; // as it was seen last; NAN = never
    uint64_t reports;                  // that were recorded
    size_t unjudged;                   // messages
    uint64_t unjudged_line;            // of the first of them
    uint64_t took_us;
};

// replay_run: labels that are due after the last message are reported too. ERR_CONFLICT: the nodes know reputations already (goes_on),
// or *stop became true; others as talk_run. The detail says what to do.
MUST_USE enum err replay_run(const struct messages *messages, const struct replay_config *config,
                             const volatile sig_atomic_t *stop, struct replay_result *out,
                             struct err_detail *detail);
void replay_clear(struct replay_result *result);
