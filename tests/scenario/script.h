// script.h: a scenario file as logical lines, and a logical line as words.
//
// A line that begins with white space goes on with the line before it. `<<END` at the end of a line
// takes the lines up to one that is `END` as its block. Empty lines and lines whose first character
// is # are left out. A word ends at white space outside of double quotes; what stands between the
// quotes stays as it is.
#pragma once

#include <stddef.h>

#include "proto/base/mem.h"
#include "proto/err.h"

struct script_line {
    unsigned number; // of its first line in the file, from 1
    char *text;      // with what continues it, joined by blanks
    char *block;     // NULL = none
};

struct script {
    char *path;
    struct script_line *line;
    size_t count;
};

MUST_USE enum err script_load(const char *path, struct script **out, struct err_detail *detail);
void script_free(struct script **script);

struct words {
    char **word;
    size_t count;
};

// script_words: the words of a text, in the arena. ERR_SYNTAX for a quote that is not closed,
// ERR_MEMORY.
MUST_USE enum err script_words(const char *text, struct arena *arena, struct words *out,
                               struct err_detail *detail);

// Bytes that a word stands for; they may hold NUL.
struct bytes {
    char *at; // terminated
    size_t len;
};

// script_value: what a value stands for. <...> and "..." lose their brackets or quotes;
// repeat(TEXT,N) is TEXT N times, hex(00ff) those bytes. ERR_SYNTAX, ERR_MEMORY.
MUST_USE enum err script_value(const char *word, struct arena *arena, struct bytes *out,
                               struct err_detail *detail);
