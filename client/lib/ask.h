// ask.h: one question that is under way, and the book of all of them.
//
//     reeve_submit --> pending (unsent) <-> pending (sent) --> answered, cancelled or late
//          `---------> due: an answer is known without any node (too many under way, too large)
//
// The book finds a question by its number and knows which deadline comes first, and which question
// is the next to be unanswered for too long. A question may be under way in several copies, each at
// another node: it is sent as long as one of them is.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/lib/reeve.h"
#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/msg.h"

// The first, a hedge, and one more: a question that ended three connections is not sent to a fourth
// node, because it may be what ended them.
enum { ASK_COPIES_MAX = 3, ASK_TRANSACTION_MAX = 48 };

struct ask_copy {
    uint64_t serial;     // of the node
    uint64_t connection; // which of its connections
    uint64_t sent_ms;    // monotonic
    bool is_under_way;   // neither answered nor lost
    bool was_slow;       // its node was told apart for it
};

struct ask {
    struct msg_request request; // its texts: copied for a Check, borrowed for the blocking verbs
    uint64_t deadline_ms;       // monotonic
    bool sent;                  // a copy is under way
    struct ask_copy copy[ASK_COPIES_MAX];
    size_t copy_count;
    size_t under_way;     // of the copies
    uint64_t transaction; // affinity_hash of what the gateway gave; 0 = nothing
    uint64_t hedge_ms;    // when it has been unanswered for too long; 0 = nobody looks
    bool is_hedged;
    char own_transaction[ASK_TRANSACTION_MAX]; // for a Check that has none
    enum reeve_error trouble;                  // of a due one: why no node is asked
    const char *why;                           // static
    // Who gets the answer: done, or whoever waits at kept.
    void (*done)(void *arg, const struct reeve_answer *answer); // NULL = nobody
    void *arg;
    struct reeve_answer **kept;
    // The book's own.
    struct ask *prev, *next, *chain;
    TAILQ_ENTRY(ask) in_hedges;
    bool is_due;
};

// ask_new_check: a copy of the check whose client-chosen texts are cleaned and cut to their limits;
// NULL without memory. ask_new: any other request; its texts are borrowed.
struct ask *ask_new_check(const struct reeve_check *check);
struct ask *ask_new_sent(const struct reeve_sent *sent);       // likewise
struct ask *ask_new_report(const struct reeve_report *report); // likewise
struct ask *ask_new(const struct msg_request *request);
void ask_free(struct ask **ask);

// ask_is_question: what waits for an answer at a lookup door, which nothing but news and an admin verb do
// not. ask_is_news: what a gateway tells, and nobody waits for: Sent, Report.
bool ask_is_question(const struct ask *ask);
bool ask_is_news(const struct ask *ask);
// ask_verdict_count: how many verdicts answer it.
size_t ask_verdict_count(const struct ask *ask);

struct ask_list {
    struct ask *head, *tail;
};
TAILQ_HEAD(ask_queue, ask);
struct asks {
    struct ask **bucket;     // by number
    size_t bucket_count;     // a power of two
    struct ask_list pending; // by deadline
    struct ask_list due;     // in order of submission
    struct ask_queue hedges; // by hedge_ms; of the pending ones
    size_t pending_count;
    size_t unsent_count; // of the pending ones
    size_t news_count;   // of the pending ones, those that are news
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
void asks_set_unsent(struct asks *asks, struct ask *ask);
// asks_hedge_at: from now on hedge_ms says when; 0 = never.
void asks_hedge_at(struct asks *asks, struct ask *ask, uint64_t at_ms);
