// steps_line.h: a line that is being played, for the files that have a function for some of its words.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/scenario/world.h"

struct step_line {
    struct world *world;
    struct place place;
    const char *block;
    struct words words;
};

// misunderstood: ends the scenario.
static inline void misunderstood(const struct step_line *line, const char *expected)
{
    world_fail(line->world, &line->place, "expected: %s", expected);
    line->world->broken = true;
}

static inline const char *word(const struct step_line *line, size_t i)
{
    return i < line->words.count ? line->words.word[i] : "";
}

// The value of a word key=value anywhere in the line, or NULL.
static inline const char *value_of(const struct step_line *line, const char *key)
{
    size_t len = strlen(key);

    for (size_t i = 1; i < line->words.count; i++)
        if (strncmp(line->words.word[i], key, len) == 0 && line->words.word[i][len] == '=')
            return line->words.word[i] + len + 1;
    return NULL;
}

static inline bool read_count(const char *text, uint64_t *out)
{
    char *end;

    *out = strtoull(text, &end, 10);
    return end != text && *end == '\0';
}

// What the line `store ...` and the line `directory ...` do (steps_store.c).
void step_store(struct step_line *line);
void step_directory(struct step_line *line);
// What the line `reputation ...` does (steps_reputation.c).
void step_reputation(struct step_line *line);
