// store_memory_inside.h: what the two halves of the store in memory share (store_memory.c,
// store_memory_admin.c).
#pragma once

#include "node/store/bans.h"
#include "node/store/directory.h"
#include "node/store/mirror.h"
#include "node/store/named.h"
#include "node/store/since.h"
#include "tests/support/store_memory.h"
#include "tests/support/store_memory_table.h"

// One operation of a node, run or held. Which fields count is the moment's affair.
struct op {
    struct op *next;
    struct store *store;
    enum memory_moment moment;
    struct store_triplet *list;   // READ, PENDING: borrowed until done was called
    bool both;                    // READ: the slice before as well
    bool read_only;               // PENDING, LIMIT
    struct store_person *persons; // PERSON: borrowed until done was called
    struct store_allow *allows;   // ALLOW: borrowed until done was called
    struct store_limit *limits;   // LIMIT: borrowed until done was called
    struct key_count count;       // SETTLE
    bool keep;                    // SETTLE
    char name[SPARED_NAME_MAX];   // SPARED
    struct spared_news news;      // SPARED
    struct store_done done;       // READ, PENDING, LIMIT
    struct key_triplet key;       // PASSED, ALIGN
    uint64_t at_ms;               // PASSED, ALIGN; SETTLE: the expiry
    uint32_t mark;                // PASSED, ALIGN
    struct memory_row *row;       // TRACK: owned
    struct named_of named;        // HARVEST, and the rest
    struct harvest_bounds bounds;
    enum harvest_kind kind;
    uint8_t field[STORE_HARVEST_MAX][HARVEST_FIELD_BYTES];
    size_t field_count;
    struct reputation_facts *levels; // LEVELS: borrowed until done was called
    struct store_report *report;     // REPORT: borrowed until done was called
    char entity[REPUTATION_KEY_MAX]; // VOLUME
    struct reputation_level_settings level;
    unsigned mails;
};

struct memory_row; // a tracking row with its texts

enum { MEMORY_RETRY_SLICES = 64 };

// What is stored of a spared client, and until when.
struct memory_spared {
    struct spared_client client;
    uint64_t expires_ms;
};
enum { MEMORY_SPARED_CLIENTS = 64 };

// A thing that is counted of somebody's day.
struct memory_counted {
    struct key_count key;
    bool kept;
    uint64_t expires_ms;
};
enum { MEMORY_COUNTED = 4096 };

// Who is spared: the server's rows, or what a node mirrors of them.
struct memory_roll {
    struct spared_id item[MEMORY_SPARED_CLIENTS];
    size_t count;
};

// How often a policy decided.
struct memory_used_row {
    char *id;
    uint64_t hits, shadow_hits, last_ms;
};
enum { MEMORY_USED_ROWS = 64 };

// A document of a policy set.
struct memory_document {
    struct memory_document *next;
    char name[STORE_DOCUMENT_NAME];
    char *bytes;
    size_t len;
    uint64_t until_ms; // 0 = it stays
};
enum { MEMORY_VERSIONS = 20, MEMORY_NODES = 8 };

// What is kept of recipients: a field of one of the hashes of core/person.h.
struct memory_kept {
    struct memory_kept *next;
    char *key, *field, *value;
    uint64_t expires_ms; // 0 = it stays
};

// Reputation: entities, who reports, and which reports were counted.
struct memory_entity {
    struct memory_entity *next; // of one chain
    char *key;
    enum reputation_kind kind;
    struct reputation_state is;
    uint64_t expires_ms;
};
struct memory_event {
    struct memory_event *next;
    char *name;
    uint32_t claim; // by which report
    uint64_t expires_ms;
};
enum { MEMORY_ENTITY_CHAINS = 1024, MEMORY_REPORTERS = 64 };
struct memory_reputation {
    struct memory_entity *chain[MEMORY_ENTITY_CHAINS];
    struct memory_event *events;
    struct store_reporter reporter[MEMORY_REPORTERS];
    size_t reporter_count;
    uint32_t last_claim;
};
// What a node has of it: who reports, as it heard last, and mails of entities that it has not written, by hour.
struct memory_volume {
    struct memory_volume *next;
    char *key;
    uint64_t hour;
    unsigned mails, waiting;
};
struct memory_heard {
    struct store_reporter reporter[MEMORY_REPORTERS];
    size_t reporter_count;
    float *trust;    // by id; NULL = nobody has reported
    bool has_looked; // at the roots; is_empty is what they were
    bool is_empty;
    struct memory_volume *volumes;
};

struct memory {
    struct memory_table table;
    struct memory_kept *kept;
    struct directory_table directories;
    struct key_ring ring;
    int64_t clock_offset_ms; // the server's clock minus the scripted one
    struct store *stores;
    enum store_state trouble[MEMORY_MOMENT_COUNT]; // of stores that connect
    unsigned connects;
    struct op *held;         // oldest first
    struct memory_row *rows; // newest first
    struct memory_spared spared[MEMORY_SPARED_CLIENTS];
    size_t spared_count;
    struct memory_roll roll;
    struct memory_counted counted[MEMORY_COUNTED];
    size_t counted_count;
    struct bans bans; // that hold
    struct memory_reputation reputation;
    struct mirror mirror;
    struct since since;
    struct memory_used_row used_row[MEMORY_USED_ROWS];
    size_t used_count;
    struct memory_used used;
    struct memory_document *documents;
    struct store_version version[MEMORY_VERSIONS]; // oldest first
    size_t version_count;
    struct store_node node[MEMORY_NODES];
    size_t node_count;
    struct retry_counts retry[MEMORY_RETRY_SLICES];
    size_t retry_count;
};

struct store {
    struct store *next;
    struct memory *memory;
    enum store_state trouble[MEMORY_MOMENT_COUNT];
    bool hold[MEMORY_MOMENT_COUNT];
    bool has_met; // the server answered once, so the ring is known
    bool clock_jumped;
    uint64_t replay_ms;
    unsigned node; // of tickets
    struct ticket last_ticket;
    struct mirror mirror;               // its mirror
    struct directory_table directories; // likewise
    bool knows_directories;
    struct since since; // of the domains in force
    struct memory_roll roll;
    struct named *named;
    struct bans bans; // its mirror
    struct memory_heard heard;
    struct store_policy_calls follows;
    struct store_counters counters;
};

uint64_t memory_now_ms(const struct memory *memory);
// memory_submit: runs it, or keeps a copy among the held ones.
void memory_submit(struct op *op);
// Whether a server in that state answers reads, and does writes.
bool memory_reads(enum store_state state);
bool memory_writes(enum store_state state);

// memory_spared_note: what store_spared_note does, on a server in that state.
void memory_spared_note(struct store *store, const char *name, const struct spared_news *news,
                        enum store_state state);

// memory_limit_add, memory_limit_settle: what store_limit_add, _keep and _drop do, on a server in that state.
void memory_limit_add(struct store *store, struct op *op, enum store_state state);
void memory_limit_settle(struct store *store, struct op *op, enum store_state state);

// memory_allow_note: what store_allow_note does, on a server in that state.
void memory_allow_note(struct store *store, struct op *op, enum store_state state);
// memory_harvest_note: what store_harvest_note does, on a server in that state.
void memory_harvest_note(struct store *store, struct op *op, enum store_state state);

// memory_levels_read, memory_report, memory_volume: what store_read_reputation, store_report and store_reputation_volume
// do, on a server in that state. memory_reputation_clear: all of it is gone. memory_heard_clear: what a node has of it.
void memory_levels_read(struct store *store, struct op *op, enum store_state state);
void memory_report(struct store *store, struct op *op, enum store_state state);
void memory_volume(struct store *store, struct op *op, enum store_state state);
void memory_reputation_clear(struct memory *memory);
void memory_heard_clear(struct store *store);
// memory_person_read: what store_read_person does, on a server in that state.
void memory_person_read(struct store *store, struct op *op, enum store_state state);
// memory_kept_get: HGET; NULL if it is not there. memory_kept_set: HSET; value NULL: HDEL. memory_kept_clear: all of it.
const char *memory_kept_get(struct memory *memory, const char *key, const char *field);
void memory_kept_set(struct memory *memory, const char *key, const char *field, const char *value,
                     uint64_t expires_ms);
void memory_kept_clear(struct memory *memory);

struct memory_row *memory_row_new(const struct track_row *row);
void memory_row_free(struct memory_row **row);                       // NULL-safe, NULLs
void memory_rows_add(struct memory *memory, struct memory_row *row); // takes
void memory_rows_clear(struct memory *memory);
void memory_retry_add(struct memory *memory, const struct retry_counts *counts);
// memory_policy_look: the node looks at the newest version. memory_policy_clear: all of it is gone, and every node sees that.
void memory_policy_look(struct store *store);
void memory_policy_clear(struct memory *memory);
void memory_used_clear(struct memory *memory);
