// ring.c: a ring of bytes: a length and a record, one behind the other. Promises: no allocation after ring_new; a record is
// whole or not there.
#include "node/verbs/ring.h"

#include <assert.h>
#include <string.h>

#include "proto/base/mem.h"

struct ring {
    size_t size, start, used;
    size_t count;
    unsigned char bytes[];
};

struct ring *ring_new(size_t bytes)
{
    struct ring *ring = mem_new(sizeof(*ring) + bytes);

    ring->size = bytes;
    return ring;
}

void ring_free(struct ring **ring)
{
    mem_free(*ring);
    *ring = NULL;
}

size_t ring_count(const struct ring *ring)
{
    return ring->count;
}

static void put(struct ring *ring, const void *bytes, size_t len)
{
    const size_t at = (ring->start + ring->used) % ring->size;
    const size_t head = len < ring->size - at ? len : ring->size - at;

    memcpy(ring->bytes + at, bytes, head);
    memcpy(ring->bytes, (const unsigned char *)bytes + head, len - head);
    ring->used += len;
}

// get: len bytes that begin so far behind the start.
static void get(const struct ring *ring, size_t offset, void *out, size_t len)
{
    const size_t at = (ring->start + offset) % ring->size;
    const size_t head = len < ring->size - at ? len : ring->size - at;

    memcpy(out, ring->bytes + at, head);
    memcpy((unsigned char *)out + head, ring->bytes, len - head);
}

size_t ring_add(struct ring *ring, const void *bytes, size_t len)
{
    const uint32_t head = (uint32_t)len;
    size_t gone = 0;

    assert(len > 0 && len <= RING_RECORD_MAX && sizeof(head) + len <= ring->size);
    for (; ring->size - ring->used < sizeof(head) + len; gone++)
        ring_drop(ring);
    put(ring, &head, sizeof(head));
    put(ring, bytes, len);
    ring->count++;
    return gone;
}

size_t ring_read(const struct ring *ring, size_t *at, unsigned char out[RING_RECORD_MAX])
{
    uint32_t len = 0;

    if (*at >= ring->used)
        return 0;
    get(ring, *at, &len, sizeof(len));
    get(ring, *at + sizeof(len), out, len);
    *at += sizeof(len) + len;
    return len;
}

void ring_drop(struct ring *ring)
{
    uint32_t len = 0;

    assert(ring->count > 0);
    get(ring, 0, &len, sizeof(len));
    ring->start = (ring->start + sizeof(len) + len) % ring->size;
    ring->used -= sizeof(len) + len;
    ring->count--;
}
