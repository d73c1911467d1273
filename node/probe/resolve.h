// resolve.h: the addresses of a host that an operator named, looked up beside the loop. Its own addresses alone: no MX is ever asked for.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include "proto/base/loop.h"

enum { RESOLVE_MAX = 8, RESOLVE_HOST_MAX = 255, RESOLVE_WHY_MAX = 120 };

struct resolved {
    size_t count; // 0: why says why
    struct resolved_address {
        struct sockaddr_storage at;
        socklen_t len;
    } of[RESOLVE_MAX];
    char why[RESOLVE_WHY_MAX + 1];
};

// resolve_numeric: an address as text needs nobody. False: it is a name.
bool resolve_numeric(const char *host, uint16_t port, struct resolved *out);

// resolve_name: on a thread beside the loop; done(arg, found) on the loop, once, unless it is given up (loop_work_free).
struct resolve;
struct resolve *resolve_name(struct loop *loop, const char *host, uint16_t port,
                             void (*done)(void *arg, const struct resolved *found), void *arg);
// resolve_free: gives it up, without waiting; not from inside of done, after which it is gone. NULL-safe, NULLs.
void resolve_free(struct resolve **resolve);
