// ldap_pool.c: see ldap_pool.h.
//
//      loop                          lock                         threads
//      ldap_pool_ask  -- waiting --> [ job job job ]  -- take -->  worker: session, servers
//      done.fn        <-- eventfd -- [ job ]          <-- done --
//
// Threads and loop share nothing but struct shared, under its lock, which is held for a few instructions. It lives until
// the owner and the last thread have left it. The log is the loop's alone.
#include "node/probe/ldap_pool.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum {
    SERVERS_MOST = 8,
    IDLE_MS =
        60000, // a connection that rested longer may be dead without a sign: a new one is opened
    REST_FIRST_MS = 1000,
    REST_MOST_MS = 15000,
    LEAVE_MS = 2000,
    STACK_BYTES = 1 << 20,
};

// A copy of struct ldap_servers: immutable; the users are counted under the lock.
struct source {
    unsigned users;
    char *uris; // the servers' texts are pieces of it
    char *uri[SERVERS_MOST];
    unsigned uri_count;
    struct ldap_servers servers;
};

struct job {
    struct job *next;
    struct ldap_search search;
    char *texts[3]; // what search points at
    uint64_t until_ms;
    struct ldap_done done;
    struct ldap_answer answer;
};

struct shared {
    pthread_mutex_t lock;
    pthread_cond_t stirred; // a question came, the servers are others, or it is over
    unsigned users;         // the owner and each thread
    bool is_over;
    struct source *source; // NULL = nobody is asked
    struct job *waiting, **waiting_end;
    unsigned waiting_count;
    struct job *done, **done_end;
    unsigned threads, idle;
    uint64_t threads_most;  // connections of the source
    uint64_t rest_until_ms; // no server was there: until then nobody is asked
    uint64_t rest_ms;
    struct err_detail rest_why;
    struct ldap_pool_counters counters;
    const char *password_file, *ca_file; // copies
    int answered_fd;                     // eventfd: something is done
    int left_fd;                         // eventfd: a thread has left
};

struct ldap_pool {
    struct shared *shared;
    struct loop_fd *watch;
    bool is_failing; // the last answer was none
    struct log_limit limit;
};

// What a thread alone has.
struct worker {
    struct shared *shared;
    struct source *source;
    struct ldap_session *session;
    uint64_t used_ms;
    unsigned server; // which of them is asked
};

static void ring(int fd)
{
    const uint64_t one = 1;

    (void)!write(fd, &one, sizeof(one)); // full after 2^64 answers
}

// ---- who is asked

static struct source *source_new(const struct ldap_servers *servers)
{
    struct source *source = mem_new(sizeof(*source));
    char *save = NULL;

    source->users = 1;
    source->uris = mem_text(servers->uris);
    source->servers = *servers;
    source->servers.uris = mem_text(servers->uris); // whole, to compare with
    source->servers.bind_dn = mem_text(servers->bind_dn);
    for (char *uri = strtok_r(source->uris, " ", &save);
         uri != NULL && source->uri_count < SERVERS_MOST; uri = strtok_r(NULL, " ", &save))
        source->uri[source->uri_count++] = uri;
    return source;
}

static void free_text(const char *text)
{
    union {
        const char *text;
        void *memory;
    } same = {.text = text};

    mem_free(same.memory);
}

// source_leave: under the lock, or by the last user of all.
static void source_leave(struct source **source)
{
    if (*source != NULL && --(*source)->users == 0) {
        mem_free((*source)->uris);
        free_text((*source)->servers.uris);
        free_text((*source)->servers.bind_dn);
        mem_free(*source);
    }
    *source = NULL;
}

static bool is_same(const struct source *source, const struct ldap_servers *servers)
{
    const struct ldap_servers *old = &source->servers;

    return strcmp(old->uris, servers->uris) == 0 && old->start_tls == servers->start_tls &&
           strcmp(old->bind_dn, servers->bind_dn) == 0 && old->step_ms == servers->step_ms &&
           old->connections == servers->connections;
}

// ---- questions

static struct job *job_new(const struct ldap_search *search, uint64_t within_ms,
                           struct ldap_done done)
{
    struct job *job = mem_new(sizeof(*job));

    job->texts[0] = mem_text(search->base);
    job->texts[1] = mem_text(search->filter);
    job->texts[2] = mem_text(search->attribute);
    job->search = (struct ldap_search){job->texts[0], job->texts[1], job->texts[2], search->scope};
    job->until_ms = clock_mono_ms() + within_ms;
    job->done = done;
    return job;
}

static void job_free(struct job *job)
{
    for (size_t i = 0; i < sizeof(job->texts) / sizeof(job->texts[0]); i++)
        mem_free(job->texts[i]);
    mem_free(job);
}

static void free_jobs(struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;

        job_free(job);
        job = next;
    }
}

static void append(struct job ***end, struct job *job)
{
    job->next = NULL;
    **end = job;
    *end = &job->next;
}

// ---- the end

// leave: one user less. The last one, who is alone, tidies up.
static void leave(struct shared *shared)
{
    (void)pthread_mutex_lock(&shared->lock);
    const bool is_last = --shared->users == 0;

    ring(shared->left_fd);
    (void)pthread_mutex_unlock(&shared->lock);
    if (!is_last)
        return;
    free_jobs(shared->waiting);
    free_jobs(shared->done);
    source_leave(&shared->source);
    free_text(shared->password_file);
    free_text(shared->ca_file);
    (void)close(shared->answered_fd);
    (void)close(shared->left_fd);
    (void)pthread_cond_destroy(&shared->stirred);
    (void)pthread_mutex_destroy(&shared->lock);
    mem_free(shared);
}

// ---- a thread

static uint64_t left_ms(const struct job *job)
{
    const uint64_t now_ms = clock_mono_ms();

    return job->until_ms > now_ms ? job->until_ms - now_ms : 0;
}

static uint64_t least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static void count_connect(struct shared *shared, bool is_open)
{
    (void)pthread_mutex_lock(&shared->lock);
    if (is_open)
        shared->counters.connects++;
    else
        shared->counters.connect_errors++;
    (void)pthread_mutex_unlock(&shared->lock);
}

static enum err open_session(struct worker *worker, const struct job *job, struct err_detail *why)
{
    const struct source *source = worker->source;
    const char *uri = source->uri[worker->server % source->uri_count];
    const struct ldap_access access = {
        .uri = uri,
        .start_tls = source->servers.start_tls,
        .ca_file = worker->shared->ca_file,
        .bind_dn = source->servers.bind_dn,
        .password_file = worker->shared->password_file,
        .step_ms = least(source->servers.step_ms, left_ms(job) + 1),
    };
    struct err_detail said = {""};
    enum err err = ldap_session_open(&worker->session, &access, &said);

    count_connect(worker->shared, err == ERR_NONE);
    if (err != ERR_NONE)
        return err_say(why, ERR_UNAVAILABLE, "%s: %s", uri, said.text);
    return ERR_NONE;
}

static enum err ask_one(struct worker *worker, struct job *job)
{
    struct err_detail said = {""};
    enum err err = ERR_NONE;

    if (worker->session == NULL)
        err = open_session(worker, job, &job->answer.why);
    if (err != ERR_NONE)
        return err;
    err = ldap_session_search(worker->session, &job->search,
                              least(worker->source->servers.step_ms, left_ms(job) + 1),
                              &job->answer.found, &said);
    worker->used_ms = clock_mono_ms();
    if (err == ERR_NONE)
        return ERR_NONE;
    (void)err_say(&job->answer.why, err, "%s: %s",
                  worker->source->uri[worker->server % worker->source->uri_count], said.text);
    if (err != ERR_CONFIG)
        ldap_session_close(&worker->session);
    return err;
}

// ask_all: one server after the other, until one answers. What was a connection that rested is opened anew first.
static enum err ask_all(struct worker *worker, struct job *job)
{
    const bool is_idle = clock_mono_ms() - worker->used_ms > IDLE_MS;
    enum err err = ERR_TIMEOUT;
    unsigned tries = worker->source->uri_count;

    if (is_idle)
        ldap_session_close(&worker->session);
    for (unsigned i = 0; i < tries && left_ms(job) > 0; i++) {
        const bool rested = worker->session != NULL;

        err = ask_one(worker, job);
        if (err == ERR_NONE || err == ERR_CONFIG)
            return err;
        if (rested && err == ERR_UNAVAILABLE)
            tries++;
        else
            worker->server++;
    }
    return err;
}

// is_resting: that all of them were away a moment ago.
static bool is_resting(struct shared *shared, struct err_detail *why)
{
    (void)pthread_mutex_lock(&shared->lock);
    const bool rests = clock_mono_ms() < shared->rest_until_ms;

    if (rests)
        *why = shared->rest_why;
    (void)pthread_mutex_unlock(&shared->lock);
    return rests;
}

static void note(struct shared *shared, const struct ldap_answer *answer)
{
    const bool is_there = answer->err == ERR_NONE || answer->err == ERR_CONFIG;

    (void)pthread_mutex_lock(&shared->lock);
    if (is_there) {
        shared->rest_ms = 0;
        shared->rest_until_ms = 0;
    } else if (clock_mono_ms() >= shared->rest_until_ms) { // else another thread has just said so
        shared->rest_ms =
            shared->rest_ms == 0 ? REST_FIRST_MS : least(2 * shared->rest_ms, REST_MOST_MS);
        shared->rest_until_ms = clock_mono_ms() + shared->rest_ms;
        shared->rest_why = answer->why;
    }
    (void)pthread_mutex_unlock(&shared->lock);
}

static void work(struct worker *worker, struct job *job)
{
    struct ldap_answer *answer = &job->answer;

    if (worker->source == NULL || worker->source->uri_count == 0) {
        answer->err = err_say(&answer->why, ERR_CONFIG, "settings.ldap names no server");
    } else if (left_ms(job) == 0) {
        answer->err = err_say(&answer->why, ERR_TIMEOUT, "too many questions were before it");
    } else if (worker->session == NULL && is_resting(worker->shared, &answer->why)) {
        answer->err = ERR_UNAVAILABLE;
    } else {
        answer->err = ask_all(worker, job);
        note(worker->shared, answer);
    }
}

static struct job *pop(struct shared *shared)
{
    struct job *job = shared->waiting;

    if (job == NULL)
        return NULL;
    shared->waiting = job->next;
    if (shared->waiting == NULL)
        shared->waiting_end = &shared->waiting;
    shared->waiting_count--;
    return job;
}

// follow: who is asked from now on; the connection to who was asked before goes back to be closed. Under the lock.
static struct ldap_session *follow(struct worker *worker)
{
    struct ldap_session *before = worker->session;

    source_leave(&worker->source);
    worker->source = worker->shared->source;
    worker->source->users++;
    worker->session = NULL;
    worker->server = 0;
    return before;
}

// take: waits for something to do, which may be nothing but to follow. False: this thread is to end.
static bool take(struct worker *worker, struct job **out)
{
    struct shared *shared = worker->shared;
    struct ldap_session *before = NULL;

    (void)pthread_mutex_lock(&shared->lock);
    shared->idle++;
    while (!shared->is_over && shared->waiting == NULL && worker->source == shared->source)
        (void)pthread_cond_wait(&shared->stirred, &shared->lock);
    shared->idle--;
    if (worker->source != shared->source)
        before = follow(worker);
    const bool goes_on = !shared->is_over && shared->threads <= shared->threads_most;

    *out = goes_on ? pop(shared) : NULL;
    if (!goes_on)
        shared->threads--;
    (void)pthread_mutex_unlock(&shared->lock);
    ldap_session_close(&before);
    return goes_on;
}

static void hand_over(struct shared *shared, struct job *job)
{
    (void)pthread_mutex_lock(&shared->lock);
    append(&shared->done_end, job);
    ring(shared->answered_fd);
    (void)pthread_mutex_unlock(&shared->lock);
}

static void *run(void *arg)
{
    struct worker worker = {.shared = arg};
    struct job *job = NULL;

    while (take(&worker, &job)) {
        if (job == NULL)
            continue;
        work(&worker, job);
        hand_over(worker.shared, job);
    }
    ldap_session_close(&worker.session);
    (void)pthread_mutex_lock(&worker.shared->lock);
    source_leave(&worker.source);
    (void)pthread_mutex_unlock(&worker.shared->lock);
    leave(worker.shared);
    return NULL;
}

// start_thread: detached, and with every signal blocked: they are the loop's. Under the lock.
static void start_thread(struct shared *shared)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all;
    sigset_t before;

    if (pthread_attr_init(&attr) != 0)
        return;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, &attr, run, shared) == 0) {
        shared->threads++;
        shared->users++;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
}

// ---- the loop's side

// tell_log: once when answers fail, once when they come again.
static void tell_log(struct ldap_pool *pool, const struct ldap_answer *answer)
{
    const bool fails = answer->err != ERR_NONE;
    char why[LOG_QUOTE_MAX];

    if (fails == pool->is_failing)
        return;
    pool->is_failing = fails;
    if (fails)
        log_limited(
            &pool->limit, clock_mono_ms(), LOG_WARN_LEVEL,
            "the directory server does not answer: recipients of ldap domains are deferred why=%s",
            log_quote(why, answer->why.text));
    else
        log_limited(&pool->limit, clock_mono_ms(), LOG_INFO_LEVEL,
                    "the directory server answers again");
}

static void answers_came(void *arg, int events)
{
    struct ldap_pool *pool = arg;
    struct shared *shared = pool->shared;
    struct job *job = NULL;
    uint64_t count = 0;

    (void)events;
    (void)pthread_mutex_lock(&shared->lock);
    (void)!read(shared->answered_fd, &count, sizeof(count));
    job = shared->done;
    shared->done = NULL;
    shared->done_end = &shared->done;
    (void)pthread_mutex_unlock(&shared->lock);
    while (job != NULL) {
        struct job *next = job->next;

        tell_log(pool, &job->answer);
        job->done.fn(job->done.arg, job->done.token, &job->answer);
        job_free(job);
        job = next;
    }
}

struct ldap_pool *ldap_pool_new(const struct ldap_pool_config *config)
{
    static const struct ldap_servers NOBODY = {.uris = "", .bind_dn = "", .connections = 1};
    struct ldap_pool *pool = mem_new(sizeof(*pool));
    struct shared *shared = mem_new(sizeof(*shared));

    ldap_session_prepare();
    shared->users = 1;
    shared->waiting_end = &shared->waiting;
    shared->done_end = &shared->done;
    shared->source = source_new(&NOBODY);
    shared->threads_most = NOBODY.connections;
    shared->password_file = mem_text(config->password_file);
    shared->ca_file = mem_text(config->ca_file);
    shared->answered_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    shared->left_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    (void)pthread_mutex_init(&shared->lock, NULL);
    (void)pthread_cond_init(&shared->stirred, NULL);
    pool->shared = shared;
    pool->watch = loop_fd_new(config->loop, shared->answered_fd, answers_came, pool);
    loop_fd_want(pool->watch, LOOP_READ);
    return pool;
}

static bool is_alone(struct shared *shared)
{
    (void)pthread_mutex_lock(&shared->lock);
    const bool alone = shared->users == 1;
    (void)pthread_mutex_unlock(&shared->lock);
    return alone;
}

static void await_threads(struct shared *shared)
{
    const uint64_t until_ms = clock_mono_ms() + LEAVE_MS;
    uint64_t now_ms = clock_mono_ms();

    for (; !is_alone(shared) && now_ms < until_ms; now_ms = clock_mono_ms()) {
        struct pollfd wait = {.fd = shared->left_fd, .events = POLLIN};
        uint64_t count = 0;

        (void)poll(&wait, 1, (int)(until_ms - now_ms));
        (void)!read(shared->left_fd, &count, sizeof(count));
    }
}

void ldap_pool_free(struct ldap_pool **pool)
{
    if (*pool == NULL)
        return;
    struct shared *shared = (*pool)->shared;

    (void)pthread_mutex_lock(&shared->lock);
    shared->is_over = true;
    (void)pthread_cond_broadcast(&shared->stirred);
    (void)pthread_mutex_unlock(&shared->lock);
    loop_fd_free(&(*pool)->watch);
    await_threads(shared);
    leave(shared);
    mem_free(*pool);
    *pool = NULL;
}

void ldap_pool_set(struct ldap_pool *pool, const struct ldap_servers *servers)
{
    struct shared *shared = pool->shared;

    // Only the loop's thread ever changes it, so it may read it without the lock.
    if (is_same(shared->source, servers))
        return;
    struct source *source = source_new(servers);

    (void)pthread_mutex_lock(&shared->lock);
    source_leave(&shared->source);
    shared->source = source;
    shared->threads_most = servers->connections;
    shared->rest_ms = 0;
    shared->rest_until_ms = 0;
    (void)pthread_cond_broadcast(&shared->stirred);
    (void)pthread_mutex_unlock(&shared->lock);
}

bool ldap_pool_ask(struct ldap_pool *pool, const struct ldap_search *search, uint64_t within_ms,
                   struct ldap_done done)
{
    struct shared *shared = pool->shared;

    (void)pthread_mutex_lock(&shared->lock);
    if (shared->waiting_count >= shared->idle && shared->threads < shared->threads_most)
        start_thread(shared);
    const bool is_taken = shared->threads > 0 && shared->waiting_count < LDAP_POOL_WAITING_MOST;

    if (is_taken) {
        append(&shared->waiting_end, job_new(search, within_ms, done));
        shared->waiting_count++;
        (void)pthread_cond_signal(&shared->stirred);
    }
    (void)pthread_mutex_unlock(&shared->lock);
    return is_taken;
}

struct ldap_pool_counters ldap_pool_counters(struct ldap_pool *pool)
{
    struct shared *shared = pool->shared;

    (void)pthread_mutex_lock(&shared->lock);
    const struct ldap_pool_counters counters = shared->counters;
    (void)pthread_mutex_unlock(&shared->lock);
    return counters;
}
