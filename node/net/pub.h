// pub.h: the stats socket. It publishes to whoever subscribes, and knows whether anybody does, so
// that nothing is encoded for nobody. An XPUB socket: subscribers are ordinary SUB sockets.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/base/loop.h"
#include "proto/err.h"

struct pub;

MUST_USE enum err pub_new(struct pub **out, struct loop *loop, void *zmq_context,
                          const char *endpoint, struct err_detail *detail);
void pub_free(struct pub **pub);
const char *pub_endpoint(const struct pub *pub);

// pub_is_wanted: does somebody subscribe to this topic? NULL pub: no.
bool pub_is_wanted(const struct pub *pub, const char *topic);
// pub_send: two frames, topic and bytes. A subscriber that does not read loses messages; nobody
// waits for it.
void pub_send(struct pub *pub, const char *topic, const void *bytes, size_t len);
