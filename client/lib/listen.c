// listen.c: listening to a node's stats socket. Promises: what is damaged or of a kind that this
// version does not know is passed over; reeve_next returns in its time whatever comes.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zmq.h>

#include "client/lib/convert.h"
#include "client/lib/endpoint.h"
#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "proto/wire.h"

enum { TOPIC_MAX = 256, LISTENER_ROOM = 1 << 20 };

struct reeve_listener {
    void *context;
    void *socket;
    char topic[TOPIC_MAX];
    struct reeve_news news;
    unsigned char *memory; // of the news; LISTENER_ROOM
};

// ---- making and ending

static enum err configure(void *socket, const struct endpoint *endpoint, const char *topic,
                          struct err_detail *detail)
{
    const int linger = 0, heartbeat = 1000, timeout = 2500, ipv6 = endpoint->is_ipv6;
    const int reconnect = 100, reconnect_max = 5000;
    const int64_t bytes_max = MSG_LOOKUP_BYTES_MAX;

    if (zmq_setsockopt(socket, ZMQ_LINGER, &linger, sizeof(linger)) != 0 ||
        zmq_setsockopt(socket, ZMQ_HEARTBEAT_IVL, &heartbeat, sizeof(heartbeat)) != 0 ||
        zmq_setsockopt(socket, ZMQ_HEARTBEAT_TIMEOUT, &timeout, sizeof(timeout)) != 0 ||
        zmq_setsockopt(socket, ZMQ_RECONNECT_IVL, &reconnect, sizeof(reconnect)) != 0 ||
        zmq_setsockopt(socket, ZMQ_RECONNECT_IVL_MAX, &reconnect_max, sizeof(reconnect_max)) != 0 ||
        zmq_setsockopt(socket, ZMQ_IPV6, &ipv6, sizeof(ipv6)) != 0 ||
        zmq_setsockopt(socket, ZMQ_MAXMSGSIZE, &bytes_max, sizeof(bytes_max)) != 0 ||
        zmq_setsockopt(socket, ZMQ_SUBSCRIBE, topic, strlen(topic)) != 0 ||
        zmq_connect(socket, endpoint->text) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot listen to '%s': %s", endpoint->text,
                       zmq_strerror(zmq_errno()));
    return ERR_NONE;
}

static enum err open_listener(struct reeve_listener *listener, const char *text, const char *topic,
                              struct err_detail *detail)
{
    struct endpoint endpoint;
    enum err err;

    if (text == NULL || topic == NULL)
        return err_say(detail, ERR_CONFIG, "an endpoint and a topic are needed (\"\" = all)");
    err = endpoint_resolve(text, &endpoint, detail);
    if (err != ERR_NONE)
        return err;
    listener->memory = malloc(LISTENER_ROOM);
    listener->context = zmq_ctx_new();
    if (listener->context != NULL)
        listener->socket = zmq_socket(listener->context, ZMQ_SUB);
    if (listener->socket == NULL || listener->memory == NULL)
        return err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", strerror(errno));
    return configure(listener->socket, &endpoint, topic, detail);
}

enum reeve_error reeve_listen(struct reeve_listener **out, const char *endpoint, const char *topic,
                              char *message, size_t size)
{
    struct err_detail detail = {.text = ""};
    struct reeve_listener *listener = calloc(1, sizeof(*listener));
    enum err err = listener == NULL ? err_say(&detail, ERR_SYSTEM, "out of memory")
                                    : open_listener(listener, endpoint, topic, &detail);

    if (message != NULL && size > 0)
        (void)snprintf(message, size, "%s", detail.text);
    if (err == ERR_NONE) {
        *out = listener;
        return REEVE_OK;
    }
    reeve_listener_free(&listener);
    return err == ERR_CONFIG ? REEVE_BAD_OPTION : REEVE_SYSTEM;
}

void reeve_listener_free(struct reeve_listener **listener)
{
    struct reeve_listener *old = listener == NULL ? NULL : *listener;

    if (old == NULL)
        return;
    if (old->socket != NULL)
        (void)zmq_close(old->socket);
    while (old->context != NULL && zmq_ctx_term(old->context) != 0 && zmq_errno() == EINTR)
        continue;
    free(old->memory);
    free(old);
    *listener = NULL;
}

// ---- news

static enum err convert_metrics(struct arena *arena, const struct msg_stats *stats,
                                const struct reeve_metric **out)
{
    struct reeve_metric *metric = arena_alloc(arena, stats->metric_count * sizeof(*metric));

    if (metric == NULL)
        return ERR_MEMORY;
    for (size_t i = 0; i < stats->metric_count; i++) {
        const struct msg_metric *from = &stats->metrics[i];
        enum err err = convert_pairs(arena, from->labels, from->label_count, &metric[i].labels);

        if (err != ERR_NONE)
            return err;
        metric[i].name = from->name;
        metric[i].value = from->value;
        metric[i].label_count = from->label_count;
    }
    *out = metric;
    return ERR_NONE;
}

static enum err read_stats(struct reeve_news *news, struct arena *arena, void *bytes, size_t len)
{
    struct msg_stats stats;
    enum err err = wire_decode_stats(bytes, len, arena, &stats, NULL);

    if (err != ERR_NONE)
        return err;
    news->node = stats.node;
    news->at_ms = stats.at_ms;
    news->epoch_ms = stats.epoch_ms;
    news->sequence = stats.sequence;
    news->metric_count = stats.metric_count;
    return convert_metrics(arena, &stats, &news->metrics);
}

static enum err read_event(struct reeve_news *news, struct arena *arena, void *bytes, size_t len)
{
    struct msg_event event;
    enum err err = wire_decode_event(bytes, len, arena, &event, NULL);

    if (err != ERR_NONE)
        return err;
    news->node = event.node;
    news->at_ms = event.at_ms;
    news->gateway = event.gateway;
    news->client_ip = event.client_ip;
    news->sender = event.sender;
    news->took_us = event.took_us;
    return convert_verdicts(arena, &event.verdict, 1, &news->verdict);
}

static enum err read_news(struct reeve_listener *listener, void *bytes, size_t len)
{
    struct arena arena;

    arena_init(&arena, listener->memory, LISTENER_ROOM);
    listener->news = (struct reeve_news){
        .topic = listener->topic, .node = "", .gateway = "", .client_ip = "", .sender = ""};
    if (strcmp(listener->topic, "stats") == 0)
        return read_stats(&listener->news, &arena, bytes, len);
    if (strncmp(listener->topic, "decision.", strlen("decision.")) == 0)
        return read_event(&listener->news, &arena, bytes, len);
    return ERR_UNSUPPORTED;
}

static bool take_topic(struct reeve_listener *listener, zmq_msg_t *part)
{
    size_t len = zmq_msg_size(part);

    if (len >= sizeof(listener->topic) || memchr(zmq_msg_data(part), '\0', len) != NULL)
        return false;
    memcpy(listener->topic, zmq_msg_data(part), len);
    listener->topic[len] = '\0';
    return true;
}

// receive_news: one message, if there is one; true if it was news.
static bool receive_news(struct reeve_listener *listener)
{
    zmq_msg_t topic, payload, *part = &topic;
    size_t count = 0;
    bool good = false, more = true;

    (void)zmq_msg_init(&topic);
    (void)zmq_msg_init(&payload);
    while (more && zmq_msg_recv(part, listener->socket, ZMQ_DONTWAIT) >= 0) {
        count++;
        more = zmq_msg_more(part) != 0;
        part = &payload;
    }
    if (count == 2 && take_topic(listener, &topic))
        good = read_news(listener, zmq_msg_data(&payload), zmq_msg_size(&payload)) == ERR_NONE;
    (void)zmq_msg_close(&topic);
    (void)zmq_msg_close(&payload);
    return good;
}

enum reeve_error reeve_next(struct reeve_listener *listener, int timeout_ms,
                            const struct reeve_news **out)
{
    const uint64_t until_ms = clock_mono_ms() + (uint64_t)(timeout_ms < 0 ? 0 : timeout_ms);
    zmq_pollitem_t item = {.socket = listener->socket, .events = ZMQ_POLLIN};

    for (;;) {
        uint64_t now_ms = clock_mono_ms();
        long wait_ms = until_ms > now_ms ? (long)(until_ms - now_ms) : 0;

        if (zmq_poll(&item, 1, wait_ms) <= 0)
            return REEVE_UNREACHABLE;
        if (receive_news(listener)) {
            *out = &listener->news;
            return REEVE_OK;
        }
        if (wait_ms == 0)
            return REEVE_UNREACHABLE;
    }
}
