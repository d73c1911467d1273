// clock_scripted.h: a clock that a scenario turns. Linked instead of proto/base/clock.c, it stands
// still until it is told to move, so that "12 h and 1 ms later" is exact and costs nothing.
#pragma once

#include <stdint.h>

// clock_scripted_set: the wall clock's time from now on. The monotonic clock follows steps forward,
// and stands at steps back.
void clock_scripted_set(uint64_t wall_ms);
