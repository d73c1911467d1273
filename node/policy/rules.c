// rules.c: the section `policies`: a list of maps, each one policy of a kind. What all kinds share is read here, by one
// table of kinds; what belongs to a later version is refused by name, so that nobody believes it to be in force.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { ID_MAX = 64, NOTE_MAX = 200 };

static const char *const mode_words[] = {
    [POLICY_ENFORCE] = "enforce", [POLICY_SHADOW] = "shadow", [POLICY_SHADOW + 1] = NULL};
// part_words[i] is what policy_part_of(i) means.
static const char *const part_words[] = {"envelope", "header", "both", NULL};
static const enum policy_part parts[] = {POLICY_ENVELOPE, POLICY_HEADER, POLICY_BOTH};

// ---- Kinds

struct option_row {
    const char *word;
    enum policy_option option;
};

struct kind_row {
    const char *word;
    enum policy_kind kind;
    bool needs_party;            // from or to must be said
    bool has_default;            // the first option is meant where none is said
    struct option_row option[5]; // ended by a row without a word
    const char *const *keys;     // that it alone has; NULL = none
    enum err (*read)(struct policy_build *build, const struct yaml_node *map,
                     struct policy_rule *rule, struct err_detail *detail); // what they say
};

static const struct kind_row kinds[] = {
    {"geo",
     POLICY_GEO,
     false,
     true,
     {{"block", POLICY_REJECT},
      {"hold", POLICY_HOLD},
      {"permit", POLICY_ALLOW},
      {"no_action", POLICY_NO_ACTION}},
     NULL,
     NULL},
    {"anti_spoof",
     POLICY_ANTI_SPOOF,
     true,
     true,
     {{"reject", POLICY_REJECT},
      {"spf_bypass", POLICY_SPF_BYPASS},
      {"no_action", POLICY_NO_ACTION}},
     NULL,
     NULL},
    {"block",
     POLICY_BLOCK,
     true,
     true,
     {{"block", POLICY_REJECT}, {"no_action", POLICY_NO_ACTION}},
     NULL,
     NULL},
    {"permit",
     POLICY_PERMIT,
     true,
     true,
     {{"permit", POLICY_ALLOW}, {"no_action", POLICY_NO_ACTION}},
     NULL,
     NULL},
    {"greylist", POLICY_GREYLIST, true, false, {{"no_action", POLICY_NO_ACTION}}, NULL, NULL},
    {"mail",
     POLICY_SENDER, // or one of the three behind it
     true,
     false,
     {{"no_action", POLICY_NO_ACTION}},
     mail_keys,
     mail_read},
    {"limit", POLICY_LIMIT, true, false, {{"no_action", POLICY_NO_ACTION}}, limit_keys, limit_read},
    {"auto_allow",
     POLICY_AUTO_ALLOW,
     true,
     true,
     {{"none", POLICY_REJECT}, {"no_action", POLICY_NO_ACTION}},
     NULL,
     NULL},
};
enum { KINDS = sizeof(kinds) / sizeof(kinds[0]), SUPPORTED_MAX = 128 };

// The row of a kind as it is written: those of mail are one.
static const struct kind_row *row_of(enum policy_kind kind)
{
    const bool is_mail = kind >= POLICY_SENDER && kind <= POLICY_RECIPIENT_RULE;
    size_t i = 0;

    while (kinds[i].kind != (is_mail ? POLICY_SENDER : kind))
        i++;
    return &kinds[i];
}

const char *policy_kind_word(enum policy_kind kind)
{
    return row_of(kind)->word;
}

const char *policy_option_word(const struct policy_rule *rule)
{
    for (const struct option_row *row = row_of(rule->kind)->option; row->word != NULL; row++)
        if (row->option == rule->option)
            return row->word;
    return "";
}

static const char *supported_kinds(char out[SUPPORTED_MAX])
{
    struct text_buf text;

    text_buf_init(&text, out, SUPPORTED_MAX);
    for (size_t i = 0; i < KINDS; i++)
        text_buf_add(&text, "%s%s", i > 0 ? ", " : "", kinds[i].word);
    return out;
}

// What yaml_read fills; the rest of a policy is read by hand.
struct written {
    const char *id;
    int mode;
    int part;
    bool enabled;
    bool override;
    bool bidirectional;
    const char *note;
    struct yaml_texts country;
};

#define AT(field) offsetof(struct written, field)

static const struct yaml_row rule_rows[] = {
    {"id", YAML_IS_TEXT, AT(id), "!", 1, ID_MAX, NULL,
     "a name of your choice; answers, logs and traces give it"},
    {"kind", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what it is about"},
    {"option", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what it does, by its kind"},
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
    {"part", YAML_IS_WORD, AT(part), "envelope", 0, 0, part_words,
     "which addresses it is about; what the header says is judged at the end of the message"},
    {"country", YAML_IS_TEXTS, AT(country), NULL, 0, 300, NULL, "of the client; kind geo"},
    {"default", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "allow or block; kind mail"},
    {"when", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "conditions; kind mail"},
    {"action", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "what is done when they hold; kind mail"},
    {"except", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "conditions of the opposite; kind mail"},
    {"hold_for", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "who may release it; kind mail"},
    {"rcpt_per_mail", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "recipients of a message; kind limit"},
    {"rcpt_per_day", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "recipients of a day; kind limit"},
    {"mail_per_day", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "messages of a day; kind limit"},
    {"exempt", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "who is not limited; kind limit"},
    {0},
};

// ---- One policy

static enum err read_kind(const struct yaml_node *map, const struct kind_row **out,
                          struct err_detail *detail)
{
    static const char *const not_yet[] = {"auth",          "content", "attachment", "access",
                                          "impersonation", "tag",     NULL};
    const struct yaml_node *node = yaml_find(map, "kind");
    char supported[SUPPORTED_MAX];
    enum err err;

    if (node == NULL)
        return err_say(detail, ERR_CONFIG, "%s:%u: policies.kind is required (supported: %s)",
                       map->file, map->line, supported_kinds(supported));
    err = yaml_expect(node, YAML_TEXT, "policies.kind", detail);
    if (err != ERR_NONE)
        return err;
    for (size_t i = 0; i < KINDS; i++) {
        if (strcmp(node->text, kinds[i].word) == 0) {
            *out = &kinds[i];
            return ERR_NONE;
        }
    }
    if (build_has_word(not_yet, node->text))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: kind %s is not supported by this version (supported: %s)",
                       node->file, node->line, node->text, supported_kinds(supported));
    return err_say(detail, ERR_CONFIG, "%s:%u: unknown kind '%s' (supported: %s)", node->file,
                   node->line, node->text, supported_kinds(supported));
}

static enum err read_option(const struct yaml_node *map, const struct kind_row *kind,
                            enum policy_option *out, struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, "option");
    char known[SUPPORTED_MAX];
    struct text_buf text;
    enum err err;

    if (node == NULL && kind->has_default) {
        *out = kind->option[0].option;
        return ERR_NONE;
    }
    if (node == NULL && kind->read != NULL) { // it says it in other words
        *out = POLICY_REJECT;
        return ERR_NONE;
    }
    text_buf_init(&text, known, sizeof(known));
    for (const struct option_row *row = kind->option; row->word != NULL; row++)
        text_buf_add(&text, "%s%s", row > kind->option ? ", " : "", row->word);
    if (node == NULL)
        return err_say(detail, ERR_CONFIG, "%s:%u: policies.option is required for kind %s (%s)",
                       map->file, map->line, kind->word, known);
    err = yaml_expect(node, YAML_TEXT, "policies.option", detail);
    if (err != ERR_NONE)
        return err;
    for (const struct option_row *row = kind->option; row->word != NULL; row++) {
        if (strcmp(node->text, row->word) == 0) {
            *out = row->option;
            return ERR_NONE;
        }
    }
    return err_say(detail, ERR_CONFIG,
                   "%s:%u: policies.option: expected one of %s for kind %s, not '%s'", node->file,
                   node->line, known, kind->word, node->text);
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

static enum err read_party(struct policy_build *build, const struct yaml_node *map,
                           enum pattern_role role, uint32_t *out, struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, role == PATTERN_FROM ? "from" : "to");

    if (node != NULL)
        return pattern_number(build, node, role, out, detail);
    *out = build_number(build, &(struct policy_pattern){POLICY_EVERYONE, false, "", ""});
    return ERR_NONE;
}

static enum err read_parties(struct policy_build *build, const struct yaml_node *map,
                             const struct kind_row *kind, struct policy_rule *rule,
                             struct err_detail *detail)
{
    enum err err;

    if (kind->needs_party && yaml_find(map, "from") == NULL && yaml_find(map, "to") == NULL)
        return err_say(
            detail, ERR_CONFIG,
            "%s:%u: policy '%s' has neither from nor to (for everyone write from: \"*\")",
            map->file, map->line, rule->id);
    err = read_party(build, map, PATTERN_FROM, &rule->from, detail);
    return err != ERR_NONE ? err : read_party(build, map, PATTERN_TO, &rule->to, detail);
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

// ---- Countries

static bool is_country(const char *text)
{
    return strcmp(text, "*") == 0 || (strlen(text) == 2 && text[0] >= 'A' && text[0] <= 'Z' &&
                                      text[1] >= 'A' && text[1] <= 'Z');
}

enum err countries_check(const struct yaml_node *node, const struct yaml_texts *countries,
                         struct err_detail *detail)
{
    for (size_t i = 0; i < countries->count; i++)
        if (!is_country(countries->text[i]))
            return err_say(detail, ERR_CONFIG,
                           "%s:%u: country: expected two capital letters like DE, or \"*\" for any "
                           "country that is known, not '%s'",
                           node->file, node->line, countries->text[i]);
    return ERR_NONE;
}

static enum err read_country(const struct yaml_node *map, const struct kind_row *kind,
                             const struct yaml_texts *countries, struct policy_rule *rule,
                             struct err_detail *detail)
{
    const struct yaml_node *node = yaml_find(map, "country");

    if (kind->kind != POLICY_GEO && node != NULL)
        return err_say(detail, ERR_CONFIG, "%s:%u: country belongs to kind geo, not to kind %s",
                       node->file, node->line, kind->word);
    if (kind->kind == POLICY_GEO && countries->count == 0)
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: policy '%s' of kind geo names no country (country: [XX])", map->file,
                       map->line, rule->id);
    rule->country = countries->text;
    rule->country_count = countries->count;
    return node != NULL ? countries_check(node, countries, detail) : ERR_NONE;
}

// ---- Validity

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

// check_keys: what another kind alone has.
static enum err check_keys(const struct yaml_node *map, const struct kind_row *kind,
                           struct err_detail *detail)
{
    for (const struct yaml_node *node = map->child; node != NULL; node = node->next)
        for (size_t i = 0; i < KINDS; i++)
            if (&kinds[i] != kind && kinds[i].keys != NULL &&
                build_has_word(kinds[i].keys, node->key))
                return err_say(detail, ERR_CONFIG, "%s:%u: %s belongs to kind %s, not to kind %s",
                               node->file, node->line, node->key, kinds[i].word, kind->word);
    return ERR_NONE;
}

// Whoever uses one of our domains mostly does it in both places.
static enum policy_part part_of(const struct yaml_node *map, const struct kind_row *kind,
                                enum policy_part written)
{
    return kind->kind == POLICY_ANTI_SPOOF && yaml_find(map, "part") == NULL ? POLICY_BOTH
                                                                             : written;
}

static enum err read_rule(struct policy_build *build, const struct yaml_node *map,
                          struct policy_rule *rule, struct err_detail *detail)
{
    const struct kind_row *kind = kinds; // until it is read
    struct written written;
    enum err err = yaml_expect(map, YAML_MAP, "policies", detail);

    if (err == ERR_NONE)
        err = read_kind(map, &kind, detail);
    if (err == ERR_NONE)
        err = yaml_read(map, "policies", rule_rows, &written, detail);
    if (err == ERR_NONE)
        err = check_id(map, written.id, detail);
    if (err != ERR_NONE)
        return err;
    *rule =
        (struct policy_rule){.id = written.id,
                             .kind = kind->kind,
                             .part = part_of(map, kind, parts[written.part]),
                             .enabled = written.enabled,
                             .override = written.override,
                             .bidirectional = written.bidirectional,
                             .mode = written.mode == POLICY_SHADOW ? POLICY_SHADOW : POLICY_ENFORCE,
                             .note = written.note,
                             .file = map->file,
                             .line = map->line};
    err = check_keys(map, kind, detail);
    if (err == ERR_NONE)
        err = read_option(map, kind, &rule->option, detail);
    if (err == ERR_NONE)
        err = read_parties(build, map, kind, rule, detail);
    if (err == ERR_NONE)
        err = read_country(map, kind, &written.country, rule, detail);
    if (err == ERR_NONE)
        err = read_source(build, map, rule, detail);
    if (err == ERR_NONE)
        err = read_valid(map, rule, detail);
    return err != ERR_NONE || kind->read == NULL ? err : kind->read(build, map, rule, detail);
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

static enum err check_ids(const struct policy_build *build, struct err_detail *detail)
{
    size_t count = build->rule_count;
    const struct policy_rule **sorted = mem_new_array(count, sizeof(*sorted));
    enum err err = ERR_NONE;

    for (size_t i = 0; i < count; i++)
        sorted[i] = &build->rule[i];
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
    size_t count = 0;
    enum err err = count_rules(build, &count, detail);

    if (err != ERR_NONE)
        return err;
    build->rule = build_keep(build, mem_new_array(count, sizeof(*build->rule)));
    for (size_t i = 0; i < build->file_count; i++) {
        const struct yaml_node *section = build_section(build, i, "policies");
        const struct yaml_node *node = section != NULL ? section->child : NULL;

        for (; node != NULL && err == ERR_NONE; node = node->next, build->rule_count++)
            err = read_rule(build, node, &build->rule[build->rule_count], detail);
    }
    return err != ERR_NONE ? err : check_ids(build, detail);
}
