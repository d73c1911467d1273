// redis_stage.h: what tests of the store stand on: a loop that runs until something holds, a
// directory that goes away, and a real redis-server on a unix socket in it that goes away, too.
// Header-only, because a unit test is one file.
//
//     struct stage stage;
//     stage_open(&stage);
//     stage_redis(&stage, "--maxmemory", "100mb", NULL);      starts a server, waits until it
//     answers struct store *store = stage_store(&stage, &stage.config); stage_until_state(&stage,
//     store, STORE_UP);
//     ...
//     store_free(&store);
//     stage_close(&stage);                                    asserts that no process is left
#pragma once

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <hiredis/hiredis.h>

#include "node/store/store.h"
#include "proto/base/clock.h"
#include "proto/base/loop.h"
#include "proto/base/mem.h"

enum { STAGE_LIMIT_MS = 10000, STAGE_ARGS_MAX = 48 };
#define STAGE_UNUSED __attribute__((unused))

struct stage {
    struct loop *loop;
    struct loop_timer *timer;
    char dir[64];
    char socket[96];   // of the server
    char address[128]; // "unix:" and that
    char state_dir[64 + 8];
    struct store_config config; // single, at that address
    pid_t server;
    // of the wait under way
    bool (*holds)(void *arg);
    void *arg;
    uint64_t until_ms;
    bool held;
};

// ---- waiting

STAGE_UNUSED static void stage_look(void *arg)
{
    struct stage *stage = arg;

    stage->held = stage->holds(stage->arg);
    if (stage->held || clock_mono_ms() >= stage->until_ms)
        loop_stop(stage->loop);
}

// Runs the loop until holds(arg); false if it does not within limit_ms.
STAGE_UNUSED static bool stage_within(struct stage *stage, uint64_t limit_ms,
                                      bool (*holds)(void *arg), void *arg)
{
    if (holds(arg))
        return true;
    stage->holds = holds;
    stage->arg = arg;
    stage->held = false;
    stage->until_ms = clock_mono_ms() + limit_ms;
    loop_timer_set(stage->timer, 1, 1);
    loop_run(stage->loop);
    loop_timer_cancel(stage->timer);
    return stage->held;
}

STAGE_UNUSED static void stage_until(struct stage *stage, bool (*holds)(void *arg), void *arg)
{
    if (!stage_within(stage, STAGE_LIMIT_MS, holds, arg))
        fail_msg("waited %d ms in vain", STAGE_LIMIT_MS);
}

STAGE_UNUSED static bool stage_never(void *arg)
{
    (void)arg;
    return false;
}

// Lets the loop run for a while: only where nothing must happen.
STAGE_UNUSED static void stage_run(struct stage *stage, uint64_t ms)
{
    (void)stage_within(stage, ms, stage_never, NULL);
}

struct stage_wanted {
    struct store *store;
    enum store_state state;
};

STAGE_UNUSED static bool stage_is_state(void *arg)
{
    const struct stage_wanted *wanted = arg;

    return store_state(wanted->store) == wanted->state;
}

STAGE_UNUSED static void stage_until_state(struct stage *stage, struct store *store,
                                           enum store_state state)
{
    struct stage_wanted wanted = {store, state};

    if (!stage_within(stage, STAGE_LIMIT_MS, stage_is_state, &wanted))
        fail_msg("the store is %s, not %s", store_state_text(store_state(store)),
                 store_state_text(state));
}

// ---- the stage

STAGE_UNUSED static void stage_open(struct stage *stage)
{
    struct err_detail detail = {.text = ""};

    memset(stage, 0, sizeof(*stage));
    (void)snprintf(stage->dir, sizeof(stage->dir), "/tmp/reeve-test-XXXXXX");
    assert_non_null(mkdtemp(stage->dir));
    (void)snprintf(stage->socket, sizeof(stage->socket), "%s/r.sock", stage->dir);
    (void)snprintf(stage->address, sizeof(stage->address), "unix:%s", stage->socket);
    (void)snprintf(stage->state_dir, sizeof(stage->state_dir), "%s/state", stage->dir);
    (void)signal(SIGPIPE, SIG_IGN); // as the node does: a server may be gone when it is written to
    assert_int_equal(loop_new(&stage->loop, &detail), ERR_NONE);
    stage->timer = loop_timer_new(stage->loop, stage_look, stage);
    stage->config = (struct store_config){.mode = STORE_SINGLE,
                                          .address = stage->address,
                                          .user = "",
                                          .password_file = "",
                                          .secret_file = "",
                                          .state_dir = stage->state_dir,
                                          .redis_server = "redis-server",
                                          .buckets = 1024,
                                          .deadline_ms = 100,
                                          .embedded_bytes = 64 << 20};
}

STAGE_UNUSED static void stage_sleep_ms(long ms)
{
    struct timespec pause = {.tv_nsec = ms * 1000000};

    (void)nanosleep(&pause, NULL);
}

// A command, answered by the real server; the caller frees the reply. NULL if the server does not
// answer.
STAGE_UNUSED static redisReply *stage_ask_at(const char *socket, const char *format, va_list args)
{
    struct timeval limit = {.tv_sec = 2};
    redisContext *context = redisConnectUnixWithTimeout(socket, limit);
    redisReply *reply = NULL;

    if (context != NULL && context->err == 0) {
        (void)redisSetTimeout(context, limit);
        reply = redisvCommand(context, format, args);
    }
    if (context != NULL)
        redisFree(context);
    return reply;
}

STAGE_UNUSED static redisReply *stage_ask(struct stage *stage, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = stage_ask_at(stage->socket, format, args);

    va_end(args);
    return reply;
}

// A command that must be answered without an error.
STAGE_UNUSED static void stage_do(struct stage *stage, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = stage_ask_at(stage->socket, format, args);

    va_end(args);
    assert_non_null(reply);
    if (reply->type == REDIS_REPLY_ERROR)
        fail_msg("%s: %s", format, reply->str);
    freeReplyObject(reply);
}

STAGE_UNUSED static long long stage_number(struct stage *stage, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    redisReply *reply = stage_ask_at(stage->socket, format, args);

    va_end(args);
    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    long long number = reply->integer;

    freeReplyObject(reply);
    return number;
}

STAGE_UNUSED static bool stage_answers(struct stage *stage)
{
    redisReply *reply = stage_ask(stage, "PING");
    bool answers = reply != NULL;

    if (reply != NULL)
        freeReplyObject(reply);
    return answers;
}

STAGE_UNUSED static void stage_fork(struct stage *stage, char *const argv[])
{
    pid_t parent = getpid();

    stage->server = fork();
    assert_true(stage->server >= 0);
    if (stage->server > 0)
        return;
    int out = open("/dev/null", O_RDWR);

    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(1);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)execvp(argv[0], argv);
    _exit(127);
}

// Starts the server with further arguments (NULL at the end) and waits until it answers anything.
STAGE_UNUSED static void stage_redis(struct stage *stage, ...)
{
    const char *const fixed[] = {
        "redis-server", "--port", "0", "--unixsocket", stage->socket, "--dir",
        stage->dir,     "--save", "",  "--daemonize",  "no"};
    char *argv[STAGE_ARGS_MAX] = {NULL};
    size_t count = sizeof(fixed) / sizeof(fixed[0]);
    va_list args;

    memcpy(argv, fixed, sizeof(fixed));
    va_start(args, stage);
    for (char *arg = va_arg(args, char *); arg != NULL; arg = va_arg(args, char *)) {
        assert_true(count < STAGE_ARGS_MAX - 1);
        argv[count++] = arg;
    }
    va_end(args);
    stage_fork(stage, argv);
    uint64_t until_ms = clock_mono_ms() + STAGE_LIMIT_MS;

    while (!stage_answers(stage)) {
        assert_true(clock_mono_ms() < until_ms);
        stage_sleep_ms(5);
    }
}

STAGE_UNUSED static void stage_kill(struct stage *stage)
{
    if (stage->server <= 0)
        return;
    (void)kill(stage->server, SIGKILL);
    (void)kill(stage->server, SIGCONT);
    (void)waitpid(stage->server, NULL, 0);
    stage->server = 0;
}

STAGE_UNUSED static struct store *stage_store(struct stage *stage,
                                              const struct store_config *config)
{
    struct err_detail detail = {.text = ""};
    struct store *store = NULL;

    if (store_new(&store, stage->loop, config, &detail) != ERR_NONE)
        fail_msg("%s", detail.text);
    return store;
}

// True if a process works in that directory.
STAGE_UNUSED static bool stage_somebody_in(const char *dir)
{
    DIR *proc = opendir("/proc");
    bool found = false;

    for (struct dirent *entry = readdir(proc); entry != NULL && !found; entry = readdir(proc)) {
        char link[300];
        char cwd[300];

        (void)snprintf(link, sizeof(link), "/proc/%s/cwd", entry->d_name);
        ssize_t len = readlink(link, cwd, sizeof(cwd) - 1);

        found = len > 0 && strncmp(cwd, dir, strlen(dir)) == 0;
    }
    (void)closedir(proc);
    return found;
}

STAGE_UNUSED static void stage_close(struct stage *stage)
{
    stage_kill(stage);
    loop_timer_free(&stage->timer);
    loop_free(&stage->loop);
    assert_false(stage_somebody_in(stage->dir));
    char *command = mem_format("rm -rf '%s'", stage->dir);

    assert_int_equal(system(command), 0);
    mem_free(command);
}

// ---- one operation

STAGE_UNUSED static struct store_done
stage_done(void (*fn)(void *arg, uint64_t token, enum store_state state), void *arg, uint64_t token)
{
    return (struct store_done){.fn = fn, .arg = arg, .token = token};
}

struct stage_op {
    unsigned calls;
    enum store_state state;
    uint64_t token;
    uint64_t at_ms;
};

STAGE_UNUSED static void stage_op_done(void *arg, uint64_t token, enum store_state state)
{
    struct stage_op *op = arg;

    op->calls++;
    op->state = state;
    op->token = token;
    op->at_ms = clock_mono_ms();
}

STAGE_UNUSED static bool stage_op_is_done(void *arg)
{
    return ((struct stage_op *)arg)->calls > 0;
}

// A pair with the identities "any" and one network, at now_ms.
struct stage_pair {
    struct key_triplet key;
    struct grey_facts facts;
    struct store_triplet triplet;
};

STAGE_UNUSED static void stage_pair_make(struct stage_pair *pair, const struct key_ring *ring,
                                         const char *sender, const char *net, uint64_t now_ms)
{
    struct key_pair names = {.sender_key = sender, .recipient_key = "bob@corp.example"};

    memset(pair, 0, sizeof(*pair));
    pair->key.identity_count = 2;
    pair->key.identity[0].kind = KEY_ANY;
    pair->key.identity[1].kind = KEY_NET;
    assert_int_equal(ip_net_parse(net, &pair->key.identity[1].net, NULL), ERR_NONE);
    key_triplet_make(&pair->key, &names, ring, now_ms, 12ULL * 3600 * 1000);
    pair->triplet = (struct store_triplet){
        .key = &pair->key, .facts = &pair->facts, .now_ms = now_ms, .mark = 7};
}

STAGE_UNUSED static enum store_state stage_read(struct stage *stage, struct store *store,
                                                enum store_lane lane, struct store_triplet *list)
{
    struct stage_op op = {.calls = 0};

    store_read_passed(store, lane, list, stage_done(stage_op_done, &op, 11));
    stage_until(stage, stage_op_is_done, &op);
    assert_int_equal(op.calls, 1);
    assert_int_equal(op.token, 11);
    return op.state;
}

STAGE_UNUSED static enum store_state stage_add(struct stage *stage, struct store *store,
                                               struct store_triplet *list, bool read_only)
{
    struct stage_op op = {.calls = 0};

    store_add_pending(store, list, read_only, stage_done(stage_op_done, &op, 12));
    stage_until(stage, stage_op_is_done, &op);
    assert_int_equal(op.calls, 1);
    assert_int_equal(op.token, 12);
    return op.state;
}
