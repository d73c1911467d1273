// logs.h: mail logs, whole and rotated, as messages that were delivered.
#pragma once

#include "client/ctl/import/import.h"
#include "client/ctl/import/queue.h"

// logs_read: all of them, the oldest first whatever their order, so that a message which began in one
// file and ended in the next is whole. tell as in queue_new; rspamd's own lines are such messages, too,
// where want_tasks says so. CTL_FINE, or the exit code after the error was told.
int logs_read(struct import *import, const char *const *paths, size_t count, bool want_tasks,
              void (*tell)(void *arg, const struct queue_mail *mail));
