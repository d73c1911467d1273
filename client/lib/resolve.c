// resolve.c: see resolve.h. Promises: the caller's thread never waits for a name server, here or at
// the end; nothing but the list of finished lookups is shared between threads, under one lock that
// is held for a few instructions and one call that does not block.
#include "client/lib/resolve.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

struct job {
    struct resolved resolved; // first: what resolver_take hands out is freed as the job
    struct resolver *resolver;
    struct endpoint_name name;
    struct job *next;
};

// Lives until its owner and the last thread have left it.
struct resolver {
    pthread_mutex_t lock;
    unsigned users;   // under the lock, as is done
    struct job *done; // newest first: whoever asks has one lookup under way
    struct resolve_how how;
    int fd;
};

static enum err lookup_by_system(void *arg, const struct endpoint_name *name, struct addresses *out,
                                 struct err_detail *detail)
{
    (void)arg;
    return endpoint_lookup(name, out->endpoint, RESOLVE_MAX, &out->count, detail);
}

const struct resolve_how resolve_by_system = {.lookup = lookup_by_system};

enum err resolver_new(struct resolver **out, struct resolve_how how, struct err_detail *detail)
{
    struct resolver *resolver = calloc(1, sizeof(*resolver));

    if (resolver == NULL)
        return err_say(detail, ERR_SYSTEM, "out of memory");
    resolver->users = 1;
    resolver->how = how;
    resolver->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (resolver->fd < 0 || pthread_mutex_init(&resolver->lock, NULL) != 0) {
        (void)err_say(detail, ERR_SYSTEM, "cannot prepare to resolve names: %s", strerror(errno));
        if (resolver->fd >= 0)
            (void)close(resolver->fd);
        free(resolver);
        return ERR_SYSTEM;
    }
    *out = resolver;
    return ERR_NONE;
}

static void drop_jobs(struct job *job)
{
    while (job != NULL) {
        struct job *next = job->next;

        free(job);
        job = next;
    }
}

// leave: one user less. The last one, who is alone, tidies up.
static void leave(struct resolver *resolver)
{
    bool is_last;

    (void)pthread_mutex_lock(&resolver->lock);
    is_last = --resolver->users == 0;
    (void)pthread_mutex_unlock(&resolver->lock);
    if (!is_last)
        return;
    drop_jobs(resolver->done);
    (void)pthread_mutex_destroy(&resolver->lock);
    (void)close(resolver->fd);
    free(resolver);
}

void resolver_free(struct resolver **resolver)
{
    if (*resolver == NULL)
        return;
    leave(*resolver);
    *resolver = NULL;
}

int resolver_fd(const struct resolver *resolver)
{
    return resolver->fd;
}

// ---- a lookup

// hand_over: the list and the descriptor change together, here as in resolver_take: else somebody
// could take the job before it is announced, and would be woken for nothing ever after.
static void hand_over(struct job *job)
{
    const uint64_t one = 1;
    struct resolver *resolver = job->resolver;

    (void)pthread_mutex_lock(&resolver->lock);
    job->next = resolver->done;
    resolver->done = job;
    (void)!write(resolver->fd, &one, sizeof(one)); // full after 2^64 lookups
    (void)pthread_mutex_unlock(&resolver->lock);
}

static void *run_lookup(void *arg)
{
    struct job *job = arg;
    struct resolver *resolver = job->resolver;
    struct resolved *resolved = &job->resolved;

    resolved->err =
        resolver->how.lookup(resolver->how.arg, &job->name, &resolved->addresses, &resolved->why);
    hand_over(job);
    leave(resolver);
    return NULL;
}

// start_thread: detached, and with every signal blocked: they are the caller's.
static bool start_thread(struct job *job)
{
    pthread_attr_t attr;
    pthread_t thread;
    sigset_t all, before;
    bool started;

    if (pthread_attr_init(&attr) != 0)
        return false;
    (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    started = pthread_create(&thread, &attr, run_lookup, job) == 0;
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    return started;
}

bool resolver_start(struct resolver *resolver, unsigned who, const struct endpoint_name *name)
{
    struct job *job = calloc(1, sizeof(*job));

    if (job == NULL)
        return false;
    job->resolved.who = who;
    job->resolver = resolver;
    job->name = *name;
    (void)pthread_mutex_lock(&resolver->lock);
    resolver->users++;
    (void)pthread_mutex_unlock(&resolver->lock);
    if (start_thread(job))
        return true;
    free(job);
    leave(resolver);
    return false;
}

struct resolved *resolver_take(struct resolver *resolver)
{
    struct job *job;
    uint64_t count;

    (void)pthread_mutex_lock(&resolver->lock);
    (void)!read(resolver->fd, &count, sizeof(count));
    job = resolver->done;
    if (job != NULL)
        resolver->done = job->next;
    (void)pthread_mutex_unlock(&resolver->lock);
    return job == NULL ? NULL : &job->resolved;
}

void resolver_drop(struct resolved **resolved)
{
    free(*resolved);
    *resolved = NULL;
}
