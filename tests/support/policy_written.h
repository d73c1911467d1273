// policy_written.h: a random policy set as its owner would write it, and random mails that its patterns are about. The
// world is small on purpose: few names, few networks, few days, so that policies meet, tie and contradict. What a
// text means stands beside it in plain parts, so that a reference (policy_reference.h) needs no parser.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "tests/support/random.h"

// In the order of specificity.
enum written_kind {
    WRITTEN_EVERYONE,
    WRITTEN_INTERNAL,
    WRITTEN_EXTERNAL,
    WRITTEN_BELOW,
    WRITTEN_DOMAIN,
    WRITTEN_GROUP,
    WRITTEN_LOCAL,
    WRITTEN_ADDRESS,
    WRITTEN_NULL,
};

struct written_pattern {
    enum written_kind kind;
    const char *local;  // with its tag
    const char *domain; // as it is compared
    unsigned group;
    unsigned spelling; // which way of writing it
};

struct written_net {
    const char *text;
    int family;
    unsigned char bytes[16];
    unsigned bits;
};

struct written_option {
    const char *word;
    int restricts; // the higher, the more restrictive
    bool lets_through;
};

struct written_kind_row {
    const char *word;
    struct written_option option[4];
    unsigned option_count;
    bool is_about_senders; // it has from, and no to
};

enum {
    WRITTEN_POLICIES_MAX = 80,
    WRITTEN_GROUPS_MAX = 6,
    WRITTEN_MEMBERS_MAX = 5,
    WRITTEN_USERS_MAX = 4,
    WRITTEN_SOURCES_MAX = 3,
    WRITTEN_DOMAINS_MAX = 4,
    WRITTEN_FILES_MAX = 3,
    WRITTEN_YAML_MAX = 64 * 1024,
};

struct written_policy {
    char id[16];
    const struct written_kind_row *kind;
    const struct written_option *option;
    bool has_from, has_to;
    struct written_pattern from, to; // everyone where it is not written
    const struct written_net *source[WRITTEN_SOURCES_MAX];
    unsigned source_count;
    bool enabled, override, bidirectional, shadow;
    unsigned from_day, until_day; // index + 1 into written_days; 0 = not said
};

struct written_group {
    char name[8];
    const char *address_local; // NULL = none
    const char *address_domain;
    struct written_pattern member[WRITTEN_MEMBERS_MAX];
    unsigned member_count;
};

struct written_user {
    const char *local;
    const char *domain;
    const char *alias_local; // NULL = none
    const char *alias_domain;
};

struct written_set {
    const char *domain[WRITTEN_DOMAINS_MAX]; // internal
    unsigned domain_count;
    const char *anti_spoof[WRITTEN_DOMAINS_MAX]; // of each
    const char *head;                            // settings and the like, as YAML
    struct written_group group[WRITTEN_GROUPS_MAX];
    unsigned group_count;
    struct written_user user[WRITTEN_USERS_MAX];
    unsigned user_count;
    struct written_policy policy[WRITTEN_POLICIES_MAX];
    unsigned policy_count;
};

struct written_address {
    enum { WRITTEN_PLAIN, WRITTEN_NOBODY, WRITTEN_POSTMASTER, WRITTEN_BROKEN } is;
    const char *local; // without its tag
    const char *tag;   // "" = none
    const char *domain;
    char text[96]; // as the mail has it
};

struct written_mail {
    struct written_address from, to;
    const char *client; // "" = not known
    int family;         // 0 = not known
    unsigned char bytes[16];
    uint64_t now_ms;
};

// ---- the small world

// Below each other, beside each other, alike at their ends, a label that is a word of the syntax, and one that is
// written in other letters.
static const char *const written_domains[] = {
    "example",      "a.example",        "x.a.example",           "y.x.a.example", "xa.example",
    "corp.example", "sub.corp.example", "xn--bcher-kva.example", "internal",
};
static const char *const written_spoofs[] = {"{}", "{anti_spoof: enforce}", "{anti_spoof: shadow}"};
static const char *const written_heads[] = {
    "", "settings: {relay: ignore}\n",
    "settings: {relay: ignore, greylist: {mode: enforce}, auth_failure_voids: false}\n",
    "settings: {relay: ignore, greylist: {mode: enforce}}\ntrusted_sources: [192.0.2.66]\n"};
static const char *const written_locals[] = {"ann", "bob", "eve", "ann+x", "bob+y"};
static const char *const written_bases[] = {"ann", "bob", "eve", "info"};

#define WRITTEN_DAY_MS 86400000ULL
static const struct {
    const char *text;
    uint64_t at_ms;
} written_days[] = {
    {"2027-01-01", 1798761600000U},
    {"2027-01-01T12:00:00Z", 1798804800000U},
    {"2027-02-01", 1801440000000U},
    {"2027-03-01", 1803859200000U},
};

static const struct written_net written_nets[] = {
    {"0.0.0.0/0", 4, {0}, 0},
    {"192.0.2.0/24", 4, {192, 0, 2}, 24},
    {"192.0.2.0/25", 4, {192, 0, 2}, 25},
    {"192.0.2.64/26", 4, {192, 0, 2, 64}, 26},
    {"192.0.2.65", 4, {192, 0, 2, 65}, 32},
    {"192.0.2.65/32", 4, {192, 0, 2, 65}, 32},
    {"\"::ffff:192.0.2.66\"", 4, {192, 0, 2, 66}, 32},
    {"\"::ffff:198.51.100.0/120\"", 4, {198, 51, 100}, 24},
    {"\"::/0\"", 6, {0}, 0},
    {"\"2001:db8::/32\"", 6, {0x20, 0x01, 0x0d, 0xb8}, 32},
    {"\"2001:db8:1::/48\"", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1}, 48},
    {"\"2001:db8:1:8000::/49\"", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x80}, 49},
    {"\"2001:db8:1::5\"", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}, 128},
};

static const struct {
    const char *text;
    int family;
    unsigned char bytes[16];
} written_clients[] = {
    {"", 0, {0}},
    {"192.0.2.65", 4, {192, 0, 2, 65}},
    {"::ffff:192.0.2.65", 4, {192, 0, 2, 65}},
    {"192.0.2.66", 4, {192, 0, 2, 66}},
    {"192.0.2.127", 4, {192, 0, 2, 127}},
    {"192.0.2.128", 4, {192, 0, 2, 128}},
    {"192.0.3.0", 4, {192, 0, 3, 0}},
    {"198.51.100.255", 4, {198, 51, 100, 255}},
    {"2001:db8:1::5", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5}},
    {"2001:db8:1:8000::5", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x80, 0, 0, 0, 0, 0, 0, 0, 0, 5}},
    {"2001:db8:1:7fff::5", 6, {0x20, 0x01, 0x0d, 0xb8, 0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 0, 0, 5}},
    {"2001:db9::", 6, {0x20, 0x01, 0x0d, 0xb9}},
};

// ---- a set

static inline struct written_pattern written_random_pattern(struct random *random, bool is_from,
                                                            unsigned group_count)
{
    struct written_pattern out = {.local = "", .domain = "", .spelling = random_below(random, 6)};
    unsigned kind = random_below(random, 20);

    out.kind = kind < 2    ? WRITTEN_EVERYONE
               : kind < 3  ? WRITTEN_INTERNAL
               : kind < 4  ? WRITTEN_EXTERNAL
               : kind < 7  ? WRITTEN_BELOW
               : kind < 11 ? WRITTEN_DOMAIN
               : kind < 13 ? WRITTEN_GROUP
               : kind < 15 ? WRITTEN_LOCAL
               : kind < 19 ? WRITTEN_ADDRESS
                           : WRITTEN_NULL;
    if (out.kind == WRITTEN_NULL && !is_from)
        out.kind = WRITTEN_EVERYONE;
    if (out.kind == WRITTEN_GROUP && group_count == 0)
        out.kind = WRITTEN_DOMAIN;
    if (out.kind == WRITTEN_GROUP)
        out.group = random_below(random, group_count);
    if (out.kind == WRITTEN_LOCAL || out.kind == WRITTEN_ADDRESS)
        out.local = is_from ? RANDOM_OF(random, written_locals) : RANDOM_OF(random, written_bases);
    if (out.kind == WRITTEN_BELOW || out.kind == WRITTEN_DOMAIN || out.kind == WRITTEN_ADDRESS)
        out.domain = RANDOM_OF(random, written_domains);
    return out;
}

static inline void written_random_groups(struct random *random, struct written_set *set)
{
    set->group_count = random_below(random, WRITTEN_GROUPS_MAX + 1);
    for (unsigned i = 0; i < set->group_count; i++) {
        struct written_group *group = &set->group[i];

        (void)snprintf(group->name, sizeof(group->name), "g%u", i);
        group->address_local = random_chance(random, 40) ? group->name : NULL;
        group->address_domain = RANDOM_OF(random, written_domains);
        group->member_count = random_below(random, WRITTEN_MEMBERS_MAX + 1);
        for (unsigned k = 0; k < group->member_count; k++)
            group->member[k] = written_random_pattern(random, false, set->group_count);
    }
}

static inline void written_random_users(struct random *random, struct written_set *set)
{
    set->user_count = random_below(random, WRITTEN_USERS_MAX + 1);
    for (unsigned i = 0; i < set->user_count; i++) {
        static const char *const aliases[] = {"a.smith", "b.smith", "e.smith", "i.smith"};
        bool has_alias = random_chance(random, 70);

        // Different mailboxes, different aliases.
        set->user[i] = (struct written_user){
            .local = written_bases[i],
            .domain = set->domain[random_below(random, set->domain_count)],
            .alias_local = has_alias ? aliases[i] : NULL,
            .alias_domain = set->domain[random_below(random, set->domain_count)],
        };
    }
}

static inline void written_random_source(struct random *random, struct written_policy *policy)
{
    unsigned count = random_chance(random, 55) ? 0 : 1 + random_below(random, WRITTEN_SOURCES_MAX);

    while (policy->source_count < count) {
        const struct written_net *net = &RANDOM_OF(random, written_nets);
        bool is_there = false;

        for (unsigned i = 0; i < policy->source_count; i++)
            is_there = is_there || (policy->source[i]->bits == net->bits &&
                                    policy->source[i]->family == net->family &&
                                    memcmp(policy->source[i]->bytes, net->bytes, 16) == 0);
        if (is_there)
            count--;
        else
            policy->source[policy->source_count++] = net;
    }
}

static inline void written_random_time(struct random *random, struct written_policy *policy)
{
    enum { DAYS = sizeof(written_days) / sizeof(written_days[0]) };
    unsigned first = random_below(random, DAYS);
    unsigned last = first + 1 + random_below(random, DAYS);

    if (random_chance(random, 70))
        return;
    if (random_chance(random, 70))
        policy->from_day = first + 1;
    if (last < DAYS && (policy->from_day == 0 || random_chance(random, 70)))
        policy->until_day = last + 1;
}

static inline void written_random_policy(struct random *random, const struct written_set *set,
                                         const struct written_kind_row *kind, unsigned number,
                                         struct written_policy *out)
{
    unsigned parts = random_below(random, 3);

    *out = (struct written_policy){.kind = kind};
    // Ids in another order than the policies, and of different lengths.
    (void)snprintf(out->id, sizeof(out->id), "p%u%s", (number * 37 + 11) % 101,
                   number % 3 == 0 ? "-x" : "");
    out->option = &kind->option[random_below(random, kind->option_count)];
    out->from = out->to = (struct written_pattern){.local = "", .domain = ""};
    out->has_from = parts != 1 || kind->is_about_senders;
    out->has_to = parts != 0 && !kind->is_about_senders;
    if (out->has_from)
        out->from = written_random_pattern(random, true, set->group_count);
    if (out->has_to)
        out->to = written_random_pattern(random, false, set->group_count);
    written_random_source(random, out);
    written_random_time(random, out);
    out->enabled = random_chance(random, 92);
    out->override = random_chance(random, 12);
    out->bidirectional = random_chance(random, 20) && !kind->is_about_senders;
    out->shadow = random_chance(random, 20);
}

// What a random set is to hold: policies of these kinds, up to so many, and groups and users beside them.
struct written_shape {
    const struct written_kind_row *kind;
    size_t kind_count;
    unsigned policies;
    bool groups;
    bool users;
};

static inline void written_random(struct random *random, const struct written_shape *shape,
                                  struct written_set *out)
{
    memset(out, 0, sizeof(*out));
    out->domain_count = 1 + random_below(random, WRITTEN_DOMAINS_MAX);
    for (unsigned i = 0, first = random_below(random, 9); i < out->domain_count; i++)
        out->domain[i] = written_domains[(first + 2 * i) % 9];
    for (unsigned i = 0; i < out->domain_count; i++)
        out->anti_spoof[i] = RANDOM_OF(random, written_spoofs);
    out->head = RANDOM_OF(random, written_heads);
    if (shape->groups)
        written_random_groups(random, out);
    if (shape->users)
        written_random_users(random, out);
    out->policy_count = random_below(random, shape->policies + 1);
    for (unsigned i = 0; i < out->policy_count; i++)
        written_random_policy(random, out, &shape->kind[random_below(random, shape->kind_count)], i,
                              &out->policy[i]);
}

// ---- as YAML

// A domain in one of the ways in which it may be written.
static inline const char *written_spell_domain(const char *domain, unsigned spelling, char out[64])
{
    bool is_idn = strcmp(domain, "xn--bcher-kva.example") == 0;
    size_t len;

    (void)snprintf(out, 64, "%s", is_idn && spelling % 2 == 0 ? "b\u00fccher.example" : domain);
    len = strlen(out);
    if (spelling == 1 && out[0] >= 'a' && out[0] <= 'z')
        out[0] = (char)(out[0] - 'a' + 'A');
    if (spelling == 2 && len + 1 < 64)
        (void)snprintf(out + len, 64 - len, ".");
    return out;
}

static inline void written_print_pattern(const struct written_set *set,
                                         const struct written_pattern *pattern, FILE *out)
{
    char domain[64];
    // A domain without a dot has another way of being written.
    bool is_word = strchr(pattern->domain, '.') == NULL;

    (void)written_spell_domain(pattern->domain, pattern->spelling, domain);
    switch (pattern->kind) {
    case WRITTEN_EVERYONE:
        (void)fprintf(out, "\"*\"");
        break;
    case WRITTEN_INTERNAL:
        (void)fprintf(out, "internal");
        break;
    case WRITTEN_EXTERNAL:
        (void)fprintf(out, "external");
        break;
    case WRITTEN_BELOW:
        (void)fprintf(out, pattern->spelling % 2 == 0 ? "\".%s\"" : "\"*.%s\"", domain);
        break;
    case WRITTEN_DOMAIN:
        (void)fprintf(out, is_word || pattern->spelling == 3 ? "\"@%s\"" : "\"%s\"", domain);
        break;
    case WRITTEN_GROUP:
        (void)fprintf(out, "{group: %s}", set->group[pattern->group].name);
        break;
    case WRITTEN_LOCAL:
        (void)fprintf(out, "\"%s@*\"", pattern->local);
        break;
    case WRITTEN_ADDRESS:
        (void)fprintf(out, pattern->spelling == 4 ? "'\"%s\"@%s'" : "\"%s@%s\"", pattern->local,
                      domain);
        break;
    case WRITTEN_NULL:
        (void)fprintf(out, "<>");
        break;
    }
}

static inline void written_print_source(const struct written_policy *policy, FILE *out)
{
    if (policy->source_count == 0)
        return;
    (void)fprintf(out, ", source: [");
    for (unsigned i = 0; i < policy->source_count; i++)
        (void)fprintf(out, "%s%s", i > 0 ? ", " : "", policy->source[i]->text);
    (void)fprintf(out, "]");
}

static inline void written_print_policy(const struct written_set *set, const void *entry, FILE *out)
{
    const struct written_policy *policy = entry;

    (void)fprintf(out, "  - {id: %s, kind: %s", policy->id, policy->kind->word);
    if (policy->option->word[0] != '\0')
        (void)fprintf(out, ", %s", policy->option->word);
    if (policy->has_from) {
        (void)fprintf(out, ", from: ");
        written_print_pattern(set, &policy->from, out);
    }
    if (policy->has_to) {
        (void)fprintf(out, ", to: ");
        written_print_pattern(set, &policy->to, out);
    }
    written_print_source(policy, out);
    if (policy->from_day != 0 || policy->until_day != 0) {
        (void)fprintf(out, ", valid: {");
        if (policy->from_day != 0)
            (void)fprintf(out, "from: \"%s\"%s", written_days[policy->from_day - 1].text,
                          policy->until_day != 0 ? ", " : "");
        if (policy->until_day != 0)
            (void)fprintf(out, "until: \"%s\"", written_days[policy->until_day - 1].text);
        (void)fprintf(out, "}");
    }
    (void)fprintf(out, "%s%s%s%s}\n", policy->enabled ? "" : ", enabled: false",
                  policy->override ? ", override: true" : "",
                  policy->bidirectional ? ", bidirectional: true" : "",
                  policy->shadow ? ", mode: shadow" : "");
}

static inline void written_print_group(const struct written_set *set, const void *entry, FILE *out)
{
    const struct written_group *group = entry;

    (void)fprintf(out, "  %s: ", group->name);
    if (group->address_local != NULL)
        (void)fprintf(out, "{address: \"%s@%s\", members: ", group->address_local,
                      group->address_domain);
    (void)fprintf(out, "[");
    for (unsigned i = 0; i < group->member_count; i++) {
        (void)fprintf(out, "%s", i > 0 ? ", " : "");
        written_print_pattern(set, &group->member[i], out);
    }
    (void)fprintf(out, "]%s\n", group->address_local != NULL ? "}" : "");
}

static inline void written_print_domain(const struct written_set *set, const void *entry, FILE *out)
{
    const char *const *domain = entry;

    (void)fprintf(out, "  %s: %s\n", *domain, set->anti_spoof[domain - set->domain]);
}

static inline void written_print_user(const struct written_set *set, const void *entry, FILE *out)
{
    const struct written_user *user = entry;

    (void)set;
    (void)fprintf(out, "  %s@%s: {", user->local, user->domain);
    if (user->alias_local != NULL)
        (void)fprintf(out, "aliases: [%s@%s]", user->alias_local, user->alias_domain);
    (void)fprintf(out, "}\n");
}

// How a set is spread over files, in which order.
struct written_shuffle {
    unsigned files; // 1 .. WRITTEN_FILES_MAX
    uint64_t seed;  // 0 = in the order of the set
};

// The entries of one section that stand in one file.
struct written_section {
    const char *title;
    const void *list;
    size_t size; // of an entry
    unsigned count;
    void (*print)(const struct written_set *set, const void *entry, FILE *out);
};

static inline void written_print_section(const struct written_set *set,
                                         const struct written_section *section,
                                         const struct written_shuffle *shuffle, unsigned file,
                                         FILE *out)
{
    struct random random = {shuffle->seed};
    unsigned order[WRITTEN_POLICIES_MAX];
    bool has_begun = false;

    for (unsigned i = 0; i < section->count; i++) {
        unsigned other = shuffle->seed != 0 ? random_below(&random, i + 1) : i;

        order[i] = order[other];
        order[other] = i;
    }
    for (unsigned i = 0; i < section->count; i++) {
        if (random_below(&random, shuffle->files) != file)
            continue;
        if (!has_begun)
            (void)fprintf(out, "%s:\n", section->title);
        has_begun = true;
        section->print(set, (const char *)section->list + order[i] * section->size, out);
    }
}

// written_yaml: one file of the set, NUL-terminated.
static inline void written_yaml(const struct written_set *set,
                                const struct written_shuffle *shuffle, unsigned file,
                                char text[WRITTEN_YAML_MAX])
{
    const struct written_section sections[] = {
        {"domains", set->domain, sizeof(set->domain[0]), set->domain_count, written_print_domain},
        {"groups", set->group, sizeof(set->group[0]), set->group_count, written_print_group},
        {"users", set->user, sizeof(set->user[0]), set->user_count, written_print_user},
        {"policies", set->policy, sizeof(set->policy[0]), set->policy_count, written_print_policy},
    };
    FILE *out = fmemopen(text, WRITTEN_YAML_MAX, "w");

    (void)fprintf(out, "%s", file == 0 ? set->head : "");
    for (size_t i = 0; i < sizeof(sections) / sizeof(sections[0]); i++)
        written_print_section(set, &sections[i], shuffle, file, out);
    (void)fprintf(out, "# end\n");
    (void)fclose(out);
}

// ---- mails

// Text of an address: upper case here and there, a trailing dot, letters that become an A-label.
static inline void written_spell_address(struct random *random, struct written_address *address)
{
    char domain[64];
    const char *plus = address->tag[0] != '\0' ? "+" : "";

    (void)written_spell_domain(address->domain, random_below(random, 8), domain);
    (void)snprintf(address->text, sizeof(address->text), "%s%s%s@%s", address->local, plus,
                   address->tag, domain);
    if (random_chance(random, 20))
        address->text[0] = (char)(address->text[0] - 'a' + 'A');
}

static inline void written_random_address(struct random *random, const struct written_set *set,
                                          bool is_sender, struct written_address *out)
{
    static const char *const tags[] = {"", "", "", "x", "y"};
    static const char *const aliases[] = {"a.smith", "b.smith", "e.smith"};
    unsigned what = random_below(random, 40);

    *out = (struct written_address){.local = "", .tag = "", .domain = ""};
    if (what == 0 && is_sender) {
        out->is = WRITTEN_NOBODY;
        return;
    }
    if (what == 1) {
        out->is = WRITTEN_BROKEN;
        (void)snprintf(out->text, sizeof(out->text), "ann@corp..example");
        return;
    }
    if (what == 2 && !is_sender) {
        out->is = WRITTEN_POSTMASTER;
        (void)snprintf(out->text, sizeof(out->text), "postmaster");
        return;
    }
    out->local = what < 8 ? RANDOM_OF(random, aliases) : RANDOM_OF(random, written_bases);
    out->tag = RANDOM_OF(random, tags);
    out->domain = RANDOM_OF(random, written_domains);
    if (what < 11) // one of ours: aliases and users have a domain of the set
        out->domain = set->domain[random_below(random, set->domain_count)];
    if (what == 11 && set->group_count > 0) {
        const struct written_group *group = &set->group[random_below(random, set->group_count)];

        out->local = group->name;
        out->domain = group->address_domain;
    }
    written_spell_address(random, out);
}

static inline void written_random_mail(struct random *random, const struct written_set *set,
                                       struct written_mail *out)
{
    unsigned client = random_below(random, sizeof(written_clients) / sizeof(written_clients[0]));

    memset(out, 0, sizeof(*out));
    written_random_address(random, set, true, &out->from);
    written_random_address(random, set, false, &out->to);
    out->client = written_clients[client].text;
    out->family = written_clients[client].family;
    memcpy(out->bytes, written_clients[client].bytes, sizeof(out->bytes));
    // At a bound of somebody's time, a millisecond before, or behind.
    out->now_ms = RANDOM_OF(random, written_days).at_ms + random_below(random, 3) - 1;
}
