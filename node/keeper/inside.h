// inside.h: what the files of this room share.
#pragma once

#include "node/keeper/copy.h"
#include "node/keeper/keeper.h"
#include "node/keeper/sets.h"

struct change;
struct loading;

struct keeper {
    struct keeper_config config;
    struct keeper_calls calls;
    struct stats *stats;
    struct loop *loop;
    struct store *store;
    char *path;                  // of the copy; NULL = there is none
    struct copy *first;          // what keeper_load found, until keeper_start
    struct policy *first_policy; // likewise
    struct sets sets;
    struct loop_timer *tick;
    bool is_stopped, has_left;
    // In force.
    struct policy_hold *in_force;
    struct store_version version;            // version 0: files
    struct document *document;               // NULL: files
    struct copy_was was[STORE_VERSIONS_MAX]; // before it, newest first
    size_t was_count;
    // The store's newest.
    struct store_version tip;
    bool has_tip;
    struct store_version wanted; // that is being prepared, or was refused; version 0 = none
    bool is_refused;
    char why[STORE_NODE_ERROR_MAX + 1];
    // Offering what the store lost.
    bool is_offering;
    // Copy.
    struct loop_work *saving;
    bool save_again;
    uint64_t saved_since; // store_declared_changes of what was saved last
    // Files.
    struct loading *loading;
    struct change *changes;  // an operator's, under way
    struct reports *reports; // likewise
};

// keeper_switch: that version is in force from now on.
void keeper_switch(struct keeper *keeper, const struct store_version *version,
                   const struct set *set);
// keeper_tip: the newest version in the store.
void keeper_tip(struct keeper *keeper, const struct store_version *tip, bool is_held);
// keeper_beat: says to the others what this node has.
void keeper_beat(struct keeper *keeper);
// keeper_offer: the store seems to have lost the version in force.
void keeper_offer(struct keeper *keeper);
// keeper_knows: that version came before the one in force.
bool keeper_knows(const struct keeper *keeper, const struct store_version *version);
// keeper_save: writes the copy, beside the loop.
void keeper_save(struct keeper *keeper);
// changes_stop: an operator's changes that wait end.
void changes_stop(struct keeper *keeper);
// keeper_version_text: "version 7 (ann, 2026-11-22T04:00:00Z)".
enum { KEEPER_VERSION_TEXT = STORE_BY_MAX + 80 };
const char *keeper_version_text(const struct store_version *version, char out[KEEPER_VERSION_TEXT]);
