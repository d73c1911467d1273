// service.c: listening sockets and the number of connections. Promises: at the limit of descriptors
// the service pauses accepting and goes on serving; some descriptors are always kept back for
// libreeve, which needs them to reach a node again.
#include "client/policyd/service.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/policyd/listen.h"
#include "client/policyd/session.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

#define DESCRIPTORS_KEPT_BACK 64
#define DESCRIPTORS_OF_A_NODE 16 // four a connection; a name may lead to several
#define ACCEPTS_A_TURN        64
#define SWEEP_MS              250
#define DRAIN_MS              5000

struct door {
    struct service *service;
    struct listen_address address;
    struct loop_fd *watch;
    int fd;
};

struct service {
    struct session_hub hub;
    struct door *doors;
    size_t door_count;
    struct loop_timer *sweep;
    struct loop_timer *deadline; // of a drain
    size_t session_max;
    bool paused; // accepts nothing until a session is gone
    struct log_limit full;
};

static void want_doors(struct service *service, int events)
{
    for (size_t i = 0; i < service->door_count; i++) {
        if (service->doors[i].watch != NULL)
            loop_fd_want(service->doors[i].watch, events);
    }
}

static void pause_accepting(struct service *service, const char *why)
{
    service->paused = true;
    want_doors(service, 0);
    log_limited(&service->full, clock_mono_ms(), LOG_WARN_LEVEL,
                "no room for more connections, new ones wait open=%zu max=%zu why=\"%s\"",
                service->hub.count, service->session_max, why);
}

static void resume_accepting(struct service *service)
{
    if (!service->paused || service->hub.count >= service->session_max)
        return;
    service->paused = false;
    want_doors(service, LOOP_READ);
}

// end_if_done: a drain is over when nobody waits for an answer, and what was sent is with a node.
static void end_if_done(void *arg)
{
    struct service *service = arg;

    if (service->hub.draining && service->hub.count == 0 && sent_under_way(service->hub.sent) == 0)
        loop_stop(service->hub.loop);
}

static void session_gone(void *arg)
{
    resume_accepting(arg);
    end_if_done(arg);
}

static void sweep(void *arg)
{
    struct service *service = arg;

    session_sweep(&service->hub);
    resume_accepting(service); // others may have left descriptors
}

static void tune(int fd)
{
    const int on = 1;

    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); // no TCP: no harm
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on));
}

static bool is_shortage(int number)
{
    return number == EMFILE || number == ENFILE || number == ENOBUFS || number == ENOMEM;
}

static void accept_some(void *arg, int events)
{
    struct door *door = arg;
    struct service *service = door->service;

    (void)events;
    for (int i = 0; i < ACCEPTS_A_TURN && !service->paused; i++) {
        int fd = accept4(door->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);

        if (fd < 0 && is_shortage(errno))
            pause_accepting(service, strerror(errno));
        if (fd < 0)
            return; // nobody is waiting, or who was has gone
        tune(fd);
        session_new(&service->hub, fd);
        if (service->hub.count >= service->session_max)
            pause_accepting(service, "limit of open files");
    }
}

// raise_descriptor_limit: the soft limit becomes the hard one. Returns how many sessions that
// allows beside what so many nodes need.
static size_t raise_descriptor_limit(size_t nodes)
{
    const size_t kept_back = DESCRIPTORS_KEPT_BACK + nodes * DESCRIPTORS_OF_A_NODE;

    struct rlimit limit = {1024, 1024};

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < limit.rlim_max) {
        struct rlimit raised = {limit.rlim_max, limit.rlim_max};

        if (setrlimit(RLIMIT_NOFILE, &raised) == 0)
            limit = raised;
    }
    return limit.rlim_cur > 2 * kept_back ? limit.rlim_cur - kept_back : limit.rlim_cur / 2;
}

static enum err open_door(struct service *service, const char *text, struct err_detail *detail)
{
    struct door *door = &service->doors[service->door_count];
    char name[LISTEN_TEXT_MAX];
    enum err err = listen_parse(text, &door->address, detail);

    if (err == ERR_NONE)
        err = listen_open(&door->address, service->hub.config->socket_mode, &door->fd, detail);
    if (err != ERR_NONE)
        return err;
    door->service = service;
    door->watch = loop_fd_new(service->hub.loop, door->fd, accept_some, door);
    loop_fd_want(door->watch, LOOP_READ);
    service->door_count++;
    log_info("listening address=%s", listen_name(door->fd, name));
    return ERR_NONE;
}

static void close_doors(struct service *service)
{
    for (size_t i = 0; i < service->door_count; i++) {
        loop_fd_free(&service->doors[i].watch);
        listen_close(&service->doors[i].address, &service->doors[i].fd);
    }
}

enum err service_new(struct service **out, struct loop *loop, struct reeve *reeve,
                     const struct policyd_config *config, struct err_detail *detail)
{
    struct service *service = mem_new(sizeof(*service));
    enum err err = ERR_NONE;

    service->hub.loop = loop;
    service->hub.reeve = reeve;
    service->hub.config = config;
    service->hub.seats = policy_seats_new();
    service->hub.recipients = recipients_new(RECIPIENTS_TRANSACTIONS, RECIPIENTS_BYTES);
    service->hub.gone = session_gone;
    service->hub.gone_arg = service;
    if (config->report_sent)
        service->hub.sent = sent_new(reeve, end_if_done, service);
    service->hub.journal.mode = (enum policyd_log)config->log_decisions;
    session_hub_init(&service->hub);
    service->session_max = raise_descriptor_limit(config->nodes.count);
    service->doors = mem_new_array(config->listen.count, sizeof(*service->doors));
    service->sweep = loop_timer_new(loop, sweep, service);
    loop_timer_set(service->sweep, SWEEP_MS, SWEEP_MS);
    if (config->spf.evaluate)
        err = spf_desk_new(&service->hub.spf, loop, &config->spf, detail);
    for (size_t i = 0; i < config->listen.count && err == ERR_NONE; i++)
        err = open_door(service, config->listen.text[i], detail);
    if (err != ERR_NONE) {
        service_free(&service);
        return err;
    }
    *out = service;
    return ERR_NONE;
}

static void drain_over(void *arg)
{
    struct service *service = arg;

    log_warn("stopping with connections that were not done open=%zu sent=%zu", service->hub.count,
             sent_under_way(service->hub.sent));
    loop_stop(service->hub.loop);
}

void service_drain(struct service *service)
{
    if (service->hub.draining) {
        loop_stop(service->hub.loop);
        return;
    }
    for (size_t i = 0; i < service->door_count; i++)
        accept_some(&service->doors[i], LOOP_READ); // who was let in already gets an answer
    close_doors(service);
    service->deadline = loop_timer_new(service->hub.loop, drain_over, service);
    loop_timer_set(service->deadline, DRAIN_MS, 0);
    session_drain_all(&service->hub);
    end_if_done(service);
}

void service_report(const struct service *service)
{
    const struct recipients_counters *all = recipients_counters(service->hub.recipients);

    log_info("transactions remembered=%zu bytes=%zu pushed_out=%llu missing=%llu",
             all->transactions, all->bytes, (unsigned long long)all->pushed_out,
             (unsigned long long)all->missing);
    sent_report(service->hub.sent);
}

void service_free(struct service **service)
{
    if (*service == NULL)
        return;
    close_doors(*service);
    (*service)->hub.draining = false; // nobody stops the loop now: loop_free still turns it
    session_close_all(&(*service)->hub);
    spf_desk_free(&(*service)->hub.spf);
    sent_free(&(*service)->hub.sent);
    loop_timer_free(&(*service)->sweep);
    loop_timer_free(&(*service)->deadline);
    policy_seats_free(&(*service)->hub.seats);
    recipients_free(&(*service)->hub.recipients);
    mem_free((*service)->doors);
    mem_free(*service);
    *service = NULL;
}
