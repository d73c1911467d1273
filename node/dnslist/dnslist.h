// dnslist.h: what DNS lists say of a client or a sender's domain (RFC 5782): bad ones (DNSBL) and good ones (DNSWL).
//
// Promises: nothing blocks; equal questions are one; all lists are asked at once; who waits hears in time, and a question that takes
// longer goes on without them, so that its answer is there for the retry; an answer is kept as long as its TTL (of a negative one: the zone's
// SOA minimum) says, within bounds. No answer is never a hit. A list that lists 127.0.0.1 (RFC 5782 section 5), or answers outside of 127.0.0.0/8, or with its
// own error codes (127.255.255.0/24), says nothing until it is sound again; that is logged and counted.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/policy.h"
#include "proto/base/loop.h"
#include "proto/base/yaml.h"

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
    struct facts_list *out; // one of each list, in their order
    uint64_t within_ms;
};

struct dnslist;
struct dnslist_config {
    struct loop *loop;
    struct yaml_texts
        servers;    // dns.servers of reeve.yaml: "127.0.0.1:53"; none = those of the system
    uint64_t cache; // answers that are kept at most
};
MUST_USE enum err dnslist_new(struct dnslist **out, const struct dnslist_config *config,
                              struct err_detail *detail);
void dnslist_free(struct dnslist **desk);
// dnslist_ask: done is called exactly once, on the loop, possibly before this returns (all was known).
void dnslist_ask(struct dnslist *desk, const struct dnslist_question *question,
                 struct dnslist_done done);
