// names.h: what clients' names said about who runs them (host_identity), remembered.
//
// The public suffix list costs more than the rest of a known lookup, and the same few machines come
// again and again. A bounded table, a name and address its place: what was remembered is found, or
// is worked out again.
#pragma once

#include "proto/ip.h"

struct names;

// names_new: room for count clients, a power of two, about 550 bytes each.
struct names *names_new(size_t count);
void names_free(struct names **names);

// names_find: the registrable domain by which a retry of this client may be recognised, "" if there
// is none (host_identity says when). Valid until the next call.
const char *names_find(struct names *names, const char *client_name, const struct ip *client);

// names_hits: how often it was remembered.
uint64_t names_hits(const struct names *names);
