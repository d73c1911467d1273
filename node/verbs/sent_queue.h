// sent_queue.h: what Sent taught while the store was away, in the order in which it came, until it can be written. A bounded
// ring of bytes: where there is no room the oldest gives way.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

struct sent_queue;

enum { SENT_BATCH = 64 }; // entries that are written at once

struct sent_queue *sent_queue_new(size_t bytes);
void sent_queue_free(struct sent_queue **queue);

// sent_queue_add: a copy of the entry. Returns how many older ones gave way.
size_t sent_queue_add(struct sent_queue *queue, const struct store_allow *entry);
// sent_queue_batch: copies of the oldest, as a list: at most SENT_BATCH. Theirs is the memory of the queue, until
// the next call. NULL: there is none.
struct store_allow *sent_queue_batch(struct sent_queue *queue);
// sent_queue_drop: the last batch was written. Those of it that gave way meanwhile are gone already. Returns how
// many were still there.
size_t sent_queue_drop(struct sent_queue *queue);
size_t sent_queue_count(const struct sent_queue *queue);
