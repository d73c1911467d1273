// echo.c: what ZeroMQ alone can do: a bare ROUTER that answers every message with the bytes of a
// file (a node's recorded reply), into which it copies the request's id, so that whoever asks sees
// messages of the same form and size as from a node, and does the same work.
//
//      echo ENDPOINT REPLY_FILE
//
// Binds the endpoint and answers until it is killed. Exit code 1: it cannot, and why.
#include <stdio.h>
#include <string.h>

#include <zmq.h>

enum { BYTES_MAX = 1 << 16, ID_BYTES = 6 }; // the id's tag and its varint (client/load/question.h)

static size_t read_reply(const char *path, unsigned char reply[BYTES_MAX])
{
    FILE *file = fopen(path, "rb");
    size_t len = 0;

    if (file == NULL)
        return 0;
    len = fread(reply, 1, BYTES_MAX, file);
    (void)fclose(file);
    return len;
}

// One frame onward as it is: the peer's name, the empty delimiter.
static int pass_on(void *socket)
{
    zmq_msg_t frame;

    (void)zmq_msg_init(&frame);
    if (zmq_msg_recv(&frame, socket, 0) < 0 || zmq_msg_send(&frame, socket, ZMQ_SNDMORE) < 0)
        return -1;
    return 0;
}

static int answer_one(void *socket, unsigned char *reply, size_t len)
{
    zmq_msg_t payload;

    if (pass_on(socket) != 0 || pass_on(socket) != 0)
        return -1;
    (void)zmq_msg_init(&payload);
    if (zmq_msg_recv(&payload, socket, 0) < ID_BYTES)
        return -1;
    memcpy(reply, zmq_msg_data(&payload), ID_BYTES);
    (void)zmq_msg_close(&payload);
    return zmq_send(socket, reply, len, 0);
}

int main(int argc, char **argv)
{
    static unsigned char reply[BYTES_MAX];
    void *socket = zmq_socket(zmq_ctx_new(), ZMQ_ROUTER);
    size_t len = argc == 3 ? read_reply(argv[2], reply) : 0;

    if (len < ID_BYTES || zmq_bind(socket, argv[1]) != 0) {
        (void)fprintf(stderr, "usage: echo ENDPOINT REPLY_FILE (%s)\n",
                      len < ID_BYTES ? "no reply to give" : zmq_strerror(zmq_errno()));
        return 1;
    }
    (void)puts("ready");
    (void)fflush(stdout);
    while (answer_one(socket, reply, len) >= 0)
        continue;
    (void)fprintf(stderr, "echo: %s\n", zmq_strerror(zmq_errno()));
    return 1;
}
