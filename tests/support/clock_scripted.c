// clock_scripted.c: time as a script tells it. The one piece of state that a process can only have
// once.
#include "tests/support/clock_scripted.h"

#include "proto/base/clock.h"

static uint64_t wall_ms;
static uint64_t mono_ms = 1000;

void clock_scripted_set(uint64_t to_ms)
{
    if (to_ms > wall_ms && wall_ms != 0)
        mono_ms += to_ms - wall_ms;
    wall_ms = to_ms;
}

uint64_t clock_wall_ms(void)
{
    return wall_ms;
}

uint64_t clock_mono_ms(void)
{
    return mono_ms;
}

uint64_t clock_mono_us(void)
{
    return mono_ms * 1000;
}
