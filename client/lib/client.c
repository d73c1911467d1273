// client.c: making and ending a client. Promises: reeve_new leaves nothing behind when it fails and
// says what to do about it; a node that is not there is no failure.
#include "client/lib/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "client/lib/endpoint.h"
#include "proto/text.h"

enum {
    DEADLINE_MS = 250,
    ADMIN_DEADLINE_MS = 10000,
    DEADLINE_MAX_MS = 60000,
    ADMIN_DEADLINE_MAX_MS = 600000,
    IN_FLIGHT = 1024,
    IN_FLIGHT_MAX = 100000,
    ADMIN_QUEUE_MAX = 16,
};

const char *reeve_version(void)
{
    return REEVE_VERSION;
}

// ---- options

static enum err check_range(const char *name, unsigned value, unsigned max,
                            struct err_detail *detail)
{
    if (value <= max)
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG, "%s is %u: expected 1 to %u, or 0 for the default", name,
                   value, max);
}

static enum err check_options(const struct reeve_options *options, struct err_detail *detail)
{
    enum err err;

    if (options == NULL || options->node_count == 0 || options->nodes == NULL ||
        options->nodes[0] == NULL)
        return err_say(detail, ERR_CONFIG,
                       "no node given: set nodes and node_count, to \"tcp://127.0.0.1:7170\" for "
                       "a node on this host");
    if (options->node_count > 1)
        return err_say(detail, ERR_CONFIG,
                       "%zu nodes given: this version asks one node; give one endpoint",
                       options->node_count);
    if (options->gateway != NULL &&
        !text_is_clean(options->gateway, strlen(options->gateway), MSG_GATEWAY_MAX))
        return err_say(detail, ERR_CONFIG,
                       "gateway: expected at most %d bytes of UTF-8 without control characters",
                       MSG_GATEWAY_MAX);
    if (options->fallback != REEVE_FALLBACK_ACCEPT && options->fallback != REEVE_FALLBACK_DEFER)
        return err_say(detail, ERR_CONFIG,
                       "fallback is %d: expected REEVE_FALLBACK_ACCEPT or REEVE_FALLBACK_DEFER",
                       (int)options->fallback);
    err = check_range("deadline_ms", options->deadline_ms, DEADLINE_MAX_MS, detail);
    if (err == ERR_NONE)
        err = check_range("admin_deadline_ms", options->admin_deadline_ms, ADMIN_DEADLINE_MAX_MS,
                          detail);
    if (err == ERR_NONE)
        err = check_range("in_flight_max", options->in_flight_max, IN_FLIGHT_MAX, detail);
    return err;
}

static unsigned or_default(unsigned value, unsigned def)
{
    return value == 0 ? def : value;
}

static void take_options(struct reeve *reeve, const struct reeve_options *options)
{
    char host[256] = "";

    reeve->deadline_ms = or_default(options->deadline_ms, DEADLINE_MS);
    reeve->admin_deadline_ms = or_default(options->admin_deadline_ms, ADMIN_DEADLINE_MS);
    reeve->in_flight_max = or_default(options->in_flight_max, IN_FLIGHT);
    reeve->fallback = options->fallback;
    if (options->gateway == NULL)
        (void)gethostname(host, sizeof(host) - 1);
    else
        (void)snprintf(host, sizeof(host), "%s", options->gateway);
    (void)text_clean(reeve->gateway, MSG_GATEWAY_MAX, host, strlen(host));
}

// ---- sockets and descriptors

static enum err open_link(struct reeve *reeve, struct link *link, const char *text,
                          unsigned queue_max, size_t message_max, struct err_detail *detail)
{
    struct epoll_event watch = {.events = EPOLLIN};
    struct endpoint endpoint;
    enum err err = endpoint_resolve(text, &endpoint, detail);

    if (err == ERR_NONE)
        err = link_open(link, reeve->context, &endpoint, queue_max, message_max, detail);
    if (err == ERR_NONE && epoll_ctl(reeve->epoll_fd, EPOLL_CTL_ADD, link->fd, &watch) != 0)
        err = err_say(detail, ERR_SYSTEM, "cannot watch a socket: %s", strerror(errno));
    return err;
}

static enum err open_links(struct reeve *reeve, const struct reeve_options *options,
                           struct err_detail *detail)
{
    enum err err = open_link(reeve, &reeve->lookups, options->nodes[0],
                             (unsigned)reeve->in_flight_max, MSG_LOOKUP_BYTES_MAX, detail);

    if (err == ERR_NONE && options->admin != NULL)
        err = open_link(reeve, &reeve->admin, options->admin, ADMIN_QUEUE_MAX, MSG_ADMIN_BYTES_MAX,
                        detail);
    return err;
}

static enum err open_descriptors(struct reeve *reeve, struct err_detail *detail)
{
    struct epoll_event watch = {.events = EPOLLIN};

    reeve->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    // The clock of clock_mono_ms: on another, a machine that slept would never see a deadline pass.
    reeve->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
    if (reeve->epoll_fd < 0 || reeve->timer_fd < 0 ||
        epoll_ctl(reeve->epoll_fd, EPOLL_CTL_ADD, reeve->timer_fd, &watch) != 0)
        return err_say(detail, ERR_SYSTEM, "cannot make a descriptor: %s", strerror(errno));
    return ERR_NONE;
}

static enum err open_memory(struct reeve *reeve, struct err_detail *detail)
{
    reeve->encoded = malloc(CLIENT_ENCODED_MAX);
    reeve->scratch = malloc(CLIENT_SCRATCH_MAX);
    if (reeve->encoded == NULL || reeve->scratch == NULL ||
        asks_init(&reeve->asks, reeve->in_flight_max) != ERR_NONE)
        return err_say(detail, ERR_SYSTEM, "out of memory");
    return ERR_NONE;
}

static enum err open_all(struct reeve *reeve, const struct reeve_options *options,
                         struct err_detail *detail)
{
    enum err err = open_memory(reeve, detail);

    if (err == ERR_NONE)
        err = open_descriptors(reeve, detail);
    if (err == ERR_NONE)
        reeve->context = zmq_ctx_new();
    if (err == ERR_NONE && reeve->context == NULL)
        err = err_say(detail, ERR_SYSTEM, "cannot make a ZeroMQ context: %s",
                      zmq_strerror(zmq_errno()));
    if (err == ERR_NONE)
        err = open_links(reeve, options, detail);
    return err;
}

// ---- the two calls

enum reeve_error reeve_new(struct reeve **out, const struct reeve_options *options, char *message,
                           size_t size)
{
    struct err_detail detail = {.text = ""};
    enum err err = check_options(options, &detail);
    struct reeve *reeve = err == ERR_NONE ? calloc(1, sizeof(*reeve)) : NULL;

    if (err == ERR_NONE && reeve == NULL)
        err = err_say(&detail, ERR_SYSTEM, "out of memory");
    if (reeve != NULL) {
        reeve->epoll_fd = -1;
        reeve->timer_fd = -1;
        reeve->timer_ms = UINT64_MAX;
        take_options(reeve, options);
        err = open_all(reeve, options, &detail);
    }
    if (message != NULL && size > 0)
        (void)snprintf(message, size, "%s", detail.text);
    if (err == ERR_NONE) {
        *out = reeve;
        return REEVE_OK;
    }
    reeve_free(&reeve);
    return err == ERR_CONFIG ? REEVE_BAD_OPTION : REEVE_SYSTEM;
}

static void close_descriptor(int fd)
{
    if (fd >= 0)
        (void)close(fd);
}

void reeve_free(struct reeve **reeve)
{
    struct reeve *old = reeve == NULL ? NULL : *reeve;

    if (old == NULL)
        return;
    if (old->asks.bucket != NULL)
        client_end_all(old, "the client was closed before a node answered");
    close_descriptor(old->epoll_fd);
    close_descriptor(old->timer_fd);
    link_close(&old->lookups);
    link_close(&old->admin);
    while (old->context != NULL && zmq_ctx_term(old->context) != 0 && zmq_errno() == EINTR)
        continue;
    asks_free(&old->asks);
    free(old->encoded);
    free(old->scratch);
    free(old);
    *reeve = NULL;
}
