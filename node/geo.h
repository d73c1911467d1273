// geo.h: the country of an address, out of a database in MaxMind's format (.mmdb), which is replaced under way.
//
// Where there is no database, or none that can be used, no country is known: nothing fails. It is looked at once a
// second, and the new one is checked before it takes the place of the old one.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/base/loop.h"
#include "proto/ip.h"

enum { GEO_COUNTRY_MAX = 3 }; // two letters and the terminator

struct geo_config {
    struct loop *loop;
    const char *path;  // borrowed for the life
    uint64_t every_ms; // how often it is looked at; 0 = each second
};

// Cumulative.
struct geo_counters {
    uint64_t loads; // databases that were taken
    uint64_t
        errors; // databases that were missing or broken; and look-ups that found a broken place
};

struct geo;

// geo_new: reads the database before it returns. One that cannot be used is a warning in the log, once until it is
// another file.
void geo_new(struct geo **out, const struct geo_config *config);
void geo_free(struct geo **geo);

// geo_country: ISO 3166-1, two capital letters; "" = not known. Returns out.
const char *geo_country(struct geo *geo, const struct ip *ip, char out[GEO_COUNTRY_MAX]);
// geo_asn: the AS that announces it, out of a second database (config.asn_path); 0 = not known.
uint32_t geo_asn(struct geo *geo, const struct ip *ip);
// geo_is_known: there is a database.
bool geo_is_known(const struct geo *geo);
const struct geo_counters *geo_counters(const struct geo *geo);
