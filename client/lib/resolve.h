// resolve.h: looking up host names without waiting for them.
//
// getaddrinfo(3) blocks for as long as name servers are silent, so each lookup runs in a thread of
// its own, which ends with it. A client whose endpoints are all numeric never starts one. A lookup
// that hangs holds up neither another name nor resolver_free: its thread is left to end by itself,
// and what it found is dropped.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/lib/endpoint.h"
#include "proto/err.h"

enum { RESOLVE_MAX = 256 }; // addresses of one name

struct addresses {
    struct endpoint endpoint[RESOLVE_MAX];
    size_t count;
};

// How a name is looked up; runs in a thread, so arg outlives it. Errors as endpoint_lookup has.
struct resolve_how {
    enum err (*lookup)(void *arg, const struct endpoint_name *name, struct addresses *out,
                       struct err_detail *detail);
    void *arg;
};
extern const struct resolve_how resolve_by_system;

struct resolver;

// resolver_new: ERR_SYSTEM without memory or descriptors.
MUST_USE enum err resolver_new(struct resolver **out, struct resolve_how how,
                               struct err_detail *detail);
void resolver_free(struct resolver **resolver); // never waits for a thread

// resolver_fd: readable while resolver_take has something to take.
int resolver_fd(const struct resolver *resolver);

// resolver_start: begins to look up a name for somebody, whose number comes back with the answer.
// False: there is no memory or no thread for it; try again later.
bool resolver_start(struct resolver *resolver, unsigned who, const struct endpoint_name *name);

struct resolved {
    unsigned who;
    enum err err; // ERR_NONE, or why there are no addresses
    struct err_detail why;
    struct addresses addresses;
};
// resolver_take: the next lookup that is done; free it with resolver_drop. NULL = none is.
struct resolved *resolver_take(struct resolver *resolver);
void resolver_drop(struct resolved **resolved);
