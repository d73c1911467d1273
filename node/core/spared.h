// spared.h: clients that retried honestly so often that greylisting spares them.
//
// A client is one IPv4 address, one IPv6 /64, or a domain that SPF passed for and that is aligned with
// the envelope sender; never a name, because whole hosting companies share those. The store keeps a hash
// of each, `w:<client>`: a field is a pair (8 bytes of its hash) that this client made pass by retrying,
// its value the day (of the store's clock, days since 1970) of that. Five pairs on two days are a mail
// server; pairs age out one by one, and all of them go at once when somebody says so.
//
// Pure: what the hash means and what is to be written. Who reads and writes it is the store.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/key.h"
#include "proto/ip.h"

enum {
    SPARED_CLIENTS_MAX = 2, // the address, and a domain of SPF
    SPARED_PAIRS_MAX = 16,  // kept of a client
    SPARED_READ_MAX = 64,   // read of a client: nodes that race may leave more than are kept
    SPARED_NAME_MAX = 272,  // "w:spf:" and a domain
    SPARED_NEEDS_PAIRS = 5, // different ones, ...
    SPARED_NEEDS_DAYS = 2,  // ... on so many different days
    SPARED_LIFE_DAYS = 36,  // the longest life there is (settings.greylist.life)
};
#define SPARED_DAY_MS (24ULL * 3600 * 1000)

struct spared_pair {
    uint8_t pair[KEY_PAIR_BYTES];
    uint64_t day;
};

// One client, and what is stored of it.
struct spared_client {
    char name[SPARED_NAME_MAX]; // its key: w:192.0.2.1, w:2001:db8:1:2::/64, w:spf:example.org
    bool known;                 // the store said; false: it is not spared, and nothing is written
    unsigned count;
    struct spared_pair pair[SPARED_READ_MAX];
};

// The clients that one message comes from.
struct spared_clients {
    struct spared_client client[SPARED_CLIENTS_MAX];
    unsigned count;
};

// spared_add_ip, spared_add_domain: one client more, of which nothing is known yet. An IPv6 address is its
// /64. The domain is normalised, and the caller knows that it is aligned.
void spared_add_ip(struct spared_clients *clients, const struct ip *ip);
void spared_add_domain(struct spared_clients *clients, const char *domain);

// spared_day: the day of a moment.
uint64_t spared_day(uint64_t at_ms);

// spared_holds: whether the client is spared at now_ms, where a pair counts for life_ms after its day.
bool spared_holds(const struct spared_client *client, uint64_t now_ms, uint64_t life_ms);

// spared_by: the first of the clients that is spared, or NULL. NULL-safe.
const struct spared_client *spared_by(const struct spared_clients *clients, uint64_t now_ms,
                                      uint64_t life_ms);

// What is written of a client: one field, and others removed.
struct spared_change {
    struct spared_pair set;
    unsigned removed_count;
    uint8_t removed[SPARED_READ_MAX][KEY_PAIR_BYTES];
};

// How a pair came to its accept.
enum spared_cause {
    SPARED_PASSED, // by a retry: it counts, if there is room
    SPARED_SPARED, // because the client is spared: it renews, once a day
};

// spared_note: what must be written because this pair was accepted now, into *out and into the client itself
// (so that the next recipient of the message sees it); false if nothing. Never makes a client lose a day
// or a pair that it needs: a pair is written again, or the oldest gives way to it, only when it brings a day
// that none has.
bool spared_note(struct spared_client *client, const uint8_t pair[KEY_PAIR_BYTES],
                 enum spared_cause cause, uint64_t now_ms, uint64_t life_ms,
                 struct spared_change *out);

// spared_expiry_ms: when the key may go that was written on that day: no pair of it can count any more.
uint64_t spared_expiry_ms(uint64_t day);
