// fake_smtp.h: an SMTP server that does what a test tells it: answer, be silent, dribble, talk nonsense, hang up, offer TLS.
// It lives in the test's own loop. Header-only, because a unit test is one file.
//
// What it says of a recipient is in the local part: see fake_rcpt.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/evp.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "proto/base/loop.h"
#include "proto/base/mem.h"

#define FAKE_UNUSED __attribute__((unused))

enum { FAKE_PEERS = 32, FAKE_LINE = 2048, FAKE_OUT = 1 << 17, FAKE_HEARD = 1 << 16 };

struct fake_smtp;

struct fake_peer {
    struct fake_smtp *fake;
    int fd;
    struct loop_fd *watch;
    struct loop_timer *dribble;
    SSL *ssl; // NULL = in the clear
    BIO *in, *out;
    bool is_mad; // it does not understand what it hears
    unsigned recipients;
    char line[FAKE_LINE];
    size_t used;
    char say[FAKE_OUT]; // what waits to be said
    size_t said, saying;
};

struct fake_smtp {
    struct loop *loop;
    int listener;
    uint16_t port;
    struct loop_fd *watch;
    SSL_CTX *tls;
    // What the test says: replies to each verb; NULL = silence, "" = it hangs up.
    const char *greeting, *ehlo, *helo, *starttls, *mail, *rset;
    const char *made_up;  // to a random name
    bool breaks_tls;      // what it says after its leave for TLS is none
    bool holds;           // replies to RCPT are kept back
    unsigned dribble_ms;  // one byte in so many ms; 0 = all at once
    unsigned tired_after; // RCPTs of a connection, then it hangs up at the next MAIL; 0 = never
    // What it saw.
    unsigned connections, open, most_open, recipients, tls_ups;
    char heard[FAKE_HEARD]; // lines, with a bar between
    struct fake_peer peer[FAKE_PEERS];
};

FAKE_UNUSED static void fake_hang_up(struct fake_peer *peer)
{
    if (peer->fd < 0)
        return;
    loop_fd_free(&peer->watch);
    loop_timer_free(&peer->dribble);
    SSL_free(peer->ssl);
    peer->ssl = NULL;
    (void)close(peer->fd);
    peer->fd = -1;
    peer->fake->open--;
}

// ---- what it says

FAKE_UNUSED static void fake_send(struct fake_peer *peer, const char *bytes, size_t len)
{
    char out[16384];
    int got;

    if (peer->ssl == NULL) {
        (void)!send(peer->fd, bytes, len, MSG_NOSIGNAL);
        return;
    }
    if (len > 0)
        (void)SSL_write(peer->ssl, bytes, (int)len);
    while ((got = BIO_read(peer->out, out, sizeof(out))) > 0)
        (void)!send(peer->fd, out, (size_t)got, MSG_NOSIGNAL);
}

FAKE_UNUSED static void fake_dribble(void *arg)
{
    struct fake_peer *peer = arg;

    if (peer->said < peer->saying)
        fake_send(peer, peer->say + peer->said++, 1);
}

FAKE_UNUSED static void fake_say(struct fake_peer *peer, const char *text)
{
    if (text == NULL)
        return;
    if (text[0] == '\0') {
        fake_hang_up(peer);
        return;
    }
    if (peer->fake->dribble_ms == 0) {
        fake_send(peer, text, strlen(text));
        return;
    }
    assert_true(peer->saying + strlen(text) < FAKE_OUT);
    memcpy(peer->say + peer->saying, text, strlen(text));
    peer->saying += strlen(text);
    loop_timer_set(peer->dribble, peer->fake->dribble_ms, peer->fake->dribble_ms);
}

// By the first word of the recipient.
FAKE_UNUSED static const char *fake_rcpt(const char *line)
{
    static const struct {
        const char *word, *says;
    } rows[] = {
        {"ann", "250 2.1.5 Ok\r\n"},
        {"forward", "251 2.1.5 will forward\r\n"},
        {"maybe", "252 2.1.5 cannot say\r\n"},
        {"nobody", "550 5.1.1 No such user\r\n"},
        {"lines", "550-5.1.1 No such user,\r\n550-5.1.1 really\r\n550 5.1.1 none\r\n"},
        {"plain", "550 No such user\r\n"},
        {"unwelcome", "550 5.7.1 You are on a list\r\n"},
        {"full", "552 5.2.2 Mailbox full\r\n"},
        {"busy", "451 4.3.0 Try later\r\n"},
        {"evil", "550 5.1.1 \x1b[2J\xff\"quoted\"\r\n"},
        {"bye", ""},
        {"leaving", "421 4.3.2 shutting down\r\n"},
        {"nonsense", "hello\r\n"},
        {"data", "354 go on\r\n"},
        {"silent", NULL},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strncmp(line + strlen("RCPT TO:<"), rows[i].word, strlen(rows[i].word)) == 0)
            return rows[i].says;
    return "250 2.1.5 Ok\r\n";
}

// ---- TLS

FAKE_UNUSED static SSL_CTX *fake_context(void)
{
    SSL_CTX *context = SSL_CTX_new(TLS_server_method());
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *cert = X509_new();

    (void)ASN1_INTEGER_set(X509_get_serialNumber(cert), 1);
    (void)X509_gmtime_adj(X509_getm_notBefore(cert), -3600);
    (void)X509_gmtime_adj(X509_getm_notAfter(cert), 3600);
    (void)X509_set_pubkey(cert, key);
    (void)X509_NAME_add_entry_by_txt(X509_get_subject_name(cert), "CN", MBSTRING_ASC,
                                     (const unsigned char *)"nobody.invalid", -1, -1, 0);
    (void)X509_set_issuer_name(cert, X509_get_subject_name(cert));
    assert_true(X509_sign(cert, key, EVP_sha256()) > 0);
    assert_int_equal(SSL_CTX_use_certificate(context, cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(context, key), 1);
    X509_free(cert);
    EVP_PKEY_free(key);
    return context;
}

FAKE_UNUSED static void fake_start_tls(struct fake_peer *peer)
{
    if (peer->fake->breaks_tls) {
        fake_send(peer, "what is TLS?\r\n", 14);
        peer->is_mad = true;
        return;
    }
    if (peer->fake->tls == NULL)
        peer->fake->tls = fake_context();
    peer->ssl = SSL_new(peer->fake->tls);
    peer->in = BIO_new(BIO_s_mem());
    peer->out = BIO_new(BIO_s_mem());
    SSL_set_bio(peer->ssl, peer->in, peer->out);
    SSL_set_accept_state(peer->ssl);
    peer->fake->tls_ups++;
}

// ---- what it hears

FAKE_UNUSED static void fake_heard(struct fake_peer *peer)
{
    struct fake_smtp *fake = peer->fake;
    const char *line = peer->line;
    const size_t used = strlen(fake->heard);

    assert_true(used + strlen(line) + 2 < sizeof(fake->heard));
    (void)snprintf(fake->heard + used, sizeof(fake->heard) - used, "%s|", line);
    if (strncmp(line, "EHLO ", 5) == 0) {
        fake_say(peer, fake->ehlo);
    } else if (strncmp(line, "HELO ", 5) == 0) {
        fake_say(peer, fake->helo);
    } else if (strcmp(line, "STARTTLS") == 0) {
        fake_say(peer, fake->starttls);
        if (fake->starttls != NULL && fake->starttls[0] == '2')
            fake_start_tls(peer);
    } else if (strncmp(line, "MAIL FROM:<>", 12) == 0) {
        const bool is_tired = fake->tired_after > 0 && peer->recipients >= fake->tired_after;

        fake_say(peer, is_tired ? "" : fake->mail);
    } else if (strncmp(line, "RCPT TO:<", 9) == 0) {
        fake->recipients++;
        peer->recipients++;
        if (!fake->holds)
            fake_say(peer, strncmp(line, "RCPT TO:<reeve-probe-", 21) == 0 ? fake->made_up
                                                                           : fake_rcpt(line));
    } else if (strcmp(line, "RSET") == 0) {
        fake_say(peer, fake->rset);
    } else {
        assert_string_equal(line, "QUIT"); // nothing else is ever said to it
        fake_hang_up(peer);
    }
}

// Lets the replies to RCPT go that were kept back: everybody exists.
FAKE_UNUSED static void fake_release(struct fake_smtp *fake)
{
    fake->holds = false;
    for (unsigned i = 0; i < FAKE_PEERS; i++)
        if (fake->peer[i].fd >= 0 && fake->peer[i].recipients > 0)
            fake_say(&fake->peer[i], "250 2.1.5 Ok\r\n");
}

FAKE_UNUSED static void fake_take(struct fake_peer *peer, char c)
{
    assert_true(peer->used < FAKE_LINE - 1);
    if (c != '\n') {
        peer->line[peer->used++] = c;
        return;
    }
    assert_true(peer->used > 0 && peer->line[peer->used - 1] == '\r'); // a bare line feed is no end
    peer->line[peer->used - 1] = '\0';
    peer->used = 0;
    fake_heard(peer);
}

FAKE_UNUSED static void fake_read(void *arg, int events)
{
    struct fake_peer *peer = arg;
    char bytes[4096];
    ssize_t got = recv(peer->fd, bytes, sizeof(bytes), 0);

    (void)events;
    if (got <= 0) {
        fake_hang_up(peer);
        return;
    }
    if (peer->ssl == NULL) {
        for (ssize_t i = 0; i < got && peer->fd >= 0 && peer->ssl == NULL && !peer->is_mad; i++)
            fake_take(peer, bytes[i]);
        return;
    }
    (void)BIO_write(peer->in, bytes, (int)got);
    got = SSL_read(peer->ssl, bytes, sizeof(bytes));
    fake_send(peer, "", 0); // what TLS itself has to say
    for (ssize_t i = 0; i < got && peer->fd >= 0; i++)
        fake_take(peer, bytes[i]);
}

FAKE_UNUSED static void fake_accept(void *arg, int events)
{
    struct fake_smtp *fake = arg;
    const int fd = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct fake_peer *peer = fake->peer;

    (void)events;
    if (fd < 0)
        return;
    while (peer->fd >= 0)
        peer++;
    assert_true(peer < fake->peer + FAKE_PEERS);
    *peer = (struct fake_peer){.fake = fake, .fd = fd};
    peer->watch = loop_fd_new(fake->loop, fd, fake_read, peer);
    peer->dribble = loop_timer_new(fake->loop, fake_dribble, peer);
    loop_fd_want(peer->watch, LOOP_READ);
    fake->connections++;
    fake->open++;
    if (fake->open > fake->most_open)
        fake->most_open = fake->open;
    fake_say(peer, fake->greeting);
}

// ---- its life

FAKE_UNUSED static void fake_smtp_open(struct fake_smtp *fake, struct loop *loop)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(address);

    memset(fake, 0, sizeof(*fake));
    fake->loop = loop;
    fake->greeting = "220 fake.example ESMTP\r\n";
    fake->ehlo = "250-fake.example\r\n250-PIPELINING\r\n250 SIZE 1000\r\n";
    fake->helo = "250 fake.example\r\n";
    fake->starttls = "220 2.0.0 go\r\n";
    fake->mail = "250 2.1.0 Ok\r\n";
    fake->made_up = "250 2.1.5 Ok\r\n";
    fake->rset = "250 2.0.0 Ok\r\n";
    for (unsigned i = 0; i < FAKE_PEERS; i++)
        fake->peer[i].fd = -1;
    fake->listener = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, len), 0);
    assert_int_equal(listen(fake->listener, 64), 0);
    assert_int_equal(getsockname(fake->listener, (struct sockaddr *)&address, &len), 0);
    fake->port = ntohs(address.sin_port);
    fake->watch = loop_fd_new(loop, fake->listener, fake_accept, fake);
    loop_fd_want(fake->watch, LOOP_READ);
}

// Nobody listens any more; connections that are there stay.
FAKE_UNUSED static void fake_smtp_deaf(struct fake_smtp *fake)
{
    if (fake->listener < 0)
        return;
    loop_fd_free(&fake->watch);
    (void)close(fake->listener);
    fake->listener = -1;
}

FAKE_UNUSED static void fake_smtp_close(struct fake_smtp *fake)
{
    fake_smtp_deaf(fake);
    for (unsigned i = 0; i < FAKE_PEERS; i++)
        fake_hang_up(&fake->peer[i]);
    SSL_CTX_free(fake->tls);
}
