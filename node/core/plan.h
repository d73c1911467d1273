// plan.h: which keys of the store one recipient needs, before anything is read.
#pragma once

#include "node/core/chain.h"

struct plan {
    bool passed;     // read the passed triplet (its current slice) that recipient->triplet names
    bool list;       // read the personal list of its mailbox
    bool allow;      // and to whom that has written
    bool row;        // read its row of the directory
    bool reputation; // read what its address and sender have sent: the same for all recipients
    bool dns_lists;  // ask what DNS lists say of these: likewise
    bool answer;     // read what another server said of it, and whether it has sent mail
};

// plan_recipient: decides from the facts that need no store whether the chain can reach
// greylisting, and names the triplet in recipient->triplet. sender_key and recipient_key as mail.h
// makes them; start is what the steps that need nothing stored have said. ring->count 0: nothing can be named, nothing
// is read.
struct plan plan_recipient(const struct chain_in *in, struct facts_recipient *recipient,
                           const struct chain_start *start, const struct key_ring *ring,
                           const struct key_pair *pair);

// plan_net: the network of a client whose address is known, as settings.greylist says.
struct ip_net plan_net(const struct ip *client, const struct policy *policy);

// plan_identities: fills identity and identity_count: KEY_ANY, then each verified identity of the client that the facts know
// and settings.greylist.identities names.
void plan_identities(const struct facts *facts, const struct policy *policy,
                     struct key_triplet *out);
