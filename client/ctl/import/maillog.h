// maillog.h: one line of a mail log, and what it says about a message. Pure.
//
//     STAMP host postfix/smtpd[123]: 4f2XkB1zK9z2xq: client=mx.sender.example[192.0.2.1]
//     STAMP host postfix/qmgr[99]: 4f2XkB1zK9z2xq: from=<ann@sender.example>, size=1234, nrcpt=1 (queue active)
//     STAMP host postfix/lmtp[98]: 4f2XkB1zK9z2xq: to=<bob@corp.example>, orig_to=<b@corp.example>, ... status=sent (...)
//     STAMP host postfix/qmgr[99]: 4f2XkB1zK9z2xq: removed
//
// and rspamd's own, which says all at once (Exim's are in eximlog.h):
//
//     STAMP #12(normal) <3f1a9c>; task; rspamd_task_write_log: id: <..>, qid: <..>, ip: 192.0.2.1, from: <ann@..>,
//     (default: F (no action): [1.00/15.00] [..]), len: .., rcpts: <bob@..,joe@..>, mime_rcpts: <..>
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum maillog_kind {
    MAILLOG_OTHER = 0,
    MAILLOG_CLIENT,  // id, client, name, is_own
    MAILLOG_FROM,    // id, sender
    MAILLOG_SENT,    // id, recipient: delivered
    MAILLOG_REMOVED, // id
    MAILLOG_TASK,    // client, sender, recipients parted by commas in recipient: rspamd's, accepted
    MAILLOG_CAME, // id, client, name, is_own, login, sender: Exim's, who brought it and who sent it
};

// Texts lie in the line, which is cut into pieces. Never NULL.
struct maillog {
    enum maillog_kind kind;
    const char *id;
    const char *client, *name; // name "" = not confirmed
    const char *sender, *recipient;
    const char *login; // of an authenticated user; "" = the log does not say
    bool is_own;       // an authenticated user's
    bool is_returned;  // from this host itself: a filter gives it back, or a program sends it
};

// maillog_read: what stands behind the stamp. Changes the text.
void maillog_read(char *text, struct maillog *out);

// maillog_clear: nothing was said.
void maillog_clear(struct maillog *out);
// maillog_cut: ends the text at a place, and returns what follows behind so many bytes.
char *maillog_cut(char *at, size_t skip);
// maillog_address: "ann@x.example>..." -> the address, terminated, and what is behind its bracket;
// NULL if it has no end.
char *maillog_address(char *text, const char **out);
// maillog_is_here: this host itself, or no address.
bool maillog_is_here(const char *client);
