// lookups.c: how many lookups a node answers, as a share of what ZeroMQ alone could do.
//
//      lookups NODE_ENDPOINT
//
// In alternating rounds it sends the same number of requests, 64 under way, to a bare ROUTER that
// echoes messages of the same size, and to the node: known mail (which the store must be asked
// about), and mail that was never seen. Machines differ and are noisy, so only the ratios of one
// run are of use: it prints the median of ROUNDS, and JSON lines with -j.
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <zmq.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/wire.h"

enum { ROUNDS = 9, REQUESTS = 4000, WINDOW = 64, BYTES_MAX = 4096, PATIENCE_MS = 5000 };

static const char *const KNOWN_SENDER = "known@sender.example";

struct bench {
    void *zmq;
    void *node;
    void *echo;
    unsigned char memory[1 << 16];
    uint64_t strangers;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "lookups: %s\n", what);
    exit(1);
}

// ---- the bare ROUTER

static void *echo_run(void *socket)
{
    char frame[BYTES_MAX];

    for (;;) {
        int len = zmq_recv(socket, frame, sizeof(frame), 0);
        int more = 0;
        size_t size = sizeof(more);

        if (len < 0)
            break;
        (void)zmq_getsockopt(socket, ZMQ_RCVMORE, &more, &size);
        (void)zmq_send(socket, frame, (size_t)len, more != 0 ? ZMQ_SNDMORE : 0);
    }
    (void)zmq_close(socket);
    return NULL;
}

static void *connect_to(struct bench *bench, const char *endpoint)
{
    void *socket = zmq_socket(bench->zmq, ZMQ_DEALER);
    int patience_ms = PATIENCE_MS;
    int linger_ms = 0;

    (void)zmq_setsockopt(socket, ZMQ_RCVTIMEO, &patience_ms, sizeof(patience_ms));
    (void)zmq_setsockopt(socket, ZMQ_LINGER, &linger_ms, sizeof(linger_ms));
    if (zmq_connect(socket, endpoint) != 0)
        die("cannot connect");
    return socket;
}

static void start_echo(struct bench *bench)
{
    void *router = zmq_socket(bench->zmq, ZMQ_ROUTER);
    char endpoint[128];
    size_t size = sizeof(endpoint);
    pthread_t thread;

    if (zmq_bind(router, "tcp://127.0.0.1:*") != 0 ||
        zmq_getsockopt(router, ZMQ_LAST_ENDPOINT, endpoint, &size) != 0)
        die("cannot bind the echo");
    if (pthread_create(&thread, NULL, echo_run, router) != 0)
        die("cannot start the echo");
    (void)pthread_detach(thread);
    bench->echo = connect_to(bench, endpoint);
}

// ---- requests

static size_t encode(struct bench *bench, uint64_t id, const char *sender,
                     unsigned char bytes[BYTES_MAX])
{
    static const char *const recipients[] = {"bob@recipient.example"};
    const struct msg_request request = {.id = id,
                                        .budget_ms = PATIENCE_MS,
                                        .gateway = "bench",
                                        .verb = MSG_CHECK,
                                        .check = {.stage = MSG_RCPT,
                                                  .client_ip = "192.0.2.7",
                                                  .client_name = "mx.sender.example",
                                                  .helo = "mx.sender.example",
                                                  .sender = sender,
                                                  .recipients = recipients,
                                                  .recipient_total = 1}};
    struct arena arena;
    size_t len = 0;

    arena_init(&arena, bench->memory, sizeof(bench->memory));
    if (wire_encode_request(&request, &arena, bytes, BYTES_MAX, &len) != ERR_NONE)
        die("cannot encode a request");
    return len;
}

// A sender nobody has seen, in this run or another: letters, because digits are folded.
static const char *stranger(struct bench *bench, char out[64])
{
    uint64_t number = bench->strangers++;
    size_t used = 0;

    for (unsigned i = 0; i < 14; i++, number /= 26)
        out[used++] = (char)('a' + number % 26);
    (void)snprintf(out + used, 64 - used, "@sender.example");
    return out;
}

static void send_one(struct bench *bench, void *socket, uint64_t id, bool strange)
{
    unsigned char bytes[BYTES_MAX];
    char sender[64];
    size_t len = encode(bench, id, strange ? stranger(bench, sender) : KNOWN_SENDER, bytes);

    if (zmq_send(socket, "", 0, ZMQ_SNDMORE) < 0 || zmq_send(socket, bytes, len, 0) < 0)
        die("cannot send");
}

// The verdict's reason goes to reason (of 32 bytes) where it is not NULL.
static void receive_one(struct bench *bench, void *socket, char *reason)
{
    unsigned char bytes[BYTES_MAX];
    struct msg_reply reply;
    struct arena arena;

    if (zmq_recv(socket, bytes, sizeof(bytes), 0) != 0)
        die("no answer, or not of our frames");
    int len = zmq_recv(socket, bytes, sizeof(bytes), 0);

    if (len < 0 || reason == NULL)
        return;
    arena_init(&arena, bench->memory, sizeof(bench->memory));
    if (wire_decode_reply(bytes, (size_t)len, &arena, &reply, NULL) != ERR_NONE ||
        reply.decision.verdict_count != 1)
        die("an answer that is none");
    (void)snprintf(reason, 32, "%s", reply.decision.verdicts[0].reason);
}

// Requests a second, WINDOW under way.
static double rate(struct bench *bench, void *socket, bool strange)
{
    unsigned sent = 0;
    uint64_t began_us = clock_mono_us();

    for (; sent < WINDOW; sent++)
        send_one(bench, socket, sent + 1, strange);
    for (unsigned received = 0; received < REQUESTS; received++) {
        receive_one(bench, socket, NULL);
        if (sent < REQUESTS)
            send_one(bench, socket, ++sent, strange);
    }
    return REQUESTS * 1e6 / (double)(clock_mono_us() - began_us);
}

// Until the known sender is known, and the node defers strangers: else something else would be
// measured.
static void prepare(struct bench *bench)
{
    char reason[32] = "";
    uint64_t until_ms = clock_mono_ms() + PATIENCE_MS;

    while (strcmp(reason, "greylist_known") != 0) {
        if (clock_mono_ms() > until_ms)
            die("the known sender does not become known: is greylist.delay 1s and the store up?");
        send_one(bench, bench->node, 1, false);
        receive_one(bench, bench->node, reason);
        (void)usleep(50000);
    }
    send_one(bench, bench->node, 1, true);
    receive_one(bench, bench->node, reason);
    if (strcmp(reason, "greylist_new") != 0)
        die("a stranger is not deferred: is greylist.mode enforce?");
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a;
    double y = *(const double *)b;

    return (x > y) - (x < y);
}

static void print_median(const char *name, double values[ROUNDS])
{
    qsort(values, ROUNDS, sizeof(values[0]), compare);
    (void)printf("{\"name\": \"%s\", \"value\": %.3f, \"least\": %.3f, \"most\": %.3f, \"unit\": "
                 "\"of a bare ROUTER echo\"}\n",
                 name, values[ROUNDS / 2], values[0], values[ROUNDS - 1]);
}

int main(int argc, char **argv)
{
    struct bench *bench = mem_new(sizeof(*bench));
    double known[ROUNDS];
    double strange[ROUNDS];

    if (argc != 2)
        die("usage: lookups NODE_ENDPOINT (tests/bench/run starts a node for it)");
    bench->zmq = zmq_ctx_new();
    bench->strangers = clock_wall_ms() << 20;
    bench->node = connect_to(bench, argv[1]);
    start_echo(bench);
    prepare(bench);
    for (unsigned i = 0; i < ROUNDS; i++) {
        double echo = rate(bench, bench->echo, false);

        known[i] = rate(bench, bench->node, false) / echo;
        strange[i] = rate(bench, bench->node, true) / echo;
    }
    print_median("lookups known from Redis", known);
    print_median("lookups of new mail", strange);
    return 0;
}
