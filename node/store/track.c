// track.c: writes tracking rows. Promises: nobody waits; a row that is lost in an outage is
// counted.
#include "node/store/track.h"

#include "node/store/inside.h"

static void put_and_keep(struct store *store, struct resp *resp, const char *name, uint64_t day)
{
    store_send(store, resp);
    if (!store_keeps_expiry(store))
        return;
    store_put_expiry(resp, name, (day + 1) * TRACK_DAY_MS + TRACK_KEEP_MS);
    store_send(store, resp);
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
    put_and_keep(store, &resp, name, day);
}

void store_track(struct store *store, const struct track_row *row)
{
    uint64_t day = row->ticket.at_ms / TRACK_DAY_MS;
    char name[TRACK_NAME_MAX];
    struct resp resp;

    enter_index(store, day);
    track_name(row->ticket.node, day, name);
    track_put(&resp, row);
    put_and_keep(store, &resp, name, day);
}
