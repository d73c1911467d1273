// embedded.c: the embedded server's life, a table of states. Promises: never two servers on one
// directory; a server that dies is started again, more and more slowly if it dies at once.
//
//     LOOKING --nobody there--> STARTING --its socket answers--> RUNNING --it died--> RESTING --+
//      ^  |                        +------------- it died ----------------------------^         |
//      |  +--somebody answers there--> ADOPTED --it is gone--> LOOKING                          |
//      +----------------------------------------------------------------------------------------+
//
// A server that a node of before started here (its pid file says so) is told to end and waited for:
// it may be ending already, and only a child of ours dies with us. Any other that answers at our
// socket is adopted, if it turns out to work in our directory.
#include "node/store/embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum {
    LOOK_MS = 20,
    STARTING_LOOK_MS = 20,
    ADOPTED_LOOK_MS = 500,
    OLD_ENDS_MS = 10000, // a busy disk may need seconds for the last fsync
    QUICK_DEATHS_TOLD = 3,
};

enum life { LOOKING, STARTING, RUNNING, ADOPTED, RESTING };

struct embedded {
    struct embedded_config config;
    char *dir;     // canonical
    char *address; // "unix:" and the socket's path
    char *program;
    int lock;
    enum life life;
    int pid; // of the server: our child, or the adopted one; 0 = none or not known
    uint64_t started_ms;
    uint64_t rest_ms;
    unsigned quick_deaths;
    uint64_t ending_since_ms; // an old server was told to end; 0 = none was
    struct loop_timer *timer;
    struct loop_signal *child_signal;
};

static void go(struct embedded *embedded, enum life life);

static const char *socket_path(const struct embedded *embedded)
{
    return embedded->address + strlen("unix:");
}

static bool somebody_listens(const struct embedded *embedded)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", socket_path(embedded));
    bool listens = connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0 ||
                   errno == EAGAIN; // its queue is full

    (void)close(fd);
    return listens;
}

// ---- the states

static void enter_looking(struct embedded *embedded)
{
    embedded->pid = 0;
    embedded->ending_since_ms = 0;
    loop_timer_set(embedded->timer, 0, LOOK_MS);
}

// Redis writes down what it still holds, and goes.
static void end_old(struct embedded *embedded, int old)
{
    uint64_t now_ms = clock_mono_ms();

    if (embedded->ending_since_ms == 0) {
        log_info("an embedded redis of before still runs, it is told to end pid=%d", old);
        embedded->ending_since_ms = now_ms;
        (void)kill(old, SIGTERM);
    } else if (now_ms - embedded->ending_since_ms > OLD_ENDS_MS) {
        log_warn("an embedded redis of before does not end, it is killed pid=%d", old);
        embedded->ending_since_ms = now_ms;
        (void)kill(old, SIGKILL);
    }
}

static void look(struct embedded *embedded)
{
    int old = process_recorded(embedded->dir);

    if (process_lives_in(old, embedded->dir))
        end_old(embedded, old);
    else if (somebody_listens(embedded))
        go(embedded, ADOPTED);
    else
        go(embedded, STARTING);
}

static void enter_starting(struct embedded *embedded)
{
    embedded->started_ms = clock_mono_ms();
    embedded->pid = process_start(embedded->program, embedded->dir, embedded->config.max_bytes);
    if (embedded->pid < 0) {
        log_error("cannot start the embedded redis: %s", strerror(errno));
        embedded->pid = 0;
        go(embedded, RESTING);
        return;
    }
    embedded->config.counters->server_starts++;
    loop_timer_set(embedded->timer, STARTING_LOOK_MS, STARTING_LOOK_MS);
}

static void look_for_socket(struct embedded *embedded)
{
    if (somebody_listens(embedded))
        go(embedded, RUNNING);
}

static void enter_running(struct embedded *embedded)
{
    loop_timer_cancel(embedded->timer);
    log_info("embedded redis runs, nothing else shares this store dir=%s pid=%d", embedded->dir,
             embedded->pid);
    embedded->config.listening(embedded->config.arg);
}

static void rest_over(struct embedded *embedded)
{
    go(embedded, LOOKING);
}

static void enter_adopted(struct embedded *embedded)
{
    embedded->pid = process_recorded(embedded->dir);
    log_info("embedded redis of before lives, it is taken over dir=%s pid=%d", embedded->dir,
             embedded->pid);
    loop_timer_set(embedded->timer, ADOPTED_LOOK_MS, ADOPTED_LOOK_MS);
    embedded->config.listening(embedded->config.arg);
}

static void look_after_adopted(struct embedded *embedded)
{
    if (!process_lives_in(embedded->pid, embedded->dir) && !somebody_listens(embedded))
        go(embedded, LOOKING);
}

static void enter_resting(struct embedded *embedded)
{
    loop_timer_set(embedded->timer, embedded->rest_ms, 0);
    embedded->rest_ms *= 2;
    if (embedded->rest_ms > EMBEDDED_REST_MAX_MS)
        embedded->rest_ms = EMBEDDED_REST_MAX_MS;
}

static void nothing_due(struct embedded *embedded)
{
    (void)embedded;
}

static const struct life_row {
    void (*enter)(struct embedded *embedded);
    void (*timer)(struct embedded *embedded);
} LIVES[] = {
    [LOOKING] = {enter_looking, look},        [STARTING] = {enter_starting, look_for_socket},
    [RUNNING] = {enter_running, nothing_due}, [ADOPTED] = {enter_adopted, look_after_adopted},
    [RESTING] = {enter_resting, rest_over},
};

static void go(struct embedded *embedded, enum life life)
{
    embedded->life = life;
    LIVES[life].enter(embedded);
}

static void timer_due(void *arg)
{
    struct embedded *embedded = arg;

    LIVES[embedded->life].timer(embedded);
}

// ---- its death

// The last line that the server wrote, for the log.
static const char *last_words(const struct embedded *embedded, char out[LOG_QUOTE_MAX])
{
    char *path = mem_format("%s/redis.log", embedded->dir);
    FILE *file = fopen(path, "re");
    char line[512];
    char last[512] = "";

    mem_free(path);
    if (file != NULL)
        (void)fseek(file, -(long)sizeof(line) * 4,
                    SEEK_END); // a shorter file is read from its start
    while (file != NULL && fgets(line, sizeof(line), file) != NULL) {
        line[strcspn(line, "\n")] = '\0';
        if (line[0] != '\0')
            (void)snprintf(last, sizeof(last), "%s", line);
    }
    if (file != NULL)
        (void)fclose(file);
    const char *mark = strstr(last, " # "); // behind pid, role and time: a warning

    return log_quote(out, mark != NULL ? mark + 3 : last);
}

static void tell_death(const struct embedded *embedded, int status)
{
    char words[LOG_QUOTE_MAX];
    const char *how = WIFSIGNALED(status) ? "signal" : "exit";
    int number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);

    if (embedded->quick_deaths >= QUICK_DEATHS_TOLD)
        log_error(
            "embedded redis does not stay alive, see redis.log dir=%s deaths=%u %s=%d last=%s",
            embedded->dir, embedded->quick_deaths, how, number, last_words(embedded, words));
    else
        log_warn("embedded redis died, it is started again pid=%d %s=%d", embedded->pid, how,
                 number);
}

static void child_changed(void *arg)
{
    struct embedded *embedded = arg;
    int status = 0;
    bool is_child = embedded->life == STARTING || embedded->life == RUNNING;

    if (!is_child || waitpid(embedded->pid, &status, WNOHANG) != embedded->pid)
        return;
    bool was_quick = clock_mono_ms() - embedded->started_ms < EMBEDDED_QUICK_MS;

    embedded->quick_deaths = was_quick ? embedded->quick_deaths + 1 : 0;
    if (!was_quick)
        embedded->rest_ms = EMBEDDED_REST_MS;
    tell_death(embedded, status);
    embedded->pid = 0;
    go(embedded, RESTING);
}

// ---- the directory

static enum err make_dir(struct embedded *embedded, struct err_detail *detail)
{
    const char *dir = embedded->config.state_dir;
    char canonical[PATH_MAX];

    if (mkdir(dir, 0750) != 0 && errno != EEXIST)
        return err_say(detail, ERR_SYSTEM, "state_dir %s cannot be made: %s", dir, strerror(errno));
    if (realpath(dir, canonical) == NULL)
        return err_say(detail, ERR_SYSTEM, "state_dir %s: %s", dir, strerror(errno));
    embedded->dir = mem_text(canonical);
    embedded->address = mem_format("unix:%s/redis.sock", canonical);
    if (strlen(socket_path(embedded)) >= sizeof(((struct sockaddr_un *)NULL)->sun_path))
        return err_say(detail, ERR_CONFIG,
                       "state_dir %s: its path is too long for a unix socket (at most 96 bytes)",
                       dir);
    return ERR_NONE;
}

static enum err refuse_locked(const struct embedded *embedded, struct err_detail *detail)
{
    char holder[16] = "";
    ssize_t len = pread(embedded->lock, holder, sizeof(holder) - 1, 0);

    holder[len > 0 ? strspn(holder, "0123456789") : 0] = '\0';
    return err_say(
        detail, ERR_CONFLICT,
        "state_dir %s is held by another node (pid %s): two nodes cannot share an embedded "
        "store; give this one its own state_dir, or both one Redis (store: {mode: single})",
        embedded->dir, holder[0] != '\0' ? holder : "not known");
}

static enum err lock_dir(struct embedded *embedded, struct err_detail *detail)
{
    char *path = mem_format("%s/lock", embedded->dir);
    char pid[16];
    int len = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());

    embedded->lock = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0640);
    mem_free(path);
    if (embedded->lock < 0)
        return err_say(detail, ERR_SYSTEM, "state_dir %s cannot be written: %s", embedded->dir,
                       strerror(errno));
    if (flock(embedded->lock, LOCK_EX | LOCK_NB) != 0)
        return refuse_locked(embedded, detail);
    if (ftruncate(embedded->lock, 0) != 0 ||
        pwrite(embedded->lock, pid, (size_t)len, 0) != (ssize_t)len)
        return err_say(detail, ERR_SYSTEM, "state_dir %s cannot be written: %s", embedded->dir,
                       strerror(errno));
    return ERR_NONE;
}

static enum err find_program(struct embedded *embedded, struct err_detail *detail)
{
    embedded->program = process_find(embedded->config.redis_server);
    if (embedded->program == NULL)
        return err_say(detail, ERR_NOT_FOUND,
                       "'%s' is not installed: install Debian's package redis-server, or name a "
                       "Redis elsewhere (store: {mode: single, address: ...})",
                       embedded->config.redis_server);
    return ERR_NONE;
}

// ---- the seam

static void release(struct embedded *embedded)
{
    loop_signal_free(&embedded->child_signal);
    loop_timer_free(&embedded->timer);
    if (embedded->lock >= 0)
        (void)close(embedded->lock);
    mem_free(embedded->dir);
    mem_free(embedded->address);
    mem_free(embedded->program);
    mem_free(embedded);
}

enum err embedded_new(struct embedded **out, const struct embedded_config *config,
                      struct err_detail *detail)
{
    struct embedded *embedded = mem_new(sizeof(*embedded));

    embedded->config = *config;
    embedded->lock = -1;
    embedded->rest_ms = EMBEDDED_REST_MS;
    enum err err = find_program(embedded, detail);

    if (err == ERR_NONE)
        err = make_dir(embedded, detail);
    if (err == ERR_NONE)
        err = lock_dir(embedded, detail);
    if (err != ERR_NONE) {
        release(embedded);
        return err;
    }
    embedded->timer = loop_timer_new(config->loop, timer_due, embedded);
    embedded->child_signal = loop_signal_new(config->loop, SIGCHLD, child_changed, embedded);
    go(embedded, LOOKING);
    *out = embedded;
    return ERR_NONE;
}

void embedded_free(struct embedded **embedded)
{
    if (*embedded == NULL)
        return;
    bool has_child = (*embedded)->life == STARTING || (*embedded)->life == RUNNING;

    if (has_child || process_lives_in((*embedded)->pid, (*embedded)->dir))
        process_end((*embedded)->pid, (*embedded)->dir);
    release(*embedded);
    *embedded = NULL;
}

const char *embedded_address(const struct embedded *embedded)
{
    return embedded->address;
}

void embedded_answered(struct embedded *embedded, int pid)
{
    if (embedded != NULL && embedded->life == ADOPTED)
        embedded->pid = pid;
}

bool embedded_is_ours(const struct embedded *embedded, const char *dir)
{
    return strcmp(embedded->dir, dir) == 0;
}
