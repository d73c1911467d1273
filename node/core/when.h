// when.h: whether the conditions of a mail policy hold for a message and one of its recipients.
#pragma once

#include "node/core/chain.h"

// What conditions are held against.
struct when_case {
    const struct chain_in *in;
    enum msg_direction direction;
    bool without_groups; // that the sender or login is in a group does not count
};

// when_miss: the first condition that does not hold, by its name in the policy file; NULL = all hold. What is not
// known holds no condition: a size, a country, a name that the gateway did not give; and before all recipients
// of a message are named nothing that is about their number.
const char *when_miss(const struct when_case *c, const struct policy_when *when);

// when_is_for_all: it looks at all recipients, so what follows from it holds for all of them.
bool when_is_for_all(const struct policy_when *when);
