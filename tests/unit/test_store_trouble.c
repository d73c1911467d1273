// Every trouble that a real redis-server can get into, and that it passes by itself: killed,
// stopped, full, a replica, loading, refusing us. Afterwards the history is looked at: a deferral
// has a stored first-seen.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"
#include "tests/support/table.h"

// ---- trouble

static void kill_and_restart(struct scene *scene)
{
    stage_kill(&scene->stage);
    stage_until_state(&scene->stage, scene->store, STORE_DOWN);
    assert_int_equal(stage_read(&scene->stage, scene->store, STORE_LOOKUPS, &scene->pair.triplet),
                     STORE_DOWN);
    stage_redis(&scene->stage, "--appendonly", "yes", NULL);
}

static void a_killed_server_loses_nothing_that_was_told(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    // Always: with everysec, what is acknowledged while an fsync runs is written up to 2 s later.
    stage_redis(&scene.stage, "--appendonly", "yes", "--appendfsync", "always", NULL);
    scene_begin(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    uint64_t first_ms = scene.pair.triplet.now_ms;

    kill_and_restart(&scene);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene.pair.triplet.now_ms += 60000;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, first_ms);
    assert_int_equal(store_counters(scene.store)->disconnects, 2); // both lanes
    scene_close(&scene);
}

static void a_stopped_server_is_slow_then_gone_then_back(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(kill(scene.stage.server, SIGSTOP), 0);
    uint64_t asked_ms = clock_mono_ms();

    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_SLOW);
    assert_in_range(clock_mono_ms() - asked_ms, 99, 400);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_UNKNOWN);
    stage_run(&scene.stage,
              1500); // the connection is given up; the kernel accepts the next, nobody greets
    assert_int_not_equal(store_state(scene.store), STORE_UP);
    asked_ms = clock_mono_ms();
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_SLOW);
    assert_in_range(clock_mono_ms() - asked_ms, 0, 5); // nobody waits for what is known to be away
    assert_int_equal(kill(scene.stage.server, SIGCONT), 0);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void a_full_server_refuses_first_tries_and_says_so(void **state)
{
    struct scene scene;
    char words[300];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 5, 5);
    settle(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_FULL);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state,
                     FACT_ABSENT); // not what we hoped
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state,
                     FACT_PRESENT); // known mail is known
    text_buf_init(&text, words, sizeof(words));
    store_describe(scene.store, &text);
    assert_non_null(strstr(words, "but lately full (maxmemory)"));
    store_write_passed(scene.store, &scene.pair.key, 6, 6);
    settle(&scene);
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void a_replica_is_read_but_not_written(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 5, 5);
    settle(&scene);
    stage_do(&scene.stage, "REPLICAOF 127.0.0.1 1"); // nobody is there
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_READONLY);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(pass_pair(&scene).state, STORE_READONLY);
    assert_int_equal(pass_pair(&scene).count, 0); // nothing was written, nothing is said to be
    stage_do(&scene.stage, "CONFIG SET replica-serve-stale-data no");
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_MASTERDOWN);
    stage_do(&scene.stage, "REPLICAOF NO ONE");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    scene_close(&scene);
}

static void a_fresh_replica_cannot_be_founded(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    stage_do(&stage, "REPLICAOF 127.0.0.1 1");
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_READONLY);
    stage_do(&stage, "REPLICAOF NO ONE");
    stage_until_state(&stage, store, STORE_UP);
    store_free(&store);
    stage_close(&stage);
}

static void too_few_replicas_refuse_writes(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET min-replicas-to-write 1");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_NOREPLICAS);
    stage_do(&scene.stage, "CONFIG SET min-replicas-to-write 0");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    scene_close(&scene);
}

static void a_server_with_cluster_mode_is_refused(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, "--cluster-enabled", "yes", NULL);
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_CLUSTER);
    store_free(&store);
    stage_close(&stage);
}

static void a_server_that_loads_is_waited_for(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_do(&scene.stage, "EVAL %s 0", "for i = 1, 2000 do redis.call('set', 'k' .. i, 'x') end");
    stage_do(&scene.stage, "SAVE");
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    // Half a millisecond a key: it loads for a second, and answers -LOADING meanwhile.
    stage_redis(&scene.stage, "--key-load-delay", "500", "--loading-process-events-interval-bytes",
                "1024", NULL);
    stage_until_state(&scene.stage, scene.store, STORE_LOADING);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true),
                     STORE_LOADING);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void a_tcp_server_is_served_as_well(void **state)
{
    struct scene scene;
    char address[64];

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(any);

    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0); // a port that is free
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    (void)close(fd);
    stage_do(&scene.stage, "CONFIG SET port %d", ntohs(any.sin_port));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(any.sin_port));
    scene.stage.config.address = address;
    scene_begin(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_do(&scene.stage, "CONFIG SET port 0");
    stage_do(&scene.stage, "CLIENT KILL TYPE normal SKIPME yes");
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    scene_close(&scene);
}

static void a_wrong_type_at_our_key_is_an_error_not_a_fact(void **state)
{
    struct scene scene;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    (void)key_name(KEY_PASSED, &scene.pair.key.passed[KEY_CURRENT], name);
    stage_do(&scene.stage, "SET %s x", name);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_ERROR);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state, FACT_UNKNOWN); // not asked for
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_ADMIN, &scene.pair.triplet),
                     STORE_ERROR);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state,
                     FACT_ABSENT); // its neighbour answers
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_killed_server_loses_nothing_that_was_told);
    TABLE_TEST(&table, a_stopped_server_is_slow_then_gone_then_back);
    TABLE_TEST(&table, a_full_server_refuses_first_tries_and_says_so);
    TABLE_TEST(&table, a_replica_is_read_but_not_written);
    TABLE_TEST(&table, a_fresh_replica_cannot_be_founded);
    TABLE_TEST(&table, too_few_replicas_refuse_writes);
    TABLE_TEST(&table, a_server_with_cluster_mode_is_refused);
    TABLE_TEST(&table, a_server_that_loads_is_waited_for);
    TABLE_TEST(&table, a_tcp_server_is_served_as_well);
    TABLE_TEST(&table, a_wrong_type_at_our_key_is_an_error_not_a_fact);
    return table_run(&table, "trouble of a real store");
}
