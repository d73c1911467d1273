// dns.c: c-ares behind dns.h. Promises: c-ares tells which of its sockets it wants watched
// and when its next time-out is; the loop does both, so c-ares never waits itself. A socket's watch
// ends before c-ares closes it.
#include "proto/base/dns.h"

// c-ares 1.28 (Debian 13) would rather have ares_query_dnsrec, which 1.18 (Debian 12) has not.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/nameser.h>
#include <string.h>
#include <sys/ioctl.h>

#include "proto/base/mem.h"
#include "proto/text.h"

enum { TRIES = 2, UDP_SIZE = 1232, SERVERS_TEXT_MAX = 2048 };

struct watch {
    struct watch *next;
    struct dns *resolver;
    struct loop_fd *fd_watch;
    ares_socket_t fd;
};

struct dns {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer *timer;
    struct watch *watches;
    uint64_t heard; // how often a server said anything
};

struct asked {
    struct dns *resolver;
    uint64_t heard; // of the resolver, before
    void (*done)(void *arg, const struct dns_reply *reply);
    void *arg;
};

// ---- time-outs

static void set_timer(struct dns *resolver)
{
    struct timeval memory = {0};
    const struct timeval *next = ares_timeout(resolver->channel, NULL, &memory);

    if (next == NULL)
        loop_timer_cancel(resolver->timer);
    else
        loop_timer_set(resolver->timer,
                       (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, 0);
}

static void process(struct dns *resolver, ares_socket_t readable, ares_socket_t writable)
{
    ares_process_fd(resolver->channel, readable, writable);
    set_timer(resolver);
}

static void time_is_over(void *arg)
{
    process(arg, ARES_SOCKET_BAD, ARES_SOCKET_BAD);
}

// ---- sockets

static void socket_is_ready(void *arg, int events)
{
    const struct watch *watch = arg;
    int waiting = 0;

    // c-ares 1.18 (Debian 12) says of a server that answers SERVFAIL what it says of one that is not there. Only asked for, not
    // read: to receive would take an error away from it, and with that it knows at once that nobody is there.
    if ((events & LOOP_READ) != 0 && ioctl(watch->fd, FIONREAD, &waiting) == 0 && waiting > 0)
        watch->resolver->heard++;
    process(watch->resolver, (events & LOOP_READ) != 0 ? watch->fd : ARES_SOCKET_BAD,
            (events & LOOP_WRITE) != 0 ? watch->fd : ARES_SOCKET_BAD);
}

static struct watch **find_watch(struct dns *resolver, ares_socket_t fd)
{
    struct watch **at = &resolver->watches;

    while (*at != NULL && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

static struct watch *add_watch(struct dns *resolver, ares_socket_t fd)
{
    struct watch *watch = mem_new(sizeof(*watch));

    watch->resolver = resolver;
    watch->fd = fd;
    watch->fd_watch = loop_fd_new(resolver->loop, fd, socket_is_ready, watch);
    watch->next = resolver->watches;
    resolver->watches = watch;
    return watch;
}

// socket_changed: c-ares says what it waits for; nothing = the socket is about to be closed.
static void socket_changed(void *arg, ares_socket_t fd, int readable, int writable)
{
    struct dns *resolver = arg;
    struct watch **at = find_watch(resolver, fd);
    struct watch *watch = *at;

    if (readable == 0 && writable == 0) {
        if (watch == NULL)
            return;
        *at = watch->next;
        loop_fd_free(&watch->fd_watch);
        mem_free(watch);
        return;
    }
    if (watch == NULL)
        watch = add_watch(resolver, fd);
    loop_fd_want(watch->fd_watch,
                 (readable != 0 ? LOOP_READ : 0) | (writable != 0 ? LOOP_WRITE : 0));
}

// ---- questions

// NOLINTNEXTLINE(readability-non-const-parameter): the shape that c-ares calls
static void answer_came(void *arg, int status, int timeouts, unsigned char *bytes, int len)
{
    struct asked *asked = arg;
    struct dns_reply reply = {.state = DNS_FAILED, .why = ares_strerror(status)};

    (void)timeouts;
    if (status == ARES_SUCCESS)
        reply.state = DNS_FOUND;
    else if (status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME)
        reply.state = DNS_VOID; // c-ares 1.34 calls bad, and does not ask, what is no host name
    else
        reply.unreachable = (status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED) &&
                            asked->heard == asked->resolver->heard;
    if (reply.state != DNS_FAILED && bytes != NULL && len > 0) {
        reply.bytes = bytes;
        reply.len = (size_t)len;
    }
    asked->done(asked->arg, &reply);
    mem_free(asked);
}

void dns_ask(struct dns *resolver, const char *name, int type,
             void (*done)(void *arg, const struct dns_reply *reply), void *arg)
{
    struct asked *asked = mem_new(sizeof(*asked));

    *asked = (struct asked){resolver, resolver->heard, done, arg};
    ares_query(resolver->channel, name, ns_c_in, type, answer_came, asked);
    set_timer(resolver);
}

// ---- birth and death

static int use_servers(ares_channel channel, const struct yaml_texts *servers)
{
    char memory[SERVERS_TEXT_MAX];
    struct text_buf text;

    if (servers->count == 0)
        return ARES_SUCCESS;
    text_buf_init(&text, memory, sizeof(memory));
    for (size_t i = 0; i < servers->count; i++)
        text_buf_add(&text, "%s%s", i > 0 ? "," : "", servers->text[i]);
    return ares_set_servers_ports_csv(channel, memory);
}

static int open_channel(struct dns *resolver, const struct dns_config *config)
{
    struct ares_options options = {
        .flags = ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
        .timeout = (int)(config->try_ms > 0 ? config->try_ms : DNS_TRY_MS),
        .tries = TRIES,
        .ednspsz = UDP_SIZE,
        .sock_state_cb = socket_changed,
        .sock_state_cb_data = resolver};
    int status = ares_library_init(ARES_LIB_INIT_ALL);

    if (status != ARES_SUCCESS)
        return status;
    status = ares_init_options(&resolver->channel, &options,
                               ARES_OPT_FLAGS | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES |
                                   ARES_OPT_EDNSPSZ | ARES_OPT_SOCK_STATE_CB);
    if (status != ARES_SUCCESS) {
        ares_library_cleanup();
        return status;
    }
    status = use_servers(resolver->channel, &config->servers);
    if (status != ARES_SUCCESS) {
        ares_destroy(resolver->channel);
        ares_library_cleanup();
    }
    return status;
}

enum err dns_new(struct dns **out, struct loop *loop, const struct dns_config *config,
                 struct err_detail *detail)
{
    struct dns *resolver = mem_new(sizeof(*resolver));
    int status = open_channel(resolver, config);

    if (status != ARES_SUCCESS) {
        mem_free(resolver);
        return err_say(detail, ERR_SYSTEM, "cannot ask DNS: %s", ares_strerror(status));
    }
    resolver->loop = loop;
    resolver->timer = loop_timer_new(loop, time_is_over, resolver);
    *out = resolver;
    return ERR_NONE;
}

void dns_free(struct dns **resolver)
{
    if (*resolver == NULL)
        return;
    ares_destroy((*resolver)->channel);
    ares_library_cleanup();
    loop_timer_free(&(*resolver)->timer);
    mem_free(*resolver);
    *resolver = NULL;
}
