// entries.h: the addresses of an import, normalised, each once, in a file beside us: a million of them need no memory.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct entries;

// One address. Texts are never NULL.
struct entry {
    const char *domain;
    const char *address; // base@domain
    const char *state;   // active, send_only, disabled
    const char *mailbox; // "" = its own
    const char *groups;  // parted by commas
    bool is_alias;       // of somebody else's entry: his own has precedence
};

// entries_new: NULL, and *why: there is no temporary file. entries_free: null-safe, nulls.
struct entries *entries_new(const char **why);
void entries_free(struct entries **entries);
// entries_add: of one address that stands there twice the last counts, but one's own before an alias. False: no room.
bool entries_add(struct entries *entries, const struct entry *entry);
uint64_t entries_count(struct entries *entries);
// entries_dangling: aliases of a mailbox of the same domain that is not among them; and one of these in *example.
uint64_t entries_dangling(struct entries *entries, char *example, size_t size);

// entries_domain_next: the domains in their order, and how many entries each has. entries_next: all entries, in the order of
// domains. False at the end; the texts are valid until the next call.
bool entries_domain_next(struct entries *entries, const char **domain, uint64_t *count);
bool entries_next(struct entries *entries, struct entry *out);
