// play.c: which lines are played, in which world, and how often.
#include "tests/scenario/play.h"

#include <stdlib.h>
#include <string.h>

#include "tests/scenario/steps.h"

static bool is_title(const struct script_line *line)
{
    return strncmp(line->text, "scenario ", 9) == 0;
}

size_t play_count(const struct script *script)
{
    size_t count = 0;

    for (size_t i = 0; i < script->count; i++)
        count += is_title(&script->line[i]);
    return count == 0 ? 1 : count;
}

// Lines before the first title, and those of the scenario of that index.
static void play_lines(struct world *world, const struct script *script, size_t index)
{
    size_t titles = 0;

    for (size_t i = 0; i < script->count && !world->broken; i++) {
        const struct script_line *line = &script->line[i];

        titles += is_title(line);
        if (!is_title(line) && (titles == 0 || titles == index + 1))
            steps_run(world, line);
    }
}

static const char *title_of(const struct script *script, size_t index)
{
    size_t titles = 0;

    for (size_t i = 0; i < script->count; i++)
        if (is_title(&script->line[i]) && titles++ == index)
            return script->line[i].text + 9;
    return "the file's scenario";
}

// One world from its beginning to its end. Returns the number of lines that did not hold; *report
// is malloc'd.
static size_t play_once(const struct script *script, size_t index, const struct world_way *way,
                        char **report)
{
    size_t size = 0;
    FILE *out = open_memstream(report, &size);
    struct world world;

    world_init(&world, way, script->path, out);
    play_lines(&world, script, index);
    world_end(&world);
    (void)fclose(out);
    return world.failures;
}

static void print_report(const struct script *script, size_t index, const char *report,
                         const char *remark, FILE *out)
{
    (void)fprintf(out, "FAILED %s: %s%s\n%s\n", script->path, title_of(script, index), remark,
                  report);
}

// A failure is explained by the same world with traces; if it then holds, that difference is the
// failure.
static void explain(const struct script *script, size_t index, const char *report, FILE *out)
{
    static const struct world_way TRACED = {.trace = true, .expires = true};
    char *traced = NULL;

    if (play_once(script, index, &TRACED, &traced) > 0)
        print_report(script, index, traced, "", out);
    else
        print_report(script, index, report, " (holds when the trace is asked for)", out);
    free(traced);
}

// The ways in which every scenario is played, and what is said of one that fails only there.
static const struct {
    struct world_way way;
    const char *remark;
} WAYS[] = {
    {{.trace = false, .expires = true}, NULL},
    {{.trace = true, .expires = false},
     " (traced, written by hand, and with a store that drops nothing)"},
    {{.trace = true, .expires = true, .rehearses = true}, " (each check asked dry before)"},
};

bool play_scenario(const struct script *script, size_t index, FILE *out)
{
    bool holds = true;

    for (size_t i = 0; holds && i < sizeof(WAYS) / sizeof(WAYS[0]); i++) {
        char *report = NULL;

        holds = play_once(script, index, &WAYS[i].way, &report) == 0;
        if (!holds && WAYS[i].remark == NULL)
            explain(script, index, report, out);
        else if (!holds)
            print_report(script, index, report, WAYS[i].remark, out);
        free(report);
    }
    return holds;
}
