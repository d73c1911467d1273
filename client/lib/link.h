// link.h: one DEALER socket to one door of a node. Connects and reconnects in the background.
//
// Trap: the descriptor is edge-triggered. It only says "look at the state again", and any call here
// may swallow its edge: so whoever sleeps on it first asks link_has_input.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/endpoint.h"
#include "proto/err.h"

struct link {
    void *socket; // NULL = there is no such link
    int fd;
    struct endpoint endpoint;
    uint64_t renewed_ms; // monotonic; 0 = never
};

// link_open: context is a libzmq context (borrowed); no more than queue_max messages wait in either
// direction; a peer that sends one of more than message_max bytes is disconnected by libzmq.
MUST_USE enum err link_open(struct link *link, void *context, const struct endpoint *endpoint,
                            unsigned queue_max, size_t message_max, struct err_detail *detail);
void link_close(struct link *link);

// link_renew: connects once more, and forgets what waits to be sent. For a link over which a
// question could not be sent; does something every LINK_RENEW_MS at most, so that it may be called
// for each of them.
//
// Trap: libzmq comes back from a broken connection by itself, but not from a peer that broke the
// protocol (another program at the node's port, a message that is too long): that one it gives up
// for good, and tells nobody.
enum { LINK_RENEW_MS = 10000 };
void link_renew(struct link *link, uint64_t now_ms);

bool link_has_input(const struct link *link);
// link_can_send: false while nobody is connected, or while its queue is full.
bool link_can_send(const struct link *link);
// link_send: the empty delimiter and len bytes. Never blocks; false = nothing was sent.
bool link_send(const struct link *link, const void *bytes, size_t len);
// link_receive: hands the next message's payload to fn (bytes may be changed, valid during the
// call). A message of any other form than delimiter and payload is swallowed. False when there was
// no message.
bool link_receive(const struct link *link, void (*fn)(void *arg, void *bytes, size_t len),
                  void *arg);
