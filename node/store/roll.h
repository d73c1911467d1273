// roll.h: the roll of spared clients, as a node mirrors it in memory: so that a lookup costs no command
// for it, and who is spared stays so while the store is away. Pure: a bounded table, and the form in which
// the store keeps a row.
//
//     spared:{p}   field = the client ("192.0.2.1", "2001:db8:1:2::/64", "spf:example.org")
//                  value = "<rests> <newest>", two days (core/spared.h)
//
// A client's name is kept as a keyed hash of it, so that every entry is as small as the next: 32 bytes, and
// as much room again, at most 4 MiB. Nobody lists the roll.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/spared.h"

enum {
    ROLL_MAX = 65536, // clients; one more, and one whose newest day is the oldest gives way
    ROLL_SECRET_BYTES = 16,
    ROLL_VALUE_MAX = 22, // two numbers of 32 bits, a blank and the terminator
    ROLL_DAYS = 256,     // days are counted modulo this: far more than there are in a roll at once
};
#define ROLL_KEY "spared:{p}"

struct roll_entry;

struct roll {
    uint8_t secret[ROLL_SECRET_BYTES];
    struct roll_entry *slot;
    size_t slots; // a power of two, or 0
    size_t count;
    size_t hand;             // where the last one gave way
    uint32_t day[ROLL_DAYS]; // entries, by their newest day
    uint32_t reading;        // the number of the reading: what a whole one did not meet is gone
};

// roll_begin: an empty roll; secret random. roll_clear: frees what it holds.
void roll_begin(struct roll *roll, const uint8_t secret[ROLL_SECRET_BYTES]);
void roll_clear(struct roll *roll);

// roll_find: the client's row; zeroed if there is none. client as the field has it.
struct spared_row roll_find(const struct roll *roll, const char *client);
// roll_set: instead of what is there. In a full roll one of the oldest day gives way, unless the row is no
// younger itself: then it is not taken.
void roll_set(struct roll *roll, const char *client, const struct spared_row *row);
void roll_remove(struct roll *roll, const char *client);

// roll_read_begin, roll_read_end: a reading of all rows. Each that is set between the two was met; the end
// removes the others.
void roll_read_begin(struct roll *roll);
void roll_read_end(struct roll *roll);

// roll_value: a row as it is stored. roll_read: a stored row, or false if that is none that can be believed
// on that day: a client that cannot be one, days in the wrong order or far ahead.
void roll_value(const struct spared_row *row, char out[ROLL_VALUE_MAX]);
bool roll_read(const char *client, const char *value, uint64_t today, struct spared_row *out);
// roll_is_sound: the same of a row that was read elsewhere (an event).
bool roll_is_sound(const char *client, const struct spared_row *row);
// roll_is_over: it spares nobody any more, whatever a policy's life is.
bool roll_is_over(const struct spared_row *row, uint64_t today);
// roll_is_ahead: further ahead of the clock than any that counts is behind it.
bool roll_is_ahead(const struct spared_row *row, uint64_t today);
