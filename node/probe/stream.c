// stream.c: a non-blocking socket with a bounded buffer for what waits to be sent. Promises: survives that its owner frees
// it in the middle of a call; a peer that does not read, or that sends without an end, costs no more than the buffers.
#include "node/probe/stream.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/mem.h"

enum { READ_BYTES = 4096, WAITING_BYTES = 16384, TURN_READS = 8 };

enum stream_state { STREAM_CONNECTING, STREAM_CLEAR, STREAM_SHAKING, STREAM_TLS, STREAM_BROKEN };

struct stream {
    int fd;
    struct loop_fd *watch;
    struct stream_calls calls;
    enum stream_state state;
    const char *broken; // why
    struct tls *tls;
    bool is_busy; // in on_event
    bool is_gone; // was freed there
    size_t waiting;
    char out[WAITING_BYTES];
};

// What is told in the loop's next turn: a descriptor that is ready to be written wakes at once.
static void break_up(struct stream *stream, const char *why)
{
    if (stream->state == STREAM_BROKEN)
        return;
    stream->state = STREAM_BROKEN;
    stream->broken = why;
    stream->waiting = 0;
    loop_fd_want(stream->watch, LOOP_READ | LOOP_WRITE);
}

static void flush(struct stream *stream)
{
    if (stream->state == STREAM_BROKEN || stream->state == STREAM_CONNECTING)
        return;
    const ssize_t sent =
        stream->waiting > 0 ? send(stream->fd, stream->out, stream->waiting, MSG_NOSIGNAL) : 0;

    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        break_up(stream, strerror(errno));
        return;
    }
    if (sent > 0) {
        memmove(stream->out, stream->out + sent, stream->waiting - (size_t)sent);
        stream->waiting -= (size_t)sent;
    }
    loop_fd_want(stream->watch, stream->waiting > 0 ? LOOP_READ | LOOP_WRITE : LOOP_READ);
}

static void queue(struct stream *stream, const void *bytes, size_t len)
{
    if (len > WAITING_BYTES - stream->waiting) {
        break_up(stream, "does not read what it is sent");
        return;
    }
    memcpy(stream->out + stream->waiting, bytes, len);
    stream->waiting += len;
}

// What TLS has for the other side.
static void queue_tls(struct stream *stream)
{
    char bytes[READ_BYTES];
    size_t len;

    while (stream->state != STREAM_BROKEN &&
           (len = tls_take(stream->tls, bytes, sizeof(bytes))) > 0)
        queue(stream, bytes, len);
    flush(stream);
}

void stream_write(struct stream *stream, const void *bytes, size_t len)
{
    if (stream->state == STREAM_CLEAR) {
        queue(stream, bytes, len);
        flush(stream);
    } else if (stream->state == STREAM_TLS && tls_write(stream->tls, bytes, len)) {
        queue_tls(stream);
    } else {
        break_up(stream, "cannot be written to");
    }
}

// ---- what came

static void connect_ended(struct stream *stream)
{
    int error = 0;
    socklen_t size = sizeof(error);

    if (getsockopt(stream->fd, SOL_SOCKET, SO_ERROR, &error, &size) != 0)
        error = errno;
    if (error != 0) {
        break_up(stream, strerror(error));
        return;
    }
    stream->state = STREAM_CLEAR;
    loop_fd_want(stream->watch, LOOP_READ);
    stream->calls.up(stream->calls.arg);
}

static void shake(struct stream *stream)
{
    const enum tls_state state = tls_shake(stream->tls);

    queue_tls(stream); // an alert, too, is said
    if (state == TLS_FAILED)
        break_up(stream, "TLS could not be agreed on");
    if (state != TLS_UP || stream->state == STREAM_BROKEN)
        return;
    stream->state = STREAM_TLS;
    stream->calls.up(stream->calls.arg);
}

static void read_plain(struct stream *stream)
{
    char bytes[READ_BYTES];
    size_t len = 0;
    bool is_whole = true;

    while (!stream->is_gone && stream->state == STREAM_TLS &&
           (is_whole = tls_read(stream->tls, bytes, sizeof(bytes), &len)) && len > 0)
        stream->calls.bytes(stream->calls.arg, bytes, len);
    if (stream->is_gone)
        return;
    if (!is_whole)
        break_up(stream, "TLS broke");
    else if (stream->state == STREAM_TLS)
        queue_tls(stream); // what TLS itself has to answer
}

static void came(struct stream *stream, const char *bytes, size_t len)
{
    if (stream->state == STREAM_CLEAR) {
        stream->calls.bytes(stream->calls.arg, bytes, len);
        return;
    }
    if (!tls_put(stream->tls, bytes, len)) {
        break_up(stream, "TLS broke");
        return;
    }
    if (stream->state == STREAM_SHAKING)
        shake(stream);
    if (!stream->is_gone && stream->state == STREAM_TLS)
        read_plain(stream);
}

// Some reads a turn: whoever sends without an end does not keep the loop.
static void read_some(struct stream *stream)
{
    char bytes[READ_BYTES];

    for (unsigned i = 0; i < TURN_READS && !stream->is_gone && stream->state != STREAM_BROKEN;
         i++) {
        const ssize_t got = recv(stream->fd, bytes, sizeof(bytes), 0);

        if (got < 0 && (errno == EAGAIN || errno == EINTR))
            return;
        if (got <= 0)
            break_up(stream, got == 0 ? "closed the connection" : strerror(errno));
        else
            came(stream, bytes, (size_t)got);
    }
}

static void leave(struct stream *stream)
{
    stream->is_busy = false;
    if (stream->is_gone)
        mem_free(stream);
}

static void on_event(void *arg, int events)
{
    struct stream *stream = arg;

    stream->is_busy = true;
    if (stream->state == STREAM_CONNECTING)
        connect_ended(stream);
    else if ((events & LOOP_READ) != 0)
        read_some(stream);
    if (!stream->is_gone && (events & LOOP_WRITE) != 0)
        flush(stream);
    if (!stream->is_gone && stream->state == STREAM_BROKEN) {
        loop_fd_want(stream->watch, 0);
        stream->calls.down(stream->calls.arg, stream->broken);
    }
    leave(stream);
}

// ---- its life

struct stream *stream_open(struct loop *loop, const struct sockaddr *address, socklen_t len,
                           struct stream_calls calls)
{
    const int fd = socket(address->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    const int on = 1;

    if (fd < 0)
        return NULL;
    struct stream *stream = mem_new(sizeof(*stream));

    stream->fd = fd;
    stream->calls = calls;
    stream->watch = loop_fd_new(loop, fd, on_event, stream);
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    if (connect(fd, address, len) != 0 && errno != EINPROGRESS)
        break_up(stream, strerror(errno));
    loop_fd_want(stream->watch, LOOP_WRITE);
    return stream;
}

void stream_free(struct stream **stream)
{
    if (*stream == NULL)
        return;
    loop_fd_free(&(*stream)->watch);
    (void)close((*stream)->fd);
    tls_free(&(*stream)->tls);
    (*stream)->is_gone = true;
    if (!(*stream)->is_busy)
        mem_free(*stream);
    *stream = NULL;
}

void stream_start_tls(struct stream *stream, const struct tls_context *context, const char *host)
{
    if (stream->state != STREAM_CLEAR)
        return;
    stream->tls = tls_new(context, host);
    if (stream->tls == NULL) {
        break_up(stream, "TLS has no memory");
        return;
    }
    stream->state = STREAM_SHAKING;
    if (tls_shake(stream->tls) == TLS_FAILED)
        break_up(stream, "TLS could not be agreed on");
    else
        queue_tls(stream);
}
