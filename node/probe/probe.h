// probe.h: does a recipient exist? Asked of another server, in the way that the recipient's domain names: by SMTP of the
// host behind the gateway (callforward.h), or of a directory server.
//
// Promises: nothing blocks; equal questions are one; who waits hears in time, and the question goes on without them, so
// that its answer is there for the retry; an answer that came is told exactly once, whoever still waits. What cannot be
// asked (too much under way, a server that is away) is refused at once, and is never an answer to keep.
#pragma once

#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/policy.h"
#include "proto/base/loop.h"

enum { PROBE_WHY_MAX = 200 };

// What another server said.
struct probe_answer {
    enum facts_probe said; // EXISTS, NOBODY or REFUSED; to who waits also SILENT: not yet
    uint64_t life_ms;      // how long it may be kept; 0 = not at all: REFUSED and SILENT
    char mailbox[PERSON_ADDRESS_MAX]; // whose address it is; "" = its own, or not known
    char why[PROBE_WHY_MAX + 1];      // in words, clean (text.h)
};

// The answer is valid during the call.
struct probe_done {
    void (*fn)(void *arg, uint64_t token, const struct probe_answer *answer);
    void *arg;
    uint64_t token;
};

// Everything is borrowed until probe_ask returns; what is needed longer is copied.
struct probe_question {
    const struct policy_domain *domain; // its method, and where its server is
    const struct policy_settings *settings;
    const char *address; // local@domain as mail.h normalises it, without +tag
    uint64_t within_ms;  // how long who asks can wait
};

struct probe_calls {
    // answered: an answer that may be kept: EXISTS or NOBODY, with its life. Before those who wait hear of it.
    void (*answered)(void *arg, const char *address, const struct probe_answer *answer);
    void *arg;
};

// Counters since start: what was asked by whatever method. Metric: reeve_probe_<name>.
#define PROBE_COUNTER_LIST(X)                                                               \
    X(questions, "questions about a recipient that was not known")                          \
    X(joined, "of these, such as were under way already")                                   \
    X(crowded, "of these, such as were refused at once because too much was under way")     \
    X(exists, "answers: the recipient exists")                                              \
    X(nobody, "answers: there is no such recipient")                                        \
    X(refused, "questions that could not be put, or were not answered by yes or no")        \
    X(silent, "questions whose answer did not come while somebody waited")                  \
    X(connects, "connections to hosts that were asked by SMTP")                             \
    X(connect_errors, "of these, such as failed before a question could be put")            \
    X(tls, "of these, such as were encrypted")                                              \
    X(takes_all, "hosts that took a recipient of a random name: their answers say nothing") \
    X(ldap_connects, "connections to directory servers")                                    \
    X(ldap_connect_errors, "connections to directory servers that did not come to be")
struct probe_counters {
#define PROBE_COUNTER_FIELD(name, help) uint64_t name;
    PROBE_COUNTER_LIST(PROBE_COUNTER_FIELD)
#undef PROBE_COUNTER_FIELD
};

struct probe;

struct probe_config {
    struct loop *loop;
    const char *ldap_password_file, *ldap_ca_file; // of ldap_pool.h; borrowed for the life
};
struct probe *probe_new(const struct probe_config *config, struct probe_calls calls);
// probe_free: may take two seconds (ldap_pool.h). Who still waits is told SILENT; nothing is told of answers any more. NULL-safe, NULLs.
void probe_free(struct probe **probe);

// probe_ask: done is called exactly once, on the loop, possibly before this returns. Dry runs do not come here: they ask
// nobody. done.fn NULL: nobody waits.
void probe_ask(struct probe *probe, const struct probe_question *question, struct probe_done done);

const struct probe_counters *probe_counters(const struct probe *probe);
