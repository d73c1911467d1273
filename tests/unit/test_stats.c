// test_stats.c: the snapshot of the node's counters: every metric is in the manual, histograms add up, nothing overflows.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/stats.h"
#include "proto/base/loop.h"
#include "proto/base/mem.h"
#include "tests/support/manual.h"

struct scene {
    struct loop *loop;
    struct store *store;
    struct store_config config;
    struct stats stats;
    struct stats_snapshot *snapshot;
};

// A store that is never reached: the counters are there all the same.
static void scene_open(struct scene *scene)
{
    *scene = (struct scene){.store = NULL};
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->config = (struct store_config){.mode = STORE_SINGLE,
                                          .address = "unix:/nonexistent/redis.sock",
                                          .user = "",
                                          .password_file = "",
                                          .secret_file = "",
                                          .buckets = 1024,
                                          .deadline_ms = 100};
    assert_int_equal(store_new(&scene->store, scene->loop, &scene->config, NULL), ERR_NONE);
    scene->snapshot = mem_new(sizeof(*scene->snapshot));
}

static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    loop_free(&scene->loop);
    mem_free(scene->snapshot);
}

static const struct msg_stats *take(struct scene *scene)
{
    static const struct probe_counters probe = {.questions = 7, .tls = 3};
    static const struct dnslist_counters lists = {.questions = 5, .silent = 2};
    static const struct dnslist_view list[] = {{"bl.example", true, 0}, {"wl.example", false, 9}};
    const struct stats_gauges gauges = {.node = "n",
                                        .at_ms = 1000,
                                        .uptime_ms = 5,
                                        .store = scene->store,
                                        .probe = &probe,
                                        .lists = &lists,
                                        .lists_kept = 4,
                                        .list = list,
                                        .list_count = 2};

    stats_snapshot(&scene->stats, &gauges, scene->snapshot);
    return &scene->snapshot->stats;
}

static double value_of(const struct msg_stats *stats, const char *name, const char *label)
{
    for (size_t i = 0; i < stats->metric_count; i++) {
        const struct msg_metric *metric = &stats->metrics[i];
        const char *has = metric->label_count > 0 ? metric->labels[0].value : "";

        if (strcmp(metric->name, name) == 0 && strcmp(has, label) == 0)
            return metric->value;
    }
    fail_msg("there is no metric %s with label '%s'", name, label);
    return 0;
}

static void every_metric_is_in_the_manual(void **state)
{
    struct scene scene;
    char *page = manual_read("node/reeved.8");

    (void)state;
    scene_open(&scene);
    const struct msg_stats *stats = take(&scene);

    assert_in_range(stats->metric_count, 50, STATS_METRICS_MAX - 1);
    for (size_t i = 0; i < stats->metric_count; i++) {
        char *item = mem_format(".It Ic %s", stats->metrics[i].name);

        if (strstr(page, item) == NULL)
            fail_msg("node/reeved.8 has no item '%s'", item);
        mem_free(item);
    }
    scene_close(&scene);
    mem_free(page);
}

static void verdicts_are_counted_by_reason(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.stats.verdicts[REASON_greylist_new] = 3;
    scene.stats.shadowed[REASON_greylist_early] = 4;
    scene.stats.checks = 5;
    const struct msg_stats *stats = take(&scene);

    assert_true(value_of(stats, "reeve_verdicts", "greylist_new") == 3);
    assert_true(value_of(stats, "reeve_verdicts", "greylist_early") == 0);
    assert_true(value_of(stats, "reeve_shadowed", "greylist_early") == 4);
    assert_true(value_of(stats, "reeve_checks", "") == 5);
    assert_true(value_of(stats, "reeve_store_up", "") == 0);
    assert_true(value_of(stats, "reeve_probe_questions", "") == 7);
    assert_true(value_of(stats, "reeve_probe_tls", "") == 3);
    assert_true(value_of(stats, "reeve_dnslist_questions", "") == 5);
    assert_true(value_of(stats, "reeve_dnslist_silent", "") == 2);
    assert_true(value_of(stats, "reeve_dnslist_kept", "") == 4);
    assert_true(value_of(stats, "reeve_dnslist_off", "bl.example") == 1);
    assert_true(value_of(stats, "reeve_dnslist_off", "wl.example") == 0);
    assert_true(value_of(stats, "reeve_dnslist_hits", "wl.example") == 9);
    assert_int_equal(stats->sequence, 1);
    assert_int_equal(take(&scene)->sequence, 2);
    scene_close(&scene);
}

static void the_histogram_is_cumulative(void **state)
{
    static const struct {
        uint64_t us;
        const char *least; // the smallest bucket that must count it
    } cases[] = {
        {0, "1"},       {1, "2"},       {2, "4"},           {3, "4"},         {4, "8"},
        {1023, "1024"}, {1024, "2048"}, {524287, "524288"}, {524288, "+Inf"}, {UINT64_MAX, "+Inf"}};

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct scene scene;
        bool reached = false;

        scene_open(&scene);
        stats_took(&scene.stats, cases[i].us);
        const struct msg_stats *stats = take(&scene);

        for (unsigned bit = 0; bit <= STATS_LATENCY_BUCKETS; bit++) {
            char label[32];

            (void)snprintf(label, sizeof(label), bit < STATS_LATENCY_BUCKETS ? "%llu" : "+Inf",
                           1ULL << bit);
            reached |= strcmp(label, cases[i].least) == 0;
            assert_true(value_of(stats, "reeve_check_us_bucket", label) == (reached ? 1 : 0));
        }
        assert_true(reached);
        scene_close(&scene);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_metric_is_in_the_manual),
        cmocka_unit_test(verdicts_are_counted_by_reason),
        cmocka_unit_test(the_histogram_is_cumulative),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
