// main.c: plays scenarios: `scenario [-x] FILE...`. Each prints nothing if it holds, else every
// line that did not, what came instead and the trace of that decision. The last line counts; the
// exit status is 1 if one failed. -x stops at the first.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/log.h"
#include "tests/scenario/play.h"

struct totals {
    size_t passed;
    size_t failed;
};

static void play_file(const char *path, bool stop_early, struct totals *totals)
{
    struct err_detail detail = {""};
    struct script *script = NULL;

    if (script_load(path, &script, &detail) != ERR_NONE) {
        (void)printf("%s\n", detail.text);
        totals->failed++;
        return;
    }
    for (size_t i = 0; i < play_count(script) && !(stop_early && totals->failed > 0); i++) {
        if (play_scenario(script, i, stdout))
            totals->passed++;
        else
            totals->failed++;
    }
    script_free(&script);
}

int main(int argc, char **argv)
{
    bool stop_early = argc > 1 && strcmp(argv[1], "-x") == 0;
    struct totals totals = {0};

    if (argc < 2 + stop_early) {
        (void)fprintf(stderr, "usage: scenario [-x] FILE.scn...\n");
        return 2;
    }
    log_open("scenario", LOG_WARN_LEVEL);
    for (int i = 1 + stop_early; i < argc && !(stop_early && totals.failed > 0); i++)
        play_file(argv[i], stop_early, &totals);
    (void)printf("scenario: %zu passed, %zu failed\n", totals.passed, totals.failed);
    return totals.failed > 0 || totals.passed == 0 ? 1 : 0;
}
