// promises.h: what holds for every reply, whatever its line expects.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "tests/scenario/ask.h"

// promises_hold: every broken promise is written to out, a line each. ask has a verb other than
// MSG_CHECK, or is empty, if the request was no check. node: who was asked.
bool promises_hold(const struct ask *ask, const char *node, const struct msg_reply *reply,
                   struct arena *scratch, FILE *out);
