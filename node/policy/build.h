// build.h: between the files of this room: a policy set while it is read. Sources are struct yaml
// trees that live as long as the set, so texts may point into them; what is made new is kept by
// build_keep. Nothing here is used after the set was handed out.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node/core/policy.h"
#include "node/policy/set.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

enum {
    POLICY_SETTING_SECTIONS = 16, // settings itself and the maps in it
    POLICY_GROUP_NAME_MAX = 64,
    POLICY_DATE_TEXT_MAX = 32,
    POLICY_PATTERN_TEXT_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX
};

// A pattern lists in a group, as it is written.
struct build_pair {
    uint32_t pattern;
    uint32_t group; // number of the group's pattern
    uint32_t line;  // where it stands, in build->place
    uint16_t place;
    bool as_recipient;
};

struct line; // line.h

struct policy_build {
    struct policy policy;        // first: policy_free finds the rest by it
    const struct bundle *bundle; // whose files are read; NULL = those of the disk, if from_disk
    bool from_disk;
    struct yaml **file;
    size_t file_count;
    void **owned;
    size_t owned_count;
    char *text; // the rest of the memory for short texts
    size_t text_left;
    // Gathered while the set is read; handed over by build_index.
    struct policy_known *known;
    size_t known_count;
    uint64_t *known_slot; // known_mask + 1 of them
    uint32_t known_mask;
    struct build_pair *pair; // sorted by group and pattern when it was read
    size_t pair_count;
    const char **place; // names of files, one after the other as members were read
    size_t place_count;
    struct policy_rule *rule;
    size_t rule_count;
    const struct yaml_node **trusted_node; // where each of policy.trusted stands; NULL = nowhere
    const struct yaml_node *setting[POLICY_SETTING_SECTIONS]; // entries of each section, as written
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

// numbers.c: patterns and their numbers.
// build_number: the number of a pattern; the same pattern always has the same one. Texts are copied.
uint32_t build_number(struct policy_build *build, const struct policy_pattern *pattern);
// build_member: the pattern (which may be a group's) lists in that group. It stands in the last of build->place;
// line 0 = where the group does.
void build_member(struct policy_build *build, uint32_t pattern, uint32_t group, bool as_recipient,
                  unsigned line);
// build_text: a copy of the text that lives as long as the set; cheap for a million short ones.
const char *build_text(struct policy_build *build, const char *text);
// build_slots: an empty table (policy_slots) with room for count numbers; mem_free frees it. build_slot: one number
// more.
uint64_t *build_slots(size_t count, uint32_t *mask);
void build_slot(uint64_t *slots, uint32_t mask, uint64_t hash, uint32_t number);
// build_grow: room for one more element behind count in an array that mem_free frees.
void *build_grow(void *array, size_t count, size_t size);

// membership.c: policy->membership, and each pattern's place in it, out of the pairs. ERR_CONFIG if that becomes too much.
MUST_USE enum err groups_resolve(struct policy_build *build, struct err_detail *detail);

// index.c: the tables of core/policy.h.
// build_index: once everything was read: the tables by which policies are found. Groups inside of groups are
// resolved here, also where they go round in a circle: then each of them has the members of all.
MUST_USE enum err build_index(struct policy_build *build, struct err_detail *detail);

// parties.c: the sections `domains` and `trusted_sources` of all files; and one list of networks,
// sorted, none twice.
MUST_USE enum err domains_read(struct policy_build *build, struct err_detail *detail);
MUST_USE enum err trusted_read(struct policy_build *build, struct err_detail *detail);
MUST_USE enum err nets_read(struct policy_build *build, const struct yaml_node *list,
                            struct ip_net **out, size_t *out_count, struct err_detail *detail);

// host.c: the host that call forward asks. host_read: into out's host and host_port. host_put: as host_read takes it.
MUST_USE enum err host_read(struct policy_build *build, const struct yaml_node *node,
                            struct policy_domain *out, struct err_detail *detail);
void host_put(struct line *line, const struct policy_domain *domain);

// settings.c: the section `settings` of all files, gathered into one.
MUST_USE enum err settings_read(struct policy_build *build, struct err_detail *detail);
void settings_print(const struct policy_settings *settings, void *stdio_file);
// setting_node: where "leaving.rcpt_per_mail" was said, or NULL.
const struct yaml_node *setting_node(const struct policy_build *build, const char *key);
// settings_each: those that are not the default.
struct setting {
    const char *key;   // "greylist.delay"
    const char *value; // as YAML; lives until the next one
    const char *file;
    unsigned line;
};
void settings_each(const struct policy_build *build,
                   void (*visit)(const struct setting *setting, void *arg), void *arg);

// gateways.c: what gateways' reports are worth; once the settings were read.
MUST_USE enum err gateways_read(struct policy_build *build, struct err_detail *detail);

// ldap.c: what the settings and the domains say of directory servers; once both were read.
MUST_USE enum err ldap_check(const struct policy_build *build, struct err_detail *detail);

// dnslist.c: settings.reputation.lists and .good, once the settings were gathered. dns_lists_each: as settings_each, a list each;
// dns_lists_print: as settings_print, in its section.
MUST_USE enum err dns_lists_read(struct policy_build *build, struct err_detail *detail);
void dns_lists_each(const struct policy_build *build,
                    void (*visit)(const struct setting *setting, void *arg), void *arg);
void dns_lists_print(const struct policy_settings *settings, void *stdio_file);

// groups.c: the section `groups` of all files; before anything that may name a group.
MUST_USE enum err groups_read(struct policy_build *build, struct err_detail *detail);
// group_number: the number of a group's pattern. ERR_CONFIG if the set has no such group; node is where it is named.
MUST_USE enum err group_number(struct policy_build *build, const struct yaml_node *node,
                               const char *name, uint32_t *out, struct err_detail *detail);
// groups_finish: after build_index: how many patterns list in each group.
void groups_finish(struct policy_build *build);

// users.c: the section `users` of all files.
MUST_USE enum err users_read(struct policy_build *build, struct err_detail *detail);

// source.c: the files of a set, from disk or out of a bundle.
// source_list: the file of members that the YAML file calls so: its name for messages, kept; and its bytes, which the
// caller frees by mem_free. node is where it is named.
MUST_USE enum err source_list(struct policy_build *build, const struct yaml_node *node,
                              const char **name, char **bytes, size_t *len,
                              struct err_detail *detail);

// rules.c: the section `policies` of all files.
MUST_USE enum err rules_read(struct policy_build *build, struct err_detail *detail);
// The word of a policy's option, as it is written; that of its kind is in set.h.
const char *policy_option_word(const struct policy_rule *rule);
// countries_check: ERR_CONFIG unless each is a country or "*"; node is where they stand.
MUST_USE enum err countries_check(const struct yaml_node *node, const struct yaml_texts *countries,
                                  struct err_detail *detail);

// pattern.c: a from, a to, a member of a group, or what a user may send as.
enum pattern_role { PATTERN_FROM, PATTERN_TO, PATTERN_MEMBER, PATTERN_SEND_AS };
struct pattern_text {
    const char *text;
    const char *file;
    unsigned line;
    enum pattern_role role;
};
// pattern_of_text: the number of a pattern that stands in a file.
MUST_USE enum err pattern_of_text(struct policy_build *build, const struct pattern_text *given,
                                  uint32_t *out, struct err_detail *detail);
// pattern_number: the same of a node, which may also be {group: name}.
MUST_USE enum err pattern_number(struct policy_build *build, const struct yaml_node *node,
                                 enum pattern_role role, uint32_t *out, struct err_detail *detail);
// pattern_format: as pattern_read takes it again; returns out.
const char *pattern_format(const struct policy_pattern *pattern, char out[POLICY_PATTERN_TEXT_MAX]);

// date.c: "2027-01-31" (00:00 UTC) or "2027-01-31T18:00:00Z" <-> Unix ms. False if it is no such
// day or time.
MUST_USE bool date_parse(const char *text, uint64_t *out_ms);
const char *date_format(uint64_t at_ms, char out[POLICY_DATE_TEXT_MAX]);

// zone.c: settings.timezone, which is in policy.settings, into policy.zone. node is where it was said; NULL = nowhere: UTC.
MUST_USE enum err zone_read(struct policy_build *build, const struct yaml_node *node,
                            struct err_detail *detail);

// window.c: "mon-fri 22:00-06:00" <-> a window of local time. False if it is none. The text is what window_read takes
// again, days in their order.
enum { POLICY_WINDOW_TEXT_MAX = 48 };
MUST_USE bool window_read(const char *text, struct zone_window *out);
const char *window_format(const struct zone_window *window, char out[POLICY_WINDOW_TEXT_MAX]);

// when.c: a map of conditions, which must all hold; when_put: as one line of YAML.
void when_put(struct line *line, const struct policy *policy, const struct policy_when *when);
MUST_USE enum err when_read(struct policy_build *build, const struct yaml_node *map,
                            struct policy_when *out, struct err_detail *detail);

// mail.c: what a policy of the kind mail or limit has beside the fields of all kinds, which are read: from the keys
// mail_keys or limit_keys (NULL-terminated). Sets the kind, and for mail the option, when, except and hold_for.
extern const char *const mail_keys[];
extern const char *const limit_keys[];
MUST_USE enum err mail_read(struct policy_build *build, const struct yaml_node *map,
                            struct policy_rule *rule, struct err_detail *detail);
MUST_USE enum err limit_read(struct policy_build *build, const struct yaml_node *map,
                             struct policy_rule *rule, struct err_detail *detail);

// mail_put: what of such a policy is its own, behind its other fields; nothing of other kinds.
void mail_put(struct line *line, const struct policy *policy, const struct policy_rule *rule);

// version.c: the number of what is in force, from 1 to 2^53 - 1, whatever the order and the
// comments it was written with.
uint64_t version_of(const struct policy *policy);
