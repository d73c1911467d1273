// loop_scripted.c: the part of proto/base/loop.h that the node uses beside its doors and its store, linked instead of the
// real one into scenarios, where time stands still: work is done at once, and no timer is ever due.
#include "proto/base/loop.h"
#include "proto/base/mem.h"

struct loop_timer {
    char unused;
};

struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    (void)loop;
    (void)fn;
    (void)arg;
    return mem_new(sizeof(struct loop_timer));
}

void loop_timer_set(struct loop_timer *timer, uint64_t in_ms, uint64_t repeat_ms)
{
    (void)timer;
    (void)in_ms;
    (void)repeat_ms;
}

void loop_timer_cancel(struct loop_timer *timer)
{
    (void)timer;
}

void loop_timer_free(struct loop_timer **timer)
{
    mem_free(*timer);
    *timer = NULL;
}

struct loop_work *loop_work_new(struct loop *loop, void (*run)(void *arg),
                                void (*end)(void *arg, bool wanted), void *arg)
{
    (void)loop;
    run(arg);
    end(arg, true);
    return NULL;
}

void loop_work_free(struct loop_work **work)
{
    *work = NULL; // it is over
}
