// gather.h: rows on their way to a node, one a triplet, with its newest stamp. They lie in a
// temporary SQLite database that spills to a file ($TMPDIR), so that a log of any length fits.
#pragma once

#include "client/ctl/import/import.h"

// gather_new: NULL and why if there is no room for a temporary file.
struct gather *gather_new(const char **why);
void gather_free(struct gather **gather);
// gather_add: texts must be clean. False: the temporary file cannot grow.
bool gather_add(struct gather *gather, const struct import_row *row);
// gather_count: rows that gather_next will give. To be called once, after the last gather_add.
uint64_t gather_count(struct gather *gather);
// gather_next: newest first; the texts are valid until the next call. False at the end.
bool gather_next(struct gather *gather, struct import_row *out);
