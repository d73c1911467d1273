// logs.h: mail logs, whole and rotated, as messages that were delivered.
#pragma once

#include "client/ctl/import/import.h"
#include "client/ctl/import/queue.h"

// Whose lines count beside Postfix' own, and who is told of a message, as in queue_new.
struct logs_how {
    bool want_tasks; // rspamd's, each of which is a whole message
    bool want_exim;
    // line: is shown each line with a time first, behind the stamp. True: it was its own. NULL = nobody is.
    bool (*line)(void *arg, struct queue *queue, char *text, uint64_t at_ms);
    void (*tell)(void *arg, const struct queue_mail *mail);
    void *arg;
};

// logs_read: all of them, the oldest first whatever their order, so that a message which began in one
// file and ended in the next is whole. CTL_FINE, or the exit code after the error was told.
int logs_read(struct import *import, const char *const *paths, size_t count,
              const struct logs_how *how);
