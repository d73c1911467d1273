// client.h: what a struct reeve is made of, for the files of this library.
//
//     reeve_fd (epoll) --+-- link to the lookup door (ZMQ_FD)
//                        +-- link to the admin door (ZMQ_FD), if there is one
//                        `-- timer: the next deadline, or at once when something waits already
//
// The timer is what makes reeve_fd level-triggered: libzmq's descriptors tell of a message only
// once, so whenever a call returns while there is still something to do, the timer is set to now.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/ask.h"
#include "client/lib/link.h"
#include "client/lib/reeve.h"
#include "proto/msg.h"

struct reeve {
    void *context; // libzmq's
    struct link lookups;
    struct link admin;
    int epoll_fd;
    int timer_fd;
    uint64_t timer_ms; // what it is set to; 0 = now, UINT64_MAX = off
    struct asks asks;
    uint64_t deadline_ms;
    uint64_t admin_deadline_ms;
    size_t in_flight_max;
    enum reeve_fallback fallback;
    bool is_closing;
    char gateway[MSG_GATEWAY_MAX + 1];
    // Memory to encode a request in, allocated once: bytes, and what protobuf-c needs meanwhile.
    unsigned char *encoded;
    unsigned char *scratch;
};

enum {
    CLIENT_ENCODED_MAX = 1 << 20, // 1000 recipients of 320 bytes and all else fit three times
    CLIENT_SCRATCH_MAX = 2 << 20,
};

// client_start: takes the question, numbers it and sends it if a node is there. wait_ms: its time
// to live.
void client_start(struct reeve *reeve, struct ask *ask, uint64_t wait_ms);
// client_end_all: every question gets the fallback.
void client_end_all(struct reeve *reeve, const char *why);
