// scan.h: a hash that every node mirrors, read as a whole: each five minutes, and when events may have been missed, a slice
// at a time (HSCAN) on the operator's connection. What is over in it is removed on the way.
#pragma once

#include <stdbool.h>
#include <stdint.h>

struct redisReply;
struct store;

// What is read.
struct scan_kind {
    const char *key;
    const char *garbage; // logged where it holds what is not of our format, or too many
    void (*begin)(struct store *store);
    // row: one field and its value. False: it is not of our format.
    bool (*row)(struct store *store, const struct redisReply *field,
                const struct redisReply *value);
    bool (*is_over)(const struct redisReply *field, const struct redisReply *value,
                    uint64_t now_ms);
    void (*end)(struct store *store); // all of it was read; else end is not called
};

// A reading. Zeroed: none was begun.
struct scan {
    struct store *store;
    const struct scan_kind *kind;
    unsigned slices; // that were asked for; 0 = none is under way
    uint64_t due_ms; // monotonic: when the next begins; 0 = as soon as it can be
};

// scan_again: begins a reading, if it is time. What cannot be read leaves the mirror as it is, and is tried again soon.
void scan_again(struct store *store, struct scan *scan, const struct scan_kind *kind);
