// question.h: the question of `check` and `explain`, out of options and, where asked for, a Postfix
// policy request on standard input.
#pragma once

#include <stdbool.h>

#include "client/ctl/args.h"
#include "client/ctl/ctl.h"
#include "client/lib/reeve.h"
#include "client/policyd/request.h"

#define QUESTION_USAGE                                                              \
    "[--from ADDRESS] --to ADDRESS ... [--ip ADDRESS] [--name HOST] [--helo NAME] " \
    "[--user LOGIN] [--tls] [--smtputf8] [--stage connect|mail|rcpt|end] "          \
    "[--transaction ID] [--recipient-count N] [--size BYTES] [--spf OUTCOME] "      \
    "[--spf-domain DOMAIN] [--postfix | -]"

struct question {
    struct reeve_check check; // its texts live in argv, in parser and in copies
    struct arg_texts recipients;
    char **copies;
    size_t copy_count;
    struct policy_parser *parser; // of standard input; NULL = not read
};

// question_read: CTL_FINE, ARGS_HELPED, or the exit code after the error was told. To be freed in
// every case.
int question_read(struct ctl *ctl, const struct command *command, int argc, char **argv,
                  struct question *out);
void question_free(struct question *question);

// question_ask: asks it, with check's dry_run and trace as they are. CTL_FINE and *out (the caller
// frees it), or the exit code after the error was told.
int question_ask(struct ctl *ctl, const struct question *question, struct reeve_answer **out);

// question_exit: CTL_FINE if every recipient, or at END the whole message, is accepted; else
// CTL_NEGATIVE.
int question_exit(const struct reeve_answer *answer);

// question_print_json: the answer as one object.
void question_print_json(struct ctl *ctl, const struct reeve_answer *answer);
