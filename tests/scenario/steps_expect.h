// steps_expect.h: expectations about the store, the counters and the events, where no reply tells.
#pragma once

#include "tests/scenario/world.h"

// expect_run: the words of a line `expect ...`. ERR_SYNTAX: not understood; ERR_CONFLICT: it does
// not hold, the detail says what is.
MUST_USE enum err expect_run(struct world *world, const struct words *words,
                             struct err_detail *detail);
