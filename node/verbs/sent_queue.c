// sent_queue.c: what waits, in a ring of records: a head, the owner's text and, of an entry, the external address. Promises:
// memory is taken once; nothing is written twice because something else gave way.
#include "node/verbs/sent_queue.h"

#include <assert.h>
#include <string.h>

#include "node/verbs/ring.h"
#include "proto/base/mem.h"

struct head {
    uint64_t sent_ms;
    uint64_t disabled_ms;
    uint16_t owner_bytes;    // terminators included
    uint16_t external_bytes; // 0 = that the owner has sent mail
};

struct text {
    char owner[PERSON_ADDRESS_MAX];
    char external[PERSON_ADDRESS_MAX];
};

struct sent_queue {
    struct ring *ring;
    uint64_t first;     // number of the oldest record
    uint64_t batch_end; // number of the first that was not in the last batch
    struct store_allow entry[SENT_BATCH];
    struct text text[SENT_BATCH];
};

struct sent_queue *sent_queue_new(size_t bytes)
{
    struct sent_queue *queue = mem_new(sizeof(*queue));

    queue->ring = ring_new(bytes);
    return queue;
}

void sent_queue_free(struct sent_queue **queue)
{
    if (*queue == NULL)
        return;
    ring_free(&(*queue)->ring);
    mem_free(*queue);
    *queue = NULL;
}

size_t sent_queue_count(const struct sent_queue *queue)
{
    return ring_count(queue->ring);
}

size_t sent_queue_add(struct sent_queue *queue, const struct store_allow *entry)
{
    const size_t owner = strlen(entry->owner) + 1;
    const size_t external = entry->external != NULL ? strlen(entry->external) + 1 : 0;
    struct head head = {.sent_ms = entry->sent_ms, .disabled_ms = entry->disabled_ms};
    unsigned char record[sizeof(head) + sizeof(struct text)];
    size_t gone;

    assert(owner <= PERSON_ADDRESS_MAX && external <= PERSON_ADDRESS_MAX);
    head.owner_bytes = (uint16_t)owner;
    head.external_bytes = (uint16_t)external;
    memcpy(record, &head, sizeof(head));
    memcpy(record + sizeof(head), entry->owner, owner);
    if (external > 0)
        memcpy(record + sizeof(head) + owner, entry->external, external);
    gone = ring_add(queue->ring, record, sizeof(head) + owner + external);
    queue->first += gone;
    return gone;
}

static void take(const unsigned char *record, struct store_allow *entry, struct text *text)
{
    struct head head;

    memcpy(&head, record, sizeof(head));
    memcpy(text->owner, record + sizeof(head), head.owner_bytes);
    memcpy(text->external, record + sizeof(head) + head.owner_bytes, head.external_bytes);
    *entry = (struct store_allow){.owner = text->owner,
                                  .external = head.external_bytes > 0 ? text->external : NULL,
                                  .sent_ms = head.sent_ms,
                                  .disabled_ms = head.disabled_ms};
}

struct store_allow *sent_queue_batch(struct sent_queue *queue)
{
    unsigned char record[RING_RECORD_MAX];
    size_t at = 0;
    size_t taken = 0;

    while (taken < SENT_BATCH && ring_read(queue->ring, &at, record) > 0) {
        take(record, &queue->entry[taken], &queue->text[taken]);
        if (taken > 0)
            queue->entry[taken - 1].next = &queue->entry[taken];
        taken++;
    }
    queue->batch_end = queue->first + taken;
    return taken > 0 ? queue->entry : NULL;
}

size_t sent_queue_drop(struct sent_queue *queue)
{
    size_t gone = 0;

    for (; queue->first < queue->batch_end; gone++) {
        ring_drop(queue->ring);
        queue->first++;
    }
    return gone;
}
