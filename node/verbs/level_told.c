// level_told.c: see level_told.h. Promises: what is told was decayed to now, as it was judged.
#include "node/verbs/level_told.h"

enum { DAY_S = 24 * 3600 };

static size_t tell_reporters(const struct level_view *view, const struct reputation_state *is,
                             struct msg_reporter *out)
{
    size_t count = 0;

    for (unsigned i = 0; i < is->slot_count; i++) {
        const struct reputation_slot *slot = &is->slot[i];
        const double own = slot->spam + slot->ham;
        const double others = is->spam + is->ham - own;

        if (slot->reporter == 0)
            continue;
        out[count++] = (struct msg_reporter){
            .name = store_reporter_name(view->store, slot->reporter),
            .spam = slot->spam,
            .ham = slot->ham,
            .trust =
                view->reporters.trust != NULL ? (double)view->reporters.trust[slot->reporter] : 1,
            .at_cap = own >= reputation_room(others, view->reporters.active)};
    }
    return count;
}

static void tell_state(const struct level_view *view, const struct reputation_level *level,
                       struct level_text *text, struct msg_level *out)
{
    const double half_life_s = (double)view->settings->level[level->id.kind].half_life_ms / 1000;
    const uint32_t now_s = (uint32_t)(view->now_ms / 1000);
    const uint32_t first_s = (uint32_t)level->is.first_day * DAY_S;
    struct reputation_state is = level->is;

    reputation_decay(&is, now_s, half_life_s);
    out->age_s = now_s > level->is.at_s ? now_s - level->is.at_s : 0;
    out->first_s = now_s > first_s ? now_s - first_s : 0;
    out->hour = is.hour;
    out->week = is.week;
    out->reporter = text->reporter;
    out->reporter_count = tell_reporters(view, &is, text->reporter);
}

struct msg_level level_tell(const struct level_view *view, const struct reputation_level *level,
                            const struct reputation_share *share, double *left,
                            struct level_text *text)
{
    const bool is_root = reputation_is_root(level->id.kind);
    const double strength = view->settings->level[level->id.kind].strength; // a root has none
    const double sum = share->spam + share->ham;
    struct msg_level out = {.kind = reputation_kind_text(level->id.kind),
                            .name = reputation_text(&level->id, text->name),
                            .is_known = level->state == FACT_PRESENT,
                            .spam = share->spam,
                            .ham = share->ham,
                            .strength = strength,
                            .p = share->p,
                            .share = is_root   ? *left
                                     : sum > 0 ? *left * sum / (sum + strength)
                                               : 0};

    *left -= out.share;
    if (out.is_known)
        tell_state(view, level, text, &out);
    return out;
}
