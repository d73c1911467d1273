// endpoint.h: what may be written where a node's address is expected, and what libzmq is given for
// it.
#pragma once

#include <stdbool.h>

#include "proto/err.h"

enum { ENDPOINT_MAX = 320 };

struct endpoint {
    char text[ENDPOINT_MAX]; // numeric: libzmq never asks the resolver itself
    bool is_ipv6;
};

// endpoint_resolve: "tcp://HOST:PORT" (HOST a name, an IPv4 address or an IPv6 address in brackets)
// or "ipc://PATH". A name is resolved here, once, and may block as getaddrinfo(3) does; of a name
// with addresses of both families an IPv4 one is taken, because that is where doors listen by
// default. ERR_CONFIG: not of this form; ERR_SYSTEM: the name has no address.
MUST_USE enum err endpoint_resolve(const char *text, struct endpoint *out,
                                   struct err_detail *detail);
