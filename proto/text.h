// text.h: text that a stranger chose, made safe to keep and to echo; and a bounded buffer to build
// text in.
//
// One rule marks damage: U+FFFD. Whatever of a text was not valid UTF-8, was a control character,
// or had to be cut off is replaced by U+FFFD (an escaped byte is U+FFFD and two hex digits, a cut
// is one U+FFFD at the end). Cleaning a cleaned text changes nothing, so a client library and the
// decoder may both do it. No valid address, host name or header holds U+FFFD, so whoever judges the
// text later sees that it was damaged without a flag beside it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

#define TEXT_DAMAGE "\xEF\xBF\xBD" // U+FFFD in UTF-8

// text_clean: copies len bytes of src (any bytes, NUL included; need not be terminated) to dst as
// valid UTF-8 without control characters (C0, DEL, C1) and at most limit bytes long, then
// terminates it. dst must have room for limit + 1 bytes; limit is at least 4. Returns the length
// written.
size_t text_clean(char *dst, size_t limit, const char *src, size_t len);

// text_is_clean: true if text_clean would copy these bytes unchanged and they are within limit.
bool text_is_clean(const char *src, size_t len, size_t limit);

// text_is_damaged: true if the text holds U+FFFD. NULL is not damaged.
bool text_is_damaged(const char *text);

// text_is_ascii: true if every byte is below 0x80. NULL counts as the empty text.
bool text_is_ascii(const char *text);

// text_is_utf8: true if the bytes are valid UTF-8 (RFC 3629: no surrogates, no overlong forms, at
// most U+10FFFF).
bool text_is_utf8(const char *src, size_t len);

// text_number: a whole number in decimal, terminated; returns its length. The request path writes
// too many of them for printf.
enum { TEXT_NUMBER_MAX = 21 }; // 2^64 - 1 and the terminator
size_t text_number(char out[TEXT_NUMBER_MAX], uint64_t number);

// A text under construction in somebody else's memory. It is always terminated; what does not fit
// is dropped and full is set.
struct text_buf {
    char *start;
    size_t
        size; // bytes at start, the terminator included; 0 = a sink: keeps nothing and is never full
    size_t used; // without the terminator
    bool full;
};

// text_buf_init: an empty text in size bytes at memory (borrowed). size 0 with memory NULL makes a
// sink.
void text_buf_init(struct text_buf *buf, char *memory, size_t size);
// text_buf_put: appends a text as it is; a sequence of UTF-8 is never cut in its middle.
void text_buf_put(struct text_buf *buf, const char *text);
// text_buf_add: appends formatted text; a sequence of UTF-8 is never cut in its middle.
void text_buf_add(struct text_buf *buf, const char *fmt, ...) PRINTF_LIKE(2, 3);
// text_buf_add_duration: appends a span of time as a person says it: "45 s", "3 min", "11 h 59
// min", "35 d 4 h".
void text_buf_add_duration(struct text_buf *buf, unsigned long long ms);
