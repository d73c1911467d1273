// wire_publish.c: what a node publishes, Stats and DecisionEvent. Promises of wire.h hold. A
// subscriber trusts no publisher.
#include "proto/reeve.pb-c.h"
#include "proto/wire.h"
#include "proto/wire_parts.h"

// ---- Stats

static const struct msg_metric *read_metrics(struct wire *wire, const Reeve__V1__Stats *from)
{
    struct msg_metric *metrics = wire_array(wire, from->n_metrics, sizeof(*metrics));

    for (size_t i = 0; metrics != NULL && i < from->n_metrics; i++) {
        const Reeve__V1__Metric *metric = from->metrics[i];

        metrics[i].name = wire_text(wire, metric->name);
        metrics[i].value = metric->value;
        metrics[i].labels = wire_read_pairs(wire, metric->labels, metric->n_labels);
        metrics[i].label_count = metric->n_labels;
    }
    return metrics;
}

enum err wire_decode_stats(void *bytes, size_t len, struct arena *arena, struct msg_stats *out,
                           struct err_detail *detail)
{
    struct wire wire = {.arena = arena, .detail = detail};
    const Reeve__V1__Stats *from = wire_unpack(&wire, &reeve__v1__stats__descriptor, bytes, len);
    struct msg_stats stats;

    if (from == NULL)
        return wire.err;
    stats = (struct msg_stats){
        .node = wire_text(&wire, from->node),
        .epoch_ms = from->epoch_ms,
        .sequence = from->sequence,
        .at_ms = from->at_ms,
        .metrics = read_metrics(&wire, from),
        .metric_count = from->n_metrics,
    };
    if (wire.err == ERR_NONE)
        *out = stats;
    return wire.err;
}

static void write_metrics(struct wire *wire, const struct msg_stats *from, Reeve__V1__Stats *out)
{
    Reeve__V1__Metric *metrics = wire_array(wire, from->metric_count, sizeof(*metrics));

    out->metrics = wire_array(wire, from->metric_count, sizeof(*out->metrics));
    out->n_metrics = from->metric_count;
    for (size_t i = 0; wire->err == ERR_NONE && i < from->metric_count; i++) {
        const struct msg_metric *metric = &from->metrics[i];

        reeve__v1__metric__init(&metrics[i]);
        metrics[i].name = wire_text(wire, metric->name);
        metrics[i].value = metric->value;
        metrics[i].labels = wire_write_pairs(wire, &reeve__v1__metric__labels_entry__descriptor,
                                             metric->labels, metric->label_count);
        metrics[i].n_labels = metric->label_count;
        out->metrics[i] = &metrics[i];
    }
}

enum err wire_encode_stats(const struct msg_stats *stats, struct arena *scratch, void *bytes,
                           size_t size, size_t *len)
{
    struct wire wire = {.arena = scratch};
    Reeve__V1__Stats out;

    reeve__v1__stats__init(&out);
    out.node = wire_text(&wire, stats->node);
    out.epoch_ms = stats->epoch_ms;
    out.sequence = stats->sequence;
    out.at_ms = stats->at_ms;
    write_metrics(&wire, stats, &out);
    return wire_pack(&wire, &out.base, bytes, size, len);
}

// ---- DecisionEvent

enum err wire_decode_event(void *bytes, size_t len, struct arena *arena, struct msg_event *out,
                           struct err_detail *detail)
{
    static const Reeve__V1__Verdict nothing = {0};
    struct wire wire = {.arena = arena, .detail = detail};
    const Reeve__V1__DecisionEvent *from =
        wire_unpack(&wire, &reeve__v1__decision_event__descriptor, bytes, len);
    struct msg_event event;

    if (from == NULL)
        return wire.err;
    event = (struct msg_event){
        .node = wire_text(&wire, from->node),
        .at_ms = from->at_ms,
        .gateway = wire_text(&wire, from->gateway),
        .client_ip = wire_text(&wire, from->client_ip),
        .sender = wire_text(&wire, from->sender),
        .took_us = from->took_us,
    };
    wire_read_verdict(&wire, from->verdict != NULL ? from->verdict : &nothing, &event.verdict);
    if (wire.err == ERR_NONE)
        *out = event;
    return wire.err;
}

enum err wire_encode_event(const struct msg_event *event, struct arena *scratch, void *bytes,
                           size_t size, size_t *len)
{
    struct wire wire = {.arena = scratch};
    Reeve__V1__DecisionEvent out;
    Reeve__V1__Verdict verdict;

    reeve__v1__decision_event__init(&out);
    wire_write_verdict(&wire, &event->verdict, &verdict);
    out.node = wire_text(&wire, event->node);
    out.at_ms = event->at_ms;
    out.gateway = wire_text(&wire, event->gateway);
    out.client_ip = wire_text(&wire, event->client_ip);
    out.sender = wire_text(&wire, event->sender);
    out.verdict = &verdict;
    out.took_us = event->took_us;
    return wire_pack(&wire, &out.base, bytes, size, len);
}
