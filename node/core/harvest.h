// harvest.h: clients that try addresses out, to learn which of them exist (a directory harvest attack). Pure: when a
// client is one, for how long it is banned, and the forms in which that is stored.
//
//     c:harvest:{<client>}:<hour>   field = 8 bytes of a keyed hash of a recipient that does not exist, value empty
//     c:exists:{<client>}:<hour>    the same of recipients that exist; written from when the client is suspect
//     bans:{p}                      field = <client>    value = "<until_ms> <since_ms> <unknown> <existing>"
//
// A client is one IPv4 address or one IPv6 /64: "192.0.2.1", "2001:db8:1:2::/64". hour = hours of the store's clock
// since 1970. A number is always how many fields a hash has: what is named again, and what two nodes are asked about,
// counts once.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/key.h"
#include "proto/ip.h"

#define HARVEST_HOUR_MS (3600ULL * 1000)
// A ban that begins not later than this after the end of the one before, inclusive, is a repeated one.
#define HARVEST_REPEAT_MS (24 * HARVEST_HOUR_MS)
// No ban is longer than this, whatever the settings are: what ends later is not believed.
#define HARVEST_BAN_MOST_MS (24 * HARVEST_HOUR_MS)
#define HARVEST_BANS_KEY    "bans:{p}"

enum {
    HARVEST_FIELD_BYTES = KEY_COUNT_BYTES,
    HARVEST_KEY_MAX = 96,     // longest name of a key, terminator included
    HARVEST_SUSPECT_PART = 4, // a client is suspect from this part of the bound on
    HARVEST_CLIENT_MAX = IP_NET_TEXT_MAX,
    HARVEST_VALUE_MAX = 4 * 21, // four numbers of 64 bits, blanks, terminator
};

// What settings.abuse says of it.
struct harvest_bounds {
    uint64_t unknown; // different recipients that do not exist, in an hour; 0 = nobody is banned
    double share;     // and more than this share of all that the client named
    uint64_t ban_ms, ban_most_ms; // the first ban, and the longest
};

enum harvest_kind { HARVEST_UNKNOWN, HARVEST_EXISTING };

struct harvest_count {
    uint64_t unknown, existing; // different recipients of an hour
};

// harvest_is_suspect: so many that those which exist must be counted as well, cluster-wide.
bool harvest_is_suspect(const struct harvest_bounds *bounds, uint64_t unknown);
// harvest_is_over: the client is banned for it.
bool harvest_is_over(const struct harvest_bounds *bounds, const struct harvest_count *count);

// A ban: from since_ms on, not any more at until_ms. Zeroed: there is none.
struct harvest_ban {
    uint64_t until_ms, since_ms; // store clock
    struct harvest_count count;  // what it is for
};
// harvest_ban_holds: whether a client with it is banned at now_ms.
bool harvest_ban_holds(const struct harvest_ban *ban, uint64_t now_ms);
// harvest_ban_next: the ban of a client whose last one is old: one that is not over at now_ms stays as it is (two nodes
// found the same); a repeated one is twice as long as the last, up to the longest. node/store/harvest.c has the same as
// a script.
struct harvest_ban harvest_ban_next(const struct harvest_ban *old,
                                    const struct harvest_bounds *bounds,
                                    const struct harvest_count *count, uint64_t now_ms);
// harvest_ban_is_over: it says nothing any more, not even that the next one is a repeated one.
bool harvest_ban_is_over(const struct harvest_ban *ban, uint64_t now_ms);

// harvest_ban_read: false if the text is none that can be believed: ends before it began, or lasts too long.
bool harvest_ban_read(const char *value, struct harvest_ban *out);
bool harvest_ban_is_sound(const struct harvest_ban *ban);
size_t harvest_ban_write(const struct harvest_ban *ban, char out[HARVEST_VALUE_MAX]);

// harvest_client: the client that an address is of. harvest_client_text, harvest_client_read: as it is stored; false if
// the text is none.
struct ip_net harvest_client(const struct ip *ip);
const char *harvest_client_text(const struct ip_net *client, char out[HARVEST_CLIENT_MAX]);
bool harvest_client_read(const char *text, struct ip_net *out);

uint64_t harvest_hour(uint64_t at_ms);
// harvest_key: the length of the key's name. harvest_expiry_ms: when it may be dropped.
size_t harvest_key(enum harvest_kind kind, const struct ip_net *client, uint64_t hour,
                   char out[HARVEST_KEY_MAX]);
uint64_t harvest_expiry_ms(uint64_t hour);
