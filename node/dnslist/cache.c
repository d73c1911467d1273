// cache.c: a hash table in the order of use. Promises: whoever chooses names cannot choose buckets (SipHash with a key of this
// process), and never gets another name's answer.
#include "node/dnslist/cache.h"

#include <sodium.h>
#include <string.h>

#include "proto/base/mem.h"

TAILQ_HEAD(entries, dnslist_entry);

struct dnslist_cache {
    struct entries in_use_order; // most recently used first
    struct dnslist_entry **buckets;
    uint64_t bucket_count; // a power of two
    uint64_t count;
    uint64_t most;
    unsigned char secret[crypto_shorthash_KEYBYTES];
};

struct dnslist_cache *dnslist_cache_new(uint64_t most)
{
    struct dnslist_cache *cache = mem_new(sizeof(*cache));

    cache->most = most;
    cache->bucket_count = 16;
    while (cache->bucket_count < most)
        cache->bucket_count *= 2;
    cache->buckets = mem_new_array(cache->bucket_count, sizeof(struct dnslist_entry *));
    TAILQ_INIT(&cache->in_use_order);
    crypto_shorthash_keygen(cache->secret);
    return cache;
}

void dnslist_cache_free(struct dnslist_cache **cache)
{
    if (*cache == NULL)
        return;
    while (!TAILQ_EMPTY(&(*cache)->in_use_order)) {
        struct dnslist_entry *entry = TAILQ_FIRST(&(*cache)->in_use_order);

        TAILQ_REMOVE(&(*cache)->in_use_order, entry, in_use_order);
        mem_free(entry);
    }
    mem_free((*cache)->buckets);
    mem_free(*cache);
    *cache = NULL;
}

uint64_t dnslist_cache_count(const struct dnslist_cache *cache)
{
    return cache->count;
}

static struct dnslist_entry **bucket_of(struct dnslist_cache *cache, const char *name)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint64_t number = 0;

    (void)crypto_shorthash(hash, (const unsigned char *)name, strlen(name), cache->secret);
    memcpy(&number, hash, sizeof(number));
    return &cache->buckets[number & (cache->bucket_count - 1)];
}

static void drop(struct dnslist_cache *cache, struct dnslist_entry *entry)
{
    struct dnslist_entry **at = bucket_of(cache, entry->name);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    TAILQ_REMOVE(&cache->in_use_order, entry, in_use_order);
    cache->count--;
    mem_free(entry);
}

// make_room: what is pinned is bounded elsewhere, and few.
static void make_room(struct dnslist_cache *cache)
{
    struct dnslist_entry *entry = TAILQ_LAST(&cache->in_use_order, entries);

    while (entry != NULL && cache->count >= cache->most) {
        struct dnslist_entry *before = TAILQ_PREV(entry, entries, in_use_order);

        if (!entry->is_pinned)
            drop(cache, entry);
        entry = before;
    }
}

struct dnslist_entry *dnslist_cache_find(struct dnslist_cache *cache, const char *name)
{
    struct dnslist_entry *entry = *bucket_of(cache, name);

    while (entry != NULL && strcmp(entry->name, name) != 0)
        entry = entry->next;
    if (entry == NULL)
        return NULL;
    TAILQ_REMOVE(&cache->in_use_order, entry, in_use_order);
    TAILQ_INSERT_HEAD(&cache->in_use_order, entry, in_use_order);
    return entry;
}

static struct dnslist_entry *add_entry(struct dnslist_cache *cache, const char *name)
{
    struct dnslist_entry **bucket = bucket_of(cache, name);
    const size_t size = strlen(name) + 1;
    struct dnslist_entry *entry = mem_new(sizeof(*entry) + size);

    memcpy(entry->name, name, size);
    TAILQ_INIT(&entry->waiters);
    entry->next = *bucket;
    *bucket = entry;
    TAILQ_INSERT_HEAD(&cache->in_use_order, entry, in_use_order);
    cache->count++;
    return entry;
}

struct dnslist_entry *dnslist_cache_take(struct dnslist_cache *cache, const char *name)
{
    struct dnslist_entry *entry = dnslist_cache_find(cache, name);

    if (entry != NULL)
        return entry;
    make_room(cache);
    return add_entry(cache, name);
}
