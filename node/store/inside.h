// inside.h: the store's own parts, seen by the files of this room alone.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/directory.h"
#include "node/store/embedded.h"
#include "node/store/events.h"
#include "node/store/harvest.h"
#include "node/store/meta.h"
#include "node/store/mirror.h"
#include "node/store/near.h"
#include "node/store/ops.h"
#include "node/store/policy_stream.h"
#include "node/store/redis.h"
#include "node/store/reputation.h"
#include "node/store/retry.h"
#include "node/store/roll.h"
#include "node/store/scan.h"
#include "node/store/since.h"
#include "node/store/store.h"
#include "node/store/store_clock.h"
#include "proto/base/log.h"

enum {
    STORE_LANES = 2,
    STORE_TICK_MS = 1000,
    STORE_SYNC_TICKS = 10,    // clock and meta are asked again
    STORE_RETRY_TICKS = 60,   // counts of the last whole slice
    STORE_ADMIN_WORK_MAX = 8, // operator's questions at once
    STORE_LATELY_MS = 60000,  // how long store_describe remembers an error
};

// A reading of the whole roll of spared clients.
struct spared_reading {
    struct scan scan;
    bool is_known; // there was a whole one
};

// Since when internal domains are declared: the table, and how far it was asked about.
struct declaring {
    struct since since;
    uint64_t generation; // of the table: another one, and rows stand elsewhere
    uint64_t changes;    // stamps that the store said and that were not known
    size_t at;           // rows before this one were asked about
    bool is_asking;
    unsigned rest_ticks; // before it is asked again
};
#define SINCE_KEY "since:{p}"

struct spared_work;

struct store {
    struct loop *loop;
    const struct store_config *config;
    struct store_counters counters;
    const char *address;
    char *password;
    struct redis *lane[STORE_LANES];
    struct ops *ops;
    struct embedded *embedded; // NULL with STORE_SINGLE
    struct loop_timer *tick;
    uint64_t ticks;
    bool is_closing; // store_free is under way: nothing is begun any more
    // Greeting and agreement.
    uint64_t asked_us;    // when the question under way was sent
    unsigned meta_rounds; // how often meta was found incomplete
    char version[32];     // of the server; "" = not known
    struct meta meta;
    struct log_limit meta_lines;
    struct store_clock clock;
    struct retry retry;
    // What need not be asked.
    struct near *near; // NULL = none
    struct events events;
    struct mirror mirror; // the mirror
    struct policy_following policy;
    // Spared clients.
    struct roll roll;
    struct spared_reading reading;
    struct spared_work *notes; // under way
    unsigned note_count;
    struct declaring declaring;
    struct directory_following directories;
    struct harvesting harvesting; // clients that try addresses out, and who is banned for it
    struct reputing reputing;
    // Tracking.
    uint32_t node;
    struct ticket last_ticket;
    uint64_t indexed_day; // day for which this node stands in the index; 0 = none
    uint64_t kept_day; // day of the stream that was last given its expiry; 0 = say it with the next
    uint64_t kept_at_ms; // monotonic: when that was
    unsigned admin_work; // operator's questions under way
    // The last error reply, for those who ask how the store is.
    enum store_state refusal;
    uint64_t refused_at_ms;
    struct log_limit refusal_lines;
    struct log_limit garbage_lines;
};

// store_became_up: the greeting of the lookups' connection was answered well.
void store_became_up(struct store *store);

// spared_ask: HGETALL of a client's evidence, as one of an operation's commands. spared_take: its reply.
// spared_client_of: the client that a key names.
void spared_ask(struct store *store, struct op *op, struct redis *redis, const char *name);
void spared_take(struct store *store, struct op *op, const struct redisReply *reply,
                 struct spared_client *client);
const char *spared_client_of(const char *name);

// spared_heard: an event said so of a client; a zeroed row: it is spared no more. spared_reread: begins to read
// all rows, if it is time.
void spared_heard(struct store *store, const char *client, const struct spared_row *row);
void spared_reread(struct store *store);
// spared_tell: the row into the roll, into the store, and to every node; nobody waits. spared_put_row,
// spared_put_event: the commands of that, without those that keep an expiry.
void spared_tell(struct store *store, const char *client, const struct spared_row *row);
void spared_put_row(struct resp *resp, const char *client, const struct spared_row *row);
void spared_put_event(struct resp *resp, const char *client, const struct spared_row *row);

// store_note_garbage: the operation met a value that is not of our format.
void store_note_garbage(struct store *store, struct op *op);

// store_send: a command on the lookups' connection whose reply nobody waits for: errors are
// counted, and a loss is, too.
void store_send(struct store *store, struct resp *resp);
// store_remove_over: removes of a hash the fields (of a reply of field, value, ...) for which is_over
// says so, on the operator's connection, as many as one HDEL holds: the rest goes the next time.
void store_remove_over(struct store *store, const char *key, const struct redisReply *rows,
                       bool (*is_over)(const struct redisReply *field,
                                       const struct redisReply *value, uint64_t now_ms));
// store_note_error: counts an error reply and remembers it for store_describe. UP is no error.
void store_note_error(struct store *store, enum store_state state, const struct redisReply *reply);

// store_keeps_expiry: not with replay, whose stamps may be long gone. store_put_expiry: EXPIREAT,
// rounded up to whole seconds.
bool store_keeps_expiry(const struct store *store);
void store_put_expiry(struct resp *resp, const char *key, uint64_t at_ms);

// greeting_start_*: what struct redis_config calls greet; arg is the store. greeting_sync: the time
// and meta again.
void greeting_start_lookups(void *arg);
void greeting_start_admin(void *arg);
void greeting_sync(struct store *store);

// expected_heard: an event said so. expected_ask: asks for all of them, which replace the mirror when they come; false if it
// could not be asked.
void expected_heard(struct store *store, const struct expectation *row);
bool expected_ask(struct store *store);

// declared_ask: goes on asking about the domains in force, if there is something to ask and somebody to answer.
// declared_again: from the first. declared_tick: each second.
void declared_ask(struct store *store);
void declared_again(struct store *store);
void declared_tick(struct store *store);
