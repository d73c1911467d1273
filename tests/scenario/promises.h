// promises.h: what holds for every reply, whatever its line expects.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "tests/scenario/ask.h"

// What was asked. ask is empty (its verb is not MSG_CHECK) if the request was no check.
struct promised {
    const struct ask *ask;
    const char *node; // who was asked
    bool trace;       // asked for
};

// promises_hold: every broken promise is written to out, a line each.
bool promises_hold(const struct promised *promised, const struct msg_reply *reply,
                   struct arena *scratch, FILE *out);
