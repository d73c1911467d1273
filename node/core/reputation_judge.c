// reputation_judge.c: what all levels of a message say together, and what others than one reporter are sure of. Promises: every
// probability is within 0..1 whatever the weights; what the store did not say is never taken for knowledge.
#include <math.h>

#include "node/core/reputation.h"

static const double CLIP = 1e-6;       // of a probability, before its logarithm is taken
static const double NORMAL_95 = 1.645; // of a normal distribution 5 % are above so many deviations

static double half_life_s(const struct reputation_level_settings *level)
{
    return (double)level->half_life_ms / 1000;
}

// ---- who is believed

static double trust_of(const struct reputation_reporters *reporters, uint16_t reporter)
{
    return reporters->trust != NULL ? (double)reporters->trust[reporter] : 1;
}

void reputation_record_note(struct reputation_record *record, bool others_say_spam, bool agrees)
{
    static const double KEPT = 0.998;

    record->agreed[others_say_spam] *= KEPT;
    record->disagreed[others_say_spam] *= KEPT;
    *(agrees ? &record->agreed[others_say_spam] : &record->disagreed[others_say_spam]) += 1;
}

double reputation_trust(const struct reputation_record *record)
{
    double worst = 1, trust;

    for (unsigned i = 0; i < 2; i++) {
        const double agreed = record->agreed[i], disagreed = record->disagreed[i];
        const double share = (agreed + 9) / (agreed + disagreed + 10);

        worst = share < worst ? share : worst;
    }
    trust = (worst - 0.6) / 0.3;
    return trust < 0 ? 0 : trust > 1 ? 1 : trust;
}

// ---- one level

// What is left at now_ms of what a level held when it was written.
static double left_at(const struct reputation_level *level, double half_life, uint64_t now_ms)
{
    const double passed_s = floor((double)now_ms / 1000) - level->is.at_s;

    return passed_s > 0 ? pow(2, -passed_s / half_life) : 1;
}

// S and H at now_ms, without the untrusted part of each slot.
static struct reputation_share share_of(const struct reputation_level *level, double half_life,
                                        const struct reputation_reporters *reporters,
                                        uint64_t now_ms)
{
    const double left = left_at(level, half_life, now_ms);
    double spam = level->is.spam, ham = level->is.ham;

    if (level->state != FACT_PRESENT)
        return (struct reputation_share){0};
    for (unsigned i = 0; i < level->is.slot_count; i++) {
        const struct reputation_slot *slot = &level->is.slot[i];
        const double doubt = slot->reporter != 0 ? 1 - trust_of(reporters, slot->reporter) : 0;

        spam -= doubt * slot->spam;
        ham -= doubt * slot->ham;
    }
    return (struct reputation_share){
        .spam = spam > 0 ? spam * left : 0,
        .ham = ham > 0 ? ham * left : 0,
    };
}

// ---- a chain

struct judge {
    const struct reputation_facts *facts;
    const struct reputation_settings *settings;
    const struct reputation_reporters *reporters;
    uint64_t now_ms;
};

static const struct reputation_level_settings *settings_of(const struct judge *judge, unsigned at)
{
    return &judge->settings->level[judge->facts->level[at].id.kind];
}

static double weight_of(const struct reputation_share *share)
{
    return share->spam + share->ham;
}

// One level over its parent, which says p.
static double over(const struct judge *judge, unsigned at, const struct reputation_share *share,
                   double p)
{
    const double strength = settings_of(judge, at)->strength;

    if (reputation_is_root(judge->facts->level[at].id.kind))
        return (share->spam + 1) / (weight_of(share) + 2);
    return (share->spam + strength * p) / (weight_of(share) + strength);
}

// From the root, which is the last of them, to the leaf, the first. False: not all of it was read.
static bool judge_chain(const struct judge *judge, unsigned first, unsigned end,
                        struct reputation_share *share, double *p)
{
    bool is_known = end > first;

    for (unsigned i = end; i > first; i--) {
        const struct reputation_level *level = &judge->facts->level[i - 1];
        const double half_life = half_life_s(settings_of(judge, i - 1));

        share[i - 1] = share_of(level, half_life, judge->reporters, judge->now_ms);
        *p = share[i - 1].p = over(judge, i - 1, &share[i - 1], *p);
        is_known = is_known && level->state != FACT_UNKNOWN;
    }
    return is_known;
}

static double logit(double p)
{
    const double clipped = p < CLIP ? CLIP : p > 1 - CLIP ? 1 - CLIP : p;

    return log(clipped / (1 - clipped));
}

static double combine(double address, double sender, double trust)
{
    return 1 / (1 + exp(-(logit(address) + trust * logit(sender)) / (1 + trust)));
}

// ---- the result

// A reporter that is believed holds enough of ip or net; each is counted once.
static unsigned count_reporters(const struct judge *judge)
{
    uint16_t seen[2 * REPUTATION_SLOTS];
    unsigned count = 0;

    for (unsigned i = 0; i < judge->facts->address_count; i++) {
        const struct reputation_level *level = &judge->facts->level[i];
        double left;

        if (level->state != FACT_PRESENT || level->id.kind > REPUTATION_NET)
            continue;
        left = left_at(level, half_life_s(settings_of(judge, i)), judge->now_ms);
        for (unsigned k = 0; k < REPUTATION_SLOTS; k++) {
            const struct reputation_slot *slot = &level->is.slot[k];
            unsigned same = 0;

            if (slot->reporter == 0 || (slot->spam + slot->ham) * left < REPUTATION_HELD ||
                trust_of(judge->reporters, slot->reporter) < REPUTATION_ALARM)
                continue;
            while (same < count && seen[same] != slot->reporter)
                same++;
            seen[same] = slot->reporter;
            count += same == count;
        }
    }
    return count;
}

static void add_bounds(double held, double strength, struct reputation_result *out)
{
    const double spread = NORMAL_95 * sqrt(out->p * (1 - out->p) / (held + strength + 1));

    out->lower = out->p > spread ? out->p - spread : 0;
    out->upper = out->p + spread < 1 ? out->p + spread : 1;
}

static double trust_in(enum reputation_auth auth)
{
    if (auth == REPUTATION_FAILED)
        return 0;
    return auth == REPUTATION_PASSED ? 1 : 0.5;
}

static void add_address(const struct judge *judge, struct reputation_result *out)
{
    const unsigned count = judge->facts->address_count;

    out->ip = over(judge, 0, &out->share[0], out->share[count - 1].p);
    for (unsigned i = 0; i < count; i++) {
        if (judge->facts->level[i].id.kind == REPUTATION_IP)
            out->n_ip = weight_of(&out->share[i]);
        if (judge->facts->level[i].id.kind == REPUTATION_NET)
            out->n_net = weight_of(&out->share[i]);
    }
    out->reporters = count_reporters(judge);
}

void reputation_judge(const struct reputation_facts *facts,
                      const struct reputation_settings *settings,
                      const struct reputation_reporters *reporters, enum reputation_auth auth,
                      uint64_t now_ms, struct reputation_result *out)
{
    const struct judge judge = {facts, settings, reporters, now_ms};
    const bool has_address = facts->address_count > 0;
    const double trust = trust_in(auth);

    *out = (struct reputation_result){.p = 0.5, .address = 0.5, .sender = 0.5, .ip = 0.5};
    out->is_known = judge_chain(&judge, 0, facts->address_count, out->share, &out->address);
    out->has_sender =
        judge_chain(&judge, facts->address_count, facts->count, out->share, &out->sender) &&
        trust > 0;
    out->trust_sender = out->has_sender ? trust : 0;
    if (has_address)
        add_address(&judge, out);
    out->p = !out->has_sender ? out->address
             : !has_address   ? out->sender
                              : combine(out->address, out->sender, trust);
    if (facts->count > 0)
        add_bounds(weight_of(&out->share[0]), settings_of(&judge, 0)->strength, out);
    else
        out->upper = 1;
}

bool reputation_is_warm(const struct reputation_facts *facts,
                        const struct reputation_settings *settings,
                        const struct reputation_reporters *reporters, uint64_t now_ms)
{
    static const double LEAST = 50, LEAST_SHARE = 0.1;
    const struct reputation_level *root;
    struct reputation_share share;
    double smaller;

    if (facts->address_count == 0)
        return false;
    root = &facts->level[facts->address_count - 1];
    share = share_of(root, half_life_s(&settings->level[root->id.kind]), reporters, now_ms);
    smaller = share.spam < share.ham ? share.spam : share.ham;
    return smaller >= LEAST && smaller >= LEAST_SHARE * weight_of(&share);
}

// ---- what others are sure of

// What the others that are believed hold of a level; false: they are too few, or it is too little.
static bool gather_others(const struct judge *judge, unsigned at, uint16_t reporter,
                          struct reputation_share *out)
{
    static const unsigned LEAST_OTHERS = 2;
    static const double LEAST = 2.5;
    const struct reputation_level *level = &judge->facts->level[at];
    double left;
    unsigned others = 0;

    if (level->state != FACT_PRESENT || reputation_is_root(level->id.kind))
        return false;
    left = left_at(level, half_life_s(settings_of(judge, at)), judge->now_ms);
    for (unsigned i = 0; i < level->is.slot_count; i++) {
        const struct reputation_slot *slot = &level->is.slot[i];

        if (slot->reporter == 0 || slot->reporter == reporter ||
            (slot->spam + slot->ham) * left < REPUTATION_HELD ||
            trust_of(judge->reporters, slot->reporter) < REPUTATION_ALARM)
            continue;
        out->spam += slot->spam * left;
        out->ham += slot->ham * left;
        others++;
    }
    return others >= LEAST_OTHERS && weight_of(out) >= LEAST;
}

bool reputation_others(const struct reputation_facts *facts, bool of_sender, uint16_t reporter,
                       const struct reputation_settings *settings,
                       const struct reputation_reporters *reporters, uint64_t now_ms,
                       bool *says_spam)
{
    static const double SURE_HAM = 0.1, SURE_SPAM = 0.9;
    const struct judge judge = {facts, settings, reporters, now_ms};
    const unsigned end = of_sender ? facts->count : facts->address_count;

    for (unsigned i = of_sender ? facts->address_count : 0; i < end; i++) {
        struct reputation_share others = {0};
        double p;

        if (!gather_others(&judge, i, reporter, &others))
            continue;
        p = others.spam / weight_of(&others);
        *says_spam = p > SURE_SPAM;
        return p > SURE_SPAM || p < SURE_HAM;
    }
    return false;
}
