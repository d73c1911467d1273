// syntax.c: the step `syntax`: addresses that are none, and non-ASCII ones in a transaction without
// SMTPUTF8.
//
// A sender is refused at MAIL, and at RCPT for a gateway that asks there alone; a recipient is
// refused alone. No permit changes this. Sources: RFC 5321 4.1.2 and 4.1.1.3 (only a recipient may
// be a bare postmaster), RFC 6531 3.5.
#include "node/core/chain.h"

static enum outcome refuse(struct verdict *out, enum reason reason)
{
    out->reason = reason;
    return OUTCOME_HIT;
}

static bool is_bare(const struct mail_address *address)
{
    return address->flaw == MAIL_OK && !address->null && address->domain[0] == '\0';
}

static enum outcome check_sender(const struct facts *facts, struct verdict *out,
                                 struct text_buf *why)
{
    const struct mail_address *sender = &facts->sender;

    if (sender->flaw != MAIL_OK || is_bare(sender)) {
        text_buf_add(why, "sender: %s",
                     mail_flaw_text(is_bare(sender) ? MAIL_NO_DOMAIN : sender->flaw));
        return refuse(out, REASON_syntax_sender);
    }
    if (!sender->ascii && !facts->smtputf8) {
        text_buf_add(why, "sender is not ASCII and the client did not ask for SMTPUTF8");
        return refuse(out, facts->stage == MSG_MAIL ? REASON_eai_mail : REASON_eai_rcpt);
    }
    return OUTCOME_PASS;
}

static enum outcome check_recipient(const struct chain_in *in, struct verdict *out,
                                    struct text_buf *why)
{
    const struct mail_address *recipient = &in->recipient->address;

    if (recipient->flaw != MAIL_OK || recipient->null) {
        text_buf_add(why, "recipient: %s",
                     recipient->null ? "empty" : mail_flaw_text(recipient->flaw));
        return refuse(out, REASON_syntax_recipient);
    }
    if (!recipient->ascii && !in->facts->smtputf8) {
        text_buf_add(why, "recipient is not ASCII and the client did not ask for SMTPUTF8");
        return refuse(out, REASON_eai_rcpt);
    }
    return OUTCOME_PASS;
}

enum outcome syntax_step(const struct chain_in *in, struct verdict *out, struct text_buf *why)
{
    enum outcome outcome = check_sender(in->facts, out, why);

    if (outcome == OUTCOME_PASS && in->facts->stage != MSG_MAIL)
        outcome = check_recipient(in, out, why);
    if (outcome == OUTCOME_PASS)
        text_buf_add(why, "addresses are well formed");
    return outcome;
}
