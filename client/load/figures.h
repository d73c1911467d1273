// figures.h: what a replay found: a prediction for each message before its label was told, and how good they were. Pure but for the
// heap.
#pragma once

#include "client/load/messages.h"
#include "client/load/score.h"

// X(name, what is judged): the predictions of one verdict.
#define FIGURES_KINDS(X)                            \
    X(both, "the address's chain and the sender's") \
    X(address, "the address's chain alone")         \
    X(ip, "the very address alone, as a list would know it")

enum figures_kind {
#define FIGURES_KIND(name, what) FIGURES_##name,
    FIGURES_KINDS(FIGURES_KIND)
#undef FIGURES_KIND
        FIGURES_KIND_COUNT
};
const char *figures_kind_name(enum figures_kind kind);

struct prediction {
    bool is_judged; // else nothing here is said: nodes judge no client that they trust
    double p[FIGURES_KIND_COUNT]; // that the message is spam
    unsigned band;                // of which bands, see struct replay_result
    unsigned gateway;             // that reported it, from 0
};

// Of some messages that were judged: all, or those of IPv4 clients. NAN: cannot be told.
struct figures {
    size_t count, spam;
    double auc, auc_first, auc_repeat; // all; the first message of each address; the others
    double tpr_01, tpr_1;              // at false positive rates of .1 % and 1 %, ties against us
    double threshold_01, threshold_1;  // flagged is what is greater
    double brier, ece;
    struct score_bin bin[SCORE_BINS];
    // Of the addresses that sent spam, with the threshold of 1 %: how many of its spams came until one was flagged, that one included.
    size_t spammers, flagged, at_once; // at_once: the first one was
    double mean_until;                 // of those that were flagged; NAN = none was
};

void figures_make(const struct messages *messages, const struct prediction *prediction,
                  enum figures_kind kind, bool ipv4_only, struct figures *out);
