// probe.c: who asks, who waits, and what is under way: the part of probe.h that is the same whatever is asked. Promises:
// each question that is under way is there once; whoever waits hears once, and no later than they said.
#include "node/probe/probe.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>

#include "node/probe/callforward.h"
#include "node/probe/ldap_lookup.h"
#include "proto/base/mem.h"

enum { UNDER_WAY_MAX = 2048, BUCKETS = 256, QUIET_AFTER = 8, QUIET_WAIT_MS = 1 };

// How many waited in vain for the server of a domain, in a row. Whoever asks then does not wait: else a silent server would
// hold the seats that everybody needs. The questions go on, and its next answer makes it somebody to wait for again.
struct quiet {
    SLIST_ENTRY(quiet) next;
    unsigned silent;
    char domain[MAIL_DOMAIN_MAX + 1];
};
SLIST_HEAD(quiets, quiet);

// Somebody who waits for an answer.
struct waiter {
    TAILQ_ENTRY(waiter) next;
    struct asked *asked;
    struct loop_timer *timer;
    struct probe_done done;
};
TAILQ_HEAD(waiters, waiter);

// A question under way.
struct asked {
    LIST_ENTRY(asked) next;
    struct probe *probe;
    struct quiet *quiet; // of its domain
    struct waiters waiters;
    char address[PERSON_ADDRESS_MAX];
};
LIST_HEAD(bucket, asked);

struct probe {
    struct loop *loop;
    struct probe_calls calls;
    struct probe_counters counters;
    struct callforward *callforward;
    struct ldap_lookup *ldap;
    struct quiets quiets; // as many as the policy set has domains
    size_t under_way;
    struct bucket bucket[BUCKETS];
};

// ---- who waits

static void tell(struct waiter *waiter, const struct probe_answer *answer)
{
    const struct probe_done done = waiter->done;

    loop_timer_free(&waiter->timer);
    mem_free(waiter);
    done.fn(done.arg, done.token, answer);
}

static void has_waited(void *arg)
{
    static const struct probe_answer silence = {.said = FACTS_SILENT, .why = "no answer yet"};
    struct waiter *waiter = arg;

    waiter->asked->probe->counters.silent++;
    waiter->asked->quiet->silent++;
    TAILQ_REMOVE(&waiter->asked->waiters, waiter, next);
    tell(waiter, &silence);
}

static void add_waiter(struct asked *asked, uint64_t within_ms, struct probe_done done)
{
    const bool is_quiet = asked->quiet->silent >= QUIET_AFTER && within_ms > QUIET_WAIT_MS;

    if (done.fn == NULL)
        return;
    struct waiter *waiter = mem_new(sizeof(*waiter));

    waiter->asked = asked;
    waiter->done = done;
    waiter->timer = loop_timer_new(asked->probe->loop, has_waited, waiter);
    loop_timer_set(waiter->timer, is_quiet ? QUIET_WAIT_MS : within_ms, 0);
    TAILQ_INSERT_TAIL(&asked->waiters, waiter, next);
}

// ---- what is under way

static struct bucket *bucket_of(struct probe *probe, const char *address)
{
    uint32_t hash = 2166136261U; // FNV-1a: a bucket that somebody fills on purpose is still short

    for (; *address != '\0'; address++)
        hash = (hash ^ (unsigned char)*address) * 16777619U;
    return &probe->bucket[hash % BUCKETS];
}

static struct asked *find_asked(struct probe *probe, const char *address)
{
    struct asked *asked;

    for (asked = LIST_FIRST(bucket_of(probe, address)); asked != NULL;
         asked = LIST_NEXT(asked, next))
        if (strcmp(asked->address, address) == 0)
            return asked;
    return NULL;
}

static struct quiet *quiet_of(struct probe *probe, const char *address)
{
    const char *at = strrchr(address, '@');
    const char *domain = at != NULL ? at + 1 : "";
    struct quiet *quiet;

    for (quiet = SLIST_FIRST(&probe->quiets); quiet != NULL; quiet = SLIST_NEXT(quiet, next))
        if (strcmp(quiet->domain, domain) == 0)
            return quiet;
    quiet = mem_new(sizeof(*quiet));
    (void)snprintf(quiet->domain, sizeof(quiet->domain), "%s", domain);
    SLIST_INSERT_HEAD(&probe->quiets, quiet, next);
    return quiet;
}

static struct asked *add_asked(struct probe *probe, const char *address)
{
    struct asked *asked = mem_new(sizeof(*asked));

    asked->probe = probe;
    asked->quiet = quiet_of(probe, address);
    (void)snprintf(asked->address, sizeof(asked->address), "%s", address);
    TAILQ_INIT(&asked->waiters);
    LIST_INSERT_HEAD(bucket_of(probe, address), asked, next);
    probe->under_way++;
    return asked;
}

static void count(struct probe *probe, enum facts_probe said)
{
    probe->counters.exists += said == FACTS_EXISTS;
    probe->counters.nobody += said == FACTS_NOBODY;
    probe->counters.refused += said == FACTS_REFUSED;
}

static void is_answered(void *arg, uint64_t token, const struct probe_answer *answer)
{
    struct asked *asked = arg;
    struct probe *probe = asked->probe;
    struct waiter *waiter;

    (void)token;
    count(probe, answer->said);
    if (answer->said != FACTS_REFUSED)
        asked->quiet->silent = 0;
    LIST_REMOVE(asked, next); // whoever asks now asks anew
    probe->under_way--;
    if (answer->life_ms > 0)
        probe->calls.answered(probe->calls.arg, asked->address, answer);
    while ((waiter = TAILQ_FIRST(&asked->waiters)) != NULL) {
        TAILQ_REMOVE(&asked->waiters, waiter, next);
        tell(waiter, answer);
    }
    mem_free(asked);
}

static void refuse(const char *why, struct probe_done done)
{
    struct probe_answer answer = {.said = FACTS_REFUSED};

    (void)snprintf(answer.why, sizeof(answer.why), "%s", why);
    if (done.fn != NULL)
        done.fn(done.arg, done.token, &answer);
}

// ---- the seam

static void ask_server(struct probe *probe, const struct probe_question *question,
                       struct asked *asked)
{
    const struct probe_done done = {.fn = is_answered, .arg = asked};

    if (question->domain->recipients == POLICY_RECIPIENTS_LDAP)
        ldap_lookup_ask(probe->ldap, question, done);
    else
        callforward_ask(probe->callforward, question, done);
}

void probe_ask(struct probe *probe, const struct probe_question *question, struct probe_done done)
{
    struct asked *asked = find_asked(probe, question->address);
    const bool is_first = asked == NULL;

    probe->counters.questions++;
    probe->counters.joined += !is_first;
    if (is_first && probe->under_way == UNDER_WAY_MAX) {
        probe->counters.crowded++;
        probe->counters.refused++;
        refuse("too much is asked already", done);
        return;
    }
    if (is_first)
        asked = add_asked(probe, question->address);
    add_waiter(asked, question->within_ms, done);
    if (is_first)
        ask_server(probe, question, asked);
}

struct probe *probe_new(const struct probe_config *config, struct probe_calls calls)
{
    const struct ldap_pool_config ldap = {.loop = config->loop,
                                          .password_file = config->ldap_password_file,
                                          .ca_file = config->ldap_ca_file};
    struct probe *probe = mem_new(sizeof(*probe));

    probe->loop = config->loop;
    probe->calls = calls;
    probe->callforward = callforward_new(config->loop, &probe->counters);
    probe->ldap = ldap_lookup_new(&ldap, &probe->counters);
    return probe;
}

static void let_go(struct asked *asked)
{
    struct waiter *waiter;

    LIST_REMOVE(asked, next);
    while ((waiter = TAILQ_FIRST(&asked->waiters)) != NULL)
        has_waited(waiter);
    mem_free(asked);
}

void probe_free(struct probe **probe)
{
    struct quiet *quiet;

    if (*probe == NULL)
        return;
    callforward_free(&(*probe)->callforward);
    ldap_lookup_free(&(*probe)->ldap);
    for (size_t i = 0; i < BUCKETS; i++)
        while (!LIST_EMPTY(&(*probe)->bucket[i]))
            let_go(LIST_FIRST(&(*probe)->bucket[i]));
    while ((quiet = SLIST_FIRST(&(*probe)->quiets)) != NULL) {
        SLIST_REMOVE_HEAD(&(*probe)->quiets, next);
        mem_free(quiet);
    }
    mem_free(*probe);
    *probe = NULL;
}

const struct probe_counters *probe_counters(const struct probe *probe)
{
    return &probe->counters;
}
