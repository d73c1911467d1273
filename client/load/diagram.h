// diagram.h: a reliability diagram: of the messages that were given about such a probability, how many were spam? On the
// diagonal the probabilities mean what they say.
#pragma once

#include <stdio.h>

#include "client/load/figures.h"

// One curve.
struct diagram_curve {
    const char *name; // XML text as it stands
    const struct figures *figures;
};
enum { DIAGRAM_CURVES_MAX = 3 };

// diagram_print: SVG 1.1, without anything from elsewhere. Circles grow with the messages in a bin; bins without one are left out.
void diagram_print(const char *title, const struct diagram_curve *curve, size_t count, FILE *out);
