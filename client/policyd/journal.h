// journal.h: what the adapter writes to its log: a line a decision, and the troubles of peers and
// nodes, a few a second at most.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/lib/reeve.h"
#include "client/policyd/config.h"
#include "client/policyd/request.h"
#include "proto/base/log.h"

enum { JOURNAL_BURST = 8 };

// Zeroed at first, but for mode.
struct journal {
    enum policyd_log mode;
    bool away; // the last question got the local fallback
    uint64_t away_since_ms;
    uint64_t fallback_count; // since then
    struct log_limit refused;
    struct log_limit unnamed;
    struct log_limit mixed;
    struct log_limit peers[JOURNAL_BURST]; // used in turn: that many lines a second
    unsigned peer_lines;
};

// journal_answer: the decision, if the mode asks for it. A fallback writes no line of its own while
// it lets mail pass; a line says when it begins, why, and when it ends. All times are monotonic.
void journal_answer(struct journal *journal, const struct policy_request *request,
                    const struct reeve_answer *answer, enum reeve_fallback fallback,
                    uint64_t now_ms);

// journal_unnamed: the end of a message that is not asked about, because its recipients are not all
// known.
void journal_unnamed(struct journal *journal, const struct policy_request *request,
                     uint64_t now_ms);

// journal_peer: a connection that was closed, or answered without asking, for what it sent.
void journal_peer(struct journal *journal, int fd, const char *what, const char *why,
                  uint64_t now_ms);
