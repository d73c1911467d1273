// mail_policy.h: what the mail policies say of a message and one recipient: what the sender may send, and what the
// recipient receives.
#pragma once

#include "node/core/when.h"

// What a policy says, or the strictest of several.
struct mail_finding {
    enum policy_option action;      // POLICY_ALLOW, POLICY_HOLD, POLICY_REJECT
    const struct policy_rule *rule; // NULL = no policy says anything
    size_t exception;               // its exception that decided, from 1; 0 = none did
    bool as_sender;                 // it is one of the sender's
    bool for_all;                   // it looked at all recipients, so it holds for all of them
};

// mail_policy_find: the strictest word of all that apply: of each side and form the most specific one. All must allow.
// out: the direction is taken from it; noted in it are those that apply (chain_use), and what the strictest one in force
// says that looked at all recipients (for_all). why: what each of them says, and which one does not apply for want of a
// condition.
struct mail_finding mail_policy_find(const struct chain_in *in, struct verdict *out,
                                     enum policy_view view, struct text_buf *why);

// mail_policy_say: what one of them says, in words.
void mail_policy_say(struct text_buf *why, const struct mail_finding *finding);

// mail_policy_has_shadow: a mail policy is in shadow, so POLICY_AS_IF may say something else.
bool mail_policy_has_shadow(const struct policy *policy);
