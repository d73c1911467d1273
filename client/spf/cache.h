// cache.h: outcomes that are known, or being found out, by who asks. A bounded number of them, the
// least recently used of which give way.
//
// Most records say the same whoever of a domain sends, so an outcome is kept for the client's
// address and the domain. A record with a macro of the local part or the HELO name says different
// things: then that entry only says "varies", and the outcome is kept for all four.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/spf/evaluate.h"

enum spf_key { SPF_KEY_DOMAIN, SPF_KEY_SENDER };

TAILQ_HEAD(spf_waiters, spf_waiter);

// One entry. Whoever evaluates it pins it, and it has waiters meanwhile.
struct spf_entry {
    TAILQ_ENTRY(spf_entry) in_use_order;
    struct spf_entry *next; // of the same bucket
    struct spf_waiters waiters;
    uint64_t expires_ms; // monotonic
    enum spf_outcome outcome;
    bool is_under_way;
    bool is_pinned; // may not give way
    bool varies;    // see above; outcome is not used
    size_t key_bytes;
    unsigned char key[];
};

struct spf_cache;

// spf_cache_new: for so many entries; pinned ones may be more.
struct spf_cache *spf_cache_new(size_t most);
// spf_cache_free: pinned entries too; their waiters are not touched.
void spf_cache_free(struct spf_cache **cache);

// spf_cache_take: the entry for this subject, a new one (SPF_UNKNOWN, expired) if there is none.
// It stays where it is until the next call.
struct spf_entry *spf_cache_take(struct spf_cache *cache, const struct spf_subject *subject,
                                 enum spf_key kind);

size_t spf_cache_count(const struct spf_cache *cache);
