// question.h: the question of `check` and `explain`, out of options and, where asked for, of a Postfix policy
// request on standard input or of a decision that was made.
#pragma once

#include <stdbool.h>

#include "client/ctl/ctl.h"
#include "client/lib/reeve.h"

#define QUESTION_USAGE                                                              \
    "[--from ADDRESS] --to ADDRESS ... [--ip ADDRESS] [--name HOST] [--helo NAME] " \
    "[--user LOGIN] [--tls] [--smtputf8] [--stage connect|mail|rcpt|end] "          \
    "[--transaction ID] [--recipient-count N] [--size BYTES] [--spf OUTCOME] "      \
    "[--spf-domain DOMAIN] [--postfix | -]"

struct policy_parser;

struct question {
    struct reeve_check
        check; // its texts live in argv, in parser, in copies and in a row that was taken
    struct arg_texts recipients;
    struct arg_texts policy; // --policy: files of a set that is not in force
    bool has_words;          // words were left over: a ticket, or a line of a log
    int first_word;          // the first of them in argv
    char **copies;
    size_t copy_count;
    struct policy_parser *parser; // of standard input; NULL = not read
};

// question_read: the options, which are those of a question and, what_if, --at and --policy and words that are no
// options. Whether it has recipients is not looked at yet. question_free gives back what it made, in any case.
int question_read(struct ctl *ctl, const struct command *command, bool what_if, int argc,
                  char **argv, struct question *out);
void question_free(struct question *question);

// question_take: fills in what the options did not say from a decision that was made, a row of the verb track, its moment
// included. The row's texts are borrowed.
void question_take(struct question *question, const struct reeve_row *row);
// question_follow: for words that are no options: the decision that they name (a ticket, or a line of a log) and what it was
// asked with. CTL_FINE, *found (the caller frees it after the question) and *then in it, or the exit code after the error was
// told.
int question_follow(struct ctl *ctl, const struct command *command, struct question *question,
                    int argc, char **argv, struct reeve_answer **found,
                    const struct reeve_row **then);
// question_complete: told as a misuse if there are recipients where there can be none, or none where there must be.
int question_complete(struct ctl *ctl, const struct command *command,
                      const struct question *question);

// question_ask: CTL_FINE and *out, which the caller frees, or the exit code after the error was told.
int question_ask(struct ctl *ctl, const struct question *question, struct reeve_answer **out);
// question_exit: CTL_FINE if every recipient, or at END the whole message, is accepted.
int question_exit(const struct reeve_answer *answer);
void question_print_json(struct json *json, const char *key, const struct reeve_answer *answer);
