// play.h: the lines of a scenario, played one after another.
//
// A file is one scenario, or several: each begins with a line `scenario NAME` and ends before the
// next; what stands before the first is played at the beginning of each.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "tests/scenario/script.h"

size_t play_count(const struct script *script);
// play_scenario: plays it, three times (README.md, "Three times"). True if every line held; else the report is
// written to out.
bool play_scenario(const struct script *script, size_t index, FILE *out);
