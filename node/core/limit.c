// limit.c: limits. What was counted of a day is the store's word after this message was added to it; what was
// accepted once (the same transaction and recipient) is accepted again, however much came since.
#include "node/core/limit.h"

#include <stdio.h>
#include <string.h>

// ---- who

// Mail of a trusted address is limited by sender where that is one of ours; a login is limited whatever it sends.
struct limit_owner limit_owner(const struct facts *facts, enum msg_direction direction)
{
    if (facts->auth_user[0] != '\0')
        return (struct limit_owner){&facts->login_party, true};
    if (!facts->trusted || facts->sender.null || direction == MSG_INBOUND || direction == MSG_RELAY)
        return (struct limit_owner){NULL, false};
    return (struct limit_owner){&facts->sender_party, false};
}

const char *limit_owner_name(const struct facts *facts, const struct policy *policy,
                             char out[LIMIT_NAME_MAX])
{
    const bool by_login = facts->auth_user[0] != '\0';
    const struct mail_address *address = by_login ? &facts->login : &facts->sender;
    const struct policy_user *user =
        policy_user_of(policy, by_login ? &facts->login_party : &facts->sender_party);

    if (user != NULL) {
        const struct policy_pattern *mailbox = &policy->known[user->mailbox].pattern;

        (void)snprintf(out, LIMIT_NAME_MAX, "%s@%s", mailbox->local, mailbox->domain);
    } else if (address->flaw == MAIL_OK && address->domain[0] != '\0') {
        (void)snprintf(out, LIMIT_NAME_MAX, "%s@%s", address->base, address->domain);
    } else {
        (void)snprintf(out, LIMIT_NAME_MAX, "%s", facts->auth_user); // a login that is no address
    }
    return out;
}

// ---- how much

static bool is_exempt(const struct chain_in *in, const struct limit_owner *owner,
                      const struct policy_rule *rule)
{
    for (size_t i = 0; i < rule->exempt_count; i++) {
        const struct policy_exempt *exempt = &rule->exempt[i];

        if (policy_party_fits(in->policy, owner->party, exempt->user) &&
            (exempt->source_count == 0 ||
             policy_source_fits(exempt->source, exempt->source_count, &in->facts->client) >= 0))
            return true;
    }
    return false;
}

struct limit_bounds limit_of_policy(const struct chain_in *in, const struct limit_owner *owner,
                                    enum policy_view view)
{
    const struct policy_query query = {.from = owner->party,
                                       .to = &in->recipient->party,
                                       .client = &in->facts->client,
                                       .now_ms = in->facts->now_ms};
    const struct policy_rule *rule = policy_match(in->policy, POLICY_LIMIT, &query, view);

    if (rule == NULL || is_exempt(in, owner, rule))
        return (struct limit_bounds){.rule = rule};
    return (struct limit_bounds){rule, rule->rcpt_per_mail, rule->rcpt_per_day, rule->mail_per_day};
}

struct limit_bounds limit_of_leaver(const struct policy *policy, const struct limit_owner *owner)
{
    const struct policy_user *user = policy_user_of(policy, owner->party);

    if (user == NULL || user->state != POLICY_USER_LEAVING)
        return (struct limit_bounds){.rule = NULL};
    return (struct limit_bounds){.rcpt_per_mail = policy->settings.leaving.rcpt_per_mail,
                                 .rcpt_per_day = policy->settings.leaving.rcpt_per_day};
}

// ---- whether it is too much

static bool is_over(const struct limit_count *count, uint64_t most)
{
    return most > 0 && count->state == FACT_PRESENT && !count->kept && count->count > most;
}

static bool is_unknown(const struct limit_count *count, uint64_t most)
{
    return most > 0 && !count->kept && count->state != FACT_PRESENT;
}

enum limit_word limit_judge(const struct facts_recipient *recipient,
                            const struct limit_bounds *bounds)
{
    const struct limit_facts *counted = &recipient->limit;

    if (bounds->rcpt_per_mail > 0 && recipient->place > bounds->rcpt_per_mail)
        return LIMIT_RCPT_PER_MAIL;
    if (bounds->rcpt_per_day == 0 && bounds->mail_per_day == 0)
        return LIMIT_INSIDE;
    if (!counted->asked)
        return LIMIT_UNASKED;
    if (is_over(&counted->recipients, bounds->rcpt_per_day))
        return LIMIT_RCPT_PER_DAY;
    if (is_over(&counted->mails, bounds->mail_per_day))
        return LIMIT_MAIL_PER_DAY;
    if (is_unknown(&counted->recipients, bounds->rcpt_per_day) ||
        is_unknown(&counted->mails, bounds->mail_per_day))
        return LIMIT_UNKNOWN;
    return LIMIT_INSIDE;
}
