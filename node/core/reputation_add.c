// reputation_add.c: one report reaches one entity: how much of it counts there, how much its parent hears, and how all of one
// reporter is taken out again. Promises: no weight is negative or more than was reported; entities, roots apart, stay at or
// below REPUTATION_FULL. The store's script does the same in Lua (node/store/reputation*.c).
#include <math.h>

#include "node/core/reputation.h"

static double half_life_s(const struct reputation_level_settings *level)
{
    return (double)level->half_life_ms / 1000;
}

static double weight_of(const struct reputation_slot *slot)
{
    return slot->spam + slot->ham;
}

static double at_least_0(double value)
{
    return value > 0 ? value : 0;
}

double reputation_room(double others, unsigned active)
{
    static const double LEAST_SHARE = 1.0 / 3, ALWAYS = 8;
    double share, room;

    if (active <= 2)
        return INFINITY;
    share = 2.0 / active > LEAST_SHARE ? 2.0 / active : LEAST_SHARE;
    room = share / (1 - share) * others;
    return room > ALWAYS ? room : ALWAYS;
}

// The slot in which a reporter's weight is, or is to be.
static unsigned slot_for(const struct reputation_state *state, uint16_t reporter)
{
    unsigned best = 0;

    for (unsigned i = 0; i < state->slot_count; i++)
        if (state->slot[i].reporter == reporter)
            return i;
    for (unsigned i = 0; i < state->slot_count; i++)
        if (state->slot[i].reporter == 0)
            return i;
    for (unsigned i = 1; i < state->slot_count; i++)
        if (weight_of(&state->slot[i]) < weight_of(&state->slot[best]))
            best = i;
    return best;
}

static void scale(struct reputation_state *state, double by)
{
    state->spam *= by;
    state->ham *= by;
    for (unsigned i = 0; i < state->slot_count; i++) {
        state->slot[i].spam *= by;
        state->slot[i].ham *= by;
    }
}

struct reputation_added reputation_add(enum reputation_kind kind,
                                       const struct reputation_level_settings *level,
                                       const struct reputation_report *report,
                                       struct reputation_state *state)
{
    const bool is_root = reputation_is_root(kind);
    struct reputation_state is = *state;
    struct reputation_added result = {0};
    struct reputation_slot *slot;
    double held, room;

    is.slot_count = is_root ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS;
    reputation_decay(&is, report->now_s, half_life_s(level));
    held = is.spam + is.ham;
    slot = &is.slot[slot_for(&is, report->reporter)];
    room = at_least_0(reputation_room(held - weight_of(slot), report->active) - weight_of(slot));
    result.at_cap = report->weight > room;
    result.added = result.at_cap ? room : report->weight;
    if (!is_root && result.added > REPUTATION_FULL)
        result.added = REPUTATION_FULL;
    if (report->reporter == 0 || !(result.added > 0)) {
        result.added = 0;
        return result;
    }
    if (!is_root && held + result.added > REPUTATION_FULL)
        scale(&is, (REPUTATION_FULL - result.added) / held);
    slot->reporter = report->reporter;
    *(report->is_spam ? &slot->spam : &slot->ham) += result.added;
    *(report->is_spam ? &is.spam : &is.ham) += result.added;
    reputation_round(kind, &is);
    *state = is;
    if (!is_root)
        result.onward = result.added * level->strength / (held + level->strength);
    if (result.onward < REPUTATION_LEAST)
        result.onward = 0;
    return result;
}

bool reputation_undo(enum reputation_kind kind, const struct reputation_level_settings *level,
                     uint16_t reporter, uint32_t now_s, struct reputation_state *state)
{
    for (unsigned i = 0; i < state->slot_count; i++) {
        struct reputation_slot *slot = &state->slot[i];

        if (slot->reporter != reporter || !(weight_of(slot) > 0))
            continue;
        reputation_decay(state, now_s, half_life_s(level));
        state->spam -= slot->spam;
        state->ham -= slot->ham;
        *slot = (struct reputation_slot){0};
        reputation_round(kind, state); // what is below 0, since slots are rounded, becomes 0
        return true;
    }
    return false;
}
