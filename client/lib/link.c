// link.c: the only file that speaks to nodes. Promises: no call blocks, and nothing a peer sends
// does more than be received or swallowed.
#include "client/lib/link.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
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
static enum err configure(void *socket, const struct link_plan *plan, struct err_detail *detail)
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
        {ZMQ_SNDHWM, (int)plan->queue_max, "SNDHWM"},
        {ZMQ_RCVHWM, (int)plan->queue_max, "RCVHWM"},
        {ZMQ_IPV6, plan->endpoint.is_ipv6, "IPV6"},
    };
    const int64_t bytes_max = (int64_t)plan->message_max;
    enum err err = set_options(socket, option, sizeof(option) / sizeof(option[0]), detail);

    if (err == ERR_NONE &&
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof(bytes_max)) != 0)
        err = err_say(detail, ERR_SYSTEM, "cannot set MAXMSGSIZE: %s", zmq_strerror(zmq_errno()));
    return err;
}

// open_monitor: RCVHWM 0, because libzmq's I/O thread, which all links share, would wait for room.
static enum err open_monitor(struct link *link, const struct link_plan *plan,
                             struct err_detail *detail)
{
    const struct link_option option[] = {{ZMQ_RCVHWM, 0, "RCVHWM"}, {ZMQ_LINGER, 0, "LINGER"}};
    const int events = ZMQ_EVENT_HANDSHAKE_SUCCEEDED | ZMQ_EVENT_DISCONNECTED;
    char address[64];
    enum err err;

    (void)snprintf(address, sizeof(address), "inproc://monitor-%llu",
                   (unsigned long long)plan->serial);
    link->monitor = zmq_socket(plan->context, ZMQ_PAIR);
    if (link->monitor == NULL)
        return err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    err = set_options(link->monitor, option, 2, detail);
    if (err == ERR_NONE && (zmq_socket_monitor(link->socket, address, events) != 0 ||
                            zmq_connect(link->monitor, address) != 0))
        err = err_say(detail, ERR_SYSTEM, "cannot monitor a socket: %s", zmq_strerror(zmq_errno()));
    return err;
}

static enum err connect_to(struct link *link, struct err_detail *detail)
{
    size_t size = sizeof(link->fd);

    if (zmq_connect(link->socket, link->endpoint.text) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot connect to '%s': %s", link->endpoint.text,
                       zmq_strerror(zmq_errno()));
    if (zmq_getsockopt(link->socket, ZMQ_FD, &link->fd, &size) != 0 ||
        zmq_getsockopt(link->monitor, ZMQ_FD, &link->monitor_fd, &size) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot watch '%s': %s", link->endpoint.text,
                       zmq_strerror(zmq_errno()));
    return ERR_NONE;
}

enum err link_open(struct link *link, const struct link_plan *plan, uint64_t now_ms,
                   struct err_detail *detail)
{
    struct link made = {
        .socket = zmq_socket(plan->context, ZMQ_DEALER),
        .fd = -1,
        .monitor_fd = -1,
        .endpoint = plan->endpoint,
        .renew_ms = now_ms + LINK_RENEW_MS,
    };
    enum err err;

    if (made.socket == NULL)
        return err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", zmq_strerror(zmq_errno()));
    err = configure(made.socket, plan, detail);
    if (err == ERR_NONE)
        err = open_monitor(&made, plan, detail);
    if (err == ERR_NONE)
        err = connect_to(&made, detail);
    if (err != ERR_NONE) {
        link_close(&made);
        return err;
    }
    *link = made;
    link_look(link, now_ms); // libzmq tells of what comes only after somebody found nothing
    return ERR_NONE;
}

void link_close(struct link *link)
{
    if (link->monitor != NULL) {
        (void)zmq_socket_monitor(link->socket, NULL, 0);
        (void)zmq_close(link->monitor);
    }
    if (link->socket != NULL)
        (void)zmq_close(link->socket);
    *link = (struct link){.socket = NULL, .fd = -1, .monitor_fd = -1};
}

void link_renew(struct link *link, uint64_t now_ms)
{
    if (link->socket == NULL || link->is_up || now_ms < link->renew_ms)
        return;
    link->renew_ms = now_ms + LINK_RENEW_MS;
    (void)zmq_disconnect(link->socket, link->endpoint.text);
    (void)zmq_connect(link->socket, link->endpoint.text); // without memory: the next one tries
}

// ---- what became of the connection

static int receive_frame(void *monitor, void *bytes, size_t size)
{
    int len;

    do {
        len = zmq_recv(monitor, bytes, size, ZMQ_DONTWAIT);
    } while (len < 0 && zmq_errno() == EINTR);
    return len;
}

// receive_event: 0 = there is none. A monitor's message: 16 bits of event and 32 of value in the
// machine's order, then the address.
static uint16_t receive_event(struct link *link)
{
    unsigned char bytes[6], address[ENDPOINT_MAX];
    uint16_t event = 0;

    if (receive_frame(link->monitor, bytes, sizeof(bytes)) < (int)sizeof(bytes))
        return 0;
    (void)receive_frame(link->monitor, address, sizeof(address));
    memcpy(&event, bytes, sizeof(event));
    return event;
}

static void note_event(struct link *link, uint16_t event, uint64_t now_ms)
{
    if (event == ZMQ_EVENT_HANDSHAKE_SUCCEEDED) {
        link->is_up = true;
        link->connects++;
    } else if (event == ZMQ_EVENT_DISCONNECTED && link->is_up) {
        link->was_lost = true;
        link->is_up = false;
        link->renew_ms = now_ms + LINK_RENEW_FIRST_MS;
    }
}

static void look_at_input(struct link *link)
{
    int events = 0;
    size_t size = sizeof(events);

    while (zmq_getsockopt(link->socket, ZMQ_EVENTS, &events, &size) != 0) {
        if (zmq_errno() != EINTR)
            return;
    }
    link->is_readable = (events & ZMQ_POLLIN) != 0;
}

// The monitor first: what a connection brought before it ended is then read before anybody hears
// of the end.
void link_look(struct link *link, uint64_t now_ms)
{
    uint16_t event;

    while ((event = receive_event(link)) != 0)
        note_event(link, event, now_ms);
    look_at_input(link);
}

void link_stirred(const struct link_stir *stir, uint64_t now_ms)
{
    if (stir->by_monitor)
        link_look(stir->link, now_ms);
    else
        stir->link->is_readable = true;
}

// ---- messages

bool link_send(struct link *link, const void *bytes, size_t len)
{
    bool sent = link->is_up && zmq_send(link->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0;

    // After the first part libzmq takes the second, or drops both with the connection: then the
    // request is lost like any other that was under way there.
    while (sent && zmq_send(link->socket, bytes, len, ZMQ_DONTWAIT) < 0 && zmq_errno() == EINTR)
        continue;
    look_at_input(link);
    return sent;
}

static bool receive_part(const struct link *link, zmq_msg_t *part)
{
    while (zmq_msg_recv(part, link->socket, ZMQ_DONTWAIT) < 0) {
        if (zmq_errno() != EINTR)
            return false;
    }
    return true;
}

bool link_receive(struct link *link, void (*fn)(void *arg, void *bytes, size_t len), void *arg)
{
    zmq_msg_t delimiter, payload, *part = &delimiter;
    size_t count = 0;
    bool more = true;

    (void)zmq_msg_init(&delimiter);
    (void)zmq_msg_init(&payload);
    while (more && receive_part(link, part)) {
        count++;
        more = zmq_msg_more(part) != 0;
        part = &payload; // of more than two parts none is kept
    }
    if (count == 0)
        link->is_readable = false; // and an edge will tell of the next one
    if (count == 2 && zmq_msg_size(&delimiter) == 0)
        fn(arg, zmq_msg_data(&payload), zmq_msg_size(&payload));
    else if (count > 0)
        fn(arg, NULL, 0);
    (void)zmq_msg_close(&delimiter);
    (void)zmq_msg_close(&payload);
    return count > 0;
}
