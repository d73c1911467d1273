// choose.h: which node gets a question.
//
// The best kind of node that there is: well, then draining (it answers everything it gets), then
// suspect, then one that its name does not lead to any more. Away, full and already asked are never
// chosen; another address of a node that was asked already comes last. Of the best kind two are
// drawn at random, and the one with fewer questions of ours under way gets it: nearly as even as
// asking the least busy of all, without all gateways rushing to the same one. A node that does not
// answer fills up and is avoided by that alone.
//
// Questions of one transaction prefer the node that was asked before, because it remembers what it
// learned: unless it is clearly busier than the one drawn. Which node that was is kept in a table of
// a fixed size in which the newest wins its row. A transaction that lost its row goes anywhere,
// which costs time and changes no answer. (Choosing by a hash of the transaction would need no
// table, but Postfix gives each question a transaction: then load would follow the hash and not the
// queues, and a slow node would keep its share.)
#pragma once

#include <stdint.h>

#include "client/lib/ask.h"
#include "client/lib/nodes.h"

enum { AFFINITY_ROWS = 4096, AFFINITY_SLACK = 4 };

struct affinity {
    struct {
        uint64_t transaction, serial;
    } row[AFFINITY_ROWS];
};

// affinity_hash: names a transaction; never 0. affinity_of: the serial of its node, 0 = unknown.
uint64_t affinity_hash(const char *transaction);
uint64_t affinity_of(const struct affinity *affinity, uint64_t transaction);
void affinity_note(struct affinity *affinity, uint64_t transaction, uint64_t serial);

// choose_node: preferred is a serial or 0; random any number. NULL: nobody can be asked (again).
struct node *choose_node(const struct nodes *nodes, const struct ask *ask, uint64_t preferred,
                         uint64_t random);
