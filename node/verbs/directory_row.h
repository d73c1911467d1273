// directory_row.h: the documents of directory.begin, .add, .switch and .abort, line by line. A line is about a directory or
// about an address:
//
//     @corp.example TAB 1250000 TAB 0 TAB 0 LF           domain, how many addresses it has, its version and buckets (0 = not
//                                                        known yet: begin gives them)
//     ann@corp.example TAB active TAB TAB execs,all LF   address, state, mailbox (nothing = itself), groups (may be nothing);
//                                                        of the directory in the line before that names one
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/person.h"
#include "proto/base/mem.h"

enum { DIRECTORY_LINE_MAX = 4096 };
#define DIRECTORY_ENTRIES_MAX (1ULL << 28) // of one domain: what DIRECTORY_BUCKETS_MAX hashes hold

enum directory_line_kind { DIRECTORY_END, DIRECTORY_PART, DIRECTORY_ENTRY, DIRECTORY_BAD };

// Texts are clean (text.h), normalised (mail.h) and in the arena.
struct directory_line {
    enum directory_line_kind kind;
    const char *why; // DIRECTORY_BAD: what is wrong with it
    // DIRECTORY_PART
    const char *domain;
    uint64_t entries;
    struct person_directory directory;
    // DIRECTORY_ENTRY
    const char *address; // base@domain
    const char *value;   // as it is stored
};

// What is left of a document. Borrowed bytes of any kind.
struct directory_lines {
    const char *at;
    size_t left;
    size_t line;        // that was read last, from 1
    const char *domain; // of the directory that the entries are of; borrowed; NULL = none was named
};

// directory_line_next: the next line that is not empty.
void directory_line_next(struct directory_lines *lines, struct arena *arena,
                         struct directory_line *out);
