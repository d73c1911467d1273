// convert.h: structs of the wire contract (msg.h) as the library's users see them (reeve.h). Texts
// are shared with the source; arrays are made in the arena. ERR_MEMORY: it is full.
#pragma once

#include "client/lib/reeve.h"
#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/msg.h"

MUST_USE enum err convert_verdicts(struct arena *arena, const struct msg_verdict *verdict,
                                   size_t count, const struct reeve_verdict **out);
MUST_USE enum err convert_pairs(struct arena *arena, const struct msg_pair *pair, size_t count,
                                const struct reeve_pair **out);
MUST_USE enum err convert_rows(struct arena *arena, const struct msg_row *row, size_t count,
                               const struct reeve_row **out);
