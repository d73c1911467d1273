// when.c: the conditions of mail policies, a function each.
#include "node/core/when.h"

#include <string.h>

// ---- who

static bool is_group(const struct when_case *c, uint32_t pattern)
{
    return c->in->policy->known[pattern].pattern.kind == POLICY_GROUP;
}

static bool fits_one(const struct when_case *c, const struct policy_party *party,
                     const uint32_t *patterns, size_t count, bool without_groups)
{
    for (size_t i = 0; i < count; i++) {
        if (without_groups && is_group(c, patterns[i]))
            continue;
        if (policy_party_fits(c->in->policy, party, patterns[i]))
            return true;
    }
    return count == 0;
}

static bool from_holds(const struct when_case *c, const struct policy_when *when)
{
    return fits_one(c, &c->in->facts->sender_party, when->from, when->from_count,
                    c->without_groups);
}

static bool to_holds(const struct when_case *c, const struct policy_when *when)
{
    return fits_one(c, &c->in->recipient->party, when->to, when->to_count, false);
}

static bool user_holds(const struct when_case *c, const struct policy_when *when)
{
    return fits_one(c, &c->in->facts->login_party, when->user, when->user_count, c->without_groups);
}

// ---- where from, and how

static bool direction_holds(const struct when_case *c, const struct policy_when *when)
{
    return when->directions == 0 || (when->directions >> c->direction & 1) != 0;
}

static bool source_holds(const struct when_case *c, const struct policy_when *when)
{
    return when->source_count == 0 ||
           policy_source_fits(when->source, when->source_count, &c->in->facts->client) >= 0;
}

static bool country_holds(const struct when_case *c, const struct policy_when *when)
{
    const char *country = c->in->facts->country;

    for (size_t i = 0; i < when->country_count && country[0] != '\0'; i++)
        if (strcmp(when->country[i], "*") == 0 || strcmp(when->country[i], country) == 0)
            return true;
    return when->country_count == 0;
}

static bool spf_holds(const struct when_case *c, const struct policy_when *when)
{
    return when->spf == 0 || (when->spf >> c->in->facts->spf & 1) != 0;
}

static bool tls_holds(const struct when_case *c, const struct policy_when *when)
{
    return when->tls == 0 || (when->tls > 0) == c->in->facts->tls;
}

static char lower(char c)
{
    return c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
}

// * is any text, ? any character. Goes back to the last star only, so it takes at most their lengths multiplied.
static bool matches(const char *glob, const char *text)
{
    const char *star = NULL;
    const char *again = NULL;

    while (*text != '\0') {
        if (*glob == '*') {
            star = glob++;
            again = text;
        } else if (*glob == '?' || lower(*glob) == lower(*text)) {
            glob++;
            text++;
        } else if (star != NULL) {
            glob = star + 1;
            text = ++again;
        } else {
            return false;
        }
    }
    while (*glob == '*')
        glob++;
    return *glob == '\0';
}

static bool name_holds(const char *glob, const char *name)
{
    return glob[0] == '\0' || (name[0] != '\0' && matches(glob, name));
}

static bool client_name_holds(const struct when_case *c, const struct policy_when *when)
{
    return name_holds(when->client_name, c->in->facts->client_name);
}

static bool helo_holds(const struct when_case *c, const struct policy_when *when)
{
    return name_holds(when->helo, c->in->facts->helo);
}

// ---- when, and how much

static bool time_holds(const struct when_case *c, const struct policy_when *when)
{
    for (size_t i = 0; i < when->time_count; i++)
        if (zone_is_inside(&c->in->policy->zone, &when->time[i], c->in->facts->now_ms))
            return true;
    return when->time_count == 0;
}

static bool size_over_holds(const struct when_case *c, const struct policy_when *when)
{
    return !when->has_size_over || c->in->facts->size_bytes > when->size_over;
}

static bool size_under_holds(const struct when_case *c, const struct policy_when *when)
{
    const uint64_t size = c->in->facts->size_bytes;

    return !when->has_size_under || (size > 0 && size < when->size_under);
}

static bool recipients_over_holds(const struct when_case *c, const struct policy_when *when)
{
    return !when->has_recipients_over ||
           (c->in->facts->names_all && c->in->facts->recipient_count > when->recipients_over);
}

static bool is_same_mailbox(const struct facts_recipient *a, const struct facts_recipient *b)
{
    if (a->party.user != POLICY_NOBODY || b->party.user != POLICY_NOBODY)
        return a->party.user == b->party.user;
    return strcmp(a->address.base, b->address.base) == 0 &&
           strcmp(a->address.domain, b->address.domain) == 0;
}

static bool is_one_of(const struct facts_recipient *const *members, size_t count,
                      const struct facts_recipient *recipient)
{
    for (size_t i = 0; i < count; i++)
        if (is_same_mailbox(members[i], recipient))
            return true;
    return false;
}

// A mailbox that is named again, tagged or by an alias, is no other member.
static uint64_t count_members(const struct policy *policy, const struct facts *facts,
                              uint32_t group)
{
    const struct facts_recipient *members[MSG_RECIPIENTS_MAX];
    size_t count = 0;

    for (size_t i = 0; i < facts->named_count; i++)
        if (policy_party_fits(policy, &facts->named[i]->party, group) &&
            !is_one_of(members, count, facts->named[i]))
            members[count++] = facts->named[i];
    return count;
}

// Each of a thousand recipients asks the same.
static uint64_t members_of(const struct policy *policy, const struct facts *facts, uint32_t group)
{
    struct facts_members *known = facts->members;
    uint64_t mailboxes;

    for (unsigned i = 0; i < known->count; i++)
        if (known->of[i].group == group)
            return known->of[i].mailboxes;
    mailboxes = count_members(policy, facts, group);
    if (known->count < FACTS_GROUPS_MAX) {
        known->of[known->count].group = group;
        known->of[known->count++].mailboxes = mailboxes;
    }
    return mailboxes;
}

static bool group_holds(const struct when_case *c, const struct policy_when *when)
{
    const struct facts *facts = c->in->facts;

    return when->group_at_least == 0 ||
           (facts->names_all &&
            members_of(c->in->policy, facts, when->group) >= when->group_at_least);
}

// ---- all of them

static const struct {
    const char *name;
    bool (*holds)(const struct when_case *c, const struct policy_when *when);
} conditions[] = {
    {"direction", direction_holds},
    {"from", from_holds},
    {"to", to_holds},
    {"user", user_holds},
    {"source", source_holds},
    {"country", country_holds},
    {"tls", tls_holds},
    {"time", time_holds},
    {"size_over", size_over_holds},
    {"size_under", size_under_holds},
    {"spf", spf_holds},
    {"client_name", client_name_holds},
    {"helo", helo_holds},
    {"recipients_over", recipients_over_holds},
    {"rcpt_in_group", group_holds},
};

const char *when_miss(const struct when_case *c, const struct policy_when *when)
{
    for (size_t i = 0; i < sizeof(conditions) / sizeof(conditions[0]); i++)
        if (!conditions[i].holds(c, when))
            return conditions[i].name;
    return NULL;
}

bool when_is_for_all(const struct policy_when *when)
{
    return when->has_recipients_over || when->group_at_least > 0;
}
