// pub.c: the XPUB socket. Promises: a subscription message is a stranger's bytes: of any content and
// any number, and one turn of the loop reads PUB_BATCH at most. One that is longer than any topic
// can be ends its connection, because ZeroMQ keeps a tree with a node for each byte.
#include "node/net/pub.h"

#include <errno.h>
#include <string.h>
#include <zmq.h>

#include "node/net/endpoint.h"
#include "proto/base/mem.h"

enum {
    PUB_TOPIC_MAX = 64, // longer subscriptions are compared by their beginning: at worst something
                        // is encoded for nobody
    PUB_TOPICS_MAX = 256, // more different ones: everything counts as wanted
    PUB_BATCH = 256,
    PUB_FRAME_MAX = 128,  // of what a subscriber sends: a greeting, a heartbeat, a topic
    PUB_WAITING_MAX = 64, // subscriptions of one peer that ZeroMQ may take in unread
};

struct subscription {
    char topic[PUB_TOPIC_MAX];
    size_t len;
    unsigned count; // different long topics share a row
};

struct pub {
    struct loop_zmq *watch;
    void *socket;
    char endpoint[ENDPOINT_MAX];
    struct subscription topics[PUB_TOPICS_MAX];
    size_t topic_count;
    size_t untold; // subscriptions that found no row
};

static struct subscription *find(struct pub *pub, const char *topic, size_t len)
{
    for (size_t i = 0; i < pub->topic_count; i++)
        if (pub->topics[i].len == len && memcmp(pub->topics[i].topic, topic, len) == 0)
            return &pub->topics[i];
    return NULL;
}

static void subscribe(struct pub *pub, const char *topic, size_t len)
{
    struct subscription *row = find(pub, topic, len);

    if (row != NULL) {
        row->count++;
        return;
    }
    if (pub->topic_count == PUB_TOPICS_MAX) {
        pub->untold++;
        return;
    }
    row = &pub->topics[pub->topic_count++];
    memcpy(row->topic, topic, len);
    row->len = len;
    row->count = 1;
}

static void unsubscribe(struct pub *pub, const char *topic, size_t len)
{
    struct subscription *row = find(pub, topic, len);

    if (row == NULL) {
        pub->untold -= pub->untold > 0;
        return;
    }
    if (--row->count == 0)
        *row = pub->topics[--pub->topic_count];
}

// XPUB tells a topic's first subscriber (1, topic) and its last one's leaving (0, topic).
static void read_subscriptions(void *arg)
{
    struct pub *pub = arg;
    char frame[1 + PUB_TOPIC_MAX];

    for (unsigned i = 0; i < PUB_BATCH; i++) {
        int got = zmq_recv(pub->socket, frame, sizeof(frame), ZMQ_DONTWAIT);

        if (got < 0)
            return;
        size_t len = (size_t)got < sizeof(frame) ? (size_t)got : sizeof(frame);

        if (len > 0 && frame[0] == 1)
            subscribe(pub, frame + 1, len - 1);
        else if (len > 0 && frame[0] == 0)
            unsubscribe(pub, frame + 1, len - 1);
    }
}

bool pub_is_wanted(const struct pub *pub, const char *topic)
{
    size_t len = strlen(topic);

    if (pub == NULL)
        return false;
    for (size_t i = 0; i < pub->topic_count; i++)
        if (memcmp(pub->topics[i].topic, topic,
                   pub->topics[i].len < len ? pub->topics[i].len : len) == 0)
            return true;
    return pub->untold > 0;
}

void pub_send(struct pub *pub, const char *topic, const void *bytes, size_t len)
{
    if (zmq_send(pub->socket, topic, strlen(topic), ZMQ_SNDMORE | ZMQ_DONTWAIT) >= 0)
        (void)zmq_send(pub->socket, bytes, len, ZMQ_DONTWAIT);
}

const char *pub_endpoint(const struct pub *pub)
{
    return pub->endpoint;
}

enum err pub_new(struct pub **out, struct loop *loop, void *zmq_context, const char *endpoint,
                 struct err_detail *detail)
{
    const struct endpoint_option options[] = {
        {ZMQ_LINGER, 0},           {ZMQ_BACKLOG, 128},
        {ZMQ_SNDHWM, 10000},       {ZMQ_RCVHWM, PUB_WAITING_MAX},
        {ZMQ_HEARTBEAT_IVL, 1000}, {ZMQ_HEARTBEAT_TIMEOUT, 2500}};
    const struct endpoint_access ipc = {.mode = 0660, .group = ENDPOINT_NO_GROUP};
    int64_t message_max = PUB_FRAME_MAX;
    struct pub *pub = mem_new(sizeof(*pub));
    enum err err = ERR_NONE;

    pub->socket = zmq_socket(zmq_context, ZMQ_XPUB);
    if (pub->socket == NULL)
        err = err_say(detail, ERR_SYSTEM, "cannot make a socket: %s", zmq_strerror(errno));
    if (err == ERR_NONE) {
        endpoint_set(pub->socket, options, sizeof(options) / sizeof(options[0]));
        (void)zmq_setsockopt(pub->socket, ZMQ_MAXMSGSIZE, &message_max, sizeof(message_max));
        err = endpoint_bind(pub->socket, endpoint, ipc, pub->endpoint, detail);
    }
    if (err != ERR_NONE) {
        pub_free(&pub);
        return err;
    }
    pub->watch = loop_zmq_new(loop, pub->socket, read_subscriptions, pub);
    *out = pub;
    return ERR_NONE;
}

void pub_free(struct pub **pub)
{
    if (*pub == NULL)
        return;
    loop_zmq_free(&(*pub)->watch);
    if ((*pub)->socket != NULL)
        (void)zmq_close((*pub)->socket);
    mem_free(*pub);
    *pub = NULL;
}
