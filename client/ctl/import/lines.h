// lines.h: the lines of a file, plain or compressed by gzip, or of standard input.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum { LINES_MAX = 1 << 16 }; // bytes of a line that are kept; the rest of a longer one is dropped

struct lines;

// lines_open: path "-" = standard input. ERR_SYSTEM and the detail.
MUST_USE enum err lines_open(struct lines **out, const char *path, struct err_detail *detail);
void lines_close(struct lines **lines); // null-safe, nulls
// lines_next: the next line, terminated and without its end; a NUL inside has become a blank. The
// caller may change it; it is valid until the next call. False at the end.
bool lines_next(struct lines *lines, char **line, size_t *len);
// lines_trouble: why the end came too early ("unexpected end of file"); NULL if it did not.
const char *lines_trouble(struct lines *lines);

// lines_had_nul: one of the lines so far held a NUL: it is no text.
bool lines_had_nul(const struct lines *lines);

uint64_t lines_written_ms(const struct lines *lines); // the file's time; 0 = not a file
uint64_t lines_size(const struct lines *lines);       // bytes as stored; 0 = not known
uint64_t lines_done(struct lines *lines);             // of these
