// resolver.c: c-ares behind resolver.h. Promises: c-ares tells which of its sockets it wants watched
// and when its next time-out is; the loop does both, so c-ares never waits itself. A socket's watch
// ends before c-ares closes it.
#include "client/spf/resolver.h"

// c-ares 1.28 (Debian 13) would rather have ares_query_dnsrec, which 1.18 (Debian 12) has not.
#define CARES_NO_DEPRECATED
#include <ares.h>
#include <arpa/inet.h>
#include <arpa/nameser.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/text.h"

enum { TRIES = 2, UDP_SIZE = 1232, SERVERS_TEXT_MAX = 2048 };

struct watch {
    struct watch *next;
    struct spf_resolver *resolver;
    struct loop_fd *fd_watch;
    ares_socket_t fd;
};

struct spf_resolver {
    struct loop *loop;
    ares_channel channel;
    struct loop_timer *timer;
    struct watch *watches;
};

struct asked {
    void (*done)(void *arg, const struct spf_reply *reply);
    void *arg;
};

// ---- time-outs

static void set_timer(struct spf_resolver *resolver)
{
    struct timeval memory = {0};
    const struct timeval *next = ares_timeout(resolver->channel, NULL, &memory);

    if (next == NULL)
        loop_timer_cancel(resolver->timer);
    else
        loop_timer_set(resolver->timer,
                       (uint64_t)next->tv_sec * 1000 + (uint64_t)next->tv_usec / 1000 + 1, 0);
}

static void process(struct spf_resolver *resolver, ares_socket_t readable, ares_socket_t writable)
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

    process(watch->resolver, (events & LOOP_READ) != 0 ? watch->fd : ARES_SOCKET_BAD,
            (events & LOOP_WRITE) != 0 ? watch->fd : ARES_SOCKET_BAD);
}

static struct watch **find_watch(struct spf_resolver *resolver, ares_socket_t fd)
{
    struct watch **at = &resolver->watches;

    while (*at != NULL && (*at)->fd != fd)
        at = &(*at)->next;
    return at;
}

static struct watch *add_watch(struct spf_resolver *resolver, ares_socket_t fd)
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
    struct spf_resolver *resolver = arg;
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
    struct spf_reply reply = {.state = SPF_DNS_FAILED, .why = ares_strerror(status)};

    (void)timeouts;
    if (status == ARES_SUCCESS)
        reply = (struct spf_reply){.state = SPF_DNS_FOUND, .bytes = bytes, .len = (size_t)len};
    else if (status == ARES_ENODATA || status == ARES_ENOTFOUND || status == ARES_EBADNAME)
        reply.state = SPF_DNS_VOID; // c-ares 1.34 calls bad, and does not ask, what is no host name
    else
        reply.unreachable = status == ARES_ETIMEOUT || status == ARES_ECONNREFUSED;
    asked->done(asked->arg, &reply);
    mem_free(asked);
}

void spf_resolver_ask(struct spf_resolver *resolver, const struct spf_query *query,
                      void (*done)(void *arg, const struct spf_reply *reply), void *arg)
{
    struct asked *asked = mem_new(sizeof(*asked));

    asked->done = done;
    asked->arg = arg;
    ares_query(resolver->channel, query->name, ns_c_in, (int)query->type, answer_came, asked);
    set_timer(resolver);
}

// ---- birth and death

static bool is_port(const char *text)
{
    char *end = NULL;
    long port = strtol(text, &end, 10);

    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && port > 0 && port <= 65535;
}

// is_server: 192.0.2.1:53 or [2001:db8::1]:53.
static bool is_server(const char *text)
{
    const char *colon = strrchr(text, ':');
    const size_t len = colon != NULL ? (size_t)(colon - text) : 0;
    const bool is_bracketed = len > 2 && text[0] == '[' && text[len - 1] == ']';
    unsigned char bytes[16];
    char address[IP_TEXT_MAX];

    if (colon == NULL || len >= sizeof(address) || !is_port(colon + 1))
        return false;
    memcpy(address, text + is_bracketed, len - 2 * (size_t)is_bracketed);
    address[len - 2 * (size_t)is_bracketed] = '\0';
    return inet_pton(is_bracketed ? AF_INET6 : AF_INET, address, bytes) == 1;
}

enum err spf_servers_check(const struct yaml_texts *servers, struct err_detail *detail)
{
    for (size_t i = 0; i < servers->count; i++) {
        if (!is_server(servers->text[i]))
            return err_say(detail, ERR_CONFIG,
                           "'%s' is no name server: write 127.0.0.1:53 or [::1]:53",
                           servers->text[i]);
    }
    return ERR_NONE;
}

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

static int open_channel(struct spf_resolver *resolver, const struct yaml_texts *servers)
{
    struct ares_options options = {.flags =
                                       ARES_FLAG_NOSEARCH | ARES_FLAG_NOALIASES | ARES_FLAG_EDNS,
                                   .timeout = SPF_TRY_MS,
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
    status = use_servers(resolver->channel, servers);
    if (status != ARES_SUCCESS) {
        ares_destroy(resolver->channel);
        ares_library_cleanup();
    }
    return status;
}

enum err spf_resolver_new(struct spf_resolver **out, struct loop *loop,
                          const struct yaml_texts *servers, struct err_detail *detail)
{
    struct spf_resolver *resolver = mem_new(sizeof(*resolver));
    int status = open_channel(resolver, servers);

    if (status != ARES_SUCCESS) {
        mem_free(resolver);
        return err_say(detail, ERR_SYSTEM, "cannot ask DNS for SPF: %s", ares_strerror(status));
    }
    resolver->loop = loop;
    resolver->timer = loop_timer_new(loop, time_is_over, resolver);
    *out = resolver;
    return ERR_NONE;
}

void spf_resolver_free(struct spf_resolver **resolver)
{
    if (*resolver == NULL)
        return;
    ares_destroy((*resolver)->channel);
    ares_library_cleanup();
    loop_timer_free(&(*resolver)->timer);
    mem_free(*resolver);
    *resolver = NULL;
}
