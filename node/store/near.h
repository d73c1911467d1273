// near.h: the near cache: passed triplets that this node has read, so that a known sender costs no
// command. Positive facts only: that something is absent is never kept. A table of a fixed size,
// made at start; it knows neither Redis nor when it may be trusted (events.h does).
//
//     key 16 bytes | last seen 8 | mark 4 | kept since 4        one entry, 32 bytes
//     8 entries a set; a full set gives up one that is too old, else any
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/key.h"

enum { NEAR_KEY_BYTES = 16, NEAR_SECRET_BYTES = 16, NEAR_WAYS = 8, NEAR_ENTRY_BYTES = 32 };

// An entry is used for so long after it was read, at exactly this age still.
#define NEAR_KEEP_MS (3600ULL * 1000)
// What is older when it is read is not kept: within NEAR_KEEP_MS it would have to be written again.
#define NEAR_YOUNG_MS (GREYLIST_REFRESH_MS - NEAR_KEEP_MS)

struct near;

// near_new: a table of at most so many bytes (one set at least), whose keys are hashed with the
// secret.
struct near *near_new(uint64_t bytes, const uint8_t secret[NEAR_SECRET_BYTES]);
void near_free(struct near **near);

// near_learn: takes what was read of a triplet in its current slice, if every identity but KEY_ANY
// is present, none of them is NEAR_YOUNG_MS old or of the future, and they have at most one mark
// beside 0.
void near_learn(struct near *near, const struct key_triplet *key,
                const struct fact_stamp stamp[KEY_IDENTITY_MAX], uint64_t now_ms);
// near_recall: true, and the stamps of every identity but KEY_ANY filled with the newest that was
// read, if the triplet is kept, no longer than NEAR_KEEP_MS, and its stamp is at most life_ms old.
// Else stamp is untouched.
bool near_recall(const struct near *near, const struct key_triplet *key, uint64_t now_ms,
                 uint64_t life_ms, struct fact_stamp stamp[KEY_IDENTITY_MAX]);
// near_drop: forgets everything.
void near_drop(struct near *near);
// near_count: entries held, those that are too old included.
size_t near_count(const struct near *near);
