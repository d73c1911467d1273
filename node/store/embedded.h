// embedded.h: a redis-server of our own, a child process on a unix socket in the state directory.
//
//     state_dir/lock             held by one node (flock), says its pid
//     state_dir/redis.sock       the server's only door, mode 0700
//     state_dir/appendonlydir/   what it remembers: every write is in the file before its reply is
//     sent state_dir/redis.pid, redis.log
//
// Two servers on one append-only file start happily and destroy it. So the directory is locked, a
// server that still lives there (its node was killed a moment ago) is adopted or waited for, and a
// child dies with its node (pdeathsig).
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/store.h"

struct embedded;

enum {
    EMBEDDED_STOP_MS = 2000, // between SIGTERM and SIGKILL
    EMBEDDED_QUICK_MS =
        5000, // a server that dies sooner than this is started again more and more slowly
    EMBEDDED_REST_MS = 100,
    EMBEDDED_REST_MAX_MS = 5000,
};

struct embedded_config {
    struct loop *loop;
    const char *state_dir;
    const char *redis_server;
    uint64_t max_bytes;
    struct store_counters *counters;
    void (*listening)(void *arg); // the server can be connected to, again
    void *arg;
};

// embedded_new: locks the directory (made if it is absent) and begins; the server is there when
// listening is called. ERR_CONFLICT: another node holds the directory; ERR_SYSTEM: it cannot be
// made or written; ERR_NOT_FOUND: no redis-server; ERR_CONFIG: the path is too long for a unix
// socket. Fork happens in this thread, which must live as long as the node.
MUST_USE enum err embedded_new(struct embedded **out, const struct embedded_config *config,
                               struct err_detail *detail);
void embedded_free(
    struct embedded **embedded); // stops the server, waits 2 s at most, then kills it

const char *embedded_address(const struct embedded *embedded); // "unix:/.../redis.sock"
// embedded_answered: the server said its pid (NULL embedded does nothing). embedded_is_ours: it
// said its directory.
void embedded_answered(struct embedded *embedded, int pid);
bool embedded_is_ours(const struct embedded *embedded, const char *dir);

// ---- its parts (embedded_process.c)

// process_start: forks and executes the server in dir; its pid, or -1 with errno.
int process_start(const char *program, const char *dir, uint64_t max_bytes);
// process_find: the program's path, as execvp would find it, on the heap; NULL if there is none.
char *process_find(const char *program);
// process_lives_in: true if the process is alive and its working directory is dir (so a pid that
// was given to somebody else meanwhile does not count).
bool process_lives_in(int pid, const char *dir);
// process_end: SIGTERM, EMBEDDED_STOP_MS, SIGKILL; returns when it is gone.
void process_end(int pid, const char *dir);
// process_recorded: the pid in dir/redis.pid; 0 = none.
int process_recorded(const char *dir);
