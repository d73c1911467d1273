// users.c: the section `users`: mailboxes of which more is known than that they exist: other addresses of theirs, what
// else they may send as, whether they are leaving. An address is one user's; where two claim it, both are named.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"

static const char *const state_words[] = {[POLICY_USER_ACTIVE] = "active",
                                          [POLICY_USER_LEAVING] = "leaving",
                                          [POLICY_USER_DISABLED] = "disabled",
                                          NULL};

struct written {
    int state;
};

static const struct yaml_row rows[] = {
    {"aliases", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "other addresses of the mailbox"},
    {"state", YAML_IS_WORD, offsetof(struct written, state), "active", 0, 0, state_words,
     "leaving: low limits, no protected groups; disabled: sends nothing"},
    {"send_as", YAML_IS_OTHER, 0, NULL, 0, 0, NULL,
     "patterns and groups it may use as a sender beside its own addresses"},
    {"role", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "moderator or admin"},
    {0},
};

// An address that is somebody's.
struct claim {
    uint32_t number;
    uint32_t user; // place in reading.user
    const struct yaml_node *node;
    size_t order;
};

struct reading {
    struct policy_build *build;
    struct policy_user *user; // as read
    size_t count;
    struct claim *claim;
    size_t claim_count;
    struct err_detail *detail;
};

// ---- Addresses

static enum err say_no_address(const struct reading *r, const struct yaml_node *node,
                               const char *text, const char *what)
{
    return err_say(r->detail, ERR_CONFIG, "%s:%u: %s: expected one address, not '%s'", node->file,
                   node->line, what, text);
}

static enum err claim(struct reading *r, const struct yaml_node *node, const char *text,
                      const char *what, uint32_t *out)
{
    const struct pattern_text given = {
        .text = text, .file = node->file, .line = node->line, .role = PATTERN_TO};
    enum err err;

    if (strchr(text, '@') == NULL)
        return say_no_address(r, node, text, what);
    err = pattern_of_text(r->build, &given, out, r->detail);
    if (err != ERR_NONE)
        return err;
    if (r->build->known[*out].pattern.kind != POLICY_ADDRESS)
        return say_no_address(r, node, text, what);
    r->claim = build_grow(r->claim, r->claim_count, sizeof(*r->claim));
    r->claim[r->claim_count] = (struct claim){*out, (uint32_t)r->count, node, r->claim_count};
    r->claim_count++;
    return ERR_NONE;
}

static enum err read_alias(struct reading *r, const struct yaml_node *node)
{
    uint32_t ignored = 0;
    enum err err = yaml_expect(node, YAML_TEXT, "aliases", r->detail);

    return err != ERR_NONE ? err : claim(r, node, node->text, "aliases", &ignored);
}

// ---- Lists

static bool is_one(const struct yaml_node *node)
{
    return node->kind == YAML_MAP ||
           (node->kind == YAML_TEXT && (node->quoted || node->text[0] != '\0'));
}

static enum err read_aliases(struct reading *r, const struct yaml_node *node)
{
    enum err err = ERR_NONE;

    if (is_one(node))
        return read_alias(r, node);
    err = yaml_expect(node, YAML_LIST, "aliases", r->detail);
    for (const struct yaml_node *one = node->child; one != NULL && err == ERR_NONE; one = one->next)
        err = read_alias(r, one);
    return err;
}

static enum err read_send_as(struct reading *r, const struct yaml_node *node,
                             struct policy_user *user)
{
    uint32_t *numbers =
        build_keep(r->build, mem_new_array(node->count + 1, sizeof(*user->send_as)));
    enum err err = ERR_NONE;

    user->send_as = numbers;
    if (is_one(node)) {
        user->send_as_count = 1;
        return pattern_number(r->build, node, PATTERN_SEND_AS, numbers, r->detail);
    }
    err = yaml_expect(node, YAML_LIST, "send_as", r->detail);
    for (const struct yaml_node *one = node->child; one != NULL && err == ERR_NONE; one = one->next)
        err = pattern_number(r->build, one, PATTERN_SEND_AS, &numbers[user->send_as_count++],
                             r->detail);
    return err;
}

static enum err read_role(const struct reading *r, const struct yaml_node *node,
                          struct policy_user *user)
{
    static const char *const roles[] = {"moderator", "admin", NULL};
    enum err err = yaml_expect(node, YAML_TEXT, "role", r->detail);

    if (err != ERR_NONE)
        return err;
    if (!build_has_word(roles, node->text))
        return err_say(r->detail, ERR_CONFIG, "%s:%u: role: expected moderator or admin, not '%s'",
                       node->file, node->line, node->text);
    user->role = node->text;
    return ERR_NONE;
}

static enum err read_user(struct reading *r, const struct yaml_node *node)
{
    struct policy_user *user = &r->user[r->count];
    const struct yaml_node *aliases = yaml_find(node, "aliases");
    const struct yaml_node *send_as = yaml_find(node, "send_as");
    const struct yaml_node *role = yaml_find(node, "role");
    struct written written = {0};
    enum err err;

    *user = (struct policy_user){.role = "", .file = node->file, .line = node->line};
    err = claim(r, node, node->key, "users", &user->mailbox);
    if (err == ERR_NONE)
        err = yaml_read(node, node->key, rows, &written, r->detail);
    if (err == ERR_NONE && aliases != NULL)
        err = read_aliases(r, aliases);
    if (err == ERR_NONE && send_as != NULL)
        err = read_send_as(r, send_as, user);
    if (err == ERR_NONE && role != NULL)
        err = read_role(r, role, user);
    user->state = (enum policy_user_state)written.state;
    return err;
}

// ---- All of them

static int compare_claims(const void *a, const void *b)
{
    const struct claim *left = a;
    const struct claim *right = b;

    if (left->number != right->number)
        return left->number < right->number ? -1 : 1;
    return (left->order > right->order) - (left->order < right->order);
}

static enum err check_claims(const struct reading *r)
{
    char text[POLICY_PATTERN_TEXT_MAX];

    if (r->claim_count > 0)
        qsort(r->claim, r->claim_count, sizeof(*r->claim), compare_claims);
    for (size_t i = 1; i < r->claim_count; i++) {
        const struct claim *first = &r->claim[i - 1];
        const struct claim *second = &r->claim[i];

        if (first->number == second->number)
            return err_say(r->detail, ERR_CONFIG,
                           "%s:%u: %s is a mailbox or an alias twice (first in %s:%u)",
                           second->node->file, second->node->line,
                           pattern_format(&r->build->known[first->number].pattern, text),
                           first->node->file, first->node->line);
    }
    return ERR_NONE;
}

static int compare_patterns(const struct policy_pattern *a, const struct policy_pattern *b)
{
    int order = strcmp(a->domain, b->domain);

    return order != 0 ? order : strcmp(a->local, b->local);
}

// A user while they are sorted by mailbox.
struct placed {
    struct policy_user user;
    const struct policy_pattern *mailbox;
    uint32_t order;
};

static int compare_placed(const void *a, const void *b)
{
    const struct placed *left = a;
    const struct placed *right = b;

    return compare_patterns(left->mailbox, right->mailbox);
}

// keep_aliases: once each address has its user.
static void keep_aliases(const struct reading *r)
{
    const struct policy_known *known = r->build->known;
    uint32_t *alias = build_keep(r->build, mem_new_array(r->claim_count + 1, sizeof(*alias)));
    size_t used = 0;

    for (size_t i = 0; i < r->claim_count; i++)
        r->user[known[r->claim[i].number].user].alias_count++; // the mailbox too: it gets room
    for (size_t i = 0; i < r->count; i++) {
        r->user[i].alias = alias + used;
        used += r->user[i].alias_count;
        r->user[i].alias_count = 0;
    }
    for (size_t i = 0; i < r->claim_count; i++) {
        struct policy_user *user = &r->user[known[r->claim[i].number].user];

        if (r->claim[i].number != user->mailbox)
            alias[(size_t)(user->alias - alias) + user->alias_count++] = r->claim[i].number;
    }
}

// store: sorted into the set, and each address gets its user.
static void store(struct reading *r)
{
    struct policy_build *build = r->build;
    struct placed *placed = mem_new_array(r->count, sizeof(*placed));
    uint32_t *place = mem_new_array(r->count, sizeof(*place));

    for (size_t i = 0; i < r->count; i++)
        placed[i] =
            (struct placed){r->user[i], &build->known[r->user[i].mailbox].pattern, (uint32_t)i};
    if (r->count > 0)
        qsort(placed, r->count, sizeof(*placed), compare_placed);
    for (size_t i = 0; i < r->count; i++) {
        r->user[i] = placed[i].user;
        place[placed[i].order] = (uint32_t)i;
    }
    for (size_t i = 0; i < r->claim_count; i++)
        build->known[r->claim[i].number].user = place[r->claim[i].user];
    keep_aliases(r);
    build->policy.user = r->user;
    build->policy.user_count = r->count;
    mem_free(placed);
    mem_free(place);
}

static enum err count_users(const struct policy_build *build, size_t *out,
                            struct err_detail *detail)
{
    enum err err = ERR_NONE;

    *out = 0;
    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "users");

        if (section == NULL)
            continue;
        err = yaml_expect(section, YAML_MAP, "users", detail);
        *out += section->count;
    }
    return err;
}

enum err users_read(struct policy_build *build, struct err_detail *detail)
{
    struct reading reading = {.build = build, .detail = detail};
    size_t count = 0;
    enum err err = count_users(build, &count, detail);

    if (err == ERR_NONE)
        reading.user = build_keep(build, mem_new_array(count, sizeof(*reading.user)));
    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++) {
        const struct yaml_node *section = build_section(build, i, "users");
        const struct yaml_node *node = section != NULL ? section->child : NULL;

        for (; node != NULL && err == ERR_NONE; node = node->next, reading.count++)
            err = read_user(&reading, node);
    }
    if (err == ERR_NONE)
        err = check_claims(&reading);
    if (err == ERR_NONE)
        store(&reading);
    mem_free(reading.claim);
    return err;
}
