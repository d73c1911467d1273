// access_table.h: the entries of access maps, gathered, and as policies that say the same.
#pragma once

#include <stdint.h>
#include <stdio.h>

#include "client/ctl/import/access.h"

enum { ACCESS_NOTE_MAX = 200 };

struct access_entry {
    const char *file; // borrowed
    unsigned line;
    enum access_map map;
    bool is_cidr; // the first line that fits counts, not the closest
    bool parents; // a domain means all below it as well
    struct access_who who;
    enum access_effect effect;
    char *text;     // what the client was told; owned
    unsigned order; // of its file among all; the table's own
    bool is_used;   // it decides about some mail; the table's own
};

struct access_table;

struct access_table *access_table_new(void);
void access_table_free(struct access_table **table); // null-safe, nulls
void access_table_add(struct access_table *table, const struct access_entry *entry); // takes text

// What could not be said, or need not be.
struct access_left {
    void (*tell)(void *arg, const struct access_entry *entry, const char *why);
    void *arg;
};

// access_table_write: once, after all were added: the policies, as the list of a policy file, to out (NULL: they are
// counted alone). Returns how many.
uint64_t access_table_write(struct access_table *table, const struct access_left *left, FILE *out);
