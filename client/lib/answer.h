// answer.h: answers to questions, made of what a node sent or, where that is nothing or of no use,
// made up here: the fallback.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/ask.h"
#include "client/lib/reeve.h"
#include "proto/err.h"
#include "proto/msg.h"

// A decoded reply that nobody has claimed yet.
struct reply;

// reply_decode: bytes may be changed. NULL: they are not a reply (or there is no memory for one).
struct reply *reply_decode(void *bytes, size_t len);
uint64_t reply_id(const struct reply *reply);
const char *reply_node(const struct reply *reply); // as it calls itself; "" = it does not
bool reply_is_draining(const struct reply *reply);
bool reply_is_pong(const struct reply *reply); // a Ping was answered as it should

enum reply_worth {
    REPLY_ANSWERS,   // the question
    REPLY_REFUSES,   // the question is wrong or not allowed: no other node would say otherwise
    REPLY_ELSEWHERE, // this node could not answer, or not in words that we know: another may
};
enum reply_worth reply_worth(const struct reply *reply, const struct ask *ask);
void reply_free(struct reply **reply);

// answer_from_reply: the reply as the answer to its question, or the fallback where it does not
// answer it: an error status, another number of verdicts, an action that this version does not
// know. Takes the reply. Never NULL: without memory it is an answer that says so.
struct reeve_answer *answer_from_reply(struct reply **reply, const struct ask *ask,
                                       enum reeve_fallback fallback);
// answer_fallback: the answer when no node gave one. ask NULL: there was no memory for it.
struct reeve_answer *answer_fallback(const struct ask *ask, enum reeve_fallback fallback,
                                     enum reeve_error error, const char *message);
