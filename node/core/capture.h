// capture.h: what an outbound message teaches: from whom its sender may be answered (Auto Allow), and that he exists.
// Pure: the rules of README.md (Auto Allow), each with the word by which the answer says that it held.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"
#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/ip.h"
#include "proto/msg.h"

// Why something is not learnt: of the whole message, or of one recipient. One list makes the enum and the word on the
// wire; the order of the first part is the order in which they are looked at.
#define CAPTURE_SKIP_LIST(X)                                                                      \
    X(UNTRUSTED, "untrusted")             /* no login, and the client is in no trusted_sources */ \
    X(NULL_SENDER, "null_sender")         /* <> */                                                \
    X(BAD_SENDER, "bad_sender")           /* it is no address */                                  \
    X(EXTERNAL_SENDER, "external_sender") /* it is in no internal domain: no outbound mail */     \
    X(NOT_A_USER, "not_a_user")           /* a group's address, or a robot's */                   \
    X(AUTO_SUBMITTED, "auto_submitted")   /* RFC 3834, anything but no */                         \
    X(BULK, "bulk")                       /* Precedence bulk, list or junk */                     \
    X(LIST, "list")                       /* List-Id, List-Unsubscribe (RFC 2919, 2369) */        \
    X(REPORT, "report")                   /* multipart/report (RFC 6522) */                       \
    X(AUTOREPLY, "autoreply")             /* X-Autoreply, X-Autorespond */                        \
    X(TOO_OLD, "too_old")                 /* sent longer ago than an entry lives */               \
    X(TOO_MANY, "too_many_recipients")    /* more than settings.auto_allow.most_recipients */     \
    X(OFF, "off")                         /* settings.auto_allow.scope is off */                  \
    X(BAD_RECIPIENT, "bad_recipient")     /* of one recipient: it is no address */                \
    X(INTERNAL, "internal")               /* it is one of ours */                                 \
    X(UNSUBSCRIBE, "unsubscribe")         /* unsubscribe, leave, remove ... */                    \
    X(ROBOT, "robot")                     /* noreply, bounce ... */                               \
    X(POLICY, "policy")                   /* a policy of kind auto_allow says none */

enum capture_skip {
#define CAPTURE_SKIP_ENUM(name, word) CAPTURE_##name,
    CAPTURE_SKIP_LIST(CAPTURE_SKIP_ENUM)
#undef CAPTURE_SKIP_ENUM
        CAPTURE_SKIPS,
};
const char *capture_skip_word(enum capture_skip skip);

struct capture_in {
    const struct policy *policy;
    const struct msg_sent *sent;
    const char *login; // auth_user with its domain; "" = none
    struct ip client;  // family 0 = not known
    uint64_t now_ms;   // store clock
};

// A policy that was asked and applied.
struct capture_used {
    const struct policy_rule *rule;
    bool in_shadow; // it would have applied
};
enum { CAPTURE_USED_MAX = 8, CAPTURE_EXISTS_MAX = 2 };

// Texts live in the arena.
struct capture {
    uint64_t sent_ms;  // when, never later than now_ms
    const char *owner; // mailbox whose entries they are; "" = nothing is learnt
    const struct policy_domain
        *directory; // whose directory may know the owner as another mailbox's alias; NULL = none
    const char *const *external; // whom he wrote to: local@domain, each once
    size_t external_count;
    // Addresses of domains with learn: true that have sent mail: without +tag.
    const char *exists[CAPTURE_EXISTS_MAX];
    size_t exists_count;
    const char *const *skipped; // "untrusted"; of a recipient "internal bob@corp.example"
    size_t skipped_count;
    struct capture_used used[CAPTURE_USED_MAX]; // each once
    size_t used_count;
};

// capture_read: ERR_MEMORY if the arena is full; nothing else fails.
MUST_USE enum err capture_read(const struct capture_in *in, struct arena *arena,
                               struct capture *out);

// capture_robot: what a local part says of itself: CAPTURE_UNSUBSCRIBE, CAPTURE_ROBOT, or CAPTURE_SKIPS: nothing. Folded,
// as mail.h does.
enum capture_skip capture_robot(const char *local);

// capture_mailbox: whose mailbox an address is, without +tag: a user's alias is his mailbox. NULL if the arena is full.
const char *capture_mailbox(const struct policy *policy, const struct mail_address *address,
                            const struct policy_party *party, struct arena *arena);
// capture_is_group: the address is a group's own.
bool capture_is_group(const struct policy *policy, const struct mail_address *address);
