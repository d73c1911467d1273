// endpoint.h: binding a ZeroMQ socket, with errors that say what to do.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

enum { ENDPOINT_MAX = 256 };

struct endpoint_option {
    int option;
    int value;
};
// endpoint_set: sets int options; they are ours, so one that ZeroMQ does not take is a bug of ours
// (assert).
void endpoint_set(void *zmq_socket, const struct endpoint_option *options, size_t count);

// endpoint_bind: binds and writes the real endpoint (with the port the system chose) to bound. An
// ipc socket gets ipc_mode before anybody can connect; a socket file that a dead process left is
// replaced, one that somebody listens on is ERR_CONFLICT.
MUST_USE enum err endpoint_bind(void *zmq_socket, const char *endpoint, unsigned ipc_mode,
                                char bound[ENDPOINT_MAX], struct err_detail *detail);
