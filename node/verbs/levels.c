// levels.c: what is known of where a Check's message comes from: its levels of reputation (core/reputation.h) are named,
// read beside the rest of the lookup's one trip, judged once for all recipients, and told whole where a trace is wanted.
//
// Promises: nothing is asked where no verdict could depend on it; what the store did not say is not known, and decides
// nothing.
#include <math.h>

#include "node/verbs/internal.h"
#include "proto/host.h"

enum { SLOTS_MAX = REPUTATION_ROOT_SLOTS };

struct levels {
    struct reputation_facts facts;
    struct reputation_result result;
    enum reputation_auth auth;
    // In words, where a trace is wanted; else NULL.
    struct told {
        struct msg_reputation reputation;
        struct msg_level level[REPUTATION_LEVELS_MAX];
        struct msg_reporter reporter[REPUTATION_LEVELS_MAX][SLOTS_MAX];
        char name[REPUTATION_LEVELS_MAX][REPUTATION_TEXT_MAX];
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

static double decay_of(const struct reputation_state *state, uint32_t now_s, double half_life_s)
{
    return now_s > state->at_s ? pow(2, -(double)(now_s - state->at_s) / half_life_s) : 1;
}

static size_t fill_reporters(const struct server *server, const struct facts *facts,
                             const struct reputation_state *state, double decay,
                             struct msg_reporter *out)
{
    size_t count = 0;

    for (unsigned i = 0; i < state->slot_count; i++) {
        const struct reputation_slot *slot = &state->slot[i];
        const double own = (slot->spam + slot->ham) * decay;
        const double others = (state->spam + state->ham) * decay - own;

        if (slot->reporter == 0)
            continue;
        out[count++] = (struct msg_reporter){
            .name = store_reporter_name(server->store, slot->reporter),
            .spam = slot->spam * decay,
            .ham = slot->ham * decay,
            .trust =
                facts->reporters.trust != NULL ? (double)facts->reporters.trust[slot->reporter] : 1,
            .at_cap = own >= reputation_room(others, facts->reporters.active)};
    }
    return count;
}

// One level; left is what the levels below have left of the chain's p.
static void fill_level(const struct server *server, const struct seat *seat, unsigned at,
                       double *left)
{
    const struct reputation_level *level = &seat->levels->facts.level[at];
    const struct reputation_share *share = &seat->levels->result.share[at];
    const struct reputation_level_settings *settings =
        &seat_policy(seat)->settings.reputation.levels.level[level->id.kind];
    const uint32_t now_s = (uint32_t)(seat->facts.now_ms / 1000);
    struct told *told = seat->levels->told;
    struct msg_level *out = &told->level[at];
    const double sum = share->spam + share->ham;
    const bool is_root = reputation_is_root(level->id.kind);

    *out = (struct msg_level){.kind = reputation_kind_text(level->id.kind),
                              .name = reputation_text(&level->id, told->name[at]),
                              .is_known = level->state == FACT_PRESENT,
                              .spam = share->spam,
                              .ham = share->ham,
                              .strength = is_root ? 0 : settings->strength,
                              .p = share->p,
                              .share = is_root ? *left : *left * sum / (sum + settings->strength)};
    *left -= out->share;
    if (level->state != FACT_PRESENT)
        return;
    out->age_s = now_s > level->is.at_s ? now_s - level->is.at_s : 0;
    out->first_s = now_s - (uint32_t)level->is.first_day * 24 * 3600;
    out->hour = level->is.hour;
    out->week = level->is.week;
    out->reporter = told->reporter[at];
    out->reporter_count = fill_reporters(
        server, &seat->facts, &level->is,
        decay_of(&level->is, now_s, (double)settings->half_life_ms / 1000), told->reporter[at]);
}

const struct msg_reputation *levels_fill(const struct server *server, struct seat *seat,
                                         const struct recipient *recipient)
{
    const struct levels *levels = seat->levels;
    const struct chain_in in = seat_chain(seat, recipient);

    if (levels == NULL || levels->told == NULL || !levels->result.is_known)
        return NULL;
    const struct reputation_result *result = &levels->result;
    double left = 1;

    for (unsigned i = 0; i < levels->facts.count; i++) {
        if (i == levels->facts.address_count)
            left = 1;
        fill_level(server, seat, i, &left);
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
