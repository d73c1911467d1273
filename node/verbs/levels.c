// levels.c: what is known of where a Check's message comes from: its levels of reputation (core/reputation.h) are named,
// read beside the rest of the lookup's one trip, judged once for all recipients, and told whole where a trace is wanted.
//
// Promises: nothing is asked where no verdict could depend on it; what the store did not say is not known, and decides
// nothing.
#include "node/verbs/internal.h"
#include "node/verbs/level_told.h"
#include "proto/host.h"

struct levels {
    struct reputation_facts facts;
    struct reputation_result result;
    enum reputation_auth auth;
    // In words, where a trace is wanted; else NULL.
    struct told {
        struct msg_reputation reputation;
        struct msg_level level[REPUTATION_LEVELS_MAX];
        struct level_text text[REPUTATION_LEVELS_MAX];
    } * told;
};

// How far the sender's domain is believed: what SPF passed for must be the sender's own.
static enum reputation_auth believe(const struct facts *facts)
{
    if (facts->spf == MSG_AUTH_PASS && facts->spf_domain[0] != '\0' &&
        !host_aligned(facts->spf_domain, facts->sender.domain))
        return REPUTATION_UNCONFIRMED;
    return reputation_auth_of(facts->spf);
}

// The registrable domain of the sender; a public suffix itself stays what it is.
static const char *registrable(const struct facts *facts)
{
    const char *owner = facts->sender.domain[0] != '\0' ? host_owner(facts->sender.domain) : NULL;

    return owner != NULL ? owner : facts->sender.domain;
}

struct reputation_client levels_client(const struct facts *facts)
{
    return (struct reputation_client){.ip = facts->client,
                                      .asn = facts->asn,
                                      .country = facts->country,
                                      .domain = registrable(facts),
                                      .auth = believe(facts)};
}

enum err levels_prepare(struct seat *seat)
{
    const struct reputation_client client = levels_client(&seat->facts);
    struct levels *levels;

    if (!seat->reads_levels)
        return ERR_NONE;
    levels = arena_alloc(&seat->arena, sizeof(*levels));

    if (levels == NULL)
        return ERR_MEMORY;
    levels->auth = client.auth;
    levels->told = NULL;
    reputation_levels(&client, &levels->facts);
    if (seat->request.check.trace) {
        levels->told = arena_alloc(&seat->arena, sizeof(*levels->told));
        if (levels->told == NULL)
            return ERR_MEMORY;
    }
    seat->levels = levels;
    return ERR_NONE;
}

void levels_read(struct server *server, struct seat *seat, struct store_done done)
{
    store_read_reputation(server->store, &seat->levels->facts, done);
}

// Nobody has reported anything yet: there is no score.
static bool is_empty(const struct reputation_facts *facts)
{
    for (unsigned i = 0; i < facts->count; i++)
        if (facts->level[i].state != FACT_ABSENT)
            return false;
    return true;
}

void levels_judge(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;
    struct levels *levels = seat->levels;
    const struct reputation_settings *settings = &seat_policy(seat)->settings.reputation.levels;

    if (levels == NULL)
        return;
    facts->reporters = store_reporters(server->store);
    facts->reputation = &levels->facts;
    reputation_judge(&levels->facts, settings, &facts->reporters, levels->auth, facts->now_ms,
                     &levels->result);
    facts->reputation_is_warm =
        reputation_is_warm(&levels->facts, settings, &facts->reporters, facts->now_ms);
    facts->judged = is_empty(&levels->facts) ? NULL : &levels->result;
}

// ---- in words

const struct msg_reputation *levels_fill(const struct server *server, struct seat *seat,
                                         const struct recipient *recipient)
{
    const struct levels *levels = seat->levels;
    const struct chain_in in = seat_chain(seat, recipient);

    if (levels == NULL || levels->told == NULL || !levels->result.is_known)
        return NULL;
    const struct reputation_result *result = &levels->result;
    const struct level_view view = {.store = server->store,
                                    .settings = &seat_policy(seat)->settings.reputation.levels,
                                    .reporters = seat->facts.reporters,
                                    .now_ms = seat->facts.now_ms};
    double left = 1;

    for (unsigned i = 0; i < levels->facts.count; i++) {
        if (i == levels->facts.address_count)
            left = 1;
        levels->told->level[i] = level_tell(&view, &levels->facts.level[i], &result->share[i],
                                            &left, &levels->told->text[i]);
    }
    levels->told->reputation =
        (struct msg_reputation){.p = result->p,
                                .address = result->address,
                                .sender = result->sender,
                                .ip = result->ip,
                                .has_sender = result->has_sender,
                                .sender_weight = result->trust_sender,
                                .lower = result->lower,
                                .upper = result->upper,
                                .band = reputation_band_text(reputation_band(&in)),
                                .is_warm = seat->facts.reputation_is_warm,
                                .level = levels->told->level,
                                .level_count = levels->facts.count,
                                .address_count = levels->facts.address_count};
    return &levels->told->reputation;
}
