// asker.h: keeps a window of questions under way at one or more nodes. Each place of the window
// belongs to one node and asks its next question when the one before was answered, or when its time
// is over.
//
// What is asked next, and what becomes of an answer, is up to the caller (a plan): prepare.c and
// measure.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/load/question.h"
#include "proto/err.h"
#include "proto/msg.h"

enum { ASKER_WINDOW_MAX = 4096, ASKER_NODES_MAX = 64 };

enum asker_outcome {
    ASKER_ANSWERED,  // reply is one verdict, or of what was told an Ack; status OK
    ASKER_REFUSED,   // reply has another status (overloaded, expired, ...)
    ASKER_DAMAGED,   // an answer to this question that is none
    ASKER_TIMED_OUT, // none in time: here a gateway would have used its fallback
};

struct asker_question {
    unsigned kind; // the plan's own words
    uint64_t number;
    struct question_text text;
};

struct asker_answer {
    enum asker_outcome outcome;
    const struct msg_reply *reply; // NULL where there is none; valid during the call
    uint64_t took_us;
};

// next: the next question, or false: there is none (now or ever; it is asked again after each
// answer, and each few milliseconds). waits: there will be one, so it goes on although nothing is under way; NULL = there never
// is.
struct asker_plan {
    bool (*next)(void *arg, struct asker_question *out);
    bool (*waits)(void *arg);
    void (*answer)(void *arg, const struct asker_question *question,
                   const struct asker_answer *answer);
    void *arg;
};

struct asker_config {
    const char *const *node; // endpoints as libreeve takes them
    size_t node_count;
    unsigned window;
    uint32_t deadline_ms; // of one question
    enum question_identity identity;
    enum msg_stage stage; // MSG_MAIL or MSG_RCPT
    enum msg_verb
        verb; // MSG_CHECK; or no questions: MSG_SENT, mail that was sent, MSG_REPORT, what mail was
};

struct asker;

// asker_new: connects; ERR_UNAVAILABLE if a node does not take the connection within 2 seconds.
// Other errors: as endpoint_resolve, and ERR_SYSTEM. The detail names the node.
MUST_USE enum err asker_new(struct asker **out, const struct asker_config *config,
                            struct err_detail *detail);
void asker_free(struct asker **asker);

// asker_run: asks until the plan has no more and all is answered. It may be called again.
void asker_run(struct asker *asker, const struct asker_plan *plan);

// Since asker_new: answers that came after their question's deadline; sendings that a node's
// connection did not take (tried again).
uint64_t asker_late(const struct asker *asker);
uint64_t asker_unsent(const struct asker *asker);
