// tls.c: OpenSSL behind tls.h, with its memory BIOs. Promises: nothing that the other side sends is more than a failed
// handshake or a broken connection; errors of one connection do not stay in the library's queue for the next.
#include "node/probe/tls.h"

#include <arpa/inet.h>
#include <limits.h>
#include <netinet/in.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "proto/base/mem.h"

struct tls_context {
    SSL_CTX *ssl;
};

struct tls {
    SSL *ssl;
    BIO *in, *out; // the library's, as parts of ssl
};

struct tls_context *tls_context_new(void)
{
    SSL_CTX *ssl = SSL_CTX_new(TLS_client_method());

    if (ssl == NULL) {
        ERR_clear_error();
        return NULL;
    }
    SSL_CTX_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    // Better an old version than none at all.
    (void)SSL_CTX_set_min_proto_version(ssl, TLS1_VERSION);
    SSL_CTX_set_security_level(ssl, 0);
    (void)SSL_CTX_set_mode(ssl, SSL_MODE_RELEASE_BUFFERS);
    struct tls_context *context = mem_new(sizeof(*context));

    context->ssl = ssl;
    return context;
}

void tls_context_free(struct tls_context **context)
{
    if (*context == NULL)
        return;
    SSL_CTX_free((*context)->ssl);
    mem_free(*context);
    *context = NULL;
}

static bool is_address(const char *host)
{
    unsigned char bytes[sizeof(struct in6_addr)];

    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

// The library takes a text that it might change, and does not.
static void set_name(SSL *ssl, const char *host)
{
    char *name = mem_text(host);

    (void)SSL_set_tlsext_host_name(ssl, name);
    mem_free(name);
}

struct tls *tls_new(const struct tls_context *context, const char *host)
{
    SSL *ssl = SSL_new(context->ssl);
    BIO *in = BIO_new(BIO_s_mem());
    BIO *out = BIO_new(BIO_s_mem());

    if (ssl == NULL || in == NULL || out == NULL) {
        SSL_free(ssl);
        (void)BIO_free(in);
        (void)BIO_free(out);
        ERR_clear_error();
        return NULL;
    }
    SSL_set_bio(ssl, in, out);
    SSL_set_connect_state(ssl);
    if (!is_address(host))
        set_name(ssl, host);
    struct tls *tls = mem_new(sizeof(*tls));

    *tls = (struct tls){ssl, in, out};
    return tls;
}

void tls_free(struct tls **tls)
{
    if (*tls == NULL)
        return;
    SSL_free((*tls)->ssl);
    ERR_clear_error();
    mem_free(*tls);
    *tls = NULL;
}

bool tls_put(struct tls *tls, const void *bytes, size_t len)
{
    return len <= INT_MAX && BIO_write(tls->in, bytes, (int)len) == (int)len;
}

// Whether a call that did nothing may do something later.
static bool is_waiting(const struct tls *tls, int result)
{
    const int error = SSL_get_error(tls->ssl, result);

    ERR_clear_error();
    return error == SSL_ERROR_WANT_READ || error == SSL_ERROR_WANT_WRITE;
}

enum tls_state tls_shake(struct tls *tls)
{
    const int result = SSL_do_handshake(tls->ssl);

    if (result == 1)
        return TLS_UP;
    return is_waiting(tls, result) ? TLS_SHAKING : TLS_FAILED;
}

bool tls_read(struct tls *tls, void *out, size_t size, size_t *len)
{
    const int result = SSL_read(tls->ssl, out, size <= INT_MAX ? (int)size : INT_MAX);

    *len = result > 0 ? (size_t)result : 0;
    if (result > 0)
        return true;
    return (SSL_get_shutdown(tls->ssl) & SSL_RECEIVED_SHUTDOWN) != 0 || is_waiting(tls, result);
}

bool tls_write(struct tls *tls, const void *bytes, size_t len)
{
    if (len > INT_MAX)
        return false;
    const int result = SSL_write(tls->ssl, bytes, (int)len);

    if (result != (int)len)
        ERR_clear_error();
    return result == (int)len;
}

size_t tls_take(struct tls *tls, void *out, size_t size)
{
    const int result = BIO_read(tls->out, out, size <= INT_MAX ? (int)size : INT_MAX);

    return result > 0 ? (size_t)result : 0;
}
