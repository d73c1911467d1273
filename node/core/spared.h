// spared.h: clients that retried honestly so often that greylisting spares them.
//
// A client is one IPv4 address, one IPv6 /64, or a domain that SPF passed for and that is aligned with
// the envelope sender; never a name, because whole hosting companies share those. The store keeps the
// evidence of each, a hash `w:<client>`: a field is a pair (8 bytes of its hash) that this client made pass
// by retrying, its value the day (of the store's clock, days since 1970) of that. Five pairs on two days are
// a mail server; pairs age out one by one, and all of them go at once when somebody says so.
//
// Whom that makes a spared client has a row in one hash that every node mirrors, `spared:{p}`: two days,
// from which each node knows without asking until when it is spared, and whether it was renewed today.
//
// Pure: what evidence and row mean and what is to be written. Who reads and writes them is the store.
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

// What a spared client's row says. Zeroed: it is not spared.
struct spared_row {
    uint32_t rests;  // the oldest day that it needs: it is spared as long as that one counts
    uint32_t newest; // the last day on which it passed by a retry, or was renewed
};

// One client, and the evidence that is stored of it.
struct spared_client {
    char name[SPARED_NAME_MAX]; // its key: w:192.0.2.1, w:2001:db8:1:2::/64, w:spf:example.org
    bool known;                 // the store said; false: it is not spared, and nothing is written
    unsigned count;
    struct spared_pair pair[SPARED_READ_MAX];
};

// The clients that one message comes from, and what this node knows of them.
struct spared_id {
    char name[SPARED_NAME_MAX]; // as above
    struct spared_row row;
};
struct spared_clients {
    struct spared_id client[SPARED_CLIENTS_MAX];
    unsigned count;
};

// spared_add_ip, spared_add_domain: one client more, of which nothing is known yet. An IPv6 address is its
// /64. The domain is normalised, and the caller knows that it is aligned.
void spared_add_ip(struct spared_clients *clients, const struct ip *ip);
void spared_add_domain(struct spared_clients *clients, const char *domain);

// spared_day: the day of a moment.
uint64_t spared_day(uint64_t at_ms);

// spared_row_of: the row that the evidence makes; zeroed if there is too little of it. However long a pair
// counts: the row holds as long as the evidence would.
struct spared_row spared_row_of(const struct spared_client *client);

// spared_holds: whether a client with that row is spared at now_ms, where a day counts for life_ms after it.
bool spared_holds(const struct spared_row *row, uint64_t now_ms, uint64_t life_ms);

// spared_by: the first of the clients that is spared, or NULL. NULL-safe.
const struct spared_id *spared_by(const struct spared_clients *clients, uint64_t now_ms,
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

// An accept that says something of a client.
struct spared_news {
    uint8_t pair[KEY_PAIR_BYTES];
    enum spared_cause cause;
    uint64_t now_ms, life_ms;
};

// spared_is_due: whether the news says something that the row does not say already: a retry always, a mail of
// a spared client once a day. Only what was earned is renewed.
bool spared_is_due(const struct spared_row *row, const struct spared_news *news);

// spared_note: what must be written because of the news, into *out and into the client itself; false if
// nothing. Never makes a client lose a day or a pair that it needs: a pair is written again, or the oldest
// gives way to it, only when it brings a day that none has. A mail of a spared client renews what holds and
// nothing else.
bool spared_note(struct spared_client *client, const struct spared_news *news,
                 struct spared_change *out);

// spared_expiry_ms: when the key may go that was written on that day: nothing of it can count any more.
uint64_t spared_expiry_ms(uint64_t day);
