// nodes.h: the nodes behind one kind of door: what the options name, the addresses that the names
// lead to, and a link to each of these.
//
//     "tcp://10.0.0.5:7170" ------- source 0 ---- node, one link
//     "tcp://reeve.example:7170" -- source 1 -+-- node    looked up every 5 to 30 s:
//                                             `-- node    new addresses come, vanished ones go
//
// A node belongs to every source that leads to its address, so that an address which is named twice
// is asked once. A node that no source leads to any more gets no new questions while another can
// be asked; it is closed when what is under way there is over.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/health.h"
#include "client/lib/link.h"
#include "client/lib/reeve.h"
#include "client/lib/resolve.h"
#include "proto/err.h"
#include "proto/msg.h"

enum { NODES_MAX = 256, SOURCES_MAX = 64, NODE_NAME_MAX = 64 };

struct node {
    struct link link;
    struct health health;
    uint64_t serial;            // never given again in this client; 0 is none
    uint64_t sources;           // bit i: source i leads here
    uint64_t connection;        // link.connects when somebody looked last
    bool is_full;               // its queue did not take a question; cleared in each turn
    struct reeve_node seen;     // counters; the rest is filled in when somebody asks
    enum reeve_node_state told; // to the caller, last
    char name[NODE_NAME_MAX + 1];
};

struct source {
    struct endpoint_name name; // host "" = the endpoint is an address
    bool is_asking;            // a lookup is under way
    uint64_t asked_ms, next_ms;
    unsigned dark; // answers in a row after which no address of it was connected
    char why[160]; // of the last lookup that failed; "" = it did not
};

struct nodes {
    struct node *node[NODES_MAX];
    size_t count, max;
    struct source source[SOURCES_MAX];
    size_t source_count, asking;
    struct resolver *resolver; // NULL = no source is a name
    struct link_plan plan;     // of the next link
    int epoll_fd;              // where links and the resolver are watched
    uint64_t wake_ms;          // when nodes_tick has something to do; UINT64_MAX = never
    // How often a name is looked up that works: a random time between these. One that leads to
    // nobody: after again_ms, then after twice as long each time, up to five times again_ms.
    uint64_t period_least_ms, period_most_ms, again_ms;
};

enum { NODES_PERIOD_LEAST_MS = 5000, NODES_PERIOD_MOST_MS = 30000, NODES_AGAIN_MS = 1000 };

// nodes_add: one endpoint of the options. An address gets its link; a name is only taken note of.
// ERR_CONFIG, ERR_SYSTEM. nodes is zeroed before but for plan, epoll_fd, max and the periods.
MUST_USE enum err nodes_add(struct nodes *nodes, const char *endpoint, uint64_t now_ms,
                            struct err_detail *detail);
// nodes_start: begins to look up the names, if there are any.
MUST_USE enum err nodes_start(struct nodes *nodes, struct resolve_how how, uint64_t now_ms,
                              struct err_detail *detail);
void nodes_close(struct nodes *nodes);

// nodes_take_addresses: takes over what lookups have found. random: any number.
void nodes_take_addresses(struct nodes *nodes, uint64_t now_ms, uint64_t random);
// nodes_tick: connects anew what is down, starts lookups that are due; then wake_ms holds. Closes
// nothing.
void nodes_tick(struct nodes *nodes, uint64_t now_ms);
// nodes_lost: the connection to this node ended. Where it was the last of a name, the name is
// looked up at once (again_ms after the last time at the soonest).
void nodes_lost(struct nodes *nodes, const struct node *node, uint64_t now_ms);
// nodes_idle: a node that no source leads to and that has nothing under way; NULL = there is none.
// nodes_drop closes it.
struct node *nodes_idle(const struct nodes *nodes);
void nodes_drop(struct nodes *nodes, struct node **node);

struct node *nodes_find(const struct nodes *nodes, uint64_t serial); // NULL = it is not there
enum reeve_node_state node_state(const struct node *node);
// nodes_trouble: why there is nobody to ask, where a name is the reason; else "".
const char *nodes_trouble(const struct nodes *nodes);
