// sent_queue.c: a ring of records: a head, the owner's text and, of an entry, the external address. Promises: memory is taken
// once; records are whole or not there; nothing is written twice because something else gave way.
#include "node/verbs/sent_queue.h"

#include <assert.h>
#include <string.h>

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
    size_t size, start, used; // of the ring
    size_t count;
    uint64_t first;     // number of the oldest record
    uint64_t batch_end; // number of the first that was not in the last batch
    struct store_allow entry[SENT_BATCH];
    struct text text[SENT_BATCH];
    unsigned char ring[];
};

struct sent_queue *sent_queue_new(size_t bytes)
{
    struct sent_queue *queue = mem_new(sizeof(*queue) + bytes);

    queue->size = bytes;
    return queue;
}

void sent_queue_free(struct sent_queue **queue)
{
    mem_free(*queue);
    *queue = NULL;
}

size_t sent_queue_count(const struct sent_queue *queue)
{
    return queue->count;
}

// ---- bytes

static void put(struct sent_queue *queue, const void *bytes, size_t len)
{
    const size_t at = (queue->start + queue->used) % queue->size;
    const size_t head = len < queue->size - at ? len : queue->size - at;

    memcpy(queue->ring + at, bytes, head);
    memcpy(queue->ring, (const unsigned char *)bytes + head, len - head);
    queue->used += len;
}

// get: len bytes that begin so far behind the start.
static void get(const struct sent_queue *queue, size_t offset, void *out, size_t len)
{
    const size_t at = (queue->start + offset) % queue->size;
    const size_t head = len < queue->size - at ? len : queue->size - at;

    memcpy(out, queue->ring + at, head);
    memcpy((unsigned char *)out + head, queue->ring, len - head);
}

// ---- records

static size_t record_bytes(const struct head *head)
{
    return sizeof(*head) + head->owner_bytes + head->external_bytes;
}

static void drop_oldest(struct sent_queue *queue)
{
    struct head head;

    get(queue, 0, &head, sizeof(head));
    queue->start = (queue->start + record_bytes(&head)) % queue->size;
    queue->used -= record_bytes(&head);
    queue->count--;
    queue->first++;
}

size_t sent_queue_add(struct sent_queue *queue, const struct store_allow *entry)
{
    const size_t owner = strlen(entry->owner) + 1;
    const size_t external = entry->external != NULL ? strlen(entry->external) + 1 : 0;
    struct head head = {.sent_ms = entry->sent_ms, .disabled_ms = entry->disabled_ms};
    size_t gone = 0;

    assert(owner <= PERSON_ADDRESS_MAX && external <= PERSON_ADDRESS_MAX);
    head.owner_bytes = (uint16_t)owner;
    head.external_bytes = (uint16_t)external;
    assert(record_bytes(&head) <= queue->size);
    for (; queue->size - queue->used < record_bytes(&head); gone++)
        drop_oldest(queue);
    put(queue, &head, sizeof(head));
    put(queue, entry->owner, owner);
    if (external > 0)
        put(queue, entry->external, external);
    queue->count++;
    return gone;
}

struct store_allow *sent_queue_batch(struct sent_queue *queue)
{
    size_t offset = 0;
    size_t taken = 0;

    for (; taken < SENT_BATCH && taken < queue->count; taken++) {
        struct store_allow *entry = &queue->entry[taken];
        struct text *text = &queue->text[taken];
        struct head head;

        get(queue, offset, &head, sizeof(head));
        get(queue, offset + sizeof(head), text->owner, head.owner_bytes);
        get(queue, offset + sizeof(head) + head.owner_bytes, text->external, head.external_bytes);
        offset += record_bytes(&head);
        *entry = (struct store_allow){.owner = text->owner,
                                      .external = head.external_bytes > 0 ? text->external : NULL,
                                      .sent_ms = head.sent_ms,
                                      .disabled_ms = head.disabled_ms};
        if (taken > 0)
            queue->entry[taken - 1].next = entry;
    }
    queue->batch_end = queue->first + taken;
    return taken > 0 ? queue->entry : NULL;
}

size_t sent_queue_drop(struct sent_queue *queue)
{
    size_t gone = 0;

    for (; queue->first < queue->batch_end; gone++)
        drop_oldest(queue);
    return gone;
}
