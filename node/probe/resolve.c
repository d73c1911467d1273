// resolve.c: getaddrinfo on a thread of the loop's pool, since it may take half a minute. Promises: an answer that comes
// after it was given up is dropped.
#include "node/probe/resolve.h"

#include <netdb.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/mem.h"

struct resolve {
    struct loop_work *work;
    void (*done)(void *arg, const struct resolved *found);
    void *arg;
    char host[RESOLVE_HOST_MAX + 1];
    uint16_t port;
    struct resolved found;
};

static void look_up(const char *host, uint16_t port, int flags, struct resolved *out)
{
    const struct addrinfo hints = {
        .ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_flags = flags | AI_NUMERICSERV};
    struct addrinfo *first = NULL;
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    const int failed = getaddrinfo(host, service, &hints, &first);

    out->count = 0;
    (void)snprintf(out->why, sizeof(out->why), "%s",
                   failed != 0 ? gai_strerror(failed) : "it has no address");
    if (failed != 0)
        return;
    for (const struct addrinfo *at = first; at != NULL && out->count < RESOLVE_MAX;
         at = at->ai_next) {
        memcpy(&out->of[out->count].at, at->ai_addr, at->ai_addrlen);
        out->of[out->count++].len = at->ai_addrlen;
    }
    freeaddrinfo(first);
}

bool resolve_numeric(const char *host, uint16_t port, struct resolved *out)
{
    look_up(host, port, AI_NUMERICHOST, out);
    return out->count > 0;
}

static void run(void *arg)
{
    struct resolve *resolve = arg;

    look_up(resolve->host, resolve->port, AI_ADDRCONFIG, &resolve->found);
}

static void has_run(void *arg, bool wanted)
{
    struct resolve *resolve = arg;

    if (wanted)
        resolve->done(resolve->arg, &resolve->found);
    mem_free(resolve);
}

struct resolve *resolve_name(struct loop *loop, const char *host, uint16_t port,
                             void (*done)(void *arg, const struct resolved *found), void *arg)
{
    struct resolve *resolve = mem_new(sizeof(*resolve));

    resolve->done = done;
    resolve->arg = arg;
    resolve->port = port;
    (void)snprintf(resolve->host, sizeof(resolve->host), "%s", host);
    resolve->work = loop_work_new(loop, run, has_run, resolve);
    return resolve;
}

void resolve_free(struct resolve **resolve)
{
    if (*resolve == NULL)
        return;
    loop_work_free(&(*resolve)->work);
    *resolve = NULL;
}
