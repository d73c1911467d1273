// limit.h: how much somebody may send: recipients of a message, and recipients and messages of a day.
#pragma once

#include "node/core/chain.h"

// Who is limited: the mailbox of the login, else, of a trusted address, the envelope sender.
struct limit_owner {
    const struct policy_party *party; // NULL = nobody is limited
    bool by_login;
};

struct limit_owner limit_owner(const struct facts *facts, enum msg_direction direction);

// limit_owner_name: what the owner's counts are named by, into out: the same whichever of his addresses he uses.
enum { LIMIT_NAME_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX + 2 };
const char *limit_owner_name(const struct facts *facts, const struct policy *policy,
                             char out[LIMIT_NAME_MAX]);

// What limits a message. 0 = any number.
struct limit_bounds {
    const struct policy_rule *rule; // NULL = the owner is leaving (settings.leaving)
    uint64_t rcpt_per_mail, rcpt_per_day, mail_per_day;
};

// limit_of_policy: what the policy of kind limit that applies to the owner says; all 0 if none does, or if it
// exempts him.
struct limit_bounds limit_of_policy(const struct chain_in *in, const struct limit_owner *owner,
                                    enum policy_view view);
// limit_of_leaver: settings.leaving, if the owner is leaving.
struct limit_bounds limit_of_leaver(const struct policy *policy, const struct limit_owner *owner);

enum limit_word {
    LIMIT_INSIDE,
    LIMIT_RCPT_PER_MAIL, // over that
    LIMIT_RCPT_PER_DAY,
    LIMIT_MAIL_PER_DAY,
    LIMIT_UNKNOWN, // it was not counted: the store did not say
    LIMIT_UNASKED, // it must be counted first
};
enum limit_word limit_judge(const struct facts_recipient *recipient,
                            const struct limit_bounds *bounds);
