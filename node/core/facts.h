// facts.h: what is known about one message and one recipient when the chain runs. A fact from the
// store is unknown until it was read; an outage is nothing but unknown facts.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/harvest.h"
#include "node/core/key.h"
#include "node/core/person.h"
#include "node/core/policy.h"
#include "node/core/reputation.h"
#include "node/core/spared.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/msg.h"

// A passed entry is written again when it is this old: at most once a day.
#define GREYLIST_REFRESH_MS (24ULL * 3600 * 1000)

struct fact_stamp {
    enum fact_state state;
    uint64_t at_ms; // store clock
    uint32_t mark;
};

struct grey_facts {
    struct fact_stamp passed[2][KEY_IDENTITY_MAX];  // [KEY_CURRENT | KEY_PREVIOUS][identity]
    struct fact_stamp pending[2][KEY_IDENTITY_MAX]; // as the read-back after the write says
    // The second trip was made (or, in a dry run, its reads alone): until then passed[KEY_PREVIOUS]
    // and pending are unknown because nobody asked.
    bool pending_asked;
    bool
        refused; // a write of the second trip was refused; what was there before is read all the same
};

// What an operator's limit has counted of today, this message included; as the store says after it was added.
struct limit_facts {
    bool asked; // the trip was made: until then nothing is known because nobody asked
    struct limit_count {
        enum fact_state state; // PRESENT: count is known
        bool kept;             // it was counted and accepted before: this question is asked again
        uint64_t count;
    } recipients, mails;
};

// What a policy that looks at all recipients said of one of them holds for all.
struct facts_for_all {
    const struct policy_rule *rule; // NULL = none did
    bool as_sender;                 // it is one of the sender's
    enum policy_option action;      // POLICY_HOLD or POLICY_REJECT
};

// How many mailboxes of a group this Check names: found when the first of its recipients asks, kept for the others.
enum { FACTS_GROUPS_MAX = 8 }; // of more it is found each time
struct facts_members {
    unsigned count;
    struct {
        uint32_t group;
        uint64_t mailboxes;
    } of[FACTS_GROUPS_MAX];
};

// What a DNS list said.
enum facts_listed {
    FACTS_LIST_UNASKED = 0, // nobody was asked
    FACTS_LIST_SILENT, // it has not answered within the budget, or cannot be believed: never a hit
    FACTS_LIST_CLEAR,  // not listed, or with codes that the policy set does not name
    FACTS_LIST_HIT,
};
struct facts_list {
    enum facts_listed said;
    uint32_t
        code; // of a hit: the address that it answered, like 0x7f000002 (the first that counts)
};

// Of the message; shared by its recipients.
struct facts {
    enum msg_stage stage;
    struct ip client;       // family 0 = unknown
    const char *name;       // registrable domain of the client's confirmed name, unless that looks
                            // dynamic (proto/host.h); "" = none
    const char *spf_domain; // that SPF passed for, normalised; "" = none
    const char *auth_user;
    const char *client_name; // confirmed name as the gateway gave it; "" = none
    const char *helo;
    const char *country; // ISO 3166-1, two capital letters; "" = not known
    enum msg_auth spf;
    bool tls;
    bool smtputf8;
    uint64_t size_bytes; // 0 = not known
    struct mail_address sender;
    struct person_patterns patterns; // of personal lists, that the sender fits
    const char *external; // the sender as Auto Allow names it: local@domain; "" = none can be
    struct policy_party sender_party; // who the sender is to the policy set
    struct mail_address login;        // auth_user, if it is an address; else flawed, or text ""
    struct policy_party login_party;  // zeroed unless the client authenticated itself
    uint64_t
        declared_ms; // when the internal domain of the sender was first declared; 0 = not known
    // Recipients of the transaction: as many as are known so far, and whether this Check names them all.
    uint32_t recipient_count;
    bool names_all;
    const struct facts_recipient *const *named; // those of this Check; they are recipient_total
    size_t named_count;
    struct facts_members *members; // of the groups that were asked for; empty at first
    struct facts_for_all for_all;
    // What is known of where it comes from; NULL = nothing is asked. judged: as it was when the facts had come.
    const struct reputation_facts *reputation;
    const struct reputation_result *judged;
    struct reputation_reporters reporters;
    bool reputation_is_warm; // enough was reported
    const struct facts_list
        *lists;   // of settings.reputation.list, in their order; NULL = none is asked
    uint32_t asn; // of the client; 0 = not known
    bool trusted; // authenticated, or client in trusted_sources
    uint64_t now_ms;
    bool clock_ok;   // false: the store's clock jumped by more than 60 s and nobody said that it is
                     // right
    bool keys_known; // the store's secret is known, so triplets can be named
    bool dry_run;
    bool asks_nobody; // no other server may be asked: a dry run, and a node that replays
    // Who of the client's names is spared, as this node mirrors it; NULL or empty where nobody asked.
    struct spared_clients *spared;
    struct harvest_ban ban; // of its client, as this node mirrors it; zeroed: none
    bool carried;           // another recipient of this transaction is known
    bool over_rate;         // the network has brought as many first tries in this hour as it may
    bool over_carried;      // and as many recipients that were carried: no more of them are stored
};

// What was asked of another server about this recipient, under way.
enum facts_probe {
    FACTS_UNASKED = 0, // nobody was
    FACTS_SILENT,      // it has not answered within the budget; the question goes on
    FACTS_REFUSED,     // it could not be asked, or would not say: 4xx, no connection, garbage
    FACTS_EXISTS,
    FACTS_NOBODY, // it says that there is no such recipient
};

// Of one recipient.
struct facts_recipient {
    struct mail_address address;        // MAIL_OK and empty at CONNECT and MAIL
    struct policy_party party;          // who it is to the policy set
    const struct policy_domain *domain; // its domain, if that is ours; else NULL
    // Its directory: what is imported is in force on this node. unread: this node has not heard which version that is.
    struct person_directory directory;
    bool directory_unread;
    struct person_facts *person; // NULL = nothing is kept of it
    enum facts_probe probe;
    const char *probe_why; // in whose words; NULL = not asked for
    uint32_t place;        // among the recipients of the transaction, as far as known; from 1
    uint32_t mark;         // of (transaction, recipient)
    uint64_t expected_ms;  // until when, inclusive, an operator expects mail for it; 0 = none is
    struct key_triplet triplet; // named by plan_recipient
    struct grey_facts grey;
    struct limit_facts limit;
};
