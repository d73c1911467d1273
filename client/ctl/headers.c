// headers.c: see headers.h. Promises: any bytes are a header section, if an empty one; no more is kept of
// them than HEADERS_BYTES_MAX, and whoever writes a message to us can write it to its end.
#include "client/ctl/headers.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "proto/base/mem.h"

// The capture rules (node/core/README.md, Auto Allow) read these, and no others.
static const char *const WANTED[] = {
    "Auto-Submitted", "Precedence",    "List-Id",     "List-Unsubscribe", "Content-Type",
    "X-Autoreply",    "X-Autorespond", "In-Reply-To", "References",
};

static const char *wanted_name(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(WANTED) / sizeof(WANTED[0]); i++) {
        if (strlen(WANTED[i]) == len && strncasecmp(WANTED[i], name, len) == 0)
            return WANTED[i];
    }
    return NULL;
}

static bool is_blank(char byte)
{
    return byte == ' ' || byte == '\t';
}

// line_end: of the line that begins at `at`, its \n or the end of all.
static size_t line_end(const char *bytes, size_t at, size_t len)
{
    const char *end = memchr(bytes + at, '\n', len - at);

    return end == NULL ? len : (size_t)(end - bytes);
}

// unfold: ends of lines in between become blanks (RFC 5322, 2.2.3), and so does what no text holds.
static char *unfold(char *bytes, size_t at, size_t end)
{
    for (size_t i = at; i < end; i++) {
        if (bytes[i] == '\n' || bytes[i] == '\r' || bytes[i] == '\t' || bytes[i] == '\0')
            bytes[i] = ' ';
    }
    while (at < end && bytes[at] == ' ')
        at++;
    while (end > at && bytes[end - 1] == ' ')
        end--;
    bytes[end] = '\0'; // takes the place of a blank, of the line's end, or of bytes[len]
    return bytes + at;
}

// name_len: of the field's name, up to its colon or to blanks before it (RFC 5322, 4.5); 0 = no header.
static size_t name_len(const char *bytes, size_t len, size_t *colon)
{
    size_t name = 0;

    while (name < len && bytes[name] > ' ' && bytes[name] < 0x7f && bytes[name] != ':')
        name++;
    for (*colon = name; *colon < len && is_blank(bytes[*colon]);)
        (*colon)++;
    return *colon < len && bytes[*colon] == ':' ? name : 0;
}

size_t headers_pick(char *bytes, size_t len, struct reeve_header out[HEADERS_MAX])
{
    size_t count = 0, at = 0, end = 0, colon = 0;

    if (len > 5 && memcmp(bytes, "From ", 5) == 0) // of an mbox
        at = line_end(bytes, 0, len) + 1;
    for (; at < len && count < HEADERS_MAX; at = end + 1) {
        size_t name;

        for (end = line_end(bytes, at, len); end + 1 < len && is_blank(bytes[end + 1]);)
            end = line_end(bytes, end + 1, len);
        name = name_len(bytes + at, end - at, &colon);
        if (name == 0)
            break;
        out[count].name = wanted_name(bytes + at, name);
        if (out[count].name != NULL)
            out[count++].value = unfold(bytes, at + colon + 1, end);
    }
    return count;
}

char *headers_read(int fd, size_t *len)
{
    char *bytes = mem_new(HEADERS_BYTES_MAX + 1);
    char rest[4096] = "";
    ssize_t got = 1;

    *len = 0;
    while (got > 0 || (got < 0 && errno == EINTR)) {
        bool is_full = *len == HEADERS_BYTES_MAX;

        got = read(fd, is_full ? rest : bytes + *len,
                   is_full ? sizeof(rest) : HEADERS_BYTES_MAX - *len);
        *len += got > 0 && !is_full ? (size_t)got : 0;
    }
    if (got == 0)
        return bytes;
    mem_free(bytes);
    return NULL;
}
