// send.h: gathered rows to a node, batch after batch.
#pragma once

#include "client/ctl/import/import.h"

// What a node may say of a row: the words of grey.seed in reeve.proto, and sentences. One that this
// version does not know is counted under its own word as the last.
#define SEND_OUTCOME_LIST(X)                                                                   \
    X(TAKEN, "taken", "taken")                                                                 \
    X(KNOWN, "known", "known already")                                                         \
    X(TOO_OLD, "too_old", "last seen longer ago than settings.greylist.life")                  \
    X(FUTURE, "future", "last seen in the future of the store's clock")                        \
    X(BAD_ADDRESS, "bad_address", "sender or recipient is no address")                         \
    X(NO_CLIENT, "no_client", "client not known, or only by too wide a network")               \
    X(NOT_GREYLISTED, "not_greylisted", "never greylisted here (recipient not ours, trusted)") \
    X(MALFORMED, "malformed", "not understood by the node")                                    \
    X(OTHER, "other", "something that this reevectl does not know")
enum send_outcome {
#define SEND_OUTCOME_ENUM(name, word, text) SEND_##name,
    SEND_OUTCOME_LIST(SEND_OUTCOME_ENUM)
#undef SEND_OUTCOME_ENUM
        SEND_OUTCOME_COUNT,
};

struct send_result {
    uint64_t rows; // gathered
    uint64_t sent; // the node has answered for them
    struct import_count outcome[SEND_OUTCOME_COUNT];
};

// send_all: CTL_FINE, also when it was interrupted (sent < rows); else the exit code after the error
// was told. What was sent before stands in *out.
int send_all(struct import *import, struct send_result *out);
