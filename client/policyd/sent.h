// sent.h: mail of one's own users that Postfix was let take is told to the nodes, so that answers to it
// are let through (Auto Allow). Postfix' policy protocol shows the envelope alone, so what a program
// wrote in a user's name counts as written by the user.
//
// Nobody waits for it: the answer to Postfix does not depend on what becomes of it.
#pragma once

#include <stddef.h>

#include "client/lib/reeve.h"
#include "client/policyd/request.h"

struct sent;

// sent_new: idle is called whenever nothing is under way any more, from reeve_dispatch.
struct sent *sent_new(struct reeve *reeve, void (*idle)(void *arg), void *arg);
// sent_free: to be called before reeve_free, at which what is still under way ends as lost. idle is not
// called any more. NULL-safe, NULLs.
void sent_free(struct sent **sent);

// sent_tell: an answer about the end of a message: tells what of it is to be told, if anything. Copies
// what it needs, and does not wait. sent NULL: nothing is told.
void sent_tell(struct sent *sent, const struct policy_request *request,
               const struct reeve_answer *answer);
size_t sent_under_way(const struct sent *sent); // messages; sent may be NULL

// sent_report: a line of what was told so far, if anything ever is.
void sent_report(const struct sent *sent);
