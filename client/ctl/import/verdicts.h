// verdicts.h: one line of a mail log, and what a scanner or a rule of the operator's says in it about a message. Pure.
//
// rspamd says all at once; a login, and what it only deferred, is told as such:
//
//     STAMP #12(normal) <3f1a9c>; task; rspamd_task_write_log: id: <m@x>, qid: <4f2XkB1zK9z2xq>, ip: 192.0.2.1, from: <ann@..>,
//     (default: T (reject): [19.00/15.00] [R_SPF_ALLOW(-0.20){+ip4:192.0.2.0/24;},..]), len: .., rcpts: <bob@..>, ...
//
// and so does amavis:
//
//     STAMP mx amavis[123]: (123-01) Blocked SPAM {DiscardedInbound}, [192.0.2.1]:5012 [192.0.2.1] <ann@..> -> <bob@..>,
//     Queue-ID: 4f2XkB1zK9z2xq, Message-ID: <m@x>, ...
//
// Postfix' own rules, its milters and its proxy filter name a queue id, whose client another line has told. spamd names a message id,
// which a line of cleanup's joins to a queue id:
//
//     STAMP mx postfix/cleanup[99]: 4f2XkB1zK9z2xq: message-id=<m@x>
//     STAMP mx spamd[12]: spamd: result: Y 15 - BAYES_99,.. scantime=..,size=..,user=..,mid=<m@x>,autolearn=no
//     STAMP mx postfix/cleanup[99]: 4f2XkB1zK9z2xq: reject: header Subject: .. from mx.x[192.0.2.1]; from=<ann@..> to=<bob@..> ..
//     STAMP mx postfix/cleanup[99]: 4f2XkB1zK9z2xq: milter-reject: END-OF-MESSAGE from mx.x[192.0.2.1]: 5.7.1 ..; from=<ann@..> ..
//
// What a policy service has refused is no label: it may have been this one.
#pragma once

#include <stdbool.h>

enum verdicts_kind {
    VERDICTS_OTHER = 0,
    VERDICTS_WHOLE,   // id, client, sender, class, spf
    VERDICTS_ID,      // id, class, sender: of a message whose client another line tells
    VERDICTS_MESSAGE, // message_id, class
    VERDICTS_NAMED,   // id, message_id: they are one
};
enum verdicts_class {
    VERDICTS_UNDECIDED = 0, // deferred, or something that is neither
    VERDICTS_HAM,
    VERDICTS_SPAM,
};

// Texts lie in the line, which is cut into pieces. Never NULL.
struct verdicts_line {
    enum verdicts_kind kind;
    enum verdicts_class class;
    const char *
        id; // of Postfix' queue; of rspamd and amavis their own where they name none; of a proxy ""
    const char *message_id;
    const char *client, *sender;
    bool is_own;                 // an authenticated user's, or going out
    bool is_returned;            // from this host itself
    bool spf_passed, spf_failed; // rspamd's
};

// verdicts_read: what stands behind the stamp. Changes the text, unless it is none of these (VERDICTS_OTHER).
void verdicts_read(char *text, struct verdicts_line *out);
