// bans.h: who is banned, as a node mirrors it in memory: so that a lookup costs no command for it, and a ban holds while
// the store is away. Pure: a bounded table in the order of clients.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/harvest.h"

enum { BANS_MAX = 16384 }; // clients; one more, and the one whose ban ends first gives way

struct ban_row {
    struct ip_net client;
    struct harvest_ban ban;
    uint32_t reading; // in which it was met last
};

// Zeroed = empty.
struct bans {
    struct ban_row *item; // by client
    size_t count, room;
    uint32_t reading; // the number of the reading: what a whole one did not meet is gone
};

void bans_clear(struct bans *bans); // frees what it holds
// bans_find: zeroed if there is none.
struct harvest_ban bans_find(const struct bans *bans, const struct ip_net *client);
// bans_set: instead of what is there of the client. What is over at now_ms is not taken, and gives way first in a full
// table. bans_remove: false if there was none.
void bans_set(struct bans *bans, const struct ip_net *client, const struct harvest_ban *ban,
              uint64_t now_ms);
bool bans_remove(struct bans *bans, const struct ip_net *client);

// bans_read_begin, bans_read_end: a reading of all rows. Each that is set between the two was met; the end removes the
// others, and what is over.
void bans_read_begin(struct bans *bans);
void bans_read_end(struct bans *bans, uint64_t now_ms);

// bans_page: those that hold at now_ms, of clients inside the network and behind the client after (family 0 = from the
// first); how many.
size_t bans_page(const struct bans *bans, const struct ip_net *net, const struct ip_net *after,
                 uint64_t now_ms, struct ban_row *out, size_t max);
