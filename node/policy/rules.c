// rules.c: the section `policies`: a list of maps, each one policy. This version knows the kind
// greylist with the option no_action, that is, exceptions from greylisting; the rest of the syntax
// is refused by name, so that nobody believes it to be in force.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"

enum { ID_MAX = 64, NOTE_MAX = 200 };

static const char *const option_words[] = {"no_action", NULL};
static const char *const mode_words[] = {
    [POLICY_ENFORCE] = "enforce", [POLICY_SHADOW] = "shadow", [POLICY_SHADOW + 1] = NULL};

// What yaml_read fills; the rest of a policy is read by hand.
struct written {
    const char *id;
    int option;
    int mode;
    bool enabled;
    bool override;
    bool bidirectional;
    const char *note;
};

#define AT(field) offsetof(struct written, field)

static const struct yaml_row rule_rows[] = {
    {"id", YAML_IS_TEXT, AT(id), "!", 1, ID_MAX, NULL,
     "a name of your choice; answers, logs and traces give it"},
    {"kind", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "greylist"},
    {"option", YAML_IS_WORD, AT(option), "!", 0, 0, option_words,
     "no_action: mail that matches is not greylisted"},
    {"from", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "envelope sender"},
    {"to", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "envelope recipient"},
    {"source", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "networks of the client"},
    {"enabled", YAML_IS_BOOL, AT(enabled), "true", 0, 0, NULL,
     "false: it is kept, and matches nothing"},
    {"valid", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "when it holds"},
    {"override", YAML_IS_BOOL, AT(override), "false", 0, 0, NULL,
     "before more specific policies of its kind"},
    {"bidirectional", YAML_IS_BOOL, AT(bidirectional), "false", 0, 0, NULL,
     "also with from and to exchanged"},
    {"note", YAML_IS_TEXT, AT(note), NULL, 0, NOTE_MAX, NULL, "why it exists; answers repeat it"},
    {"mode", YAML_IS_WORD, AT(mode), "enforce", 0, 0, mode_words,
     "shadow: it is traced and decides nothing"},
    {"part", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "envelope"},
    {0},
};

// ---- One policy

static enum err read_kind(const struct yaml_node *map, struct err_detail *detail)
{
    static const char *const not_yet[] = {
        "anti_spoof", "block",   "permit",     "auto_allow", "geo",           "mail", "limit",
        "auth",       "content", "attachment", "access",     "impersonation", "tag",  NULL};
    const struct yaml_node *node = yaml_find(map, "kind");
    enum err err;

    if (node == NULL)
        return err_say(detail, ERR_CONFIG, "%s:%u: policies.kind is required (supported: greylist)",
                       map->file, map->line);
    err = yaml_expect(node, YAML_TEXT, "policies.kind", detail);
    if (err != ERR_NONE || strcmp(node->text, "greylist") == 0)
        return err;
    if (build_has_word(not_yet, node->text))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: kind %s is not supported by this version (supported: greylist)",
                       node->file, node->line, node->text);
    return err_say(detail, ERR_CONFIG, "%s:%u: unknown kind '%s' (supported: greylist)", node->file,
                   node->line, node->text);
}

static enum err read_part(const struct yaml_node *map, struct err_detail *detail)
{
    static const char *const not_yet[] = {"header", "both", NULL};
    const struct yaml_node *node = yaml_find(map, "part");
    enum err err = node != NULL ? yaml_expect(node, YAML_TEXT, "policies.part", detail) : ERR_NONE;

    if (err != ERR_NONE || node == NULL || strcmp(node->text, "envelope") == 0)
        return err;
    if (build_has_word(not_yet, node->text))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: part: %s is not supported by this version (supported: envelope)",
                       node->file, node->line, node->text);
    return err_say(detail, ERR_CONFIG, "%s:%u: policies.part: expected envelope, not '%s'",
                   node->file, node->line, node->text);
}

// An id goes into answers and logs as a word.
static enum err check_id(const struct yaml_node *map, const char *id, struct err_detail *detail)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
    const struct yaml_node *node = yaml_find(map, "id");

    if (id[strspn(id, fine)] == '\0')
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG,
                   "%s:%u: policies.id: expected letters, digits, dots, - and _ alone, not '%s'",
                   node->file, node->line, id);
}

static enum err read_parties(struct policy_build *build, const struct yaml_node *map,
                             struct policy_rule *rule, struct err_detail *detail)
{
    const struct yaml_node *from = yaml_find(map, "from");
    const struct yaml_node *to = yaml_find(map, "to");
    enum err err = ERR_NONE;

    if (from == NULL && to == NULL)
        return err_say(
            detail, ERR_CONFIG,
            "%s:%u: policy '%s' has neither from nor to (for everyone write from: \"*\")",
            map->file, map->line, rule->id);
    rule->from = rule->to =
        (struct policy_pattern){.kind = POLICY_EVERYONE, .local = "", .domain = ""};
    if (from != NULL)
        err = pattern_read(build, from, PATTERN_FROM, &rule->from, detail);
    if (err == ERR_NONE && to != NULL)
        err = pattern_read(build, to, PATTERN_TO, &rule->to, detail);
    return err;
}

static enum err read_source(struct policy_build *build, const struct yaml_node *map,
                            struct policy_rule *rule, struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, "source");
    enum err err;

    if (node == NULL)
        return ERR_NONE;
    err = nets_read(build, node, &rule->source, &rule->source_count, detail);
    if (err == ERR_NONE && rule->source_count == 0)
        err =
            err_say(detail, ERR_CONFIG,
                    "%s:%u: source: an empty list matches no client; leave it out for every client",
                    node->file, node->line);
    return err;
}

struct valid_texts {
    const char *from;
    const char *until;
};
static const struct yaml_row valid_rows[] = {
    {"from", YAML_IS_TEXT, offsetof(struct valid_texts, from), NULL, 0, 20, NULL,
     "first moment at which it holds"},
    {"until", YAML_IS_TEXT, offsetof(struct valid_texts, until), NULL, 0, 20, NULL,
     "first moment at which it no longer holds"},
    {0},
};

static enum err read_date(const struct yaml_node *map, const char *key, const char *text,
                          uint64_t *out_ms, struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, key);

    if (node == NULL || date_parse(text, out_ms))
        return ERR_NONE;
    return err_say(
        detail, ERR_CONFIG,
        "%s:%u: valid.%s: expected a date like 2027-01-31, or 2027-01-31T18:00:00Z (UTC), not '%s'",
        node->file, node->line, key, text);
}

static enum err read_valid(const struct yaml_node *map, struct policy_rule *rule,
                           struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, "valid");
    struct valid_texts texts;
    enum err err = yaml_read(node, "valid", valid_rows, &texts, detail);

    if (err == ERR_NONE)
        err = read_date(node, "from", texts.from, &rule->valid_from_ms, detail);
    if (err == ERR_NONE)
        err = read_date(node, "until", texts.until, &rule->valid_until_ms, detail);
    if (err == ERR_NONE && yaml_find(node, "until") != NULL &&
        rule->valid_until_ms <= rule->valid_from_ms)
        err = err_say(detail, ERR_CONFIG, "%s:%u: valid: until must be later than from", node->file,
                      node->line);
    return err;
}

static enum err read_rule(struct policy_build *build, const struct yaml_node *map,
                          struct policy_rule *rule, struct err_detail *detail)
{
    struct written written;
    enum err err = yaml_expect(map, YAML_MAP, "policies", detail);

    if (err == ERR_NONE)
        err = read_kind(map, detail);
    if (err == ERR_NONE)
        err = yaml_read(map, "policies", rule_rows, &written, detail);
    if (err == ERR_NONE)
        err = check_id(map, written.id, detail);
    if (err != ERR_NONE)
        return err;
    *rule =
        (struct policy_rule){.id = written.id,
                             .enabled = written.enabled,
                             .override = written.override,
                             .bidirectional = written.bidirectional,
                             .mode = written.mode == POLICY_SHADOW ? POLICY_SHADOW : POLICY_ENFORCE,
                             .note = written.note,
                             .file = map->file,
                             .line = map->line};
    err = read_part(map, detail);
    if (err == ERR_NONE)
        err = read_parties(build, map, rule, detail);
    if (err == ERR_NONE)
        err = read_source(build, map, rule, detail);
    return err != ERR_NONE ? err : read_valid(map, rule, detail);
}

// ---- All of them

// Pointers into the array of rules in the order they were read, so that their addresses tell which
// came first.
static int compare_ids(const void *a, const void *b)
{
    const struct policy_rule *const *left = a;
    const struct policy_rule *const *right = b;
    int order = strcmp((*left)->id, (*right)->id);

    return order != 0 ? order : (*left > *right) - (*left < *right);
}

static enum err check_ids(const struct policy *policy, struct err_detail *detail)
{
    size_t count = policy->greylist_count;
    const struct policy_rule **sorted = mem_new_array(count, sizeof(*sorted));
    enum err err = ERR_NONE;

    for (size_t i = 0; i < count; i++)
        sorted[i] = &policy->greylist[i];
    qsort(sorted, count, sizeof(*sorted), compare_ids);
    for (size_t i = 1; i < count && err == ERR_NONE; i++) {
        const struct policy_rule *first = sorted[i - 1];

        if (strcmp(first->id, sorted[i]->id) == 0)
            err =
                err_say(detail, ERR_CONFIG, "%s:%u: policy id '%s' is used twice (first in %s:%u)",
                        sorted[i]->file, sorted[i]->line, sorted[i]->id, first->file, first->line);
    }
    mem_free(sorted);
    return err;
}

// count_rules: also checks that each section is a list.
static enum err count_rules(const struct policy_build *build, size_t *out,
                            struct err_detail *detail)
{
    size_t count = 0;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "policies");

        if (section == NULL)
            continue;
        err = yaml_expect(section, YAML_LIST, "policies", detail);
        count += section->count;
    }
    *out = count;
    return err;
}

enum err rules_read(struct policy_build *build, struct err_detail *detail)
{
    struct policy *policy = &build->policy;
    size_t count = 0;
    enum err err = count_rules(build, &count, detail);

    if (err != ERR_NONE)
        return err;
    policy->greylist = build_keep(build, mem_new_array(count, sizeof(*policy->greylist)));
    for (size_t i = 0; i < build->file_count; i++) {
        const struct yaml_node *section = build_section(build, i, "policies");
        const struct yaml_node *node = section != NULL ? section->child : NULL;

        for (; node != NULL && err == ERR_NONE; node = node->next, policy->greylist_count++)
            err = read_rule(build, node, &policy->greylist[policy->greylist_count], detail);
    }
    if (err == ERR_NONE)
        err = check_ids(policy, detail);
    if (err == ERR_NONE)
        qsort(policy->greylist, policy->greylist_count, sizeof(*policy->greylist),
              policy_rule_compare);
    return err;
}
