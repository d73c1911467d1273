// log.h: one line an event, to standard error: `2026-11-21T21:13:01.123Z info reeved: store is back
// address=... down_ms=...`. Under systemd (JOURNAL_STREAM) the time is left out and the level
// becomes a priority prefix (sd-daemon(3)).
//
// error = an operator must act; warn = odd but handled; info = a state changed; debug = also
// people's addresses. First what happened, in words that never change (so that it can be searched
// for), then key=value. Text that a stranger chose goes through log_quote. A line that could repeat
// at a stranger's will goes through a struct log_limit.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/err.h"

enum log_level { LOG_DEBUG_LEVEL, LOG_INFO_LEVEL, LOG_WARN_LEVEL, LOG_ERROR_LEVEL };

#define LOG_QUOTE_MAX 700 // an address of 320 bytes fits whole

// log_open: the program's name in every line, and the least level that is written. Before the call:
// "reeve", info.
void log_open(const char *program, enum log_level least);
bool log_is_debug(void);

void log_error(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_info(const char *fmt, ...) PRINTF_LIKE(1, 2);
void log_debug(const char *fmt, ...) PRINTF_LIKE(1, 2);

// log_quote: text as it may stand in a log line: in double quotes, control characters, quotes,
// backslashes and non-UTF-8 escaped, cut at LOG_QUOTE_MAX. NULL is "". Returns out.
const char *log_quote(char out[LOG_QUOTE_MAX], const char *text);

// A line of which at most one a second is written; the next one that is says how many were left
// out. Lives in its owner, zeroed at first.
struct log_limit {
    uint64_t next_ms;
    uint64_t left_out;
};
// log_limited: as log_<level>, through the limit. now_ms is monotonic.
void log_limited(struct log_limit *limit, uint64_t now_ms, enum log_level level, const char *fmt,
                 ...) PRINTF_LIKE(4, 5);
