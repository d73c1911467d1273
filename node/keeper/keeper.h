// keeper.h: which policy set is in force at this node. Its files, until a set was applied anywhere; from then on the newest
// version in the store, of which the node has a copy on its disk.
//
//     policy.stage     compile -> store -> every node hears of it, fetches it and compiles it
//     policy.activate  is the base still the newest? -> is every node ready? -> the store takes it or another one ->
//                      every node hears of it and switches
//
// A version that this node cannot read leaves the one in force where it is. A version that the store lost is offered to it
// again, and never takes the place of another one.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/keeper/report.h"
#include "node/keeper/sets.h"
#include "node/policy/hold.h"
#include "node/stats.h"
#include "node/store/store.h"
#include "proto/base/loop.h"
#include "proto/err.h"

enum {
    KEEPER_BEAT_MS = 2000,   // a node says so often what it has ...
    KEEPER_RECENT_MS = 5000, // ... and an activation waits for those that were seen so lately, ...
    KEEPER_READY_MS = 20000, // ... but not longer than that
};

struct keeper;

struct keeper_config {
    const char *node;
    const char *state_dir; // where the copy is kept; "" = there is none
    // load: reads the policy files. Called beside the loop; must touch nothing but what load_arg is.
    enum err (*load)(void *load_arg, struct policy **out, struct err_detail *detail);
    void *load_arg;
};

struct keeper_calls {
    void (*in_force)(void *arg, struct policy_hold *hold); // takes a use
    void *arg;
};

// keeper_new: the texts of config are borrowed for life.
struct keeper *keeper_new(const struct keeper_config *config, struct stats *stats);
// keeper_load: reads what the node starts with: its copy, else its files. Blocks; before the loop runs. An error is one of the
// files; a copy that cannot be used is logged.
MUST_USE enum err keeper_load(struct keeper *keeper, struct err_detail *detail);
// keeper_start: puts that in force and follows the store.
void keeper_start(struct keeper *keeper, struct loop *loop, struct store *store,
                  struct keeper_calls calls);
// keeper_leave: the node drains: it is not counted on any more.
void keeper_leave(struct keeper *keeper);
// keeper_stop: whoever waits is told; nothing is begun any more. After store_free, which tells those who wait for it.
void keeper_stop(struct keeper *keeper);
void keeper_free(struct keeper **keeper); // NULL-safe, NULLs

// ---- How it is

// One list: the enum and the word in policy.status.
#define KEEPER_STATE_LIST(X)                                            \
    X(FILES, "files")         /* no version was ever applied */         \
    X(IN_FORCE, "in force")   /* the newest one */                      \
    X(PREPARING, "preparing") /* a newer one is fetched and compiled */ \
    X(REFUSED, "refused")     /* the newest one cannot be used: error says why */
enum keeper_state {
#define KEEPER_STATE_ENUM(name, word) KEEPER_##name,
    KEEPER_STATE_LIST(KEEPER_STATE_ENUM)
#undef KEEPER_STATE_ENUM
};
const char *keeper_state_word(enum keeper_state state);

struct keeper_status {
    enum keeper_state state;
    const struct store_version *in_force; // version 0: files
    uint64_t newest;   // version in the store, as far as this node knows; 0 = none
    const char *error; // "" unless refused
};
void keeper_status(const struct keeper *keeper, struct keeper_status *out);
// keeper_row: the same, as the other nodes hear it.
void keeper_row(const struct keeper *keeper, struct store_node *out);

// keeper_document: of the version in force; NULL: files.
const struct document *keeper_document(const struct keeper *keeper);
// keeper_find: the set of a document that is compiled here, or NULL. The use is the caller's to take.
struct policy_hold *keeper_find(const struct keeper *keeper, const char *document);
// keeper_get: the same, fetched and compiled if need be.
void keeper_get(struct keeper *keeper, const char *document, struct set_done done);

// ---- What an operator does

// How it ended; valid during the call.
struct keeper_answer {
    enum err
        err; // ERR_NONE; ERR_UNAVAILABLE: the store; else it was refused, and nothing was changed
    const char *why;                     // in words
    const struct policy *policy;         // the set it is about
    const char *document;                // its name
    const struct report *findings;       // stage: of lint
    uint64_t base;                       // stage: the newest version, which a change must name
    const struct store_version *version; // activate, undo: what is in force now
    bool unreplicated;                   // the store has replicas, and none has told that it has it
};
struct keeper_done {
    void (*fn)(void *arg, const struct keeper_answer *answer);
    void *arg;
};

// keeper_base: the newest version that this node knows of: what a change is based on.
uint64_t keeper_base(const struct keeper *keeper);
// keeper_stage: compiles the document, stores it and tells every node. dry: compiles it, and nothing is kept.
void keeper_stage(struct keeper *keeper, const void *bytes, size_t len, bool dry,
                  struct keeper_done done);

struct keeper_change {
    uint64_t base;         // must still be the newest version
    const char *document;  // activate
    uint64_t version;      // undo: whose document; 0 = that of the one before base
    const char *by, *note; // clean, within their bounds; note "" = none
};
void keeper_activate(struct keeper *keeper, const struct keeper_change *change,
                     struct keeper_done done);
void keeper_undo(struct keeper *keeper, const struct keeper_change *change,
                 struct keeper_done done);
// keeper_diff: what the second set says otherwise than the first; before NULL = than the one in force.
void keeper_diff(struct keeper *keeper, struct policy_hold *before, struct policy_hold *after,
                 struct report_done done);
// keeper_reload: the files again, while they count.
void keeper_reload(struct keeper *keeper, struct keeper_done done);
