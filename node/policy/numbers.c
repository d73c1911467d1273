// numbers.c: the patterns of a set while it is read: the same pattern has one number, however often and wherever it
// stands; and the short texts that live as long as the set.
#include <string.h>

#include "node/core/policy_hash.h"
#include "node/policy/build.h"
#include "proto/base/mem.h"

enum { TEXT_CHUNK = 64 << 10, SLOTS_FIRST = 64 };

const char *build_text(struct policy_build *build, const char *text)
{
    const size_t size = strlen(text) + 1;
    char *copy;

    if (size == 1)
        return "";
    if (size > TEXT_CHUNK / 4)
        return build_keep(build, mem_text(text));
    if (build->text_left < size) {
        build->text = build_keep(build, mem_new(TEXT_CHUNK));
        build->text_left = TEXT_CHUNK;
    }
    copy = build->text;
    memcpy(copy, text, size);
    build->text += size;
    build->text_left -= size;
    return copy;
}

void *build_grow(void *array, size_t count, size_t size)
{
    if ((count & (count - 1)) == 0) // 0, 1, 2, 4, 8 ...: it is full
        array = mem_grow(array, count > 0 ? count * 2 : 1, size);
    return array;
}

void build_slot(uint64_t *slots, uint32_t mask, uint64_t hash, uint32_t number)
{
    uint64_t at = hash;

    while (slots[at & mask] != 0)
        at++;
    slots[at & mask] = (hash >> 32) << 32 | (number + 1ULL);
}

uint64_t *build_slots(size_t count, uint32_t *mask)
{
    size_t size = SLOTS_FIRST;

    while (size < count * 2)
        size *= 2;
    *mask = (uint32_t)(size - 1);
    return mem_new_array(size, sizeof(uint64_t));
}

static uint64_t hash_of(const struct policy_pattern *pattern)
{
    return policy_hash_pattern(pattern->kind, pattern->internal, pattern->local, pattern->domain);
}

static void grow_slots(struct policy_build *build)
{
    if (build->known_slot != NULL && build->known_count * 2 <= build->known_mask)
        return;
    mem_free(build->known_slot);
    build->known_slot = build_slots(build->known_count * 2, &build->known_mask);
    for (size_t i = 0; i < build->known_count; i++)
        build_slot(build->known_slot, build->known_mask, hash_of(&build->known[i].pattern),
                   (uint32_t)i);
}

uint32_t build_number(struct policy_build *build, const struct policy_pattern *pattern)
{
    const uint64_t hash = hash_of(pattern);
    const struct policy so_far = {.known = build->known,
                                  .known_slots = {build->known_slot, build->known_mask}};
    const uint32_t found = policy_find_hashed(&so_far, pattern, hash);

    if (found != POLICY_NOBODY)
        return found;
    grow_slots(build);
    build->known = build_grow(build->known, build->known_count, sizeof(*build->known));
    build->known[build->known_count] = (struct policy_known){
        .pattern = {pattern->kind, pattern->internal, build_text(build, pattern->local),
                    build_text(build, pattern->domain)},
        .user = POLICY_NOBODY,
        .group = POLICY_NOBODY,
    };
    build_slot(build->known_slot, build->known_mask, hash, (uint32_t)build->known_count);
    return (uint32_t)build->known_count++;
}

void build_member(struct policy_build *build, uint32_t pattern, uint32_t group, bool as_recipient,
                  unsigned line)
{
    const size_t place = build->place_count > 0 ? build->place_count - 1 : 0;

    build->pair = build_grow(build->pair, build->pair_count, sizeof(*build->pair));
    build->pair[build->pair_count++] =
        (struct build_pair){.pattern = pattern,
                            .group = group,
                            .line = line,
                            .place = (uint16_t)(place < UINT16_MAX ? place : UINT16_MAX),
                            .as_recipient = as_recipient};
}
