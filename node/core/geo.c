// geo.c: the step `geo`: mail by the country of the client's address. All policies that name the country count:
// permit beats hold beats block, and a permit ends this step only.
//
// Promises: an address whose country is not known meets no policy: a missing or broken database lets all pass.
#include <string.h>

#include "node/core/apply.h"

static bool is_of_country(const struct policy_rule *rule, const void *arg)
{
    const char *country = arg;

    for (size_t i = 0; i < rule->country_count; i++)
        if (strcmp(rule->country[i], "*") == 0 || strcmp(rule->country[i], country) == 0)
            return true;
    return false;
}

// Of two policies the one that lets more through; of equal ones the more specific, then a source network before none,
// a longer prefix first, then the lowest id.
static bool is_stronger(const struct policy_fit *fit, const struct policy_fit *than)
{
    if (fit->rule->option != than->rule->option)
        return fit->rule->option < than->rule->option;
    if (fit->level != than->level)
        return false; // more specific ones come first
    if (fit->source_bits != than->source_bits)
        return fit->source_bits > than->source_bits;
    return strcmp(fit->rule->id, than->rule->id) < 0;
}

static bool keep_stronger(const struct policy_fit *fit, void *arg)
{
    struct policy_fit *strongest = arg;

    if (strongest->rule == NULL || is_stronger(fit, strongest))
        *strongest = *fit;
    return true;
}

static const struct policy_rule *find(const struct chain_in *in, enum policy_view view)
{
    struct policy_query query = chain_query(in);
    struct policy_fit strongest = {.rule = NULL};

    query.accepts = is_of_country;
    query.arg = in->facts->country;
    policy_each(in->policy, POLICY_GEO, &query, view, keep_stronger, &strongest);
    return strongest.rule;
}

static bool lets_pass(const struct policy_rule *rule)
{
    return rule == NULL || rule->option < POLICY_HOLD;
}

static enum reason reason_of(const struct policy_rule *rule)
{
    return rule->option == POLICY_HOLD ? REASON_geo_hold : REASON_geo;
}

static const char *verb_of(const struct policy_rule *rule)
{
    if (lets_pass(rule))
        return "permits it";
    return rule->option == POLICY_HOLD ? "holds it" : "blocks it";
}

static void say(struct text_buf *why, const struct chain_in *in, const struct policy_rule *rule)
{
    apply_say(why, in, rule, verb_of(rule));
    text_buf_add(why, ", country %s", in->facts->country);
}

// What those in shadow would do that those in force do not.
static enum outcome judge_shadow(const struct chain_in *in, struct verdict *out,
                                 const struct policy_rule *rule, struct text_buf *why)
{
    text_buf_put(why, "; in shadow: ");
    say(why, in, rule);
    return apply_shadow(out, reason_of(rule), rule);
}

static enum outcome judge(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct policy_rule *rule = find(in, POLICY_IN_FORCE);
    const struct policy_rule *as_if =
        apply_has_shadow(in->policy, POLICY_GEO) ? find(in, POLICY_AS_IF) : rule;

    chain_use(out, rule);
    if (as_if != rule)
        chain_use(out, as_if);
    if (rule == NULL)
        text_buf_add(why, "no policy is about country %s", in->facts->country);
    else
        say(why, in, rule);
    if (!lets_pass(rule)) {
        if (lets_pass(as_if))
            text_buf_add(why, "; policy %s in shadow would permit it", as_if->id);
        apply_take(out, rule);
        out->reason = reason_of(rule);
        if (rule->option == POLICY_HOLD)
            out->hold_for = "moderator";
        return OUTCOME_HIT;
    }
    return lets_pass(as_if) ? OUTCOME_PASS : judge_shadow(in, out, as_if, why);
}

// Why it is not judged; NULL if it is.
static const char *why_not(const struct chain_in *in)
{
    const uint32_t tables =
        1U << policy_table(POLICY_GEO, false) | 1U << policy_table(POLICY_GEO, true);

    if ((in->policy->tables & tables) == 0)
        return "no policy of kind geo";
    if (in->facts->trusted)
        return "trusted source";
    if (in->facts->client.family == 0)
        return "the client's address is not known";
    return NULL;
}

enum outcome geo_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const char *not_judged = why_not(in);

    if (not_judged != NULL) {
        text_buf_put(why, not_judged);
        return OUTCOME_SKIP;
    }
    if (in->facts->country[0] == '\0') {
        text_buf_put(why, "the client's country is not known");
        return OUTCOME_PASS;
    }
    return judge(in, out, why);
}
