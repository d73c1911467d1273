// direction.c: the step `direction`: inbound, outbound, internal or relay, and whether the mail may
// be relayed at all.
//
//      source     sender      recipient   direction
//      untrusted  any         in D        inbound
//      untrusted  any         not in D    relay_denied
//      trusted    in D, <>    not in D    outbound
//      trusted    in D, <>    in D        internal
//      trusted    not in D    in D        inbound, through an own hop
//      trusted    not in D    not in D    relay_denied           (D = the domains of the policy set)
//
// The last is direction relay where the block policy that applies says no_action: a leaver whose mail is forwarded.
// relay: ignore = the gateway has decided about relaying before it asked: then what would be denied
// is inbound from an untrusted source and relay from a trusted one. While no domain is declared
// nothing is judged by direction.
#include "node/core/apply.h"

// RFC 5321 4.1.1.3: a recipient postmaster without a domain is this host's own.
static bool recipient_is_ours(const struct chain_in *in)
{
    const struct mail_address *recipient = &in->recipient->address;

    return recipient->domain[0] == '\0' || policy_is_internal(in->policy, recipient->domain);
}

static bool sender_is_ours(const struct chain_in *in)
{
    const struct mail_address *sender = &in->facts->sender;

    return sender->null || policy_is_internal(in->policy, sender->domain);
}

// A leaver's mail is forwarded by an own hop: neither side is ours any more.
static bool is_forwarded(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct policy_query query = chain_query(in);
    const struct policy_rule *rule =
        in->facts->trusted ? policy_match(in->policy, POLICY_BLOCK, &query, POLICY_IN_FORCE) : NULL;

    if (rule == NULL || rule->option != POLICY_NO_ACTION)
        return false;
    out->direction = MSG_RELAY;
    text_buf_put(why, "relay: trusted source; ");
    apply_say(why, in, rule, "lets it be forwarded");
    return true;
}

static enum outcome deny(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const char *source = in->facts->trusted
                             ? "trusted source, but neither sender nor recipient is internal"
                             : "untrusted source and the recipient is not internal";

    if (is_forwarded(in, out, why))
        return OUTCOME_PASS;
    if (in->policy->settings.relay == POLICY_RELAY_IGNORE) {
        out->direction = in->facts->trusted ? MSG_RELAY : MSG_INBOUND;
        text_buf_add(why, "%s; relay: ignore leaves that to the gateway", source);
        return OUTCOME_SKIP;
    }
    text_buf_add(why, "%s", source);
    out->reason = REASON_relay_denied;
    return OUTCOME_HIT;
}

static enum outcome judge_trusted(const struct chain_in *in, struct verdict *out,
                                  struct text_buf *why)
{
    bool ours = recipient_is_ours(in);

    if (!sender_is_ours(in) && !ours)
        return deny(in, out, why);
    if (!sender_is_ours(in)) {
        out->direction = MSG_INBOUND;
        text_buf_add(
            why, "inbound through an own hop: trusted source, external sender, internal recipient");
        return OUTCOME_PASS;
    }
    out->direction = ours ? MSG_INTERNAL_MAIL : MSG_OUTBOUND;
    text_buf_add(why, "%s: trusted source, internal sender, %s recipient",
                 ours ? "internal" : "outbound", ours ? "internal" : "external");
    return OUTCOME_PASS;
}

enum outcome direction_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    if (in->policy->domain_count == 0) {
        out->direction = in->facts->trusted ? MSG_NO_DIRECTION : MSG_INBOUND;
        text_buf_add(why, "no domains are declared, so nothing is judged by direction");
        return OUTCOME_SKIP;
    }
    if (in->facts->trusted)
        return judge_trusted(in, out, why);
    if (!recipient_is_ours(in))
        return deny(in, out, why);
    out->direction = MSG_INBOUND;
    text_buf_add(why, "inbound: untrusted source, internal recipient");
    return OUTCOME_PASS;
}
