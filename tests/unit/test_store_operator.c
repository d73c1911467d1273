// What an operator asks of a real store: a pair is shown, passed and forgotten; secrets are
// rotated; retries are counted.
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

// ---- what an operator asks

static void a_pair_is_shown_passed_and_forgotten(void **state)
{
    struct scene scene;
    struct stage_pair stranger;

    (void)state;
    scene_open(&scene);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 0);
    make_pair(&scene, &stranger, "eve@sender.example");
    memcpy(stranger.key.pending, scene.pair.key.pending,
           sizeof(stranger.key.pending)); // the same hash ...
    for (unsigned i = 0; i < 2; i++)
        stranger.key.pending[KEY_CURRENT].field[i][0] ^= 1; // ... of another pair
    assert_int_equal(stage_add(&scene.stage, scene.store, &stranger.triplet, false), STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    struct told told = ask_pair(&scene, store_pair_show);

    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.entry[0].table, KEY_PENDING);
    assert_int_equal(told.entry[0].at_ms, scene.pair.triplet.now_ms);
    assert_memory_equal(told.entry[0].identity,
                        scene.pair.key.pending[KEY_CURRENT].field[1] + KEY_PAIR_BYTES, 4);
    told = pass_pair(&scene);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].state, FACT_PRESENT); // any client
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].at_ms, 777);
    store_write_passed(scene.store, &scene.pair.key, 778, 3);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    told = ask_pair(&scene, store_pair_forget);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 3);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 0);
    assert_int_equal(ask_pair(&scene, store_pair_forget).count, 0); // nothing left, no error
    assert_int_equal(stage_add(&scene.stage, scene.store, &stranger.triplet, true), STORE_UP);
    assert_int_equal(stranger.facts.pending[KEY_CURRENT][1].state,
                     FACT_PRESENT); // the stranger stays
    scene_close(&scene);
}

static void a_rotation_opens_an_epoch_for_everybody(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    struct told told = rotate(&scene, 4096);

    assert_int_equal(told.state, STORE_UP);
    assert_non_null(strstr(told.text, "epoch 1: a new secret, 4096 buckets"));
    stage_until(&scene.stage, has_two_epochs, scene.store);
    const struct key_ring *ring = store_ring(scene.store);

    assert_int_equal(ring->epoch[1].buckets, 4096);
    assert_true(ring->epoch[1].since_ms > store_now_ms(scene.store) + HOUR_MS / 7);
    assert_memory_not_equal(ring->epoch[0].secret, ring->epoch[1].secret, KEY_SECRET_BYTES);
    greeting_sync(other); // what every node does each ten seconds
    stage_until(&scene.stage, has_two_epochs, other);
    assert_memory_equal(store_ring(other)->epoch[1].secret, ring->epoch[1].secret,
                        KEY_SECRET_BYTES);
    told = rotate(&scene, 0);
    assert_int_equal(told.state, STORE_ERROR);
    assert_non_null(strstr(told.text, "not in force yet"));
    store_free(&other);
    scene_close(&scene);
}

static void two_rotations_at_once_make_one_epoch(void **state)
{
    struct scene scene;
    struct told told[2] = {{.calls = 0}, {.calls = 0}};

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < 2; i++)
        store_secret_rotate(scene.store, 0, (struct store_text_done){told_text, &told[i]});
    stage_until(&scene.stage, was_told, &told[0]);
    stage_until(&scene.stage, was_told, &told[1]);
    assert_non_null(strstr(told[0].text, "epoch 1"));
    assert_int_equal(told[1].state, STORE_ERROR);
    assert_non_null(strstr(told[1].text, "somebody else"));
    assert_int_equal(stage_number(&scene.stage, "HLEN meta"), 5);
    scene_close(&scene);
}

static void a_rotation_that_died_is_continued(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET meta secret:1 ffeeddccbbaa99887766554433221100");
    struct told told = rotate(&scene, 0);

    assert_non_null(strstr(told.text, "epoch 1"));
    stage_until(&scene.stage, has_two_epochs, scene.store);
    assert_int_equal(store_ring(scene.store)->epoch[1].secret[0], 0xff);
    scene_close(&scene);
}

static const struct objection_row {
    const char *name;
    uint64_t buckets;
    const char *text;
} OBJECTIONS[] = {
    {"not a power of two", 1000, "power of two"},
    {"too many", 1ULL << 40, "power of two"},
};

static void check_objection(void **state)
{
    const struct objection_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    struct told told = rotate(&scene, row->buckets);

    assert_int_equal(told.state, STORE_ERROR);
    assert_non_null(strstr(told.text, row->text));
    assert_int_equal(stage_number(&scene.stage, "HLEN meta"), 3);
    scene_close(&scene);
}

// ---- retries

static bool retries_are_known(void *store)
{
    struct retry_counts counts;

    retry_ask(store);
    return store_retry_counts(store, &counts);
}

static void retries_of_all_nodes_are_counted_together(void **state)
{
    struct scene scene;
    struct retry_counts counts;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    assert_false(store_retry_counts(scene.store, &counts)); // no window is known yet
    uint64_t whole = store_now_ms(scene.store) / WINDOW_MS - 2;

    store_count_retry(scene.store, whole, WINDOW_MS, 3, 1);
    store_count_retry(scene.store, whole, WINDOW_MS, 0, 1);
    store_count_retry(other, whole, WINDOW_MS, 2, 0);
    store_count_retry(other, whole + 1, WINDOW_MS, 50, 50); // its window is not over
    retry_flush(scene.store);
    retry_flush(other);
    retry_flush(other); // nothing twice
    settle(&scene);
    struct scene view = {.store = other, .stage = scene.stage};

    stage_until(&scene.stage, nothing_is_under_way, view.store);
    stage_until(&scene.stage, retries_are_known, scene.store);
    assert_true(store_retry_counts(scene.store, &counts));
    assert_int_equal(counts.slice, whole);
    assert_int_equal(counts.first_tries, 5);
    assert_int_equal(counts.passes, 2);
    store_free(&other);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_pair_is_shown_passed_and_forgotten);
    TABLE_TEST(&table, a_rotation_opens_an_epoch_for_everybody);
    TABLE_TEST(&table, two_rotations_at_once_make_one_epoch);
    TABLE_TEST(&table, a_rotation_that_died_is_continued);
    TABLE_ROWS(&table, OBJECTIONS, check_objection);
    TABLE_TEST(&table, retries_of_all_nodes_are_counted_together);
    return table_run(&table, "what an operator asks");
}
