// meta.h: what all nodes of a cluster must agree on, kept in the hash `meta`:
//
//     format     1
//     epoch:<n>  "<since_ms> <buckets> <check value of the secret>"
//     secret:<n> the secret in hex; absent where the nodes have a secret_file
//
// The first node makes it. Nothing there is ever changed, only added with HSETNX and read back, so
// nodes that start together agree without a lock: each one reads, judges what is missing, adds it,
// and reads again until nothing is.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/key.h"
#include "node/store/secret.h"

struct redisReply;

enum {
    META_FORMAT = 1,
    META_ROUNDS_MAX = 6, // read, add, read, ...: three are enough for a first node
    META_BUCKETS_MAX = 1 << 24,
    META_FIELDS_MAX = 2 * KEY_EPOCH_MAX + 1,
    META_EPOCHS_MAX = 16, // that are looked at
};

// What this node knows.
struct meta {
    struct secret_file file;
    uint32_t buckets; // for a fresh store
    struct key_ring ring;
    unsigned number[KEY_EPOCH_MAX]; // n of the ring's epochs
};

// What the store says.
struct meta_epoch {
    unsigned number;
    bool is_open;    // epoch:<n> is there
    bool has_secret; // secret:<n> is there
    struct key_epoch epoch;
    char check[17];
};
struct meta_view {
    bool has_format;
    uint64_t format;
    unsigned count;
    struct meta_epoch epoch[META_EPOCHS_MAX]; // by rising number
};

struct meta_field {
    char name[24];
    char value[64];
};

enum meta_verdict {
    META_FINE,    // ring and number are to be used
    META_MISSING, // the fields are to be added (HSETNX), then read again
    META_FOREIGN, // why: another cluster's
};

struct meta_judgement {
    enum meta_verdict verdict;
    struct key_ring ring;
    unsigned number[KEY_EPOCH_MAX];
    unsigned field_count;
    struct meta_field field[META_FIELDS_MAX];
    char why[400];
    char warning[400]; // "" = none
};

// meta_read: false, and why, if the reply to HGETALL holds something that is not of this format.
bool meta_read(const struct redisReply *reply, struct meta_view *view, char *why, size_t why_size);

// meta_judge: pure. fresh is a random secret, used if the store has none. now_ms is the store's
// time.
void meta_judge(const struct meta *meta, const struct redisReply *reply,
                const uint8_t fresh[KEY_SECRET_BYTES], uint64_t now_ms, struct meta_judgement *out);

// Fields as they are written.
void meta_put_epoch(struct meta_field *field, unsigned number, const struct key_epoch *epoch);
void meta_put_secret(struct meta_field *field, unsigned number,
                     const uint8_t secret[KEY_SECRET_BYTES]);
