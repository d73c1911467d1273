// build.h: between the files of this room: a policy set while it is read. Sources are struct yaml
// trees that live as long as the set, so texts may point into them; what is made new is kept by
// build_keep. Nothing here is used after the set was handed out.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node/core/policy.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

enum { POLICY_DATE_TEXT_MAX = 32, POLICY_PATTERN_TEXT_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX };

struct policy_build {
    struct policy policy; // first: policy_free finds the rest by it
    struct yaml **file;
    size_t file_count;
    void **owned;
    size_t owned_count;
};

// build_keep: takes heap memory; policy_free frees it. Returns it.
void *build_keep(struct policy_build *build, void *memory);
// build_section: what stands under a key of one file's root, or NULL.
const struct yaml_node *build_section(const struct policy_build *build, size_t file,
                                      const char *key);
// build_refuse: ERR_CONFIG if the map has one of these keys (NULL-terminated), which belong to the
// syntax but not to this version.
MUST_USE enum err build_refuse(const struct yaml_node *map, const char *where,
                               const char *const *keys, struct err_detail *detail);
bool build_has_word(const char *const *words, const char *word);

// parties.c: the sections `domains` and `trusted_sources` of all files; and one list of networks,
// sorted, none twice.
MUST_USE enum err domains_read(struct policy_build *build, struct err_detail *detail);
MUST_USE enum err trusted_read(struct policy_build *build, struct err_detail *detail);
MUST_USE enum err nets_read(struct policy_build *build, const struct yaml_node *list,
                            struct ip_net **out, size_t *out_count, struct err_detail *detail);

// settings.c: the section `settings` of all files, gathered into one.
MUST_USE enum err settings_read(struct policy_build *build, struct err_detail *detail);
void settings_print(const struct policy_settings *settings, void *stdio_file);

// rules.c: the section `policies` of all files.
MUST_USE enum err rules_read(struct policy_build *build, struct err_detail *detail);

// pattern.c: a from or a to. The node stands for both file and line.
enum pattern_role { PATTERN_FROM, PATTERN_TO };
MUST_USE enum err pattern_read(struct policy_build *build, const struct yaml_node *node,
                               enum pattern_role role, struct policy_pattern *out,
                               struct err_detail *detail);
// pattern_format: as pattern_read takes it again; returns out.
const char *pattern_format(const struct policy_pattern *pattern, char out[POLICY_PATTERN_TEXT_MAX]);

// date.c: "2027-01-31" (00:00 UTC) or "2027-01-31T18:00:00Z" <-> Unix ms. False if it is no such
// day or time.
MUST_USE bool date_parse(const char *text, uint64_t *out_ms);
const char *date_format(uint64_t at_ms, char out[POLICY_DATE_TEXT_MAX]);

// version.c: the number of what is in force, from 1 to 2^53 - 1, whatever the order and the
// comments it was written with.
uint64_t version_of(const struct policy *policy);
