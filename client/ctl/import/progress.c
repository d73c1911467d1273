// progress.c: see progress.h. Promises: nothing is drawn where nobody sees it; the line
// never outlives its bar.
#include "client/ctl/import/progress.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { BAR = 20, DRAW_EACH_MS = 200, LOOK_EACH = 256, LINE_MAX_BYTES = 160 };

struct progress {
    bool shown, drawn;
    const char *what;
    uint64_t began_ms, step_ms, drawn_ms;
    unsigned calls;
    struct sigaction was_int, was_term;
};

static volatile sig_atomic_t interrupted;

static void interrupt(int number)
{
    (void)number;
    interrupted = 1;
}

struct progress *progress_new(bool shown)
{
    struct progress *progress = mem_new(sizeof(*progress));
    struct sigaction action = {.sa_handler = interrupt};

    interrupted = 0;
    progress->shown = shown && isatty(STDERR_FILENO) == 1;
    progress->began_ms = clock_mono_ms();
    (void)sigaction(SIGINT, &action, &progress->was_int);
    (void)sigaction(SIGTERM, &action, &progress->was_term);
    return progress;
}

void progress_free(struct progress **progress)
{
    if (*progress == NULL)
        return;
    progress_clear(*progress);
    (void)sigaction(SIGINT, &(*progress)->was_int, NULL);
    (void)sigaction(SIGTERM, &(*progress)->was_term, NULL);
    mem_free(*progress);
    *progress = NULL;
}

void progress_begin(struct progress *progress, const char *what)
{
    progress_clear(progress);
    progress->what = what;
    progress->step_ms = clock_mono_ms();
    progress->drawn_ms = progress->step_ms;
}

static void draw(struct progress *progress, uint64_t done, uint64_t total, uint64_t count)
{
    uint64_t ms = clock_mono_ms() - progress->step_ms + 1;
    uint64_t share = total == 0 ? 0 : (done < total ? done : total) * BAR / total;
    char bar[BAR + 1] = "";

    memset(bar, '-', BAR);
    memset(bar, '#', (size_t)share);
    (void)fprintf(stderr, "\r%s  ", progress->what);
    if (total > 0)
        (void)fprintf(stderr, "[%s] %3llu %%  ", bar,
                      (unsigned long long)((done < total ? done : total) * 100 / total));
    (void)fprintf(stderr, "%llu rows, %llu/s", (unsigned long long)count,
                  (unsigned long long)(count * 1000 / ms));
    if (total > 0 && done > 0 && done < total)
        (void)fprintf(stderr, ", %llu s left",
                      (unsigned long long)((total - done) * (ms / 1000 + 1) / done));
    (void)fputs("\x1b[K", stderr); // the rest of a longer line before
    (void)fflush(stderr);
    progress->drawn = true;
}

bool progress_show(struct progress *progress, uint64_t done, uint64_t total, uint64_t count)
{
    uint64_t now_ms;

    if (!progress->shown || ++progress->calls % LOOK_EACH != 0)
        return interrupted == 0;
    now_ms = clock_mono_ms();
    if (now_ms - progress->drawn_ms >= DRAW_EACH_MS) {
        draw(progress, done, total, count);
        progress->drawn_ms = now_ms;
    }
    return interrupted == 0;
}

void progress_clear(struct progress *progress)
{
    if (progress->drawn)
        (void)fputs("\r\x1b[K", stderr);
    progress->drawn = false;
}

bool progress_was_interrupted(const struct progress *progress)
{
    (void)progress;
    return interrupted != 0;
}

uint64_t progress_ms(const struct progress *progress)
{
    return clock_mono_ms() - progress->began_ms;
}
