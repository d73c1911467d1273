// report_own.c: what a Check itself has seen of its client, when all is decided: it is reported in the name of the gateway that
// asked, and judges nobody.
//
//     unknown   a recipient that does not exist: spam, once an hour for each client and recipient; whether or not that was said, as
//               with harvesting. Not of a client that is spared: who has retried honestly may err
//     allowed   mail that SPF vouches for, from somebody to whom the recipient has written: ham, once a day for each client
//               address. It is the recipient's act, no verdict of ours
//     volume    a mail of its client and of its sender, once a transaction, whatever became of it
//
// Of the sender nothing is learnt, and nothing counted, unless SPF passed for it: anybody can write as anybody to recipients
// that do not exist, and so often under so many names as he likes.
//
// A verdict of ours is never a label: what was deferred or refused says nothing by that. What is in shadow teaches, too: only what is
// decided by it is not in force. A dry run teaches nothing.
#include <stdio.h>
#include <string.h>

#include "node/verbs/internal.h"
#include "proto/host.h"

#define DAY_MS (24ULL * 3600 * 1000)

// No gateway can name an event like that: it begins with a control character.
#define OWN_EVENT "\x1f"

static bool is_outsider(const struct facts *facts)
{
    return !facts->trusted && facts->client.family != 0;
}

// An event that this node has not reported lately. What it forgets, the store knows.
static bool is_news(struct server *server, const struct facts *facts, const char *event)
{
    const struct ip_net client = harvest_client(&facts->client);
    const uint64_t key = key_transaction(store_ring(server->store), event, OWN_EVENT, &client);

    if (carried_find(server->reported, key, facts->now_ms))
        return false;
    carried_keep(server->reported, key, facts->now_ms);
    return true;
}

// Who sent it, as far as that is known. Of a domain of our own nothing is learnt: who sends as it from outside is not it.
static struct reputation_client source_of(const struct seat *seat)
{
    struct reputation_client client = levels_client(&seat->facts);

    if (client.auth != REPUTATION_PASSED ||
        policy_is_internal(seat_policy(seat), seat->facts.sender.domain))
        client.domain = "";
    return client;
}

static void tell(struct server *server, const struct seat *seat, const char *event, bool is_spam,
                 double evidence)
{
    const struct facts *facts = &seat->facts;
    const double weight =
        evidence * report_gateway_weight(seat_policy(seat), seat->request.gateway);
    const struct report_item item = {.event = event,
                                     .gateway = seat->request.gateway,
                                     .is_spam = is_spam,
                                     .weight = weight,
                                     .at_ms = facts->now_ms,
                                     .client = source_of(seat),
                                     .spf_domain = "",
                                     .mailbox = "",
                                     .address = "",
                                     .external = ""};

    if (!(weight > 0) || !is_news(server, facts, event))
        return;
    server->stats->reports_own++;
    report_keep(server, &item);
}

// ---- recipients that do not exist

static bool is_spared(const struct seat *seat)
{
    return spared_by(seat->facts.spared, seat->facts.now_ms,
                     seat_policy(seat)->settings.greylist.life_ms) != NULL;
}

static void tell_unknown(struct server *server, const struct seat *seat,
                         const struct recipient *recipient)
{
    const struct chain_in in = seat_chain(seat, recipient);
    const uint64_t hour = harvest_hour(seat->facts.now_ms);
    const struct ip_net client = harvest_client(&seat->facts.client);
    uint8_t field[HARVEST_FIELD_BYTES];
    char text[HARVEST_CLIENT_MAX];
    char event[STORE_EVENT_MAX + 1];

    if (abuse_word(&in, recipient->verdict.direction) != HARVEST_NOBODY)
        return;
    key_harvest_field(store_ring(server->store), hour * HARVEST_HOUR_MS,
                      recipient->pair.recipient_key, field);
    (void)snprintf(event, sizeof(event),
                   OWN_EVENT "unknown %s %llu %02x%02x%02x%02x%02x%02x%02x%02x",
                   harvest_client_text(&client, text), (unsigned long long)hour, field[0], field[1],
                   field[2], field[3], field[4], field[5], field[6], field[7]);
    tell(server, seat, event, true,
         seat_policy(seat)->settings.reputation.report[MSG_UNKNOWN_RECIPIENT]);
}

// ---- mail of whom somebody here has written to

// It let the mail in, and the sender is who it says.
static bool is_answer(const struct facts *facts, const struct recipient *recipient)
{
    return recipient->verdict.reason == REASON_auto_allow &&
           levels_client(facts).auth == REPUTATION_PASSED;
}

static void tell_allowed(struct server *server, const struct seat *seat)
{
    const struct ip_net client = harvest_client(&seat->facts.client);
    char text[HARVEST_CLIENT_MAX];
    char event[STORE_EVENT_MAX + 1];

    (void)snprintf(event, sizeof(event), OWN_EVENT "allowed %s %llu",
                   harvest_client_text(&client, text),
                   (unsigned long long)(seat->facts.now_ms / DAY_MS));
    tell(server, seat, event, false, seat_policy(seat)->settings.reputation.auto_allowed);
}

// ---- how much it sends

static bool is_counted(struct server *server, const struct seat *seat)
{
    if (seat->transaction == 0)
        return false;
    if (carried_find(server->counted, seat->transaction, seat->facts.now_ms))
        return true;
    carried_keep(server->counted, seat->transaction, seat->facts.now_ms);
    return false;
}

static void count_volume(struct server *server, const struct seat *seat)
{
    const struct reputation_settings *settings = &seat_policy(seat)->settings.reputation.levels;
    const struct reputation_client client = source_of(seat);
    struct reputation_facts levels;

    if (is_counted(server, seat))
        return;
    reputation_levels(&client, &levels);
    store_reputation_volume(server->store, &levels.level[0].id, 1,
                            &settings->level[levels.level[0].id.kind]);
    if (levels.count > levels.address_count) {
        const struct reputation_id *sender = &levels.level[levels.address_count].id;

        store_reputation_volume(server->store, sender, 1, &settings->level[sender->kind]);
    }
}

static void tell_recipients(struct server *server, const struct seat *seat)
{
    const bool spared = is_spared(seat);
    bool allowed = false;

    for (size_t i = 0; i < seat->recipient_count; i++) {
        allowed |= is_answer(&seat->facts, &seat->recipients[i]);
        if (!spared)
            tell_unknown(server, seat, &seat->recipients[i]);
    }
    if (allowed)
        tell_allowed(server, seat);
}

void report_own(struct server *server, const struct seat *seat)
{
    if (seat_policy(seat)->settings.reputation.mode == POLICY_REPUTATION_OFF ||
        !is_outsider(&seat->facts) || seat->request.check.recipient_total == 0)
        return;
    count_volume(server, seat);
    if (seat->request.gateway[0] == '\0' || store_ring(server->store)->count == 0)
        return; // nobody to report it, or no secret to name it by
    tell_recipients(server, seat);
    report_pump(server);
}
