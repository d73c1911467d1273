// report_queue.c: reports as records of a ring: the numbers, then the texts. Promises: memory is taken once; a report comes back
// as it was, or gave way.
#include "node/verbs/report_queue.h"

#include <assert.h>
#include <string.h>

#include "node/verbs/ring.h"
#include "proto/base/mem.h"

enum { TEXTS = 8 };

struct head {
    bool is_spam, judges, ends;
    double weight;
    uint64_t at_ms;
    struct ip ip;
    uint32_t asn;
    uint32_t claim;
    enum reputation_auth auth;
};
static_assert(sizeof(struct head) + REPORT_MEMORY_BYTES <= RING_RECORD_MAX, "a record holds it");

struct report_queue {
    struct ring *ring;
};

struct report_queue *report_queue_new(size_t bytes)
{
    struct report_queue *queue = mem_new(sizeof(*queue));

    queue->ring = ring_new(bytes);
    return queue;
}

void report_queue_free(struct report_queue **queue)
{
    if (*queue == NULL)
        return;
    ring_free(&(*queue)->ring);
    mem_free(*queue);
    *queue = NULL;
}

size_t report_queue_count(const struct report_queue *queue)
{
    return ring_count(queue->ring);
}

static size_t add_text(unsigned char record[RING_RECORD_MAX], size_t used, const char *text)
{
    const size_t len = strlen(text) + 1;

    assert(used + len <= RING_RECORD_MAX);
    memcpy(record + used, text, len);
    return used + len;
}

size_t report_queue_add(struct report_queue *queue, const struct report_item *item)
{
    const char *const texts[TEXTS] = {item->event,         item->gateway,    item->client.country,
                                      item->client.domain, item->spf_domain, item->mailbox,
                                      item->address,       item->external};
    const struct head head = {.is_spam = item->is_spam,
                              .judges = item->judges,
                              .ends = item->ends,
                              .weight = item->weight,
                              .at_ms = item->at_ms,
                              .ip = item->client.ip,
                              .asn = item->client.asn,
                              .claim = item->claim,
                              .auth = item->client.auth};
    unsigned char record[RING_RECORD_MAX];
    size_t used = sizeof(head);

    memcpy(record, &head, sizeof(head));
    for (size_t i = 0; i < TEXTS; i++)
        used = add_text(record, used, texts[i]);
    assert(used <= sizeof(head) + REPORT_MEMORY_BYTES);
    return ring_add(queue->ring, record, used);
}

bool report_queue_take(struct report_queue *queue, char memory[REPORT_MEMORY_BYTES],
                       struct report_item *out)
{
    unsigned char record[RING_RECORD_MAX];
    const char *texts[TEXTS];
    struct head head;
    size_t at = 0;
    const size_t len = ring_read(queue->ring, &at, record);

    if (len == 0)
        return false;
    ring_drop(queue->ring);
    memcpy(&head, record, sizeof(head));
    memcpy(memory, record + sizeof(head), len - sizeof(head));
    for (size_t i = 0; i < TEXTS; i++) {
        texts[i] = memory;
        memory += strlen(memory) + 1;
    }
    *out = (struct report_item){
        .event = texts[0],
        .gateway = texts[1],
        .is_spam = head.is_spam,
        .judges = head.judges,
        .ends = head.ends,
        .weight = head.weight,
        .at_ms = head.at_ms,
        .claim = head.claim,
        .client = {.ip = head.ip,
                   .asn = head.asn,
                   .country = texts[2],
                   .domain = texts[3],
                   .auth = head.auth},
        .spf_domain = texts[4],
        .mailbox = texts[5],
        .address = texts[6],
        .external = texts[7],
    };
    return true;
}
