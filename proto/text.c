// text.c: cleaning text of strangers, and building text in bounded memory. Promises: no allocation,
// no failure; the result is always terminated, valid UTF-8 where the input of text_buf_add was, and
// never longer than the caller allowed.
#include "proto/text.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#define DAMAGE_LEN (sizeof(TEXT_DAMAGE) - 1)
#define ESCAPE_LEN (DAMAGE_LEN + 2) // U+FFFD and two hex digits

static bool is_continuation(unsigned char byte)
{
    return (byte & 0xC0) == 0x80;
}

// The second byte carries what RFC 3629 forbids beyond the form: overlong sequences, surrogates,
// more than U+10FFFF.
static bool second_byte_fits(unsigned char first, unsigned char second)
{
    switch (first) {
    case 0xE0:
        return second >= 0xA0;
    case 0xED:
        return second <= 0x9F;
    case 0xF0:
        return second >= 0x90;
    case 0xF4:
        return second <= 0x8F;
    default:
        return true;
    }
}

static size_t announced_length(unsigned char first)
{
    if (first < 0x80)
        return 1;
    if (first >= 0xC2 && first <= 0xDF)
        return 2;
    if (first >= 0xE0 && first <= 0xEF)
        return 3;
    if (first >= 0xF0 && first <= 0xF4)
        return 4;
    return 0;
}

// The length of the UTF-8 sequence at the start of bytes; 0 if there is none. left is at least 1.
static size_t sequence_length(const unsigned char *bytes, size_t left)
{
    size_t len = announced_length(bytes[0]);

    if (len == 0 || len > left)
        return 0;
    for (size_t i = 1; i < len; i++) {
        if (!is_continuation(bytes[i]))
            return 0;
    }
    return len == 1 || second_byte_fits(bytes[0], bytes[1]) ? len : 0;
}

static bool is_control(const unsigned char *sequence)
{
    if (sequence[0] == 0xC2)
        return sequence[1] <= 0x9F; // C1: U+0080 to U+009F
    return sequence[0] < 0x20 || sequence[0] == 0x7F;
}

// The length of the clean sequence at the start of bytes; 0 if the first byte has to be escaped.
static size_t clean_length(const unsigned char *bytes, size_t left)
{
    size_t len = sequence_length(bytes, left);

    return len > 0 && !is_control(bytes) ? len : 0;
}

static void put_escape(char *dst, unsigned char byte)
{
    static const char hex[] = "0123456789ABCDEF";

    memcpy(dst, TEXT_DAMAGE, DAMAGE_LEN);
    dst[DAMAGE_LEN] = hex[byte >> 4];
    dst[DAMAGE_LEN + 1] = hex[byte & 0x0F];
}

size_t text_clean(char *dst, size_t limit, const char *src, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)src;
    size_t used = 0;
    size_t cut = 0; // the longest whole piece of the result that leaves room for the mark of a cut

    for (size_t i = 0; i < len;) {
        size_t clean = clean_length(bytes + i, len - i);
        size_t piece = clean > 0 ? clean : ESCAPE_LEN;

        if (piece > limit - used) {
            memcpy(dst + cut, TEXT_DAMAGE, DAMAGE_LEN);
            used = cut + DAMAGE_LEN;
            break;
        }
        if (clean > 0)
            memcpy(dst + used, bytes + i, clean);
        else
            put_escape(dst + used, bytes[i]);
        used += piece;
        i += clean > 0 ? clean : 1;
        if (used + DAMAGE_LEN <= limit)
            cut = used;
    }
    dst[used] = '\0';
    return used;
}

// Eight bytes at once, because nearly every text is this: is each of them ASCII and no control
// character? A byte that is 0x80 or more shows in its top bit. In the others 0x20 - 1 must not
// borrow into the top bit (a C0 character would) and 1 more must not carry into it (DEL would).
static bool is_plain_word(const unsigned char *bytes)
{
    const uint64_t ones = UINT64_C(0x0101010101010101);
    uint64_t word;

    memcpy(&word, bytes, sizeof(word));
    if ((word & ones << 7) != 0)
        return false;
    return ((word + ones) & ones << 7) == 0 &&
           (((word | ones << 7) - ones * 0x20) & ones << 7) == ones << 7;
}

static size_t plain_length(const unsigned char *bytes, size_t len)
{
    size_t plain = 0;

    while (len - plain >= sizeof(uint64_t) && is_plain_word(bytes + plain))
        plain += sizeof(uint64_t);
    return plain;
}

bool text_is_clean(const char *src, size_t len, size_t limit)
{
    const unsigned char *bytes = (const unsigned char *)src;

    if (len > limit)
        return false;
    for (size_t i = plain_length(bytes, len); i < len;) {
        size_t clean = clean_length(bytes + i, len - i);

        if (clean == 0)
            return false;
        i += clean;
    }
    return true;
}

bool text_is_damaged(const char *text)
{
    return text != NULL && strstr(text, TEXT_DAMAGE) != NULL;
}

bool text_is_ascii(const char *text)
{
    if (text == NULL)
        return true;
    for (; *text != '\0'; text++) {
        if ((unsigned char)*text >= 0x80)
            return false;
    }
    return true;
}

bool text_is_utf8(const char *src, size_t len)
{
    const unsigned char *bytes = (const unsigned char *)src;

    for (size_t i = 0; i < len;) {
        size_t sequence = sequence_length(bytes + i, len - i);

        if (sequence == 0)
            return false;
        i += sequence;
    }
    return true;
}

// ---- text_buf

void text_buf_init(struct text_buf *buf, char *memory, size_t size)
{
    *buf = (struct text_buf){.start = memory, .size = size};
    if (size > 0)
        memory[0] = '\0';
}

// Drops a sequence whose end was cut off from the end of the text.
static void drop_torn_sequence(struct text_buf *buf)
{
    size_t at = buf->used;

    while (at > 0 && buf->used - at < 3 && is_continuation((unsigned char)buf->start[at - 1]))
        at--;
    if (at > 0 && announced_length((unsigned char)buf->start[at - 1]) > buf->used - at + 1)
        buf->used = at - 1;
    buf->start[buf->used] = '\0';
}

size_t text_number(char out[TEXT_NUMBER_MAX], uint64_t number)
{
    char digits[TEXT_NUMBER_MAX];
    size_t at = sizeof(digits);

    do {
        digits[--at] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    memcpy(out, digits + at, sizeof(digits) - at);
    out[sizeof(digits) - at] = '\0';
    return sizeof(digits) - at;
}

void text_buf_put(struct text_buf *buf, const char *text)
{
    size_t len = strlen(text);
    size_t room = buf->size - buf->used;

    if (buf->full || buf->size == 0)
        return;
    buf->full = len >= room;
    if (len >= room)
        len = room - 1;
    memcpy(buf->start + buf->used, text, len);
    buf->used += len;
    if (buf->full)
        drop_torn_sequence(buf);
    buf->start[buf->used] = '\0';
}

void text_buf_add(struct text_buf *buf, const char *fmt, ...)
{
    size_t room = buf->size - buf->used;
    va_list args;
    int wanted;

    if (buf->full || buf->size == 0)
        return; // what comes after a gap would be misread; a sink need not be written for
    va_start(args, fmt);
    wanted = vsnprintf(room > 0 ? buf->start + buf->used : NULL, room, fmt, args);
    va_end(args);
    if (wanted >= 0 && (size_t)wanted < room) {
        buf->used += (size_t)wanted;
        return;
    }
    buf->full = wanted != 0;
    if (room == 0)
        return;
    if (wanted > 0)
        buf->used = buf->size - 1;
    drop_torn_sequence(buf);
}

void text_buf_add_duration(struct text_buf *buf, unsigned long long ms)
{
    static const struct {
        unsigned long long ms;
        const char *name;
    } unit[] = {{86400000, "d"}, {3600000, "h"}, {60000, "min"}, {1000, "s"}};
    const size_t last = sizeof(unit) / sizeof(unit[0]) - 1;
    size_t i = 0;

    if (ms > 0 && ms < 1000) {
        text_buf_add(buf, "%llu ms", ms);
        return;
    }
    while (i < last && ms < unit[i].ms)
        i++;
    text_buf_add(buf, "%llu %s", ms / unit[i].ms, unit[i].name);
    if (i < last && ms % unit[i].ms >= unit[i + 1].ms)
        text_buf_add(buf, " %llu %s", ms % unit[i].ms / unit[i + 1].ms, unit[i + 1].name);
}
