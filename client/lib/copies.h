// copies.h: which nodes work on a question: its first copy, a second one when the first is slow
// (hedge), another when a node refuses (retry) or its connection ends (resend). One answer ends
// them all.
//
// That a question may reach several nodes, or one node twice, changes nothing, because a node knows
// a repeated question by its transaction and answers it the same; a Check that the gateway gave no
// transaction gets one that is its own (copies_name). Admin verbs have no such promise and are sent
// once.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/lib/client.h"

// copies_name: see above.
void copies_name(const struct reeve *reeve, struct ask *ask);

// copies_send: a question of which no copy is under way goes to a node, if there is one. Too large
// a question becomes due.
void copies_send(struct reeve *reeve, struct ask *ask, uint64_t now_ms);
void copies_send_unsent(struct reeve *reeve, uint64_t now_ms);

// copies_hedge_due: questions that have been unanswered for too long go to a second node, and make
// the first one suspect.
void copies_hedge_due(struct reeve *reeve, uint64_t now_ms);

// copies_answered: this node has answered; true if it was asked. ask is as before, or unsent when
// no other copy is under way.
bool copies_answered(struct reeve *reeve, struct ask *ask, struct node *node);
// copies_refused: and it was a refusal. True if another copy is, or now is, under way; false if
// this is the answer. is_free: the node is leaving, which says nothing of the others' load.
bool copies_refused(struct reeve *reeve, struct ask *ask, bool is_free, uint64_t now_ms);

// copies_lost: what was under way over the connection of this node that ended is unsent again, so
// that the next copies_send_unsent sends it elsewhere. An admin verb, and a question that has lost
// every connection, becomes due.
void copies_lost(struct reeve *reeve, struct nodes *nodes, struct node *node);

// copies_late: the deadline has come; nodes that had time enough are suspect.
void copies_late(struct reeve *reeve, struct ask *ask, uint64_t now_ms);
// copies_end: nobody waits for the question any more.
void copies_end(struct reeve *reeve, struct ask *ask);

// copies_probe: Pings to suspect nodes that are due.
void copies_probe(struct reeve *reeve, uint64_t now_ms);
#define COPIES_PROBE (UINT64_C(1) << 63) // in the number of a Ping that is a probe
