// steps.h: what a line of a scenario does. README.md beside this file is the list.
#pragma once

#include "tests/scenario/world.h"

// steps_run: plays one line. What does not hold is reported; a line that is not understood ends the
// scenario (world->broken).
void steps_run(struct world *world, const struct script_line *line);
