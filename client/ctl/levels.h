// levels.h: a reputation as a person reads it: the whole computation, from which anybody with a pocket calculator gets
// the same number.
#pragma once

#include <stdio.h>

#include "client/ctl/json.h"
#include "client/lib/reeve.h"

// levels_print_chain: one chain of levels, leaf to root: a table, who reported it, and each p from the root down. title: what it is about.
void levels_print_chain(const char *title, const struct reeve_level *level, size_t count,
                        FILE *out);
// levels_print: both chains of a mail, how they are joined, how certain that is, and what is made of it.
void levels_print(const struct reeve_reputation *reputation, FILE *out);

void levels_print_json(struct json *json, const char *key,
                       const struct reeve_reputation *reputation);
