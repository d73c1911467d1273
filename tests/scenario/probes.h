// probes.h: the other servers of a scenario, which are asked whether a recipient exists. What they say is in the script.
#pragma once

#include "node/probe/probe.h"

struct node;
struct world;

enum { PROBES_MAX = 64, PROBE_WAITERS_MAX = 8 };

// What is said of one address.
struct probe_script {
    char address[PERSON_ADDRESS_MAX];
    enum facts_probe says; // UNASKED: it lets whoever asks wait, until it is told what to answer
    struct node *asker;    // the last that was told SILENT, or waits; NULL = nobody
    char mailbox[PERSON_ADDRESS_MAX];  // whose address it is, if it exists; "" = its own
    uint64_t positive_ms, negative_ms; // as that one's policy set says
    struct probe_done waiter[PROBE_WAITERS_MAX];
    size_t waiters;
};

struct probes {
    struct probe_script script[PROBES_MAX];
    size_t count;
    uint64_t asked;    // questions
    uint64_t expected; // of them, at the last `expect probes`
};

// probes_ask: as server_out.probe; arg is the struct node. Of whom the script says nothing, nobody says anything: REFUSED.
void probes_on_ask(void *arg, const struct probe_question *question, struct probe_done done);
// probes_say: from now on; waits says that whoever asks is let wait. probes_answer: to who waits, or was told SILENT. False:
// there are too many, or nobody asked.
bool probes_say(struct world *world, const char *address, enum facts_probe says);
// probes_name: whose address it is, from now on.
void probes_name(struct world *world, const char *address, const char *mailbox);
bool probes_answer(struct world *world, const char *address, enum facts_probe said);
// probes_forget: the node is gone, and with it what it asked.
void probes_forget(struct world *world, const struct node *node);
bool probes_are_waited_for(const struct world *world, const struct node *node);
