// client.h: what a struct reeve is made of, for the files of this library.
//
//     reeve_fd (epoll) --+-- links to the nodes' lookup doors (ZMQ_FD of socket and monitor)
//                        +-- links to the admin door, if there is one
//                        +-- resolvers, if a name is configured
//                        `-- timer: the next deadline, hedge, probe ..., or at once when something
//                            waits already
//
// The timer is what makes reeve_fd level-triggered: libzmq's descriptors tell of a message only
// once, so whenever a call returns while there is still something to do, the timer is set to now.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/ask.h"
#include "client/lib/choose.h"
#include "client/lib/nodes.h"
#include "client/lib/reeve.h"
#include "proto/msg.h"

// The retry budget: each question earns a tenth of a copy, each hedge and each retry after a refusal
// costs one, and BUDGET_BURST copies can be saved up (which is also what a new client has): enough
// for what is under way at one node that stops answering. So a cluster that is slow as a whole gets
// a tenth more to do, not twice as much. A copy because a connection ended is free: the node that
// had the question does not work for us any more, so the cluster has no more to do than before. News, for
// which nobody waits, take nothing of the last half.
enum { BUDGET_BURST = 64, BUDGET_TENTHS = 10 };
struct budget {
    unsigned tenths;
};
void budget_earn(struct budget *budget);
bool budget_take(struct budget *budget); // false: there is none

struct reeve {
    void *context; // libzmq's
    struct nodes lookups;
    struct nodes admin;
    int epoll_fd;
    int timer_fd;
    uint64_t timer_ms; // what it is set to; 0 = now, UINT64_MAX = off
    struct asks asks;
    struct affinity affinity;
    struct budget budget;
    uint64_t deadline_ms;
    uint64_t admin_deadline_ms;
    uint64_t sent_deadline_ms;
    uint64_t hedge_ms; // UINT64_MAX = no hedges
    size_t in_flight_max;
    enum reeve_fallback fallback;
    bool is_closing;
    uint64_t random;  // state of client_random
    uint64_t session; // makes the transactions that this client names its own
    uint64_t last_probe;
    struct reeve_counters counters;
    void (*node_changed)(void *arg, const struct reeve_node *node);
    void *node_arg;
    char gateway[MSG_GATEWAY_MAX + 1];
    // Memory to encode a request in, allocated once: bytes (more when a document needs them), and what protobuf-c
    // needs meanwhile.
    unsigned char *encoded;
    size_t encoded_size;
    unsigned char *scratch;
};

enum {
    CLIENT_ENCODED_BYTES =
        1 << 20, // 1000 recipients of 320 bytes and all else but a document fit three times
    CLIENT_SCRATCH_MAX = 2 << 20,
};

// client_new: reeve_new with another way to look up names.
enum reeve_error client_new(struct reeve **out, const struct reeve_options *options,
                            struct resolve_how how, char *message, size_t size);

// client_start: takes the question, numbers it and sends it if a node is there. wait_ms: its time
// to live.
void client_start(struct reeve *reeve, struct ask *ask, uint64_t wait_ms);
// client_end_all: every question gets the fallback.
void client_end_all(struct reeve *reeve, const char *why);

uint64_t client_random(struct reeve *reeve);
// client_slow_ms: from when on an unanswered question is a reason to suspect its node.
uint64_t client_slow_ms(const struct reeve *reeve);
struct nodes *client_nodes(struct reeve *reeve, const struct ask *ask);

// client_tell: tells the caller of nodes whose state has changed.
void client_tell(struct reeve *reeve);
