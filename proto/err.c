// err.c: words for errors. Promises: no allocation, no log, never fails.
#include "proto/err.h"

#include <stdarg.h>
#include <stdio.h>

const char *err_text(enum err err)
{
    switch (err) {
    case ERR_NONE:
        return "no error";
    case ERR_SYNTAX:
        return "malformed";
    case ERR_LIMIT:
        return "over a limit";
    case ERR_MEMORY:
        return "out of room";
    case ERR_CONFIG:
        return "wrong configuration";
    case ERR_SYSTEM:
        return "system error";
    case ERR_TIMEOUT:
        return "timed out";
    case ERR_UNAVAILABLE:
        return "not available";
    case ERR_NOT_FOUND:
        return "not found";
    case ERR_CONFLICT:
        return "in conflict";
    case ERR_UNSUPPORTED:
        return "not supported";
    }
    return "unknown error";
}

enum err err_say(struct err_detail *detail, enum err err, const char *fmt, ...)
{
    if (detail != NULL) {
        va_list args;

        va_start(args, fmt);
        (void)vsnprintf(detail->text, sizeof(detail->text), fmt, args);
        va_end(args);
    }
    return err;
}
