// recipient.c: the step `recipient`: whether the recipient exists, as its domain says how that is known. No permit skips it.
//
// Promises: nobody is refused by what the store or another server did not say, unless settings.fail says so; another
// server is asked at most once for a question, and its silence is a deferral.
#include <string.h>

#include "node/core/apply.h"

static enum outcome refuse(struct verdict *out, enum reason reason)
{
    out->reason = reason;
    out->rule = "";
    out->note = "";
    return OUTCOME_HIT;
}

static enum outcome exists(struct text_buf *why, const char *what)
{
    text_buf_put(why, what);
    return OUTCOME_PASS;
}

// What the other server said, where a trace is wanted.
static const char *with_words(const struct chain_in *in, struct text_buf *why, const char *what)
{
    const char *words = in->recipient->probe_why;

    if (words == NULL || words[0] == '\0')
        return what;
    text_buf_add(why, "%s: ", words);
    return what;
}

static enum outcome nobody(const struct chain_in *in, struct verdict *out, struct text_buf *why,
                           const char *what)
{
    const bool defers = in->recipient->domain->unknown == POLICY_UNKNOWN_DEFER;

    text_buf_put(why, what);
    return refuse(out, defers ? REASON_rcpt_unknown_defer : REASON_rcpt_unknown);
}

static enum outcome not_told(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    text_buf_put(why, "not known whether the recipient exists: the store did not say");
    return apply_silence(in, out);
}

// ---- what the policy set says

static bool is_group_address(const struct chain_in *in)
{
    const struct policy_party *party = &in->recipient->party;

    for (unsigned i = 0; i < party->count; i++) {
        const struct policy_known *known = &in->policy->known[party->key[i].pattern];

        for (uint32_t at = 0; known->pattern.kind == POLICY_ADDRESS && at < known->group_count;
             at++)
            if (in->policy->membership[known->first_group + at].as_recipient)
                return true;
    }
    return false;
}

static bool is_postmaster(const struct chain_in *in)
{
    return strcmp(in->recipient->address.base, "postmaster") == 0;
}

// A user who is disabled is what the directory says of him.
static bool is_user(const struct chain_in *in)
{
    const struct policy_user *user = policy_user_of(in->policy, &in->recipient->party);

    return user != NULL && user->state != POLICY_USER_DISABLED;
}

bool recipient_is_named(const struct chain_in *in)
{
    return is_postmaster(in) || is_user(in) || is_group_address(in);
}

// ---- who has sent mail

static bool has_sent(const struct chain_in *in)
{
    const struct person_learnt *learnt = &chain_person(in)->learnt;
    const uint64_t now_ms = in->facts->now_ms;

    return in->recipient->domain->learn && learnt->state == FACT_PRESENT &&
           (now_ms <= learnt->sent_ms ||
            now_ms - learnt->sent_ms <= in->policy->settings.auto_allow.life_ms);
}

static bool may_have_sent(const struct chain_in *in)
{
    return in->recipient->domain->learn && chain_person(in)->learnt.state == FACT_UNKNOWN;
}

// ---- the methods

static enum outcome judge_directory(const struct chain_in *in, struct verdict *out,
                                    struct text_buf *why)
{
    const struct person_row *row = &chain_person(in)->row;

    if (in->recipient->directory_unread) {
        out->degraded_why = "which directory is in force has not been read yet";
        return not_told(in, out, why);
    }
    if (in->recipient->directory.version == 0)
        return exists(why, "no directory was imported for its domain");
    if (row->state == FACT_PRESENT && row->status == PERSON_ACTIVE)
        return exists(why, "the directory has it");
    if (row->state == FACT_PRESENT && row->status == PERSON_SEND_ONLY) {
        text_buf_put(why, "the directory says send_only");
        return refuse(out, REASON_rcpt_sendonly);
    }
    if (row->state == FACT_PRESENT)
        return nobody(in, out, why, "the directory says disabled");
    if (has_sent(in))
        return exists(why, "the directory does not have it, but it has sent mail");
    if (row->state == FACT_UNKNOWN || may_have_sent(in))
        return not_told(in, out, why);
    return nobody(in, out, why, "the directory does not have it");
}

static bool is_answered(const struct chain_in *in)
{
    const struct person_answer *answer = &chain_person(in)->answer;

    return answer->state == FACT_PRESENT && in->facts->now_ms <= answer->until_ms;
}

static enum outcome ask(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    if (in->facts->asks_nobody)
        return exists(why, "not known yet: the domain's server would be asked");
    out->changes.want_probe = true;
    return OUTCOME_WAIT;
}

static enum outcome judge_probe(const struct chain_in *in, struct verdict *out,
                                struct text_buf *why)
{
    switch (in->recipient->probe) {
    case FACTS_UNASKED:
        return ask(in, out, why);
    case FACTS_EXISTS:
        return exists(why, with_words(in, why, "the domain's server says that it exists"));
    case FACTS_NOBODY:
        return nobody(in, out, why,
                      with_words(in, why, "the domain's server says that there is none"));
    case FACTS_SILENT:
        text_buf_put(why, "the domain's server has not answered yet; it is waited for");
        return refuse(out, REASON_rcpt_tempfail);
    case FACTS_REFUSED:
        text_buf_put(why, with_words(in, why, "the domain's server did not say whether it exists"));
        return refuse(out, REASON_rcpt_tempfail);
    }
    return OUTCOME_PASS;
}

static enum outcome judge_server(const struct chain_in *in, struct verdict *out,
                                 struct text_buf *why)
{
    if (has_sent(in))
        return exists(why, "it has sent mail");
    if (!is_answered(in))
        return judge_probe(in, out, why);
    if (chain_person(in)->answer.exists)
        return exists(why, "the domain's server said before that it exists");
    return nobody(in, out, why, "the domain's server said before that there is none");
}

enum outcome recipient_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    const struct policy_domain *domain = in->recipient->domain;

    if (out->direction != MSG_INBOUND && out->direction != MSG_INTERNAL_MAIL) {
        text_buf_put(why, "neither inbound nor internal");
        return OUTCOME_SKIP;
    }
    if (domain == NULL) {
        text_buf_put(why, "its domain is not declared");
        return OUTCOME_SKIP;
    }
    if (domain->recipients == POLICY_RECIPIENTS_ANY)
        return exists(why, "its domain takes any recipient");
    if (is_postmaster(in))
        return exists(why, "postmaster");
    if (domain->recipients == POLICY_RECIPIENTS_SEND_ONLY) {
        text_buf_put(why, "its domain takes no mail");
        return refuse(out, REASON_rcpt_sendonly);
    }
    if (recipient_is_named(in))
        return exists(why, "the policy set names it");
    if (domain->recipients == POLICY_RECIPIENTS_DIRECTORY)
        return judge_directory(in, out, why);
    return judge_server(in, out, why);
}
