// reason.h: every reason a verdict can give, with its action, codes and the beginning of its text. One list makes the enum, the
// words on the wire, the counters and the table in README.md. Sources of codes: RFC 3463, 5321, 6531, 7505.
#pragma once

#include "proto/msg.h"

// reason, action, SMTP code, enhanced code, text
#define REASON_LIST(X)                                                                                                         \
    X(accept, MSG_ACCEPT, 250, "", "Ok")                                                                                       \
    X(degraded, MSG_ACCEPT, 250, "", "Ok")                                                                                     \
    X(greylist_pass, MSG_ACCEPT, 250, "", "Ok")                                                                                \
    X(greylist_known, MSG_ACCEPT, 250, "", "Ok")                                                                               \
    X(greylist_exempt, MSG_ACCEPT, 250, "", "Ok")                                                                              \
    X(greylist_new, MSG_DEFER, 451, "4.7.1", "Greylisted")                                                                     \
    X(greylist_early, MSG_DEFER, 451, "4.7.1", "Greylisted")                                                                   \
    X(store_down, MSG_DEFER, 451, "4.3.0", "Temporary lookup failure")                                                         \
    X(syntax_sender, MSG_REJECT, 501, "5.1.7", "Bad sender address")                                                           \
    X(syntax_recipient, MSG_REJECT, 501, "5.1.3", "Bad recipient address")                                                     \
    X(eai_mail, MSG_REJECT, 550, "5.6.7", "Non-ASCII address needs SMTPUTF8")                                                  \
    X(eai_rcpt, MSG_REJECT, 553, "5.6.7", "Non-ASCII address needs SMTPUTF8")                                                  \
    X(relay_denied, MSG_REJECT, 550, "5.7.1", "Relaying denied")

enum reason {
#define REASON_ENUM(name, action, code, enhanced, text) REASON_##name,
    REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
        REASON_COUNT,
};

struct reason_row {
    const char *name; // on the wire, in traces and metrics; rows that differ by code alone share a name ("syntax", "eai")
    enum msg_action action;
    unsigned code;
    const char *enhanced; // "" = by stage: 2.1.0 at MAIL, 2.1.5 at RCPT, 2.0.0 else
    const char *text;
};

const struct reason_row *reason_row(enum reason reason);
