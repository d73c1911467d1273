// loop.c: libuv behind loop.h. Promises: a handle may be freed from inside its own callback; memory
// of a libuv handle is released by libuv's close callback, never before. ZeroMQ sockets are looked
// at before the loop sleeps (prepare) and after it wakes (check), because their descriptor tells of
// a change only once.
//
//      prepare: write what was gathered; any socket readable? -> start the idle handle, so that poll does not sleep
//      poll:    sleeps, wakes on descriptors and timers
//      check:   note when we woke; call back for every readable socket
#include "proto/base/loop.h"

#include <string.h>
#include <uv.h>
#include <zmq.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"

struct loop {
    uv_loop_t uv;
    uv_prepare_t prepare;
    uv_check_t check;
    uv_idle_t idle; // active = poll must not sleep
    struct loop_zmq *sockets;
    struct loop_zmq *walking; // next to call in after_sleep; moved on when that one is freed
    struct loop_flush *flushes;
    struct loop_flush *flushing; // next to call in before_sleep; likewise
    uint64_t slept_ms;           // when poll began
    int sleep_for_ms;            // how long it meant to sleep at most; -1 = for ever
    uint64_t woke_ms;
    uint64_t stall_ms; // when the last stall began, and until when what arrives may be from then
    uint64_t stall_until_ms;
};

// The process did not run when it should have: stopped, starved, or its machine was.
enum {
    STALL_MS = 50,       // shorter is the ordinary lateness of a timer
    STALL_GRACE_MS = 20, // how long ZeroMQ's own thread takes to bring what waited in the kernel
};

struct loop_timer {
    uv_timer_t uv;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_fd {
    uv_poll_t uv;
    void (*fn)(void *arg, int events);
    void *arg;
};

struct loop_signal {
    uv_signal_t uv;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_flush {
    struct loop *loop;
    struct loop_flush *next;
    bool wanted;
    void (*fn)(void *arg);
    void *arg;
};

struct loop_work {
    uv_work_t uv;
    bool given_up;
    void (*run)(void *arg);
    void (*end)(void *arg, bool wanted);
    void *arg;
};

struct loop_zmq {
    uv_poll_t uv;
    struct loop *loop;
    struct loop_zmq *next;
    void *socket;
    void (*fn)(void *arg);
    void *arg;
};

static void free_handle(uv_handle_t *handle)
{
    mem_free(handle->data);
}

static bool is_readable(const struct loop_zmq *watch)
{
    int events = 0;
    size_t size = sizeof(events);

    return zmq_getsockopt(watch->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

static void do_nothing(uv_idle_t *idle)
{
    (void)idle;
}

static void run_flushes(struct loop *loop)
{
    for (struct loop_flush *flush = loop->flushes; flush != NULL; flush = loop->flushing) {
        loop->flushing = flush->next;
        if (!flush->wanted)
            continue;
        flush->wanted = false;
        flush->fn(flush->arg);
    }
}

// One flush may have made another one wanted that had its turn.
static bool is_flush_wanted(const struct loop *loop)
{
    const struct loop_flush *flush = loop->flushes;

    while (flush != NULL && !flush->wanted)
        flush = flush->next;
    return flush != NULL;
}

static void before_sleep(uv_prepare_t *prepare)
{
    struct loop *loop = prepare->data;
    bool busy;

    run_flushes(loop);
    busy = is_flush_wanted(loop);
    for (const struct loop_zmq *watch = loop->sockets; watch != NULL && !busy; watch = watch->next)
        busy = is_readable(watch);
    if (busy)
        (void)uv_idle_start(&loop->idle, do_nothing);
    else
        (void)uv_idle_stop(&loop->idle);
    loop->slept_ms = clock_mono_ms();
    loop->sleep_for_ms = uv_backend_timeout(&loop->uv);
}

static void note_waking(struct loop *loop)
{
    uint64_t now_ms = clock_mono_ms();
    uint64_t due_ms = loop->slept_ms + (uint64_t)(loop->sleep_for_ms > 0 ? loop->sleep_for_ms : 0);

    loop->woke_ms = loop->sleep_for_ms >= 0 && due_ms < now_ms ? due_ms : now_ms;
    if (now_ms - loop->woke_ms > STALL_MS) {
        loop->stall_ms = loop->woke_ms;
        loop->stall_until_ms = now_ms + STALL_GRACE_MS;
    }
    if (now_ms < loop->stall_until_ms)
        loop->woke_ms = loop->stall_ms;
}

static void after_sleep(uv_check_t *check)
{
    struct loop *loop = check->data;

    note_waking(loop);
    for (struct loop_zmq *watch = loop->sockets; watch != NULL; watch = loop->walking) {
        loop->walking = watch->next;
        if (is_readable(watch))
            watch->fn(watch->arg);
    }
}

enum err loop_new(struct loop **out, struct err_detail *detail)
{
    struct loop *loop = mem_new(sizeof(*loop));
    int failed = uv_loop_init(&loop->uv);

    if (failed != 0) {
        mem_free(loop);
        return err_say(detail, ERR_SYSTEM, "cannot make an event loop: %s", uv_strerror(failed));
    }
    (void)uv_prepare_init(&loop->uv, &loop->prepare);
    (void)uv_check_init(&loop->uv, &loop->check);
    (void)uv_idle_init(&loop->uv, &loop->idle);
    loop->prepare.data = loop;
    loop->check.data = loop;
    (void)uv_prepare_start(&loop->prepare, before_sleep);
    (void)uv_check_start(&loop->check, after_sleep);
    loop->woke_ms = clock_mono_ms();
    *out = loop;
    return ERR_NONE;
}

void loop_free(struct loop **loop)
{
    if (*loop == NULL)
        return;
    uv_close((uv_handle_t *)&(*loop)->prepare, NULL);
    uv_close((uv_handle_t *)&(*loop)->check, NULL);
    uv_close((uv_handle_t *)&(*loop)->idle, NULL);
    while (uv_run(&(*loop)->uv, UV_RUN_DEFAULT) !=
           0) // runs the close callbacks, and waits for work
        ;
    (void)uv_loop_close(&(*loop)->uv);
    mem_free(*loop);
    *loop = NULL;
}

void loop_run(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_DEFAULT);
}

void loop_turn(struct loop *loop)
{
    (void)uv_run(&loop->uv, UV_RUN_ONCE);
}

void loop_stop(struct loop *loop)
{
    uv_stop(&loop->uv);
}

uint64_t loop_woke_ms(const struct loop *loop)
{
    return loop->woke_ms;
}

// ---- timers

static void timer_due(uv_timer_t *uv)
{
    struct loop_timer *timer = uv->data;

    timer->fn(timer->arg);
}

struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_timer *timer = mem_new(sizeof(*timer));

    timer->fn = fn;
    timer->arg = arg;
    (void)uv_timer_init(&loop->uv, &timer->uv);
    timer->uv.data = timer;
    return timer;
}

void loop_timer_set(struct loop_timer *timer, uint64_t in_ms, uint64_t repeat_ms)
{
    uv_update_time(timer->uv.loop); // a callback may have run long: count from now
    (void)uv_timer_start(&timer->uv, timer_due, in_ms, repeat_ms);
}

void loop_timer_cancel(struct loop_timer *timer)
{
    (void)uv_timer_stop(&timer->uv);
}

void loop_timer_free(struct loop_timer **timer)
{
    if (*timer == NULL)
        return;
    uv_close((uv_handle_t *)&(*timer)->uv, free_handle);
    *timer = NULL;
}

// ---- descriptors

static void fd_ready(uv_poll_t *uv, int status, int events)
{
    struct loop_fd *watch = uv->data;
    int ready = status < 0 ? LOOP_READ | LOOP_WRITE : 0;

    if ((events & UV_READABLE) != 0)
        ready |= LOOP_READ;
    if ((events & UV_WRITABLE) != 0)
        ready |= LOOP_WRITE;
    watch->fn(watch->arg, ready);
}

struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *arg, int events), void *arg)
{
    struct loop_fd *watch = mem_new(sizeof(*watch));

    watch->fn = fn;
    watch->arg = arg;
    (void)uv_poll_init(&loop->uv, &watch->uv, fd);
    watch->uv.data = watch;
    return watch;
}

void loop_fd_want(struct loop_fd *watch, int events)
{
    int wanted = 0;

    if ((events & LOOP_READ) != 0)
        wanted |= UV_READABLE;
    if ((events & LOOP_WRITE) != 0)
        wanted |= UV_WRITABLE;
    if (wanted == 0)
        (void)uv_poll_stop(&watch->uv);
    else
        (void)uv_poll_start(&watch->uv, wanted, fd_ready);
}

void loop_fd_free(struct loop_fd **watch)
{
    if (*watch == NULL)
        return;
    (void)uv_poll_stop(&(*watch)->uv); // at once: the owner may close the descriptor next
    uv_close((uv_handle_t *)&(*watch)->uv, free_handle);
    *watch = NULL;
}

// ---- signals

static void signal_came(uv_signal_t *uv, int signum)
{
    struct loop_signal *sig = uv->data;

    (void)signum;
    sig->fn(sig->arg);
}

struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *arg), void *arg)
{
    struct loop_signal *sig = mem_new(sizeof(*sig));

    sig->fn = fn;
    sig->arg = arg;
    (void)uv_signal_init(&loop->uv, &sig->uv);
    sig->uv.data = sig;
    (void)uv_signal_start(&sig->uv, signal_came, signum);
    return sig;
}

void loop_signal_free(struct loop_signal **sig)
{
    if (*sig == NULL)
        return;
    uv_close((uv_handle_t *)&(*sig)->uv, free_handle);
    *sig = NULL;
}

// ---- flushes

struct loop_flush *loop_flush_new(struct loop *loop, void (*fn)(void *arg), void *arg)
{
    struct loop_flush *flush = mem_new(sizeof(*flush));

    *flush = (struct loop_flush){.loop = loop, .next = loop->flushes, .fn = fn, .arg = arg};
    loop->flushes = flush;
    return flush;
}

void loop_flush_want(struct loop_flush *flush)
{
    flush->wanted = true;
}

void loop_flush_free(struct loop_flush **flush)
{
    if (*flush == NULL)
        return;
    struct loop *loop = (*flush)->loop;
    struct loop_flush **at = &loop->flushes;

    while (*at != *flush)
        at = &(*at)->next;
    *at = (*flush)->next;
    if (loop->flushing == *flush)
        loop->flushing = (*flush)->next;
    mem_free(*flush);
    *flush = NULL;
}

// ---- work beside the loop

static void work_runs(uv_work_t *uv)
{
    struct loop_work *work = uv->data;

    work->run(work->arg);
}

static void work_ended(uv_work_t *uv, int status)
{
    struct loop_work *work = uv->data;

    work->end(work->arg, status == 0 && !work->given_up);
    mem_free(work);
}

struct loop_work *loop_work_new(struct loop *loop, void (*run)(void *arg),
                                void (*end)(void *arg, bool wanted), void *arg)
{
    struct loop_work *work = mem_new(sizeof(*work));

    *work = (struct loop_work){.run = run, .end = end, .arg = arg};
    work->uv.data = work;
    (void)uv_queue_work(&loop->uv, &work->uv, work_runs,
                        work_ended); // fails only without a function
    return work;
}

void loop_work_free(struct loop_work **work)
{
    if (*work == NULL)
        return;
    (*work)->given_up = true;
    (void)uv_cancel((uv_req_t *)&(*work)
                        ->uv); // refused once it runs: then its end is told that nobody wants it
    *work = NULL;
}

// ---- ZeroMQ sockets

static void zmq_stirred(uv_poll_t *uv, int status, int events)
{
    (void)uv; // the check handle looks at every socket in this same turn
    (void)status;
    (void)events;
}

struct loop_zmq *loop_zmq_new(struct loop *loop, void *zmq_socket, void (*fn)(void *arg), void *arg)
{
    struct loop_zmq *watch = mem_new(sizeof(*watch));
    int fd = -1;
    size_t size = sizeof(fd);

    (void)zmq_getsockopt(zmq_socket, ZMQ_FD, &fd, &size);
    watch->loop = loop;
    watch->socket = zmq_socket;
    watch->fn = fn;
    watch->arg = arg;
    watch->next = loop->sockets;
    loop->sockets = watch;
    (void)uv_poll_init(&loop->uv, &watch->uv, fd);
    watch->uv.data = watch;
    (void)uv_poll_start(&watch->uv, UV_READABLE, zmq_stirred);
    return watch;
}

void loop_zmq_free(struct loop_zmq **watch)
{
    if (*watch == NULL)
        return;
    struct loop *loop = (*watch)->loop;

    for (struct loop_zmq **at = &loop->sockets; *at != NULL; at = &(*at)->next) {
        if (*at == *watch) {
            *at = (*watch)->next;
            break;
        }
    }
    if (loop->walking == *watch)
        loop->walking = (*watch)->next;
    (void)uv_poll_stop(&(*watch)->uv);
    uv_close((uv_handle_t *)&(*watch)->uv, free_handle);
    *watch = NULL;
}
