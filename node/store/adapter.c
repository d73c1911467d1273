// adapter.c: the five hooks of hiredis on one loop_fd. Promises: survives that hiredis frees the
// context, and so this adapter, in the middle of an event. What a turn of the loop wants to send is
// written in one piece before the loop sleeps; only what the socket did not take waits for it to be
// writable.
#include "node/store/adapter.h"

#include <hiredis/async.h>
#include <stdbool.h>
#include <string.h>

#include "proto/base/mem.h"

struct adapter {
    redisAsyncContext *context;
    struct loop_fd *watch;
    struct loop_flush *flush;
    void (*before_read)(redisAsyncContext *context);
    int wanted;
    bool flushing; // what is left when it was written waits for the socket
    bool busy;     // inside on_event or on_flush
    bool gone;     // hiredis freed the context meanwhile
};

static void leave(struct adapter *adapter)
{
    adapter->busy = false;
    if (adapter->gone)
        mem_free(adapter);
}

static void on_event(void *arg, int events)
{
    struct adapter *adapter = arg;

    adapter->busy = true;
    if ((events & LOOP_READ) != 0)
        adapter->before_read(adapter->context);
    if ((events & LOOP_READ) != 0 && !adapter->gone)
        redisAsyncHandleRead(adapter->context);
    if ((events & LOOP_WRITE) != 0 && !adapter->gone)
        redisAsyncHandleWrite(adapter->context);
    leave(adapter);
}

static void on_flush(void *arg)
{
    struct adapter *adapter = arg;

    adapter->busy = true;
    adapter->flushing = true;
    redisAsyncHandleWrite(adapter->context);
    adapter->flushing = false;
    leave(adapter);
}

static void want(struct adapter *adapter, int events)
{
    if (adapter->wanted == events)
        return;
    adapter->wanted = events;
    loop_fd_want(adapter->watch, events);
}

static void add_read(void *arg)
{
    want(arg, ((struct adapter *)arg)->wanted | LOOP_READ);
}

static void del_read(void *arg)
{
    want(arg, ((struct adapter *)arg)->wanted & ~LOOP_READ);
}

// While it is connecting, to be writable is how hiredis learns that it is connected.
static void add_write(void *arg)
{
    struct adapter *adapter = arg;

    if ((adapter->context->c.flags & REDIS_CONNECTED) != 0 && !adapter->flushing)
        loop_flush_want(adapter->flush);
    else
        want(adapter, adapter->wanted | LOOP_WRITE);
}

static void del_write(void *arg)
{
    want(arg, ((struct adapter *)arg)->wanted & ~LOOP_WRITE);
}

static void cleanup(void *arg)
{
    struct adapter *adapter = arg;

    memset(&adapter->context->ev, 0, sizeof(adapter->context->ev)); // never called twice
    loop_fd_free(&adapter->watch);
    loop_flush_free(&adapter->flush);
    if (adapter->busy)
        adapter->gone = true;
    else
        mem_free(adapter);
}

void adapter_attach(redisAsyncContext *context, struct loop *loop,
                    void (*before_read)(redisAsyncContext *context))
{
    struct adapter *adapter = mem_new(sizeof(*adapter));

    adapter->context = context;
    adapter->before_read = before_read;
    adapter->watch = loop_fd_new(loop, context->c.fd, on_event, adapter);
    adapter->flush = loop_flush_new(loop, on_flush, adapter);
    context->ev.data = adapter;
    context->ev.addRead = add_read;
    context->ev.delRead = del_read;
    context->ev.addWrite = add_write;
    context->ev.delWrite = del_write;
    context->ev.cleanup = cleanup;
}
