// canonical_rule.c: one policy as one line of YAML: all that it says, in one order, and without what is the default.
#include <stdlib.h>
#include <string.h>

#include "node/policy/build.h"
#include "node/policy/canonical.h"
#include "node/policy/line.h"
#include "proto/base/mem.h"

static bool is_everyone(const struct policy *policy, uint32_t number)
{
    return policy->known[number].pattern.kind == POLICY_EVERYONE;
}

static void put_party(struct line *line, const struct policy *policy, const char *key,
                      uint32_t number)
{
    line_key(line, key);
    line_pattern(line, &policy->known[number].pattern);
}

// put_parties: a mail policy has one of the two; of the others everyone need not be said, but one of them is.
static void put_parties(struct line *line, const struct policy *policy,
                        const struct policy_rule *rule)
{
    bool is_recipients = rule->kind == POLICY_RECIPIENT || rule->kind == POLICY_RECIPIENT_RULE;

    if (!is_recipients && (!is_everyone(policy, rule->from) || is_everyone(policy, rule->to)))
        put_party(line, policy, "from", rule->from);
    if (is_recipients || !is_everyone(policy, rule->to))
        put_party(line, policy, "to", rule->to);
}

static int compare_texts(const void *a, const void *b)
{
    const char *const *left = a;
    const char *const *right = b;

    return strcmp(*left, *right);
}

void canonical_texts(struct line *line, const char *const *texts, size_t count)
{
    const char **sorted = mem_new_array(count, sizeof(*sorted));

    for (size_t i = 0; i < count; i++)
        sorted[i] = texts[i];
    if (count > 0)
        qsort(sorted, count, sizeof(*sorted), compare_texts);
    line_open(line, "[");
    for (size_t i = 0; i < count; i++) {
        if (i > 0 && strcmp(sorted[i - 1], sorted[i]) == 0)
            continue;
        line_item(line);
        line_quote(line, sorted[i]);
    }
    line_close(line, "]");
    mem_free(sorted);
}

static void put_valid(struct line *line, const struct policy_rule *rule)
{
    char text[POLICY_DATE_TEXT_MAX];

    if (rule->valid_from_ms == 0 && rule->valid_until_ms == 0)
        return;
    line_key(line, "valid");
    line_open(line, "{");
    if (rule->valid_from_ms != 0)
        line_word(line, "from", date_format(rule->valid_from_ms, text));
    if (rule->valid_until_ms != 0)
        line_word(line, "until", date_format(rule->valid_until_ms, text));
    line_close(line, "}");
}

static void put_flags(struct line *line, const struct policy_rule *rule)
{
    static const char *const parts[] = {
        [POLICY_ENVELOPE] = "envelope", [POLICY_HEADER] = "header", [POLICY_BOTH] = "both"};

    if (rule->part != (rule->kind == POLICY_ANTI_SPOOF ? POLICY_BOTH : POLICY_ENVELOPE))
        line_word(line, "part", parts[rule->part]);
    if (rule->mode == POLICY_SHADOW)
        line_word(line, "mode", "shadow");
    if (!rule->enabled)
        line_flag(line, "enabled", false);
    if (rule->override)
        line_flag(line, "override", true);
    if (rule->bidirectional)
        line_flag(line, "bidirectional", true);
}

void canonical_rule(struct line *line, const struct policy *policy, const struct policy_rule *rule)
{
    line_open(line, "{");
    line_key(line, "id");
    line_quote(line, rule->id);
    line_word(line, "kind", policy_kind_word(rule->kind));
    if (policy_option_word(rule)[0] != '\0')
        line_word(line, "option", policy_option_word(rule));
    put_parties(line, policy, rule);
    if (rule->source_count > 0)
        line_nets(line, "source", rule->source, rule->source_count);
    if (rule->country_count > 0) {
        line_key(line, "country");
        canonical_texts(line, rule->country, rule->country_count);
    }
    mail_put(line, policy, rule);
    put_valid(line, rule);
    put_flags(line, rule);
    if (rule->note[0] != '\0') {
        line_key(line, "note");
        line_quote(line, rule->note);
    }
    line_close(line, "}");
}
