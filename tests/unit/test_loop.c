// Flushes of the loop: called once before the loop sleeps when they were wanted, whoever wanted them
// and whoever is freed meanwhile.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/base/loop.h"
#include "tests/support/table.h"

struct scene {
    struct loop *loop;
    struct loop_flush *first;  // made first, so called last
    struct loop_flush *second; // called before it
    unsigned first_calls, second_calls;
};

static void end(void *arg)
{
    struct scene *scene = arg;

    loop_stop(scene->loop);
}

static void run_for(struct scene *scene, uint64_t ms)
{
    struct loop_timer *timer = loop_timer_new(scene->loop, end, scene);

    loop_timer_set(timer, ms, 0);
    loop_run(scene->loop);
    loop_timer_free(&timer);
}

static void begin(struct scene *scene, void (*first)(void *arg), void (*second)(void *arg))
{
    *scene = (struct scene){.loop = NULL};
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->first = loop_flush_new(scene->loop, first, scene);
    scene->second = loop_flush_new(scene->loop, second, scene);
}

static void finish(struct scene *scene)
{
    loop_flush_free(&scene->first);
    loop_flush_free(&scene->second);
    assert_null(scene->first);
    loop_flush_free(&scene->first); // NULL is fine
    loop_free(&scene->loop);
}

static void count_first(void *arg)
{
    ((struct scene *)arg)->first_calls++;
}

static void count_second(void *arg)
{
    ((struct scene *)arg)->second_calls++;
}

static void called_once_where_it_was_wanted(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, count_first, count_second);
    loop_flush_want(scene.first);
    loop_flush_want(scene.first);
    run_for(&scene, 20);
    assert_int_equal(scene.first_calls, 1);
    assert_int_equal(scene.second_calls, 0);
    loop_flush_want(scene.first);
    run_for(&scene, 20);
    assert_int_equal(scene.first_calls, 2);
    finish(&scene);
}

// first is called last, so what it wants of second has to be done before the loop sleeps all the
// same: the timer, and so the end, is far away.
static void want_second(void *arg)
{
    struct scene *scene = arg;

    scene->first_calls++;
    loop_flush_want(scene->second);
}

static void stop_second(void *arg)
{
    struct scene *scene = arg;

    scene->second_calls++;
    loop_stop(scene->loop);
}

static void one_wants_another_that_had_its_turn(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, want_second, stop_second);
    loop_flush_want(scene.first);
    run_for(&scene, 60000);
    assert_int_equal(scene.first_calls, 1);
    assert_int_equal(scene.second_calls, 1);
    finish(&scene);
}

static void free_second(void *arg)
{
    struct scene *scene = arg;

    scene->second_calls++;
    loop_flush_free(&scene->second);
}

static void freed_in_its_own_call(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, count_first, free_second);
    loop_flush_want(scene.first);
    loop_flush_want(scene.second);
    run_for(&scene, 20);
    assert_int_equal(scene.first_calls, 1);
    assert_int_equal(scene.second_calls, 1);
    finish(&scene);
}

static void free_first(void *arg)
{
    struct scene *scene = arg;

    scene->second_calls++;
    loop_flush_free(&scene->first);
}

static void the_next_is_freed(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, count_first, free_first);
    loop_flush_want(scene.first);
    loop_flush_want(scene.second);
    run_for(&scene, 20);
    assert_int_equal(scene.first_calls, 0);
    assert_int_equal(scene.second_calls, 1);
    finish(&scene);
}

// Who always wants it again is called in every turn, and the timers have theirs between.
static void want_again(void *arg)
{
    struct scene *scene = arg;

    scene->first_calls++;
    loop_flush_want(scene->first);
}

static void wanted_for_ever_lets_others_run(void **state)
{
    struct scene scene;

    (void)state;
    begin(&scene, want_again, count_second);
    loop_flush_want(scene.first);
    run_for(&scene, 20);
    assert_true(scene.first_calls >= 2);
    finish(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, called_once_where_it_was_wanted);
    TABLE_TEST(&table, one_wants_another_that_had_its_turn);
    TABLE_TEST(&table, freed_in_its_own_call);
    TABLE_TEST(&table, the_next_is_freed);
    TABLE_TEST(&table, wanted_for_ever_lets_others_run);
    return table_run(&table, "loop");
}
