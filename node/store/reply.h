// reply.h: what a reply of Redis means to us. Every error reply is a state of the store, found in
// one table.
#pragma once

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

// reply_state: STORE_UP for anything but an error reply; NULL (the connection is gone) is
// STORE_DOWN.
enum store_state reply_state(const struct redisReply *reply);

// reply_error_state: the state of an error's text, by its prefix ("OOM command not allowed ...").
enum store_state reply_error_state(const char *text);

// reply_advice: what an operator should look at when a server is refused for that state; "" if
// there is nothing but to wait.
const char *reply_advice(enum store_state state);

// Shapes. NULL is of no shape.
bool reply_is_text(const struct redisReply *reply);
bool reply_is_array(const struct redisReply *reply, size_t elements);
bool reply_is_integer(const struct redisReply *reply);

// reply_number: a text reply that is a decimal number (as HMGET and TIME give them).
bool reply_number(const struct redisReply *reply, uint64_t *out);

// reply_number_parse: decimal digits and nothing else, within 64 bits.
bool reply_number_parse(const char *text, uint64_t *out);
