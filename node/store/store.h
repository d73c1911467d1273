// store.h: the seam between the node and what remembers. Behind it: Redis in the product, memory in
// scenario tests (chosen when linking). Nothing here blocks. What cannot be read in time stays
// unknown and the state says why; nothing waits for a store that is known to be away, so with Redis
// down an answer takes no longer than with Redis up.
//
// Two lanes, two connections: lookups never queue behind an operator's listing.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/harvest.h"
#include "node/core/key.h"
#include "node/core/spared.h"
#include "proto/base/loop.h"
#include "proto/err.h"
#include "proto/text.h"

// What the store is, or was for one operation. One list: the enum, the word in logs, metrics and
// degraded_why.
#define STORE_STATE_LIST(X)                                                                     \
    X(UP, "up")                                                                                 \
    X(DOWN, "down")                                       /* no connection */                   \
    X(SLOW, "slow")                                       /* no reply by the deadline */        \
    X(CROWDED, "too many commands in flight")             /* our own bound */                   \
    X(LOADING, "loading its data")                        /* -LOADING */                        \
    X(READONLY, "a read-only replica")                    /* -READONLY */                       \
    X(MASTERDOWN, "a replica without its master")         /* -MASTERDOWN */                     \
    X(FULL, "full (maxmemory)")                           /* -OOM */                            \
    X(DISK, "refusing writes because it cannot save")     /* -MISCONF */                        \
    X(NOREPLICAS, "refusing writes for want of replicas") /* -NOREPLICAS */                     \
    X(BUSY, "busy with a script")                         /* -BUSY */                           \
    X(DENIED,                                                                                   \
      "refusing our user or password") /* -NOAUTH -WRONGPASS -NOPERM, -ERR invalid password */  \
    X(CLUSTER,                                                                                  \
      "a cluster, which this mode does not speak")     /* -MOVED -ASK -TRYAGAIN -CLUSTERDOWN  \
                                                               -CROSSSLOT */ \
    X(NOSCRIPT, "without our script")                  /* -NOSCRIPT */                          \
    X(FOREIGN, "another cluster's (secret or format)") /* meta does not match ours */           \
    X(ERROR,                                                                                    \
      "answering with an unknown error") /* any other error reply, or not the type that was \
                                                   asked for */

enum store_state {
#define STORE_STATE_ENUM(name, text) STORE_##name,
    STORE_STATE_LIST(STORE_STATE_ENUM)
#undef STORE_STATE_ENUM
        STORE_STATE_COUNT,
};
const char *store_state_text(enum store_state state);

enum store_lane { STORE_LOOKUPS, STORE_ADMIN };

enum store_mode { STORE_EMBEDDED, STORE_SINGLE };

struct store_config {
    enum store_mode mode;
    const char
        *address;     // STORE_SINGLE: "unix:/path" or numeric "10.0.0.5:6379", "[2001:db8::5]:6379"
    const char *user; // ACL user; "" = the default user
    const char *password_file; // first line; "" = none
    const char *secret_file; // "" = the cluster's secret is made by the first node and kept in meta
    const char *state_dir;   // STORE_EMBEDDED: locked by us, holds redis.sock, the append-only file
                             // and the pid file
    const char *redis_server; // STORE_EMBEDDED: program to start ("redis-server")
    uint64_t buckets;         // for a fresh store; an existing meta wins
    uint64_t deadline_ms;     // of one operation
    uint64_t embedded_bytes;  // maxmemory of the embedded server
    uint64_t near_bytes;      // of the near cache; 0 = none
    bool replay;              // stamps come from requests: keep no expiry
};

struct store;

// store_new: starts connecting (and, embedded, the server) and returns at once. Errors are what no
// waiting mends: a state directory that another node holds (ERR_CONFLICT), a password or secret
// file that cannot be read or parsed, a redis-server that is not installed (the detail names the
// package). The config must outlive the store. The process must ignore SIGPIPE: hiredis writes to a
// server that may be gone.
MUST_USE enum err store_new(struct store **out, struct loop *loop,
                            const struct store_config *config, struct err_detail *detail);
// store_free: answers what is waiting with STORE_DOWN, closes, stops the embedded server and waits
// for it (2 s at most).
void store_free(struct store **store);

enum store_state store_state(const struct store *store);
// store_describe: "embedded, up, redis 7.0.15" or "single 10.0.0.5:6379, down for 12 s: Connection
// refused".
void store_describe(const struct store *store, struct text_buf *out);
// store_ring: secrets and buckets; count 0 until meta was first read. Kept over outages.
const struct key_ring *store_ring(const struct store *store);

// ---- The clock. The store's master is the clock of the cluster.

// store_now_ms: the store's time: offset by round trip, monotonic between, never backwards, runs on
// in an outage; the wall clock until the store was first reached. With replay: what store_replay
// last said.
uint64_t store_now_ms(const struct store *store);
// store_clock_ok: false after a step of more than 60 s, until store_clock_accept.
bool store_clock_ok(const struct store *store);
void store_clock_accept(struct store *store);
int64_t
store_clock_offset_ms(const struct store *store); // store's time minus this host's wall clock
void store_replay(struct store *store, uint64_t now_ms); // never earlier than the last

// ---- Triplets.

// One pair in one operation; a list of them is one pipelined round trip. The memory is the caller's
// until done was called.
struct store_triplet {
    struct store_triplet *next;
    const struct key_triplet *key;
    struct grey_facts *facts; // filled
    uint64_t now_ms;          // store_add_pending: the stamp of a first try
    uint32_t mark;            // store_add_pending
    uint64_t life_ms;         // store_read_passed: nothing older comes out of the near cache
    bool is_near;             // the store's own: the near cache has answered
};

// Called exactly once an operation, within the deadline, possibly before the operation's function
// returns. state is STORE_UP if every fact is known, else why some are not. token is the caller's
// (seat and generation).
struct store_done {
    void (*fn)(void *arg, uint64_t token, enum store_state state);
    void *arg;
    uint64_t token;
    uint64_t within_ms; // the caller's own deadline, where it is shorter than config->deadline_ms;
                        // 0 = none
};

// store_read_passed: HMGET of p(current), for every identity: facts->passed[KEY_CURRENT] becomes
// ABSENT or PRESENT. [KEY_PREVIOUS] stays unknown until store_add_pending, except on STORE_ADMIN,
// where both slices are read at once.
// On STORE_LOOKUPS, what the near cache knows is not asked for: then every identity but KEY_ANY is
// PRESENT, young, and as old as the newest of them, and KEY_ANY stays UNKNOWN, which changes
// nothing.
void store_read_passed(struct store *store, enum store_lane lane, struct store_triplet *list,
                       struct store_done done);

// store_add_pending: for every triplet: HMGET p(previous); HMGET g(previous); HSETNX g(current) an
// identity but KEY_ANY; EXPIREAT; HMGET g(current). facts->passed[KEY_PREVIOUS] and facts->pending
// are what the HMGETs say, never what we hoped to write: a refused write leaves ABSENT, and state
// says why. read_only (dry run): the reads alone.
void store_add_pending(struct store *store, struct store_triplet *list, bool read_only,
                       struct store_done done);

// store_write_passed, store_align_pending: nobody waits for these. HSET p(current) of every
// identity but KEY_ANY to (now_ms, mark); HSET g(current) likewise to (at_ms, mark). Lost in an
// outage (STORE.md, loss budget: one more delay).
void store_write_passed(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                        uint32_t mark);
void store_align_pending(struct store *store, const struct key_triplet *key, uint64_t at_ms,
                         uint32_t mark);

// store_count_retry: counts first tries and passes of the pending slice that begins at slice_ms of
// first_seen: flushed to `c:retry:<slice>` once a second, so that "failed to retry" is known for
// the whole cluster.
void store_count_retry(struct store *store, uint64_t slice, uint64_t slice_ms, unsigned first_tries,
                       unsigned passes);

// ---- Tracking: a row a verdict.

enum { TICKET_TEXT_MAX = 19 }; // 18 characters of base32 and the terminator

// The last moment that a ticket can name, in the year 2248.
#define TICKET_AT_MAX_MS ((1ULL << 43) - 1)

struct ticket {
    uint32_t node;  // random, made at start
    uint64_t at_ms; // 43 bits
    uint32_t seq;   // 15 bits: tells rows of one millisecond apart
};

// ticket_next: the node's next row id; strictly increasing whatever the clock does.
struct ticket ticket_next(struct store *store, uint64_t now_ms);
// ticket_format: 32 + 43 + 15 bits in Crockford's base32, lower case. ticket_parse accepts either
// case and I L O for 1 1 0.
const char *ticket_format(const struct ticket *ticket, char out[TICKET_TEXT_MAX]);
MUST_USE bool ticket_parse(const char *text, struct ticket *out);

enum { TRACK_TLS = 1, TRACK_SMTPUTF8 = 2 };

// Texts are borrowed and never NULL. Numbers that an older version did not write are 0.
struct track_row {
    struct ticket ticket;
    uint64_t at_ms;
    const char *action; // accept, defer, reject
    const char *reason;
    const char *rule;
    const char *shadow; // reason that a shadow rule would have given
    const char *stage;  // connect, mail, rcpt, end
    const char *client_ip;
    const char *client_name;
    const char *spf_domain; // that SPF passed for
    const char *helo;
    const char *sender;
    const char *recipient;
    const char *gateway;
    const char *transaction;
    const char *auth_user; // login, with its domain
    const char *spf;       // none, pass, fail ...; "" = the gateway did not look
    uint64_t retry_after_s;
    uint64_t waited_s;
    uint64_t flags;           // TRACK_TLS, TRACK_SMTPUTF8
    uint64_t size_bytes;      // 0 = not known
    uint64_t recipient_count; // of the transaction, as far as it was known
    uint64_t policy_version;
};
// store_track: XADD to `t:{node}:<day>`, capped; nobody waits.
void store_track(struct store *store, const struct track_row *row);

struct track_query {
    bool by_ticket;
    struct ticket ticket;
    const char
        *sender; // "" = any; user@dom exactly (case-folded), or dom or @dom for all of a domain
    const char *recipient; // same
    const char *client_ip; // "" = any; an address or a network
    const char *reason;    // "" = any; matches reason or shadow
    uint64_t since_ms;     // 0 = all that is kept
    size_t limit;          // rows at most
    const char *cursor;    // "" = from the newest; else what the last page gave
};
// Called once; rows are newest first and valid during the call. cursor is "" at the end. A page may
// hold fewer rows than the limit, even none, and still go on: so many rows were looked at that it
// was time to come up for air.
struct track_done {
    void (*fn)(void *arg, enum store_state state, const struct track_row *rows, size_t count,
               const char *cursor);
    void *arg;
};
void store_track_find(struct store *store, const struct track_query *query, struct track_done done);

// ---- What an operator asks. All on STORE_ADMIN; done is called once; state STORE_UP = done
// wholly.

struct pair_entry {
    enum key_table table;
    unsigned age; // KEY_CURRENT or KEY_PREVIOUS slice
    uint8_t identity[KEY_FIELD_BYTES - KEY_PAIR_BYTES];
    uint64_t at_ms;
    uint32_t mark;
};
struct pair_done {
    void (*fn)(void *arg, enum store_state state, const struct pair_entry *entries, size_t count);
    void *arg;
};
// store_pair_show: every stored identity of the pair that key names (HGETALL of its four small
// hashes, filtered).
void store_pair_show(struct store *store, const struct key_triplet *key, struct pair_done done);
// store_pair_pass: writes KEY_ANY into p(current): every client passes with this pair. entries:
// what was written.
void store_pair_pass(struct store *store, const struct key_triplet *key, uint64_t now_ms,
                     struct pair_done done);
// store_pair_forget: removes all entries of the pair from both tables and slices, and tells every
// node. entries: what was removed; with another state than STORE_UP: removed, but nobody was told.
void store_pair_forget(struct store *store, const struct key_triplet *key, struct pair_done done);

// What to do about one identity of a triplet that passed somewhere else (store_seed_passed).
enum store_seed_write {
    STORE_SEED_LEAVE = 0, // nothing: KEY_ANY, and what is known already
    STORE_SEED_ADD,       // HSETNX
    STORE_SEED_REPLACE,   // HSET: the caller has read an entry there that holds no longer
};
// One such triplet; a list of them is one pipeline. The memory is the caller's until done was
// called.
struct store_seed {
    struct store_seed *next;
    const struct key_triplet *key;
    unsigned age;   // KEY_CURRENT or KEY_PREVIOUS: the slice that at_ms lies in
    uint64_t at_ms; // when it was last seen, store clock
    enum store_seed_write write[KEY_IDENTITY_MAX];
    unsigned written; // filled: identities that were added
};
// store_seed_passed: writes them into p, on STORE_ADMIN. state is STORE_UP if every row was dealt
// with; else written says of each row what is known to be there.
void store_seed_passed(struct store *store, struct store_seed *list, struct store_done done);

// ---- Spared clients (core/spared.h). name: the key of a client's evidence, as spared_add_* make it.

// store_spared: the client's row; zeroed if it is not spared. Out of this node's memory: also while the store is
// away. Of a node that has not read who is spared, nobody is.
struct spared_row store_spared(const struct store *store, const char *name);
// store_spared_count: rows that this node has.
size_t store_spared_count(const struct store *store);

// store_spared_note: an accept says something of the client; nobody waits. The evidence is read and written, and
// if it makes a spared client, or another row, this node knows at once and the others within a second. A bounded
// number is under way; what is more, or cannot be done, is lost (one pair less) and counted as lost_writes.
void store_spared_note(struct store *store, const char *name, const struct spared_news *news);

// Both are valid during the call. With another state than STORE_UP nothing is known or was done, unless there is
// something in them: that was removed, but the other nodes were not told; they see it within 5 min.
struct spared_done {
    void (*fn)(void *arg, enum store_state state, const struct spared_client *client,
               const struct spared_row *row);
    void *arg;
};
// store_spared_show: the evidence (HGETALL), and the row as this node has it. store_spared_forget: removes both,
// and tells every node: from then on the client is not spared. A pair that passes in that very moment may stay
// behind; one pair spares nobody. client, row: what was removed.
void store_spared_show(struct store *store, const char *name, struct spared_done done);
void store_spared_forget(struct store *store, const char *name, struct spared_done done);

// ---- Expected mail: recipients that are not greylisted for a while.

enum { EXPECT_NOTE_MAX = 120 };
#define EXPECT_LEAST_MS 1000ULL
#define EXPECT_MOST_MS  (24ULL * 3600 * 1000)

struct expectation {
    const char *recipient; // its key (mail_recipient_key)
    uint64_t until_ms;     // inclusive, store clock
    uint64_t since_ms;     // when it was said
    const char *note;      // at most EXPECT_NOTE_MAX bytes, clean (text.h)
};
// store_expected: until when mail is expected for that recipient key, also when that is over; 0 =
// it is not. Out of this node's memory: also while the store is away.
uint64_t store_expected(const struct store *store, const char *recipient);
// store_expect_list: what this node expects now, in the order of recipients, behind the recipient
// after ("" = from the first). Texts are the store's, until the caller returns to the loop.
size_t store_expect_list(const struct store *store, const char *after, struct expectation *out,
                         size_t max);
size_t store_expect_count(const struct store *store);

// expectation: what was stored, or removed; NULL = nothing was, or there was none. With another
// state than STORE_UP it was all the same, but the other nodes were not told: they see it when they
// read all of it again, within 10 s.
struct expect_done {
    void (*fn)(void *arg, enum store_state state, const struct expectation *expectation);
    void *arg;
};
// store_expect_add: from now on, at this node when done is called, at the others within a second.
// Takes the place of what was said of that recipient before.
void store_expect_add(struct store *store, const struct expectation *row, struct expect_done done);
void store_expect_remove(struct store *store, const char *recipient, struct expect_done done);

// ---- Limits: what somebody has sent today.

// One thing that is counted (core/key.h); a list of them, those of one key together, is one trip. The memory is the
// caller's until done was called.
struct store_limit {
    struct store_limit *next;
    const struct key_count *key;
    uint64_t expires_ms;       // when its key may be dropped
    struct limit_count *count; // filled
    bool added;                // filled: it was not there before
    // The store's own: what HGET said; and in a dry run how many before it would have been added.
    enum fact_state field;
    uint64_t ahead;
};
// store_limit_add: for each HSETNX, HGET, HLEN, and EXPIREAT of its key: count becomes what the key holds with it,
// and kept whether store_limit_keep was said of it. A write that was refused leaves it unknown, and state says
// why. read_only (dry run): HGET and HLEN alone: what is not there counts as if it had been added.
void store_limit_add(struct store *store, struct store_limit *list, bool read_only,
                     struct store_done done);
// store_limit_keep: what was added was accepted, so it is accepted when it is asked again, whatever the count is then.
// store_limit_drop: it was refused, so it does not count. Nobody waits for these; lost in an outage, a repeated
// question is judged by the count once more, and a refused thing goes on counting.
void store_limit_keep(struct store *store, const struct key_count *key, uint64_t expires_ms);
void store_limit_drop(struct store *store, const struct key_count *key);

struct retry_counts {
    uint64_t slice, slice_ms;
    uint64_t first_tries, passes;
};
struct store_text_done {
    void (*fn)(void *arg, enum store_state state, const char *text);
    void *arg;
};
// store_secret_rotate: opens a new epoch (a new random secret, unless secret_file rules; buckets 0
// = as they are) that begins with the first passed slice or pending slice after now + 10 min, when
// every node has read it. STORE_UP: text is what will happen; else nothing was changed, and text is why.
void store_secret_rotate(struct store *store, uint64_t buckets, struct store_text_done done);
// store_retry_counts: the newest pending slice whose window is wholly over; false if not known yet.
bool store_retry_counts(const struct store *store, struct retry_counts *out);

// ---- Counters, cumulative since start. One list: the struct and the metric names (store_<name>).
#define STORE_COUNTER_LIST(X)                                                        \
    X(commands, "commands sent")                                                     \
    X(connects, "connections that became usable")                                    \
    X(disconnects, "usable connections that were lost")                              \
    X(late, "replies that came after their operation's deadline and were dropped")   \
    X(timeouts, "operations that ran into their deadline")                           \
    X(refused_down, "operations answered at once because the store was away")        \
    X(refused_crowded, "operations answered at once because too much was in flight") \
    X(lost_writes, "writes nobody waits for that were lost in an outage")            \
    X(bans, "clients that this node banned because they harvested")                  \
    X(clock_steps, "steps of the store's clock of more than 2 s")                    \
    X(server_starts, "starts of the embedded server")                                \
    X(near_hits, "passed triplets that the near cache knew")                         \
    X(near_misses, "passed triplets that the store was asked for")                   \
    X(near_drops, "times that the near cache was emptied")                           \
    X(event_polls, "questions for events and what is mirrored, each a command")      \
    X(events_seen, "rows of the stream of events that were heard")                   \
    X(reports, "reports that counted")                                               \
    X(reports_again, "reports whose event had counted before")                       \
    X(reports_capped,                                                                \
      "entities that took less of a report than was said, because one gateway held its share")
struct store_counters {
#define STORE_COUNTER_FIELD(name, help) uint64_t name;
    STORE_COUNTER_LIST(STORE_COUNTER_FIELD)
#undef STORE_COUNTER_FIELD
    uint64_t errors[STORE_STATE_COUNT]; // error replies by state
};
const struct store_counters *store_counters(const struct store *store);
// store_near_entries: what the near cache holds now.
size_t store_near_entries(const struct store *store);

// ---- The rest of the seam, which needs what stands above.

#include "node/store/store_people.h"
#include "node/store/store_policy.h"
#include "node/store/store_reputation.h"
