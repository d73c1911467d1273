// adapter.h: joins hiredis' asynchronous context to our loop. (hiredis 0.14's own adapter for libuv
// closes a handle whose memory it has freed, and knows nothing of loop.h.)
#pragma once

#include "proto/base/loop.h"

struct redisAsyncContext;

// adapter_attach: from now on the context's socket is watched; ends by itself when hiredis frees
// the context. Must come before redisAsyncSetConnectCallback, which asks for the first write event.
// before_read is called when there is something to read, and may free the context.
void adapter_attach(struct redisAsyncContext *context, struct loop *loop,
                    void (*before_read)(struct redisAsyncContext *context));
