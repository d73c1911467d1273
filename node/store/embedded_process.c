// embedded_process.c: the redis-server process: found, started, looked at, ended. Promises: a
// started server dies with this process, however that dies.
//
// It is told to end with SIGTERM, never at once with SIGKILL: while an fsync runs, Redis holds back
// for up to two seconds what it has already acknowledged (appendfsync everysec), and writes it down
// when it ends in order.
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "node/store/embedded.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { POLL_MS = 10 };

char *process_find(const char *program)
{
    const char *path = getenv("PATH");

    if (strchr(program, '/') != NULL)
        return access(program, X_OK) == 0 ? mem_text(program) : NULL;
    while (path != NULL && *path != '\0') {
        size_t len = strcspn(path, ":");
        char *found = mem_format("%.*s/%s", (int)len, path, program);

        if (access(found, X_OK) == 0)
            return found;
        mem_free(found);
        path += len + (path[len] == ':');
    }
    return NULL;
}

// In the child, between fork and exec: only what is safe there (signal-safety(7)).
static _Noreturn void become_server(char *const argv[], const char *log, pid_t parent)
{
    sigset_t none;
    int out = open(log, O_WRONLY | O_CREAT | O_APPEND, 0640);
    int in = open("/dev/null", O_RDONLY);

    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent) // it died before prctl
        _exit(126);
    (void)setpgid(0, 0); // a Ctrl-C in the node's terminal is the node's to handle
    (void)sigemptyset(&none);
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
    (void)dup2(in, STDIN_FILENO);
    (void)dup2(out, STDOUT_FILENO);
    (void)dup2(out, STDERR_FILENO);
    (void)close_range(STDERR_FILENO + 1, UINT_MAX, 0);
    (void)execv(argv[0], argv);
    _exit(127);
}

int process_start(const char *program, const char *dir, uint64_t max_bytes)
{
    char *socket = mem_format("%s/redis.sock", dir);
    char *log = mem_format("%s/redis.log", dir);
    char *pid_file = mem_format("%s/redis.pid", dir);
    char *bytes = mem_format("%" PRIu64, max_bytes);
    const char *const arg[] = {
        program,      "--port",       "0",  "--unixsocket", socket,   "--unixsocketperm",
        "700",        "--dir",        dir,  "--pidfile",    pid_file, "--logfile",
        log,          "--daemonize",  "no", "--appendonly", "yes",    "--appendfsync",
        "everysec",   "--save",       "",   "--maxmemory",  bytes,    "--maxmemory-policy",
        "noeviction", "--maxclients", "64", "--databases",  "1",      NULL};
    char *argv[sizeof(arg) / sizeof(arg[0])];
    pid_t parent = getpid();

    memcpy(argv, arg, sizeof(arg)); // execv does not change them, but its type says it may
    pid_t pid = fork();

    if (pid == 0)
        become_server(argv, log, parent);
    mem_free(socket);
    mem_free(log);
    mem_free(pid_file);
    mem_free(bytes);
    return pid;
}

bool process_lives_in(int pid, const char *dir)
{
    char link[64];
    char cwd[PATH_MAX];

    if (pid <= 0)
        return false;
    (void)snprintf(link, sizeof(link), "/proc/%d/cwd", pid);
    ssize_t len = readlink(link, cwd, sizeof(cwd) - 1);

    if (len < 0)
        return false;
    cwd[len] = '\0';
    return strcmp(cwd, dir) == 0;
}

static void sleep_ms(long ms)
{
    struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

    (void)nanosleep(&pause, NULL);
}

// A child is gone when it was reaped, another process when its directory cannot be looked up any
// more.
static bool is_gone(int pid, const char *dir)
{
    pid_t reaped = waitpid(pid, NULL, WNOHANG);

    if (reaped == 0)
        return false;
    return reaped == pid || !process_lives_in(pid, dir);
}

void process_end(int pid, const char *dir)
{
    uint64_t give_up_ms = clock_mono_ms() + EMBEDDED_STOP_MS;

    (void)kill(pid, SIGTERM);
    while (!is_gone(pid, dir)) {
        if (clock_mono_ms() >= give_up_ms)
            (void)kill(pid, SIGKILL);
        sleep_ms(POLL_MS);
    }
}

int process_recorded(const char *dir)
{
    char *path = mem_format("%s/redis.pid", dir);
    FILE *file = fopen(path, "re");
    int pid = 0;

    mem_free(path);
    if (file == NULL)
        return 0;
    if (fscanf(file, "%d", &pid) != 1)
        pid = 0;
    (void)fclose(file);
    return pid;
}
