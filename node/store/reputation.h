// reputation.h: how reputation is kept (core/reputation.h). Of the store, and seen by its files alone.
//
//     read      MGET leaves, and parents that were not read within 5 s                              the lookups' connection
//     report    EVAL claim e:{b}:<period>    MGET levels    [EVAL gateways:{p}: an id]              everything else the operator's
//               EVAL add r:<leaf> of each chain                                                     atomic each
//     later     EVAL add r:<parent>          what climbs, summed for a second
//               EVAL gateways:{p}            what is new of a gateway, once a second    XADD events kind gateways, where it matters
//               EVAL volume r:<leaf>         mails of an entity, once a second
//
// A site that reports nothing pays nothing: while both roots are absent, which is looked at each 5 s, no lookup asks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/parents.h"
#include "node/store/reporters.h"
#include "node/store/scan.h"
#include "node/store/store.h"

enum {
    REPUTATION_REPORTS_MAX = 512, // under way
    REPUTATION_ROOTS_MS = 5000,   // while they are empty
    CLIMB_MAX = 65536,            // sums that wait; one more is lost
    CLIMB_CHAINS = 4096,
    CLIMB_BATCH = 16,   // commands of one operation,
    CLIMB_BATCHES = 16, // of which so many are under way
    VOLUMES_MAX = 32768,
    VOLUME_CHAINS = 4096,
    VOLUME_BATCHES = 16,
    VOLUME_LEAST = 10, // mails within an hour that make an entity
};

struct climb_sum;
struct volume;

// What climbs: sums by path (the level's key and those above it), reporter and class, oldest first.
struct climb {
    struct climb_sum *chain[CLIMB_CHAINS];
    struct climb_sum *first, *last;
    size_t count;
    uint64_t tick;                       // sums of earlier ticks are due
    unsigned batches;                    // under way
    bool is_urgent;                      // all are due, until none is left
    struct reputation_settings settings; // of the last report
};

struct volumes {
    struct volume *chain[VOLUME_CHAINS];
    size_t count;
    unsigned batches; // under way
    unsigned left;    // chains that were not looked at in this second
};

struct reputing {
    struct script_names names;
    bool has_asked_names;    // of this connection
    struct parents *parents; // NULL = nothing was ever read
    struct reporters reporters;
    struct scan reading;
    bool knows_reporters; // all of them were read
    struct climb climb;
    struct volumes volumes;
    unsigned report_count; // under way
    bool has_looked;       // at the roots
    bool are_roots_empty;  // then
    bool is_looking;
    uint64_t looked_ms; // monotonic, when the question was sent
};

struct redisReply;

// reputation_clear: frees what it holds. reputation_tick: each second.
void reputation_clear(struct store *store);
void reputation_tick(struct store *store);
// reputation_lost: the store's connection is new.
void reputation_lost(struct store *store);

// reputation_look: asks for the roots while they are empty, if it is time.
void reputation_look(struct store *store);
// reputation_is_empty: nobody has ever reported, as far as is known.
bool reputation_is_empty(const struct store *store);
// reputation_take: a level out of its reply; false: that is none of ours, and the level is unknown.
bool reputation_take(struct store *store, struct reputation_level *level,
                     const struct redisReply *reply);
// reputation_complain: somebody has written what is none of ours.
void reputation_complain(struct store *store);
// reputation_how: how scripts are sent now. reputation_name_scripts: asks for their names, once a connection. reputation_unname: the server
// did not know one: they are asked for again.
struct script_how reputation_how(const struct store *store);
void reputation_name_scripts(struct store *store);
void reputation_unname(struct store *store);
// reputation_learn: what was read, or has just become, of a level.
void reputation_learn(struct store *store, const struct reputation_level *level);

// gateways_heard: an event said that there is news. gateways_reread: begins to read all rows, if it is time. gateways_flush: tells what
// is new. gateways_take: a row as the store said it; false: it is none, or there are too many. gateways_tell: XADD, where trust changed much.
void gateways_heard(struct store *store);
void gateways_reread(struct store *store);
void gateways_flush(struct store *store);
// gateways_waiting: of how many there is news that the store has not.
size_t gateways_waiting(const struct store *store);
struct reporter *gateways_take(struct store *store, const char *name,
                               const struct redisReply *value);
// gateways_take_all: the reply of HGETALL, which replaces what is known.
bool gateways_take_all(struct store *store, const struct redisReply *reply);
void gateways_tell(struct store *store, struct reporter *reporter, bool is_new);

// climb_add: so much climbs to the first key of the path (keys parted by blanks, leaf to root). climb_flush: writes what is due.
struct climb_part {
    const char *path;
    uint16_t reporter;
    bool is_spam;
    uint32_t now_s;
    double weight;
};
void climb_add(struct store *store, const struct climb_part *part);
void climb_flush(struct store *store);
void climb_forget(struct store *store, uint16_t reporter);
void climb_clear(struct climb *climb);

// volumes_flush: begins to write what waits.
void volumes_flush(struct store *store);
void volumes_clear(struct volumes *volumes);
