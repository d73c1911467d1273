// connect.h: from an endpoint on the command line to a link that a node has shaken hands on.
#pragma once

#include <stdint.h>

#include "client/lib/link.h"
#include "proto/err.h"

// connect_node: waits up to 2 seconds. context: libzmq's; serial: never the same twice in it; message_max: bytes of a reply.
// ERR_UNAVAILABLE: no node did; other errors as endpoint_resolve, and ERR_SYSTEM. The detail names the node. The link is the caller's
// to close in any case.
struct connect_plan {
    void *context;
    const char *node; // endpoint as libreeve takes it
    uint64_t serial;
    unsigned queue_max;
    size_t message_max;
};
MUST_USE enum err connect_node(struct link *link, const struct connect_plan *plan,
                               struct err_detail *detail);
