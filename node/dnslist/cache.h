// cache.h: answers of lists that are known, or being asked for, by the name that is asked for. A bounded number of them, the least
// recently used of which give way.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "node/dnslist/answer.h"

struct dnslist_item; // somebody who waits for it (dnslist.c)
TAILQ_HEAD(dnslist_items, dnslist_item);

struct dnslist_entry {
    TAILQ_ENTRY(dnslist_entry) in_use_order;
    struct dnslist_entry *next; // of the same bucket
    struct dnslist_items waiters;
    struct dnslist_answer answer;
    uint64_t expires_ms; // monotonic; 0 = there is no answer yet
    unsigned round;      // of its zone (zone.h), in which it was asked
    bool is_under_way;
    bool is_pinned; // may not give way
    char name[];    // terminated
};

struct dnslist_cache;

// dnslist_cache_new: for so many entries; pinned ones may be more. dnslist_cache_free: pinned entries too; their waiters are not touched.
struct dnslist_cache *dnslist_cache_new(uint64_t most);
void dnslist_cache_free(struct dnslist_cache **cache);

// dnslist_cache_find: NULL = it is not known. dnslist_cache_take: the same, or a new one. An entry stays where it is until the next
// take, and longer while it is pinned.
struct dnslist_entry *dnslist_cache_find(struct dnslist_cache *cache, const char *name);
struct dnslist_entry *dnslist_cache_take(struct dnslist_cache *cache, const char *name);

uint64_t dnslist_cache_count(const struct dnslist_cache *cache);
