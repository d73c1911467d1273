// sqlgrey_row.h: one row of a table of sqlgrey, as its SQLite file or a dump gives it. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Which fields a table has. NULL = it has no such column.
struct sqlgrey_row {
    const char *sender_name, *sender_domain, *src, *rcpt, *last_seen;
};

enum { SQLGREY_FROM_MAX = 400, SQLGREY_SOURCE_MAX = 64 };

// Who is known by the row, as a policy names him.
struct sqlgrey_known {
    char from[SQLGREY_FROM_MAX];     // user@dom, @dom, <>
    char source[SQLGREY_SOURCE_MAX]; // address, or network: 192.0.2 is 192.0.2.0/24
    uint64_t last_ms;
};

enum sqlgrey_kind {
    SQLGREY_KNOWN,
    SQLGREY_PENDING,    // of the table connect: it has not come back yet
    SQLGREY_FOLDED,     // sqlgrey's own folding (#, RCPT), which no policy can name
    SQLGREY_UNREADABLE, // no source or no time
};
// sqlgrey_read: out is filled for SQLGREY_KNOWN alone. Times are Unix seconds (SQLite) or
// "2026-11-21 21:13:01", with a fraction and a zone or without (then of this host's zone).
enum sqlgrey_kind sqlgrey_read(const struct sqlgrey_row *row, struct sqlgrey_known *out);

// sqlgrey_split: a line of a dump into its fields, terminated: by tabs (mysql -B) or, if separator
// is a comma, as CSV with quotes (psql --csv). Changes the line. Returns how many there are, at most
// max.
size_t sqlgrey_split(char *line, char separator, char **field, size_t max);
