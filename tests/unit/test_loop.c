// Flushes of the loop: called once before the loop sleeps when they were wanted, whoever wanted them
// and whoever is freed meanwhile. Work beside it: its end comes once, on the loop, also when it was given up.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <time.h>

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

// ---- work

struct job {
    struct loop *loop;
    struct loop_work *work;
    pthread_t ran_on; // written by run, read in end
    bool ran;
    unsigned ends, wanted;
    long slow_ms;
};

static void job_run(void *arg)
{
    struct job *job = arg;
    struct timespec pause = {.tv_nsec = job->slow_ms * 1000000};

    (void)nanosleep(&pause, NULL);
    job->ran = true;
    job->ran_on = pthread_self();
}

static void job_end(void *arg, bool wanted)
{
    struct job *job = arg;

    job->ends++;
    job->wanted += wanted;
    job->work = NULL;
    if (wanted)
        loop_stop(job->loop);
}

static void work_runs_beside_the_loop_and_ends_on_it(void **state)
{
    struct job job = {.slow_ms = 20};
    unsigned ticks = 0;
    struct scene scene;

    (void)state;
    begin(&scene, count_first, count_second);
    job.loop = scene.loop;
    job.work = loop_work_new(scene.loop, job_run, job_end, &job);
    struct loop_timer *timer = loop_timer_new(scene.loop, count_first, &scene);

    loop_timer_set(timer, 1, 1);
    loop_run(scene.loop);
    ticks = scene.first_calls;
    loop_timer_free(&timer);
    assert_int_equal(job.ends, 1);
    assert_int_equal(job.wanted, 1);
    assert_true(job.ran);
    assert_false(pthread_equal(job.ran_on, pthread_self()));
    assert_true(ticks >= 1); // the loop went on meanwhile
    finish(&scene);
}

// One that runs cannot be stopped: its end comes, and says that nobody wants it; at the latest in loop_free.
static void work_that_was_given_up_ends_all_the_same(void **state)
{
    struct job jobs[16] = {{.slow_ms = 0}}; // more than the pool has threads: some never begin
    struct scene scene;

    (void)state;
    begin(&scene, count_first, count_second);
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        jobs[i] = (struct job){.loop = scene.loop, .slow_ms = 30};
        jobs[i].work = loop_work_new(scene.loop, job_run, job_end, &jobs[i]);
    }
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        loop_work_free(&jobs[i].work);
        assert_null(jobs[i].work);
        loop_work_free(&jobs[i].work); // NULL is fine
    }
    finish(&scene);
    size_t ran = 0;

    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        assert_int_equal(jobs[i].ends, 1);
        assert_int_equal(jobs[i].wanted, 0);
        ran += jobs[i].ran;
    }
    assert_true(ran < sizeof(jobs) / sizeof(jobs[0]));
}

static void loop_free_waits_for_work(void **state)
{
    struct job job = {.slow_ms = 30};
    struct scene scene;

    (void)state;
    begin(&scene, count_first, count_second);
    job.loop = scene.loop;
    job.work = loop_work_new(scene.loop, job_run, job_end, &job);
    finish(&scene);
    assert_int_equal(job.ends, 1);
    assert_true(job.ran);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, called_once_where_it_was_wanted);
    TABLE_TEST(&table, one_wants_another_that_had_its_turn);
    TABLE_TEST(&table, freed_in_its_own_call);
    TABLE_TEST(&table, the_next_is_freed);
    TABLE_TEST(&table, wanted_for_ever_lets_others_run);
    TABLE_TEST(&table, work_runs_beside_the_loop_and_ends_on_it);
    TABLE_TEST(&table, work_that_was_given_up_ends_all_the_same);
    TABLE_TEST(&table, loop_free_waits_for_work);
    return table_run(&table, "loop");
}
