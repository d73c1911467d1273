// rate.h: how many first tries of each network this node has stored in this hour of the store's clock.
//
// A bounded table: a flood from many networks does not grow it. Where there is no room, what was counted in
// an hour before gives way, and then the network with the least.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/ip.h"

struct rate;

// rate_new: room for count networks, a multiple of 8, 40 bytes each.
struct rate *rate_new(size_t count);
void rate_free(struct rate **rate); // NULL-safe, NULLs

// rate_add: one first try more. rate_count: how many there were in the hour of now_ms; 0 if it was pushed out.
void rate_add(struct rate *rate, const struct ip_net *net, uint64_t now_ms);
uint64_t rate_count(const struct rate *rate, const struct ip_net *net, uint64_t now_ms);
