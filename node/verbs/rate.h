// rate.h: how many first tries of each network this node has stored in this hour of the store's clock.
//
// A bounded table: a flood from many networks does not grow it. Where there is no room, what was counted in
// an hour before gives way, and then the network with the least.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ip.h"

enum { RATE_SITE_BITS = 48, RATE_SITE_NETS = 8 };

struct rate;

// rate_new: room for count networks, a multiple of 8, 40 bytes each.
struct rate *rate_new(size_t count);
void rate_free(struct rate **rate); // NULL-safe, NULLs

// rate_add: one first try more, of the network and of the IPv6 /48 that it lies in. rate_count: how many there
// were in the hour of now_ms; 0 if it was pushed out.
void rate_add(struct rate *rate, const struct ip_net *net, uint64_t now_ms);
uint64_t rate_count(const struct rate *rate, const struct ip_net *net, uint64_t now_ms);

// rate_is_over: the network has brought cap of them, or its /48 RATE_SITE_NETS times as many: whoever is given
// a /48 has 65536 networks. A cap of 0 is none.
bool rate_is_over(const struct rate *rate, const struct ip_net *net, uint64_t now_ms, uint64_t cap);
