// question.h: the question of `check` and `explain`, out of options and, where asked for, a Postfix
// policy request on standard input.
#pragma once

#include <stdbool.h>

#include "client/ctl/ctl.h"
#include "client/lib/reeve.h"

#define QUESTION_USAGE                                                              \
    "[--from ADDRESS] --to ADDRESS ... [--ip ADDRESS] [--name HOST] [--helo NAME] " \
    "[--user LOGIN] [--tls] [--smtputf8] [--stage connect|mail|rcpt|end] "          \
    "[--transaction ID] [--recipient-count N] [--size BYTES] [--spf OUTCOME] "      \
    "[--spf-domain DOMAIN] [--postfix | -]"

// question_run: reads the question, asks it and prints the answer: as one JSON object, or by print. dry: with a trace, and changing
// nothing, whatever the options say. Returns the exit code: CTL_FINE if every recipient, or at END the whole message, is accepted.
int question_run(struct ctl *ctl, const struct command *command, int argc, char **argv, bool dry,
                 void (*print)(const struct reeve_check *check, const struct reeve_answer *answer));
