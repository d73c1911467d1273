// main.c: reeve-policyd, Postfix's policy service in front of Reeve's nodes. Reads its file,
// assembles, runs, tears down; what it promises to Postfix is in session.h, what it makes of
// requests and answers in translate.h. reeve-policyd(8) is its manual.
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client/lib/reeve.h"
#include "client/policyd/config.h"
#include "client/policyd/report.h"
#include "client/policyd/seats.h"
#include "client/policyd/service.h"
#include "proto/base/log.h"
#include "proto/base/loop.h"

struct options {
    const char *path; // -c
    bool test;        // -t
    bool print;       // -T
};

static const char USAGE[] =
    "usage: reeve-policyd [-c FILE] [-t | -T]\n"
    "  -c, --config FILE  reeve-policyd.yaml(5); without it every setting has its default\n"
    "  -t, --test         check the configuration and leave\n"
    "  -T, --print        the same, and print what is in force\n"
    "  -V, --version      print the version\n"
    "  -h, --help         this text\n";

static const struct option LONG_OPTIONS[] = {
    {"config", required_argument, NULL, 'c'}, {"test", no_argument, NULL, 't'},
    {"print", no_argument, NULL, 'T'},        {"version", no_argument, NULL, 'V'},
    {"help", no_argument, NULL, 'h'},         {0},
};

// What runs. The order of the fields is the order of making; the end goes the other way.
struct program {
    struct policyd_config *config;
    struct report report;
    struct loop *loop;
    struct reeve *reeve;
    struct loop_fd *answers;
    struct service *service;
    struct loop_signal *term;
    struct loop_signal *intr;
    struct loop_signal *usr1;
};

static void answers_came(void *arg, int events)
{
    (void)events;
    reeve_dispatch(arg);
}

static void stop_asked(void *arg)
{
    log_info("stopping: new connections are refused, what is under way is answered");
    service_drain(arg);
}

static void report_asked(void *arg)
{
    const struct program *program = arg;

    report_all(program->reeve);
    service_report(program->service);
}

static enum err connect_nodes(struct program *program, struct err_detail *detail)
{
    const struct policyd_config *config = program->config;
    const struct reeve_options options = {
        .nodes = config->nodes.text,
        .node_count = config->nodes.count,
        .gateway = config->gateway[0] != '\0' ? config->gateway : NULL,
        .deadline_ms = (unsigned)config->deadline_ms,
        .in_flight_max = 2 * SEATS_COUNT, // half of it is for questions alone
        .fallback = (enum reeve_fallback)config->fallback,
        .hedge_ms = (unsigned)config->hedge_ms,
        .no_hedge = config->hedge_ms == 0,
        .node_changed = report_node,
        .node_arg = &program->report,
    };
    char message[400] = "";

    switch (reeve_new(&program->reeve, &options, message, sizeof(message))) {
    case REEVE_OK:
        return ERR_NONE;
    case REEVE_BAD_OPTION:
        (void)err_say(detail, ERR_CONFIG, "%s", message);
        return policyd_config_blame(config, "nodes", ERR_CONFIG, detail);
    case REEVE_SYSTEM:
    case REEVE_REFUSED:
    case REEVE_UNREACHABLE:
        break;
    }
    return err_say(detail, ERR_SYSTEM, "%s", message);
}

static enum err program_start(struct program *program, struct err_detail *detail)
{
    enum err err = loop_new(&program->loop, detail);

    if (err == ERR_NONE)
        err = connect_nodes(program, detail);
    if (err == ERR_NONE)
        err =
            service_new(&program->service, program->loop, program->reeve, program->config, detail);
    if (err != ERR_NONE)
        return err;
    program->answers =
        loop_fd_new(program->loop, reeve_fd(program->reeve), answers_came, program->reeve);
    loop_fd_want(program->answers, LOOP_READ);
    program->term = loop_signal_new(program->loop, SIGTERM, stop_asked, program->service);
    program->intr = loop_signal_new(program->loop, SIGINT, stop_asked, program->service);
    program->usr1 = loop_signal_new(program->loop, SIGUSR1, report_asked, program);
    return ERR_NONE;
}

static void program_end(struct program *program)
{
    loop_signal_free(&program->usr1);
    loop_signal_free(&program->intr);
    loop_signal_free(&program->term);
    service_free(&program->service);
    loop_fd_free(&program->answers);
    reeve_free(&program->reeve);
    loop_free(&program->loop);
    policyd_config_free(&program->config);
}

static enum err test_only(struct program *program, const struct options *options,
                          struct err_detail *detail)
{
    enum err err = connect_nodes(program, detail);

    if (err == ERR_NONE && options->print)
        policyd_config_print(program->config, stdout);
    else if (err == ERR_NONE)
        (void)printf("the configuration is good: %s\n",
                     options->path != NULL ? options->path : "(all defaults)");
    return err;
}

static enum err run(struct program *program, struct err_detail *detail)
{
    enum err err = program_start(program, detail);

    if (err != ERR_NONE)
        return err;
    log_info("ready version=%s nodes=%zu first=%s sent=%s", REEVE_VERSION,
             program->config->nodes.count, program->config->nodes.text[0],
             program->config->report_sent ? "by_envelope" : "no");
    loop_run(program->loop);
    report_totals(program->reeve);
    service_report(program->service);
    log_info("stopped");
    return ERR_NONE;
}

// read_options: an exit code, or -1 to go on.
static int read_options(int argc, char **argv, struct options *options)
{
    int letter = 0;

    while ((letter = getopt_long(argc, argv, "c:tTVh", LONG_OPTIONS, NULL)) != -1) {
        switch (letter) {
        case 'c':
            options->path = optarg;
            break;
        case 't':
            options->test = true;
            break;
        case 'T':
            options->print = true;
            break;
        case 'V':
            (void)printf("reeve-policyd %s\n", REEVE_VERSION);
            return EX_OK;
        case 'h':
            (void)fputs(USAGE, stdout);
            return EX_OK;
        default:
            (void)fputs(USAGE, stderr);
            return EX_USAGE;
        }
    }
    if (optind == argc)
        return -1;
    (void)fprintf(stderr, "reeve-policyd: what is '%s'?\n%s", argv[optind], USAGE);
    return EX_USAGE;
}

static int start_and_run(struct program *program, const struct options *options,
                         struct err_detail *detail)
{
    enum err err = policyd_config_load(options->path, &program->config, detail);

    if (err != ERR_NONE)
        return EX_CONFIG;
    log_open("reeve-policyd", (enum log_level)program->config->log_level);
    err = options->test || options->print ? test_only(program, options, detail)
                                          : run(program, detail);
    if (err == ERR_NONE)
        return EX_OK;
    return err == ERR_CONFIG ? EX_CONFIG : EX_UNAVAILABLE;
}

int main(int argc, char **argv)
{
    struct options options = {0};
    struct program program = {0};
    struct err_detail detail = {0};
    int code = read_options(argc, argv, &options);

    if (code >= 0)
        return code;
    log_open("reeve-policyd", LOG_INFO_LEVEL);
    (void)signal(SIGPIPE, SIG_IGN);
    code = start_and_run(&program, &options, &detail);
    if (code != EX_OK)
        log_error("cannot start: %s", detail.text);
    program_end(&program);
    return code;
}
