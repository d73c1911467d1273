// stats.c: counters -> a snapshot of metrics. Promises: the snapshot's memory is its own; what does
// not fit is left out.
#include "node/stats.h"

#include <stdio.h>

#include "proto/text.h"

void stats_took(struct stats *stats, uint64_t us)
{
    unsigned bucket = 0;

    while (bucket < STATS_LATENCY_BUCKETS && us >= 1ULL << bucket)
        bucket++;
    stats->latency[bucket]++;
}

static void add(struct stats_snapshot *out, const char *name, double value)
{
    if (out->stats.metric_count == STATS_METRICS_MAX)
        return;
    out->metric[out->stats.metric_count++] = (struct msg_metric){.name = name, .value = value};
}

static void add_labelled(struct stats_snapshot *out, const char *name, double value,
                         const char *key, const char *label)
{
    size_t at = out->stats.metric_count;

    if (at == STATS_METRICS_MAX)
        return;
    out->label[at] = (struct msg_pair){key, label};
    out->metric[at] = (struct msg_metric){
        .name = name, .value = value, .labels = &out->label[at], .label_count = 1};
    out->stats.metric_count++;
}

static void add_counters(const struct stats *stats, struct stats_snapshot *out)
{
#define STATS_ADD(name, help) add(out, "reeve_" #name, (double)stats->name);
    STATS_COUNTER_LIST(STATS_ADD)
#undef STATS_ADD
    for (int i = 0; i < REASON_COUNT; i++) {
        add_labelled(out, "reeve_verdicts", (double)stats->verdicts[i], "reason",
                     reason_row((enum reason)i)->id);
        add_labelled(out, "reeve_shadowed", (double)stats->shadowed[i], "reason",
                     reason_row((enum reason)i)->id);
    }
}

// Cumulative, as histograms are scraped: how many took less than the label says, in microseconds.
static void add_latency(const struct stats *stats, struct stats_snapshot *out)
{
    struct text_buf text;
    uint64_t sum = 0;

    text_buf_init(&text, out->text, sizeof(out->text));
    for (unsigned i = 0; i <= STATS_LATENCY_BUCKETS; i++) {
        const char *label = out->text + text.used;

        sum += stats->latency[i];
        if (i == STATS_LATENCY_BUCKETS)
            text_buf_add(&text, "+Inf");
        else
            text_buf_add(&text, "%llu", 1ULL << i);
        add_labelled(out, "reeve_check_us_bucket", (double)sum, "lt", label);
        text.used++; // keeps the terminator
    }
}

static void add_store(const struct stats_gauges *gauges, struct stats_snapshot *out)
{
    const struct store_counters *counters = store_counters(gauges->store);
    struct retry_counts retries;

#define STATS_ADD(name, help) add(out, "reeve_store_" #name, (double)counters->name);
    STORE_COUNTER_LIST(STATS_ADD)
#undef STATS_ADD
    for (int i = 0; i < STORE_STATE_COUNT; i++)
        add_labelled(out, "reeve_store_errors", (double)counters->errors[i], "state",
                     store_state_text((enum store_state)i));
    add(out, "reeve_store_near_entries", (double)store_near_entries(gauges->store));
    add(out, "reeve_store_expected", (double)store_expect_count(gauges->store));
    add(out, "reeve_store_spared", (double)store_spared_count(gauges->store));
    add(out, "reeve_store_reports_waiting", (double)store_reputation_waiting(gauges->store));
    add(out, "reeve_store_banned", (double)store_ban_count(gauges->store));
    add(out, "reeve_store_up", store_state(gauges->store) == STORE_UP);
    add(out, "reeve_store_clock_ok", store_clock_ok(gauges->store));
    add(out, "reeve_store_clock_offset_ms", (double)store_clock_offset_ms(gauges->store));
    if (store_retry_counts(gauges->store, &retries)) {
        add(out, "reeve_greylist_slice_first_tries", (double)retries.first_tries);
        add(out, "reeve_greylist_slice_failed_to_retry",
            retries.first_tries > retries.passes ? (double)(retries.first_tries - retries.passes)
                                                 : 0);
    }
}

static void add_gateways(const struct stats_gauges *gauges, struct stats_snapshot *out)
{
    const size_t count = store_reporters_list(gauges->store, out->gateway, STATS_GATEWAYS_MAX);

    add(out, "reeve_reputation_gateways", (double)store_reporters(gauges->store).active);
    for (size_t i = 0; i < count && i < STATS_GATEWAYS_MAX; i++)
        add_labelled(out, "reeve_reputation_gateway_trust", out->gateway[i].trust, "gateway",
                     out->gateway[i].name);
}

static void add_probe(const struct probe_counters *counters, struct stats_snapshot *out)
{
#define STATS_ADD(name, help) add(out, "reeve_probe_" #name, (double)counters->name);
    PROBE_COUNTER_LIST(STATS_ADD)
#undef STATS_ADD
}

static void add_lists(const struct stats_gauges *gauges, struct stats_snapshot *out)
{
    const struct dnslist_counters *counters = gauges->lists;

#define STATS_ADD(name, help) add(out, "reeve_dnslist_" #name, (double)counters->name);
    DNSLIST_COUNTER_LIST(STATS_ADD)
#undef STATS_ADD
    add(out, "reeve_dnslist_kept", (double)gauges->lists_kept);
    for (size_t i = 0; i < gauges->list_count; i++) {
        const struct dnslist_view *view = &gauges->list[i];

        add_labelled(out, "reeve_dnslist_hits", (double)view->hits, "list", view->zone);
        add_labelled(out, "reeve_dnslist_off", view->is_off, "list", view->zone);
    }
}

void stats_snapshot(struct stats *stats, const struct stats_gauges *gauges,
                    struct stats_snapshot *out)
{
    out->stats = (struct msg_stats){.node = gauges->node,
                                    .epoch_ms = stats->epoch_ms,
                                    .sequence = ++stats->sequence,
                                    .at_ms = gauges->at_ms,
                                    .metrics = out->metric};
    add(out, "reeve_uptime_ms", (double)gauges->uptime_ms);
    add(out, "reeve_seats_used", (double)gauges->seats_used);
    add(out, "reeve_sent_waiting", (double)gauges->sent_waiting);
    add(out, "reeve_reports_waiting", (double)gauges->reports_waiting);
    add(out, "reeve_policy_version", (double)gauges->policy_version);
    add(out, "reeve_policy_refused", gauges->policy_refused);
    add(out, "reeve_open_fds", (double)gauges->open_fds);
    add(out, "reeve_max_fds", (double)gauges->max_fds);
    add(out, "reeve_resident_bytes", (double)gauges->resident_bytes);
    add(out, "reeve_geo_known", gauges->geo_known);
    add(out, "reeve_geo_asn_known", gauges->geo_asn_known);
    add_counters(stats, out);
    add_latency(stats, out);
    add_store(gauges, out);
    add_gateways(gauges, out);
    if (gauges->probe != NULL)
        add_probe(gauges->probe, out);
    if (gauges->lists != NULL)
        add_lists(gauges, out);
}
