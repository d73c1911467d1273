// limits.c: what a message counts of its sender's day, between the chain and the store: one trip for all recipients.
//
// Promises: a message and a recipient count once, however often they are asked about under one transaction; what is not
// accepted in the end does not count.
#include "node/core/limit.h"
#include "node/verbs/internal.h"

// A day's counts are of use a day longer at most: clocks of some zones go back over midnight.
static const uint64_t KEEP_MS = 24ULL * 3600 * 1000;

// ---- before the trip

// What all counts of a message share.
struct naming {
    const struct key_ring *ring;
    const char *owner;
    struct key_thing thing;
    uint64_t day;
    uint64_t expires_ms;
};

static void add(struct store_limit **list, struct store_limit *limit, struct key_count *key,
                const struct naming *naming, struct limit_count *count)
{
    key->day = naming->day;
    key_count_make(key, naming->ring, naming->owner, &naming->thing);
    *limit = (struct store_limit){
        .next = *list, .key = key, .expires_ms = naming->expires_ms, .count = count};
    *list = limit;
}

static struct naming name(const struct server *server, const struct seat *seat,
                          char owner[LIMIT_NAME_MAX])
{
    const struct policy *policy = seat_policy(seat);
    const uint64_t now_ms = seat->facts.now_ms;

    return (struct naming){
        .ring = store_ring(server->store),
        .owner = limit_owner_name(&seat->facts, policy, owner),
        // The moment beside it: another node counts its Checks as well.
        .thing = {seat->request.check.transaction, "", now_ms << 20 ^ server->unique},
        .day = zone_day(&policy->zone, now_ms),
        .expires_ms = zone_day_end_ms(&policy->zone, now_ms) + KEEP_MS,
    };
}

static bool is_any_counting(const struct seat *seat)
{
    for (size_t i = 0; i < seat->recipient_count; i++)
        if (seat->recipients[i].counting)
            return true;
    return false;
}

struct store_limit *limits_list(const struct server *server, struct seat *seat)
{
    if (!is_any_counting(seat) || store_ring(server->store)->count == 0)
        return NULL;
    char owner[LIMIT_NAME_MAX];
    struct naming naming = name(server, seat, owner);
    struct store_limit *list = NULL;
    bool with_mail = false;

    for (size_t i = seat->recipient_count; i-- > 0;) {
        struct recipient *recipient = &seat->recipients[i];

        if (!recipient->counting)
            continue;
        with_mail |= recipient->verdict.changes.want_mail_count;
        if (!recipient->verdict.changes.want_recipient_count)
            continue;
        naming.thing.recipient_key = recipient->pair.recipient_key;
        recipient->counted.kind = KEY_COUNT_RECIPIENTS;
        add(&list, &recipient->limit, &recipient->counted, &naming,
            &recipient->facts.limit.recipients);
    }
    if (with_mail) {
        naming.thing.recipient_key = "";
        seat->counted_mail.kind = KEY_COUNT_MAILS;
        add(&list, &seat->mail_limit, &seat->counted_mail, &naming, &seat->mail_count);
    }
    return list;
}

// ---- when all is decided

static bool is_accepted(const struct recipient *recipient)
{
    enum msg_action action = reason_row(recipient->verdict.reason)->action;

    return action == MSG_ACCEPT || action == MSG_HOLD;
}

static void settle(struct store *store, const struct store_limit *limit, bool accepted)
{
    if (limit->key == NULL || limit->count->kept) // it was not counted, or was accepted before
        return;
    if (accepted)
        store_limit_keep(store, limit->key, limit->expires_ms);
    else
        store_limit_drop(store, limit->key);
}

void limits_settle(const struct server *server, const struct seat *seat)
{
    bool any_counted = false;
    bool any_accepted = false;

    for (size_t i = 0; i < seat->recipient_count; i++) {
        const struct recipient *recipient = &seat->recipients[i];

        if (!recipient->was_counted)
            continue;
        any_counted = true;
        any_accepted |= is_accepted(recipient);
        settle(server->store, &recipient->limit, is_accepted(recipient));
    }
    if (any_counted)
        settle(server->store, &seat->mail_limit, any_accepted);
}
