// cache.c: a hash table in the order of use. Promises: whoever chooses names cannot choose buckets
// (SipHash with a key of this process) and never gets another one's outcome (keys are compared
// whole).
#include "client/spf/cache.h"

#include <sodium.h>
#include <string.h>

#include "proto/base/mem.h"

// Kind, family, address, and the subject's three texts with their terminators.
enum { KEY_MAX = 2 + 16 + (MAIL_DOMAIN_MAX + 1) + (MAIL_ADDRESS_MAX + 1) + (MAIL_DOMAIN_MAX + 1) };

TAILQ_HEAD(spf_entries, spf_entry);

struct spf_cache {
    struct spf_entries in_use_order; // most recently used first
    struct spf_entry **buckets;
    size_t bucket_count; // a power of two
    size_t count;
    size_t most;
    unsigned char secret[crypto_shorthash_KEYBYTES];
};

struct spf_cache *spf_cache_new(size_t most)
{
    struct spf_cache *cache = mem_new(sizeof(*cache));

    cache->most = most;
    cache->bucket_count = 16;
    while (cache->bucket_count < most)
        cache->bucket_count *= 2;
    cache->buckets = mem_new_array(cache->bucket_count, sizeof(struct spf_entry *));
    TAILQ_INIT(&cache->in_use_order);
    crypto_shorthash_keygen(cache->secret);
    return cache;
}

void spf_cache_free(struct spf_cache **cache)
{
    if (*cache == NULL)
        return;
    while (!TAILQ_EMPTY(&(*cache)->in_use_order)) {
        struct spf_entry *entry = TAILQ_FIRST(&(*cache)->in_use_order);

        TAILQ_REMOVE(&(*cache)->in_use_order, entry, in_use_order);
        mem_free(entry);
    }
    mem_free((*cache)->buckets);
    mem_free(*cache);
    *cache = NULL;
}

size_t spf_cache_count(const struct spf_cache *cache)
{
    return cache->count;
}

// ---- keys

// add: a text and its terminator, so that no two lists of texts make one key.
static size_t add(unsigned char *key, size_t used, const char *text)
{
    size_t len = strlen(text) + 1;

    memcpy(key + used, text, len);
    return used + len;
}

static size_t make_key(const struct spf_subject *subject, enum spf_key kind,
                       unsigned char key[KEY_MAX])
{
    size_t used = 0;

    key[used++] = (unsigned char)kind;
    key[used++] = subject->client.family;
    memcpy(key + used, subject->client.bytes, sizeof(subject->client.bytes));
    used = add(key, used + sizeof(subject->client.bytes), subject->domain);
    if (kind == SPF_KEY_DOMAIN)
        return used;
    used = add(key, used, subject->local);
    return add(key, used, subject->helo);
}

static struct spf_entry **bucket_of(struct spf_cache *cache, const unsigned char *key, size_t bytes)
{
    unsigned char hash[crypto_shorthash_BYTES];
    uint64_t number = 0;

    (void)crypto_shorthash(hash, key, bytes, cache->secret);
    memcpy(&number, hash, sizeof(number));
    return &cache->buckets[number & (cache->bucket_count - 1)];
}

// ---- entries

static void drop(struct spf_cache *cache, struct spf_entry *entry)
{
    struct spf_entry **at = bucket_of(cache, entry->key, entry->key_bytes);

    while (*at != entry)
        at = &(*at)->next;
    *at = entry->next;
    TAILQ_REMOVE(&cache->in_use_order, entry, in_use_order);
    cache->count--;
    mem_free(entry);
}

// make_room: what is pinned is bounded elsewhere, and few.
static void make_room(struct spf_cache *cache)
{
    struct spf_entry *entry = TAILQ_LAST(&cache->in_use_order, spf_entries);

    while (entry != NULL && cache->count >= cache->most) {
        struct spf_entry *before = TAILQ_PREV(entry, spf_entries, in_use_order);

        if (!entry->is_pinned)
            drop(cache, entry);
        entry = before;
    }
}

static struct spf_entry *find(struct spf_entry *entry, const unsigned char *key, size_t bytes)
{
    while (entry != NULL && (entry->key_bytes != bytes || memcmp(entry->key, key, bytes) != 0))
        entry = entry->next;
    return entry;
}

static struct spf_entry *add_entry(struct spf_cache *cache, const unsigned char *key, size_t bytes)
{
    struct spf_entry *entry = NULL;
    struct spf_entry **bucket = bucket_of(cache, key, bytes);

    make_room(cache);
    entry = mem_new(sizeof(*entry) + bytes);
    memcpy(entry->key, key, bytes);
    entry->key_bytes = bytes;
    TAILQ_INIT(&entry->waiters);
    entry->next = *bucket;
    *bucket = entry;
    TAILQ_INSERT_HEAD(&cache->in_use_order, entry, in_use_order);
    cache->count++;
    return entry;
}

struct spf_entry *spf_cache_take(struct spf_cache *cache, const struct spf_subject *subject,
                                 enum spf_key kind)
{
    unsigned char key[KEY_MAX];
    const size_t bytes = make_key(subject, kind, key);
    struct spf_entry *entry = find(*bucket_of(cache, key, bytes), key, bytes);

    if (entry == NULL)
        return add_entry(cache, key, bytes);
    TAILQ_REMOVE(&cache->in_use_order, entry, in_use_order);
    TAILQ_INSERT_HEAD(&cache->in_use_order, entry, in_use_order);
    return entry;
}
