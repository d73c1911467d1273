// wire.h: structs of msg.h <-> bytes of reeve.proto. wire_*.c are the only users of protobuf-c;
// reader and writer of a message stand in one of them.
//
// Decoding takes bytes of a stranger: nothing in them crashes, allocates outside the arena or reads
// outside the frame. Before protobuf-c sees a frame, a walk over it bounds depth, counts of
// repeated fields and unknown fields, so a small frame cannot ask for a large amount of memory. C
// strings end at NUL; a NUL inside a text is damage like any control character. Text that a mail
// client chose is cleaned (text.h); text that the gateway writes must be clean and within its
// limit.
#pragma once

#include <stddef.h>

#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/msg.h"

// wire_decode_request: len bytes (read and, where a text held NUL, changed in place) into *out,
// whose texts live in the arena. On failure out->id is set if the frame had a readable id, else 0,
// so that the error reply finds its caller. ERR_SYNTAX: no protobuf, no verb, a gateway's text that
// is not clean UTF-8. ERR_LIMIT: a limit of msg.h; the detail names the field, the limit and what
// was given. ERR_MEMORY: the arena is too small.
MUST_USE enum err wire_decode_request(void *bytes, size_t len, struct arena *arena,
                                      struct msg_request *out, struct err_detail *detail);

// wire_decode_reply: the same for the client's side. Errors as above. Enum values that this version
// does not know become the "unspecified" one (an action that is not known is MSG_NO_ACTION: the
// gateway uses its fallback).
MUST_USE enum err wire_decode_reply(void *bytes, size_t len, struct arena *arena,
                                    struct msg_reply *out, struct err_detail *detail);
MUST_USE enum err wire_decode_stats(void *bytes, size_t len, struct arena *arena,
                                    struct msg_stats *out, struct err_detail *detail);
MUST_USE enum err wire_decode_event(void *bytes, size_t len, struct arena *arena,
                                    struct msg_event *out, struct err_detail *detail);

// wire_encode_*: into size bytes at bytes; *len is what was used. ERR_MEMORY if it does not fit.
// scratch serves for protobuf-c's structs and may be reset afterwards. A text of NULL is sent as
// "". A client's text is cleaned on the way.
MUST_USE enum err wire_encode_request(const struct msg_request *request, struct arena *scratch,
                                      void *bytes, size_t size, size_t *len);
MUST_USE enum err wire_encode_reply(const struct msg_reply *reply, struct arena *scratch,
                                    void *bytes, size_t size, size_t *len);
MUST_USE enum err wire_encode_stats(const struct msg_stats *stats, struct arena *scratch,
                                    void *bytes, size_t size, size_t *len);
MUST_USE enum err wire_encode_event(const struct msg_event *event, struct arena *scratch,
                                    void *bytes, size_t size, size_t *len);
