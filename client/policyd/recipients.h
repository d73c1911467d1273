// recipients.h: which recipients of a transaction Postfix was let take.
//
// Postfix asks about one recipient at a time, and at the end of the message it says only how many
// there are. What is judged over all of them needs their names, so they are kept from RCPT to the
// answer at END-OF-MESSAGE. One table for all connections of the service: a transaction may end on
// another connection than the one it began on (smtpd_policy_service_max_ttl).
//
// Bounded in transactions, in bytes and in time. Where there is no room, transactions give way that
// are known to be over, then those that were quiet for longest; whoever asks is told that names are
// missing, never a part of them as if it were all.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/msg.h"

enum {
    RECIPIENTS_TRANSACTIONS = 4096,
    RECIPIENTS_BYTES = 8 << 20, // of names, all transactions together
    RECIPIENTS_LIFE_MS = 60 * 60 * 1000,
};

struct recipients_counters {
    size_t transactions; // remembered now
    size_t bytes;        // of their names
    uint64_t pushed_out; // gave way to others, and were not known to be over
    uint64_t missing;    // ends of messages of which not all recipients were known
};

struct recipients;

// recipients_new: room for so many transactions and so many bytes of names; bytes at least
// 512 KiB, what one transaction may take.
struct recipients *recipients_new(size_t transactions, size_t bytes);
void recipients_free(struct recipients **recipients); // NULL-safe, NULLs
const struct recipients_counters *recipients_counters(const struct recipients *recipients);

// recipients_key: what a transaction is called here, from Postfix's attribute `instance`. 0 = it has
// no name, and nothing is kept of it.
uint64_t recipients_key(const char *instance);

// recipients_count: how many recipients the transaction has with this one, each counted once. 0 if
// it has no name. Times are monotonic.
uint32_t recipients_count(struct recipients *recipients, uint64_t key, const char *recipient,
                          uint64_t now_ms);
// recipients_accept: Postfix was let take this one (a copy is kept).
void recipients_accept(struct recipients *recipients, uint64_t key, const char *recipient,
                       uint64_t now_ms);
// recipients_all: the names of a message that has count recipients, as Postfix counts them; the
// texts are the table's, until it is called again. Returns how many different ones there are; 0 if
// some are not known here, which is counted. More than count may be named: Postfix itself refuses
// recipients after it has asked.
size_t recipients_all(struct recipients *recipients, uint64_t key, uint64_t count,
                      const char *out[MSG_RECIPIENTS_MAX], uint64_t now_ms);
// recipients_left: its connection went on to another transaction, so it is over, says the protocol.
// It is the first to give way. (Something between Postfix and here may use one connection for
// several; so it is not forgotten yet.)
void recipients_left(struct recipients *recipients, uint64_t key);
// recipients_end: forgets the transaction.
void recipients_end(struct recipients *recipients, uint64_t key);
