// import.h: what the readers of `reevectl import` share: where rows go, what is left and why.
//
//      reader  ------------>  gather  ------------>  send  ------->  grey.seed,
//      postgrey, sqlgrey,     one row a triplet,     newest first,    allow.seed
//      rspamd, postfix,       its newest stamp       in batches
//      correspondents
//         |
//         `--> policy file: who is known there without a recipient
//
//      reports  --------------------------------------------------->  the verb Report, a mail each, as it is read
//
// A reader has one function, which reads all of its source and hands over what it finds. What it
// hands over may be any bytes: it is cleaned here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/args.h"
#include "client/ctl/ctl.h"

// One triplet that passed; of correspondents a sender and whom he has written to, without a client. Texts of any bytes, never NULL; name "" = none; sender "" or "<>" = null.
struct import_row {
    uint64_t at_ms; // last seen
    const char *client, *name, *sender, *recipient;
};

// Who is known without a recipient: a policy of its own.
struct import_exemption {
    const char *from;   // user@dom, @dom, "<>" or "*"; checked here
    const char *source; // address or network
    uint64_t last_ms;   // it holds IMPORT_EXEMPT_MS longer
};
#define IMPORT_EXEMPT_MS (36ULL * 24 * 3600 * 1000)

// Why a reader left something. One list: enum, the word in JSON, and the sentence.
#define IMPORT_LEFT_LIST(X)                                                                       \
    X(PENDING, "pending", "had not passed there yet")                                             \
    X(FEW, "few", "clients that had passed too seldom to be known there")                         \
    X(NO_RECIPIENT, "no_recipient", "known there without a recipient; --policy FILE writes them") \
    X(FOLDED, "folded", "known there by a folded sender, which no policy can name")               \
    X(HASHED, "hashed", "kept as hashes only (postgrey --privacy)")                               \
    X(EXPIRED, "expired", "no policy: last seen more than 36 days ago")                           \
    X(NO_LOG, "no_log", "the log does not say which client or sender it was")                     \
    X(OUTBOUND, "outbound", "sent by our own users")                                              \
    X(INBOUND, "inbound", "not from a login, nor from a network of --inside")                     \
    X(NULL_SENDER, "null_sender", "sent by nobody: the null sender")                              \
    X(MANY, "many", "to more than 50 recipients at once")                                         \
    X(RETURNED, "returned", "brought by this host itself: a filter, or a program")                \
    X(NO_KEY, "no_key", "in the log, but not in rspamd's greylist")                               \
    X(UNDECIDED, "undecided", "deferred, or nobody said what it was")                             \
    X(OLD, "too_old", "longer ago than 30 days")                                                  \
    X(UNREADABLE, "unreadable", "not of the expected format")
enum import_left {
#define IMPORT_LEFT_ENUM(name, word, text) IMPORT_##name,
    IMPORT_LEFT_LIST(IMPORT_LEFT_ENUM)
#undef IMPORT_LEFT_ENUM
        IMPORT_LEFT_COUNT,
};

enum { IMPORT_EXAMPLE_MAX = 120 };

// How often, and the first one in words.
struct import_count {
    uint64_t count;
    char example[IMPORT_EXAMPLE_MAX];
};

struct gather;
struct exempt;
struct progress;
struct send_how;
struct send_result;

struct import_options {
    bool dry_run;
    const char *policy;      // "" = none
    uint64_t delay_s;        // postgrey
    uint64_t clients;        // postgrey: passes that make a client known
    struct arg_texts log;    // rspamd
    const char *prefix;      // rspamd
    uint64_t timeout_s;      // rspamd
    struct arg_texts inside; // correspondents: networks
};

// One format: its reader, and what becomes of what that hands over.
struct import;
struct import_format {
    const char *name;
    int (*read)(struct import *import, char **sources, int count);
    int sources_max;
    unsigned options; // bits: which of the options it takes
    bool is_log;      // it reads lines, not entries
    const struct send_how *send;
    const char *rows;    // what is gathered: "different triplets of mail that passed"
    const char *counted; // their key in JSON
    const char *taken;   // what becomes of a row that is taken
};

struct import {
    struct ctl *ctl;
    const struct import_format *format;
    struct import_options options;
    struct gather *gather;
    struct exempt *exempt;
    struct progress *progress;
    bool is_full;  // what was gathered is not all of it
    uint64_t read; // entries, or log lines
    uint64_t keys; // rspamd: keys in its Redis
    uint64_t keys_used;
    struct import_count left[IMPORT_LEFT_COUNT];
    struct send_result *sent; // what became of the rows
};

// import_take: a triplet. import_exempt: somebody without a recipient. import_leave: neither; what
// is an example, of any bytes. import_count_add counts one, and keeps the first example, cleaned.
void import_take(struct import *import, const struct import_row *row);
void import_exempt(struct import *import, const struct import_exemption *one);
void import_leave(struct import *import, enum import_left why, const char *what);
void import_count_add(struct import_count *count, const char *example);

// import_goes_on: false when somebody pressed Ctrl-C, or nothing more can be gathered. done of total (any unit; total 0 = not known)
// is for the progress bar.
bool import_goes_on(struct import *import, uint64_t done, uint64_t total);

// import_fail: tells an error about a source; its exit code.
int import_fail(struct import *import, const char *fmt, ...) PRINTF_LIKE(2, 3);
// import_fail_full: the same, of what was gathered: some of it is lost, or cannot be sorted.
int import_fail_full(struct import *import);

// The readers: CTL_FINE, or the exit code after an error was told.
int import_postgrey(struct import *import, char **sources, int count);
int import_sqlgrey(struct import *import, char **sources, int count);
int import_rspamd(struct import *import, char **sources, int count);
int import_postfix(struct import *import, char **sources, int count);
int import_correspondents(struct import *import, char **sources, int count);
// import_reports: sends what it finds by itself, in the order of the logs.
int import_reports(struct import *import, char **sources, int count);
