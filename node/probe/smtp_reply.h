// smtp_reply.h: what an SMTP server says, read as it comes: replies of one line or several (RFC 5321, 4.2), with enhanced
// codes (RFC 3463), and the extensions that an answer to EHLO names. Pure, without heap: bounded whatever comes.
//
// The server is the one that the operator named, and yet nothing it says is believed to be of any form. Bare LF ends a line
// as CRLF does; everything else that is no reply is garbage, and nothing of what follows can be understood.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "node/core/facts.h"
#include "proto/text.h"

enum {
    SMTP_LINE_MAX = 1024, // bytes, without its end (RFC 5321, 4.5.3.1.5: 512)
    SMTP_LINES_MAX = 64,  // of one reply
    SMTP_TEXT_MAX = 160,  // bytes that are kept of the first line's words
};

struct smtp_reply {
    int code;                     // 200 to 599
    int subject, detail;          // of the enhanced code; 0.0 = none, or of another class than code
    char text[SMTP_TEXT_MAX + 1]; // of the first line, behind the codes; clean (text.h)
    bool starttls, smtputf8;      // in an answer to EHLO
};

// What came so far of a reply. Zeroed at first, and by smtp_reader_reset.
struct smtp_reader {
    struct smtp_reply reply;
    unsigned lines;
    size_t used; // of line
    char line[SMTP_LINE_MAX];
};

enum smtp_read { SMTP_MORE, SMTP_REPLY, SMTP_GARBAGE };

void smtp_reader_reset(struct smtp_reader *reader);

// smtp_reader_take: reads up to the end of one reply; *used: bytes of these that it needed. SMTP_REPLY: reader->reply is
// whole, until the reader is reset. SMTP_MORE: all were used, and the reply goes on. SMTP_GARBAGE: no reply.
enum smtp_read smtp_reader_take(struct smtp_reader *reader, const char *bytes, size_t len,
                                size_t *used);

// smtp_reply_says: what the answer to RCPT TO means. EXISTS: any 2xx. NOBODY: a 5xx that is about this address and no other
// thing: 5.1.x but for the sender's (5.1.7, 5.1.8), 5.2.1 (disabled), 5.4.1 (what some hosted directories say of
// whom they do not know); without an enhanced code 550, 551 and 553. REFUSED: everything else, among it 5.7.1 (we are not
// welcome), 5.2.2 (full: there is somebody) and all 4xx.
enum facts_probe smtp_reply_says(const struct smtp_reply *reply);

// smtp_reply_put: the reply as one line of words: "550 5.1.1 No such user".
void smtp_reply_put(const struct smtp_reply *reply, struct text_buf *out);
