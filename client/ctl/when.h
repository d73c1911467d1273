// when.h: points in time as a person writes and reads them.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/text.h"

enum { WHEN_MAX = 32 };

// when_parse: a span back from now ("90s", "10m" or "10min", "2h", "7d", "1w"), a date
// ("2026-11-21", midnight UTC), RFC 3339 ("2026-11-21T21:13:01.123Z", "2026-11-21 21:13:01+01:00"),
// or Unix time in seconds or, from 13 digits on, in ms. True and *out_ms set, or false.
bool when_parse(const char *text, uint64_t now_ms, uint64_t *out_ms);

// when_format: "2026-11-21 21:13:01Z". Returns out.
const char *when_format(uint64_t ms, char out[WHEN_MAX]);
