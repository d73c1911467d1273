// main.c: reeve-load, a load generator for nodes: reads the command line, prepares, measures,
// reports; or replays mail. reeve-load(1) is its manual.
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/load/options.h"
#include "client/load/prepare.h"
#include "client/load/replay_main.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

static volatile sig_atomic_t stop_asked;

static void ask_to_stop(int number)
{
    (void)number;
    stop_asked = 1;
}

static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = ask_to_stop};

    (void)sigaction(SIGINT, &action, NULL);
    (void)sigaction(SIGTERM, &action, NULL);
}

static void report(const struct options *options, const struct asker *asker,
                   const struct tally *tally)
{
    const struct tally_about about = {
        .config = &options->asker,
        .seed = options->measure.seed,
        .population = options->measure.population,
        .late = asker_late(asker),
        .unsent = asker_unsent(asker),
        .as_json = options->as_json,
    };

    tally_print(tally, &about, stdout);
}

static bool asks_for_known(const struct options *options)
{
    return options->asker.verb == MSG_CHECK &&
           (options->measure.mix[LOAD_known] > 0 || options->measure.mix[LOAD_cached] > 0);
}

static int run(const struct options *options)
{
    struct tally *tally = mem_new(sizeof(*tally));
    struct asker *asker = NULL;
    struct err_detail detail = {""};
    enum err err = asker_new(&asker, &options->asker, &detail);

    if (err == ERR_NONE && asks_for_known(options) && !options->is_prepared)
        err = prepare_known(asker, options->measure.population, &stop_asked, &detail);
    if (err == ERR_NONE) {
        measure(asker, &options->measure, &stop_asked, tally);
        report(options, asker, tally);
    } else {
        (void)fprintf(stderr, "reeve-load: %s\n", detail.text);
    }
    if (err == ERR_NONE && tally->answered == 0)
        (void)fputs("reeve-load: no question was answered in time\n", stderr);
    int code = tally->answered > 0 ? EXIT_FINE : EXIT_NOT_MEASURED;

    asker_free(&asker);
    mem_free(tally);
    return code;
}

int main(int argc, char **argv)
{
    struct options options;
    struct err_detail detail;

    if (argc > 1 && strcmp(argv[1], "replay") == 0) {
        watch_signals();
        return replay_main(argc - 1, argv + 1, &stop_asked);
    }
    switch (options_read(&options, argc, argv, &detail)) {
    case OPTIONS_RUN:
        watch_signals();
        return run(&options);
    case OPTIONS_DONE:
        return EXIT_FINE;
    case OPTIONS_WRONG:
        break;
    }
    (void)fprintf(stderr, "reeve-load: %s; see reeve-load --help\n", detail.text);
    return EXIT_USAGE;
}
