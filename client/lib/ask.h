// ask.h: one question that is under way, and the book of all of them.
//
//     reeve_submit --> pending (unsent) --> pending (sent) --> answered, cancelled or late
//          `---------> due: an answer is known without any node (too many under way, too large)
//
// The book finds a question by its number and knows which deadline comes first.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/reeve.h"
#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/msg.h"

struct ask {
    struct msg_request request; // its texts: copied for a Check, borrowed for the blocking verbs
    uint64_t deadline_ms;       // monotonic
    bool sent;
    enum reeve_error trouble; // of a due one: why no node is asked
    const char *why;          // static
    // Who gets the answer: done, or whoever waits at kept.
    void (*done)(void *arg, const struct reeve_answer *answer);
    void *arg;
    struct reeve_answer **kept;
    // The book's own.
    struct ask *prev, *next, *chain;
    bool is_due;
};

// ask_new_check: a copy of the check whose client-chosen texts are cleaned and cut to their limits;
// NULL without memory. ask_new: any other request; its texts are borrowed.
struct ask *ask_new_check(const struct reeve_check *check);
struct ask *ask_new(const struct msg_request *request);
void ask_free(struct ask **ask);

// ask_verdict_count: how many verdicts answer it.
size_t ask_verdict_count(const struct ask *ask);

struct ask_list {
    struct ask *head, *tail;
};
struct asks {
    struct ask **bucket;     // by number
    size_t bucket_count;     // a power of two
    struct ask_list pending; // by deadline
    struct ask_list due;     // in order of submission
    size_t pending_count;
    size_t unsent_count; // of the pending ones
    uint64_t last_id;
};

// asks_init: room for about count questions without longer searches. ERR_MEMORY.
MUST_USE enum err asks_init(struct asks *asks, size_t count);
void asks_free(struct asks *asks); // must be empty

// asks_add: takes the question, gives it its number and puts it where its deadline belongs.
void asks_add(struct asks *asks, struct ask *ask);
// asks_add_due: the same for a question whose answer needs no node.
void asks_add_due(struct asks *asks, struct ask *ask, enum reeve_error trouble, const char *why);
// asks_move_due: a pending question becomes a due one.
void asks_move_due(struct asks *asks, struct ask *ask, enum reeve_error trouble, const char *why);
struct ask *asks_find(const struct asks *asks, uint64_t id); // NULL = no such question
void asks_remove(struct asks *asks, struct ask *ask);        // gives it back to the caller
void asks_set_sent(struct asks *asks, struct ask *ask);
