// session.h: one connection of a Postfix process, from accept to close.
//
//             bytes of a request                the request is whole            the node answered
//     READING ------------------> READING (+seat) ---------------> ASKING ------------------------>
//     READING
//        |  no seat is free          | broken, hung up, or             |  the answer does not fit ^
//        v                           | 60 s unfinished                 v  in the socket's buffer |
//     STARVED                        v                              WRITING
//     ---------------------------+
//                                  closed                              60 s unread: closed
//
// ASKING is first about SPF (client/spf/desk.h), for as long as the configuration allows, and then
// of the node, with what SPF said by then.
//
// There is never more than one question and one answer of a connection under way: what else it sent
// waits in its socket, unread. So answers come in order, what is kept of a slow reader is one
// answer, and pipelined requests cost no memory here.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "client/lib/reeve.h"
#include "client/policyd/config.h"
#include "client/policyd/journal.h"
#include "client/policyd/recipients.h"
#include "client/policyd/seats.h"
#include "client/policyd/sent.h"
#include "client/spf/desk.h"
#include "proto/base/loop.h"

struct session;
TAILQ_HEAD(session_list, session);

// What all sessions share. Its owner (service.c) fills the first block, and zeroes the rest but for
// the lists.
struct session_hub {
    struct loop *loop;
    struct reeve *reeve;
    const struct policyd_config *config;
    struct policy_seats *seats;
    struct recipients *recipients;
    struct spf_desk *spf;    // NULL = SPF is not evaluated
    struct sent *sent;       // NULL = nobody is told of mail that was sent
    void (*gone)(void *arg); // a session was closed; it may not close others
    void *gone_arg;

    struct journal journal;
    bool draining; // sessions end when they have nothing under way
    size_t count;  // of all
    struct session_list all;
    struct session_list stalled; // unfinished requests and unread answers, oldest first
    struct session_list starved; // have bytes to read and no seat, oldest first
    unsigned char scratch[POLICY_REQUEST_MAX];
};

void session_hub_init(struct session_hub *hub);

// session_new: takes the connected, non-blocking descriptor.
void session_new(struct session_hub *hub, int fd);
// session_sweep: closes the sessions that have been stalled for longer than the configuration
// allows.
void session_sweep(struct session_hub *hub);
// session_drain_all: from now on sessions end as soon as they have nothing under way; the idle ones
// at once.
void session_drain_all(struct session_hub *hub);
// session_close_all: closes whatever is open; questions under way are forgotten.
void session_close_all(struct session_hub *hub);
