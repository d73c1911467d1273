// reputation_near.h: reals in unit tests of reputation. Include <cmocka.h> first. Header-only, because a unit test is one file.
#pragma once

#include <math.h>
#include <stdbool.h>
#include <stdio.h>

// assert_near: equal to 1e-9, and both are numbers.
#define assert_near(is, should_be) near_or_fail((is), (should_be), 1e-9, #is, __FILE__, __LINE__)
#define assert_within(is, should_be, by) \
    near_or_fail((is), (should_be), (by), #is, __FILE__, __LINE__)

static inline void near_or_fail(double is, double should_be, double by, const char *what,
                                const char *file, int line)
{
    if (is == should_be || fabs(is - should_be) <= by)
        return;
    fprintf(stderr, "%s is %.12g and should be %.12g\n", what, is, should_be);
    _fail(file, line);
}
