// events.h: what every node must hear of soon: one small stream in Redis, `events:{p}`, that all of
// them follow. It says when what the near cache holds may be trusted.
//
//     kind forget    something was removed: drop the near cache
//     kind expect    recipient, until, since, note: mail is expected (mirror.h); until 0 = no more
//     kind spared    client, rests, day: a client is spared (core/spared.h); day 0 = no more
//     kind suspect   client, hour: what it names is counted (core/harvest.h)
//     kind ban       client, until, since, unknown, existing: it is banned; until 0 = no more
//     kind staged    document: of a policy set, to be compiled before it is needed
//     kind activated version: another policy set is in force
//     kind directory another directory is in force: read all of them again (directory.h)
//     kind gateways  there is news of who reports: read all of them again (gateways.c)
//     kind start     a row to begin at, on an empty stream
//
// A node joins at the stream's last row and then asks for that row and what follows it. If that row
// is no longer the first of the answer, rows were missed (trimmed, deleted, flushed, another
// server): everything is dropped, and the node joins anew. What it does not understand, it drops
// for.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/named.h"
#include "node/store/resp.h"
#include "node/store/store.h"

struct redisReply;

enum {
    EVENTS_POLL_MS = 300,
    EVENTS_TRUST_MS = 1000,   // after the last good poll was sent, the near cache is not trusted
    EVENTS_REREAD_MS = 10000, // expectations are read again as a whole
    EVENTS_PAGE = 100,
    EVENTS_ROWS = 1000, // about so many are kept
    EVENT_ID_MAX = 42,  // two numbers of 64 bits, a dash and the terminator
};
#define EVENTS_KEY     "events:{p}"
#define EVENTS_KEEP_MS (7ULL * 24 * 3600 * 1000) // after the last row

// ---- rows, pure

enum event_kind {
    EVENT_START,
    EVENT_FORGET,
    EVENT_EXPECT,
    EVENT_SPARED,
    EVENT_SUSPECT,
    EVENT_BAN,
    EVENT_STAGED,
    EVENT_ACTIVATED,
    EVENT_DIRECTORY,
    EVENT_GATEWAYS,
    EVENT_UNKNOWN
};

struct event {
    char id[EVENT_ID_MAX];
    enum event_kind kind;
    struct expectation expectation; // EVENT_EXPECT; texts are the reply's
    const char *client;             // EVENT_SPARED; the reply's
    struct spared_row row;          // EVENT_SPARED; zeroed: no more
    struct named_of named;          // EVENT_SUSPECT; EVENT_BAN: its client
    struct harvest_ban ban;         // EVENT_BAN; zeroed: no more
    const char *document;           // EVENT_STAGED; the reply's
};

// event_read: one element of XRANGE. False: it is no row of a stream at all. A row that is not
// understood is EVENT_UNKNOWN.
bool event_read(const struct redisReply *row, struct event *out);
// event_id_read: an id as XADD gives it. False if the reply is none.
bool event_id_read(const struct redisReply *reply, char out[EVENT_ID_MAX]);
// event_put: begins an XADD of that kind; fields may be added.
void event_put(struct resp *resp, const char *kind);

// ---- following

struct events {
    struct loop_timer *timer;
    char last[EVENT_ID_MAX]; // the row that was seen last; "" = it does not follow
    bool is_asking;
    uint64_t asked_ms;  // monotonic: when the question under way was sent
    uint64_t known_ms;  // monotonic: what happened until then was heard of
    uint64_t reread_ms; // monotonic: when expectations were asked for; 0 = they must be
    uint64_t drops;     // how often everything was dropped: who began before must not learn after
};

// events_start: asks each EVENTS_POLL_MS from now on; events_stop ends it.
void events_start(struct store *store);
void events_stop(struct store *store);
// events_poll: asks now, if there is a connection.
void events_poll(struct store *store);
// events_lost: the store's connection is new. Drops the near cache and joins anew.
void events_lost(struct store *store);
// events_drop: drops the near cache, and what is being read for it.
void events_drop(struct store *store);
// events_are_known: may the near cache be trusted? True while everything up to EVENTS_TRUST_MS ago
// was heard of.
bool events_are_known(const struct store *store);
// events_put_expiry: EXPIREAT of the stream; belongs behind each XADD where the store keeps expiry.
void events_put_expiry(const struct store *store, struct resp *resp);
