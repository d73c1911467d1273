// yaml.h: YAML files as a tree of nodes that know their file and line, and tables that say what may
// stand in them.
//
// libyaml's events beneath. Aliases, anchors, tags and more than one document in a file are
// refused, and an unquoted pattern like *.example, which YAML takes for an alias, is told to put
// itself in quotes. A key that stands twice is refused. All scalars are text of one line, valid
// UTF-8 without control characters. At most 64 levels, 64 MiB and four million values.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

enum yaml_kind { YAML_TEXT, YAML_LIST, YAML_MAP };

struct yaml_node {
    enum yaml_kind kind;
    unsigned line; // 1-based
    const char *file;
    const char *key;  // of a map's entry; NULL in a list and at the root
    const char *text; // YAML_TEXT
    bool quoted;
    const struct yaml_node *child; // first entry of a list or map
    const struct yaml_node *next;  // the sibling after this one
    size_t count;                  // of children
    const char *const *texts;      // a list of nothing but text: its texts in one array; else NULL
};

struct yaml; // owns a tree

// libyaml exports a function of this name; the linker shall never have to choose.
#define yaml_free reeve_yaml_free

// yaml_load: reads a file. ERR_SYSTEM if it cannot be read, ERR_CONFIG if it is no YAML of the kind
// above; the detail has `file:line: what`. An empty file is an empty map.
MUST_USE enum err yaml_load(const char *path, struct yaml **out, struct err_detail *detail);
// yaml_parse: the same from memory; name stands in messages.
MUST_USE enum err yaml_parse(const char *name, const void *bytes, size_t len, struct yaml **out,
                             struct err_detail *detail);
const struct yaml_node *yaml_root(const struct yaml *yaml);
void yaml_free(struct yaml **yaml);

// yaml_find: the entry of a map with that key, or NULL.
const struct yaml_node *yaml_find(const struct yaml_node *map, const char *key);

// One row of a schema: a key, what it takes, where the value goes, its default and its range. One
// list of rows makes the default, the range, the check, -T and the manual.
enum yaml_type {
    YAML_IS_TEXT,     // char *: min..max bytes
    YAML_IS_BOOL,     // bool: true, false, yes, no, on, off
    YAML_IS_COUNT,    // uint64_t: min..max
    YAML_IS_DURATION, // uint64_t in ms: 250ms, 60s, 5min (or 5m), 12h, 36d; a bare number is
                      // refused; min..max in ms
    YAML_IS_SIZE,     // uint64_t in bytes: 512, 64K, 50M, 1G; min..max
    YAML_IS_SHARE,    // double from 0 to 1, up to six decimals: 0.01; min and max are not used
    YAML_IS_REAL,     // double, up to six decimals: min..max
    YAML_IS_WORD,     // int: the index in words
    YAML_IS_WORDS, // uint64_t: a list of words, or one; bit 1 << i is words[i]. Those of min must be among them
    YAML_IS_TEXTS, // struct yaml_texts: a list of text, or one text; none empty, min..max of them
    YAML_IS_OTHER, // read by the caller, not by yaml_read; only the key is known here
};

struct yaml_texts {
    const char *const *text;
    size_t count;
};

struct yaml_row {
    const char *key;
    enum yaml_type type;
    size_t offset; // in the struct that yaml_read fills
    const char
        *def; // as it would be written; NULL = zero, "", empty list; "!" = required; words: "a b"
    uint64_t min, max;        // range, see the types
    const char *const *words; // YAML_IS_WORD, YAML_IS_WORDS: NULL-terminated
    const char *help;         // one line for the manual and for error messages
};

// yaml_read: fills into from a map by a NULL-key-terminated table: defaults first, then what the
// file says. map may be NULL (all defaults; a required key then fails) or an entry whose value was
// left out ("store:"). Texts point into the tree, which must outlive into. ERR_CONFIG with
// `file:line: unknown key 'x' in 'where' (known: a, b, c)`, `file:line: where.key: expected a
// duration like 60s between 1s and 1d, not 'x'`. where is the name of the section ("" at the root).
MUST_USE enum err yaml_read(const struct yaml_node *map, const char *where,
                            const struct yaml_row *rows, void *into, struct err_detail *detail);

// yaml_expect: ERR_CONFIG with file, line and what was expected unless the node is of that kind. A
// value that was left out ("domains:") is an empty list and an empty map as well; its child is
// NULL.
MUST_USE enum err yaml_expect(const struct yaml_node *node, enum yaml_kind kind, const char *what,
                              struct err_detail *detail);

// yaml_print: the settings in force, as YAML that yaml_read takes, one `key: value # help` a row,
// indented by indent spaces, to out (a FILE *, opened by the caller). Values equal to the default
// are followed by `# default: help`. YAML_IS_OTHER is left out.
void yaml_print(const struct yaml_row *rows, const void *from, unsigned indent, void *stdio_file);
// yaml_is_default: whether the row's value in from is its default. yaml_value: that value as yaml_print writes it, on
// the heap; mem_free frees it. The row is not YAML_IS_OTHER.
bool yaml_is_default(const struct yaml_row *row, const void *from);
char *yaml_value(const struct yaml_row *row, const void *from);
// yaml_print_text: one text in double quotes, escaped so that it reads back the same.
void yaml_print_text(const char *text, void *stdio_file);

// Parsers of single values, for YAML_IS_OTHER: true and *out set, or false.
bool yaml_duration(const char *text, uint64_t *out_ms);
bool yaml_size(const char *text, uint64_t *out_bytes);
// yaml_duration_format: the shortest exact form ("90s", "12h"), into out; returns it.
const char *yaml_duration_format(uint64_t ms, char out[24]);
