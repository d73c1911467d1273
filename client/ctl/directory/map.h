// map.h: a logical line (folded.h) of a map of Postfix, as its owner writes it for postmap(1). Pure.
#pragma once

#include <stdbool.h>

enum map_kind {
    MAP_ENTRY,    // an address, or a name without a domain
    MAP_NONE,     // empty, or a comment
    MAP_DOMAIN,   // a domain alone: that it is one
    MAP_CATCHALL, // @domain: it takes any recipient
    MAP_PATTERN,  // a line of a regexp or pcre table
};

struct map_line {
    const char *key;
    const char *value; // "" = none
};

// map_read: takes it apart in place.
enum map_kind map_read(char *line, struct map_line *out);
// map_target: the address that the value is, if it is exactly one, with a domain; else NULL.
const char *map_target(const char *value);
