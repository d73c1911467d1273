// headers.h: of a message's header section (RFC 5322) the headers that say whether a person wrote it.
#pragma once

#include <stddef.h>

#include "client/lib/reeve.h"

enum {
    HEADERS_MAX = 500,           // of those that count; further ones are left out
    HEADERS_BYTES_MAX = 1 << 20, // of a header section that is looked at
};

// headers_pick: len bytes, up to the empty line or the first line that is no header. Unfolds in place,
// where the texts of out then lie; bytes[len] must be writable. Returns how many there are.
size_t headers_pick(char *bytes, size_t len, struct reeve_header out[HEADERS_MAX]);

// headers_read: all of a descriptor, of which the first HEADERS_BYTES_MAX bytes are kept, on the heap, with
// room for one more; the caller frees them. NULL: it cannot be read (errno).
char *headers_read(int fd, size_t *len);
