// facts.h: what is known about one message and one recipient when the chain runs. A fact from the
// store is unknown until it was read; an outage is nothing but unknown facts.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/key.h"
#include "node/core/spared.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/msg.h"

// A passed entry is written again when it is this old: at most once a day.
#define GREYLIST_REFRESH_MS (24ULL * 3600 * 1000)

enum fact_state { FACT_UNKNOWN = 0, FACT_ABSENT, FACT_PRESENT };

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

// Of the message; shared by its recipients.
struct facts {
    enum msg_stage stage;
    struct ip client;       // family 0 = unknown
    const char *name;       // registrable domain of the client's confirmed name, unless that looks
                            // dynamic (proto/host.h); "" = none
    const char *spf_domain; // that SPF passed for, normalised; "" = none
    const char *auth_user;
    bool smtputf8;
    struct mail_address sender;
    bool trusted; // authenticated, or client in trusted_sources
    uint64_t now_ms;
    bool clock_ok;   // false: the store's clock jumped by more than 60 s and nobody said that it is
                     // right
    bool keys_known; // the store's secret is known, so triplets can be named
    bool dry_run;
    // Who of the client's names is spared, as this node mirrors it; NULL or empty where nobody asked.
    struct spared_clients *spared;
    bool carried;      // another recipient of this transaction is known
    bool over_rate;    // the network has brought as many first tries in this hour as it may
    bool over_carried; // and as many recipients that were carried: no more of them are stored
};

// Of one recipient.
struct facts_recipient {
    struct mail_address address; // MAIL_OK and empty at CONNECT and MAIL
    uint32_t mark;               // of (transaction, recipient)
    uint64_t expected_ms; // until when, inclusive, an operator expects mail for it; 0 = none is
    struct key_triplet triplet; // named by plan_recipient
    struct grey_facts grey;
};
