// words.c: see words.h.
#include "client/ctl/words.h"

#include <string.h>

static const struct reason_words {
    const char *reason, *why, *advice;
} reasons[] = {
    {"accept", "nothing spoke against it", ""},
    {"degraded", "some facts were unknown, and mail is let through rather than held up",
     "The store may be in trouble: reevectl store show, reevectl clock show."},
    {"greylist_pass", "the sender came back after the delay", ""},
    {"greylist_known", "this sender, recipient and client passed before", ""},
    {"greylist_spared", "the client has retried honestly so often that it is spared", ""},
    {"greylist_exempt",
     "a policy, the recipient's name, or an operator who expects mail there exempts it from "
     "greylisting",
     ""},
    {"greylist_new", "first try of this sender, recipient and client", ""},
    {"greylist_early", "tried again before the delay was over", ""},
    {"rate", "its network brings more new mail in an hour than it may",
     "If this is a mail server of yours or of a partner, exempt it (a policy of kind greylist, "
     "with "
     "its source), or raise settings.greylist.new_per_hour."},
    {"reputation",
     "its address and its sender have sent little but spam so far, or DNS lists name them",
     "reevectl reputation explain shows the computation. If it is wanted, let it through: a policy "
     "of kind permit, with its source."},
    {"reputation_defer", "it would be refused for its reputation, and is deferred first",
     "reevectl reputation explain shows the computation."},
    {"dha", "its client tried out which recipients exist, and is banned for a while",
     "reevectl blocked show says what it named. If it is a mail server of yours or of a partner, "
     "end the ban "
     "(reevectl blocked lift), and let it through: a policy of kind permit, with its source."},
    {"store_down", "the store was not available, and the policy says to defer then",
     "The store must come back: reevectl store show. `fail: pass` in the policy lets mail through "
     "meanwhile."},
    {"syntax", "an address is malformed",
     "The sender must correct the address; no policy lets such mail through."},
    {"eai", "an address is not ASCII, and the client did not ask for SMTPUTF8",
     "The sending server must offer SMTPUTF8 (RFC 6531), or use an ASCII address."},
    {"relay_denied", "the recipient is not ours, and this client may not send to others",
     "If the recipient's domain is yours, add it to `domains`; if the client is, add it to "
     "`trusted_sources`."},
    {"permit_admin", "a policy of the administrator lets it through", ""},
    {"permit_user", "the recipient's own list lets it through", ""},
    {"auto_allow", "the recipient has written to the sender lately",
     "reevectl allow disable takes that back, until the recipient writes to the sender again."},
    {"block_user", "the recipient's own list blocks this sender",
     "The recipient takes it back: reevectl managed list, managed del."},
    {"rcpt_unknown", "there is no such recipient",
     "If there is one, its directory is not up to date: reevectl directory show, directory "
     "import."},
    {"rcpt_sendonly", "the recipient, or its whole domain, takes no mail", ""},
    {"rcpt_tempfail", "the server that knows its recipients has not answered yet",
     "The sender tries again by itself, and the answer is ready then, if that server gives one."},
    {"geo", "its client is in a country from which no mail is taken",
     "If this sender is wanted, let it through: a policy of kind geo with option permit and its "
     "source."},
    {"anti_spoof_envelope", "its sender is one of ours, but its client is not",
     "If this client may send in the domain's name, name it: a policy of kind anti_spoof, option "
     "no_action (with its source) or spf_bypass."},
    {"block_admin", "a policy of the administrator blocks this sender",
     "A policy of kind block, option no_action, for this sender alone lets it in; it is the more "
     "specific one."},
    {"policy_sender", "this sender may not write to this recipient", ""},
    {"policy_recipient", "this recipient takes no mail from this sender", ""},
    {"login_mismatch", "the sender's address does not belong to the login",
     "If this login may use the address, add it to send_as of the user."},
    {"limit_rcpt", "one mail has more recipients than its sender may write to at once", ""},
    {"limit_day", "its sender has sent as much today as a limit allows",
     "The day begins at midnight in settings.timezone. `exempt` of the limit names who is not "
     "limited."},
    {"rcpt_count", "the transaction has more recipients than one may have",
     "The sending server tries the rest again by itself. The bound is settings.limits.recipients."},
    {"size", "the message is larger than a message may be",
     "The bound is settings.limits.message_size."},
    {"fallback", "no node answered in time", "Look at the node: reevectl ping."},
};

static const struct reason_words *find(const char *reason)
{
    for (size_t i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++) {
        if (strcmp(reasons[i].reason, reason) == 0)
            return &reasons[i];
    }
    return NULL;
}

const char *words_of_reason(const char *reason)
{
    const struct reason_words *words = find(reason);

    return words == NULL ? reason : words->why;
}

const char *words_of_advice(const char *reason)
{
    const struct reason_words *words = find(reason);

    return words == NULL ? "" : words->advice;
}

const char *words_of_outcome(const char *outcome)
{
    static const char *const words[][2] = {
        {"pass", "passes"},
        {"skip", "does not apply"},
        {"hit", "decides"},
        {"shadow", "would decide (in shadow)"},
    };

    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        if (strcmp(words[i][0], outcome) == 0)
            return words[i][1];
    }
    return outcome;
}

void words_quote(struct text_buf *out, const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789@._+=:/-";

    if (text[0] != '\0' && text[strspn(text, plain)] == '\0') {
        text_buf_add(out, "%s", text);
        return;
    }
    text_buf_add(out, "'");
    for (; *text != '\0'; text++) {
        if (*text == '\'')
            text_buf_add(out, "'\\''");
        else
            text_buf_add(out, "%c", *text);
    }
    text_buf_add(out, "'");
}
