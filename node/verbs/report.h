// report.h: a report on its way into the store: what the verb Report, the reports that wait, and those that the chain makes
// by itself share.
#pragma once

#include "node/core/spared.h"
#include "node/verbs/report_queue.h"

struct server;
struct seat;

// How a flight ended.
enum report_end {
    REPORT_RECORDED,
    REPORT_SEEN, // its event was counted before
    REPORT_IN_PART, // it is counted, but the store went away before all of it was: it is not sent again
    REPORT_WAITS,   // the store is not there, or was too slow: nothing is counted
    REPORT_REFUSED, // the store is there and will not have it
};

// One report under way. Whoever starts it keeps it until over was called, exactly once, possibly at once.
struct report_flight {
    struct server *server;
    struct report_item item;
    void (*over)(struct report_flight *flight, enum report_end end);
    uint64_t token;     // the caller's
    uint64_t within_ms; // the caller's deadline; 0 = none
    // From here on the flight's own.
    struct store_report report;
    enum report_end end;
    enum store_state state; // why the end is not REPORT_RECORDED or REPORT_SEEN
    unsigned waiting;       // for so many answers about what it ends
    struct spared_clients spared;
    struct store_person person;
    struct person_facts facts;
    struct store_allow disabled;
};
void report_fly(struct report_flight *flight);

// report_ends (report_ends.c): spam of a client that was believed: it is not spared any more, and the pair that is named is let
// through by Auto Allow no longer. Then calls flight->over.
void report_ends(struct report_flight *flight);

// The reports that wait for the store, and those that the chain makes: written when it is there, in the order in which
// they came, as long as there is room for them. NULL-safe.
struct report_desk;
struct report_desk *report_desk_new(struct server *server);
void report_desk_free(struct report_desk **desk);
// report_keep: a copy of it waits, and is written when the store is there. report_pump: now, if it is.
void report_keep(struct server *server, const struct report_item *item);
void report_pump(struct server *server);

// report_prepare: the verb Report: what is wrong with it is said before anything else; ERR_MEMORY if a larger seat is
// needed. report_go: counts it, and answers.
MUST_USE enum err report_prepare(struct server *server, struct seat *seat,
                                 struct err_detail *detail);
void report_go(struct server *server, struct seat *seat);
// report_gateway_weight: what a gateway's reports are worth by the policy set, whoever makes them in its name.
double report_gateway_weight(const struct policy *policy, const char *gateway);

// report_own (report_own.c): what a Check itself has seen, when all is decided: recipients that do not exist, mail of whom
// somebody here has written to, and how much its client sends.
void report_own(struct server *server, const struct seat *seat);
