// loop.h: one thread's event loop: timers, descriptors, signals, ZeroMQ sockets, and long work beside it (libuv
// beneath).
//
// Every callback gets the arg of its registration. Callbacks run one after another and must not
// block. A thing made with loop_*_new is ended with its loop_*_free, also from inside its own
// callback; freeing NULLs the pointer. Trap: ZMQ_FD is edge-triggered. loop_zmq reads ZMQ_EVENTS
// before the loop sleeps and after it wakes, so a callback that stops in the middle of a full
// socket is called again in the next turn.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

struct loop;
struct loop_timer;
struct loop_fd;
struct loop_signal;
struct loop_zmq;
struct loop_flush;
struct loop_work;

enum { LOOP_READ = 1, LOOP_WRITE = 2 };

MUST_USE enum err loop_new(struct loop **out, struct err_detail *detail);
void loop_free(struct loop **loop); // everything registered must have been freed before
void loop_run(struct loop *loop);   // until loop_stop
void loop_turn(struct loop *loop);  // until something was ready and is done
void loop_stop(struct loop *loop);

// loop_woke_ms: monotonic ms at which the loop last woke, or should have: if the process was
// stopped or starved while it slept, the time its next timer was due (also for the 20 ms after
// that, in which ZeroMQ's thread brings what had waited). What arrived while it slept arrived no
// earlier than this by more than the sleep's length.
uint64_t loop_woke_ms(const struct loop *loop);

struct loop_timer *loop_timer_new(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_timer_set(struct loop_timer *timer, uint64_t in_ms,
                    uint64_t repeat_ms); // repeat 0 = once; replaces what was set
void loop_timer_cancel(struct loop_timer *timer);
void loop_timer_free(struct loop_timer **timer);

// loop_fd_new: watches a descriptor (not owned) for nothing yet; fn gets the LOOP_READ | LOOP_WRITE
// that hold. An error or a hang-up on the descriptor is reported as both.
struct loop_fd *loop_fd_new(struct loop *loop, int fd, void (*fn)(void *arg, int events),
                            void *arg);
void loop_fd_want(struct loop_fd *watch, int events); // 0 = rest
void loop_fd_free(struct loop_fd **watch);

struct loop_signal *loop_signal_new(struct loop *loop, int signum, void (*fn)(void *arg),
                                    void *arg);
void loop_signal_free(struct loop_signal **sig);

// loop_flush_new: fn is called once before the loop next sleeps, if loop_flush_want was called: what a
// turn has gathered is written at once, without asking first whether it can be.
struct loop_flush *loop_flush_new(struct loop *loop, void (*fn)(void *arg), void *arg);
void loop_flush_want(struct loop_flush *flush);
void loop_flush_free(struct loop_flush **flush);

// loop_zmq_new: calls fn in every turn in which the socket (not owned) has a message to read.
struct loop_zmq *loop_zmq_new(struct loop *loop, void *zmq_socket, void (*fn)(void *arg),
                              void *arg);
void loop_zmq_free(struct loop_zmq **watch);

// loop_work_new: what takes too long for a callback. run(arg) is called on a thread of a small pool, beside the loop and
// beside other work; then end(arg, wanted) on the loop, exactly once. Until then arg is the work's own: run may touch
// nothing that anybody else touches, and nothing of the loop or the log. wanted is false if it was given up
// (loop_work_free) or never began: then end only releases arg. After end the work is gone.
struct loop_work *loop_work_new(struct loop *loop, void (*run)(void *arg),
                                void (*end)(void *arg, bool wanted), void *arg);
// loop_work_free: gives it up, without waiting for it; loop_free waits for what is still running.
void loop_work_free(struct loop_work **work);
