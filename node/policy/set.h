// set.h: the policy set as its owner writes it (YAML, reeve-policy(5)) -> the
// compiled tables of core/policy.h.
#pragma once

#include "node/core/policy.h"
#include "proto/err.h"

// policy_load: reads the files as one set. Unknown keys, wrong types and ranges, duplicate ids and
// what this version does not support are ERR_CONFIG with `file:line: what was expected`. No files =
// the defaults (no domains, greylisting in shadow). The result is one block of ownership;
// policy_free releases it.
MUST_USE enum err policy_load(const char *const *paths, size_t count, struct policy **out,
                              struct err_detail *detail);
// policy_parse: one file from memory; name stands in messages. Its groups can name no files.
MUST_USE enum err policy_parse(const char *name, const void *bytes, size_t len, struct policy **out,
                               struct err_detail *detail);
// policy_parse_bundle: the files of a bundle (proto/bundle.h) as one set. Messages name a file as the bundle does. ERR_SYNTAX and
// ERR_LIMIT if it is no bundle, ERR_CONFIG as above.
MUST_USE enum err policy_parse_bundle(const void *bytes, size_t len, struct policy **out,
                                      struct err_detail *detail);
void policy_free(struct policy **policy);

// policy_kind_word: a kind as the file writes it.
const char *policy_kind_word(enum policy_kind kind);

// policy_print: the set in force, as YAML, to a stdio FILE (reeved -T).
void policy_print(const struct policy *policy, void *stdio_file);
