// groups.c: the section `groups`: lists of patterns that policies name as one. Members stand in the YAML or in files of
// their own, one a line. All names are known before any member is read, so that groups may name each other in any order.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { PLACES_MAX = UINT16_MAX - 1 };

// A group as it stands in a file.
struct named_group {
    const struct yaml_node *node;
    size_t order; // as read
};

static const struct yaml_row rows[] = {
    {"address", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "mail to it goes to all members"},
    {"members", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "patterns and {group: name}"},
    {"file", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "files of members, a pattern a line"},
    {0},
};

// ---- Names

static int compare_groups(const void *a, const void *b)
{
    const struct named_group *left = a;
    const struct named_group *right = b;
    int order = strcmp(left->node->key, right->node->key);

    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

// A group's name goes into answers and logs as a word.
static enum err check_name(const struct yaml_node *node, struct err_detail *detail)
{
    static const char fine[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";

    if (node->key[strspn(node->key, fine)] == '\0' && strlen(node->key) <= POLICY_GROUP_NAME_MAX)
        return ERR_NONE;
    return err_say(detail, ERR_CONFIG,
                   "%s:%u: groups: expected a name of up to %d letters, digits, dots, - and _, not "
                   "'%s'",
                   node->file, node->line, POLICY_GROUP_NAME_MAX, node->key);
}

static enum err find_names(const struct policy_build *build, struct named_group **out,
                           size_t *out_count, struct err_detail *detail)
{
    struct named_group *found = NULL;
    size_t count = 0;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "groups");

        if (section == NULL)
            continue;
        err = yaml_expect(section, YAML_MAP, "groups", detail);
        for (const struct yaml_node *node = section->child; node != NULL && err == ERR_NONE;
             node = node->next) {
            found = build_grow(found, count, sizeof(*found));
            found[count] = (struct named_group){node, count};
            count++;
            err = check_name(node, detail);
        }
    }
    *out = found;
    *out_count = count;
    return err;
}

// declare: each group gets its number, in the order of names; none may stand twice.
static enum err declare(struct policy_build *build, struct named_group *found, size_t count,
                        struct err_detail *detail)
{
    struct policy_group *groups = build_keep(build, mem_new_array(count, sizeof(*groups)));

    if (count > 0)
        qsort(found, count, sizeof(*found), compare_groups);
    for (size_t i = 0; i < count; i++) {
        const struct yaml_node *node = found[i].node;
        const struct yaml_node *first = i > 0 ? found[i - 1].node : node;

        if (i > 0 && strcmp(first->key, node->key) == 0)
            return err_say(detail, ERR_CONFIG, "%s:%u: group '%s' stands twice (first in %s:%u)",
                           node->file, node->line, node->key, first->file, first->line);
        groups[i] = (struct policy_group){
            .name = node->key, .address = "", .file = node->file, .line = node->line};
        groups[i].pattern =
            build_number(build, &(struct policy_pattern){POLICY_GROUP, false, node->key, ""});
        build->known[groups[i].pattern].group = (uint32_t)i;
    }
    build->policy.group = groups;
    build->policy.group_count = count;
    return ERR_NONE;
}

enum err group_number(struct policy_build *build, const struct yaml_node *node, const char *name,
                      uint32_t *out, struct err_detail *detail)
{
    uint32_t number = build_number(build, &(struct policy_pattern){POLICY_GROUP, false, name, ""});

    if (build->known[number].group == POLICY_NOBODY)
        return err_say(detail, ERR_CONFIG, "%s:%u: there is no group '%s'", node->file, node->line,
                       name);
    *out = number;
    return ERR_NONE;
}

// ---- Members

static void open_place(struct policy_build *build, const char *file)
{
    if (build->place_count > 0 && build->place[build->place_count - 1] == file)
        return;
    if (build->place_count == PLACES_MAX)
        return; // more files than one set has
    build->place = build_grow(build->place, build->place_count, sizeof(*build->place));
    build->place[build->place_count++] = file;
}

static enum err add_member(struct policy_build *build, uint32_t group, const struct yaml_node *node,
                           struct err_detail *detail)
{
    uint32_t number = 0;
    enum err err = pattern_number(build, node, PATTERN_MEMBER, &number, detail);

    if (err == ERR_NONE)
        build_member(build, number, group, false, node->line);
    return err;
}

// add_members: a list, or one pattern.
static enum err add_members(struct policy_build *build, uint32_t group,
                            const struct yaml_node *node, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    open_place(build, node->file);
    if (node->kind == YAML_TEXT && (node->quoted || node->text[0] != '\0'))
        return add_member(build, group, node, detail);
    err = yaml_expect(node, YAML_LIST, "members", detail);
    for (const struct yaml_node *one = node->child; one != NULL && err == ERR_NONE; one = one->next)
        err = add_member(build, group, one, detail);
    return err;
}

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

// trim: without blanks around it and without a comment, which begins at a # in front of which there is nothing or a blank.
static char *trim(char *line, size_t *len)
{
    char *end = line + *len;

    for (char *at = line; at < end; at++) {
        if (*at == '#' && (at == line || is_blank(at[-1])))
            end = at;
    }
    while (end > line && (is_blank(end[-1]) || end[-1] == '\r'))
        end--;
    while (line < end && is_blank(*line))
        line++;
    *len = (size_t)(end - line);
    return line;
}

static enum err add_line(struct policy_build *build, uint32_t group, struct pattern_text *given,
                         size_t len, struct err_detail *detail)
{
    uint32_t number = 0;
    enum err err;

    if (len > MAIL_ADDRESS_MAX || !text_is_clean(given->text, len, MAIL_ADDRESS_MAX))
        return err_say(detail, ERR_CONFIG,
                       "%s:%u: expected one pattern of up to %d bytes in UTF-8 on a line",
                       given->file, given->line, MAIL_ADDRESS_MAX);
    err = pattern_of_text(build, given, &number, detail);
    if (err == ERR_NONE)
        build_member(build, number, group, false, given->line);
    return err;
}

// add_lines: bytes are written to: lines are terminated in place.
static enum err add_lines(struct policy_build *build, uint32_t group, const char *file, char *bytes,
                          size_t size, struct err_detail *detail)
{
    struct pattern_text given = {.file = file, .line = 1, .role = PATTERN_MEMBER};
    enum err err = ERR_NONE;
    size_t mark = size >= 3 && memcmp(bytes, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0; // of some editors

    open_place(build, file);
    for (char *at = bytes + mark; at < bytes + size && err == ERR_NONE; given.line++) {
        char *stop = memchr(at, '\n', (size_t)(bytes + size - at));
        size_t len = (size_t)((stop != NULL ? stop : bytes + size) - at);
        char *line = trim(at, &len);

        at = (stop != NULL ? stop : bytes + size) + 1;
        given.text = line;
        if (len > 0) {
            line[len] = '\0'; // the bytes are followed by one more
            err = add_line(build, group, &given, len, detail);
        }
    }
    return err;
}

static enum err add_file(struct policy_build *build, uint32_t group, const struct yaml_node *node,
                         struct err_detail *detail)
{
    const char *name = NULL;
    char *bytes = NULL;
    size_t len = 0;
    enum err err = yaml_expect(node, YAML_TEXT, "file", detail);

    if (err == ERR_NONE)
        err = source_list(build, node, &name, &bytes, &len, detail);
    if (err == ERR_NONE)
        err = add_lines(build, group, name, bytes, len, detail);
    mem_free(bytes);
    return err;
}

static enum err add_files(struct policy_build *build, uint32_t group, const struct yaml_node *node,
                          struct err_detail *detail)
{
    enum err err = ERR_NONE;

    if (node->kind == YAML_TEXT)
        return add_file(build, group, node, detail);
    err = yaml_expect(node, YAML_LIST, "file", detail);
    for (const struct yaml_node *one = node->child; one != NULL && err == ERR_NONE; one = one->next)
        err = add_file(build, group, one, detail);
    return err;
}

// ---- Groups

static enum err say_no_address(const struct yaml_node *node, const char *given,
                               struct err_detail *detail)
{
    return err_say(detail, ERR_CONFIG, "%s:%u: address: expected one address, not %s", node->file,
                   node->line, given);
}

// add_address: mail to the group's address is mail to the group, but who sends from it is no member.
static enum err add_address(struct policy_build *build, struct policy_group *group,
                            const struct yaml_node *node, struct err_detail *detail)
{
    char text[POLICY_PATTERN_TEXT_MAX];
    uint32_t number = 0;
    enum err err;

    open_place(build, node->file);
    if (node->kind == YAML_TEXT && strchr(node->text, '@') == NULL)
        return say_no_address(node, node->text, detail);
    err = pattern_number(build, node, PATTERN_TO, &number, detail);
    if (err != ERR_NONE)
        return err;
    if (build->known[number].pattern.kind != POLICY_ADDRESS)
        return say_no_address(node, pattern_format(&build->known[number].pattern, text), detail);
    group->address = build_text(build, pattern_format(&build->known[number].pattern, text));
    build_member(build, number, group->pattern, true, node->line);
    return ERR_NONE;
}

static enum err read_group(struct policy_build *build, struct policy_group *group,
                           const struct yaml_node *node, struct err_detail *detail)
{
    const struct yaml_node *members = yaml_find(node, "members");
    const struct yaml_node *file = yaml_find(node, "file");
    const struct yaml_node *address = yaml_find(node, "address");
    enum err err;

    if (node->kind != YAML_MAP)
        return add_members(build, group->pattern, node, detail);
    err = yaml_read(node, node->key, rows, NULL, detail);
    if (err == ERR_NONE && address != NULL)
        err = add_address(build, group, address, detail);
    if (err == ERR_NONE && members != NULL)
        err = add_members(build, group->pattern, members, detail);
    if (err == ERR_NONE && file != NULL)
        err = add_files(build, group->pattern, file, detail);
    return err;
}

static int compare_pairs(const void *a, const void *b)
{
    const struct build_pair *left = a;
    const struct build_pair *right = b;

    if (left->group != right->group)
        return left->group < right->group ? -1 : 1;
    if (left->pattern != right->pattern)
        return left->pattern < right->pattern ? -1 : 1;
    if (left->as_recipient != right->as_recipient)
        return left->as_recipient ? 1 : -1;
    if (left->place != right->place)
        return left->place < right->place ? -1 : 1;
    return (left->line > right->line) - (left->line < right->line);
}

// sort_pairs: a member that stands twice is one.
static void sort_pairs(struct policy_build *build)
{
    size_t kept = 0;

    if (build->pair_count > 0)
        qsort(build->pair, build->pair_count, sizeof(*build->pair), compare_pairs);
    for (size_t i = 0; i < build->pair_count; i++) {
        const struct build_pair *pair = &build->pair[i];
        const struct build_pair *last = kept > 0 ? &build->pair[kept - 1] : NULL;

        if (last == NULL || last->group != pair->group || last->pattern != pair->pattern ||
            last->as_recipient != pair->as_recipient)
            build->pair[kept++] = *pair;
    }
    build->pair_count = kept;
}

enum err groups_read(struct policy_build *build, struct err_detail *detail)
{
    struct named_group *found = NULL;
    size_t count = 0;
    enum err err = find_names(build, &found, &count, detail);

    if (err == ERR_NONE)
        err = declare(build, found, count, detail);
    for (size_t i = 0; i < count && err == ERR_NONE; i++) // as an author reads them
        err = read_group(build, (struct policy_group *)(uintptr_t)&build->policy.group[i],
                         found[i].node, detail);
    if (err == ERR_NONE)
        sort_pairs(build);
    mem_free(found);
    return err;
}

void groups_finish(struct policy_build *build)
{
    const struct policy *policy = &build->policy;
    struct policy_group *groups = (struct policy_group *)(uintptr_t)policy->group;

    for (size_t i = 0; i < policy->known_count; i++) {
        const struct policy_known *known = &policy->known[i];

        for (uint32_t at = 0; at < known->group_count; at++) {
            const struct policy_membership *m = &policy->membership[known->first_group + at];

            if (!m->as_recipient && known->pattern.kind != POLICY_GROUP)
                groups[policy->known[m->pattern].group].members++;
        }
    }
}
