// stream.h: one TCP connection on the loop, in the clear or, from some moment on, in TLS. It knows nothing of what is said.
#pragma once

#include <stddef.h>
#include <sys/socket.h>

#include "node/probe/tls.h"
#include "proto/base/loop.h"

struct stream;

// Called on the loop. From inside of any of them the stream may be freed.
struct stream_calls {
    void (*up)(void *arg); // it is connected; and again: TLS is up
    void (*bytes)(void *arg, const char *bytes, size_t len); // valid during the call
    // down: it could not be connected, is broken, or was closed by the other side; the last call. why is static, or of strerror.
    void (*down)(void *arg, const char *why);
    void *arg;
};

// stream_open: begins to connect. NULL if there is no socket to be had. Nothing is called before this returns.
struct stream *stream_open(struct loop *loop, const struct sockaddr *address, socklen_t len,
                           struct stream_calls calls);
// stream_free: closes at once. NULL-safe, NULLs.
void stream_free(struct stream **stream);

// stream_write: all of it, sooner or later. What does not fit into 16 KiB that wait is a broken stream: told by down, in
// the loop's next turn.
void stream_write(struct stream *stream, const void *bytes, size_t len);

// stream_start_tls: from now on in TLS, with a server of that name; up tells when. Bytes in the clear that came and were
// not read yet are the caller's to refuse (RFC 3207, 4.2; CVE-2011-0411). Trouble is told by down, not before this
// returns.
void stream_start_tls(struct stream *stream, const struct tls_context *context, const char *host);
