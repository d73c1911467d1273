// wire_parts.h: what the readers and writers of the single messages share. Private to wire*.c.
//
// Reading and writing are long lists of fields, so the first thing that goes wrong is kept in the
// context and the list goes on: every function here is harmless after a failure and never returns a
// text of NULL.
#pragma once

#include <stddef.h>

#include "proto/base/mem.h"
#include "proto/err.h"
#include "proto/msg.h"

struct ProtobufCMessage;
struct ProtobufCMessageDescriptor;
struct Reeve__V1__Verdict;

struct wire {
    struct arena *arena;
    struct err_detail *detail; // may be NULL
    enum err err;              // the first failure
};

// wire_unpack: guards the frame and unpacks it into the arena; NULL on failure.
void *wire_unpack(struct wire *wire, const struct ProtobufCMessageDescriptor *type, void *bytes,
                  size_t len);
// wire_pack: the message as bytes; ERR_MEMORY if it does not fit, or what went wrong while it was
// made.
MUST_USE enum err wire_pack(const struct wire *wire, const struct ProtobufCMessage *message,
                            void *bytes, size_t size, size_t *len);

// wire_fail: keeps err unless there is one already. Says nothing: the caller has.
void wire_fail(struct wire *wire, enum err err);

// wire_array: count zeroed elements of size bytes, in the arena. NULL if count is 0 or the arena is
// full.
void *wire_array(struct wire *wire, size_t count, size_t size);

// wire_text: text that is to be shown or echoed: itself if it is clean, else a cleaned copy in the
// arena. NULL is "".
char *wire_text(struct wire *wire, const char *text);
// wire_text_cut: the same for text that a mail client chose; longer than limit bytes is cut.
char *wire_text_cut(struct wire *wire, const char *text, size_t limit);
// wire_text_given: text that the peer itself writes; unless it is clean and within its limit, that
// is a failure that names the field.
char *wire_text_given(struct wire *wire, const char *field, const char *text, size_t limit);
// wire_borrow: protobuf-c's structs have char * where nothing is ever written. NULL is "".
char *wire_borrow(const char *text);
unsigned char *wire_borrow_bytes(const void *bytes);

// wire_read_pairs, wire_write_pairs: a map<string, string>, of whatever message its entries are.
// entries is protobuf-c's array of pointers to them.
struct msg_pair *wire_read_pairs(struct wire *wire, void *entries, size_t count);
void *wire_write_pairs(struct wire *wire, const struct ProtobufCMessageDescriptor *entry_type,
                       const struct msg_pair *pairs, size_t count);

// wire_read_reputation, wire_write_reputation: in wire_reputation.c; NULL is NULL.
struct Reeve__V1__Reputation;
const struct msg_reputation *wire_read_reputation(struct wire *wire,
                                                  const struct Reeve__V1__Reputation *from);
struct Reeve__V1__Reputation *wire_write_reputation(struct wire *wire,
                                                    const struct msg_reputation *from);

// wire_read_verdict, wire_write_verdict: in wire_reply.c; an event carries one too.
void wire_read_verdict(struct wire *wire, const struct Reeve__V1__Verdict *from,
                       struct msg_verdict *out);
void wire_write_verdict(struct wire *wire, const struct msg_verdict *from,
                        struct Reeve__V1__Verdict *out);
