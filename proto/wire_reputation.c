// wire_reputation.c: how a score came about, as it stands in a verdict's trace. Promises: a number that is none (not finite) is 0.
#include <math.h>

#include "proto/reeve.pb-c.h"
#include "proto/wire_parts.h"

static double real(double number)
{
    return isfinite(number) ? number : 0;
}

// ---- in

static const struct msg_reporter *read_reporters(struct wire *wire,
                                                 const Reeve__V1__ReputationLevel *from)
{
    struct msg_reporter *out = wire_array(wire, from->n_reporters, sizeof(*out));

    for (size_t i = 0; out != NULL && i < from->n_reporters; i++)
        out[i] = (struct msg_reporter){.name = wire_text(wire, from->reporters[i]->name),
                                       .spam = real(from->reporters[i]->spam),
                                       .ham = real(from->reporters[i]->ham),
                                       .trust = real(from->reporters[i]->trust),
                                       .at_cap = from->reporters[i]->at_cap};
    return out;
}

static void read_level(struct wire *wire, const Reeve__V1__ReputationLevel *from,
                       struct msg_level *out)
{
    *out = (struct msg_level){.kind = wire_text(wire, from->kind),
                              .name = wire_text(wire, from->name),
                              .is_known = from->known,
                              .spam = real(from->spam),
                              .ham = real(from->ham),
                              .strength = real(from->strength),
                              .p = real(from->p),
                              .share = real(from->share),
                              .age_s = from->age_s,
                              .first_s = from->first_s,
                              .hour = real(from->hour),
                              .week = real(from->week),
                              .reporter = read_reporters(wire, from),
                              .reporter_count = from->n_reporters};
}

const struct msg_reputation *wire_read_reputation(struct wire *wire,
                                                  const Reeve__V1__Reputation *from)
{
    if (from == NULL)
        return NULL;
    struct msg_reputation *out = wire_array(wire, 1, sizeof(*out));
    struct msg_level *level = wire_array(wire, from->n_levels, sizeof(*level));

    if (out == NULL)
        return NULL;
    for (size_t i = 0; level != NULL && i < from->n_levels; i++)
        read_level(wire, from->levels[i], &level[i]);
    *out = (struct msg_reputation){.p = real(from->p),
                                   .address = real(from->address),
                                   .sender = real(from->sender),
                                   .ip = real(from->ip),
                                   .has_sender = from->has_sender,
                                   .sender_weight = real(from->sender_weight),
                                   .lower = real(from->lower),
                                   .upper = real(from->upper),
                                   .band = wire_text(wire, from->band),
                                   .is_warm = from->warm,
                                   .level = level,
                                   .level_count = from->n_levels,
                                   .address_count = from->address_levels};
    return out;
}

// ---- out

static void write_reporters(struct wire *wire, const struct msg_level *from,
                            Reeve__V1__ReputationLevel *out)
{
    Reeve__V1__Reporter *reporters = wire_array(wire, from->reporter_count, sizeof(*reporters));

    out->reporters = wire_array(wire, from->reporter_count, sizeof(*out->reporters));
    out->n_reporters = from->reporter_count;
    for (size_t i = 0; wire->err == ERR_NONE && i < from->reporter_count; i++) {
        reeve__v1__reporter__init(&reporters[i]);
        reporters[i].name = wire_text(wire, from->reporter[i].name);
        reporters[i].spam = from->reporter[i].spam;
        reporters[i].ham = from->reporter[i].ham;
        reporters[i].trust = from->reporter[i].trust;
        reporters[i].at_cap = from->reporter[i].at_cap;
        out->reporters[i] = &reporters[i];
    }
}

static void write_level(struct wire *wire, const struct msg_level *from,
                        Reeve__V1__ReputationLevel *out)
{
    reeve__v1__reputation_level__init(out);
    out->kind = wire_text(wire, from->kind);
    out->name = wire_text(wire, from->name);
    out->known = from->is_known;
    out->spam = from->spam;
    out->ham = from->ham;
    out->strength = from->strength;
    out->p = from->p;
    out->share = from->share;
    out->age_s = from->age_s;
    out->first_s = from->first_s;
    out->hour = from->hour;
    out->week = from->week;
    write_reporters(wire, from, out);
}

static void write_levels(struct wire *wire, const struct msg_reputation *from,
                         Reeve__V1__Reputation *out)
{
    Reeve__V1__ReputationLevel *levels = wire_array(wire, from->level_count, sizeof(*levels));

    out->levels = wire_array(wire, from->level_count, sizeof(*out->levels));
    out->n_levels = from->level_count;
    for (size_t i = 0; wire->err == ERR_NONE && i < from->level_count; i++) {
        write_level(wire, &from->level[i], &levels[i]);
        out->levels[i] = &levels[i];
    }
}

Reeve__V1__Reputation *wire_write_reputation(struct wire *wire, const struct msg_reputation *from)
{
    Reeve__V1__Reputation *out = from != NULL ? wire_array(wire, 1, sizeof(*out)) : NULL;

    if (out == NULL)
        return NULL;
    reeve__v1__reputation__init(out);
    out->p = from->p;
    out->address = from->address;
    out->sender = from->sender;
    out->ip = from->ip;
    out->has_sender = from->has_sender;
    out->sender_weight = from->sender_weight;
    out->lower = from->lower;
    out->upper = from->upper;
    out->band = wire_text(wire, from->band);
    out->warm = from->is_warm;
    out->address_levels = (uint32_t)from->address_count;
    write_levels(wire, from, out);
    return out;
}
