// clock.h: the only reader of time. Deadlines are monotonic; stamps that are stored are wall time,
// of the store's clock where there is one (node/store/store.h). Scenario tests link another
// clock.c, which a script turns.
#pragma once

#include <stdint.h>

uint64_t clock_wall_ms(void); // Unix time in ms
uint64_t
clock_mono_ms(void); // since some start, never backwards, does not stop with the wall clock's steps
uint64_t clock_mono_us(void);
