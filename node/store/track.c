// track.c: writes tracking rows. Promises: nobody waits; a row that is lost in an outage is
// counted.
#include "node/store/track.h"

#include "node/store/inside.h"
#include "proto/base/clock.h"

enum { TRACK_KEPT_MS = 1000 }; // how long a stream's expiry is taken for said

static void put_expiry(struct store *store, const char *name, uint64_t day)
{
    struct resp resp;

    if (!store_keeps_expiry(store))
        return;
    store_put_expiry(&resp, name, (day + 1) * TRACK_DAY_MS + TRACK_KEEP_MS);
    store_send(store, &resp);
}

// Once a day, and again after an outage, which may have lost it.
static void enter_index(struct store *store, uint64_t day)
{
    char name[TRACK_NAME_MAX];
    char node[16];
    struct resp resp;

    if (store->indexed_day == day || redis_state(store->lane[STORE_LOOKUPS]) != STORE_UP)
        return;
    store->indexed_day = day;
    track_index_name(day, name);
    track_node_text(store->node, node);
    resp_begin(&resp, "SADD");
    resp_text(&resp, name);
    resp_text(&resp, node);
    store_send(store, &resp);
    put_expiry(store, name, day);
}

// The stream is this node's own, and its expiry does not change: it is said with the first row, and
// then with one row a second, so that whatever took the stream or its expiry away, the next row that
// is told mends it.
static void keep_stream(struct store *store, const char *name, uint64_t day)
{
    uint64_t now_ms = clock_mono_ms();

    if (store->kept_day == day && now_ms - store->kept_at_ms < TRACK_KEPT_MS)
        return;
    store->kept_day = day;
    store->kept_at_ms = now_ms;
    put_expiry(store, name, day);
}

void store_track(struct store *store, const struct track_row *row)
{
    uint64_t day = row->ticket.at_ms / TRACK_DAY_MS;
    char name[TRACK_NAME_MAX];
    struct resp resp;

    enter_index(store, day);
    track_name(row->ticket.node, day, name);
    track_put(&resp, row);
    store_send(store, &resp);
    keep_stream(store, name, day);
}
