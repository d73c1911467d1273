// translate.h: between Postfix's policy protocol and Reeve: a request becomes a question, an answer
// becomes an action. Pure: no clock, no socket, no log.
//
// | protocol_state         | asked as      |                                             |
// |------------------------|---------------|---------------------------------------------|
// | CONNECT                | REEVE_CONNECT |                                             |
// | MAIL                   | REEVE_MAIL    |                                             |
// | RCPT                   | REEVE_RCPT    |                                             |
// | DATA                   | REEVE_RCPT    | if Postfix names a recipient: there is one  |
// | END-OF-MESSAGE         | REEVE_END     | with several, whoever asks must know them   |
// | EHLO, HELO, VRFY, ETRN | not at all    | DUNNO: nothing in Reeve decides there       |
//
// smtputf8 is always true: the protocol does not say whether the client gave SMTPUTF8, and Postfix
// itself has refused addresses that need it (smtputf8_enable, strict_smtputf8) before it asks.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/lib/reeve.h"
#include "client/policyd/request.h"
#include "client/spf/evaluate.h"
#include "proto/msg.h"
#include "proto/text.h"

enum {
    TRANSLATE_TEXT_MAX = 400,   // of the reply's text: with codes it fits RFC 5321's 512 bytes
    TRANSLATE_ACTION_MAX = 640, // of a whole answer, its empty line and terminator included
};

enum translate_plan {
    TRANSLATE_ASK,     // a node decides
    TRANSLATE_ASK_ALL, // likewise, over recipients that this request does not name
    TRANSLATE_DUNNO,   // nothing to decide in this state
    TRANSLATE_FOREIGN, // not a request for an access decision
};

// translate_request: fills check (whose texts then point into request) when the answer is
// TRANSLATE_ASK or TRANSLATE_ASK_ALL.
enum translate_plan translate_request(const struct policy_request *request,
                                      struct reeve_check *check);

// translate_login: who the client authenticated itself as, in a form that a node takes. A login that
// is none (too long, not UTF-8, with control characters) is nobody's, and it is still one: the node
// must not refuse the question, which would let the mail pass unjudged.
const char *translate_login(const struct policy_request *request, char out[MSG_AUTH_USER_MAX + 1]);

bool translate_is_rcpt(const struct policy_request *request); // protocol_state RCPT
bool translate_is_end(const struct policy_request *request);  // END-OF-MESSAGE

// translate_spf: fills subject with whom SPF is to be asked about. False if nobody: there is no
// sender yet, the client has authenticated itself, or its address is not known or not public.
bool translate_spf(const struct policy_request *request, struct spf_subject *subject);

// translate_verdict: the verdict that decides what the mail client hears; NULL if the answer is the
// local fallback, or says something that this version does not know. At the end of the message
// Postfix can only hold the whole of it, so it is held if one recipient's copy is to be held.
const struct reeve_verdict *translate_verdict(const struct reeve_answer *answer);

// translate_is_taken: true if Postfix was let take what it asked about: not deferred, not refused.
bool translate_is_taken(const struct reeve_verdict *verdict, enum reeve_fallback fallback);

// translate_sent: fills what a node is to be told of a message that it has let Postfix take, but for the
// login: all recipients that were accepted, those inside as well, because their number counts. names is
// room for them; the texts are those of request and answer. False if there is nothing to tell: the
// message was refused, held or put off, came from outside, stays inside, or no node has judged it.
bool translate_sent(const struct policy_request *request, const struct reeve_answer *answer,
                    struct reeve_sent *out, const char *names[MSG_RECIPIENTS_MAX]);

// translate_is_prepended: true if an accept after a wait should carry an X-Greylist header. Not at
// the end of the message, where Postfix cannot add one any more.
bool translate_is_prepended(const struct policy_request *request,
                            const struct reeve_verdict *verdict);

// What an answer is made of. Texts are cleaned here, wherever they came from: one line of printable
// ASCII.
struct translate_action {
    const struct reeve_verdict *verdict; // NULL = the fallback
    enum reeve_fallback fallback;
    bool prepend;
    const char *node; // for X-Greylist
    uint64_t wall_ms; // likewise
};

// translate_action: appends `action=...` and the empty line.
void translate_action(struct text_buf *out, const struct translate_action *action);
