// fake_node.h: a node that does what a test tells it, in a thread of its own: a ROUTER on a free
// port of the loopback. Header-only, because a unit test is one file.
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zmq.h>

#include "proto/base/mem.h"
#include "proto/wire.h"

enum { FAKE_BYTES = 4 << 20 };

struct fake_node;
// What the node does with a request. fake_send and its kin answer it.
typedef void fake_act(struct fake_node *node, const struct msg_request *request);

struct fake_node {
    fake_act *act;
    void *arg;        // the test's own
    const char *name; // what it calls itself; NULL = "fake"
    bool is_draining; // and says so; as name, of the thread that answers
    char endpoint[64];
    atomic_size_t seen;       // requests that could be read
    atomic_size_t unreadable; // the others; refused
    // of the thread
    void *context, *router, *stop;
    pthread_t thread;
    unsigned char peer[256];
    size_t peer_len;
    unsigned char *bytes, *memory, *scratch;
};

__attribute__((unused)) static void fake_send_bytes(struct fake_node *node, const void *bytes,
                                                    size_t len)
{
    (void)zmq_send(node->router, node->peer, node->peer_len, ZMQ_SNDMORE);
    (void)zmq_send(node->router, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(node->router, bytes, len, 0);
}

__attribute__((unused)) static void fake_send(struct fake_node *node, const struct msg_reply *reply)
{
    struct arena scratch;
    size_t len = 0;

    arena_init(&scratch, node->scratch, FAKE_BYTES);
    if (wire_encode_reply(reply, &scratch, node->bytes, FAKE_BYTES, &len) != ERR_NONE)
        abort();
    fake_send_bytes(node, node->bytes, len);
}

// fake_decide: a decision of count verdicts that are copies of verdict; where a request names
// recipients, each verdict names its own.
__attribute__((unused)) static void fake_decide(struct fake_node *node,
                                                const struct msg_request *request,
                                                const struct msg_verdict *verdict, size_t count)
{
    struct msg_verdict *verdicts = mem_new_array(count + 1, sizeof(*verdicts));
    struct msg_reply reply = {.id = request->id,
                              .node = node->name == NULL ? "fake" : node->name,
                              .draining = node->is_draining,
                              .answer = MSG_DECISION};

    for (size_t i = 0; i < count; i++) {
        verdicts[i] = *verdict;
        if (i < request->check.recipient_total)
            verdicts[i].recipient = request->check.recipients[i];
    }
    reply.decision.verdicts = verdicts;
    reply.decision.verdict_count = count;
    reply.decision.policy_version = 7;
    reply.decision.has_message = request->check.stage == MSG_END;
    reply.decision.message = *verdict;
    fake_send(node, &reply);
    mem_free(verdicts);
}

__attribute__((unused)) static void fake_pong(struct fake_node *node,
                                              const struct msg_request *request)
{
    fake_send(node, &(struct msg_reply){.id = request->id,
                                        .node = node->name == NULL ? "fake" : node->name,
                                        .draining = node->is_draining,
                                        .answer = MSG_PONG,
                                        .pong = {.version = "9", .store = "up"}});
}

__attribute__((unused)) static void
fake_refuse(struct fake_node *node, const struct msg_request *request, enum msg_status status)
{
    fake_send(node, &(struct msg_reply){.id = request->id,
                                        .status = status,
                                        .error = "because of the test",
                                        .draining = node->is_draining,
                                        .node = node->name == NULL ? "fake" : node->name});
}

static bool fake_receive(struct fake_node *node)
{
    size_t len[3] = {0};
    unsigned char *part[3] = {node->peer, node->memory, node->memory};
    const size_t size[3] = {sizeof(node->peer), FAKE_BYTES, FAKE_BYTES};
    struct err_detail detail = {.text = ""};
    struct msg_request request;
    struct arena arena;

    for (size_t i = 0; i < 3; i++) {
        int got = zmq_recv(node->router, part[i], size[i], i == 0 ? ZMQ_DONTWAIT : 0);

        if (got < 0)
            return false;
        len[i] = (size_t)got;
    }
    node->peer_len = len[0];
    arena_init(&arena, node->memory + len[2], 2 * FAKE_BYTES - len[2]);
    if (wire_decode_request(node->memory, len[2], &arena, &request, &detail) != ERR_NONE) {
        atomic_fetch_add(&node->unreadable, 1);
        fake_send(node, &(struct msg_reply){
                            .id = request.id, .status = MSG_BAD_REQUEST, .error = detail.text});
        return true;
    }
    atomic_fetch_add(&node->seen, 1);
    if (node->act != NULL)
        node->act(node, &request);
    return true;
}

static void *fake_run(void *arg)
{
    struct fake_node *node = arg;
    zmq_pollitem_t item[] = {
        {.socket = node->router, .events = ZMQ_POLLIN},
        {.socket = node->stop, .events = ZMQ_POLLIN},
    };

    while (zmq_poll(item, 2, -1) >= 0 && item[1].revents == 0) {
        while (fake_receive(node))
            continue;
    }
    return NULL;
}

// fake_start_as: endpoint NULL = a free port. name and arg are the node's before it answers.
__attribute__((unused)) static void fake_start_as(struct fake_node *node, fake_act *act,
                                                  const char *endpoint, const char *name, void *arg)
{
    size_t size = sizeof(node->endpoint);
    int linger = 0;
    char stop[64];

    *node = (struct fake_node){.act = act, .name = name, .arg = arg, .context = zmq_ctx_new()};
    node->bytes = mem_new(FAKE_BYTES);
    node->memory = mem_new(2 * FAKE_BYTES);
    node->scratch = mem_new(FAKE_BYTES);
    node->router = zmq_socket(node->context, ZMQ_ROUTER);
    node->stop = zmq_socket(node->context, ZMQ_PAIR);
    (void)zmq_setsockopt(node->router, ZMQ_LINGER, &linger, sizeof(linger));
    (void)snprintf(stop, sizeof(stop), "inproc://stop-%p", (void *)node);
    if (zmq_bind(node->router, endpoint == NULL ? "tcp://127.0.0.1:*" : endpoint) != 0 ||
        zmq_getsockopt(node->router, ZMQ_LAST_ENDPOINT, node->endpoint, &size) != 0 ||
        zmq_bind(node->stop, stop) != 0 || pthread_create(&node->thread, NULL, fake_run, node) != 0)
        abort();
}

__attribute__((unused)) static void fake_start(struct fake_node *node, fake_act *act,
                                               const char *endpoint)
{
    fake_start_as(node, act, endpoint, NULL, NULL);
}

__attribute__((unused)) static void fake_stop(struct fake_node *node)
{
    void *pair = zmq_socket(node->context, ZMQ_PAIR);
    char stop[64];

    (void)snprintf(stop, sizeof(stop), "inproc://stop-%p", (void *)node);
    if (zmq_connect(pair, stop) != 0 || zmq_send(pair, "", 0, 0) != 0)
        abort();
    (void)pthread_join(node->thread, NULL);
    (void)zmq_close(pair);
    (void)zmq_close(node->router);
    (void)zmq_close(node->stop);
    (void)zmq_ctx_term(node->context);
    mem_free(node->bytes);
    mem_free(node->memory);
    mem_free(node->scratch);
}
