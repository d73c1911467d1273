// spared.c: what evidence and row of a spared client mean. Promises: no clock, no failure; what does not count
// any more is never counted, whether the store has dropped it or not.
#include "node/core/spared.h"

#include <stdio.h>
#include <string.h>

enum { IPV6_CLIENT_BITS = 64, IPV4_CLIENT_BITS = 32 };

// ---- names

static struct spared_id *add(struct spared_clients *clients)
{
    struct spared_id *client = &clients->client[clients->count++];

    client->row = (struct spared_row){.newest = 0};
    return client;
}

void spared_add_ip(struct spared_clients *clients, const struct ip *ip)
{
    const bool is_v4 = ip->family == 4;
    const struct ip_net net = ip_net_of(ip, is_v4 ? IPV4_CLIENT_BITS : IPV6_CLIENT_BITS);
    struct spared_id *client = add(clients);

    memcpy(client->name, "w:", 2);
    if (is_v4)
        (void)ip_format(&net.ip, client->name + 2);
    else
        (void)ip_net_format(&net, client->name + 2);
}

void spared_add_domain(struct spared_clients *clients, const char *domain)
{
    struct spared_id *client = add(clients);

    (void)snprintf(client->name, sizeof(client->name), "w:spf:%s", domain);
}

// ---- what counts

uint64_t spared_day(uint64_t at_ms)
{
    return at_ms / SPARED_DAY_MS;
}

uint64_t spared_expiry_ms(uint64_t day)
{
    return (day + SPARED_LIFE_DAYS + 1) * SPARED_DAY_MS;
}

static bool counts(uint64_t day, uint64_t today, uint64_t life_ms)
{
    return day >= today || (today - day) * SPARED_DAY_MS <= life_ms;
}

// What of a client counts.
struct standing {
    unsigned pairs;
    uint64_t oldest, newest; // days; only if there are pairs
};

static void stand(struct standing *found, uint64_t day)
{
    if (found->pairs == 0 || day < found->oldest)
        found->oldest = day;
    if (found->pairs == 0 || day > found->newest)
        found->newest = day;
    found->pairs++;
}

static struct standing standing_of(const struct spared_client *client, uint64_t today,
                                   uint64_t life_ms)
{
    struct standing found = {0};

    for (unsigned i = 0; i < client->count; i++)
        if (counts(client->pair[i].day, today, life_ms))
            stand(&found, client->pair[i].day);
    return found;
}

static struct standing standing_since(const struct spared_client *client, uint64_t day)
{
    struct standing found = {0};

    for (unsigned i = 0; i < client->count; i++)
        if (client->pair[i].day >= day)
            stand(&found, client->pair[i].day);
    return found;
}

_Static_assert(SPARED_NEEDS_DAYS == 2,
               "the oldest day and the newest are two days, if they differ");

// What still counts is all that is not older than some day: so the row rests on the newest day since when there
// is enough.
struct spared_row spared_row_of(const struct spared_client *client)
{
    struct spared_row row = {0};

    for (unsigned i = 0; client->known && i < client->count; i++) {
        const struct standing found = standing_since(client, client->pair[i].day);
        bool is_enough = found.pairs >= SPARED_NEEDS_PAIRS && found.newest > found.oldest;

        if (is_enough && found.oldest >= row.rests)
            row = (struct spared_row){(uint32_t)found.oldest, (uint32_t)found.newest};
    }
    return row;
}

bool spared_holds(const struct spared_row *row, uint64_t now_ms, uint64_t life_ms)
{
    return row->newest != 0 && counts(row->rests, spared_day(now_ms), life_ms);
}

const struct spared_id *spared_by(const struct spared_clients *clients, uint64_t now_ms,
                                  uint64_t life_ms)
{
    for (unsigned i = 0; clients != NULL && i < clients->count; i++)
        if (spared_holds(&clients->client[i].row, now_ms, life_ms))
            return &clients->client[i];
    return NULL;
}

// ---- what is written

static struct spared_pair *find(struct spared_client *client, const uint8_t pair[KEY_PAIR_BYTES])
{
    for (unsigned i = 0; i < client->count; i++)
        if (memcmp(client->pair[i].pair, pair, KEY_PAIR_BYTES) == 0)
            return &client->pair[i];
    return NULL;
}

static void remove_at(struct spared_client *client, unsigned at, struct spared_change *out)
{
    memcpy(out->removed[out->removed_count++], client->pair[at].pair, KEY_PAIR_BYTES);
    client->pair[at] = client->pair[--client->count];
}

static unsigned oldest_of(const struct spared_client *client)
{
    unsigned oldest = 0;

    for (unsigned i = 1; i < client->count; i++)
        if (client->pair[i].day < client->pair[oldest].day)
            oldest = i;
    return oldest;
}

// What counts no more goes, and then the oldest, until there is room for one.
static void make_room(struct spared_client *client, uint64_t today, uint64_t life_ms,
                      struct spared_change *out)
{
    for (unsigned i = client->count; i-- > 0;)
        if (!counts(client->pair[i].day, today, life_ms))
            remove_at(client, i, out);
    while (client->count >= SPARED_PAIRS_MAX)
        remove_at(client, oldest_of(client), out);
}

static bool is_worth_writing(const struct standing *found, bool is_new, enum spared_cause cause,
                             uint64_t today)
{
    if (found->pairs == 0 || found->newest < today)
        return true; // it brings a day
    return cause == SPARED_PASSED && is_new && found->pairs < SPARED_PAIRS_MAX;
}

bool spared_is_due(const struct spared_row *row, const struct spared_news *news)
{
    return news->cause == SPARED_PASSED || (spared_holds(row, news->now_ms, news->life_ms) &&
                                            row->newest < spared_day(news->now_ms));
}

bool spared_note(struct spared_client *client, const struct spared_news *news,
                 struct spared_change *out)
{
    const uint64_t today = spared_day(news->now_ms);
    const struct standing found = standing_of(client, today, news->life_ms);
    const struct spared_row row = spared_row_of(client);
    struct spared_pair *own = find(client, news->pair);
    bool is_new = own == NULL || !counts(own->day, today, news->life_ms);

    if (!client->known || !is_worth_writing(&found, is_new, news->cause, today) ||
        (news->cause == SPARED_SPARED && !spared_holds(&row, news->now_ms, news->life_ms)))
        return false;
    out->removed_count = 0;
    out->set.day = today;
    memcpy(out->set.pair, news->pair, KEY_PAIR_BYTES);
    if (own != NULL) // it is written again, so it needs no room of its own
        *own = client->pair[--client->count];
    make_room(client, today, news->life_ms, out);
    client->pair[client->count++] = out->set;
    return true;
}
