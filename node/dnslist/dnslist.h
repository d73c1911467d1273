// dnslist.h: what DNS lists say of a client or a sender's domain (RFC 5782): bad ones (DNSBL) and good ones (DNSWL).
//
// Promises: nothing blocks; equal questions are one; all lists are asked at once; who waits hears in time, and a question that takes
// longer goes on without them, so that its answer is there for the retry; an answer is kept as long as its TTL (of a negative one: the zone's
// SOA minimum) says, within bounds. No answer is never a hit. A list that lists 127.0.0.1 (RFC 5782 section 5), or answers outside of 127.0.0.0/8, or with an
// error code (127.255.255.0/24, 127.0.0.1), says nothing until it is sound again; that is logged and counted.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/policy.h"
#include "proto/base/dns.h"
#include "proto/base/loop.h"

// How long an answer is kept: as long as it says, but between the least and the most.
enum {
    DNSLIST_LIFE_LEAST_MS = 5000, // so that the next recipient finds it
    DNSLIST_LIFE_MOST_MS = 86400000,
    DNSLIST_LIFE_CLEAR_MS = 3600000, // at most, of one that does not list
    DNSLIST_LIFE_FAILED_MS = 10000,
};

// Told once; out of the asker's array, valid until then.
struct dnslist_done {
    void (*fn)(void *arg, uint64_t token);
    void *arg;
    uint64_t token;
};
// Everything is borrowed: list and out until done, the rest until dnslist_ask returns.
struct dnslist_question {
    const struct policy_dns_list *list;
    size_t count;
    const struct ip *client; // family 0 = not known: lists of clients are not asked
    const char *
        domain; // registrable or whole domain of the sender, normalised; "" = lists of senders are not asked
    const char *
        proven; // the same, where it is proven that the sender is of that domain: of it good lists of senders are asked
    struct facts_list *out; // one of each list, in their order
    uint64_t within_ms;     // 0 = who asks does not wait
    bool known_only;        // nobody is asked: what is not known is UNASKED
};

// Counters since start. Metric: reeve_dnslist_<name>.
#define DNSLIST_COUNTER_LIST(X)                                                      \
    X(questions, "questions about a client or a sender's domain, one for each list") \
    X(known, "of these, such as were answered from what was kept")                   \
    X(joined, "of these, such as were under way already")                            \
    X(asked, "of these, such as DNS was asked")                                      \
    X(crowded, "of these, such as were not asked: too many were under way")          \
    X(unsound, "of these, such as were not asked: the list is off")                  \
    X(silent, "of these, such as nothing was heard of while somebody waited")        \
    X(listed, "answers of DNS: listed")                                              \
    X(clear, "answers of DNS: not listed")                                           \
    X(failed, "questions that DNS did not answer, or by nonsense")
struct dnslist_counters {
#define DNSLIST_COUNTER_FIELD(name, help) uint64_t name;
    DNSLIST_COUNTER_LIST(DNSLIST_COUNTER_FIELD)
#undef DNSLIST_COUNTER_FIELD
};

// One list, as it stands.
struct dnslist_view {
    const char *zone; // lives as long as the desk
    bool is_off;      // it cannot be believed, and is not asked
    uint64_t hits;    // how often it counted
};

struct dnslist;
struct dnslist_config {
    struct loop *loop;
    struct dns_config dns; // borrowed until dnslist_new returns
    uint64_t cache;        // answers that are kept at most
};
MUST_USE enum err dnslist_new(struct dnslist **out, const struct dnslist_config *config,
                              struct err_detail *detail);
// dnslist_free: who still waits is told first.
void dnslist_free(struct dnslist **desk);
// dnslist_ask: done is called exactly once, on the loop, possibly before this returns (all was known).
void dnslist_ask(struct dnslist *desk, const struct dnslist_question *question,
                 struct dnslist_done done);

const struct dnslist_counters *dnslist_counters(const struct dnslist *desk);
// dnslist_kept: answers. dnslist_views: of the lists that were asked since the start; how many, at most `most`.
uint64_t dnslist_kept(const struct dnslist *desk);
size_t dnslist_views(const struct dnslist *desk, struct dnslist_view *out, size_t most);
