// args.h: options of a command as a table of rows, over getopt_long(3).
//
// The global options (--node, --admin, --stats, --json, --deadline, --at, --help) are understood
// by every command, in front of it and behind it.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/ctl/ctl.h"

enum arg_kind {
    ARG_FLAG,  // bool
    ARG_TEXT,  // const char *
    ARG_TEXTS, // struct arg_texts: may be given again
    ARG_COUNT, // uint64_t
    ARG_SIZE,  // uint64_t in bytes: 1234, 10K, 25M, 1G
    ARG_SPAN,  // uint64_t in ms: 250ms, 2s, 10m, 12h, 1d; a bare number is ms
    ARG_TIME,  // uint64_t, Unix ms; see when.h
    ARG_REAL,  // double, not negative: 0.5
    ARG_WORD,  // int: the index in words, which NULL ends
};

struct arg_row {
    const char *name; // NULL ends the table
    enum arg_kind kind;
    void *into;
    uint64_t max; // of a number; 0 = any
    const char *const *words;
};

// The options of a command, as args_read would read them; their `into` is of no use to anybody else.
enum { ARG_LIST_MAX = 48 };
struct arg_list {
    struct arg_row row[ARG_LIST_MAX];
    size_t count;
};
// args_list: those of a command (NULL: the global ones alone).
void args_list(struct ctl *ctl, const struct command *command, struct arg_list *out);

// --help was asked for (args_read has answered it, args_global leaves that to main).
enum { ARGS_HELPED = -1 };

// args_global: reads the global options in front of the command; *first is the index of the command
// in argv (argc if there is none). CTL_FINE, ARGS_HELPED, or the exit code after the error was
// told.
int args_global(struct ctl *ctl, int argc, char **argv, bool *want_version, int *first);

// args_read: a command's own options and the global ones. argv[0] is the command's last word. What
// is left over is moved behind the options; *first is its index. Returns as args_global does.
int args_read(struct ctl *ctl, const struct command *command, const struct arg_row *rows, int argc,
              char **argv, int *first);

// args_read_all: args_read for a command that takes no words beside its options.
int args_read_all(struct ctl *ctl, const struct command *command, const struct arg_row *rows,
                  int argc, char **argv);
