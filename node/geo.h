// geo.h: what is known of an address: its country, and the AS that announces it; each out of a database of its own in
// MaxMind's format (.mmdb), which is replaced under way.
//
// Where there is no database, or none that can be used, nothing is known: nothing fails. They are looked at once a
// second, and a new one is checked before it takes the place of the old one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/loop.h"
#include "proto/ip.h"

enum { GEO_COUNTRY_MAX = 3 }; // two letters and the terminator

enum geo_kind { GEO_COUNTRY, GEO_ASN, GEO_KINDS };

struct geo_config {
    struct loop *loop;
    const char
        *path[GEO_KINDS]; // borrowed for the life; NULL or "" = there is none. They may be one file
    uint64_t every_ms;    // how often they are looked at; 0 = each second
};

// Cumulative, of one kind.
struct geo_counters {
    uint64_t loads;  // databases that were taken
    uint64_t errors; // that were missing or broken; and look-ups that found a broken place
};

struct geo;

// geo_new: reads the databases before it returns. One that cannot be used is a warning in the log, once until it is
// another file.
void geo_new(struct geo **out, const struct geo_config *config);
void geo_free(struct geo **geo);

// geo_country: ISO 3166-1, two capital letters; "" = not known. Returns out.
const char *geo_country(struct geo *geo, const struct ip *ip, char out[GEO_COUNTRY_MAX]);
// geo_asn: the number of the AS that announces the address (RFC 6793: 32 bits); 0 = not known. The numbers that no network has (0,
// 23456, 4294967295: RFC 6793, 7300) are not known either.
uint32_t geo_asn(struct geo *geo, const struct ip *ip);
// geo_is_known: there is a database of that kind.
bool geo_is_known(const struct geo *geo, enum geo_kind kind);
// geo_counters: zeros where geo is NULL.
const struct geo_counters *geo_counters(const struct geo *geo, enum geo_kind kind);
