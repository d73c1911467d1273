// client.c: making and ending a client. Promises: reeve_new leaves nothing behind when it fails and
// says what to do about it; a node that is not there is no failure.
#include "client/lib/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <zmq.h>

#include "proto/base/clock.h"
#include "proto/text.h"

enum {
    DEADLINE_MS = 250,
    ADMIN_DEADLINE_MS = 10000,
    DEADLINE_MAX_MS = 60000,
    ADMIN_DEADLINE_MAX_MS = 600000,
    SENT_DEADLINE_MS = 10000,
    SENT_DEADLINE_MAX_MS = 600000,
    IN_FLIGHT = 1024,
    IN_FLIGHT_MAX = 100000,
    ADMIN_QUEUE_MAX = 16,
    ADMIN_ADDRESSES_MAX = 8, // of the admin door's name
    HEDGE_MS = 100,
    HEDGE_MAX_MS = 60000,
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

static enum err check_nodes(const struct reeve_options *options, struct err_detail *detail)
{
    if (options == NULL || options->node_count == 0 || options->nodes == NULL)
        return err_say(detail, ERR_CONFIG,
                       "no node given: set nodes and node_count, to \"tcp://127.0.0.1:7170\" for "
                       "a node on this host");
    if (options->node_count > SOURCES_MAX)
        return err_say(detail, ERR_CONFIG,
                       "%zu nodes given: at most %d; a host name may stand for many addresses",
                       options->node_count, SOURCES_MAX);
    for (size_t i = 0; i < options->node_count; i++) {
        if (options->nodes[i] == NULL)
            return err_say(detail, ERR_CONFIG, "no node given at place %zu of %zu", i + 1,
                           options->node_count);
    }
    return ERR_NONE;
}

static enum err check_options(const struct reeve_options *options, struct err_detail *detail)
{
    enum err err = check_nodes(options, detail);

    if (err != ERR_NONE)
        return err;
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
        err = check_range("sent_deadline_ms", options->sent_deadline_ms, SENT_DEADLINE_MAX_MS,
                          detail);
    if (err == ERR_NONE)
        err = check_range("in_flight_max", options->in_flight_max, IN_FLIGHT_MAX, detail);
    if (err == ERR_NONE)
        err = check_range("hedge_ms", options->hedge_ms, HEDGE_MAX_MS, detail);
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
    reeve->sent_deadline_ms = or_default(options->sent_deadline_ms, SENT_DEADLINE_MS);
    reeve->in_flight_max = or_default(options->in_flight_max, IN_FLIGHT);
    reeve->fallback = options->fallback;
    reeve->hedge_ms = options->no_hedge ? UINT64_MAX : or_default(options->hedge_ms, HEDGE_MS);
    reeve->node_changed = options->node_changed;
    reeve->node_arg = options->node_arg;
    reeve->budget.tenths = BUDGET_BURST * BUDGET_TENTHS;
    if (options->gateway == NULL)
        (void)gethostname(host, sizeof(host) - 1);
    else
        (void)snprintf(host, sizeof(host), "%s", options->gateway);
    (void)text_clean(reeve->gateway, MSG_GATEWAY_MAX, host, strlen(host));
}

// ---- chance

// Nobody gains by guessing these: they spread load, and keep apart what several clients name.
static void seed(struct reeve *reeve)
{
    if (getrandom(&reeve->session, sizeof(reeve->session), GRND_NONBLOCK) !=
        (ssize_t)sizeof(reeve->session))
        reeve->session = clock_mono_us() ^ (uint64_t)getpid() << 40;
    reeve->random = reeve->session | 1;
}

// client_random: xorshift64* (Marsaglia 2003, Vigna 2014); its state is never 0.
uint64_t client_random(struct reeve *reeve)
{
    reeve->random ^= reeve->random >> 12;
    reeve->random ^= reeve->random << 25;
    reeve->random ^= reeve->random >> 27;
    return reeve->random * 0x2545F4914F6CDD1DU;
}

// ---- sockets and descriptors

// plan_nodes: what all links of one kind of door have in common. Serial numbers of the two kinds
// must differ: they name monitors in one context.
static void plan_nodes(struct reeve *reeve, struct nodes *nodes, size_t max, unsigned queue_max,
                       size_t message_max)
{
    nodes->epoll_fd = reeve->epoll_fd;
    nodes->max = max;
    nodes->wake_ms = UINT64_MAX;
    nodes->period_least_ms = NODES_PERIOD_LEAST_MS;
    nodes->period_most_ms = NODES_PERIOD_MOST_MS;
    nodes->again_ms = NODES_AGAIN_MS;
    nodes->plan.context = reeve->context;
    nodes->plan.queue_max = queue_max;
    nodes->plan.message_max = message_max;
    nodes->plan.serial = nodes == &reeve->admin ? UINT64_C(1) << 32 : 0;
}

static enum err open_nodes(struct reeve *reeve, const struct reeve_options *options,
                           struct resolve_how how, struct err_detail *detail)
{
    uint64_t now_ms = clock_mono_ms();
    enum err err = ERR_NONE;

    plan_nodes(reeve, &reeve->lookups, NODES_MAX, (unsigned)reeve->in_flight_max,
               MSG_LOOKUP_BYTES_MAX);
    plan_nodes(reeve, &reeve->admin, ADMIN_ADDRESSES_MAX, ADMIN_QUEUE_MAX, MSG_ADMIN_BYTES_MAX);
    for (size_t i = 0; i < options->node_count && err == ERR_NONE; i++)
        err = nodes_add(&reeve->lookups, options->nodes[i], now_ms, detail);
    if (err == ERR_NONE && options->admin != NULL)
        err = nodes_add(&reeve->admin, options->admin, now_ms, detail);
    if (err == ERR_NONE)
        err = nodes_start(&reeve->lookups, how, now_ms, detail);
    if (err == ERR_NONE)
        err = nodes_start(&reeve->admin, how, now_ms, detail);
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
    reeve->encoded = malloc(CLIENT_ENCODED_BYTES);
    reeve->encoded_size = CLIENT_ENCODED_BYTES;
    reeve->scratch = malloc(CLIENT_SCRATCH_MAX);
    if (reeve->encoded == NULL || reeve->scratch == NULL ||
        asks_init(&reeve->asks, reeve->in_flight_max) != ERR_NONE)
        return err_say(detail, ERR_SYSTEM, "out of memory");
    return ERR_NONE;
}

static enum err open_all(struct reeve *reeve, const struct reeve_options *options,
                         struct resolve_how how, struct err_detail *detail)
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
        err = open_nodes(reeve, options, how, detail);
    return err;
}

// ---- the two calls

enum reeve_error reeve_new(struct reeve **out, const struct reeve_options *options, char *message,
                           size_t size)
{
    return client_new(out, options, resolve_by_system, message, size);
}

enum reeve_error client_new(struct reeve **out, const struct reeve_options *options,
                            struct resolve_how how, char *message, size_t size)
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
        seed(reeve);
        err = open_all(reeve, options, how, &detail);
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
    nodes_close(&old->lookups);
    nodes_close(&old->admin);
    close_descriptor(old->epoll_fd);
    close_descriptor(old->timer_fd);
    while (old->context != NULL && zmq_ctx_term(old->context) != 0 && zmq_errno() == EINTR)
        continue;
    asks_free(&old->asks);
    free(old->encoded);
    free(old->scratch);
    free(old);
    *reeve = NULL;
}
