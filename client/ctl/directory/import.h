// import.h: what the readers of `reevectl directory import` share: where addresses go, what is left and why.
//
//      reader  ----------->  take  ------------->  entries  ------>  send  ---->  directory.begin, add, switch
//      csv, ldif, postfix    normalised,           each once,        batches
//                            or left               by domain
//
// A reader has one function, which reads all of one file and hands over what it finds. What it hands over may be any bytes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/args.h"
#include "client/ctl/ctl.h"
#include "client/ctl/directory/entries.h"
#include "client/ctl/import/lines.h"
#include "client/ctl/import/progress.h"
#include "proto/base/mem.h"

// Why something was left. One list: enum, the word in JSON, whether a directory without it would refuse mail that should
// come (then it is not put into force), and the sentence.
#define DIRECTORY_LEFT_LIST(X)                                                                    \
    X(UNREADABLE, "unreadable", true, "not of the expected format")                               \
    X(BAD_ADDRESS, "bad_address", true, "no address")                                             \
    X(NO_DOMAIN, "no_domain", true, "names without a domain; --domain says which")                \
    X(CATCHALL, "catchall", true, "stand for any address of a domain; that is `recipients: any`") \
    X(PATTERN, "pattern", true, "patterns, which no directory can hold")                          \
    X(NO_ADDRESS, "no_address", false, "records without an address")                              \
    X(DOMAIN, "domain", false, "only say that a domain is one")                                   \
    X(TWICE, "twice", false, "stand there twice; the last one counts")
enum directory_left {
#define DIRECTORY_LEFT_ENUM(name, word, spoils, text) LEFT_##name,
    DIRECTORY_LEFT_LIST(DIRECTORY_LEFT_ENUM)
#undef DIRECTORY_LEFT_ENUM
        LEFT_COUNT,
};

enum { DIRECTORY_EXAMPLE_MAX = 200 };
struct directory_count {
    uint64_t count;
    char example[DIRECTORY_EXAMPLE_MAX]; // "FILE:LINE: what"
};

struct directory_options {
    int format;             // index of DIRECTORY_FORMATS; 0 = by the file's name
    const char *domain;     // of names without one; NULL = none
    const char *mail;       // LDIF: the attribute with the address
    struct arg_texts alias; // LDIF: those with further ones; none = the usual ones
    const char *state;      // LDIF: the attribute with the state; NULL = all are active
    bool has_targets;       // Postfix: a value that is an address is the mailbox
    bool force;
    bool dry_run;
};

struct directory_import {
    struct ctl *ctl;
    struct directory_options options;
    struct entries *entries;
    struct progress *progress;
    const char *path; // that is being read
    bool is_full;     // no room in the temporary file
    uint64_t read;    // addresses
    uint64_t aliases; // of these
    struct directory_count left[LEFT_COUNT];
    struct arena arena; // for one address
    uint64_t took_ms;
};

// What a reader found. Texts of any bytes, never NULL.
struct directory_found {
    uint64_t line; // of the file
    const char *address;
    const char *mailbox; // "" = its own; one that is no address counts as none
    const char *state;   // as somebody wrote it; "" = active
    const char *groups;
    bool is_alias;
};

// directory_take: normalises it, and keeps or leaves it. directory_leave: what is an example, of any bytes.
void directory_take(struct directory_import *import, const struct directory_found *found);
void directory_leave(struct directory_import *import, enum directory_left why, uint64_t line,
                     const char *what);
// directory_goes_on: false when somebody pressed Ctrl-C, or nothing more can be kept.
bool directory_goes_on(struct directory_import *import, struct lines *lines);
// directory_fail: tells an error; its exit code.
int directory_fail(struct directory_import *import, int code, const char *fmt, ...)
    PRINTF_LIKE(3, 4);

// The readers: CTL_FINE, or the exit code after an error was told. They take lines.
int directory_read_csv(struct directory_import *import, struct lines *lines);
int directory_read_ldif(struct directory_import *import, struct lines *lines);
int directory_read_map(struct directory_import *import, struct lines *lines);

// What a node was told.
struct directory_sent {
    uint64_t entries, domains; // of the import
    uint64_t sent;             // the node has answered for them
    uint64_t before;           // entries that were in force in these domains
    uint64_t idle;             // domains whose recipients are known in another way
    char idle_example[256];
    bool is_switched;
};

// directory_send: all of it, and puts it into force; in a dry run only asks what would be. CTL_FINE, also when it was
// interrupted (is_switched says), or the exit code after the error was told.
int directory_send(struct directory_import *import, struct directory_sent *out);
