// level_told.h: one level of a reputation in words and numbers, for a trace and for an operator.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"
#include "proto/msg.h"

// By what it is told.
struct level_view {
    const struct store *store;
    const struct reputation_settings *settings;
    struct reputation_reporters reporters; // as it was judged with
    uint64_t now_ms;
};
// Where its texts live.
struct level_text {
    char name[REPUTATION_TEXT_MAX];
    struct msg_reporter reporter[REPUTATION_ROOT_SLOTS];
};

// level_tell: share is what reputation_judge made of it. *left: what the levels below it have left of the chain's p, 1 at the
// leaf; goes on to the next level. The reply borrows text, and names of gateways from the store until the loop's next turn.
struct msg_level level_tell(const struct level_view *view, const struct reputation_level *level,
                            const struct reputation_share *share, double *left,
                            struct level_text *text);
