// watched.c: looks at a file, and copies it when it has become another one.
//
//     look: what is it now?   as it was taken: nothing to do
//                             another than at the look before: it is being written, look again
//                             the same twice: copy it, slice by slice; still the same at the end? hand it over
//
// Promises: one call of came or lost for each file that stood still; nothing is called from inside watched_free.
#include "node/watched.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/base/mem.h"

enum { SLICE_BYTES = 256 << 10, SLICE_MS = 2, NO_FILE = -1 };

// What tells one state of a file from another. A missing one has an error and nothing else.
struct stamp {
    int error;
    dev_t device;
    ino_t inode;
    off_t size;
    struct timespec written, changed;
};

struct watched {
    struct watched_config config;
    struct loop_timer *look;
    struct loop_timer *slice;
    struct stamp seen;  // at the last look
    struct stamp taken; // handed over, or complained about
    struct stamp begun; // being copied
    int from, to;       // being copied; NO_FILE = nothing is
    char buffer[SLICE_BYTES];
};

// ---- what it is now

static bool is_same_time(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec == b->tv_sec && a->tv_nsec == b->tv_nsec;
}

static bool is_same(const struct stamp *a, const struct stamp *b)
{
    return a->error == b->error && a->device == b->device && a->inode == b->inode &&
           a->size == b->size && is_same_time(&a->written, &b->written) &&
           is_same_time(&a->changed, &b->changed);
}

static struct stamp stamp_of(const struct stat *stat)
{
    return (struct stamp){.device = stat->st_dev,
                          .inode = stat->st_ino,
                          .size = stat->st_size,
                          .written = stat->st_mtim,
                          .changed = stat->st_ctim};
}

static struct stamp look_at_path(const char *path)
{
    struct stat found;

    if (stat(path, &found) != 0)
        return (struct stamp){.error = errno};
    return stamp_of(&found);
}

static struct stamp look_at_open(int fd)
{
    struct stat found;

    if (fstat(fd, &found) != 0)
        return (struct stamp){.error = errno};
    return stamp_of(&found);
}

// ---- copying

static void stop_copying(struct watched *watched)
{
    if (watched->from != NO_FILE)
        (void)close(watched->from);
    if (watched->to != NO_FILE)
        (void)close(watched->to);
    watched->from = NO_FILE;
    watched->to = NO_FILE;
    loop_timer_cancel(watched->slice);
}

// lose: it cannot be had, until it is another one.
static void lose(struct watched *watched, const struct stamp *stamp, const char *why)
{
    watched->taken = *stamp;
    stop_copying(watched);
    watched->config.lost(watched->config.arg, why);
}

static bool write_all(int fd, const char *bytes, size_t len)
{
    while (len > 0) {
        ssize_t written = write(fd, bytes, len);

        if (written < 0 && errno != EINTR)
            return false;
        if (written > 0) {
            bytes += written;
            len -= (size_t)written;
        }
    }
    return true;
}

static void hand_over(struct watched *watched)
{
    const struct stamp now = look_at_open(watched->from);
    const int copy = watched->to;

    if (!is_same(&now, &watched->begun)) { // written meanwhile: the next look sees it
        stop_copying(watched);
        return;
    }
    watched->to = NO_FILE;
    watched->taken = watched->begun;
    stop_copying(watched);
    if (fcntl(copy, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0)
        watched->config.came(watched->config.arg, copy);
    else
        watched->config.lost(watched->config.arg, strerror(errno));
    (void)close(copy);
}

// copy_slice: false at the end, whatever the end was.
static bool copy_slice(struct watched *watched)
{
    ssize_t got = read(watched->from, watched->buffer, sizeof(watched->buffer));

    if (got < 0 && errno == EINTR)
        return true;
    if (got < 0 || (got > 0 && !write_all(watched->to, watched->buffer, (size_t)got))) {
        lose(watched, &watched->begun, strerror(errno));
        return false;
    }
    if (got > 0)
        return true;
    hand_over(watched);
    return false;
}

static void copy_on(void *arg)
{
    (void)copy_slice(arg);
}

// begin: opens what the stamp describes. False if there is nothing to copy.
static bool begin(struct watched *watched, const struct stamp *stamp)
{
    struct stat found;

    if (stamp->error != 0) {
        lose(watched, stamp, strerror(stamp->error));
        return false;
    }
    watched->begun = *stamp;
    // A FIFO in its place must not hold up the node.
    watched->from = open(watched->config.path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (watched->from == NO_FILE || fstat(watched->from, &found) != 0) {
        lose(watched, stamp, strerror(errno));
        return false;
    }
    const struct stamp opened = stamp_of(&found);

    if (!S_ISREG(found.st_mode)) {
        lose(watched, stamp, "it is no regular file");
    } else if ((uint64_t)found.st_size > watched->config.bytes_max) {
        lose(watched, stamp, "it is too large");
    } else if (!is_same(&opened, stamp)) {
        stop_copying(watched); // replaced between the two: the next look sees it
    } else {
        watched->to = memfd_create("reeve", MFD_CLOEXEC | MFD_ALLOW_SEALING);
        if (watched->to != NO_FILE)
            return true;
        lose(watched, stamp, strerror(errno));
    }
    return false;
}

// ---- looking

static void look(void *arg)
{
    struct watched *watched = arg;
    const struct stamp now = look_at_path(watched->config.path);
    const bool stands_still = is_same(&now, &watched->seen);

    watched->seen = now;
    if (watched->from != NO_FILE && !is_same(&now, &watched->begun))
        stop_copying(watched);
    if (watched->from != NO_FILE || !stands_still || is_same(&now, &watched->taken))
        return;
    if (begin(watched, &now))
        loop_timer_set(watched->slice, SLICE_MS, SLICE_MS);
}

void watched_new(struct watched **out, const struct watched_config *config)
{
    struct watched *watched = mem_new(sizeof(*watched));

    watched->config = *config;
    watched->from = NO_FILE;
    watched->to = NO_FILE;
    watched->taken.error = -1; // as no file ever is
    watched->look = loop_timer_new(config->loop, look, watched);
    watched->slice = loop_timer_new(config->loop, copy_on, watched);
    watched->seen = look_at_path(config->path);
    if (begin(watched, &watched->seen))
        while (copy_slice(watched))
            continue;
    loop_timer_set(watched->look, config->every_ms, config->every_ms);
    *out = watched;
}

void watched_free(struct watched **watched)
{
    if (*watched == NULL)
        return;
    stop_copying(*watched);
    loop_timer_free(&(*watched)->look);
    loop_timer_free(&(*watched)->slice);
    mem_free(*watched);
    *watched = NULL;
}
