// line.h: a pasted line of a mail log, and whom it is about.
#pragma once

#include <stdbool.h>

#include "client/ctl/ctl.h"
#include "client/ctl/ticket.h"

struct line {
    char ticket[TICKET_LEN + 1]; // "" = there is none
    bool has_sender, has_recipient;
    char sender[TICKET_ADDRESS_MAX]; // "" = the null sender
    char recipient[TICKET_ADDRESS_MAX];
};

// line_take: the words of a command line as one, or, without words or with "-" alone, all of
// standard input. The caller frees it.
char *line_take(int argc, char **argv);

// line_read: the ticket in it, if there is one, else its from=<> and to=<>.
void line_read(const char *text, struct line *out);

// line_find: the decision that the line is about: that of its ticket, else the newest about its sender and recipient.
// CTL_FINE, *out (the caller frees it) and *row in it, or the exit code after the error was told.
int line_find(struct ctl *ctl, const struct line *line, struct reeve_answer **out,
              const struct reeve_row **row);

// line_follow: asks the node for the decision that the ticket names, and takes sender and recipient
// from it; without a ticket it does nothing. CTL_FINE, or the exit code after the error was told.
int line_follow(struct ctl *ctl, struct line *line);
