// report_desk.c: reports on their way into the store, and those that wait for it.
//
//      a Report       ---- its own flight ------------------------+
//                                                                 v
//      the store is away, or the chain's own --> ring --> 32 flights --> store_report --> what it ends --> over
//
// Promises: lookups do not wait for it; an event that was not counted is kept and sent again, one that may have been counted is
// not; nothing is lost but what a full ring drops (the oldest, counted), what a store that is there will not have, and
// what waits when the node ends (logged).
#include "node/verbs/report.h"

#include <string.h>

#include "node/verbs/internal.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"

enum {
    RING_BYTES = 16 << 20, // some 100,000 reports
    FLIGHTS = 32,
};

// A place for a report that waited.
struct place {
    struct report_flight flight; // first: a flight is its place
    enum { FREE, FLYING, HELD } state;
    char memory[REPORT_MEMORY_BYTES];
};

struct report_desk {
    struct report_queue *queue;
    struct place place[FLIGHTS];
    bool pumping;   // report_pump is on the stack
    bool is_behind; // the store was away when something came
    struct log_limit full_lines;
    struct log_limit lost_lines;
};

struct report_desk *report_desk_new(struct server *server)
{
    struct report_desk *desk = mem_new(sizeof(*desk));

    desk->queue = report_queue_new(RING_BYTES);
    for (size_t i = 0; i < FLIGHTS; i++)
        desk->place[i].flight.server = server;
    return desk;
}

static size_t waiting(const struct report_desk *desk)
{
    size_t count = report_queue_count(desk->queue);

    for (size_t i = 0; i < FLIGHTS; i++)
        count += desk->place[i].state != FREE;
    return count;
}

void report_desk_free(struct report_desk **desk)
{
    if (*desk == NULL)
        return;
    if (waiting(*desk) > 0)
        log_warn("reports that waited for the store are forgotten reports=%zu", waiting(*desk));
    report_queue_free(&(*desk)->queue);
    mem_free(*desk);
    *desk = NULL;
}

size_t server_reports_waiting(const struct server *server)
{
    return waiting(server->reports);
}

// ---- one report

static void count(struct server *server, const struct report_flight *flight)
{
    struct stats *stats = server->stats;

    switch (flight->end) {
    case REPORT_RECORDED:
        stats->reports_recorded++;
        return;
    case REPORT_SEEN:
        stats->reports_seen++;
        return;
    case REPORT_IN_PART:
    case REPORT_REFUSED:
        stats->reports_lost++;
        log_limited(&server->reports->lost_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                    "a report was lost%s, the store is %s",
                    flight->end == REPORT_IN_PART ? " in part" : "",
                    store_state_text(flight->state));
        return;
    case REPORT_WAITS:
        return;
    }
}

// A store that is there and will not have it is not asked for ever.
static enum report_end end_of(const struct store_report *report, enum store_state state)
{
    if (state == STORE_UP)
        return report->is_new ? REPORT_RECORDED : REPORT_SEEN;
    if (report->is_new)
        return REPORT_IN_PART;
    return state == STORE_ERROR ? REPORT_REFUSED : REPORT_WAITS;
}

static void landed(void *arg, uint64_t token, enum store_state state)
{
    struct report_flight *flight = arg;

    (void)token;
    flight->end = end_of(&flight->report, state);
    flight->state = state;
    flight->item.claim = flight->report.claim;
    count(flight->server, flight);
    if (flight->report.is_new && flight->item.ends && flight->report.trusted >= REPUTATION_ALARM)
        report_ends(flight);
    else
        flight->over(flight, flight->end);
}

void report_fly(struct report_flight *flight)
{
    const struct report_item *item = &flight->item;
    struct store_report *report = &flight->report;

    *report = (struct store_report){
        .is_spam = item->is_spam,
        .judges = item->judges,
        .weight = item->weight,
        .at_ms = item->at_ms,
        .settings = server_policy(flight->server)->settings.reputation.levels,
        .auth = item->client.auth,
        .claim = item->claim,
    };
    memcpy(report->event, item->event, strlen(item->event) + 1);
    memcpy(report->gateway, item->gateway, strlen(item->gateway) + 1);
    reputation_levels(&item->client, &report->facts);
    store_report(flight->server->store, report,
                 (struct store_done){.fn = landed, .arg = flight, .within_ms = flight->within_ms});
}

// ---- what waits

static void fall_behind(struct server *server)
{
    if (!server->reports->is_behind)
        log_info("reports wait for the store");
    server->reports->is_behind = true;
}

static void catch_up(struct server *server)
{
    if (!server->reports->is_behind || server_reports_waiting(server) > 0)
        return;
    log_info("reports that waited for the store are counted");
    server->reports->is_behind = false;
}

static void over(struct report_flight *flight, enum report_end end)
{
    struct place *place = (struct place *)flight;

    place->state = end == REPORT_WAITS ? HELD : FREE;
    if (place->state == HELD) { // until the node's next tick
        fall_behind(flight->server);
        return;
    }
    catch_up(flight->server);
    report_pump(flight->server);
}

// In a replay one after the other, in their order.
static size_t most_places(const struct server *server)
{
    return server->config.replay ? 1 : FLIGHTS;
}

// Places that are free take the oldest that wait. False: there is nothing to do, or nobody to tell.
static bool fill(struct server *server, struct place *place)
{
    if (place->state == FLYING || store_state(server->store) != STORE_UP)
        return false;
    if (place->state == FREE &&
        !report_queue_take(server->reports->queue, place->memory, &place->flight.item))
        return false;
    place->state = FLYING;
    place->flight.over = over;
    report_fly(&place->flight);
    return place->state == FREE; // the store answered at once: there may be more
}

void report_pump(struct server *server)
{
    struct report_desk *desk = server->reports;

    if (desk->pumping) // the store answered at once
        return;
    desk->pumping = true;
    for (size_t i = 0; i < most_places(server); i++)
        while (fill(server, &desk->place[i]))
            continue;
    desk->pumping = false;
}

void report_keep(struct server *server, const struct report_item *item)
{
    struct report_desk *desk = server->reports;
    const size_t lost = report_queue_add(desk->queue, item);

    if (store_state(server->store) != STORE_UP)
        fall_behind(server);
    server->stats->reports_lost += lost;
    if (lost > 0)
        log_limited(&desk->full_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                    "too many reports wait for the store, the oldest is forgotten");
}
