// tls.h: TLS over bytes that somebody else carries: what came goes in, what must be sent comes out. No socket, no loop.
//
// Opportunistic (RFC 7435): it guards a question against those who only listen. Nothing of the other side's certificate
// is verified, because the hosts behind a gateway seldom have one that could be, and without TLS the same question
// would be asked in the clear.
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct tls_context; // what all connections share
struct tls;         // one connection

// tls_context_new: NULL if the library refuses: then there is no TLS.
struct tls_context *tls_context_new(void);
void tls_context_free(struct tls_context **context); // NULL-safe, NULLs

// tls_new: a client that asks for the host name (an address is none, and is left out). The context outlives it. NULL if
// there is no memory.
struct tls *tls_new(const struct tls_context *context, const char *host);
void tls_free(struct tls **tls); // NULL-safe, NULLs

enum tls_state { TLS_SHAKING, TLS_UP, TLS_FAILED };

// tls_put: bytes that came from the other side. False: no memory.
bool tls_put(struct tls *tls, const void *bytes, size_t len);
// tls_shake: goes on with the handshake as far as what came allows.
enum tls_state tls_shake(struct tls *tls);
// tls_read: plain bytes; 0 = more must come, or the other side closed it in good order; false: it is broken.
bool tls_read(struct tls *tls, void *out, size_t size, size_t *len);
// tls_write: plain bytes, all of them. False: it is broken, or not up.
bool tls_write(struct tls *tls, const void *bytes, size_t len);
// tls_take: bytes for the other side; 0 = none.
size_t tls_take(struct tls *tls, void *out, size_t size);
