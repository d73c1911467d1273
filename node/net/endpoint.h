// endpoint.h: binding a ZeroMQ socket, with errors that say what to do.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum { ENDPOINT_MAX = 256 };

struct endpoint_option {
    int option;
    int value;
};
// endpoint_set: sets int options; they are ours, so one that ZeroMQ does not take is a bug of ours
// (assert).
void endpoint_set(void *zmq_socket, const struct endpoint_option *options, size_t count);

// Who may connect to an ipc socket.
struct endpoint_access {
    unsigned mode;  // of its file
    uint32_t group; // ENDPOINT_NO_GROUP = the process's own
};
#define ENDPOINT_NO_GROUP UINT32_MAX

// endpoint_bind: binds and writes the real endpoint (with the port the system chose) to bound. An
// ipc socket has its group and its mode before anybody else can connect; a socket file that a dead process left is
// replaced, one that somebody listens on is ERR_CONFLICT.
MUST_USE enum err endpoint_bind(void *zmq_socket, const char *endpoint,
                                struct endpoint_access access, char bound[ENDPOINT_MAX],
                                struct err_detail *detail);
