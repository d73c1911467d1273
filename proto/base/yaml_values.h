// yaml_values.h: values of settings: a number with a unit behind it (60s, 12h, 64K), and a set of words. For the room's own
// use; others have yaml_duration and yaml_size of yaml.h.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/text.h"

struct unit {
    const char *name; // in any case; NULL ends the list
    uint64_t factor;
};
extern const struct unit unit_times[]; // ms
extern const struct unit unit_sizes[]; // bytes

// unit_digits: decimal digits at text, at least one; *end is what follows. False: there are none, or too many for 64 bits.
bool unit_digits(const char *text, uint64_t *out, const char **end);
// unit_read: False where the text is no number with one of the units, or too large.
bool unit_read(const char *text, const struct unit *units, uint64_t *out);
// unit_format: with the largest unit that leaves no remainder.
void unit_format(uint64_t value, const struct unit *units, char *out, size_t size);

// words_read: a text of words that are parted by blanks; bit 1 << i is words[i] (NULL ends them). False: one is none of them.
bool words_read(const char *const *words, const char *text, uint64_t *bits);
// words_print: those of bits, with commas.
void words_print(const char *const *words, uint64_t bits, struct text_buf *out);
