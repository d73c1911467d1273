// track.h: reading tracking rows from a node, page after page.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "client/ctl/ctl.h"

enum { TRACK_ARGS_MAX = 8, TRACK_PAGE = 500, TRACK_LIMIT = 100 };

// What is looked for. Texts are borrowed; NULL = any.
struct track_query {
    const char *verb; // "track", "grey.list"
    const char *ticket, *sender, *recipient, *client_ip, *reason;
    uint64_t since_ms; // 0 = all that is kept
    uint64_t limit;    // 0 = no limit
};

// track_read: hands each page's rows to fn, newest first, until there are no more or limit is
// reached. *count (may be NULL) becomes the number of rows.
int track_read(struct ctl *ctl, const struct track_query *query,
               void (*fn)(void *arg, const struct reeve_row *rows, size_t count), void *arg,
               uint64_t *count);
