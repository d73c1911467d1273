// zone.h: what is known of addresses and domains, in forms that others read: a DNS list (RFC 5782) for rbldnsd or for
// BIND, and reputons (RFC 7071, 7073).
//
// One rule for lists: who has evidence of its own is judged by that, else by the narrowest network around it that has.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "proto/ip.h"

// What is known of one of them.
struct zone_entry {
    struct ip_net net;  // family 0: it is a domain
    const char *domain; // "" = it is none
    double p, weight;   // that it is spam; weight of spam and ham behind it
    double confidence;  // 0..1: how much of p is its own evidence
    unsigned reporters;
    bool is_listed;   // bad enough
    bool is_left_out; // zone_sort's: a network that cannot be listed as a whole
};

struct zone {
    struct zone_entry *entry; // sorted by zone_sort
    size_t count;
    const char *origin;  // of the list; "" = whatever the file is loaded as
    const char *server;  // its name server; "" = none is named
    const char *contact; // mail address of its keeper, as a domain name
    const char *rater;   // of reputons
    uint64_t ttl_s;
    uint64_t now_s;    // makes the serial number
    bool of_addresses; // so test entries of addresses are written, and of domains
    bool of_domains;
};

// zone_is_name: a domain name that may be written into a zone: letters, digits, hyphens and underscores, no label of
// more than 63, in all not more than 253 with what follows it.
bool zone_is_name(const char *name, size_t more);

// zone_sort: puts the entries in order, and drops those that come twice, loopback, and domains that are no names.
// Returns how many were dropped that way for their name.
size_t zone_sort(struct zone *zone);

// Each returns how many entries it listed.
// zone_write_rbldnsd: for `rbldnsd ZONE:combined:FILE`: address ranges with exceptions, and domains with all below them.
size_t zone_write_rbldnsd(const struct zone *zone, FILE *out);
// zone_write_bind: a master file (RFC 1035). A network with an exception in it cannot be a wildcard: it is left out,
// unlike those in it that are listed themselves, and *left_out counts it.
size_t zone_write_bind(struct zone *zone, FILE *out, size_t *left_out);
// zone_write_reputons: one JSON document of the type application/reputon+json, listed or not.
size_t zone_write_reputons(const struct zone *zone, FILE *out);
