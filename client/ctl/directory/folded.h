// folded.h: logical lines of a file in which a line that begins with a blank goes on with the one before: LDIF (RFC 2849)
// and the maps of Postfix (postmap(1)).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/import/lines.h"

struct folded;

// folded_new: takes lines. drops_blank: the blank is not part of the text (LDIF). folded_free: null-safe, nulls.
struct folded *folded_new(struct lines *lines, bool drops_blank);
void folded_free(struct folded **folded);
// folded_next: the next logical line, terminated; its number is that of its first line, from 1. The caller may change it; it
// is valid until the next call. What is longer than LINES_MAX is cut. An empty line is one. False at the end.
bool folded_next(struct folded *folded, char **line, uint64_t *number);
