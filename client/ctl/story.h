// story.h: what became of a mail, told in sentences from its tracking row, the other rows of the
// same sender and recipient, and what is stored of them now. Pure: no node, no clock.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/reeve.h"
#include "proto/text.h"

enum { STORY_MAX = 8192, STORY_FOLLOWERS_MAX = 6 };

struct story {
    const struct reeve_row *row; // the decision that was asked about
    const struct reeve_row
        *others; // of its sender and recipient, in any order; may hold row itself
    size_t other_count;
    bool stored_is_known; // false: the node could not say what is stored
    const struct reeve_row *stored;
    size_t stored_count;
    uint64_t now_ms;
};

// story_tell: one sentence a line.
void story_tell(const struct story *story, struct text_buf *out);
