// lint.c: see lint.h: what is said of each entry by itself. How policies stand to each other is in lint_rules.c.
#include "node/policy/lint.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/lint_find.h"
#include "proto/base/mem.h"

// ---- Findings

void lint_say(struct lint *lint, const char *kind, const char *file, unsigned line, const char *fmt,
              ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        text = mem_text(kind);
    va_end(args);
    lint->finding = build_grow(lint->finding, lint->count, sizeof(*lint->finding));
    lint->finding[lint->count] = (struct lint_finding){
        {.kind = kind, .file = file != NULL ? file : "", .line = line, .what = text}, lint->count};
    lint->count++;
}

static int compare_findings(const void *a, const void *b)
{
    const struct lint_finding *left = a;
    const struct lint_finding *right = b;
    int order = strcmp(left->said.file, right->said.file);

    if (order == 0)
        order = (left->said.line > right->said.line) - (left->said.line < right->said.line);
    return order != 0 ? order : (left->order > right->order) - (left->order < right->order);
}

static void hand_out(struct lint *lint,
                     bool (*visit)(const struct policy_finding *finding, void *arg), void *arg)
{
    bool go_on = true;

    if (lint->count > 0)
        qsort(lint->finding, lint->count, sizeof(*lint->finding), compare_findings);
    for (size_t i = 0; i < lint->count; i++) {
        go_on = go_on && visit(&lint->finding[i].said, arg);
        mem_free((void *)(uintptr_t)lint->finding[i].said.what);
    }
    mem_free(lint->finding);
}

// ---- Groups and users

static bool lies_in(const struct policy *policy, uint32_t pattern, uint32_t group)
{
    const struct policy_known *known = &policy->known[pattern];

    for (uint32_t i = 0; i < known->group_count; i++) {
        if (policy->membership[known->first_group + i].pattern == group)
            return true;
    }
    return false;
}

// lint_cycle: told once, of the group that comes first by name, with another one of the circle.
static void lint_cycle(struct lint *lint, const struct policy_group *group)
{
    const struct policy *policy = lint->policy;
    const struct policy_known *known = &policy->known[group->pattern];
    const struct policy_group *other = NULL;

    if (!lies_in(policy, group->pattern, group->pattern))
        return;
    for (uint32_t i = 0; i < known->group_count; i++) {
        uint32_t pattern = policy->membership[known->first_group + i].pattern;

        if (pattern == group->pattern || !lies_in(policy, pattern, group->pattern))
            continue;
        if (pattern < group->pattern) // groups are numbered by name
            return;
        if (other == NULL || pattern < other->pattern)
            other = &policy->group[policy->known[pattern].group];
    }
    if (other == NULL)
        lint_say(lint, "cycle", group->file, group->line, "group %s is a member of itself",
                 group->name);
    else
        lint_say(lint, "cycle", group->file, group->line,
                 "group %s and group %s (%s:%u) lie in each other: each has the members of both",
                 group->name, other->name, other->file, other->line);
}

static void lint_user(struct lint *lint, const struct policy_user *user)
{
    const struct policy *policy = lint->policy;
    char text[POLICY_PATTERN_TEXT_MAX];

    for (size_t i = 0; i < user->send_as_count; i++) {
        const struct policy_known *known = &policy->known[user->send_as[i]];

        if (known->pattern.kind == POLICY_GROUP && policy->group[known->group].members == 0)
            lint_say(lint, "empty", user->file, user->line,
                     "%s may send as group %s, which has no members",
                     pattern_format(&policy->known[user->mailbox].pattern, text),
                     known->pattern.local);
    }
}

// lint_addresses: users live in the internal domains.
static void lint_addresses(struct lint *lint)
{
    const struct policy *policy = lint->policy;
    char text[POLICY_PATTERN_TEXT_MAX];

    for (size_t i = 0; i < policy->known_count && policy->domain_count > 0; i++) {
        const struct policy_known *known = &policy->known[i];

        if (known->user == POLICY_NOBODY || policy_is_internal(policy, known->pattern.domain))
            continue;
        lint_say(lint, "stranger", policy->user[known->user].file, policy->user[known->user].line,
                 "%s is a user's address, but %s is no internal domain",
                 pattern_format(&known->pattern, text), known->pattern.domain);
    }
}

// ---- One policy

static bool is_empty_group(const struct policy *policy, uint32_t number, bool is_from)
{
    const struct policy_known *known = &policy->known[number];
    const struct policy_group *group;

    if (known->pattern.kind != POLICY_GROUP)
        return false;
    group = &policy->group[known->group];
    return group->members == 0 && (is_from || group->address[0] == '\0');
}

static void lint_groups_of(struct lint *lint, const struct policy_rule *rule)
{
    const struct policy *policy = lint->policy;
    uint32_t empty = POLICY_NOBODY;

    if (is_empty_group(policy, rule->from, true))
        empty = rule->from;
    else if (is_empty_group(policy, rule->to, false))
        empty = rule->to;
    if (empty != POLICY_NOBODY)
        lint_say(lint, "empty", rule->file, rule->line,
                 "policy %s is about group %s, which has no members", rule->id,
                 policy->known[empty].pattern.local);
}

// is_one_mail: a bounce address that was made for one mail: it names the recipient, or a long number.
static bool is_one_mail(const char *local)
{
    size_t digits = 0;

    if (strchr(local, '=') != NULL)
        return true;
    for (; *local != '\0'; local++) {
        digits = *local >= '0' && *local <= '9' ? digits + 1 : 0;
        if (digits >= 8)
            return true;
    }
    return false;
}

static void lint_verp(struct lint *lint, const struct policy_rule *rule)
{
    const struct policy_pattern *from = &lint->policy->known[rule->from].pattern;

    if (from->kind == POLICY_ADDRESS && is_one_mail(from->local))
        lint_say(
            lint, "verp", rule->file, rule->line,
            "policy %s is about %s@%s, which looks made for one mail: it would match once (the "
            "domain %s would match the next one too)",
            rule->id, from->local, from->domain, from->domain);
}

static void lint_part(struct lint *lint, const struct policy_rule *rule)
{
    if (rule->part == POLICY_HEADER)
        lint_say(lint, "header", rule->file, rule->line,
                 "policy %s is about the header alone, which decides nothing in this version",
                 rule->id);
    if (rule->part == POLICY_BOTH && rule->kind != POLICY_ANTI_SPOOF) // whose default it is
        lint_say(lint, "header", rule->file, rule->line,
                 "the header part of policy %s decides nothing in this version", rule->id);
}

static void lint_time(struct lint *lint, const struct policy_rule *rule)
{
    char text[POLICY_DATE_TEXT_MAX];

    if (rule->valid_until_ms != 0 && rule->valid_until_ms <= lint->now_ms)
        lint_say(lint, "dead", rule->file, rule->line, "policy %s was over on %s", rule->id,
                 date_format(rule->valid_until_ms, text));
}

// lint_null: what is never asked about the null sender.
static void lint_null(struct lint *lint, const struct policy_rule *rule)
{
    bool is_asked = rule->kind == POLICY_BLOCK || rule->kind == POLICY_PERMIT ||
                    rule->kind == POLICY_GEO || rule->kind == POLICY_GREYLIST;

    if (lint->policy->known[rule->from].pattern.kind == POLICY_NULL && !is_asked &&
        rule->kind != POLICY_RECIPIENT && rule->kind != POLICY_RECIPIENT_RULE)
        lint_say(lint, "dead", rule->file, rule->line,
                 "policy %s is about <>, and policies of its kind are never asked about that",
                 rule->id);
}

// lint_spoof: anti-spoofing is about senders in internal domains and below them.
static void lint_spoof(struct lint *lint, const struct policy_rule *rule)
{
    const struct policy_pattern *from = &lint->policy->known[rule->from].pattern;

    if (rule->kind == POLICY_ANTI_SPOOF && !rule->bidirectional && lint->policy->domain_count > 0 &&
        (from->kind == POLICY_ADDRESS || from->kind == POLICY_DOMAIN) &&
        policy_domain_over(lint->policy, from->domain) == NULL)
        lint_say(lint, "dead", rule->file, rule->line,
                 "policy %s is about senders in %s, which is no internal domain: nobody is asked "
                 "there",
                 rule->id, from->domain);
}

// ---- Limits and conditions

static void lint_limit(struct lint *lint, const struct policy_rule *rule)
{
    uint64_t recipients = lint->policy->settings.limits.recipients;

    if (recipients != 0 && rule->rcpt_per_mail > recipients)
        lint_say(lint, "limit", rule->file, rule->line,
                 "rcpt_per_mail of policy %s never binds: a message has %" PRIu64
                 " recipients at most (settings.limits.recipients)",
                 rule->id, recipients);
    if (rule->rcpt_per_day != 0 && rule->rcpt_per_mail > rule->rcpt_per_day)
        lint_say(lint, "limit", rule->file, rule->line,
                 "rcpt_per_mail of policy %s never binds: rcpt_per_day is less", rule->id);
    if (rule->rcpt_per_day != 0 && rule->mail_per_day >= rule->rcpt_per_day)
        lint_say(
            lint, "limit", rule->file, rule->line,
            "mail_per_day of policy %s never binds: rcpt_per_day is no more, and each mail has "
            "a recipient",
            rule->id);
}

// people_of: how many people a group can have, or UINT64_MAX if a pattern in it may fit any number.
static uint64_t people_of(const struct lint *lint, uint32_t group)
{
    return lint->is_wide[group] ? UINT64_MAX
                                : lint->policy->group[lint->policy->known[group].group].members;
}

static bool *find_wide(const struct policy *policy)
{
    bool *is_wide = mem_new_array(policy->known_count, sizeof(*is_wide));

    for (size_t i = 0; i < policy->known_count; i++) {
        const struct policy_known *known = &policy->known[i];
        enum policy_pattern_kind kind = known->pattern.kind;

        for (uint32_t at = 0; at < known->group_count; at++) {
            if (kind != POLICY_ADDRESS && kind != POLICY_GROUP && kind != POLICY_NULL)
                is_wide[policy->membership[known->first_group + at].pattern] = true;
        }
    }
    return is_wide;
}

static bool are_empty_groups(const struct policy *policy, const uint32_t *numbers, size_t count,
                             bool is_from)
{
    for (size_t i = 0; i < count; i++) {
        if (!is_empty_group(policy, numbers[i], is_from))
            return false;
    }
    return count > 0;
}

// never_holds: why, or NULL.
static const char *never_holds(const struct lint *lint, const struct policy_when *when)
{
    const struct policy *policy = lint->policy;
    const struct policy_settings *settings = &policy->settings;

    if (when->has_size_over && settings->limits.message_size != 0 &&
        when->size_over >= settings->limits.message_size)
        return "no message is larger than settings.limits.message_size";
    if (when->has_size_over && when->has_size_under && when->size_over + 1 >= when->size_under)
        return "no size is over size_over and under size_under";
    if (when->has_recipients_over && settings->limits.recipients != 0 &&
        when->recipients_over >= settings->limits.recipients)
        return "no message has more recipients than settings.limits.recipients";
    if (when->group_at_least > 0 && when->group != POLICY_NOBODY &&
        when->group_at_least > people_of(lint, when->group))
        return "rcpt_in_group asks for more members than the group has";
    if (are_empty_groups(policy, when->from, when->from_count, true) ||
        are_empty_groups(policy, when->user, when->user_count, true) ||
        are_empty_groups(policy, when->to, when->to_count, false))
        return "it asks for members of a group that has none";
    return NULL;
}

static void lint_mail(struct lint *lint, const struct policy_rule *rule)
{
    bool is_rule = rule->kind == POLICY_SENDER_RULE || rule->kind == POLICY_RECIPIENT_RULE;
    const char *why = is_rule ? never_holds(lint, &rule->when) : NULL;

    if (why != NULL)
        lint_say(lint, "dead", rule->file, rule->line, "when of policy %s never holds: %s",
                 rule->id, why);
    for (size_t i = 0; i < rule->except_count; i++) {
        why = never_holds(lint, &rule->except[i]);
        if (why != NULL)
            lint_say(lint, "dead", rule->file, rule->line,
                     "exception %zu of policy %s never holds: %s", i + 1, rule->id, why);
    }
}

static void lint_rule(struct lint *lint, const struct policy_rule *rule)
{
    if (!rule->enabled)
        return; // its author knows
    lint_time(lint, rule);
    lint_groups_of(lint, rule);
    lint_verp(lint, rule);
    lint_part(lint, rule);
    lint_null(lint, rule);
    lint_spoof(lint, rule);
    if (rule->kind == POLICY_LIMIT)
        lint_limit(lint, rule);
    lint_mail(lint, rule);
}

static void lint_leaving(struct lint *lint)
{
    const struct policy_settings *settings = &lint->policy->settings;
    const struct yaml_node *node =
        setting_node((const struct policy_build *)lint->policy, "leaving.rcpt_per_mail");

    if (settings->leaving.rcpt_per_day != 0 &&
        settings->leaving.rcpt_per_mail > settings->leaving.rcpt_per_day)
        lint_say(lint, "limit", node != NULL ? node->file : "", node != NULL ? node->line : 0,
                 "settings.leaving.rcpt_per_mail never binds: rcpt_per_day is less");
}

// A password that anybody on the way can read. ldapi:// is this machine's.
static void lint_ldap(struct lint *lint)
{
    const struct policy_settings *settings = &lint->policy->settings;
    const struct yaml_node *node =
        setting_node((const struct policy_build *)lint->policy, "ldap.servers");

    if (node != NULL && settings->ldap.bind_dn[0] != '\0' && !settings->ldap.start_tls &&
        strstr(settings->ldap.servers, "ldap://") != NULL)
        lint_say(lint, "clear", node->file, node->line,
                 "the password of settings.ldap.bind_dn goes to ldap:// in the clear: say "
                 "start_tls: true, or ldaps://");
}

// Lists that refuse nobody, though none of them is in shadow and the threshold says that they should.
static void lint_lists(struct lint *lint)
{
    const struct policy_settings *settings = &lint->policy->settings;
    const struct policy_dns_list *first = NULL;
    double sum = 0;

    for (size_t i = 0; i < settings->reputation.list_count; i++) {
        const struct policy_dns_list *list = &settings->reputation.list[i];

        if (list->is_good || list->mode == POLICY_SHADOW)
            continue;
        first = first != NULL ? first : list;
        sum += list->weight;
    }
    if (first != NULL && sum < settings->reputation.dns_threshold)
        lint_say(
            lint, "dead", first->file, first->line,
            "the lists in force weigh %g together, less than settings.reputation.dns_threshold "
            "(%g): nobody is ever refused by them",
            sum, settings->reputation.dns_threshold);
}

void policy_lint(const struct policy *policy, uint64_t now_ms,
                 bool (*visit)(const struct policy_finding *finding, void *arg), void *arg)
{
    struct lint lint = {.policy = policy, .now_ms = now_ms, .is_wide = find_wide(policy)};

    lint_leaving(&lint);
    lint_ldap(&lint);
    lint_lists(&lint);
    for (size_t i = 0; i < policy->group_count; i++)
        lint_cycle(&lint, &policy->group[i]);
    for (size_t i = 0; i < policy->user_count; i++)
        lint_user(&lint, &policy->user[i]);
    lint_addresses(&lint);
    for (size_t i = 0; i < policy->rule_count; i++)
        lint_rule(&lint, &policy->rule[i]);
    lint_rules(&lint);
    mem_free(lint.is_wide);
    hand_out(&lint, visit, arg);
}

// ---- What was not used

void policy_lint_used(const struct policy *policy, uint64_t now_ms, uint64_t since_ms,
                      uint64_t (*last_ms)(const char *id, void *arg),
                      bool (*visit)(const struct policy_finding *finding, void *arg), void *arg)
{
    struct lint lint = {.policy = policy, .now_ms = now_ms};
    char text[POLICY_DATE_TEXT_MAX];

    for (size_t i = 0; i < policy->rule_count; i++) {
        const struct policy_rule *rule = &policy->rule[i];
        uint64_t last = last_ms(rule->id, arg);

        if (!policy_is_valid(rule, now_ms) || last >= since_ms || rule->valid_from_ms > since_ms)
            continue;
        if (last == 0)
            lint_say(&lint, "unused", rule->file, rule->line, "policy %s has never decided",
                     rule->id);
        else
            lint_say(&lint, "unused", rule->file, rule->line, "policy %s last decided on %s",
                     rule->id, date_format(last, text));
    }
    hand_out(&lint, visit, arg);
}
