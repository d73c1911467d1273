// Since when domains are declared, and how often policies were used: the table, and what two nodes see of a real Redis.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/mem.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

// ---- the table

static uint64_t at(const struct since *since, const char *domain)
{
    const struct declared *row = since_find(since, domain);

    return row != NULL ? row->at_ms : UINT64_MAX;
}

static void rows_are_found_in_whatever_order_they_came(void **state)
{
    struct since since = {.count = 0};

    (void)state;
    assert_int_equal(at(&since, "a"), UINT64_MAX);
    since_set(&since, "c.example", 3);
    since_set(&since, "a.example", 1);
    since_set(&since, "d.example", 4);
    since_set(&since, "b.example", 2);
    assert_int_equal(since.count, 4);
    for (size_t i = 0; i < since.count; i++)
        assert_int_equal(since.row[i].at_ms, i + 1); // sorted
    assert_int_equal(at(&since, "b.example"), 2);
    assert_int_equal(at(&since, "bb.example"), UINT64_MAX);
    assert_int_equal(at(&since, ""), UINT64_MAX);
    since_set(&since, "b.example", 7);
    assert_int_equal(since.count, 4);
    assert_int_equal(at(&since, "b.example"), 7);
    since_clear(&since);
    assert_int_equal(since.count, 0);
    since_clear(&since);
}

static void other_domains_keep_what_is_known(void **state)
{
    static const char *const DOMAINS[] = {"b.example", "c.example"};
    struct since since = {.count = 0};

    (void)state;
    since_set(&since, "a.example", 1);
    since_set(&since, "b.example", 2);
    since_take(&since, DOMAINS, 2);
    assert_int_equal(since.count, 2);
    assert_int_equal(at(&since, "a.example"), UINT64_MAX);
    assert_int_equal(at(&since, "b.example"), 2);
    assert_int_equal(at(&since, "c.example"), 0);
    since_take(&since, NULL, 0);
    assert_int_equal(since.count, 0);
    since_clear(&since);
}

// ---- a real store

struct wanted {
    struct store *store;
    const char *domain;
    uint64_t at_ms; // 0 = any
};

static bool is_declared(void *arg)
{
    const struct wanted *wanted = arg;
    uint64_t at_ms = store_declared(wanted->store, wanted->domain);

    return wanted->at_ms != 0 ? at_ms == wanted->at_ms : at_ms != 0;
}

static uint64_t until_declared(struct scene *scene, struct store *store, const char *domain,
                               uint64_t at_ms)
{
    struct wanted wanted = {store, domain, at_ms};

    stage_until(&scene->stage, is_declared, &wanted);
    return store_declared(store, domain);
}

static bool is_done_asking(void *store)
{
    const struct declaring *declaring = &((struct store *)store)->declaring;

    return !declaring->is_asking && declaring->at == declaring->since.count;
}

static void declare(struct store *store, const char *domain)
{
    store_declare(store, &domain, 1);
}

static void the_first_node_decides_for_all(void **state)
{
    static const char *const BOTH[] = {"corp.example", "more.example"};
    struct scene scene;
    struct store *other;
    uint64_t before_ms;
    uint64_t first_ms;
    size_t count = 0;

    (void)state;
    scene_open(&scene);
    before_ms = store_now_ms(scene.store);
    assert_int_equal(store_declared(scene.store, "corp.example"), 0);
    declare(scene.store, "corp.example");
    first_ms = until_declared(&scene, scene.store, "corp.example", 0);
    assert_true(first_ms >= before_ms && first_ms <= store_now_ms(scene.store));
    assert_true(store_declared_changes(scene.store) > 0);
    assert_int_equal(store_declared(scene.store, "more.example"), 0);
    other = stage_store(&scene.stage, &scene.stage.config);
    store_declare(other, BOTH, 2);
    assert_int_equal(store_declared(other, "corp.example"), 0); // nobody was asked yet
    assert_int_equal(until_declared(&scene, other, "corp.example", first_ms), first_ms);
    assert_true(until_declared(&scene, other, "more.example", 0) >= first_ms);
    assert_string_equal(store_declared_all(other, &count)[1].domain, "more.example");
    assert_int_equal(count, 2);
    store_free(&other);
    scene_close(&scene);
}

static void what_is_stored_counts(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET since:{p} corp.example 12345");
    declare(scene.store, "corp.example");
    assert_int_equal(until_declared(&scene, scene.store, "corp.example", 0), 12345);
    stage_until(&scene.stage, is_done_asking, scene.store);
    stage_do(&scene.stage,
             "HSET since:{p} corp.example 777"); // by hand; heard of with the next set
    declare(scene.store, "corp.example");
    until_declared(&scene, scene.store, "corp.example", 777);
    scene_close(&scene);
}

static void no_stamp_is_no_stamp_and_the_others_are_asked_about(void **state)
{
    static const char *const DOMAINS[] = {"a.example", "b.example", "c.example",
                                          "d.example", "e.example", "f.example"};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET since:{p} a.example 0");
    stage_do(&scene.stage, "HSET since:{p} b.example -7");
    stage_do(&scene.stage, "HSET since:{p} c.example tomorrow");
    stage_do(&scene.stage, "HSET since:{p} d.example 281474976710656");
    stage_do(&scene.stage, "HSET since:{p} e.example 281474976710655");
    store_declare(scene.store, DOMAINS, 6);
    until_declared(&scene, scene.store, "f.example", 0);
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(store_declared(scene.store, DOMAINS[i]), 0);
    assert_int_equal(store_declared(scene.store, "e.example"), 281474976710655);
    assert_true(store_counters(scene.store)->errors[STORE_ERROR] >= 4);
    scene_close(&scene);
}

static void another_type_leaves_everything_unknown(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "SET since:{p} x");
    declare(scene.store, "corp.example");
    stage_run(&scene.stage, 50);
    assert_int_equal(store_declared(scene.store, "corp.example"), 0);
    assert_true(scene.store->declaring.rest_ticks > 0);
    stage_do(&scene.stage, "DEL since:{p}");
    scene.store->declaring.rest_ticks = 1; // it is time
    until_declared(&scene, scene.store, "corp.example", 0);
    scene_close(&scene);
}

// More than one command holds, and names as long as they may be.
static void a_thousand_domains(void **state)
{
    enum { DOMAINS = 1000 };
    static char name[DOMAINS][260];
    static const char *domain[DOMAINS];
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (size_t i = 0; i < DOMAINS; i++) {
        (void)snprintf(name[i], sizeof(name[i]), "%04zu.%0*d.example", i, i % 2 == 0 ? 200 : 1, 7);
        domain[i] = name[i];
    }
    store_declare(scene.store, domain, DOMAINS);
    stage_until(&scene.stage, is_done_asking, scene.store);
    for (size_t i = 0; i < DOMAINS; i++)
        assert_int_not_equal(store_declared(scene.store, domain[i]), 0);
    assert_int_equal(store_counters(scene.store)->errors[STORE_ERROR], 0);
    scene_close(&scene);
}

static void another_set_in_the_middle_is_asked_about_from_the_first(void **state)
{
    static const char *const ONE[] = {"a.example", "b.example"};
    static const char *const TWO[] = {"b.example", "c.example", "d.example"};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET since:{p} a.example 1 b.example 2 c.example 3 d.example 4");
    store_declare(scene.store, ONE, 2);
    store_declare(scene.store, TWO, 3); // its rows stand elsewhere
    stage_until(&scene.stage, is_done_asking, scene.store);
    assert_int_equal(store_declared(scene.store, "b.example"), 2);
    assert_int_equal(store_declared(scene.store, "c.example"), 3);
    assert_int_equal(store_declared(scene.store, "d.example"), 4);
    scene_close(&scene);
}

// ---- the store goes away

static void what_is_known_stays_and_a_store_that_lost_it_is_told(void **state)
{
    struct scene scene;
    uint64_t first_ms;

    (void)state;
    scene_open(&scene);
    declare(scene.store, "corp.example");
    first_ms = until_declared(&scene, scene.store, "corp.example", 0);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(store_declared(scene.store, "corp.example"), first_ms);
    (void)usleep(2000);              // so that now is another moment
    stage_redis(&scene.stage, NULL); // an empty one
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, is_done_asking, scene.store);
    assert_int_equal(store_declared(scene.store, "corp.example"), first_ms);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    declare(other, "corp.example");
    until_declared(&scene, other, "corp.example", first_ms);
    store_free(&other);
    scene_close(&scene);
}

static void a_copy_is_known_at_once_and_the_store_corrects_it(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET since:{p} corp.example 2000");
    store_declared_learn(scene.store, "corp.example", 1000);
    store_declared_learn(scene.store, "lost.example", 3000);
    store_declared_learn(scene.store, "zero.example", 0); // is no stamp
    static const char *const DOMAINS[] = {"corp.example", "lost.example", "zero.example"};

    store_declare(scene.store, DOMAINS, 3);
    assert_int_equal(store_declared(scene.store, "corp.example"), 1000);
    until_declared(&scene, scene.store, "corp.example", 2000);
    stage_until(&scene.stage, is_done_asking, scene.store);
    assert_int_equal(store_declared(scene.store, "lost.example"), 3000); // the store was told so
    assert_true(store_declared(scene.store, "zero.example") > 3000);
    scene_close(&scene);
}

static void a_store_that_takes_no_writes_is_asked_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    declare(scene.store, "corp.example");
    stage_run(&scene.stage, 50);
    assert_int_equal(store_declared(scene.store, "corp.example"), 0);
    stage_do(&scene.stage, "CONFIG SET maxmemory 100mb");
    scene.store->declaring.rest_ticks = 1;
    until_declared(&scene, scene.store, "corp.example", 0);
    scene_close(&scene);
}

// ---- how often policies were used

struct answer {
    unsigned calls;
    enum store_state state;
    size_t count;
    struct store_used row[3];
};

static void note_used(void *arg, enum store_state state, const struct store_used *rows,
                      size_t count)
{
    struct answer *answer = arg;

    answer->calls++;
    answer->state = state;
    answer->count = count;
    for (size_t i = 0; i < count && i < 3; i++)
        answer->row[i] = rows[i];
}

static bool was_answered(void *answer)
{
    return ((struct answer *)answer)->calls > 0;
}

static struct answer read_used(struct scene *scene)
{
    static const char *const IDS[] = {"a", "b", "never"};
    struct answer answer = {.calls = 0};

    store_used_read(scene->store, IDS, 3, (struct used_done){note_used, &answer});
    stage_until(&scene->stage, was_answered, &answer);
    assert_int_equal(answer.calls, 1);
    return answer;
}

static const uint64_t IN_2100_MS = 4102444800000;

static void sums_are_of_all_who_add(void **state)
{
    const struct store_used one = {"a", 2, 0, IN_2100_MS};
    const struct store_used two = {"a", 3, 4, IN_2100_MS + 1000};
    const struct store_used three = {"b", 0, 1, IN_2100_MS + 2001};
    struct scene scene;
    struct answer answer;

    (void)state;
    scene_open(&scene);
    assert_true(store_used_add(scene.store, &one));
    assert_true(store_used_add(scene.store, &two));
    assert_true(store_used_add(scene.store, &three));
    settle(&scene);
    answer = read_used(&scene);
    assert_int_equal(answer.state, STORE_UP);
    assert_int_equal(answer.count, 3);
    assert_string_equal(answer.row[0].id, "a");
    assert_int_equal(answer.row[0].hits, 5);
    assert_int_equal(answer.row[0].shadow_hits, 4);
    assert_int_equal(answer.row[0].last_ms, IN_2100_MS + 1000);
    assert_int_equal(answer.row[1].hits, 0);
    assert_int_equal(answer.row[1].shadow_hits, 1);
    assert_int_equal(answer.row[2].last_ms, 0);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME used:{p}:b"),
                     IN_2100_MS / 1000 + 3 + 100ULL * 24 * 3600); // whole seconds, rounded up
    stage_do(&scene.stage, "HSET used:{p}:b hits many");
    assert_int_equal(read_used(&scene).state, STORE_ERROR);
    scene_close(&scene);
}

static void nothing_is_counted_while_the_store_is_away(void **state)
{
    const struct store_used one = {"a", 1, 0, 1000};
    struct scene scene;
    struct answer answer = {.calls = 0};

    (void)state;
    scene_open(&scene);
    store_used_read(scene.store, NULL, 0, (struct used_done){note_used, &answer});
    assert_int_equal(answer.calls, 1);
    assert_int_equal(answer.state, STORE_UP);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_false(store_used_add(scene.store, &one));
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    assert_int_equal(read_used(&scene).state, STORE_DOWN);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, rows_are_found_in_whatever_order_they_came);
    TABLE_TEST(&table, other_domains_keep_what_is_known);
    TABLE_TEST(&table, the_first_node_decides_for_all);
    TABLE_TEST(&table, what_is_stored_counts);
    TABLE_TEST(&table, no_stamp_is_no_stamp_and_the_others_are_asked_about);
    TABLE_TEST(&table, another_type_leaves_everything_unknown);
    TABLE_TEST(&table, a_thousand_domains);
    TABLE_TEST(&table, another_set_in_the_middle_is_asked_about_from_the_first);
    TABLE_TEST(&table, what_is_known_stays_and_a_store_that_lost_it_is_told);
    TABLE_TEST(&table, a_copy_is_known_at_once_and_the_store_corrects_it);
    TABLE_TEST(&table, a_store_that_takes_no_writes_is_asked_again);
    TABLE_TEST(&table, sums_are_of_all_who_add);
    TABLE_TEST(&table, nothing_is_counted_while_the_store_is_away);
    return table_run(&table, "store_declared");
}
