// reason.h: every reason a verdict can give, with its action, codes and the beginning of its text.
// One list makes the enum, the words on the wire, the counters and the table in README.md. Sources
// of codes: RFC 3463, 5321, 6531, 7505.
#pragma once

#include "proto/msg.h"

// id, name on the wire, action, SMTP code, enhanced code ("" = by stage), text
// clang-format off
#define REASON_LIST(X) \
    X(accept,            "accept", MSG_ACCEPT,  250, "",       "Ok") \
    X(degraded,          "degraded", MSG_ACCEPT,  250, "",       "Ok") \
    X(greylist_pass,     "greylist_pass", MSG_ACCEPT,  250, "",       "Ok") \
    X(greylist_known,    "greylist_known", MSG_ACCEPT,  250, "",       "Ok") \
    X(greylist_spared,   "greylist_spared", MSG_ACCEPT,  250, "",       "Ok") \
    X(greylist_exempt,   "greylist_exempt", MSG_ACCEPT,  250, "",       "Ok") \
    X(greylist_new,      "greylist_new", MSG_DEFER,   451, "4.7.1",  "Greylisted") \
    X(greylist_early,    "greylist_early", MSG_DEFER,   451, "4.7.1",  "Greylisted") \
    X(rate,              "rate", MSG_DEFER,   451, "4.7.1",  "Too much new mail from your network") \
    X(store_down,        "store_down", MSG_DEFER,   451, "4.3.0",  "Temporary lookup failure") \
    X(permit_admin,      "permit_admin", MSG_ACCEPT,  250, "",       "Ok") \
    X(geo,               "geo", MSG_REJECT,  550, "5.7.1",  "Mail from your country is not accepted here") \
    X(geo_hold,          "geo", MSG_HOLD,    250, "",       "Ok, held for review") \
    X(anti_spoof,        "anti_spoof_envelope", MSG_REJECT,  550, "5.7.1",  "Your host may not use this sender address") \
    X(block_admin,       "block_admin", MSG_REJECT,  550, "5.7.1",  "Sender is blocked") \
    X(block_user,        "block_user", MSG_REJECT,  550, "5.7.1",  "Sender is blocked") \
    X(permit_user,       "permit_user", MSG_ACCEPT,  250, "",       "Ok") \
    X(auto_allow,        "auto_allow", MSG_ACCEPT,  250, "",       "Ok") \
    X(reputation,        "reputation", MSG_REJECT,  550, "5.7.1",  "Your host has a bad reputation") \
    X(reputation_list,   "reputation", MSG_REJECT,  550, "5.7.1",  "Your host or sender is listed") \
    X(reputation_defer,  "reputation_defer", MSG_DEFER, 451, "4.7.1", "Your host has a bad reputation, please try again later") \
    X(dha,               "dha", MSG_DEFER,   451, "4.7.1",  "Too many unknown recipients from your host") \
    X(rcpt_unknown,      "rcpt_unknown", MSG_REJECT,  550, "5.1.1",  "No such recipient here") \
    X(rcpt_unknown_defer, "rcpt_unknown", MSG_DEFER,  451, "4.1.1",  "No such recipient here") \
    X(rcpt_sendonly,     "rcpt_sendonly", MSG_REJECT,  550, "5.7.1",  "Recipient does not take mail") \
    X(rcpt_tempfail,     "rcpt_tempfail", MSG_DEFER,   451, "4.4.1",  "Recipient could not be checked") \
    X(policy_sender,     "policy_sender", MSG_REJECT,  550, "5.7.1",  "Sender may not write to this recipient") \
    X(policy_sender_hold, "policy_sender", MSG_HOLD,   250, "",       "Ok, held for review") \
    X(policy_recipient,  "policy_recipient", MSG_REJECT,  550, "5.7.1",  "Recipient does not take mail from this sender") \
    X(policy_recipient_hold, "policy_recipient", MSG_HOLD, 250, "",   "Ok, held for review") \
    X(login_mismatch,    "login_mismatch", MSG_REJECT,  553, "5.7.1",  "Sender address does not belong to your login") \
    X(limit_rcpt,        "limit_rcpt", MSG_REJECT,  550, "5.5.3",  "Too many recipients for one message") \
    X(limit_day,         "limit_day", MSG_REJECT,  550, "5.7.1",  "Daily sending limit reached") \
    X(limit_day_trusted, "limit_day", MSG_DEFER,   451, "4.7.1",  "Daily sending limit reached") \
    X(rcpt_count,        "rcpt_count", MSG_DEFER,  452, "4.5.3",  "Too many recipients") \
    X(size,              "size", MSG_REJECT,  552, "5.3.4",  "Message is too large") \
    X(syntax_sender,     "syntax", MSG_REJECT,  501, "5.1.7",  "Bad sender address") \
    X(syntax_recipient,  "syntax", MSG_REJECT,  501, "5.1.3",  "Bad recipient address") \
    X(eai_mail,          "eai", MSG_REJECT,  550, "5.6.7",  "Non-ASCII address needs SMTPUTF8") \
    X(eai_rcpt,          "eai", MSG_REJECT,  553, "5.6.7",  "Non-ASCII address needs SMTPUTF8") \
    X(relay_denied,      "relay_denied", MSG_REJECT,  550, "5.7.1",  "Relaying denied")
// clang-format on

enum reason {
#define REASON_ENUM(id, name, action, code, enhanced, text) REASON_##id,
    REASON_LIST(REASON_ENUM)
#undef REASON_ENUM
        REASON_COUNT,
};

struct reason_row {
    const char *id;   // tells rows of one name apart: syntax_sender, syntax_recipient
    const char *name; // on the wire, in traces and metrics
    enum msg_action action;
    unsigned code;
    const char *enhanced; // "" = by stage, see reason_enhanced
    const char *text;
};

// reason_row: never NULL; reason must be below REASON_COUNT.
const struct reason_row *reason_row(enum reason reason);

// reason_enhanced: the enhanced status code of a reason given at a stage; accepts: 2.1.0 at
// MAIL, 2.1.5 at RCPT, 2.0.0 else.
const char *reason_enhanced(enum reason reason, enum msg_stage stage);

// reason_action: "accept", "defer", "reject", "hold", "secure" for topics, logs and tracking rows;
// "" for none.
const char *reason_action(enum msg_action action);
