// context.c: ZeroMQ's context. One I/O thread is enough for a node: it moves bytes, the loop
// thinks.
#include "node/net/context.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sysexits.h>
#include <zmq.h>

void *context_new(void)
{
    void *context = zmq_ctx_new();

    if (context == NULL) {
        (void)fprintf(stderr, "cannot start ZeroMQ: %s\n", zmq_strerror(errno));
        exit(EX_OSERR);
    }
    return context;
}

void context_free(void **context)
{
    if (*context == NULL)
        return;
    while (zmq_ctx_term(*context) != 0 && errno == EINTR)
        continue;
    *context = NULL;
}
