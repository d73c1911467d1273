// ring.h: records of bytes, in the order in which they came, in memory that is taken once. Where there is no room the oldest
// give way.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ring;

enum { RING_RECORD_MAX = 8192 }; // longest record

// ring_new: room for so many bytes; each record needs four of them beside its own.
struct ring *ring_new(size_t bytes);
void ring_free(struct ring **ring); // NULL-safe, NULLs
size_t ring_count(const struct ring *ring);

// ring_add: 1 to RING_RECORD_MAX bytes, and no more than there is room for in an empty ring. Returns how many older records gave
// way.
size_t ring_add(struct ring *ring, const void *bytes, size_t len);
// ring_read: the record at *at, which is 0 for the oldest; *at becomes the next one's. Returns its length; 0: there is
// none. Adding and dropping make every other *at worthless.
size_t ring_read(const struct ring *ring, size_t *at, unsigned char out[RING_RECORD_MAX]);
// ring_drop: the oldest; there must be one.
void ring_drop(struct ring *ring);
