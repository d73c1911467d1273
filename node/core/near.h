// near.h: near misses, for who asks why: policies that would have applied but for one thing or two. Looked for in a dry
// run with a trace alone, by the same tables as those that apply, and within bounds.
#pragma once

#include "node/core/chain.h"

struct near_question {
    enum policy_kind kind;
    bool (*is_wanted)(const struct policy_rule *rule); // policies that would change something
    const char *what;                                  // that they would do: "permit it"
    const struct policy_rule *applied; // the one of the kind that does apply; NULL = none
};

// near_say: appends "; policy c would permit it but for: it ended on 2027-02-01 (policy.yaml:7)", for the two nearest at
// most. Nothing where nobody asks why.
void near_say(const struct chain_in *in, const struct near_question *question,
              struct text_buf *why);

// near_say_list: the same of the recipient's own list: an entry that says action and does not decide.
void near_say_list(const struct chain_in *in, enum person_action action, struct text_buf *why);
