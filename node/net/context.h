// context.h: ZeroMQ's context, for those who only hand it on.
#pragma once

// context_new: never NULL; without memory or descriptors the program says so and exits.
void *context_new(void);
// context_free: waits until replies under way were sent, or their linger time is over. Every socket
// must be closed. NULL-safe, NULLs.
void context_free(void **context);
