// listing.c: what DNS lists say of where a Check's message comes from: all are asked at once, beside what the store is asked.
// Promises: a Check waits for them only as long as it can still be answered itself; what comes later is kept for the retry; a
// dry run is told what is kept, and asks nobody.
#include <string.h>

#include "node/verbs/internal.h"
#include "proto/host.h"

// The registrable domain; where there is none, the domain.
static const char *owner_of(const char *domain)
{
    const char *owner = domain[0] != '\0' ? host_owner(domain) : NULL;

    return owner != NULL ? owner : domain;
}

enum err lists_prepare(const struct server *server, struct seat *seat)
{
    const size_t count = seat_policy(seat)->settings.reputation.list_count;

    if (!seat->asks_lists || count == 0 || server->out.lists == NULL)
        return ERR_NONE;
    seat->lists = arena_zalloc(&seat->arena, count * sizeof(*seat->lists));
    seat->facts.lists = seat->lists;
    return seat->lists != NULL ? ERR_NONE : ERR_MEMORY;
}

static void is_told(void *arg, uint64_t token)
{
    struct server *server = arg;
    struct seat *seat = seats_find(server->seats, token);

    if (seat == NULL)
        return;
    seat->waiting--;
    if (seat->waiting == 0 && !seat->running) // else they were told at once
        check_go(server, seat);
}

void lists_ask(struct server *server, struct seat *seat)
{
    const struct policy *policy = seat_policy(seat);
    const struct facts *facts = &seat->facts;
    const struct dnslist_question question = {
        .list = policy->settings.reputation.list,
        .count = policy->settings.reputation.list_count,
        .client = &facts->client,
        .domain = owner_of(facts->sender.domain),
        .proven = facts->spf == MSG_AUTH_PASS ? owner_of(facts->spf_domain) : "",
        .out = seat->lists,
        .within_ms = seat_time_to_wait(seat),
        .known_only = facts->dry_run};

    if (seat->lists == NULL)
        return;
    seat->waiting++;
    server->out.lists(server->out.arg, &question,
                      (struct dnslist_done){is_told, server, seat_token(seat)});
}
