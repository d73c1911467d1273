// ldap_pool.h: asks directory servers beside the loop: a few threads of its own, each with one connection that is used
// again, and a bounded queue of questions before them. (libldap waits in connecting, in the handshake of TLS and in
// looking up names, and libuv's own threads are everybody's.)
//
// Promises: nothing here waits; each question is answered exactly once, on the loop, and within its time plus one step,
// or is dropped with the pool. A connection that the server has closed while it rested costs nobody an answer. Of several
// servers the next is asked when one is not there; when none is, questions are refused at once for a while, from one
// second on up to fifteen, so that nobody waits for what is known to be away.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/probe/ldap_session.h"
#include "proto/base/loop.h"

enum { LDAP_POOL_WAITING_MOST = 1024, LDAP_POOL_THREADS_MOST = 32 };

// Who is asked, and how. Two that hold the same are one.
struct ldap_servers {
    const char *uris; // parted by blanks; asked in this order; "" = nobody is
    bool start_tls;
    const char *bind_dn;
    uint64_t step_ms;
    uint64_t connections; // at most, and so many threads
};

struct ldap_pool_config {
    struct loop *loop;
    const char *password_file; // borrowed for the life, as is the next
    const char *ca_file;
};

struct ldap_answer {
    enum err err; // NONE, or why there is no answer
    struct ldap_found found;
    struct err_detail why;
};

struct ldap_done {
    void (*fn)(void *arg, uint64_t token, const struct ldap_answer *answer);
    void *arg;
    uint64_t token;
};

struct ldap_pool_counters {
    uint64_t connects;       // connections that were opened
    uint64_t connect_errors; // of which none came to be
};

struct ldap_pool;

struct ldap_pool *ldap_pool_new(const struct ldap_pool_config *config);
// ldap_pool_free: drops what was not answered. Waits for threads that are in a server's hands, two seconds at most; what
// is left then ends by itself. NULL-safe, NULLs.
void ldap_pool_free(struct ldap_pool **pool);

// ldap_pool_set: from the next question on these are asked. Copied; nothing happens if they are the same as before.
void ldap_pool_set(struct ldap_pool *pool, const struct ldap_servers *servers);
// ldap_pool_ask: search is copied. within_ms: how long it may take, its wait in the queue included. False: too many wait,
// or there is no thread, and done is not called.
MUST_USE bool ldap_pool_ask(struct ldap_pool *pool, const struct ldap_search *search,
                            uint64_t within_ms, struct ldap_done done);

struct ldap_pool_counters ldap_pool_counters(struct ldap_pool *pool);
