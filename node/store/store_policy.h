// store_policy.h: the part of the seam (store.h, which includes it) that is about the policy set: since when its domains
// are declared, how often its policies decided, and its versions and documents.
#pragma once

#include "node/store/store.h"

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
