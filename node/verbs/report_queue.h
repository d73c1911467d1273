// report_queue.h: a report, as it is counted, and those that wait for the store: a bounded ring, in which the oldest give way.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

// What is counted of one event. Texts are borrowed, never NULL.
struct report_item {
    const char *event;
    const char *gateway;
    bool is_spam;
    bool judges; // it says something of the gateway's trust: what people and scanners say
    bool
        ends; // of spam that people and scanners saw: its client is not spared any more, its pair not let through
    double weight; // before trust, above 0
    uint64_t at_ms;
    uint32_t claim;                  // of store_report: 0, or what it was when it was given before
    struct reputation_client client; // domain: of the item; country: of the item
    const char *spf_domain;          // that passed and is aligned with the sender's; "" = none
    // The pair that Auto Allow may know; "" = none is named. mailbox: whose entry it is, unless a directory says another;
    // address: the recipient; external: the sender.
    const char *mailbox, *address, *external;
};

struct report_queue;

struct report_queue *report_queue_new(size_t bytes);
void report_queue_free(struct report_queue **queue); // NULL-safe, NULLs
size_t report_queue_count(const struct report_queue *queue);

// report_queue_add: a copy of it. Returns how many older ones gave way.
size_t report_queue_add(struct report_queue *queue, const struct report_item *item);
// report_queue_take: the oldest, which leaves the queue; its texts live in memory. False: there is none.
enum { REPORT_MEMORY_BYTES = 4096 };
bool report_queue_take(struct report_queue *queue, char memory[REPORT_MEMORY_BYTES],
                       struct report_item *out);
