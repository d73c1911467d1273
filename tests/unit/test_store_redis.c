// The store against a real redis-server: what is written is what is read, nodes that race agree,
// and so do nodes that start together.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"
#include "tests/support/table.h"

// ---- triplets

static void a_first_try_is_stored_and_read_back(void **state)
{
    struct scene scene;
    struct stage_pair again;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_true(scene.pair.facts.pending_asked);
    const struct fact_stamp *stamp = &scene.pair.facts.pending[KEY_CURRENT][1];

    assert_int_equal(stamp->state, FACT_PRESENT);
    assert_int_equal(stamp->at_ms, scene.pair.triplet.now_ms);
    assert_int_equal(stamp->mark, 7);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][0].state,
                     FACT_ABSENT); // "any" is for people
    assert_int_equal(scene.pair.facts.pending[KEY_PREVIOUS][1].state, FACT_ABSENT);
    make_pair(&scene, &again, "ann@sender.example");
    again.triplet.now_ms += 5000;
    again.triplet.mark = 8;
    assert_int_equal(stage_add(&scene.stage, scene.store, &again.triplet, false), STORE_UP);
    assert_int_equal(again.facts.pending[KEY_CURRENT][1].at_ms,
                     scene.pair.triplet.now_ms); // immutable
    assert_int_equal(again.facts.pending[KEY_CURRENT][1].mark, 7);
    scene_close(&scene);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(stage_number(&scene.stage, "DBSIZE"), 2); // meta, events
    scene_close(&scene);
}

static void a_first_try_of_the_slice_before_is_found(void **state)
{
    struct scene scene;
    struct stage_pair later;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_pair_make(&later, store_ring(scene.store), "ann@sender.example", "192.0.2.0/24",
                    scene.pair.triplet.now_ms + WINDOW_MS);
    assert_int_equal(stage_add(&scene.stage, scene.store, &later.triplet, true), STORE_UP);
    assert_int_equal(later.facts.pending[KEY_PREVIOUS][1].state, FACT_PRESENT);
    assert_int_equal(later.facts.pending[KEY_PREVIOUS][1].at_ms, scene.pair.triplet.now_ms);
    assert_int_equal(later.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void a_passed_triplet_is_known_with_its_mark(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    store_write_passed(scene.store, &scene.pair.key, 123456, 99);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].at_ms, 123456);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].mark, 99);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].state, FACT_ABSENT);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_ADMIN, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

static long long commands_so_far(const struct scene *scene)
{
    const struct store_counters *counters = store_counters(scene->store);

    return (long long)(counters->commands - counters->event_polls); // those go on all the time
}

static void known_mail_costs_one_command(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 123456, 99);
    settle(&scene);
    long long before = commands_so_far(&scene);

    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(commands_so_far(&scene) - before, 1);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state, FACT_UNKNOWN); // not asked
    scene_close(&scene);
}

static void what_passed_in_the_slice_before_comes_with_the_first_try(void **state)
{
    struct scene scene;
    struct stage_pair later;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 123456, 99);
    settle(&scene);
    stage_pair_make(&later, store_ring(scene.store), "ann@sender.example", "192.0.2.0/24",
                    scene.pair.triplet.now_ms + KEY_PASSED_SLICE_MS);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &later.triplet),
                     STORE_UP);
    assert_int_equal(later.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][1].state, FACT_UNKNOWN);
    long long before = commands_so_far(&scene);

    assert_int_equal(stage_add(&scene.stage, scene.store, &later.triplet, false), STORE_UP);
    assert_int_equal(commands_so_far(&scene) - before, 5); // HMGET HMGET HSETNX EXPIREAT HMGET
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][1].state, FACT_PRESENT);
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][1].at_ms, 123456);
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][1].mark, 99);
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][0].state, FACT_ABSENT);
    assert_int_equal(later.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_ADMIN, &later.triplet), STORE_UP);
    assert_int_equal(later.facts.passed[KEY_PREVIOUS][1].state, FACT_PRESENT); // both at once
    scene_close(&scene);
}

static void aligning_makes_a_first_try_earlier(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    store_align_pending(scene.store, &scene.pair.key, 42, 5);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, 42);
    scene_close(&scene);
}

enum { MANY = 40 };

static void many_pairs_are_one_operation(void **state)
{
    static struct stage_pair pair[MANY];
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < MANY; i++) {
        char sender[32];

        (void)snprintf(sender, sizeof(sender), "u%u@sender.example", i);
        make_pair(&scene, &pair[i], sender);
        pair[i].triplet.next = i > 0 ? &pair[i - 1].triplet : NULL;
        pair[i].triplet.mark = i;
    }
    assert_int_equal(stage_add(&scene.stage, scene.store, &pair[MANY - 1].triplet, false),
                     STORE_UP);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(pair[i].facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
        assert_int_equal(pair[i].facts.pending[KEY_CURRENT][1].mark, i); // each its own
    }
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &pair[MANY - 1].triplet),
                     STORE_UP);
    scene_close(&scene);
}

static void an_operation_of_nothing_is_done_at_once(void **state)
{
    struct scene scene;
    struct stage_op op = {.calls = 0};

    (void)state;
    scene_open(&scene);
    store_read_passed(scene.store, STORE_LOOKUPS, NULL, stage_done(stage_op_done, &op, 1));
    store_add_pending(scene.store, NULL, false, stage_done(stage_op_done, &op, 1));
    assert_int_equal(op.calls, 2);
    assert_int_equal(op.state, STORE_UP);
    scene_close(&scene);
}

static long long expiry_of(struct scene *scene, const char *pattern)
{
    redisReply *keys = stage_ask(&scene->stage, "KEYS %s", pattern);

    assert_non_null(keys);
    assert_int_equal(keys->elements, 1);
    long long at = stage_number(&scene->stage, "EXPIRETIME %s", keys->element[0]->str);

    freeReplyObject(keys);
    return at;
}

static void everything_that_a_machine_wrote_expires(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    store_write_passed(scene.store, &scene.pair.key, 1, 1);
    settle(&scene);
    uint64_t pending = key_expiry_ms(&scene.pair.key.pending[KEY_CURRENT]);
    uint64_t passed = key_expiry_ms(&scene.pair.key.passed[KEY_CURRENT]);

    assert_int_equal(expiry_of(&scene, "g:*"), (pending + 999) / 1000);
    assert_int_equal(expiry_of(&scene, "p:*"), (passed + 999) / 1000);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME meta"), -1); // but not this
    scene_close(&scene);
}

// ---- two nodes

static void two_nodes_that_race_agree_on_the_first(void **state)
{
    struct scene scene;
    struct stage_pair mine;
    struct stage_pair theirs;
    struct stage_op op[2] = {{.calls = 0}, {.calls = 0}};

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    for (unsigned round = 0; round < 50; round++) {
        char sender[32];

        (void)snprintf(sender, sizeof(sender), "r%u@sender.example", round);
        make_pair(&scene, &mine, sender);
        make_pair(&scene, &theirs, sender);
        mine.triplet.mark = 1;
        theirs.triplet.mark = 2;
        theirs.triplet.now_ms += 1;
        memset(op, 0, sizeof(op));
        store_add_pending(scene.store, &mine.triplet, false, stage_done(stage_op_done, &op[0], 1));
        store_add_pending(other, &theirs.triplet, false, stage_done(stage_op_done, &op[1], 2));
        stage_until(&scene.stage, stage_op_is_done, &op[0]);
        stage_until(&scene.stage, stage_op_is_done, &op[1]);
        const struct fact_stamp *a = &mine.facts.pending[KEY_CURRENT][1];
        const struct fact_stamp *b = &theirs.facts.pending[KEY_CURRENT][1];

        assert_int_equal(a->state, FACT_PRESENT);
        assert_int_equal(b->state, FACT_PRESENT);
        assert_int_equal(a->at_ms, b->at_ms);
        assert_int_equal(a->mark, b->mark);
    }
    store_free(&other);
    scene_close(&scene);
}

enum { NODES = 6 };

static bool all_up(void *arg)
{
    struct store **store = arg;

    for (unsigned i = 0; i < NODES; i++) {
        if (store_state(store[i]) != STORE_UP)
            return false;
    }
    return true;
}

static void first_nodes_that_start_together_agree_on_a_secret(void **state)
{
    struct stage stage;
    struct store *store[NODES];

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    for (unsigned i = 0; i < NODES; i++)
        store[i] = stage_store(&stage, &stage.config);
    stage_until(&stage, all_up, store);
    for (unsigned i = 1; i < NODES; i++) {
        assert_int_equal(store_ring(store[i])->count, 1);
        assert_memory_equal(store_ring(store[i])->epoch[0].secret,
                            store_ring(store[0])->epoch[0].secret, KEY_SECRET_BYTES);
    }
    for (unsigned i = 0; i < NODES; i++)
        store_free(&store[i]);
    stage_close(&stage);
}

static void a_node_with_another_secret_is_refused(void **state)
{
    struct scene scene;
    char path[128];
    char words[800];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    (void)snprintf(path, sizeof(path), "%s/secret", scene.stage.dir);
    write_text(path, "000102030405060708090a0b0c0d0e0f\n");
    struct store_config config = scene.stage.config;

    config.secret_file = path;
    struct store *other = stage_store(&scene.stage, &config);

    stage_until_state(&scene.stage, other, STORE_FOREIGN);
    text_buf_init(&text, words, sizeof(words));
    store_describe(other, &text);
    assert_non_null(strstr(words, "same secret_file"));
    assert_int_equal(store_ring(other)->count, 0);
    assert_int_equal(stage_read(&scene.stage, other, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_FOREIGN);
    assert_int_equal(stage_read(&scene.stage, other, STORE_ADMIN, &scene.pair.triplet),
                     STORE_FOREIGN);
    store_free(&other);
    scene_close(&scene);
}

static void a_secret_from_a_file_is_never_stored(void **state)
{
    struct stage stage;
    char path[128];

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    (void)snprintf(path, sizeof(path), "%s/secret", stage.dir);
    write_text(path, "000102030405060708090a0b0c0d0e0f\n");
    stage.config.secret_file = path;
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_UP);
    assert_int_equal(store_ring(store)->epoch[0].secret[15], 15);
    assert_int_equal(stage_number(&stage, "HEXISTS meta secret:0"), 0);
    assert_int_equal(stage_number(&stage, "HEXISTS meta epoch:0"), 1);
    store_free(&store);
    stage_close(&stage);
}

static bool meta_is_back(void *stage)
{
    return stage_number(stage, "HLEN meta") == 3;
}

static void an_emptied_store_gets_its_secret_back(void **state)
{
    struct scene scene;
    struct key_ring ring;

    (void)state;
    scene_open(&scene);
    ring = *store_ring(scene.store);
    stage_do(&scene.stage, "FLUSHALL");
    greeting_sync(scene.store);
    stage_until(&scene.stage, meta_is_back, &scene.stage);
    struct store *fresh = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, fresh, STORE_UP);
    assert_memory_equal(store_ring(fresh)->epoch[0].secret, ring.epoch[0].secret, KEY_SECRET_BYTES);
    assert_int_equal(store_state(scene.store), STORE_UP);
    store_free(&fresh);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_first_try_is_stored_and_read_back);
    TABLE_TEST(&table, a_dry_run_writes_nothing);
    TABLE_TEST(&table, a_first_try_of_the_slice_before_is_found);
    TABLE_TEST(&table, a_passed_triplet_is_known_with_its_mark);
    TABLE_TEST(&table, known_mail_costs_one_command);
    TABLE_TEST(&table, what_passed_in_the_slice_before_comes_with_the_first_try);
    TABLE_TEST(&table, aligning_makes_a_first_try_earlier);
    TABLE_TEST(&table, many_pairs_are_one_operation);
    TABLE_TEST(&table, an_operation_of_nothing_is_done_at_once);
    TABLE_TEST(&table, everything_that_a_machine_wrote_expires);
    TABLE_TEST(&table, two_nodes_that_race_agree_on_the_first);
    TABLE_TEST(&table, first_nodes_that_start_together_agree_on_a_secret);
    TABLE_TEST(&table, a_node_with_another_secret_is_refused);
    TABLE_TEST(&table, a_secret_from_a_file_is_never_stored);
    TABLE_TEST(&table, an_emptied_store_gets_its_secret_back);
    return table_run(&table, "store against redis");
}
