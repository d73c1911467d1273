// clock.c: time from the kernel. CLOCK_BOOTTIME, because a machine that slept for an hour is an
// hour older: deadlines have passed, and the store's clock, which is carried on by this one, must
// not lag behind. Promises: the calls cannot fail on Linux, so they return the value.
#include "proto/base/clock.h"

#include <time.h>

static uint64_t read_us(clockid_t id)
{
    struct timespec ts = {0};

    (void)clock_gettime(id, &ts);
    return (uint64_t)ts.tv_sec * 1000000U + (uint64_t)ts.tv_nsec / 1000U;
}

uint64_t clock_wall_ms(void)
{
    return read_us(CLOCK_REALTIME) / 1000U;
}

uint64_t clock_mono_ms(void)
{
    return read_us(CLOCK_BOOTTIME) / 1000U;
}

uint64_t clock_mono_us(void)
{
    return read_us(CLOCK_BOOTTIME);
}
