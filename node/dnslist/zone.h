// zone.h: whether a list can be believed (RFC 5782 section 5). A sound list has 127.0.0.2 and never 127.0.0.1 (of domains: test, never
// invalid).
//
//     UNKNOWN --- 127.0.0.1 is not listed ---> SOUND        looked at again after an hour
//        |  '--- no answer: stays, and is looked at again after 10 s
//        |                                       |  ^
//        '------ 127.0.0.1 is listed, ---------> OFF  '--- 127.0.0.1 is not listed
//                an error code, an address       looked at again after 5 min
//                outside of 127.0.0.0/8
//
// A list is looked at only where somebody asks for it. That a list has no 127.0.0.2 is logged and no more: small ones do without.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "node/dnslist/cache.h"
#include "node/dnslist/dnslist.h"
#include "proto/base/dns.h"

enum {
    DNSLIST_SOUND_MS = 3600000,
    DNSLIST_OFF_MS = 300000,
    DNSLIST_UNKNOWN_MS = 10000,
};

enum dnslist_health { DNSLIST_UNKNOWN, DNSLIST_SOUND, DNSLIST_OFF };

struct dnslist_zones;

struct dnslist_zone {
    SLIST_ENTRY(dnslist_zone) next;
    struct dnslist_zones *zones;
    char name[MAIL_DOMAIN_MAX + 1];
    bool of_sender;
    enum dnslist_health health;
    unsigned round; // one more whenever it goes off: what it said before says nothing
    bool is_checking;
    bool is_refused;              // since the check began
    bool is_empty;                // it has no 127.0.0.2
    uint64_t check_ms;            // monotonic: not looked at again before
    struct dnslist_items waiters; // for the check; what the list says of them is known
    unsigned under_way;           // questions
    unsigned silent;              // who waited in vain, in a row
    uint64_t asked, hits;
};

struct dnslist_zone_calls {
    // checked: health is as it is until the next check; who waits for it can be told.
    void (*checked)(void *arg, struct dnslist_zone *zone);
    void *arg;
};

// dnslist_zones_new: the resolver is borrowed, and freed before the zones are: that ends their questions.
struct dnslist_zones *dnslist_zones_new(struct dns *resolver, struct dnslist_zone_calls calls);
void dnslist_zones_free(struct dnslist_zones **zones);

// dnslist_zone_of: one of that name, made where there is none. As many are kept as policy sets have named since the start.
struct dnslist_zone *dnslist_zone_of(struct dnslist_zones *zones, const char *name, bool of_sender);
struct dnslist_zone *dnslist_zone_first(const struct dnslist_zones *zones);

// dnslist_zone_look: begins a check if one is due; it may be over when this returns.
void dnslist_zone_look(struct dnslist_zone *zone);
// dnslist_zone_refuse: it answered something with this address, which means no listing: it is off.
void dnslist_zone_refuse(struct dnslist_zone *zone, uint32_t code);
