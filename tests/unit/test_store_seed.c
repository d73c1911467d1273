// store_seed_passed on a real store: what passed elsewhere is added, and nothing that is there
// becomes older.
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

struct answer {
    bool came;
    enum store_state state;
};

static void note_answer(void *arg, uint64_t token, enum store_state state)
{
    struct answer *answer = arg;

    assert_false(answer->came); // exactly once
    assert_int_equal(token, 17);
    *answer = (struct answer){true, state};
}

static bool has_come(void *answer)
{
    return ((struct answer *)answer)->came;
}

static enum store_state seed(struct scene *scene, struct store_seed *list)
{
    struct answer answer = {false, STORE_UP};

    store_seed_passed(scene->store, list,
                      (struct store_done){.fn = note_answer, .arg = &answer, .token = 17});
    stage_until(&scene->stage, has_come, &answer);
    return answer.state;
}

// seed_of: adds the pair's network, as of at_ms.
static struct store_seed seed_of(const struct stage_pair *pair, uint64_t at_ms)
{
    struct store_seed one = {.key = &pair->key, .age = KEY_CURRENT, .at_ms = at_ms};

    for (unsigned i = 1; i < pair->key.identity_count; i++)
        one.write[i] = STORE_SEED_ADD;
    return one;
}

static struct fact_stamp read_net(struct scene *scene, struct stage_pair *pair, unsigned age)
{
    assert_int_equal(stage_read(&scene->stage, scene->store, STORE_ADMIN, &pair->triplet),
                     STORE_UP);
    return pair->facts.passed[age][1];
}

static void a_seed_is_read_back_with_its_own_stamp(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store_seed one = seed_of(&scene.pair, 777);

    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_int_equal(one.written, scene.pair.key.identity_count - 1);
    assert_int_equal(read_net(&scene, &scene.pair, KEY_CURRENT).at_ms, 777);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].state, FACT_ABSENT); // not for any
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state, FACT_ABSENT);
    one = seed_of(&scene.pair, 778);
    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_int_equal(one.written, 0);
    assert_int_equal(read_net(&scene, &scene.pair, KEY_CURRENT).at_ms, 777);
    scene_close(&scene);
}

static void the_slice_before_has_its_own_key_and_expiry(void **state)
{
    struct scene scene;
    char command[128];
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    struct store_seed one = seed_of(&scene.pair, 555);

    one.age = KEY_PREVIOUS;
    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_int_equal(read_net(&scene, &scene.pair, KEY_PREVIOUS).at_ms, 555);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    (void)key_name(KEY_PASSED, &scene.pair.key.passed[KEY_PREVIOUS], name);
    (void)snprintf(command, sizeof(command), "TTL %s", name);
    assert_in_range(stage_number(&scene.stage, command), 1, 36 * 86400);
    scene_close(&scene);
}

static void what_is_dead_is_replaced_and_what_is_left_stays(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 100, 5);
    settle(&scene);
    struct store_seed one = seed_of(&scene.pair, 200);

    one.write[1] = STORE_SEED_REPLACE;
    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_int_equal(read_net(&scene, &scene.pair, KEY_CURRENT).at_ms, 200);
    one = seed_of(&scene.pair, 300);
    memset(one.write, 0, sizeof(one.write));
    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_int_equal(read_net(&scene, &scene.pair, KEY_CURRENT).at_ms, 200);
    scene_close(&scene);
}

static void rows_without_a_write_part_the_others_and_shift_no_reply(void **state)
{
    struct scene scene;
    struct stage_pair other[3];

    (void)state;
    scene_open(&scene);
    make_pair(&scene, &other[0], "a@sender.example");
    make_pair(&scene, &other[1], "b@sender.example");
    make_pair(&scene, &other[2], "c@sender.example");
    struct store_seed row[5] = {seed_of(&other[0], 1), seed_of(&other[1], 2),
                                seed_of(&scene.pair, 3), seed_of(&other[1], 4),
                                seed_of(&other[2], 5)};

    memset(row[0].write, 0, sizeof(row[0].write));
    memset(row[2].write, 0, sizeof(row[2].write));
    for (unsigned i = 0; i < 4; i++)
        row[i].next = &row[i + 1];
    assert_int_equal(seed(&scene, row), STORE_UP);
    assert_int_equal(row[0].written, 0);
    assert_true(row[1].written > 0);
    assert_int_equal(row[2].written, 0);
    assert_int_equal(row[3].written, 0); // the row before was faster
    assert_true(row[4].written > 0);
    assert_int_equal(read_net(&scene, &other[1], KEY_CURRENT).at_ms, 2);
    assert_int_equal(seed(&scene, NULL), STORE_UP);
    scene_close(&scene);
}

static void a_full_store_says_so_and_took_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    struct store_seed one = seed_of(&scene.pair, 777);

    assert_int_equal(seed(&scene, &one), STORE_FULL);
    assert_int_equal(one.written, 0);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    assert_int_equal(seed(&scene, &one), STORE_UP);
    assert_true(one.written > 0);
    scene_close(&scene);
}

static void a_hash_of_another_type_is_an_error(void **state)
{
    struct scene scene;
    char command[128];
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    (void)key_name(KEY_PASSED, &scene.pair.key.passed[KEY_CURRENT], name);
    (void)snprintf(command, sizeof(command), "SET %s x", name);
    stage_do(&scene.stage, command);
    struct store_seed one = seed_of(&scene.pair, 777);

    assert_int_equal(seed(&scene, &one), STORE_ERROR);
    assert_int_equal(one.written, 0);
    scene_close(&scene);
}

int main(void)
{
    struct table table = {.count = 0};

    TABLE_TEST(&table, a_seed_is_read_back_with_its_own_stamp);
    TABLE_TEST(&table, the_slice_before_has_its_own_key_and_expiry);
    TABLE_TEST(&table, what_is_dead_is_replaced_and_what_is_left_stays);
    TABLE_TEST(&table, rows_without_a_write_part_the_others_and_shift_no_reply);
    TABLE_TEST(&table, a_full_store_says_so_and_took_nothing);
    TABLE_TEST(&table, a_hash_of_another_type_is_an_error);
    return table_run(&table, "store_seed");
}
