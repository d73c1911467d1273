// health.h: what is thought of a connected node, and when it is tried again. Pure: time is an
// argument, monotonic milliseconds.
//
//              a question unanswered for the hedge time, or at its deadline;
//              a damaged reply, or one that says overloaded, expired, unavailable, internal error
//        UP --------------------------------------------------------------------------> SUSPECT
//         ^                                                                               |
//         `------ a Ping answered in the hedge time, or a question, but not at once ------'
//
// A suspect node is probed with a Ping, which costs no customer anything: after 100 ms, then after
// twice as long each time that it fails, up to 5 s. A node that becomes suspect again soon after it
// was trusted goes on where it was, so that one which answers Pings but no questions is tried with
// questions ever more seldom. An answer to a question counts like a Ping's, but not before the first
// probe would be due: else a node that is slow now and then would be trusted and suspected with every
// question. A new connection is a new beginning.
//
// Draining is the node's own word, in every reply; it holds until the connection ends.
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum {
    HEALTH_PROBE_FIRST_MS = 100,
    HEALTH_PROBE_MOST_MS = 5000,
    HEALTH_FORGIVEN_MS = 10000, // trusted for so long: the next suspicion starts anew
};

struct health {
    bool is_suspect;
    bool is_draining;
    uint64_t probe_id;    // of the Ping under way; 0 = none
    uint64_t probe_ms;    // of a suspect: when to probe, or when the probe has failed
    uint64_t backoff_ms;  // between a failed probe and the next; 0 = never was suspect
    uint64_t patience_ms; // until then answers to questions are no reason to trust it
    uint64_t trusted_ms;  // since when, again
};

void health_connected(struct health *health); // a new connection
void health_suspect(struct health *health, uint64_t now_ms);
// health_answered: it has answered a question in time.
void health_answered(struct health *health, uint64_t now_ms);

// health_is_due: true when a Ping is to be sent now; then health_probed says that it was, with its
// number and how long it may take. A probe that failed is taken note of here.
bool health_is_due(struct health *health, uint64_t now_ms);
void health_probed(struct health *health, uint64_t id, uint64_t now_ms, uint64_t wait_ms);
// health_put_off: it could not be sent; try again in a while.
void health_put_off(struct health *health, uint64_t now_ms);
// health_pong: a good reply with this number came; true if it is to the probe under way. The node
// is trusted then. Whoever was late to read it calls this before health_is_due.
bool health_pong(struct health *health, uint64_t id, uint64_t now_ms);
