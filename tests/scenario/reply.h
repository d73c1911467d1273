// reply.h: a reply in words: what an expectation can name of it, and how it is printed.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "proto/msg.h"

enum { REPLY_NUMBER_TEXT = 24 };

// reply_knows: a verdict has something of that name.
bool reply_knows(const char *key);
// reply_value: it, as text; "" = empty, zero, false. A number is written into number.
const char *reply_value(const struct msg_verdict *verdict, const char *key,
                        char number[REPLY_NUMBER_TEXT]);
// reply_is_span: the key is a span of time in seconds, so that an expectation may say 12h.
bool reply_is_span(const char *key);

// reply_status_of: the status of a word: ok, bad_request, forbidden, overloaded, expired,
// unavailable, internal.
bool reply_status_of(const char *word, enum msg_status *out);
const char *reply_status_word(enum msg_status status);

void reply_print(const struct msg_reply *reply, FILE *out);
