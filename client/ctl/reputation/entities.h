// entities.h: what a node keeps of addresses, networks, domains and the like, read from its admin door page after page.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/ctl.h"
#include "client/ctl/import/progress.h"

// One of them, as it is judged where it stands for itself: over its parents, without anything below it.
struct entity {
    const char *kind, *name; // ip, 192.0.2.7; borrowed from the row
    double spam, ham;        // that count now
    double strength, p, lower, upper;
    double hour, week;  // mails
    unsigned reporters; // trusted ones that hold something of it
    uint64_t age_s, first_s;
};

struct entities_query {
    const struct arg_texts *kinds; // none = all
    double evidence;               // at least so much of spam and ham
};

// entities_check: told as a misuse if one of the kinds is none, or is not among those that are allowed (a list that NULL ends).
int entities_check(struct ctl *ctl, const struct command *command, const struct arg_texts *kinds,
                   const char *const *allowed);
// entities_read: hands each to fn, in no order; some may come twice. CTL_FINE, or the exit code after the error was told.
int entities_read(struct ctl *ctl, const struct entities_query *query, struct progress *progress,
                  void (*fn)(void *arg, const struct entity *entity), void *arg);

// entity_number: a row's field as a number; 0 if it is none.
double entity_number(const struct reeve_row *row, const char *key);
