// bans.c: a sorted array. Promises: never more than BANS_MAX rows, so never more than two megabytes.
#include "node/store/bans.h"

#include <string.h>

#include "proto/base/mem.h"

// The place of the client, or the one where it belongs.
static size_t place_of(const struct bans *bans, const struct ip_net *client, bool *found)
{
    size_t low = 0;
    size_t high = bans->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = ip_net_compare(&bans->item[middle].client, client);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void bans_clear(struct bans *bans)
{
    mem_free(bans->item);
    *bans = (struct bans){.count = 0};
}

struct harvest_ban bans_find(const struct bans *bans, const struct ip_net *client)
{
    bool found = false;
    size_t at = place_of(bans, client, &found);

    return found ? bans->item[at].ban : (struct harvest_ban){0};
}

static void remove_at(struct bans *bans, size_t at)
{
    bans->count--;
    memmove(&bans->item[at], &bans->item[at + 1], (bans->count - at) * sizeof(bans->item[0]));
}

bool bans_remove(struct bans *bans, const struct ip_net *client)
{
    bool found = false;
    size_t at = place_of(bans, client, &found);

    if (found)
        remove_at(bans, at);
    return found;
}

// ---- room

static bool is_met(const struct ban_row *row, uint32_t reading)
{
    return row->reading == reading;
}

// One walk for all that can go, instead of one for each.
static void remove_over(struct bans *bans, uint64_t now_ms, bool also_unmet)
{
    size_t kept = 0;

    for (size_t i = 0; i < bans->count; i++) {
        const struct ban_row *row = &bans->item[i];

        if (now_ms < row->ban.until_ms && (!also_unmet || is_met(row, bans->reading)))
            bans->item[kept++] = *row;
    }
    bans->count = kept;
}

static size_t first_to_end(const struct bans *bans)
{
    size_t first = 0;

    for (size_t i = 1; i < bans->count; i++)
        if (bans->item[i].ban.until_ms < bans->item[first].ban.until_ms)
            first = i;
    return first;
}

static void make_room(struct bans *bans, uint64_t now_ms)
{
    if (bans->count == BANS_MAX)
        remove_over(bans, now_ms, false);
    if (bans->count == BANS_MAX)
        remove_at(bans, first_to_end(bans));
    if (bans->count < bans->room)
        return;
    bans->room = bans->room == 0 ? 16 : 2 * bans->room;
    bans->item = mem_grow(bans->item, bans->room, sizeof(bans->item[0]));
}

void bans_set(struct bans *bans, const struct ip_net *client, const struct harvest_ban *ban,
              uint64_t now_ms)
{
    const struct ban_row row = {*client, *ban, bans->reading};
    bool found = false;

    (void)bans_remove(bans, client);
    if (ban->until_ms <= now_ms)
        return;
    make_room(bans, now_ms);
    size_t at = place_of(bans, client, &found);

    memmove(&bans->item[at + 1], &bans->item[at], (bans->count - at) * sizeof(bans->item[0]));
    bans->item[at] = row;
    bans->count++;
}

// ---- all of them

void bans_read_begin(struct bans *bans)
{
    bans->reading++;
}

void bans_read_end(struct bans *bans, uint64_t now_ms)
{
    remove_over(bans, now_ms, true);
}

size_t bans_page(const struct bans *bans, const struct ip_net *net, const struct ip_net *after,
                 uint64_t now_ms, struct ban_row *out, size_t max)
{
    bool found = false;
    size_t at = after->ip.family != 0 ? place_of(bans, after, &found) + found : 0;
    size_t count = 0;

    for (; at < bans->count && count < max; at++) {
        const struct ban_row *row = &bans->item[at];

        if (harvest_ban_holds(&row->ban, now_ms) &&
            (net->ip.family == 0 || ip_net_contains(net, &row->client.ip)))
            out[count++] = *row;
    }
    return count;
}
