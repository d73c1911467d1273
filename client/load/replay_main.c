// replay_main.c: see replay_main.h. Promises: files that are asked for are opened before anything is replayed.
#include "client/load/replay_main.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/load/diagram.h"
#include "client/load/replay_options.h"
#include "client/load/replay_report.h"

// What is written beside the report.
struct files {
    FILE *svg, *scores; // NULL = not asked for
};

static enum err open_one(FILE **out, const char *path, struct err_detail *detail)
{
    if (path == NULL)
        return ERR_NONE;
    *out = fopen(path, "w");
    return *out != NULL ? ERR_NONE : err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
}

static enum err close_one(FILE *file, const char *path, struct err_detail *detail)
{
    if (file == NULL)
        return ERR_NONE;
    bool is_whole = ferror(file) == 0;

    is_whole = fclose(file) == 0 && is_whole;
    return is_whole ? ERR_NONE : err_say(detail, ERR_SYSTEM, "%s: could not be written", path);
}

static void draw(const struct replay_about *about, FILE *out)
{
    struct figures figures[FIGURES_KIND_COUNT];
    struct diagram_curve curve[FIGURES_KIND_COUNT];
    char title[200];

    for (unsigned kind = 0; kind < FIGURES_KIND_COUNT; kind++) {
        figures_make(about->messages, about->result->prediction, kind, false, &figures[kind]);
        curve[kind] = (struct diagram_curve){figures_kind_name(kind), &figures[kind]};
    }
    const char *slash = strrchr(about->path, '/');

    (void)snprintf(title, sizeof(title), "%s: %zu messages",
                   slash != NULL ? slash + 1 : about->path, about->messages->count);
    diagram_print(title, curve, FIGURES_KIND_COUNT, out);
}

static void tell(const struct replay_options *options, const struct replay_about *about,
                 const struct files *files)
{
    if (files->scores != NULL)
        replay_print_scores(about, files->scores);
    if (files->svg != NULL)
        draw(about, files->svg);
    if (options->as_json)
        replay_print_json(about, stdout);
    else
        replay_print_text(about, stdout);
}

static enum err play(const struct replay_options *options, const struct messages *messages,
                     const struct files *files, const volatile sig_atomic_t *stop,
                     struct err_detail *detail)
{
    struct replay_result result = {.prediction = NULL};
    struct entities entities = {0, 0};
    enum err err = replay_run(messages, &options->replay, stop, &result, detail);

    if (err == ERR_NONE && options->redis != NULL)
        err = entities_count(options->redis, &entities, detail);
    if (err == ERR_NONE) {
        const struct replay_about about = {
            .path = options->path,
            .messages = messages,
            .config = &options->replay,
            .result = &result,
            .entities = options->redis != NULL ? &entities : NULL,
        };

        tell(options, &about, files);
    }
    replay_clear(&result);
    return err;
}

static enum err run(const struct replay_options *options, const volatile sig_atomic_t *stop,
                    struct err_detail *detail)
{
    struct messages messages;
    struct files files = {NULL, NULL};
    enum err err = messages_read(&messages, options->path, options->skip_bad, detail);

    if (err == ERR_NONE)
        err = open_one(&files.svg, options->svg, detail);
    if (err == ERR_NONE)
        err = open_one(&files.scores, options->scores, detail);
    if (err == ERR_NONE)
        err = play(options, &messages, &files, stop, detail);
    enum err svg = close_one(files.svg, options->svg, err == ERR_NONE ? detail : NULL);
    enum err scores = close_one(files.scores, options->scores, err == ERR_NONE ? detail : NULL);

    messages_clear(&messages);
    if (err != ERR_NONE)
        return err;
    return svg != ERR_NONE ? svg : scores;
}

int replay_main(int argc, char **argv, const volatile sig_atomic_t *stop)
{
    struct replay_options options;
    struct err_detail detail = {""};

    switch (replay_options_read(&options, argc, argv, &detail)) {
    case OPTIONS_DONE:
        return EXIT_FINE;
    case OPTIONS_WRONG:
        (void)fprintf(stderr, "reeve-load: %s; see reeve-load replay --help\n", detail.text);
        return EXIT_USAGE;
    case OPTIONS_RUN:
        break;
    }
    options.replay.has_progress = isatty(STDERR_FILENO) != 0;
    if (run(&options, stop, &detail) == ERR_NONE)
        return EXIT_FINE;
    (void)fprintf(stderr, "reeve-load: %s\n", detail.text);
    return EXIT_NOT_MEASURED;
}
