// world.h: what a scenario plays in: nodes without sockets, one store in memory, one clock.
//
//     line -> question -> bytes -> server_receive --(send)--> reply -> compared with what the line
//     expects
//
// A reply that comes while its request is still being handed over, and one that a held operation of
// the store delays, go the same way: they are put aside, and compared by world_settle.
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "node/verbs/server.h"
#include "tests/scenario/ask.h"
#include "tests/scenario/dns_lists.h"
#include "tests/scenario/probes.h"
#include "tests/scenario/script.h"
#include "tests/support/store_memory.h"

enum { WORLD_NODES_MAX = 8, WORLD_NAME_MAX = 32, WORLD_PLACES_MAX = 32 };

// How a scenario is played. Every one is played three times, and must hold each time (README.md,
// "Three times").
struct world_way {
    bool trace;     // ask for the trace, and write requests by hand
    bool expires;   // the store drops what has expired
    bool rehearses; // each check is asked dry first, and then live
};

struct node {
    struct world *world;
    char name[WORLD_NAME_MAX];
    struct store *store;
    struct server *server;
    struct keeper *keeper;
    struct dnslist *lists; // NULL: it replays
    struct stats stats;
    struct server_config config;
    char *policy;  // its own text; NULL = the world's
    bool is_dying; // its replies go nowhere
};

// A network, its country and its AS.
struct world_place {
    struct ip_net net;
    char country[SERVER_COUNTRY_MAX];
    uint32_t asn;
};

struct world {
    struct world_way way;
    struct memory *memory;
    struct node node[WORLD_NODES_MAX];
    size_t node_count;
    char *policy;                               // text of the policy set, "" = none was given
    struct world_place place[WORLD_PLACES_MAX]; // of all nodes
    size_t place_count;
    struct probes probes;       // the other servers, of all nodes
    struct dns_lists dns_lists; // likewise
    uint64_t start_ms;
    uint64_t now_ms;
    struct arena scratch; // of one line or one reply
    uint64_t last_id;
    uint64_t reports; // lines: they name events
    struct question *waiting;
    struct arrival *arrived;
    struct heard *heard;     // events
    char *topic;             // that is listened to; NULL = nothing
    char *given;             // words that every check has; NULL = none
    char *ticket;            // of the last verdict that had one
    struct memory_used used; // at the last `expect store`
    const char *path;
    FILE *report;
    size_t failures;
    bool broken; // a line was not understood, or too many did not hold: the rest is left out
};

// Where in the file a line is, and what stands there.
struct place {
    unsigned number;
    const char *text;
};

void world_init(struct world *world, const struct world_way *way, const char *path, FILE *report);
// world_end: everything that should have been answered was; frees all.
void world_end(struct world *world);

// world_set_time: absolute, never backwards. False if it would be.
bool world_set_time(struct world *world, uint64_t now_ms);

// world_node: the node of that name, made when it is first named. NULL if there are too many.
struct node *world_node(struct world *world, const char *name);
// world_restart: the node's process dies, whatever it was doing, and starts again.
void world_restart(struct node *node);
// world_set_policy: of one node, or (NULL) of all, those that come later included.
MUST_USE enum err world_set_policy(struct world *world, struct node *node, const char *text,
                                   struct err_detail *detail);

// world_ask: sends a request; its reply is compared with the words behind `->` of the line.
void world_ask(struct world *world, const struct place *place, const struct ask *ask);
// world_send: the same with bytes of any kind, which are changed.
void world_send(struct world *world, const struct place *place, struct node *node,
                struct bytes *bytes);
// world_settle: compares what arrived.
void world_settle(struct world *world);
size_t world_waiting(const struct world *world);
// world_heard: how many events of topics that begin so were published.
size_t world_heard(const struct world *world, const char *topic);

// world_fail: one line that did not hold. fmt says why.
void world_fail(struct world *world, const struct place *place, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
