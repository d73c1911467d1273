// ops.h: operations: some commands sent together, their replies in order, a deadline, and one end.
// The seats are made at start; a reply finds its seat by number and generation, so that one which
// comes after the deadline is recognised and dropped.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/redis.h"
#include "node/store/store.h"

enum { OPS_SEATS = 4096 };

struct op;
struct redisReply;

// What an operation does with its replies.
struct op_kind {
    // reply: one reply, in the order of sending. May be an error reply, which op_note_error has
    // already counted.
    void (*reply)(struct store *store, struct op *op, const struct redisReply *reply);
    // end: once. op->state is STORE_UP if every reply came and none was an error. The seat is free
    // again: op is a copy.
    void (*end)(struct store *store, struct op *op);
};

struct op {
    const struct op_kind *kind;
    uint64_t due_ms; // monotonic: its deadline
    unsigned replies_left;
    enum store_state state; // STORE_UP, or the first thing that went wrong
    // Of triplet operations.
    struct store_done done;
    struct store_triplet *at;          // whose replies come now
    const struct store_person *person; // likewise, of what is kept of recipients
    uint64_t drops;                    // of the near cache, when it began
    unsigned step;                     // which reply of its
    bool read_only;
    // Of the others: their own memory.
    void *work;
};

struct ops;

struct ops *ops_new(struct store *store, struct loop *loop, uint64_t deadline_ms);
void ops_free(struct ops **ops); // ends what is under way with STORE_DOWN

// op_begin: a seat for an operation of so many commands on a connection; or NULL and *why (and
// counted).
struct op *op_begin(struct ops *ops, struct redis *redis, const struct op_kind *kind,
                    unsigned commands, enum store_state *why);
// op_begin_admin: the same for an operator's question, on his connection; NULL also where more than
// STORE_ADMIN_WORK_MAX of them are under way. work becomes the operation's.
struct op *op_begin_admin(struct ops *ops, const struct op_kind *kind, unsigned commands,
                          void *work, enum store_state *why);
// op_hurry: the caller waits no longer than within_ms from now; 0, or longer than the store's own
// deadline, changes nothing.
void op_hurry(struct ops *ops, struct op *op, uint64_t within_ms);
// op_send: one of the commands that were announced. What cannot be sent ends the operation when its
// deadline comes.
void op_send(struct ops *ops, struct op *op, struct redis *redis, struct resp *resp);
void op_send_bytes(struct ops *ops, struct op *op, struct redis *redis, const char *bytes,
                   size_t len);
// op_note: something went wrong with a reply: the first state stays.
void op_note(struct op *op, enum store_state state);
