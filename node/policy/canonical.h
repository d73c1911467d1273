// canonical.h: what a set says, statement by statement, whatever its files, order and comments: one enumeration that
// the number of a set, what is printed of it and the difference of two sets are made of.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"

enum canonical_section {
    CANONICAL_DOMAIN,
    CANONICAL_TRUSTED,
    CANONICAL_SETTING, // that is not the default
    CANONICAL_GROUP,
    CANONICAL_MEMBER, // of the group before it
    CANONICAL_USER,
    CANONICAL_POLICY,
    CANONICAL_SECTIONS,
};

// One statement. Its texts live until the next one.
struct canonical {
    enum canonical_section section;
    const char *key; // what it is about, "policy c": no two statements of a set have one key
    const char
        *value; // one line of YAML, what is not the default alone: "{id: "c", kind: block ...}"
    const char *file; // where it stands; "" if that is not known
    unsigned line;
};

// Whether the members of a group come sorted by their text, which costs a million of them a second.
enum canonical_order { CANONICAL_ANY_ORDER, CANONICAL_SORTED };

// canonical_each: all statements, section by section; of one section sorted by key, members only if that was asked
// for. visit returns false to end it.
void canonical_each(const struct policy *policy, enum canonical_order order,
                    bool (*visit)(const struct canonical *said, void *arg), void *arg);

// A statement in a word: 128 bits of key and value each, so that two sets can be compared without their texts.
struct canonical_hash {
    uint64_t key[2];
    uint64_t value[2];
};
void canonical_hash_of(const struct canonical *said, struct canonical_hash *out);

// Between the files of the enumeration: one policy; patterns and texts sorted, each once.
struct line;
void canonical_rule(struct line *line, const struct policy *policy, const struct policy_rule *rule);
void canonical_patterns(struct line *line, const struct policy *policy, const uint32_t *numbers,
                        size_t count);
void canonical_texts(struct line *line, const char *const *texts, size_t count);
