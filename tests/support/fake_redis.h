// fake_redis.h: a server that speaks enough of Redis to be believed and then does what a test tells
// it: refuse, be silent, answer late, answer nonsense, cut the connection. It lives in the test's
// own loop, so what happens is what the test says, in that order. Header-only, because a unit test
// is one file.
#pragma once

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "node/core/key.h"
#include "proto/base/clock.h"
#include "proto/base/loop.h"
#include "proto/base/mem.h"
#include "tests/support/redis_stage.h"

enum { FAKE_PEERS = 16, FAKE_BYTES = 1 << 16, FAKE_HELD = 1 << 20 };

struct fake;

struct fake_peer {
    struct fake *fake;
    int fd;
    struct loop_fd *watch;
    char in[FAKE_BYTES];
    size_t in_used;
    char *held; // replies that wait for fake_release
    size_t held_used;
};

struct fake {
    struct loop *loop;
    int listener;
    struct loop_fd *watch;
    struct fake_peer peer[FAKE_PEERS];
    // What the test says.
    const char *error_on;   // verb that gets error_text; NULL = none, "*" = every one
    const char *error_text; // without the dash
    const char *raw_on;     // verb that gets raw instead
    const char *raw;
    bool holds;       // replies are kept back
    bool is_silent;   // nothing is even kept
    bool hangs_up;    // connections are closed as soon as they say something
    bool is_empty;    // no meta yet
    int64_t clock_ms; // added to the time it tells
    // What it saw.
    unsigned connections;
    unsigned commands;
    char last_verb[32];
};

STAGE_UNUSED static void fake_hang_up(struct fake_peer *peer)
{
    loop_fd_free(&peer->watch);
    if (peer->fd >= 0)
        (void)close(peer->fd);
    mem_free(peer->held);
    peer->held = NULL;
    peer->fd = -1;
    peer->in_used = 0;
    peer->held_used = 0;
}

STAGE_UNUSED static void fake_say(struct fake_peer *peer, const char *text)
{
    size_t len = strlen(text);

    if (peer->fake->is_silent)
        return;
    if (!peer->fake->holds) {
        (void)!send(peer->fd, text, len, MSG_NOSIGNAL);
        return;
    }
    if (peer->held == NULL)
        peer->held = mem_new(FAKE_HELD);
    assert_true(peer->held_used + len < FAKE_HELD);
    memcpy(peer->held + peer->held_used, text, len);
    peer->held_used += len;
}

// Lets out what was kept back.
STAGE_UNUSED static void fake_release(struct fake *fake)
{
    fake->holds = false;
    for (unsigned i = 0; i < FAKE_PEERS; i++) {
        struct fake_peer *peer = &fake->peer[i];

        if (peer->fd >= 0 && peer->held_used > 0)
            (void)!send(peer->fd, peer->held, peer->held_used, MSG_NOSIGNAL);
        peer->held_used = 0;
    }
}

// ---- what it answers when nothing else was said

STAGE_UNUSED static void fake_meta(struct fake_peer *peer)
{
    struct key_epoch epoch = {.buckets = 1024};
    char check[17];
    char text[400];

    if (peer->fake->is_empty) {
        fake_say(peer, "*0\r\n");
        return;
    }
    memset(epoch.secret, 0x11, sizeof(epoch.secret));
    key_epoch_check(&epoch, check);
    (void)snprintf(
        text, sizeof(text),
        "*6\r\n$6\r\nformat\r\n$1\r\n1\r\n$8\r\nsecret:0\r\n"
        "$32\r\n11111111111111111111111111111111\r\n$7\r\nepoch:0\r\n$23\r\n0 1024 %s\r\n",
        check);
    fake_say(peer, text);
}

STAGE_UNUSED static void fake_time(struct fake_peer *peer)
{
    uint64_t now_ms = (uint64_t)((int64_t)clock_wall_ms() + peer->fake->clock_ms);
    char seconds[32];
    char micros[32];
    char text[100];

    (void)snprintf(seconds, sizeof(seconds), "%llu", (unsigned long long)(now_ms / 1000));
    (void)snprintf(micros, sizeof(micros), "%llu", (unsigned long long)(now_ms % 1000 * 1000));
    (void)snprintf(text, sizeof(text), "*2\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n", strlen(seconds),
                   seconds, strlen(micros), micros);
    fake_say(peer, text);
}

STAGE_UNUSED static void fake_nothing_found(struct fake_peer *peer, unsigned args)
{
    char text[400];
    int used = snprintf(text, sizeof(text), "*%u\r\n", args - 2);

    for (unsigned i = 2; i < args; i++)
        used += snprintf(text + used, sizeof(text) - (size_t)used, "$-1\r\n");
    fake_say(peer, text);
}

// What each node asks all the time, whatever a test does: it is answered, but not counted.
STAGE_UNUSED static bool fake_is_background(const char *key)
{
    return strcmp(key, "events:{p}") == 0 || strcmp(key, "expect:{p}") == 0 ||
           strncmp(key, "directory:{p}", 13) == 0;
}

STAGE_UNUSED static void fake_answer(struct fake_peer *peer, const char *verb, const char *key,
                                     unsigned args)
{
    struct fake *fake = peer->fake;
    char text[300];

    if (fake->raw_on != NULL && strcmp(fake->raw_on, verb) == 0) {
        fake_say(peer, fake->raw);
    } else if (fake->error_on != NULL &&
               (strcmp(fake->error_on, verb) == 0 || strcmp(fake->error_on, "*") == 0)) {
        (void)snprintf(text, sizeof(text), "-%s\r\n", fake->error_text);
        fake_say(peer, text);
    } else if (strcmp(verb, "PING") == 0) {
        fake_say(peer, "+PONG\r\n");
    } else if (strcmp(verb, "INFO") == 0) {
        fake_say(peer, "$21\r\nredis_version:0.0.1\r\n\r\n");
    } else if (strcmp(verb, "TIME") == 0) {
        fake_time(peer);
    } else if (strcmp(verb, "HGETALL") == 0 && fake_is_background(key)) {
        fake_say(peer, "*0\r\n");
    } else if (strcmp(verb, "HGETALL") == 0) {
        fake_meta(peer);
    } else if (strcmp(verb, "HMGET") == 0) {
        fake_nothing_found(peer, args);
    } else if (strcmp(verb, "AUTH") == 0) {
        fake_say(peer, "+OK\r\n");
    } else if (strcmp(verb, "XREVRANGE") == 0 || strcmp(verb, "XRANGE") == 0) {
        fake_say(peer, "*1\r\n*2\r\n$3\r\n1-1\r\n*2\r\n$4\r\nkind\r\n$5\r\nstart\r\n");
    } else if (strcmp(verb, "HSCAN") == 0) {
        fake_say(peer, "*2\r\n$1\r\n0\r\n*0\r\n");
    } else {
        fake_say(peer, ":1\r\n");
    }
}

// ---- reading commands

// The length of the first command in the buffer, 0 if it is not whole yet. verb and args are set.
STAGE_UNUSED static size_t fake_parse(const struct fake_peer *peer, char verb[32], char key[32],
                                      unsigned *args)
{
    size_t at = 0;
    int used = 0;

    if (peer->in_used < 4 || sscanf(peer->in, "*%u\r\n%n", args, &used) != 1 || used == 0)
        return 0;
    at = (size_t)used;
    for (unsigned i = 0; i < *args; i++) {
        size_t len = 0;

        used = 0;
        if (at >= peer->in_used || sscanf(peer->in + at, "$%zu\r\n%n", &len, &used) != 1 ||
            used == 0 || at + (size_t)used + len + 2 > peer->in_used)
            return 0;
        at += (size_t)used;
        if (i <= 1)
            (void)snprintf(i == 0 ? verb : key, 32, "%.*s", (int)(len < 31 ? len : 31),
                           peer->in + at);
        at += len + 2;
    }
    return at;
}

STAGE_UNUSED static void fake_read(void *arg, int events)
{
    struct fake_peer *peer = arg;
    ssize_t got = recv(peer->fd, peer->in + peer->in_used, FAKE_BYTES - 1 - peer->in_used, 0);
    char verb[32] = "";
    char key[32] = "";
    unsigned args = 0;

    (void)events;
    if (got <= 0 || peer->fake->hangs_up) {
        fake_hang_up(peer);
        return;
    }
    peer->in_used += (size_t)got;
    peer->in[peer->in_used] = '\0';
    for (size_t len = fake_parse(peer, verb, key, &args); len > 0;
         len = fake_parse(peer, verb, key, &args)) {
        bool is_background = fake_is_background(key);

        peer->fake->commands += !is_background;
        if (!is_background)
            (void)snprintf(peer->fake->last_verb, sizeof(peer->fake->last_verb), "%s", verb);
        memmove(peer->in, peer->in + len, peer->in_used - len);
        peer->in_used -= len;
        peer->in[peer->in_used] = '\0';
        fake_answer(peer, verb, key, args);
    }
}

STAGE_UNUSED static void fake_accept(void *arg, int events)
{
    struct fake *fake = arg;
    int fd = accept4(fake->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    struct fake_peer *peer = fake->peer;

    (void)events;
    if (fd < 0)
        return;
    while (peer->fd >= 0)
        peer++;
    assert_true(peer < fake->peer + FAKE_PEERS);
    fake->connections++;
    peer->fd = fd;
    peer->watch = loop_fd_new(fake->loop, fd, fake_read, peer);
    loop_fd_want(peer->watch, LOOP_READ);
}

// ---- its life

STAGE_UNUSED static struct fake *fake_open(struct stage *stage)
{
    struct fake *fake = mem_new(sizeof(*fake));
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    fake->loop = stage->loop;
    for (unsigned i = 0; i < FAKE_PEERS; i++) {
        fake->peer[i].fake = fake;
        fake->peer[i].fd = -1;
    }
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", stage->socket);
    fake->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fake->listener, (struct sockaddr *)&address, sizeof(address)), 0);
    assert_int_equal(listen(fake->listener, 16), 0);
    fake->watch = loop_fd_new(fake->loop, fake->listener, fake_accept, fake);
    loop_fd_want(fake->watch, LOOP_READ);
    return fake;
}

STAGE_UNUSED static void fake_hang_up_all(struct fake *fake)
{
    for (unsigned i = 0; i < FAKE_PEERS; i++)
        fake_hang_up(&fake->peer[i]);
}

STAGE_UNUSED static void fake_close(struct fake **fake)
{
    fake_hang_up_all(*fake);
    loop_fd_free(&(*fake)->watch);
    (void)close((*fake)->listener);
    mem_free(*fake);
    *fake = NULL;
}
