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
