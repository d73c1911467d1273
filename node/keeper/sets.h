// sets.h: the policy sets that a node holds compiled: the one in force, and a few that may be in force next or that somebody
// looks at. A document that is not here is fetched from the store and compiled beside the loop, so that putting
// it in force is only a switch.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/keeper/document.h"
#include "node/policy/hold.h"
#include "node/store/store.h"
#include "proto/base/loop.h"
#include "proto/err.h"

enum {
    SETS_READY_MAX = 2, // beside the one in force
    SETS_MAX = 12,      // with those that are being fetched and compiled
};

enum set_state { SET_FETCHING, SET_COMPILING, SET_READY, SET_FAILED };

// One document.
struct set {
    struct set *next;
    char name[STORE_DOCUMENT_NAME];
    enum set_state state;
    struct document *document; // NULL while it is fetched
    struct policy_hold *hold;  // SET_READY
    enum err
        err; // SET_FAILED: ERR_NOT_FOUND (the store has no such document), ERR_UNAVAILABLE (the store is
             // away), else what is wrong with the set
    char why[512]; // SET_FAILED
    bool is_in_force;
    uint64_t until_ms; // monotonic: it is kept so long
    uint64_t used;     // higher = asked for more lately
    struct loop_work *work;
    struct set_waiter *waiters;
};

// What comes of a document: set->state is SET_READY or SET_FAILED; valid during the call. May be called before the function
// that asked returns.
struct set_done {
    void (*fn)(void *arg, const struct set *set);
    void *arg;
};

struct sets {
    struct loop *loop;
    struct store *store;
    struct set *first;
    uint64_t used;
    bool is_closing;
};

void sets_begin(struct sets *sets, struct loop *loop, struct store *store);
// sets_end: whoever waits is told that there is no time left (ERR_UNAVAILABLE).
void sets_end(struct sets *sets);

// sets_get: the set of that document, from wherever it comes. A document that cannot be compiled is not tried again while it
// is remembered here.
void sets_get(struct sets *sets, const char *name, struct set_done done);
// sets_give: the same of a document that the caller has; the table holds it, too.
void sets_give(struct sets *sets, struct document *document, struct set_done done);
// sets_put: one that is compiled already; takes the use of hold.
void sets_put(struct sets *sets, struct document *document, struct policy_hold *hold);
// sets_find: what is here of that document, or NULL.
struct set *sets_find(const struct sets *sets, const char *name);
// sets_tidy: what is over its time goes.
void sets_tidy(struct sets *sets);
// sets_force: that one is in force: it stays, whatever comes. NULL = none is.
void sets_force(struct sets *sets, const char *name);
