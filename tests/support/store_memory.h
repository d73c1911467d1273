// store_memory.h: the store of node/store/store.h, kept in memory instead of Redis. Linked instead
// of node/store, it gives scenario tests what a real store cannot: exact time, trouble at one
// chosen moment of a request, and operations that wait until the script lets them go on, one by
// one, so that the order of a race is written down.
//
// A struct memory is the server: what is stored, shared by every node of a scenario. A struct store
// is one node's connection to it. Keys are named by node/core/key.h exactly as they would be in
// Redis, and each HSETNX, HSET and HMGET has one counterpart here. Operations are answered before
// their function returns, unless they are held.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

// The moments of a request at which the store is touched, and where trouble can be put. One list:
// enum and script word.
#define MEMORY_MOMENT_LIST(X)                                                         \
    X(READ, "read")       /* store_read_passed */                                     \
    X(PERSON, "person")   /* store_read_person */                                     \
    X(ANSWER, "answer")   /* store_write_answer; never held */                        \
    X(PENDING, "pending") /* store_add_pending */                                     \
    X(PASSED, "passed")   /* store_write_passed */                                    \
    X(ALIGN, "align")     /* store_align_pending */                                   \
    X(BEFORE, "before")   /* the slice before, which store_add_pending reads first */ \
    X(CLIENTS, "clients") /* what a node mirrors of spared and banned clients */      \
    X(SPARED, "spared")   /* store_spared_note */                                     \
    X(LIMIT, "limit")     /* store_limit_add */                                       \
    X(HARVEST, "harvest") /* store_harvest_note */                                    \
    X(SETTLE, "settle")   /* store_limit_keep, store_limit_drop */                    \
    X(ALLOW, "allow")     /* store_allow_note */                                      \
    X(TRACK, "track")     /* store_track */                                           \
    X(LEVELS, "levels")   /* store_read_reputation */                                 \
    X(REPORT, "report")   /* store_report */                                          \
    X(VOLUME, "volume")   /* store_reputation_volume */                               \
    X(ADMIN, "admin")     /* what an operator asks; never held */

enum memory_moment {
#define MEMORY_MOMENT_ENUM(name, word) MEMORY_##name,
    MEMORY_MOMENT_LIST(MEMORY_MOMENT_ENUM)
#undef MEMORY_MOMENT_ENUM
        MEMORY_MOMENT_COUNT,
};
const char *memory_moment_word(enum memory_moment moment);

struct memory;

// memory_new: an empty server. expires false: nothing is ever dropped, as if Redis had never come
// round to it; whatever is decided must be the same.
struct memory *memory_new(bool expires);
// memory_free: after every store was freed. NULL-safe, NULLs.
void memory_free(struct memory **memory);

// memory_connect: one more node's store. store_free disconnects it.
struct store *memory_connect(struct memory *memory);

// memory_trouble: from now on, operations of that moment meet the state, as Redis would: a full or
// read-only server answers reads and refuses writes, a slow one does what it is told and is not
// heard, any other trouble does nothing. STORE_UP ends it. The whole store's state (store_state) is
// the one that all moments share; otherwise it is up.
// store NULL: every store, those that connect later included.
void memory_trouble(struct memory *memory, struct store *store, enum memory_moment moment,
                    enum store_state state);

// memory_hold: operations of that moment wait for memory_release.
void memory_hold(struct store *store, enum memory_moment moment, bool hold);
// memory_release: lets the oldest held operation of the store (NULL = of any) go on. False if there
// is none.
bool memory_release(struct memory *memory, struct store *store);
size_t memory_held(const struct memory *memory, const struct store *store);
// memory_is_holding: something is held, or would be if that store were asked.
bool memory_is_holding(const struct memory *memory, const struct store *store);
// memory_is_calm: no moment of that store meets trouble.
bool memory_is_calm(const struct store *store);

// memory_clock_jump: the server's clock steps, as after a fail-over to a host with another time.
// Stores that are connected see the step (over 60 s: store_clock_ok is false); one that connects
// later knows no other time.
void memory_clock_jump(struct memory *memory, int64_t by_ms);
// memory_clear: the server lost everything.
void memory_clear(struct memory *memory);
// memory_directory: an import of a domain's directory, as if by directory.begin, add and switch. words: ADDRESS,
// ADDRESS=STATE or ALIAS=ADDRESS each. False: one of them is none of these.
bool memory_directory(struct memory *memory, const char *domain, char *const *words, size_t count);
// memory_lose_directory: the rows of directories are lost, and which are in force is not.
void memory_lose_directory(struct memory *memory);

// What is stored now: fields whose key has not expired, and tracking rows.
size_t memory_count(const struct memory *memory, enum key_table table);
size_t memory_tracks(const struct memory *memory);
size_t memory_spared(const struct memory *memory); // pairs in the evidence of clients
size_t memory_limits(const struct memory *memory); // things that are counted of somebody's day
// memory_harvested: recipients that do not exist, or that exist, of clients that named them.
size_t memory_harvested(const struct memory *memory, bool existing);
// memory_reputation_put: as if reports had made it so. memory_reporter: a gateway reports now; its id, 0 = there are too many.
void memory_reputation_put(struct memory *memory, const struct reputation_id *id,
                           const struct reputation_state *is);
uint16_t memory_reporter(struct memory *memory, const char *name);
// memory_entities: of which reputation is kept. memory_events: reports that were counted.
size_t memory_entities(const struct memory *memory);
size_t memory_events(const struct memory *memory);
// memory_put: writes a field of what is kept of recipients, as it would be stored (core/person.h); it stays.
void memory_put(struct memory *memory, const char *key, const char *field, const char *value);
// memory_retries: first tries and passes that nodes counted, over all slices.
struct retry_counts memory_retries(const struct memory *memory);

// memory_digest: a number that changes whenever something that is stored does.
uint64_t memory_digest(const struct memory *memory);

// What was asked of the server, one a triplet or row; refused ones count as well.
struct memory_used {
    uint64_t read_passed;   // store_read_passed
    uint64_t read_person;   // store_read_person: one a command
    uint64_t read_pending;  // store_add_pending, its reads
    uint64_t write_pending; // store_add_pending that was not read-only
    uint64_t write_passed;
    uint64_t write_answer;
    uint64_t write_align;
    uint64_t write_spared;
    uint64_t read_limit;    // store_limit_add, its reads: one a thing that is counted
    uint64_t write_limit;   // store_limit_add that was not read-only
    uint64_t write_harvest; // store_harvest_note: one a recipient, and one a ban
    uint64_t write_settle;  // store_limit_keep, store_limit_drop
    uint64_t write_allow;   // store_allow_note: one an entry
    uint64_t write_track;
    uint64_t read_levels;  // store_read_reputation: one a level that was asked for
    uint64_t write_report; // store_report
    uint64_t write_volume; // store_reputation_volume
    uint64_t write_admin;
};
const struct memory_used *memory_used(const struct memory *memory);
// memory_writes_asked: all of its writes.
uint64_t memory_writes_asked(const struct memory_used *used);
// memory_set_used: as if only that had been asked.
void memory_set_used(struct memory *memory, const struct memory_used *used);
