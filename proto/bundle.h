// bundle.h: the files of one policy set in one piece, as they travel from reevectl to a node, lie in the store and
// are kept on a node's disk.
//
// Plain it is text and files:
//
//     reeve-bundle 1
//     set 52 policy.yaml              kind, size in bytes, name
//     <52 bytes><newline>
//     list 1830 groups/staff.txt      a file that a group of the set names (groups: x: {file: ...})
//     <1830 bytes><newline>
//     end 2                           how many files there were
//
// and packed it is that, deflated by zlib. A reader takes both. Names are relative, without . and .. between their
// slashes, and none stands twice; what is smaller than its bounds packed may not be larger than them unpacked.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/err.h"

enum {
    BUNDLE_PACKED_MAX = 16 << 20, // bytes as they travel
    BUNDLE_BYTES_MAX = 256 << 20, // of all files together, unpacked
    BUNDLE_FILES_MAX = 1000,
    BUNDLE_NAME_MAX = 200,
};

enum bundle_kind {
    BUNDLE_SET,  // YAML: a part of the set
    BUNDLE_LIST, // members of a group, a pattern a line
};

struct bundle_file {
    enum bundle_kind kind;
    const char *name;
    const char *bytes; // not terminated
    size_t len;
};

struct bundle; // owns its files

struct bundle *bundle_new(void);
void bundle_free(struct bundle **bundle);

// bundle_add: a file; name and bytes are copied. ERR_CONFIG if the name is no name for a bundle or is there already,
// ERR_LIMIT if it becomes too much.
MUST_USE enum err bundle_add(struct bundle *bundle, enum bundle_kind kind, const char *name,
                             const void *bytes, size_t len, struct err_detail *detail);
size_t bundle_count(const struct bundle *bundle);
// bundle_at: the files sorted by name, so that the same files always are the same bytes.
const struct bundle_file *bundle_at(const struct bundle *bundle, size_t index);
// bundle_find: the file of that name, or NULL.
const struct bundle_file *bundle_find(const struct bundle *bundle, const char *name);

// bundle_pack: all of it into heap memory that the caller frees by mem_free, deflated unless plain is asked for.
// ERR_LIMIT if it is larger than may travel.
MUST_USE enum err bundle_pack(const struct bundle *bundle, bool plain, void **out, size_t *out_len,
                              struct err_detail *detail);
// bundle_unpack: bytes that anybody sent. ERR_SYNTAX if they are no bundle, ERR_LIMIT if they are more than may be.
MUST_USE enum err bundle_unpack(const void *bytes, size_t len, struct bundle **out,
                                struct err_detail *detail);

// bundle_resolve: the name of what a file of the bundle calls `path`: relative to the file's own directory, with . and
// .. resolved. False if it is absolute, leads out of the bundle, or is too long.
MUST_USE bool bundle_resolve(const char *file, const char *path, char out[BUNDLE_NAME_MAX + 1]);

// bundle_gather: the files of a set from disk, with the files that its groups name. A path may be "-", standard input.
// Names are the paths as they are given if those are relative and lead nowhere up; else all are named from the
// deepest directory that holds them all. ERR_SYSTEM if one cannot be read, ERR_CONFIG if one is no YAML; the detail
// names it. May block. The bundle is the caller's.
MUST_USE enum err bundle_gather(const char *const *paths, size_t count, struct bundle **out,
                                struct err_detail *detail);
