// link.c: the only file that speaks to nodes. Promises: no call blocks, and nothing a peer sends
// does more than be received or swallowed.
#include "client/lib/link.h"

#include <errno.h>
#include <zmq.h>

struct link_option {
    int name, value;
    const char *what;
};

static enum err set_options(void *socket, const struct link_option *option, size_t count,
                            struct err_detail *detail)
{
    for (size_t i = 0; i < count; i++) {
        if (zmq_setsockopt(socket, option[i].name, &option[i].value, sizeof(option[i].value)) != 0)
            return err_say(detail, ERR_SYSTEM, "cannot set %s: %s", option[i].what,
                           zmq_strerror(zmq_errno()));
    }
    return ERR_NONE;
}

// IMMEDIATE: without it a DEALER queues for servers that are not there. All of these hold for
// connections made after they are set.
static enum err configure(void *socket, bool is_ipv6, unsigned queue_max, size_t message_max,
                          struct err_detail *detail)
{
    const struct link_option option[] = {
        {ZMQ_IMMEDIATE, 1, "IMMEDIATE"},
        {ZMQ_LINGER, 0, "LINGER"},
        {ZMQ_HEARTBEAT_IVL, 1000, "HEARTBEAT_IVL"},
        {ZMQ_HEARTBEAT_TIMEOUT, 2500, "HEARTBEAT_TIMEOUT"},
        {ZMQ_HEARTBEAT_TTL, 3000, "HEARTBEAT_TTL"},
        {ZMQ_HANDSHAKE_IVL, 3000, "HANDSHAKE_IVL"},
        {ZMQ_RECONNECT_IVL, 100, "RECONNECT_IVL"},
        {ZMQ_RECONNECT_IVL_MAX, 5000, "RECONNECT_IVL_MAX"},
        {ZMQ_SNDHWM, (int)queue_max, "SNDHWM"},
        {ZMQ_RCVHWM, (int)queue_max, "RCVHWM"},
        {ZMQ_IPV6, is_ipv6, "IPV6"},
    };
    const int64_t bytes_max = (int64_t)message_max;
    enum err err = set_options(socket, option, sizeof(option) / sizeof(option[0]), detail);

    if (err == ERR_NONE &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof(bytes_max)) != 0)
        err = err_say(detail, ERR_SYSTEM, "cannot set MAXMSGSIZE: %s", zmq_strerror(zmq_errno()));
    return err;
}

static enum err connect_to(struct link *link, const struct endpoint *endpoint,
                           struct err_detail *detail)
{
    size_t size = sizeof(link->fd);

    if (zmq_connect(link->socket, endpoint->text) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot connect to '%s': %s", endpoint->text,
                       zmq_strerror(zmq_errno()));
    if (zmq_getsockopt(link->socket, ZMQ_FD, &link->fd, &size) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot watch '%s': %s", endpoint->text,
                       zmq_strerror(zmq_errno()));
    return ERR_NONE;
}

enum err link_open(struct link *link, void *context, const struct endpoint *endpoint,
                   unsigned queue_max, size_t message_max, struct err_detail *detail)
{
    struct link made = {.socket = zmq_socket(context, ZMQ_DEALER), .fd = -1, .endpoint = *endpoint};
    enum err err;

    if (made.socket == NULL)
        return err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    err = configure(made.socket, endpoint->is_ipv6, queue_max, message_max, detail);
    if (err == ERR_NONE)
        err = connect_to(&made, endpoint, detail);
    if (err != ERR_NONE) {
        link_close(&made);
        return err;
    }
    *link = made;
    return ERR_NONE;
}

void link_close(struct link *link)
{
    if (link->socket != NULL)
        (void)zmq_close(link->socket);
    *link = (struct link){.socket = NULL, .fd = -1};
}

void link_renew(struct link *link, uint64_t now_ms)
{
    if (link->socket == NULL ||
        (link->renewed_ms != 0 && now_ms < link->renewed_ms + LINK_RENEW_MS))
        return;
    link->renewed_ms = now_ms;
    (void)zmq_disconnect(link->socket, link->endpoint.text);
    (void)zmq_connect(link->socket, link->endpoint.text); // without memory: the next one tries
}

static bool has_event(const struct link *link, int wanted)
{
    int events = 0;
    size_t size = sizeof(events);

    if (link->socket == NULL)
        return false;
    while (zmq_getsockopt(link->socket, ZMQ_EVENTS, &events, &size) != 0) {
        if (zmq_errno() != EINTR)
            return false;
    }
    return (events & wanted) != 0;
}

bool link_has_input(const struct link *link)
{
    return has_event(link, ZMQ_POLLIN);
}

bool link_can_send(const struct link *link)
{
    return has_event(link, ZMQ_POLLOUT);
}

bool link_send(const struct link *link, const void *bytes, size_t len)
{
    if (link->socket == NULL || zmq_send(link->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) < 0)
        return false;
    // After the first part libzmq takes the second, or drops both with the connection: then the
    // request is lost like any other that was under way there.
    while (zmq_send(link->socket, bytes, len, ZMQ_DONTWAIT) < 0 && zmq_errno() == EINTR)
        continue;
    return true;
}

static bool receive_part(const struct link *link, zmq_msg_t *part)
{
    while (zmq_msg_recv(part, link->socket, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR)
            return false;
    }
    return true;
}

bool link_receive(const struct link *link, void (*fn)(void *arg, void *bytes, size_t len),
                  void *arg)
{
    zmq_msg_t delimiter, payload, *part = &delimiter;
    size_t count = 0;
    bool more = link->socket != NULL;

    (void)zmq_msg_init(&delimiter);
    (void)zmq_msg_init(&payload);
    while (more && receive_part(link, part)) {
        count++;
        more = zmq_msg_more(part) != 0;
        part = &payload; // of more than two parts none is kept
    }
    if (count == 2 && zmq_msg_size(&delimiter) == 0)
        fn(arg, zmq_msg_data(&payload), zmq_msg_size(&payload));
    (void)zmq_msg_close(&delimiter);
    (void)zmq_msg_close(&payload);
    return count > 0;
}
