// copy.h: the node's own copy of the policy set in force, on its disk: what it starts from while the store cannot be reached,
// and what it offers to a store that lost it.
//
//     reeve-policy-copy 1 <64 hex digits: hash of all that follows this line>
//     version 12
//     at 1795000000000
//     by ann
//     note new partner
//     hash 123
//     policies 40
//     was 11 1794000000000 <document>         versions before it, newest first
//     since corp.example 1794000000000        when a domain was first declared
//     document <name> <bytes>
//     <bytes>
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "node/keeper/document.h"
#include "node/store/store.h"
#include "proto/err.h"

enum {
    COPY_HEAD_BYTES = 85, // the first line, its end included
    COPY_SINCE_MAX = 10000,
    COPY_DOMAIN_MAX = 255,
};

// A version that was.
struct copy_was {
    uint64_t version, at_ms;
    char document[STORE_DOCUMENT_NAME];
};

struct copy_since {
    char domain[COPY_DOMAIN_MAX + 1];
    uint64_t at_ms;
};

struct copy {
    struct store_version version;
    struct copy_was was[STORE_VERSIONS_MAX];
    size_t was_count;
    struct copy_since *since; // its own
    size_t since_count;
    struct document *document;
};

void copy_free(struct copy **copy); // NULL-safe, NULLs

// copy_format: as it is written; the caller frees it. copy_parse: and back; ERR_SYNTAX if anything is not as it must be.
char *copy_format(const struct copy *copy, size_t *len);
MUST_USE enum err copy_parse(const void *bytes, size_t len, struct copy **out,
                             struct err_detail *detail);

// copy_seal: writes the first line of len bytes, whose rest is there.
void copy_seal(char *bytes, size_t len);

// copy_load: ERR_NOT_FOUND if there is none. copy_save: whole or not at all: written beside it, synced, renamed; makes the
// directory (0750) if need be. Both block.
MUST_USE enum err copy_load(const char *path, struct copy **out, struct err_detail *detail);
MUST_USE enum err copy_save(const char *path, const void *bytes, size_t len,
                            struct err_detail *detail);
