// progress.h: how far a long command is, and whether somebody wants it to end.
//
//     reading  [##########----------]  52 %  104210 rows, 80000/s, 1 s left
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct progress;

// progress_new: catches SIGINT and SIGTERM until progress_free, so that a command can end with a word
// about how far it came. shown: draw on standard error, if that is a terminal.
struct progress *progress_new(bool shown);
void progress_free(struct progress **progress);
// progress_begin: a step of its own name and time.
void progress_begin(struct progress *progress, const char *what);
// progress_show: done of total (0 = not known) in any unit; count rows so far. Draws a few times a
// second, whatever it is called. False: the command is to end.
bool progress_show(struct progress *progress, uint64_t done, uint64_t total, uint64_t count);
// progress_clear: takes the bar away, so that something else can be printed.
void progress_clear(struct progress *progress);
bool progress_was_interrupted(const struct progress *progress);
uint64_t progress_ms(const struct progress *progress); // since progress_new
