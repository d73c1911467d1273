// link.h: one DEALER socket to one door of one node. Connects and reconnects in the background.
//
// Trap: the descriptors are edge-triggered. They only say "look at the state again", and any call
// here may swallow an edge: so every call leaves in is_readable whether there is something to read,
// and whoever sleeps on the descriptors first asks that.
//
// Whether the peer is there is not asked of the socket (a DEALER is writable as soon as TCP is
// connected, to whatever program) but of libzmq's monitor, which says when the handshake is done
// and when a connection is gone, each time, also when both happened since the last look.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/endpoint.h"
#include "proto/err.h"

// Descriptors that a link needs: mailboxes of the socket, of both ends of its monitor, and TCP.
enum { LINK_DESCRIPTORS = 4 };

// What an event of one of a link's descriptors is about; for epoll's data.
struct link_stir {
    struct link *link;
    bool by_monitor;
};

struct link {
    void *socket; // NULL = there is no such link
    void *monitor;
    int fd, monitor_fd;                     // to be watched for reading, both; then link_stirred
    struct link_stir by_socket, by_monitor; // for the two; filled by whoever watches
    struct endpoint endpoint;
    bool is_up;       // a node has shaken hands
    bool was_lost;    // a connection ended since the owner cleared this
    bool is_readable; // there is something to receive
    uint64_t connects;
    uint64_t renew_ms; // monotonic: when to connect anew if nothing is there until then
};

struct link_plan {
    void *context; // libzmq's; borrowed
    struct endpoint endpoint;
    unsigned queue_max; // messages that wait in either direction
    size_t message_max; // bytes; a peer that sends more is disconnected by libzmq
    uint64_t serial;    // never the same twice in a context
};

MUST_USE enum err link_open(struct link *link, const struct link_plan *plan, uint64_t now_ms,
                            struct err_detail *detail);
void link_close(struct link *link);

// link_look: takes note of connections that came and went, and of what can be read.
void link_look(struct link *link, uint64_t now_ms);

// link_stirred: the same, when a descriptor said so. Only the monitor's is a reason to look at both;
// of the socket's own link_receive finds out, which is one system call less for each.
void link_stirred(const struct link_stir *stir, uint64_t now_ms);

// link_renew: connects once more if the link has been down for LINK_RENEW_FIRST_MS, then every
// LINK_RENEW_MS. To be called at renew_ms or later.
//
// Trap: libzmq comes back from a broken connection by itself, but not from a peer that broke the
// protocol (another program at the node's port, a message that is too long): that one it gives up
// for good, and tells nobody.
enum { LINK_RENEW_FIRST_MS = 1000, LINK_RENEW_MS = 10000 };
void link_renew(struct link *link, uint64_t now_ms);

// link_send: the empty delimiter and len bytes. Never blocks; false = nothing was sent: nobody is
// connected, or the queue is full.
bool link_send(struct link *link, const void *bytes, size_t len);
// link_receive: hands the next message's payload to fn (bytes may be changed, valid during the
// call). A message of any other form than delimiter and payload is handed over as no bytes at NULL.
// False when there was no message; only then is_readable ends.
bool link_receive(struct link *link, void (*fn)(void *arg, void *bytes, size_t len), void *arg);
