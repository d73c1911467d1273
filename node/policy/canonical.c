// canonical.c: see canonical.h. What is enumerated is read back by policy_parse as the same set; a field that is added to the
// set is added here (policies in canonical_rule.c), or two sets that differ in it would have one number.
#include "node/policy/canonical.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/line.h"
#include "proto/base/mem.h"

struct telling {
    const struct policy *policy;
    const struct policy_build *build;
    enum canonical_order order;
    bool (*visit)(const struct canonical *said, void *arg);
    void *arg;
    struct line key;
    struct line value;
    bool over; // visit wants no more
};

// begin: a statement about what the words say.
static void begin(struct telling *t, const char *what, const char *name)
{
    line_clear(&t->key);
    line_clear(&t->value);
    line_put(&t->key, what);
    line_put(&t->key, name);
}

static void tell(struct telling *t, enum canonical_section section, const char *file, unsigned line)
{
    const struct canonical said = {section, t->key.text, t->value.text, file != NULL ? file : "",
                                   line};

    if (!t->over && !t->visit(&said, t->arg))
        t->over = true;
}

// ---- Domains, networks, settings

static const char *recipients_word(int recipients)
{
    static const char *const words[] = {[POLICY_RECIPIENTS_ANY] = "any",
                                        [POLICY_RECIPIENTS_SEND_ONLY] = "send_only",
                                        [POLICY_RECIPIENTS_DIRECTORY] = "directory",
                                        [POLICY_RECIPIENTS_CALLFORWARD] = "callforward",
                                        [POLICY_RECIPIENTS_LDAP] = "ldap"};

    return words[recipients];
}

static void tell_domains(struct telling *t)
{
    for (size_t i = 0; i < t->policy->domain_count && !t->over; i++) {
        const struct policy_domain *domain = &t->policy->domain[i];

        begin(t, "domain ", domain->name);
        line_open(&t->value, "{");
        if (domain->recipients != POLICY_RECIPIENTS_ANY)
            line_word(&t->value, "recipients", recipients_word(domain->recipients));
        if (domain->host[0] != '\0')
            host_put(&t->value, domain);
        if (domain->unknown != POLICY_UNKNOWN_REJECT)
            line_word(&t->value, "unknown", "defer");
        if (domain->learn)
            line_word(&t->value, "learn", "true");
        if (domain->ldap_base[0] != '\0') {
            line_key(&t->value, "base");
            line_quote(&t->value, domain->ldap_base);
        }
        if (domain->anti_spoof != POLICY_SPOOF_AGED)
            line_word(&t->value, "anti_spoof",
                      domain->anti_spoof == POLICY_SPOOF_ENFORCE ? "enforce" : "shadow");
        line_close(&t->value, "}");
        tell(t, CANONICAL_DOMAIN, domain->file, domain->line);
    }
}

static void tell_trusted(struct telling *t)
{
    char text[IP_NET_TEXT_MAX];

    for (size_t i = 0; i < t->policy->trusted_count && !t->over; i++) {
        const struct yaml_node *node =
            t->build->trusted_node != NULL ? t->build->trusted_node[i] : NULL;

        begin(t, "trusted ", ip_net_format(&t->policy->trusted[i], text));
        line_quote(&t->value, text);
        tell(t, CANONICAL_TRUSTED, node != NULL ? node->file : "", node != NULL ? node->line : 0);
    }
}

static void tell_setting(const struct setting *setting, void *arg)
{
    struct telling *t = arg;

    if (t->over)
        return;
    begin(t, "setting ", setting->key);
    line_put(&t->value, setting->value);
    tell(t, CANONICAL_SETTING, setting->file, setting->line);
}

// ---- Groups

static int compare_patterns(const struct policy_pattern *a, const struct policy_pattern *b)
{
    int order = (a->kind > b->kind) - (a->kind < b->kind);

    if (order == 0)
        order = strcmp(a->domain, b->domain);
    if (order == 0)
        order = strcmp(a->local, b->local);
    return order != 0 ? order : (int)a->internal - (int)b->internal;
}

// A member while they are sorted.
struct member {
    const struct policy_pattern *pattern;
    const struct build_pair *pair;
};

static int compare_members(const void *a, const void *b)
{
    const struct member *left = a;
    const struct member *right = b;

    return compare_patterns(left->pattern, right->pattern);
}

static void tell_member(struct telling *t, const struct policy_group *group,
                        const struct build_pair *pair)
{
    char text[POLICY_PATTERN_TEXT_MAX];
    const struct policy_pattern *pattern = &t->policy->known[pair->pattern].pattern;

    begin(t, "member ", group->name);
    line_put(&t->key, " ");
    line_put(&t->key, pattern_format(pattern, text));
    line_pattern(&t->value, pattern);
    tell(t, CANONICAL_MEMBER,
         pair->place < t->build->place_count ? t->build->place[pair->place] : group->file,
         pair->line);
}

// tell_members: pairs of one group; of its own address it is told with the group.
static void tell_members(struct telling *t, const struct policy_group *group,
                         const struct build_pair *pair, size_t count)
{
    struct member *members = NULL;
    size_t kept = 0;

    if (t->order == CANONICAL_SORTED)
        members = mem_new_array(count, sizeof(*members));
    for (size_t i = 0; i < count && !t->over; i++) {
        if (pair[i].as_recipient)
            continue;
        if (members != NULL)
            members[kept++] = (struct member){&t->policy->known[pair[i].pattern].pattern, &pair[i]};
        else
            tell_member(t, group, &pair[i]);
    }
    if (kept > 0)
        qsort(members, kept, sizeof(*members), compare_members);
    for (size_t i = 0; i < kept && !t->over; i++)
        tell_member(t, group, members[i].pair);
    mem_free(members);
}

// Numbers of groups are in the order of their names, and pairs in the order of those.
static void tell_groups(struct telling *t)
{
    size_t next = 0;

    for (size_t i = 0; i < t->policy->group_count && !t->over; i++) {
        const struct policy_group *group = &t->policy->group[i];
        size_t first = next;

        begin(t, "group ", group->name);
        line_open(&t->value, "{");
        if (group->address[0] != '\0') {
            line_key(&t->value, "address");
            line_quote(&t->value, group->address);
        }
        line_close(&t->value, "}");
        tell(t, CANONICAL_GROUP, group->file, group->line);
        while (next < t->build->pair_count && t->build->pair[next].group == group->pattern)
            next++;
        if (next > first)
            tell_members(t, group, &t->build->pair[first], next - first);
    }
}

// ---- Users

// An alias and whose it is.
struct alias {
    uint32_t user;
    const struct policy_pattern *pattern;
};

static int compare_aliases(const void *a, const void *b)
{
    const struct alias *left = a;
    const struct alias *right = b;

    if (left->user != right->user)
        return left->user < right->user ? -1 : 1;
    return compare_patterns(left->pattern, right->pattern);
}

// find_aliases: of all users, sorted; a row of nobody behind them.
static struct alias *find_aliases(const struct policy *policy)
{
    struct alias *aliases = mem_new(sizeof(*aliases));
    size_t count = 0;

    for (uint32_t i = 0; i < policy->known_count; i++) {
        uint32_t user = policy->known[i].user;

        if (user == POLICY_NOBODY || policy->user[user].mailbox == i)
            continue;
        aliases = build_grow(aliases, count, sizeof(*aliases));
        aliases[count++] = (struct alias){user, &policy->known[i].pattern};
    }
    if (count > 0)
        qsort(aliases, count, sizeof(*aliases), compare_aliases);
    aliases = mem_grow(aliases, count + 1, sizeof(*aliases));
    aliases[count] = (struct alias){POLICY_NOBODY, NULL};
    return aliases;
}

// put_aliases: the user's; returns the first of the next.
static const struct alias *put_aliases(struct telling *t, const struct alias *alias, uint32_t user)
{
    if (alias->user != user)
        return alias;
    line_key(&t->value, "aliases");
    line_open(&t->value, "[");
    for (; alias->user == user; alias++) {
        line_item(&t->value);
        line_pattern(&t->value, alias->pattern);
    }
    line_close(&t->value, "]");
    return alias;
}

static void put_user(struct telling *t, const struct policy_user *user)
{
    if (user->state != POLICY_USER_ACTIVE)
        line_word(&t->value, "state", user->state == POLICY_USER_LEAVING ? "leaving" : "disabled");
    if (user->send_as_count > 0) {
        line_key(&t->value, "send_as");
        canonical_patterns(&t->value, t->policy, user->send_as, user->send_as_count);
    }
    if (user->role[0] != '\0')
        line_word(&t->value, "role", user->role);
}

static void tell_users(struct telling *t)
{
    struct alias *aliases = find_aliases(t->policy);
    const struct alias *alias = aliases;
    char text[POLICY_PATTERN_TEXT_MAX];

    for (uint32_t i = 0; i < t->policy->user_count && !t->over; i++) {
        const struct policy_user *user = &t->policy->user[i];

        begin(t, "user ", pattern_format(&t->policy->known[user->mailbox].pattern, text));
        line_open(&t->value, "{");
        alias = put_aliases(t, alias, i);
        put_user(t, user);
        line_close(&t->value, "}");
        tell(t, CANONICAL_USER, user->file, user->line);
    }
    mem_free(aliases);
}

// ---- Patterns and policies

static int compare_placed(const void *a, const void *b)
{
    const struct policy_pattern *const *left = a;
    const struct policy_pattern *const *right = b;

    return compare_patterns(*left, *right);
}

void canonical_patterns(struct line *line, const struct policy *policy, const uint32_t *numbers,
                        size_t count)
{
    const struct policy_pattern **sorted = mem_new_array(count, sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = &policy->known[numbers[i]].pattern;
    if (count > 0)
        qsort(sorted, count, sizeof(*sorted), compare_placed);
    line_open(line, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && compare_patterns(sorted[i - 1], sorted[i]) == 0)
            continue;
        line_item(line);
        line_pattern(line, sorted[i]);
    }
    line_close(line, "]");
    mem_free(sorted);
}

static void tell_rules(struct telling *t)
{
    for (size_t i = 0; i < t->policy->rule_count && !t->over; i++) {
        const struct policy_rule *rule = &t->policy->rule[i];

        begin(t, "policy ", rule->id);
        canonical_rule(&t->value, t->policy, rule);
        tell(t, CANONICAL_POLICY, rule->file, rule->line);
    }
}

void canonical_each(const struct policy *policy, enum canonical_order order,
                    bool (*visit)(const struct canonical *said, void *arg), void *arg)
{
    struct telling telling = {.policy = policy,
                              .build = (const struct policy_build *)policy,
                              .order = order,
                              .visit = visit,
                              .arg = arg};

    tell_domains(&telling);
    tell_trusted(&telling);
    settings_each(telling.build, tell_setting, &telling);
    tell_groups(&telling);
    tell_users(&telling);
    tell_rules(&telling);
    line_free(&telling.key);
    line_free(&telling.value);
}

// ---- Hashes

// hash: SipHash-128 under a fixed key: it tells an operator's own statements apart, and hides nothing.
static void hash(const char *text, uint64_t out[2])
{
    static const unsigned char key[crypto_shorthash_siphashx24_KEYBYTES] = "reeve policy set";
    unsigned char bytes[crypto_shorthash_siphashx24_BYTES];

    (void)crypto_shorthash_siphashx24(bytes, (const unsigned char *)text, strlen(text), key);
    for (size_t half = 0; half < 2; half++) {
        out[half] = 0;
        for (size_t i = 0; i < 8; i++)
            out[half] = out[half] << 8 | bytes[half * 8 + i];
    }
}

void canonical_hash_of(const struct canonical *said, struct canonical_hash *out)
{
    hash(said->key, out->key);
    hash(said->value, out->value);
}
