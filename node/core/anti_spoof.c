// anti_spoof.c: the step `anti_spoof`: a stranger uses a sender address of ours. On for every internal domain and what
// lies below it; a policy of kind anti_spoof lets a source (no_action), or one that SPF passes for (spf_bypass).
//
//      declared        declared + 7 d
//         |  in shadow  |  enforced          unless the domain says anti_spoof: enforce | shadow
//
// Promises: SPF alone never waives; a domain of which nobody knows when it was declared is in shadow.
#include <string.h>

#include "node/core/apply.h"
#include "node/core/near.h"

// SPF passed for the sender's own domain. A gateway that names no domain means that one (RFC 7208, 2.4).
static bool has_passed_spf(const struct facts *facts)
{
    return facts->spf == MSG_AUTH_PASS &&
           (facts->spf_domain[0] == '\0' || strcmp(facts->spf_domain, facts->sender.domain) == 0);
}

static bool is_waived(const struct chain_in *in, const struct policy_rule *rule)
{
    if (rule == NULL)
        return false;
    return rule->option == POLICY_NO_ACTION ||
           (rule->option == POLICY_SPF_BYPASS && has_passed_spf(in->facts));
}

static bool is_new(const struct chain_in *in)
{
    const uint64_t declared_ms = in->facts->declared_ms;

    return declared_ms == 0 || in->facts->now_ms <= declared_ms + ANTI_SPOOF_NEW_MS;
}

static bool is_in_shadow(const struct chain_in *in, const struct policy_domain *domain)
{
    if (domain->anti_spoof == POLICY_SPOOF_AGED)
        return is_new(in);
    return domain->anti_spoof == POLICY_SPOOF_SHADOW;
}

// ---- words

static void say_shadow(const struct chain_in *in, const struct policy_domain *domain,
                       struct text_buf *why)
{
    const uint64_t declared_ms = in->facts->declared_ms;

    if (domain->anti_spoof == POLICY_SPOOF_SHADOW) {
        text_buf_add(why, "; in shadow, as %s says", domain->name);
    } else if (declared_ms == 0) {
        text_buf_add(why, "; in shadow: it is not known when %s was declared", domain->name);
    } else {
        text_buf_add(why, "; in shadow: %s was declared ", domain->name);
        text_buf_add_duration(why, in->facts->now_ms > declared_ms ? in->facts->now_ms - declared_ms
                                                                   : 0);
        text_buf_put(why, " ago, and the first 7 d are only told");
    }
}

static void say_spoof(const struct chain_in *in, const struct policy_domain *domain,
                      const struct policy_rule *rule, struct text_buf *why)
{
    text_buf_add(why, "the sender is of %s, the source is not trusted", domain->name);
    if (rule == NULL) {
        text_buf_put(why, ", and no policy lets it");
        return;
    }
    text_buf_put(why, "; ");
    apply_say(why, in, rule,
              rule->option == POLICY_SPF_BYPASS ? "lets what SPF passes for, which this is not"
                                                : "rejects it");
}

// ---- verdicts

static enum outcome pass(const struct chain_in *in, struct verdict *out,
                         const struct applied *found, const struct policy_domain *domain,
                         struct text_buf *why)
{
    apply_say(why, in, found->rule,
              found->rule->option == POLICY_SPF_BYPASS ? "lets it, because SPF passed" : "lets it");
    if (is_waived(in, found->as_if) || is_in_shadow(in, domain))
        return OUTCOME_SKIP;
    text_buf_put(why, "; in shadow: ");
    apply_say(why, in, found->as_if, "rejects it");
    return apply_shadow(out, REASON_anti_spoof, found->as_if);
}

static enum outcome reject(const struct chain_in *in, struct verdict *out,
                           const struct applied *found, const struct policy_domain *domain,
                           struct text_buf *why)
{
    say_spoof(in, domain, found->rule, why);
    if (is_waived(in, found->as_if))
        text_buf_add(why, "; policy %s in shadow would let it", found->as_if->id);
    if (is_in_shadow(in, domain)) {
        say_shadow(in, domain, why);
        return apply_shadow(out, REASON_anti_spoof, found->rule);
    }
    if (found->rule != NULL)
        apply_take(out, found->rule);
    out->reason = REASON_anti_spoof;
    return OUTCOME_HIT;
}

static bool lets(const struct policy_rule *rule)
{
    return rule->option != POLICY_REJECT;
}

enum outcome anti_spoof_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct policy_domain *domain = policy_domain_over(in->policy, in->facts->sender.domain);

    if (in->facts->trusted || in->facts->sender.null) {
        text_buf_put(why, in->facts->trusted ? "trusted source" : "the null sender");
        return OUTCOME_SKIP;
    }
    if (domain == NULL) {
        text_buf_put(why, "the sender is of no internal domain");
        return OUTCOME_PASS;
    }
    const struct applied found = apply_find(in, POLICY_ANTI_SPOOF, out);

    if (is_waived(in, found.rule))
        return pass(in, out, &found, domain, why);
    const enum outcome outcome = reject(in, out, &found, domain, why);

    near_say(in, &(struct near_question){POLICY_ANTI_SPOOF, lets, "let it", found.rule}, why);
    return outcome;
}
