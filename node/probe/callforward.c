// callforward.c: hosts, their connections, and the questions that wait for one.
//
//      ask -> waiting -> pump: a ready connection? it is asked.
//                              else, is one more allowed? it is opened, to the next address of the host (looked up once a minute).
//
// What a connection that was used before loses, because the host was tired of it, is asked once more on another one; any other
// loss refuses the question. A host of which no address takes a connection rests, and whoever waits for it is refused.
#include "node/probe/callforward.h"

#include <stdio.h>
#include <string.h>
#include <sys/queue.h>
#include <unistd.h>

#include "node/probe/resolve.h"
#include "node/probe/smtp_session.h"
#include "node/probe/suspects.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum {
    IDLE_MS = 15000,      // a connection that nobody needs is closed
    ADDRESSES_MS = 60000, // a name is looked up again
    REST_LEAST_MS = 1000, // after a failure, doubled with each ...
    REST_MOST_MS = 10000, // ... up to this
    NO_TLS_MS = 3600000,  // a host whose TLS failed is asked in the clear
    USES_MAX = 100,       // questions of one connection
    ERRORS_MAX =
        8, // of them, such as were not answered by yes: Postfix slows down at 10, and leaves at 20
    SWEEP_MS = 60000,
    FORGOTTEN_MS = 600000, // a host that nobody asked for is forgotten
    HOST_MAX = RESOLVE_HOST_MAX,
    HELO_MAX = 255,
};

struct question {
    TAILQ_ENTRY(question) next;
    struct host *host;
    struct peer *peer; // that is asked; NULL = it waits
    struct loop_timer *timer;
    struct probe_done done;
    bool is_again;
    char address[PERSON_ADDRESS_MAX];
};
TAILQ_HEAD(questions, question);

// One connection.
struct peer {
    TAILQ_ENTRY(peer) next;
    struct host *host;
    struct smtp_session *session;
    struct question *question; // NULL = none
    struct loop_timer *timer;  // while it is idle
    bool is_ready;
    unsigned uses, errors;
};
TAILQ_HEAD(peers, peer);

struct host {
    TAILQ_ENTRY(host) next;
    struct callforward *callforward;
    struct peers peers;
    size_t peer_count, opening; // all; those that were not ready yet
    struct questions waiting;
    size_t waiting_count;
    struct resolved addresses;
    bool is_numeric;      // its name is its address
    uint64_t resolved_ms; // monotonic
    size_t address;       // that is tried next
    size_t tried;         // addresses that failed in a row
    unsigned fails;       // rests in a row
    struct suspects suspects;
    uint64_t rest_until_ms, no_tls_until_ms, used_ms;
    char why[PROBE_WHY_MAX + 1]; // it rests
    // As the policy set said last.
    uint64_t connections, waiting_max, reply_ms, whole_ms, positive_ms, negative_ms;
    int starttls;
    char helo[HELO_MAX + 1];
    char name[HOST_MAX + 1];
    uint16_t port;
};
TAILQ_HEAD(hosts, host);

struct callforward {
    struct loop *loop;
    struct probe_counters *counters;
    struct tls_context *tls; // NULL = there is no TLS
    struct hosts hosts;
    struct resolve *resolve; // one at a time, so that a slow resolver holds one thread alone
    struct host *resolving;
    struct loop_timer *sweep;
    char helo[HELO_MAX + 1]; // this machine's name
};

static void pump(struct host *host);
static void time_is_over(void *arg);

// ---- questions

static void answer(struct question *question, enum facts_probe said, const char *why)
{
    struct probe_answer out = {.said = said};
    const struct probe_done done = question->done;
    const struct host *host = question->host;

    if (said == FACTS_EXISTS)
        out.life_ms = host->positive_ms;
    else if (said == FACTS_NOBODY)
        out.life_ms = host->negative_ms;
    char text[HOST_MAX + 2 * PROBE_WHY_MAX];
    const int len =
        snprintf(text, sizeof(text), "%s:%u: %s", host->name, (unsigned)host->port, why);

    (void)text_clean(out.why, PROBE_WHY_MAX, text, (size_t)len);
    loop_timer_free(&question->timer);
    mem_free(question);
    done.fn(done.arg, done.token, &out);
}

static struct question *make_question(struct host *host, const char *address,
                                      struct probe_done done)
{
    struct question *question = mem_new(sizeof(*question));

    question->host = host;
    question->done = done;
    (void)snprintf(question->address, sizeof(question->address), "%s", address);
    question->timer = loop_timer_new(host->callforward->loop, time_is_over, question);
    loop_timer_set(question->timer, host->whole_ms, 0);
    return question;
}

// Takes it out of whatever it is in.
static void take_back(struct question *question)
{
    struct host *host = question->host;

    if (question->peer != NULL) {
        question->peer->question = NULL;
        question->peer = NULL;
    } else {
        TAILQ_REMOVE(&host->waiting, question, next);
        host->waiting_count--;
    }
}

static void wait_in_line(struct question *question, bool is_first)
{
    struct host *host = question->host;

    if (is_first)
        TAILQ_INSERT_HEAD(&host->waiting, question, next);
    else
        TAILQ_INSERT_TAIL(&host->waiting, question, next);
    host->waiting_count++;
}

static void refuse(struct question *question, const char *why)
{
    take_back(question);
    answer(question, FACTS_REFUSED, why);
}

static void refuse_waiting(struct host *host, const char *why)
{
    struct question *question;
    size_t left = host->waiting_count; // whoever is told may ask again

    while (left-- > 0 && (question = TAILQ_FIRST(&host->waiting)) != NULL)
        refuse(question, why);
}

// ---- connections

static void close_peer(struct peer *peer)
{
    struct host *host = peer->host;

    host->opening -= !peer->is_ready && peer->uses == 0;
    host->peer_count--;
    TAILQ_REMOVE(&host->peers, peer, next);
    smtp_session_free(&peer->session);
    loop_timer_free(&peer->timer);
    mem_free(peer);
}

static void is_idle_too_long(void *arg)
{
    close_peer(arg);
}

static void ask_peer(struct peer *peer, struct question *question)
{
    take_back(question);
    question->peer = peer;
    peer->question = question;
    peer->is_ready = false;
    peer->uses++;
    loop_timer_cancel(peer->timer);
    smtp_session_ask(peer->session, question->address);
}

static void peer_is_ready(void *arg)
{
    struct peer *peer = arg;
    struct host *host = peer->host;

    if (peer->uses == 0) {
        host->opening--;
        host->callforward->counters->tls += smtp_session_is_tls(peer->session);
        if (host->fails > 0)
            log_info("callforward: the host answers again host=%s port=%u", host->name,
                     (unsigned)host->port);
        host->fails = 0;
        host->tried = 0;
        host->rest_until_ms = 0;
    }
    peer->is_ready = true;
    if (peer->uses >= USES_MAX || peer->errors >= ERRORS_MAX)
        close_peer(peer);
    else
        loop_timer_set(peer->timer, IDLE_MS, 0);
    pump(host);
}

static void is_examined(void *arg, uint64_t token, const struct probe_answer *answer)
{
    const struct host *host = arg;

    (void)token;
    if (answer->said != FACTS_EXISTS)
        return;
    host->callforward->counters->takes_all++;
    log_warn(
        "callforward: the host takes any recipient, so its answers say nothing host=%s port=%u",
        host->name, (unsigned)host->port);
}

static void peer_said(void *arg, enum facts_probe said, const char *why)
{
    struct peer *peer = arg;
    struct question *question = peer->question;
    char made_up[PERSON_ADDRESS_MAX];

    peer->errors += said != FACTS_EXISTS;
    if (suspects_note(&peer->host->suspects, question->address, said, clock_mono_ms(), made_up))
        wait_in_line(
            make_question(peer->host, made_up, (struct probe_done){is_examined, peer->host, 0}),
            false);
    take_back(question);
    answer(question, said, why);
}

static bool is_resting(const struct host *host)
{
    return host->rest_until_ms > clock_mono_ms();
}

// No address of it took a connection, or what took it is no SMTP server for us.
static void rest(struct host *host, const char *why)
{
    char quoted[LOG_QUOTE_MAX];
    uint64_t rest_ms = (uint64_t)REST_LEAST_MS << (host->fails < 4 ? host->fails : 4);

    if (rest_ms > REST_MOST_MS)
        rest_ms = REST_MOST_MS;
    if (host->fails++ == 0)
        log_warn("callforward: the host cannot be asked; its recipients that are not known wait "
                 "host=%s port=%u why=%s",
                 host->name, (unsigned)host->port, log_quote(quoted, why));
    host->tried = 0;
    host->rest_until_ms = clock_mono_ms() + rest_ms;
    (void)snprintf(host->why, sizeof(host->why), "%s", why);
    if (host->peer_count == host->opening)
        refuse_waiting(host, why);
}

static void opening_failed(struct host *host, enum smtp_end end, const char *why)
{
    char quoted[LOG_QUOTE_MAX];

    host->callforward->counters->connect_errors++;
    if (is_resting(host)) // several were being opened
        return;
    if (end == SMTP_NO_TLS) {
        log_warn("callforward: TLS is offered and fails; asked in the clear for an hour host=%s "
                 "port=%u why=%s",
                 host->name, (unsigned)host->port, log_quote(quoted, why));
        host->no_tls_until_ms = clock_mono_ms() + NO_TLS_MS;
        pump(host);
        return;
    }
    host->address++;
    if (++host->tried < host->addresses.count)
        pump(host);
    else
        rest(host, why);
}

static void peer_is_down(void *arg, enum smtp_end end, const char *why)
{
    struct peer *peer = arg;
    struct host *host = peer->host;
    struct question *question = peer->question;
    const bool is_used = peer->uses > 1;
    char words[PROBE_WHY_MAX + 1];

    (void)snprintf(words, sizeof(words), "%s", why);
    if (question != NULL)
        take_back(question);
    close_peer(peer);
    if (question != NULL && is_used && !question->is_again) {
        question->is_again = true;
        wait_in_line(question, true);
    } else if (question != NULL) {
        answer(question, FACTS_REFUSED, words);
    }
    if (end == SMTP_LOST)
        pump(host);
    else
        opening_failed(host, end, words);
}

static bool is_tls_wanted(const struct host *host)
{
    return host->starttls == POLICY_STARTTLS_MAY && host->no_tls_until_ms <= clock_mono_ms();
}

static void open_peer(struct host *host)
{
    struct callforward *callforward = host->callforward;
    const struct resolved_address *address =
        &host->addresses.of[host->address % host->addresses.count];
    const struct smtp_session_config config = {.loop = callforward->loop,
                                               .address = (const struct sockaddr *)&address->at,
                                               .address_len = address->len,
                                               .host = host->name,
                                               .helo = host->helo[0] != '\0' ? host->helo
                                                                             : callforward->helo,
                                               .tls = is_tls_wanted(host) ? callforward->tls : NULL,
                                               .reply_ms = host->reply_ms};
    struct peer *peer = mem_new(sizeof(*peer));

    callforward->counters->connects++;
    peer->session = smtp_session_new(
        &config, (struct smtp_session_calls){peer_is_ready, peer_said, peer_is_down, peer});
    if (peer->session == NULL) {
        mem_free(peer);
        callforward->counters->connect_errors++;
        rest(host, "this node has no socket left");
        return;
    }
    peer->host = host;
    peer->timer = loop_timer_new(callforward->loop, is_idle_too_long, peer);
    TAILQ_INSERT_TAIL(&host->peers, peer, next);
    host->peer_count++;
    host->opening++;
}

// ---- addresses

// Addresses that were there before are better than a resolver that fails.
static void addresses_are_there(void *arg, const struct resolved *found)
{
    struct callforward *callforward = arg;
    struct host *host = callforward->resolving;

    callforward->resolve = NULL;
    callforward->resolving = NULL;
    host->resolved_ms = clock_mono_ms();
    if (found->count > 0)
        host->addresses = *found;
    if (host->addresses.count == 0) {
        char why[PROBE_WHY_MAX + 1];

        (void)snprintf(why, sizeof(why), "its name could not be resolved: %s", found->why);
        rest(host, why);
    }
    for (host = TAILQ_FIRST(&callforward->hosts); host != NULL; host = TAILQ_NEXT(host, next))
        pump(host);
}

// True: there are some, not too old. Else they are looked up, or will be when the resolver is free.
static bool has_addresses(struct host *host)
{
    struct callforward *callforward = host->callforward;

    if (host->addresses.count > 0 &&
        (host->is_numeric || clock_mono_ms() - host->resolved_ms < ADDRESSES_MS))
        return true;
    if (callforward->resolve != NULL)
        return false;
    callforward->resolving = host;
    callforward->resolve =
        resolve_name(callforward->loop, host->name, host->port, addresses_are_there, callforward);
    return false;
}

// ---- the line

static struct peer *find_ready(const struct host *host)
{
    struct peer *peer;

    for (peer = TAILQ_FIRST(&host->peers); peer != NULL; peer = TAILQ_NEXT(peer, next))
        if (peer->is_ready)
            return peer;
    return NULL;
}

// Connections that will be ready soon, if all goes well: those that are opened, and those that tidy up.
static size_t count_coming(const struct host *host)
{
    const struct peer *peer;
    size_t count = 0;

    for (peer = TAILQ_FIRST(&host->peers); peer != NULL; peer = TAILQ_NEXT(peer, next))
        count += peer->question == NULL && !peer->is_ready;
    return count;
}

static void pump(struct host *host)
{
    struct peer *peer;

    while (host->waiting_count > 0 && (peer = find_ready(host)) != NULL)
        ask_peer(peer, TAILQ_FIRST(&host->waiting));
    if (is_resting(host) && host->peer_count == host->opening)
        refuse_waiting(host, host->why);
    while (host->waiting_count > count_coming(host) && host->peer_count < host->connections &&
           !is_resting(host) && has_addresses(host))
        open_peer(host);
}

static void time_is_over(void *arg)
{
    struct question *question = arg;
    struct host *host = question->host;
    struct peer *peer = question->peer;

    refuse(question, peer != NULL ? "it did not answer in time" : "too many others are asked for");
    if (peer != NULL)
        close_peer(peer); // what it says next is an answer to nobody
    pump(host);
}

// ---- hosts

static struct host *find_host(const struct callforward *callforward,
                              const struct policy_domain *domain)
{
    struct host *host;

    for (host = TAILQ_FIRST(&callforward->hosts); host != NULL; host = TAILQ_NEXT(host, next))
        if (host->port == domain->host_port && strcmp(host->name, domain->host) == 0)
            return host;
    return NULL;
}

static struct host *add_host(struct callforward *callforward, const struct policy_domain *domain)
{
    struct host *host = mem_new(sizeof(*host));

    host->callforward = callforward;
    host->port = domain->host_port;
    (void)snprintf(host->name, sizeof(host->name), "%s", domain->host);
    TAILQ_INIT(&host->peers);
    TAILQ_INIT(&host->waiting);
    host->is_numeric = resolve_numeric(host->name, host->port, &host->addresses);
    TAILQ_INSERT_TAIL(&callforward->hosts, host, next);
    return host;
}

static void free_host(struct host *host)
{
    struct peer *peer;
    struct question *question;

    while ((peer = TAILQ_FIRST(&host->peers)) != NULL) {
        if (peer->question != NULL) {
            loop_timer_free(&peer->question->timer);
            mem_free(peer->question);
        }
        close_peer(peer);
    }
    while ((question = TAILQ_FIRST(&host->waiting)) != NULL) {
        TAILQ_REMOVE(&host->waiting, question, next);
        loop_timer_free(&question->timer);
        mem_free(question);
    }
    TAILQ_REMOVE(&host->callforward->hosts, host, next);
    suspects_free(&host->suspects);
    mem_free(host);
}

static struct host *host_of(struct callforward *callforward, const struct probe_question *question)
{
    const struct policy_settings *settings = question->settings;
    struct host *host = find_host(callforward, question->domain);

    if (host == NULL)
        host = add_host(callforward, question->domain);
    host->used_ms = clock_mono_ms();
    host->connections = settings->callforward.connections;
    host->waiting_max = settings->callforward.waiting;
    host->positive_ms = settings->callforward.positive_ms;
    host->negative_ms = settings->callforward.negative_ms;
    host->reply_ms = settings->callforward.reply_ms;
    host->whole_ms = settings->callforward.whole_ms;
    host->starttls = settings->callforward.starttls;
    (void)snprintf(host->helo, sizeof(host->helo), "%s", settings->callforward.helo);
    return host;
}

// A policy set that names other hosts leaves those of before behind.
static void forget_hosts(void *arg)
{
    struct callforward *callforward = arg;
    struct host *next = NULL;

    for (struct host *host = TAILQ_FIRST(&callforward->hosts); host != NULL; host = next) {
        next = TAILQ_NEXT(host, next);
        if (clock_mono_ms() - host->used_ms > FORGOTTEN_MS && host->peer_count == 0 &&
            host->waiting_count == 0 && callforward->resolving != host)
            free_host(host);
    }
}

// ---- the seam

struct callforward *callforward_new(struct loop *loop, struct probe_counters *counters)
{
    struct callforward *callforward = mem_new(sizeof(*callforward));

    callforward->loop = loop;
    callforward->counters = counters;
    callforward->tls = tls_context_new();
    TAILQ_INIT(&callforward->hosts);
    callforward->sweep = loop_timer_new(loop, forget_hosts, callforward);
    loop_timer_set(callforward->sweep, SWEEP_MS, SWEEP_MS);
    if (gethostname(callforward->helo, HELO_MAX) != 0 || callforward->helo[0] == '\0')
        (void)snprintf(callforward->helo, sizeof(callforward->helo), "localhost");
    return callforward;
}

void callforward_free(struct callforward **callforward)
{
    struct host *host;

    if (*callforward == NULL)
        return;
    resolve_free(&(*callforward)->resolve);
    while ((host = TAILQ_FIRST(&(*callforward)->hosts)) != NULL)
        free_host(host);
    loop_timer_free(&(*callforward)->sweep);
    tls_context_free(&(*callforward)->tls);
    mem_free(*callforward);
    *callforward = NULL;
}

void callforward_ask(struct callforward *callforward, const struct probe_question *question,
                     struct probe_done done)
{
    struct host *host = host_of(callforward, question);
    const bool is_crowded = host->waiting_count >= host->waiting_max;
    struct question *waiting = make_question(host, question->address, done);

    callforward->counters->crowded += is_crowded;
    wait_in_line(waiting, false);
    if (is_crowded)
        refuse(waiting, "too many recipients wait for its answers");
    else
        pump(host); // where it rests, that refuses
}
