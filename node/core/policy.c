// policy.c: readers of the compiled policy set. Pure: tables in, answers out.
#include "node/core/policy.h"

#include <stdlib.h>
#include <string.h>

static int compare_texts(const void *key, const void *element)
{
    const char *const *text = element;

    return strcmp(key, *text);
}

bool policy_is_internal(const struct policy *policy, const char *domain)
{
    return domain[0] != '\0' && policy->domain_count > 0 &&
           bsearch(domain, policy->domain, policy->domain_count, sizeof(*policy->domain),
                   compare_texts) != NULL;
}

// Sorted networks of which none lies inside another stand in the order of their addresses, so only
// the last one that begins at or before an address can hold it.
bool policy_is_trusted_ip(const struct policy *policy, const struct ip *ip)
{
    struct ip_net host = ip_net_of(ip, 128);
    size_t low = 0;
    size_t high = policy->trusted_count;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ip_net_compare(&policy->trusted[middle], &host) <= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low > 0 && ip_net_contains(&policy->trusted[low - 1], ip);
}

// ---- Patterns

static bool is_below(const char *domain, const char *parent)
{
    size_t len = strlen(domain);
    size_t parent_len = strlen(parent);

    return len > parent_len + 1 && domain[len - parent_len - 1] == '.' &&
           strcmp(domain + len - parent_len, parent) == 0;
}

// The two roles an address can have. A recipient is its base address; a sender is what it wrote,
// because a policy that spares ann@dom does not spare ann+anything@dom (README.md, section 1).
enum role { SENDER, RECIPIENT };

static bool is_local(const struct policy_pattern *pattern, const struct mail_address *address,
                     enum role role)
{
    return strcmp(role == SENDER ? address->local : address->base, pattern->local) == 0;
}

static bool pattern_matches(const struct policy *policy, const struct policy_pattern *pattern,
                            const struct mail_address *address, enum role role)
{
    if (pattern->kind == POLICY_EVERYONE)
        return true;
    if (address->null || pattern->kind == POLICY_NULL)
        return address->null && pattern->kind == POLICY_NULL;
    if (address->flaw != MAIL_OK || address->domain[0] == '\0')
        return false;
    switch (pattern->kind) {
    case POLICY_PARTY:
        return policy_is_internal(policy, address->domain) == pattern->internal;
    case POLICY_BELOW:
        return is_below(address->domain, pattern->domain);
    case POLICY_DOMAIN:
        return strcmp(address->domain, pattern->domain) == 0;
    case POLICY_LOCAL:
        return is_local(pattern, address, role);
    case POLICY_ADDRESS:
        return is_local(pattern, address, role) && strcmp(address->domain, pattern->domain) == 0;
    case POLICY_EVERYONE:
    case POLICY_NULL:
        break;
    }
    return false;
}

// ---- Rules

// source_fit: -1 = the client is outside; 0 = the rule asks for no source; else 1 + the bits of the
// closest network.
static int source_fit(const struct policy_rule *rule, const struct ip *client)
{
    int fit = rule->source_count == 0 ? 0 : -1;

    for (size_t i = 0; i < rule->source_count; i++) {
        int bits = 1 + rule->source[i].bits;

        if (bits > fit && ip_net_contains(&rule->source[i], client))
            fit = bits;
    }
    return fit;
}

static bool is_valid(const struct policy_rule *rule, uint64_t now_ms)
{
    return rule->enabled && now_ms >= rule->valid_from_ms &&
           (rule->valid_until_ms == 0 || now_ms < rule->valid_until_ms);
}

static bool parties_match(const struct policy *policy, const struct policy_rule *rule,
                          const struct policy_subject *subject)
{
    if (pattern_matches(policy, &rule->from, subject->sender, SENDER) &&
        pattern_matches(policy, &rule->to, subject->recipient, RECIPIENT))
        return true;
    return rule->bidirectional &&
           pattern_matches(policy, &rule->from, subject->recipient, RECIPIENT) &&
           pattern_matches(policy, &rule->to, subject->sender, SENDER);
}

static int rule_fit(const struct policy *policy, const struct policy_rule *rule,
                    const struct policy_subject *subject)
{
    if (!is_valid(rule, subject->now_ms) || !parties_match(policy, rule, subject))
        return -1;
    return source_fit(rule, subject->client);
}

static int compare_patterns(const struct policy_pattern *a, const struct policy_pattern *b)
{
    size_t a_len = a->kind == POLICY_BELOW ? strlen(a->domain) : 0;
    size_t b_len = b->kind == POLICY_BELOW ? strlen(b->domain) : 0;

    if (a->kind != b->kind)
        return a->kind > b->kind ? -1 : 1;
    return (a_len < b_len) - (a_len > b_len);
}

// compare_specificity: 0 = only the source and the id tell the two apart.
static int compare_specificity(const struct policy_rule *a, const struct policy_rule *b)
{
    int order = (int)b->override - (int)a->override;

    if (order == 0)
        order = compare_patterns(&a->from, &b->from);
    if (order == 0)
        order = compare_patterns(&a->to, &b->to);
    return order;
}

int policy_rule_compare(const void *a, const void *b)
{
    const struct policy_rule *left = a;
    const struct policy_rule *right = b;
    int order = compare_specificity(left, right);

    return order != 0 ? order : strcmp(left->id, right->id);
}

const struct policy_rule *policy_greylist_match(const struct policy *policy,
                                                const struct policy_subject *subject,
                                                bool in_shadow)
{
    const struct policy_rule *best = NULL;
    int best_fit = -1;

    for (size_t i = 0; i < policy->greylist_count; i++) {
        const struct policy_rule *rule = &policy->greylist[i];
        int fit;

        if ((rule->mode == POLICY_SHADOW) != in_shadow)
            continue;
        if (best != NULL && compare_specificity(best, rule) != 0)
            break;
        fit = rule_fit(policy, rule, subject);
        if (fit > best_fit) {
            best = rule;
            best_fit = fit;
        }
    }
    return best;
}
