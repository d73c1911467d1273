// geo_walk.h: a look at records of a database in MaxMind's format before libmaxminddb sees them.
//
// The library skips what it was not asked for by calling itself for each map in a map: a broken file could take it so
// deep that the stack ends. So each record is walked before it is shown to it, within bounds. Its format:
// https://maxmind.github.io/MaxMind-DB/, "Output Data Section".
#pragma once

#include <maxminddb.h>
#include <stdbool.h>

// geo_walk_record: it is whole, with all that it holds and points at, and within the bounds.
bool geo_walk_record(const MMDB_entry_s *entry);
// geo_walk_metadata: the file ends with a description of a database, and that is such a record. Moves the descriptor's place.
bool geo_walk_metadata(int fd);
