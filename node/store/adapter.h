// adapter.h: joins hiredis' asynchronous context to our loop. (hiredis 0.14's own adapter for libuv
// closes a handle whose memory it has freed, and knows nothing of loop.h.)
#pragma once

#include <stdbool.h>

#include "proto/base/loop.h"

struct redisAsyncContext;

// adapter_attach: from now on the context's socket is watched; ends by itself when hiredis frees
// the context. Must come before redisAsyncSetConnectCallback, which asks for the first write event.
// False if the context has one already.
bool adapter_attach(struct redisAsyncContext *context, struct loop *loop);
