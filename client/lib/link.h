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
};

// link_open: context is a libzmq context (borrowed); no more than queue_max messages wait in either
// direction; a peer that sends one of more than message_max bytes is disconnected by libzmq.
MUST_USE enum err link_open(struct link *link, void *context, const struct endpoint *endpoint,
                            unsigned queue_max, size_t message_max, struct err_detail *detail);
void link_close(struct link *link);

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
