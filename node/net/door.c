// door.c: the ROUTER socket. Promises: one turn of the loop reads DOOR_BATCH requests at most and
// begins none after DOOR_TURN_MS, so that timers, the store and the other door get theirs; nothing
// blocks; no peer's frames abort the process.
#include "node/net/door.h"

#include <errno.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zmq.h>

#include "node/net/endpoint.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum { DOOR_BATCH = 256, DOOR_TURN_MS = 5, DOOR_DRAIN_MS = 100 };

struct door {
    struct loop *loop;
    struct loop_zmq *watch;
    void *socket;
    struct door_calls calls;
    char endpoint[ENDPOINT_MAX];
    bool emptied;        // the last turn left nothing behind
    uint64_t emptied_ms; // when the socket was last found empty
    uint64_t since_ms;   // what is read now may have waited since then
    struct log_limit malformed_log;
};

// ---- receiving

// Drops what is left of a message. False if there was nothing left.
static void drop_rest(struct door *door)
{
    int more = 1;
    size_t size = sizeof(more);

    while (zmq_getsockopt(door->socket, ZMQ_RCVMORE, &more, &size) == 0 && more != 0) {
        zmq_msg_t part;

        (void)zmq_msg_init(&part);
        int got = zmq_msg_recv(&part, door->socket, ZMQ_DONTWAIT);

        (void)zmq_msg_close(&part);
        if (got < 0)
            return;
    }
}

static bool has_more(struct door *door)
{
    int more = 0;
    size_t size = sizeof(more);

    return zmq_getsockopt(door->socket, ZMQ_RCVMORE, &more, &size) == 0 && more != 0;
}

static bool receive_peer(struct door *door, struct door_peer *peer)
{
    int len = zmq_recv(door->socket, peer->id, sizeof(peer->id), ZMQ_DONTWAIT);

    if (len < 0)
        return false;
    peer->len = (uint8_t)((size_t)len < sizeof(peer->id) ? (size_t)len : sizeof(peer->id));
    return true;
}

// The empty delimiter, then the payload as the last part.
static bool receive_payload(struct door *door, zmq_msg_t *payload)
{
    char delimiter;

    if (!has_more(door) || zmq_recv(door->socket, &delimiter, sizeof(delimiter), ZMQ_DONTWAIT) != 0)
        return false;
    return has_more(door) && zmq_msg_recv(payload, door->socket, ZMQ_DONTWAIT) >= 0 &&
           !has_more(door);
}

static void count_malformed(struct door *door)
{
    door->calls.malformed(door->calls.arg);
    log_limited(&door->malformed_log, clock_mono_ms(), LOG_WARN_LEVEL,
                "dropped a message that is not an empty frame and one payload endpoint=%s",
                door->endpoint);
}

static uint64_t age_ms(const struct door *door)
{
    return clock_mono_ms() - door->since_ms;
}

// What comes now came after the socket was found empty, and after the loop woke if it slept since.
// Where the last turn left something behind its age goes on: a crowd that is never read to its end
// gets older than its budget, and is then answered without work until it is.
static void begin_turn(struct door *door)
{
    uint64_t woke_ms = loop_woke_ms(door->loop);

    if (door->emptied)
        door->since_ms = woke_ms > door->emptied_ms ? woke_ms : door->emptied_ms;
    door->emptied = false;
}

// One message. False if the socket was empty.
static bool receive_one(struct door *door)
{
    struct door_peer peer;
    zmq_msg_t payload;

    if (!receive_peer(door, &peer))
        return false;
    (void)zmq_msg_init(&payload);
    if (receive_payload(door, &payload)) {
        door->calls.request(door->calls.arg, &peer, zmq_msg_data(&payload), zmq_msg_size(&payload),
                            age_ms(door));
    } else {
        drop_rest(door);
        count_malformed(door);
    }
    (void)zmq_msg_close(&payload);
    return true;
}

static bool is_readable(const struct door *door)
{
    int events = 0;
    size_t size = sizeof(events);

    return zmq_getsockopt(door->socket, ZMQ_EVENTS, &events, &size) == 0 &&
           (events & ZMQ_POLLIN) != 0;
}

static void receive_turn(struct door *door, unsigned most, uint64_t turn_ms)
{
    uint64_t until_ms = clock_mono_ms() + turn_ms;
    bool found_empty = false;

    begin_turn(door);
    for (unsigned i = 0; i < most && !found_empty && clock_mono_ms() < until_ms; i++)
        found_empty = !receive_one(door);
    // A turn whose time was over may have read the last one all the same.
    if (!found_empty && is_readable(door))
        return;
    door->emptied = true;
    door->emptied_ms = clock_mono_ms();
}

static void receive_some(void *arg)
{
    receive_turn(arg, DOOR_BATCH, DOOR_TURN_MS);
}

void door_drain(struct door *door)
{
    receive_turn(door, UINT_MAX, DOOR_DRAIN_MS);
}

// ---- sending

bool door_send(struct door *door, const struct door_peer *peer, const void *bytes, size_t len)
{
    return zmq_send(door->socket, peer->id, peer->len, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(door->socket, "", 0, ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0 &&
           zmq_send(door->socket, bytes, len, ZMQ_DONTWAIT) >= 0;
}

const char *door_endpoint(const struct door *door)
{
    return door->endpoint;
}

// ---- life

static void set_options(void *socket, const struct door_config *config)
{
    const struct endpoint_option options[] = {
        {ZMQ_ROUTER_MANDATORY, 1},
        {ZMQ_LINGER, 1000},
        {ZMQ_BACKLOG, 512},
        {ZMQ_SNDHWM, 10000},
        {ZMQ_RCVHWM, (int)config->waiting_max},
        {ZMQ_SNDTIMEO, 0},
        {ZMQ_HEARTBEAT_IVL, 1000},
        {ZMQ_HEARTBEAT_TTL, 3000},
        {ZMQ_HEARTBEAT_TIMEOUT, 2500},
        {ZMQ_HANDSHAKE_IVL, 3000},
    };
    int64_t message_max = (int64_t)config->message_max;

    endpoint_set(socket, options, sizeof(options) / sizeof(options[0]));
    (void)zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max));
}

enum err door_new(struct door **out, struct loop *loop, void *zmq_context,
                  const struct door_config *config, struct door_calls calls,
                  struct err_detail *detail)
{
    struct door *door = mem_new(sizeof(*door));
    enum err err = ERR_NONE;

    door->loop = loop;
    door->calls = calls;
    door->socket = zmq_socket(zmq_context, ZMQ_ROUTER);
    if (door->socket == NULL)
        err = err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", zmq_strerror(errno));
    if (err == ERR_NONE) {
        set_options(door->socket, config);
        err = endpoint_bind(door->socket, config->endpoint, config->ipc, door->endpoint, detail);
    }
    if (err != ERR_NONE) {
        door_free(&door);
        return err;
    }
    door->watch = loop_zmq_new(loop, door->socket, receive_some, door);
    door->emptied = true;
    door->emptied_ms = clock_mono_ms();
    *out = door;
    return ERR_NONE;
}

void door_free(struct door **door)
{
    if (*door == NULL)
        return;
    loop_zmq_free(&(*door)->watch);
    if ((*door)->socket != NULL)
        (void)zmq_close((*door)->socket);
    mem_free(*door);
    *door = NULL;
}
