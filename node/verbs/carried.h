// carried.h: which SMTP transactions had a recipient that was known, so that it carries the others.
//
// Postfix asks recipient by recipient, and some senders never come back for the rest of a message of which
// one recipient was taken. A bounded table of this node: libreeve keeps a transaction at one node.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct carried;

// carried_new: room for count transactions, a multiple of 4, 16 bytes each.
struct carried *carried_new(size_t count);
void carried_free(struct carried **carried); // NULL-safe, NULLs

// carried_keep: from now on (store clock) the transaction carries its recipients, for an hour. Where there is
// no room the oldest gives way. transaction: key_transaction, never 0.
void carried_keep(struct carried *carried, uint64_t transaction, uint64_t now_ms);
bool carried_find(const struct carried *carried, uint64_t transaction, uint64_t now_ms);
