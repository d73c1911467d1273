// log.c: lines to standard error. Promises: one write(2) a line, so lines of several processes do
// not mix; no allocation; a line longer than 4 KiB is cut. The program's name and level are the one
// piece of state in the process that is not passed along, because a message about trouble must be
// possible everywhere.
#include "proto/base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "proto/base/clock.h"
#include "proto/text.h"

enum { LINE_MAX_BYTES = 4096 };

static struct {
    const char *program;
    enum log_level least;
    bool journal; // systemd reads our standard error: priority prefix instead of a time
} log_to = {"reeve", LOG_INFO_LEVEL, false};

void log_open(const char *program, enum log_level least)
{
    log_to.program = program;
    log_to.least = least;
    log_to.journal = getenv("JOURNAL_STREAM") != NULL;
}

bool log_is_debug(void)
{
    return log_to.least == LOG_DEBUG_LEVEL;
}

static const char *level_name(enum log_level level)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};

    return names[level];
}

static void add_head(struct text_buf *line, enum log_level level)
{
    static const int priorities[] = {7, 6, 4, 3}; // sd-daemon(3)

    if (log_to.journal) {
        text_buf_add(line, "<%d>%s: ", priorities[level], level_name(level));
        return;
    }
    uint64_t now_ms = clock_wall_ms();
    time_t seconds = (time_t)(now_ms / 1000U);
    struct tm utc;
    char stamp[32];

    (void)gmtime_r(&seconds, &utc);
    (void)strftime(stamp, sizeof(stamp), "%Y-%m-%dT%H:%M:%S", &utc);
    text_buf_add(line, "%s.%03uZ %s %s: ", stamp, (unsigned)(now_ms % 1000U), level_name(level),
                 log_to.program);
}

PRINTF_LIKE(3, 0)
static void write_line(enum log_level level, uint64_t left_out, const char *fmt, va_list args)
{
    char memory[LINE_MAX_BYTES];
    char message[LINE_MAX_BYTES];
    struct text_buf line;

    if (level < log_to.least)
        return;
    (void)vsnprintf(message, sizeof(message), fmt, args);
    text_buf_init(&line, memory, sizeof(memory) - 1);
    add_head(&line, level);
    text_buf_add(&line, "%s", message);
    if (left_out > 0)
        text_buf_add(&line, " left_out=%llu", (unsigned long long)left_out);
    memory[line.used] = '\n';
    ssize_t ignored =
        write(STDERR_FILENO, memory, line.used + 1); // nowhere to complain to if this fails
    (void)ignored;
}

#define LOG_FUNCTION(name, level)        \
    void name(const char *fmt, ...)      \
    {                                    \
        va_list args;                    \
                                         \
        va_start(args, fmt);             \
        write_line(level, 0, fmt, args); \
        va_end(args);                    \
    }

LOG_FUNCTION(log_error, LOG_ERROR_LEVEL)
LOG_FUNCTION(log_warn, LOG_WARN_LEVEL)
LOG_FUNCTION(log_info, LOG_INFO_LEVEL)
LOG_FUNCTION(log_debug, LOG_DEBUG_LEVEL)

void log_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level, const char *fmt,
                 ...)
{
    va_list args;

    if (now_ms < limit->next_ms) {
        limit->left_out++;
        return;
    }
    va_start(args, fmt);
    write_line(level, limit->left_out, fmt, args);
    va_end(args);
    limit->left_out = 0;
    limit->next_ms = now_ms + 1000;
}

const char *log_quote(char out[LOG_QUOTE_MAX], const char *text)
{
    char clean[LOG_QUOTE_MAX / 2];
    size_t used = 0;

    (void)text_clean(clean, sizeof(clean) - 1, text == NULL ? "" : text,
                     text == NULL ? 0 : strlen(text));
    out[used++] = '"';
    for (const char *at = clean; *at != '\0' && used + 3 < LOG_QUOTE_MAX; at++) {
        if (*at == '"' || *at == '\\')
            out[used++] = '\\';
        out[used++] = *at;
    }
    out[used++] = '"';
    out[used] = '\0';
    return out;
}
