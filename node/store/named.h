// named.h: which recipients each client has named in this hour, as this node has seen it: those that exist, so that they
// need not be told to the store until somebody asks for them (core/harvest.h); and those that do not, so that each is
// told once. Pure: a bounded table of sets, no allocation after named_new.
//
// What it forgets is only told again, or not counted. Of a client at most NAMED_FIELDS recipients are remembered. Where
// there is no room for a client, what was named in an hour before gives way, then who has named least; a suspect stays
// longer than all others.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/harvest.h"

enum { NAMED_CLIENTS = 4096, NAMED_FIELDS = 64 };

// Whose: a client in an hour.
struct named_of {
    struct ip_net client;
    uint64_t hour;
};

struct named;

// named_new: room for count clients, a multiple of 4, about 600 bytes each.
struct named *named_new(size_t count);
void named_free(struct named **named); // NULL-safe, NULLs

// named_add: true if that recipient is news, or could not be remembered.
bool named_add(struct named *named, const struct named_of *of, enum harvest_kind kind,
               const uint8_t field[HARVEST_FIELD_BYTES]);
// named_list: what is remembered of that kind, into out; how many.
size_t named_list(const struct named *named, const struct named_of *of, enum harvest_kind kind,
                  uint8_t out[NAMED_FIELDS][HARVEST_FIELD_BYTES]);
// named_unlearn: what is remembered of that kind is news again. named_forget: nothing is known of the client.
void named_unlearn(struct named *named, const struct named_of *of, enum harvest_kind kind);
void named_forget(struct named *named, const struct ip_net *client);

// When this node heard that the client is suspect, and when it last told so; monotonic, 0 = never.
struct named_suspicion {
    uint64_t heard_ms, told_ms;
};
struct named_suspicion named_suspicion(const struct named *named, const struct named_of *of);
// named_set_suspicion: also of a client that this node has not met.
void named_set_suspicion(struct named *named, const struct named_of *of,
                         const struct named_suspicion *suspicion);
