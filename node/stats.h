// stats.h: the node's counters and histograms, from one list, and the snapshot that is published.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/reason.h"
#include "node/dnslist/dnslist.h"
#include "node/probe/probe.h"
#include "node/store/store.h"
#include "proto/msg.h"

// name, help. Metric: reeve_<name>.
#define STATS_COUNTER_LIST(X)                                                                      \
    X(requests, "frames received on both doors")                                                   \
    X(malformed, "frames without the delimiter, or with more than one payload; dropped")           \
    X(bad_requests, "answers STATUS_BAD_REQUEST")                                                  \
    X(overloaded, "answers STATUS_OVERLOADED: no free seat")                                       \
    X(expired, "answers STATUS_EXPIRED: waited longer than the budget")                            \
    X(unavailable, "answers STATUS_UNAVAILABLE: an admin verb without a store")                    \
    X(checks, "Check requests judged")                                                             \
    X(dry_runs, "Check requests judged without writing")                                           \
    X(sent, "Sent requests")                                                                       \
    X(sent_recorded, "entries of sent mail that were written")                                     \
    X(sent_queued, "entries of sent mail that had to wait for the store")                          \
    X(sent_lost, "entries of sent mail that were forgotten: too many waited")                      \
    X(reports, "Report requests")                                                                  \
    X(reports_own, "reports that the chain made by itself")                                        \
    X(reports_recorded, "reports that were counted")                                               \
    X(reports_seen, "reports of an event that was counted before")                                 \
    X(reports_queued, "reports that had to wait for the store")                                    \
    X(reports_lost, "reports that were lost, or a part of them")                                   \
    X(degraded, "verdicts given while facts were unknown")                                         \
    X(replies_lost, "replies whose caller was gone")                                               \
    X(events, "decision events published")                                                         \
    X(reloads, "policy reloads that took effect")                                                  \
    X(reload_errors, "policy reloads that were refused")                                           \
    X(geo_loads, "databases of countries that were taken")                                         \
    X(geo_errors, "databases of countries that were missing or broken, and broken places in them") \
    X(geo_asn_loads, "databases of ASs that were taken")                                           \
    X(geo_asn_errors, "databases of ASs that were missing or broken, and broken places in them")

enum { STATS_LATENCY_BUCKETS = 20 }; // powers of two of microseconds: <1, <2, <4 ... <2^19, more

struct stats {
#define STATS_FIELD(name, help) uint64_t name;
    STATS_COUNTER_LIST(STATS_FIELD)
#undef STATS_FIELD
    uint64_t verdicts[REASON_COUNT];
    uint64_t shadowed[REASON_COUNT];
    uint64_t latency[STATS_LATENCY_BUCKETS + 1]; // of Check, from decoding to reply
    uint64_t epoch_ms;
    uint64_t sequence;
};

void stats_took(struct stats *stats, uint64_t us);

// What a snapshot needs beside the counters.
struct stats_gauges {
    const char *node;
    uint64_t at_ms;
    uint64_t uptime_ms;
    uint64_t seats_used;
    uint64_t sent_waiting;
    uint64_t reports_waiting;
    uint64_t policy_version;
    bool policy_refused;
    uint64_t open_fds, max_fds;
    uint64_t resident_bytes;
    bool geo_known;     // there is a database of countries
    bool geo_asn_known; // and one of ASs
    const struct store *store;
    const struct probe_counters *probe;   // NULL = nobody can be asked
    const struct dnslist_counters *lists; // likewise: no list can be asked
    uint64_t lists_kept;
    const struct dnslist_view *list;
    size_t list_count;
};

enum { STATS_METRICS_MAX = 512, STATS_GATEWAYS_MAX = 32 };
// A snapshot in its own memory, ready for wire_encode_stats.
struct stats_snapshot {
    struct msg_stats stats;
    struct msg_metric metric[STATS_METRICS_MAX];
    struct msg_pair label[STATS_METRICS_MAX];
    char text[4096];
    struct store_reporter gateway[STATS_GATEWAYS_MAX]; // the first of them, by name
};
void stats_snapshot(struct stats *stats, const struct stats_gauges *gauges,
                    struct stats_snapshot *out);
