// apply.c: which policy applies, and how it is told.
#include "node/core/apply.h"

bool apply_has_shadow(const struct policy *policy, enum policy_kind kind)
{
    const uint32_t tables = 1U << policy_table(kind, false) | 1U << policy_table(kind, true);

    return (policy->shadow_tables & tables) != 0;
}

struct applied apply_find(const struct chain_in *in, enum policy_kind kind, struct verdict *out)
{
    const struct policy_query query = chain_query(in);
    struct applied found = {.rule = policy_match(in->policy, kind, &query, POLICY_IN_FORCE)};

    found.as_if = apply_has_shadow(in->policy, kind)
                      ? policy_match(in->policy, kind, &query, POLICY_AS_IF)
                      : found.rule;
    chain_use(out, found.rule);
    if (found.as_if != found.rule)
        chain_use(out, found.as_if);
    return found;
}

void apply_take(struct verdict *out, const struct policy_rule *rule)
{
    out->rule = rule->id;
    out->note = rule->note;
}

static bool only_lets_through(enum reason reason)
{
    return reason_row(reason)->action == MSG_ACCEPT;
}

enum outcome apply_shadow(struct verdict *out, enum reason reason, const struct policy_rule *rule)
{
    if (out->shadow == REASON_COUNT ||
        (only_lets_through(out->shadow) && !only_lets_through(reason))) {
        out->shadow = reason;
        out->shadow_rule = rule != NULL ? rule->id : "";
    }
    return OUTCOME_SHADOW;
}

bool apply_is_voided(const struct chain_in *in)
{
    return in->policy->settings.auth_failure_voids && in->facts->spf == MSG_AUTH_FAIL;
}

void apply_let_through(struct verdict *out, enum reason reason)
{
    if (out->reason == REASON_accept)
        out->reason = reason;
    out->skip_reputation = true;
    out->skip_greylist = true;
    out->skip_spam = true;
}

enum outcome apply_silence(const struct chain_in *in, struct verdict *out)
{
    out->degraded = true;
    if (in->policy->settings.fail == POLICY_FAIL_DEFER) {
        out->reason = REASON_store_down;
        return OUTCOME_HIT;
    }
    if (out->reason == REASON_accept)
        out->reason = REASON_degraded;
    return OUTCOME_PASS;
}

// ---- words

void apply_say_pattern(struct text_buf *why, const struct policy *policy, uint32_t pattern)
{
    const struct policy_pattern *said = &policy->known[pattern].pattern;

    switch (said->kind) {
    case POLICY_EVERYONE:
        text_buf_put(why, "*");
        return;
    case POLICY_PARTY:
        text_buf_put(why, said->internal ? "internal" : "external");
        return;
    case POLICY_BELOW:
        text_buf_add(why, ".%s", said->domain);
        return;
    case POLICY_DOMAIN:
        text_buf_put(why, said->domain);
        return;
    case POLICY_GROUP:
        text_buf_add(why, "group %s", said->local);
        return;
    case POLICY_LOCAL:
        text_buf_add(why, "%s@*", said->local);
        return;
    case POLICY_ADDRESS:
        text_buf_add(why, "%s@%s", said->local, said->domain);
        return;
    case POLICY_NULL:
        text_buf_put(why, "<>");
        return;
    }
}

void apply_say(struct text_buf *why, const struct chain_in *in, const struct policy_rule *rule,
               const char *what)
{
    char client[IP_TEXT_MAX];

    if (why->size == 0) // nobody reads it
        return;
    text_buf_add(why, "policy %s %s (%s:%u): from ", rule->id, what, rule->file, rule->line);
    apply_say_pattern(why, in->policy, rule->from);
    text_buf_put(why, " to ");
    apply_say_pattern(why, in->policy, rule->to);
    if (rule->source_count > 0)
        text_buf_add(why, ", %s in its source", ip_format(&in->facts->client, client));
}
