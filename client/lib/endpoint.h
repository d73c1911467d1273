// endpoint.h: what may be written where a node's address is expected, and what libzmq is given for
// it.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

enum { ENDPOINT_MAX = 320, ENDPOINT_HOST_MAX = 254, ENDPOINT_PORT_MAX = 6 };

struct endpoint {
    char text[ENDPOINT_MAX]; // numeric: libzmq never asks the resolver itself
    bool is_ipv6;
};

// A host name with its port: stands for all addresses of the name.
struct endpoint_name {
    char host[ENDPOINT_HOST_MAX]; // "" = there is no name to look up
    char port[ENDPOINT_PORT_MAX];
};

// endpoint_parse: "tcp://HOST:PORT" (HOST a name, an IPv4 address or an IPv6 address in brackets)
// or "ipc://PATH". An address fills *out and leaves name->host empty; a name fills *name and leaves
// out->text empty. Asks no resolver and never blocks. ERR_CONFIG: not of this form; both are
// untouched.
MUST_USE enum err endpoint_parse(const char *text, struct endpoint *out, struct endpoint_name *name,
                                 struct err_detail *detail);

// endpoint_lookup: all addresses of a name, IPv4 and IPv6, in the resolver's order, max at most.
// Blocks as getaddrinfo(3) does; may run in any thread. ERR_NOT_FOUND: the name has none;
// ERR_SYSTEM: the resolver could not tell. Both leave *count untouched.
MUST_USE enum err endpoint_lookup(const struct endpoint_name *name, struct endpoint *out,
                                  size_t max, size_t *count, struct err_detail *detail);

// endpoint_resolve: endpoint_parse and, for a name, endpoint_lookup; so it may block. Of a name
// with addresses of both families an IPv4 one is taken, because that is where doors listen by
// default.
MUST_USE enum err endpoint_resolve(const char *text, struct endpoint *out,
                                   struct err_detail *detail);
