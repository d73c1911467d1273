// random.h: a small deterministic random generator for property tests: the same seed makes the same cases on every
// machine. REEVE_SEED in the environment takes the place of a test's own seed. Header-only, because a unit test is
// one file.
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

struct random {
    uint64_t state;
};

// splitmix64: Steele, Lea, Flood: Fast splittable pseudorandom number generators (2014).
static inline uint64_t random_next(struct random *random)
{
    uint64_t z = random->state += 0x9e3779b97f4a7c15U;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9U;
    z = (z ^ z >> 27) * 0x94d049bb133111ebU;
    return z ^ z >> 31;
}

// random_below: 0 .. count - 1.
static inline unsigned random_below(struct random *random, size_t count)
{
    return (unsigned)(random_next(random) % count);
}

static inline bool random_chance(struct random *random, unsigned percent)
{
    return random_below(random, 100) < percent;
}

static inline uint64_t random_seed(uint64_t unless_said)
{
    const char *said = getenv("REEVE_SEED");

    return said != NULL ? strtoull(said, NULL, 0) : unless_said;
}

// RANDOM_OF: an element of an array.
#define RANDOM_OF(random, array) \
    ((array)[random_below((random), sizeof(array) / sizeof((array)[0]))])
