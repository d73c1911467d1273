// ldap_peer.h: a directory server that answers bind and search as a test tells it, or misbehaves. It lives in the test's
// own loop, on a free port of loopback, and reads no more of a request than which it is (RFC 4511 4.1.1). Header-only,
// because a unit test is one file.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/base/loop.h"

enum ldap_peer_manner {
    LDAP_PEER_ANSWERS,
    LDAP_PEER_HANGS_UP,         // as soon as it is asked
    LDAP_PEER_SAYS_NOTHING,     // to anything
    LDAP_PEER_SAYS_GARBAGE,     // to anything
    LDAP_PEER_DRIPS,            // a byte every now and then
    LDAP_PEER_ANNOUNCES_MUCH,   // a message of 1 GiB
    LDAP_PEER_FORGETS_SEARCHES, // answers bind alone
    LDAP_PEER_LEAVES,           // hangs up once it has answered a search
    LDAP_PEER_REFERS,           // to another server, and finds nothing itself
    LDAP_PEER_REFERS_ON,        // to others without an end
    LDAP_PEER_ANSWERS_ANOTHER,  // with the number of a question that was not asked
};

enum { LDAP_PEER_CONNECTIONS = 32, LDAP_PEER_BYTES = 8192, LDAP_PEER_DRIP_MS = 50 };

struct ldap_peer;

struct ldap_peer_link {
    struct ldap_peer *peer;
    int fd; // -1 = none
    struct loop_fd *watch;
    uint8_t out[LDAP_PEER_BYTES]; // what drips
    size_t out_used, out_sent;
};

struct ldap_peer {
    struct loop *loop;
    int fd;
    struct loop_fd *watch;
    struct loop_timer *drip;
    char uri[64];
    struct ldap_peer_link link[LDAP_PEER_CONNECTIONS];
    // What the test says.
    enum ldap_peer_manner manner;
    unsigned entries;  // that a search finds
    int result;        // of a search
    int bind_result;   // of a bind
    const char *value; // of the attribute `mail` of an entry; NULL = it has none
    // What it saw.
    unsigned connections, binds, searches, open, most_open;
    uint8_t heard[LDAP_PEER_BYTES]; // the last request
    size_t heard_len;
};

enum {
    LDAP_TAG_TEXT = 0x04,
    LDAP_TAG_SEQUENCE = 0x30,
    LDAP_TAG_SET = 0x31,
    LDAP_TAG_UNBIND = 0x42,
    LDAP_TAG_BIND = 0x60,
    LDAP_TAG_BOUND = 0x61,
    LDAP_TAG_SEARCH = 0x63,
    LDAP_TAG_ENTRY = 0x64,
    LDAP_TAG_FOUND = 0x65,
    LDAP_TAG_REFERENCE = 0x73,
};

static inline void ldap_peer_hang_up(struct ldap_peer_link *link)
{
    loop_fd_free(&link->watch);
    if (link->fd >= 0) {
        (void)close(link->fd);
        link->peer->open--;
    }
    link->fd = -1;
}

static inline void ldap_peer_send(struct ldap_peer_link *link, const void *bytes, size_t len)
{
    if (link->peer->manner == LDAP_PEER_DRIPS) {
        assert_true(link->out_used + len <= sizeof(link->out));
        memcpy(link->out + link->out_used, bytes, len);
        link->out_used += len;
    } else {
        (void)!send(link->fd, bytes, len, MSG_NOSIGNAL); // what is gone is gone
    }
}

static inline void ldap_peer_drip(void *arg)
{
    struct ldap_peer *peer = arg;

    for (size_t i = 0; i < LDAP_PEER_CONNECTIONS; i++) {
        struct ldap_peer_link *link = &peer->link[i];

        if (link->fd >= 0 && link->out_sent < link->out_used)
            (void)!send(link->fd, link->out + link->out_sent++, 1, MSG_NOSIGNAL);
    }
}

// Of up to 127 bytes: the short form.
static inline size_t ldap_peer_put(uint8_t *at, uint8_t tag, const void *bytes, size_t len)
{
    assert_true(len < 128);
    at[0] = tag;
    at[1] = (uint8_t)len;
    if (len > 0)
        memcpy(at + 2, bytes, len);
    return len + 2;
}

// A whole message: its number, and what is said.
static inline void ldap_peer_say(struct ldap_peer_link *link, uint8_t id, uint8_t tag,
                                 const void *bytes, size_t len)
{
    uint8_t inner[160] = {0x02, 0x01, id};
    uint8_t whole[170];
    const size_t size = 3 + ldap_peer_put(inner + 3, tag, bytes, len);

    ldap_peer_send(link, whole, ldap_peer_put(whole, LDAP_TAG_SEQUENCE, inner, size));
}

static inline void ldap_peer_result(struct ldap_peer_link *link, uint8_t id, uint8_t tag,
                                    int result)
{
    const uint8_t bytes[] = {0x0a, 0x01, (uint8_t)result, LDAP_TAG_TEXT, 0, LDAP_TAG_TEXT, 0};

    ldap_peer_say(link, id, tag, bytes, sizeof(bytes));
}

static inline void ldap_peer_entry(struct ldap_peer_link *link, uint8_t id)
{
    const char *text = link->peer->value;
    uint8_t value[130];
    uint8_t attribute[130];
    uint8_t list[130];
    uint8_t entry[130];
    size_t len = ldap_peer_put(entry, LDAP_TAG_TEXT, "cn=x", 4);
    size_t size = 0;

    if (text != NULL) {
        const size_t name = ldap_peer_put(attribute, LDAP_TAG_TEXT, "mail", 4);

        size = ldap_peer_put(value, LDAP_TAG_TEXT, text, strlen(text));
        size = name + ldap_peer_put(attribute + name, LDAP_TAG_SET, value, size);
        size = ldap_peer_put(list, LDAP_TAG_SEQUENCE, attribute, size);
    }
    len += ldap_peer_put(entry + len, LDAP_TAG_SEQUENCE, list, size);
    ldap_peer_say(link, id, LDAP_TAG_ENTRY, entry, len);
}

static inline void ldap_peer_refer(struct ldap_peer_link *link, uint8_t id)
{
    static const char URI[] = "ldap://127.0.0.1:1/dc=x";
    uint8_t reference[64];

    ldap_peer_say(link, id, LDAP_TAG_REFERENCE, reference,
                  ldap_peer_put(reference, LDAP_TAG_TEXT, URI, strlen(URI)));
}

static inline void ldap_peer_find(struct ldap_peer_link *link, uint8_t id)
{
    const struct ldap_peer *peer = link->peer;
    const unsigned references = peer->manner == LDAP_PEER_REFERS      ? 3
                                : peer->manner == LDAP_PEER_REFERS_ON ? 1000
                                                                      : 0;

    if (peer->manner == LDAP_PEER_FORGETS_SEARCHES)
        return;
    if (peer->manner == LDAP_PEER_ANSWERS_ANOTHER)
        id = (uint8_t)(id + 1);
    for (unsigned i = 0; i < references; i++)
        ldap_peer_refer(link, id);
    for (unsigned i = 0; i < peer->entries; i++)
        ldap_peer_entry(link, id);
    if (peer->manner == LDAP_PEER_REFERS_ON)
        return;
    ldap_peer_result(link, id, LDAP_TAG_FOUND, peer->result);
    if (peer->manner == LDAP_PEER_LEAVES)
        ldap_peer_hang_up(link);
}

// Of a request: 30 length 02 01 id tag ...; its length may be in the long form.
static inline void ldap_peer_heard(struct ldap_peer_link *link, const uint8_t *bytes, size_t len)
{
    struct ldap_peer *peer = link->peer;
    const size_t head = (bytes[1] & 0x80) != 0 ? 2U + (bytes[1] & 0x7fU) : 2U;

    assert_true(len >= head + 4 && bytes[0] == LDAP_TAG_SEQUENCE && bytes[head + 1] == 1);
    const uint8_t id = bytes[head + 2];
    const uint8_t tag = bytes[head + 3];

    if (tag == LDAP_TAG_UNBIND)
        return;
    memcpy(peer->heard, bytes, len);
    peer->heard_len = len;
    if (tag == LDAP_TAG_BIND) {
        peer->binds++;
        ldap_peer_result(link, id, LDAP_TAG_BOUND, peer->bind_result);
    } else if (tag == LDAP_TAG_SEARCH) {
        peer->searches++;
        ldap_peer_find(link, id);
    }
}

static inline void ldap_peer_readable(void *arg, int events)
{
    static const uint8_t MUCH[] = {LDAP_TAG_SEQUENCE, 0x84, 0x40, 0, 0, 0, 2, 1, 1, LDAP_TAG_BOUND};
    static const char GARBAGE[] = // longer than what its second byte announces, were it a message
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain\r\nConnection: close\r\n\r\n"
        "this is no directory server\r\n";
    struct ldap_peer_link *link = arg;
    uint8_t bytes[LDAP_PEER_BYTES];
    const ssize_t len = recv(link->fd, bytes, sizeof(bytes), MSG_DONTWAIT);

    (void)events;
    if (len <= 0 || link->peer->manner == LDAP_PEER_HANGS_UP)
        ldap_peer_hang_up(link);
    else if (link->peer->manner == LDAP_PEER_SAYS_GARBAGE)
        ldap_peer_send(link, GARBAGE, strlen(GARBAGE));
    else if (link->peer->manner == LDAP_PEER_ANNOUNCES_MUCH)
        ldap_peer_send(link, MUCH, sizeof(MUCH));
    else if (link->peer->manner != LDAP_PEER_SAYS_NOTHING)
        ldap_peer_heard(link, bytes, (size_t)len);
}

static inline void ldap_peer_connected(void *arg, int events)
{
    struct ldap_peer *peer = arg;
    struct ldap_peer_link *link = peer->link;
    const int on = 1;

    (void)events;
    while (link->fd >= 0)
        assert_true(++link < peer->link + LDAP_PEER_CONNECTIONS);
    link->fd = accept(peer->fd, NULL, NULL);
    assert_true(link->fd >= 0);
    (void)setsockopt(link->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    link->out_used = 0;
    link->out_sent = 0;
    link->watch = loop_fd_new(peer->loop, link->fd, ldap_peer_readable, link);
    loop_fd_want(link->watch, LOOP_READ);
    peer->connections++;
    peer->open++;
    if (peer->open > peer->most_open)
        peer->most_open = peer->open;
}

static inline void ldap_peer_listen(struct ldap_peer *peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(address);

    peer->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(peer->fd, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(peer->fd, 64), 0);
    assert_int_equal(getsockname(peer->fd, (struct sockaddr *)&address, &len), 0);
    (void)snprintf(peer->uri, sizeof(peer->uri), "ldap://127.0.0.1:%u", ntohs(address.sin_port));
    peer->watch = loop_fd_new(peer->loop, peer->fd, ldap_peer_connected, peer);
    loop_fd_want(peer->watch, LOOP_READ);
}

static inline void ldap_peer_open(struct ldap_peer *peer, struct loop *loop,
                                  enum ldap_peer_manner manner)
{
    memset(peer, 0, sizeof(*peer));
    peer->loop = loop;
    peer->manner = manner;
    peer->entries = 1;
    for (size_t i = 0; i < LDAP_PEER_CONNECTIONS; i++) {
        peer->link[i].peer = peer;
        peer->link[i].fd = -1;
    }
    ldap_peer_listen(peer);
    peer->drip = loop_timer_new(loop, ldap_peer_drip, peer);
    loop_timer_set(peer->drip, LDAP_PEER_DRIP_MS, LDAP_PEER_DRIP_MS);
}

// ldap_peer_close: nobody is there any more: who connects is refused.
static inline void ldap_peer_close(struct ldap_peer *peer)
{
    for (size_t i = 0; i < LDAP_PEER_CONNECTIONS; i++)
        ldap_peer_hang_up(&peer->link[i]);
    loop_timer_free(&peer->drip);
    loop_fd_free(&peer->watch);
    if (peer->fd >= 0)
        (void)close(peer->fd);
    peer->fd = -1;
}

// ldap_peer_has_heard: that these bytes are in the last request.
static inline bool ldap_peer_has_heard(const struct ldap_peer *peer, const char *text)
{
    return memmem(peer->heard, peer->heard_len, text, strlen(text)) != NULL;
}
