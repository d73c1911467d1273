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

// What is kept of a recipient (core/person.h); a list of them is one trip. Each part may be asked or not. The memory is
// the caller's until done was called.
struct store_person {
    struct store_person *next;
    const char *mailbox;                    // whose list and entries they are
    const struct person_patterns *patterns; // fields of m:{mailbox}; NULL = not asked
    const char *external;                   // field of a:{mailbox}; NULL = not asked
    bool org;                               // and of the organisation's
    const char *address;                    // the recipient
    struct person_directory directory;      // of its row; version 0 = not asked
    char *groups; // of its row: PERSON_GROUPS_MAX + 1 bytes; NULL = not asked
    bool answer;  // v:{address}
    uint64_t now_ms;
    struct person_facts
        *facts; // filled: what was asked becomes ABSENT or PRESENT, or stays as it was
};
// store_read_person: HMGET of m; HGET of a; HMGET of d; HMGET of v: as many commands as are asked for.
void store_read_person(struct store *store, struct store_person *list, struct store_done done);

// store_write_answer: what another server said of an address, until when that counts, and whose address it is ("" = its
// own). Nobody waits; what is lost is asked
// for again.
void store_write_answer(struct store *store, const char *address,
                        const struct person_answer *answer, const char *mailbox);

// store_directory: which version of a domain's directory is in force. Out of this node's memory: also while the store is
// away. False: this node has not heard yet of any domain's.
MUST_USE bool store_directory(const struct store *store, const char *domain,
                              struct person_directory *out);

// ---- Auto Allow (core/person.h): to whom somebody has written. Both stamps of an entry only grow, so it makes no difference
// in which order, how often, or by how many nodes something is noted.

struct store_allow {
    struct store_allow *next;
    const char *owner;          // mailbox, or person_org_owner
    const char *external;       // NULL: that this address (owner) has sent mail is noted
    uint64_t sent_ms;           // 0 = nothing is said of it
    uint64_t disabled_ms;       // likewise
    struct person_allow before; // filled: what it was
};
// store_allow_note: on STORE_ADMIN, also where no operator asks: lookups do not wait behind it. life_ms: how long an entry
// holds. read_only: nothing is noted. state is STORE_UP if all of it was. Entries of one owner with the same stamps that stand
// together are one command. The memory is the caller's until done was called.
void store_allow_note(struct store *store, struct store_allow *list, uint64_t life_ms,
                      bool read_only, struct store_done done);
// store_allow_forget: there is no such entry any more; before is what it was.
void store_allow_forget(struct store *store, struct store_allow *entry, struct store_done done);

struct store_allow_row {
    const char *external;
    struct person_allow allow;
};
// rows: valid during the call, in no order. cursor: where the next page begins; 0 = there is none.
struct store_allow_list_done {
    void (*fn)(void *arg, enum store_state state, const struct store_allow_row *rows, size_t count,
               uint64_t cursor);
    void *arg;
};
// store_allow_list: a page of about limit entries of an owner, from a cursor on (0 = from the first); a small owner's come all
// at once. One that changes meanwhile may come twice.
void store_allow_list(struct store *store, const char *owner, uint64_t cursor, size_t limit,
                      struct store_allow_list_done done);

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

// ---- Personal lists (core/person.h). All on STORE_ADMIN.

// One entry; a list of them is one pipeline. The memory is the caller's until done was called.
struct store_list_entry {
    struct store_list_entry *next;
    const char *mailbox, *pattern; // as person.h says
    struct person_entry entry;     // to be written
    // Filled.
    bool was_there;          // before it was written
    struct person_entry was; // action PERSON_NONE: it cannot be read
    bool is_written; // also where state is not STORE_UP: then store_lists may not show its mailbox
};
// store_list_read: what is there. store_list_write: and in its place is the entry from now on, until somebody says
// otherwise. store_list_remove: of one alone; is_written: there is none any more.
void store_list_read(struct store *store, struct store_list_entry *list, struct store_done done);
void store_list_write(struct store *store, struct store_list_entry *list, struct store_done done);
void store_list_remove(struct store *store, struct store_list_entry *one, struct store_done done);

// A page of a list, or of the mailboxes that have one. In no order; a row may come twice where something was written
// meanwhile. Rows are valid during the call; next is what the next page begins with, 0 at the end.
struct store_listed {
    const char *name;          // the pattern, or the mailbox
    struct person_entry entry; // of a list; action PERSON_NONE: it cannot be read
};
struct store_listed_done {
    void (*fn)(void *arg, enum store_state state, const struct store_listed *rows, size_t count,
               uint64_t next);
    void *arg;
};
// store_list, store_lists: about limit rows, of a short list all. from: 0, or what the page before said.
void store_list(struct store *store, const char *mailbox, uint64_t from, size_t limit,
                struct store_listed_done done);
void store_lists(struct store *store, uint64_t from, size_t limit, struct store_listed_done done);

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

// ---- Directories: which addresses a domain has. A directory is imported beside the one in force, and takes its place at
// once and wholly, on every node within a second; until then, and if that never comes, nothing has changed.

enum {
    DIRECTORY_DOMAINS_MAX = 10000, // with a directory; one more cannot be read
    DIRECTORY_ROWS_MAX = 256,      // of one store_directory_add
    DIRECTORY_BUCKET_ROWS = 64,    // a hash holds about so many
};

// The directory of one domain.
struct store_directory {
    const char *domain; // normalised
    struct person_directory directory;
    uint64_t entries; // addresses that it has
    uint64_t at_ms;   // since when it is in force; 0 = it is not yet
    const char *by;   // who said so; at most STORE_BY_MAX bytes, clean (text.h), never NULL
};
// store_directory_find: the one in force as this node knows it, also while the store is away; false: the domain has none.
// store_directory_list: all of these, in the order of domains, behind the domain after ("" = from the first). Texts are the
// store's, until the caller returns to the loop.
bool store_directory_find(const struct store *store, const char *domain,
                          struct store_directory *out);
size_t store_directory_count(const struct store *store);
size_t store_directory_list(const struct store *store, const char *after,
                            struct store_directory *out, size_t max);

// An import: begin, add as often as is needed, switch. Each may be asked again when it has failed. rows are the caller's
// until done was called.
//
// store_directory_begin: gives each of them, of which it is known how many entries it will have, a version of its own
// and buckets, and makes these: what is not switched within a day is removed again.
// store_directory_switch: if all entries are there, all of these directories are in force from now on. torn: of which that
// is not so; nothing was changed then. Else NULL.
// store_directory_drop: the domain has no directory any more. What takes no part is removed in the background.
void store_directory_begin(struct store *store, struct store_directory *rows, size_t count,
                           struct store_done done);
struct store_entry {
    const char *address; // base@domain
    const char *value;   // as person_row_write makes it
    struct person_directory directory;
};
void store_directory_add(struct store *store, const struct store_entry *rows, size_t count,
                         struct store_done done);
struct store_directory_done {
    void (*fn)(void *arg, enum store_state state, const struct store_directory *torn);
    void *arg;
};
void store_directory_switch(struct store *store, const struct store_directory *rows, size_t count,
                            struct store_directory_done done);
// store_directory_abort: these are not wanted any more. None of them may be in force.
void store_directory_abort(struct store *store, const struct store_directory *rows, size_t count,
                           struct store_done done);
void store_directory_drop(struct store *store, const char *domain, struct store_done done);

// ---- Since when internal domains are declared: what the first node said that named one, for the whole cluster.

struct declared {
    const char *domain;
    uint64_t at_ms; // store clock; 0 = not known
};
// store_declare: from now on these domains (sorted, none twice) are the internal ones. What is known of them is kept;
// the store is asked about all of them, now and whenever it was away, and told of those that it does not know.
void store_declare(struct store *store, const char *const *domain, size_t count);
// store_declared: when it was first declared; 0 = not known. Out of this node's memory: also while the store is away.
uint64_t store_declared(const struct store *store, const char *domain);
// For the node's own copy. store_declared_all: every row, sorted; valid until the next call of these functions or the
// return to the loop. store_declared_changes: another number whenever the store said something new.
// store_declared_learn: a row of the copy, before the store was asked; what the store says takes its place. A store
// that knows nothing of the domain is told this stamp.
const struct declared *store_declared_all(const struct store *store, size_t *count);
uint64_t store_declared_changes(const struct store *store);
void store_declared_learn(struct store *store, const char *domain, uint64_t at_ms);

// ---- Clients that harvest (core/harvest.h), and their bans.

enum { STORE_HARVEST_MAX = 64 };
// Different recipients that a client named, of one kind: fields as key_harvest_field makes them.
struct store_harvest {
    struct ip_net client; // harvest_client
    uint64_t now_ms;      // store clock
    struct harvest_bounds bounds;
    enum harvest_kind kind;
    const uint8_t (*field)[HARVEST_FIELD_BYTES];
    size_t count; // STORE_HARVEST_MAX at most
};
// store_harvest_note: nobody waits. Those that do not exist are counted cluster-wide, each once, and the client is banned
// when they are too many: at this node when that was written, at the others within a second. Those that exist cost no
// command until the client is suspect. What cannot be written is lost, and counted as lost_writes; it is news again when
// it is named again.
void store_harvest_note(struct store *store, const struct store_harvest *news);

// store_ban: zeroed if this node knows of none. Out of its memory: also while the store is away.
struct harvest_ban store_ban(const struct store *store, const struct ip_net *client);
// store_ban_count: rows that this node has.
size_t store_ban_count(const struct store *store);

struct store_banned {
    struct ip_net client;
    struct harvest_ban ban;    // that holds, or the last one; zeroed: none
    struct harvest_count hour; // store_ban_show: what was counted in this hour
    bool is_lifted;            // store_ban_lift
};
// store_ban_list: bans that hold now, out of this node's memory: of clients inside the network (family 0: any) behind the
// client after (family 0: from the first), in order. How many.
size_t store_ban_list(const struct store *store, const struct ip_net *net,
                      const struct ip_net *after, struct store_banned *out, size_t max);

// found: valid during the call.
struct store_ban_done {
    void (*fn)(void *arg, enum store_state state, const struct store_banned *found);
    void *arg;
};
// store_ban_show: the client's last ban, as long as it makes the next one longer, and what was counted of it in this hour.
// store_ban_lift: its ban is over, was never there, and what was counted in this hour is not any more; every node is told.
// is_lifted with another state than STORE_UP: that was done, but the others were not told: they see it within 5 min.
void store_ban_show(struct store *store, const struct ip_net *client, struct store_ban_done done);
void store_ban_lift(struct store *store, const struct ip_net *client, struct store_ban_done done);

// ---- How often policies decided, for the whole cluster.

struct store_used {
    const char *id; // of the policy
    uint64_t hits, shadow_hits;
    uint64_t last_ms; // when it last did, store clock; 0 = never
};
// store_used_add: adds to what is counted; nobody waits. False: the store is away, and nothing was counted.
MUST_USE bool store_used_add(struct store *store, const struct store_used *used);

enum { STORE_USED_MAX = 256 }; // policies in one question
// rows: one for each id, in their order; valid during the call. With another state than STORE_UP what is not known is 0.
struct used_done {
    void (*fn)(void *arg, enum store_state state, const struct store_used *rows, size_t count);
    void *arg;
};
// store_used_read: on STORE_ADMIN. The ids must stay until done was called.
void store_used_read(struct store *store, const char *const *id, size_t count,
                     struct used_done done);

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

// ---- The policy set: versions that were applied, and the documents that they are. All on STORE_ADMIN.
//
// A document is the bytes of a policy set, named by their hash; nothing here looks into it. Staged, it is kept for an hour;
// a version that names it makes it stay.

enum {
    STORE_DOCUMENT_NAME = 33, // 32 hex digits and the terminator
    STORE_BY_MAX = 120,       // bytes; clean (text.h)
    STORE_NOTE_MAX = 500,     // likewise
    STORE_VERSIONS_MAX = 100, // are kept, ...
    STORE_NODE_MAX = 64,      // bytes of a node's name
    STORE_NODE_ERROR_MAX = 400,
    STORE_NODE_READY_MAX = 4,
    STORE_NODES_MAX = 256,        // rows of nodes that are looked at
    STORE_NODE_LIVES_MS = 120000, // one that was not seen for so long is not living
};
#define STORE_DOCUMENT_BYTES (16U << 20)
#define STORE_VERSIONS_BYTES (64ULL << 20) // ... whose documents are no more than that together
#define STORE_STAGED_MS      (3600ULL * 1000)

struct store_version {
    uint64_t version; // 1, 2, 3 ...; 0 = there is none
    uint64_t at_ms;
    char by[STORE_BY_MAX + 1];
    char note[STORE_NOTE_MAX + 1];
    char document[STORE_DOCUMENT_NAME];
    uint64_t bytes;    // of the document
    uint64_t hash;     // of what it says
    uint64_t policies; // that it has
};

// store_document_name: the name of these bytes.
void store_document_name(const void *bytes, size_t len, char out[STORE_DOCUMENT_NAME]);
bool store_is_document_name(const char *text);

// What a node hears of the policy set. Called on the loop, possibly before the function that caused it returns.
struct store_policy_calls {
    // tip: the newest version now; version 0: there is none. Each time it was looked at: on a new connection, each ten
    // seconds, and when a version was activated. is_held: its document is there.
    void (*tip)(void *arg, const struct store_version *tip, bool is_held);
    void (*staged)(void *arg, const char *document); // by any node, this one included
    void *arg;
};
// store_policy_follow: from now on.
void store_policy_follow(struct store *store, struct store_policy_calls calls);

// version: the newest one, valid during the call; NULL unless STORE_UP.
struct store_version_done {
    void (*fn)(void *arg, enum store_state state, const struct store_version *tip);
    void *arg;
};
void store_policy_tip(struct store *store, struct store_version_done done);

// store_policy_stage: keeps the document for an hour and tells every node. STORE_UP: all of it is there. bytes are
// borrowed until done was called. A server that is slow for a while is waited for (5 s).
void store_policy_stage(struct store *store, const char *document, const void *bytes, size_t len,
                        struct store_done done);

// bytes: the caller's, from mem_new; NULL with STORE_UP: the store does not have that document (wholly).
struct store_document_done {
    void (*fn)(void *arg, enum store_state state, void *bytes, size_t len);
    void *arg;
};
void store_policy_fetch(struct store *store, const char *document, struct store_document_done done);

// How an activation ended. tip: the newest version now; NULL if that is not known.
enum store_activation {
    STORE_ACTIVATED, // by this call, or by one that said exactly the same
    STORE_OVERTAKEN, // the tip is another one: nothing was changed
    STORE_MISSING,   // the document is not there: nothing was changed
    STORE_FAILED,    // state says why. With STORE_SLOW it may have happened or not
};
struct store_activate_done {
    // unreplicated: the server has replicas, and none has told that it has it.
    void (*fn)(void *arg, enum store_activation end, enum store_state state,
               const struct store_version *tip, bool unreplicated);
    void *arg;
};
// store_policy_activate: adds the version if every one that is there is older (compare and set: its number is the row's
// id), makes its document stay, tells every node, and removes what is too much. Where the server has replicas one of them
// is waited for (2 s at most).
void store_policy_activate(struct store *store, const struct store_version *row,
                           struct store_activate_done done);

// rows: newest first, valid during the call.
struct store_history_done {
    void (*fn)(void *arg, enum store_state state, const struct store_version *rows, size_t count);
    void *arg;
};
// store_policy_history: from the version before (0 = from the newest) on, limit rows at most.
void store_policy_history(struct store *store, uint64_t before, size_t limit,
                          struct store_history_done done);

// What a node says of itself.
struct store_node {
    char name[STORE_NODE_MAX + 1];
    uint64_t seen_ms;                   // store clock
    uint64_t version;                   // in force there; 0 = files
    char document[STORE_DOCUMENT_NAME]; // in force there; "" = files
    char state[16];                     // a word
    char ready
        [STORE_NODE_READY_MAX]
        [STORE_DOCUMENT_NAME]; // compiled there, so that they can be in force at once; "" = none
    char error[STORE_NODE_ERROR_MAX + 1];
};
// store_policy_beat: writes it; nobody waits. seen_ms is filled in.
void store_policy_beat(struct store *store, const struct store_node *node);
// store_policy_leave: takes it away again.
void store_policy_leave(struct store *store);
struct store_nodes_done {
    void (*fn)(void *arg, enum store_state state, const struct store_node *rows, size_t count);
    void *arg;
};
// store_policy_nodes: those that live, by name.
void store_policy_nodes(struct store *store, struct store_nodes_done done);

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
    X(events_seen, "rows of the stream of events that were heard")
struct store_counters {
#define STORE_COUNTER_FIELD(name, help) uint64_t name;
    STORE_COUNTER_LIST(STORE_COUNTER_FIELD)
#undef STORE_COUNTER_FIELD
    uint64_t errors[STORE_STATE_COUNT]; // error replies by state
};
const struct store_counters *store_counters(const struct store *store);
// store_near_entries: what the near cache holds now.
size_t store_near_entries(const struct store *store);
