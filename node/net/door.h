// door.h: a ROUTER socket that requests come in by. It knows frames, not messages.
//
//      in:  [routing id] [empty] [request]        out: [routing id] [empty] [reply]
//
// Whatever is not of that shape is dropped and counted. Sends never block: a caller that is gone,
// or does not read, loses its reply.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/net/endpoint.h"
#include "proto/base/loop.h"
#include "proto/err.h"

struct door_peer { // a routing id
    uint8_t len;
    uint8_t id[255];
};

struct door_config {
    const char *endpoint;       // tcp://address:port, tcp://address:*, ipc://path
    uint64_t message_max;       // bytes of a frame; a larger one disconnects its sender
    unsigned waiting_max;       // messages of one peer taken in unread; the rest waits on its side
    struct endpoint_access ipc; // of an ipc socket
};

struct door_calls {
    // request: one frame, may be changed. age_ms: how long it may have waited unread.
    void (*request)(void *arg, const struct door_peer *peer, void *bytes, size_t len,
                    uint64_t age_ms);
    void (*malformed)(void *arg);
    void *arg;
};

struct door;

// door_new: binds. ERR_SYSTEM with the endpoint and what to do if that fails. zmq_context is
// borrowed.
MUST_USE enum err door_new(struct door **out, struct loop *loop, void *zmq_context,
                           const struct door_config *config, struct door_calls calls,
                           struct err_detail *detail);
void door_free(struct door **door);
// door_endpoint: as bound, with the port that the system chose.
const char *door_endpoint(const struct door *door);
// door_send: false if the peer is gone or does not read.
bool door_send(struct door *door, const struct door_peer *peer, const void *bytes, size_t len);
// door_drain: reads what has come, until the socket is empty (at most 100 ms).
void door_drain(struct door *door);
