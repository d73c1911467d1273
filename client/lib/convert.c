// convert.c: see convert.h. Promises: bounded by the arena, and no text is copied.
#include "client/lib/convert.h"

static const char *direction_text(enum msg_direction direction)
{
    switch (direction) {
    case MSG_INBOUND:
        return "inbound";
    case MSG_OUTBOUND:
        return "outbound";
    case MSG_INTERNAL_MAIL:
        return "internal";
    case MSG_RELAY:
        return "relay";
    case MSG_NO_DIRECTION:
        break;
    }
    return "";
}

static enum err convert_steps(struct arena *arena, const struct msg_step *step, size_t count,
                              const struct reeve_step **out)
{
    struct reeve_step *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        made[i] = (struct reeve_step){
            .step = step[i].step,
            .outcome = step[i].outcome,
            .rule = step[i].rule,
            .why = step[i].why,
        };
    }
    *out = made;
    return ERR_NONE;
}

static enum err convert_reporters(struct arena *arena, const struct msg_reporter *reporter,
                                  size_t count, const struct reeve_reporter **out)
{
    struct reeve_reporter *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        made[i] = (struct reeve_reporter){
            .name = reporter[i].name,
            .spam = reporter[i].spam,
            .ham = reporter[i].ham,
            .trust = reporter[i].trust,
            .at_cap = reporter[i].at_cap,
        };
    }
    *out = made;
    return ERR_NONE;
}

static struct reeve_level convert_level(const struct msg_level *from)
{
    return (struct reeve_level){
        .kind = from->kind,
        .name = from->name,
        .is_known = from->is_known,
        .spam = from->spam,
        .ham = from->ham,
        .strength = from->strength,
        .p = from->p,
        .share = from->share,
        .age_s = from->age_s,
        .first_s = from->first_s,
        .hour = from->hour,
        .week = from->week,
        .reporter_count = from->reporter_count,
    };
}

static enum err convert_levels(struct arena *arena, const struct msg_level *level, size_t count,
                               const struct reeve_level **out)
{
    struct reeve_level *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum err err;

        made[i] = convert_level(&level[i]);
        err = convert_reporters(arena, level[i].reporter, level[i].reporter_count,
                                &made[i].reporters);
        if (err != ERR_NONE)
            return err;
    }
    *out = made;
    return ERR_NONE;
}

static enum err convert_reputation(struct arena *arena, const struct msg_reputation *from,
                                   const struct reeve_reputation **out)
{
    struct reeve_reputation *made = from == NULL ? NULL : arena_alloc(arena, sizeof(*made));

    if (from == NULL)
        return ERR_NONE;
    if (made == NULL)
        return ERR_MEMORY;
    *made = (struct reeve_reputation){
        .p = from->p,
        .address = from->address,
        .sender = from->sender,
        .has_sender = from->has_sender,
        .sender_weight = from->sender_weight,
        .ip = from->ip,
        .lower = from->lower,
        .upper = from->upper,
        .band = from->band,
        .is_warm = from->is_warm,
        .level_count = from->level_count,
        .address_count = from->address_count,
    };
    *out = made;
    return convert_levels(arena, from->level, from->level_count, &made->levels);
}

static struct reeve_verdict convert_verdict(const struct msg_verdict *from)
{
    return (struct reeve_verdict){
        .recipient = from->recipient,
        .action = (enum reeve_action)from->action,
        .code = from->code,
        .enhanced = from->enhanced,
        .text = from->text,
        .reason = from->reason,
        .rule = from->rule,
        .narrative = from->narrative,
        .direction = direction_text(from->direction),
        .skip_reputation = from->skip_reputation,
        .skip_greylist = from->skip_greylist,
        .skip_spam = from->skip_spam,
        .ticket = from->ticket,
        .retry_after_s = from->retry_after_s,
        .waited_s = from->waited_s,
        .shadow = from->shadow,
        .trace_count = from->trace_count,
        .score_known = from->score_known,
        .score = from->score,
    };
}

enum err convert_verdicts(struct arena *arena, const struct msg_verdict *verdict, size_t count,
                          const struct reeve_verdict **out)
{
    struct reeve_verdict *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum err err;

        made[i] = convert_verdict(&verdict[i]);
        err = convert_steps(arena, verdict[i].trace, verdict[i].trace_count, &made[i].trace);
        if (err == ERR_NONE)
            err = convert_reputation(arena, verdict[i].reputation, &made[i].reputation);
        if (err != ERR_NONE)
            return err;
    }
    *out = made;
    return ERR_NONE;
}

enum err convert_pairs(struct arena *arena, const struct msg_pair *pair, size_t count,
                       const struct reeve_pair **out)
{
    struct reeve_pair *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++)
        made[i] = (struct reeve_pair){.key = pair[i].key, .value = pair[i].value};
    *out = made;
    return ERR_NONE;
}

enum err convert_rows(struct arena *arena, const struct msg_row *row, size_t count,
                      const struct reeve_row **out)
{
    struct reeve_row *made = arena_alloc(arena, count * sizeof(*made));

    if (made == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < count; i++) {
        enum err err = convert_pairs(arena, row[i].fields, row[i].field_count, &made[i].fields);

        if (err != ERR_NONE)
            return err;
        made[i].field_count = row[i].field_count;
    }
    *out = made;
    return ERR_NONE;
}
