// err.h: how a function says that it failed.
//
// A function that can fail returns an enum err and hands its result back through a pointer, which
// it leaves untouched on failure. Where a person will read the message, the function also takes a
// struct err_detail and writes there what was wrong, where, and what to do about it. An error is
// handled or passed up, never both; it is logged once, where it is handled.
#pragma once

#define MUST_USE                __attribute__((warn_unused_result))
#define PRINTF_LIKE(fmt, first) __attribute__((format(printf, fmt, first)))

enum err {
    ERR_NONE = 0,
    ERR_SYNTAX,  // the input is not of its format
    ERR_LIMIT,   // the input is larger, longer or more than is allowed
    ERR_MEMORY,  // a bounded piece of memory (arena, pool, ring) is full
    ERR_CONFIG,  // a configuration or policy file is wrong; the detail says file, line and what was
                 // expected
    ERR_SYSTEM,  // the operating system refused; the detail has strerror's text
    ERR_TIMEOUT, // the deadline passed
    ERR_UNAVAILABLE, // the other side (store, node) is not there
    ERR_NOT_FOUND,   // the named thing does not exist
    ERR_CONFLICT,    // somebody else holds it, or it contradicts what is there
    ERR_UNSUPPORTED, // understood, but this version does not do it
};

struct err_detail {
    char text[512]; // one line, without a newline; empty until something failed
};

// err_text: the error in two or three words ("not found"). Never NULL; the text is static.
const char *err_text(enum err err);

// err_say: writes a formatted message into detail (which may be NULL) and returns err, so that a
// failing branch reads `return err_say(detail, ERR_CONFIG, "%s:%u: ...", file, line);`. Too long a
// message is cut.
enum err err_say(struct err_detail *detail, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);
