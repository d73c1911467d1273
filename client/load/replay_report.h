// replay_report.h: what a replay found, told: as a table, as JSON, message by message.
#pragma once

#include <stdio.h>

#include "client/load/entities.h"
#include "client/load/replay.h"

struct replay_about {
    const char *path; // of the file
    const struct messages *messages;
    const struct replay_config *config;
    const struct replay_result *result;
    const struct entities *entities; // NULL = not counted
};

void replay_print_text(const struct replay_about *about, FILE *out);
void replay_print_json(const struct replay_about *about, FILE *out); // one object, one line
// replay_print_scores: CSV, a row a message in the order of time, p with all its digits.
void replay_print_scores(const struct replay_about *about, FILE *out);
