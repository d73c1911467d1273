// talk.h: requests to nodes in turn, each answered or the end of it: for what must be whole, where asker.h measures what comes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"
#include "proto/msg.h"

enum { TALK_NODES_MAX = 64, TALK_WINDOW_MAX = 1024 };

struct talk_config {
    const char *const *node; // endpoints as libreeve takes them
    size_t node_count;
    unsigned window;      // requests under way at once, over all nodes
    uint32_t deadline_ms; // of one request
};

// ask: fills the index-th request, all but its id and budget; what it points at must last until ask is called again. False: there is
// none with this number.
// answer: its reply, of status OK and valid during the call. An error ends it all.
struct talk_plan {
    bool (*ask)(void *arg, size_t index, struct msg_request *out);
    enum err (*answer)(void *arg, size_t index, const struct msg_reply *reply,
                       struct err_detail *detail);
    void *arg;
};

struct talk;

// talk_new: connects. Errors as connect_node.
MUST_USE enum err talk_new(struct talk **out, const struct talk_config *config,
                           struct err_detail *detail);
void talk_free(struct talk **talk); // null-safe, nulls

// talk_run: the requests first .. end-1, started in this order, each at the next node; back when all are answered. ERR_TIMEOUT,
// ERR_UNAVAILABLE (the node refused; the detail has its words), ERR_SYNTAX (what came is no answer), or what answer said. After an error the talk
// can only be freed.
MUST_USE enum err talk_run(struct talk *talk, const struct talk_plan *plan, size_t first,
                           size_t end, struct err_detail *detail);
