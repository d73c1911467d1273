// parents.c: see parents.h. Promises: nothing is allocated after parents_new; what is found is what was put of the same keyed hash.
#include "node/store/parents.h"

#include <sodium.h>
#include <string.h>

#include "proto/base/mem.h"

_Static_assert(PARENTS_SECRET_BYTES == crypto_shorthash_KEYBYTES, "SipHash key");

struct entry {
    uint8_t hash[crypto_shorthash_BYTES];
    uint64_t at_ms; // 0 = empty
    bool is_present;
    uint8_t bytes[REPUTATION_BYTES];
};
_Static_assert(sizeof(struct entry) <= 64, "an entry is as small as is told");

struct root {
    uint64_t at_ms;
    bool is_present;
    uint8_t bytes[REPUTATION_ROOT_BYTES];
};

struct parents {
    uint8_t secret[PARENTS_SECRET_BYTES];
    struct root root[2];
    struct entry set[PARENTS_SETS][PARENTS_WAYS];
};

struct parents *parents_new(const uint8_t secret[PARENTS_SECRET_BYTES])
{
    struct parents *parents = mem_new(sizeof(*parents));

    memcpy(parents->secret, secret, sizeof(parents->secret));
    return parents;
}

void parents_free(struct parents **parents)
{
    mem_free(*parents);
    *parents = NULL;
}

void parents_drop(struct parents *parents)
{
    memset(parents->root, 0, sizeof(parents->root));
    memset(parents->set, 0, sizeof(parents->set));
}

static struct root *root_of(const struct parents *parents, enum reputation_kind kind)
{
    struct parents *writable = (struct parents *)(uintptr_t)parents;

    return &writable->root[kind == REPUTATION_SENDERS];
}

// find: the key's entry, else NULL and in *room the one that gives way.
static struct entry *find(const struct parents *parents, const char *key,
                          uint8_t hash[crypto_shorthash_BYTES], struct entry **room)
{
    struct parents *writable = (struct parents *)(uintptr_t)parents;
    uint32_t number = 0;

    (void)crypto_shorthash(hash, (const uint8_t *)key, strlen(key), parents->secret);
    memcpy(&number, hash, sizeof(number));
    struct entry *set = writable->set[number % PARENTS_SETS];

    *room = set;
    for (unsigned i = 0; i < PARENTS_WAYS; i++) {
        if (set[i].at_ms != 0 && memcmp(set[i].hash, hash, sizeof(set[i].hash)) == 0)
            return &set[i];
        if (set[i].at_ms < (*room)->at_ms)
            *room = &set[i];
    }
    return NULL;
}

void parents_put(struct parents *parents, const char *key, const struct reputation_level *level,
                 uint64_t now_ms)
{
    const bool is_present = level->state == FACT_PRESENT;
    uint8_t bytes[REPUTATION_ROOT_BYTES];
    uint8_t hash[crypto_shorthash_BYTES];
    struct entry *room = NULL;

    if (is_present)
        (void)reputation_pack(level->id.kind, &level->is, bytes);
    if (reputation_is_root(level->id.kind)) {
        struct root *root = root_of(parents, level->id.kind);

        root->at_ms = now_ms;
        root->is_present = is_present;
        if (is_present)
            memcpy(root->bytes, bytes, sizeof(root->bytes));
        return;
    }
    struct entry *entry = find(parents, key, hash, &room);

    if (entry == NULL)
        entry = room;
    memcpy(entry->hash, hash, sizeof(hash));
    entry->at_ms = now_ms;
    entry->is_present = is_present;
    if (is_present)
        memcpy(entry->bytes, bytes, sizeof(entry->bytes));
}

static bool is_fresh(uint64_t at_ms, uint64_t now_ms)
{
    return at_ms != 0 && now_ms - at_ms < PARENTS_KEEP_MS;
}

static bool take(struct reputation_level *level, bool is_present, const uint8_t *bytes, size_t len)
{
    level->state = FACT_ABSENT;
    level->is = (struct reputation_state){.at_s = 0};
    if (!is_present)
        return true;
    if (reputation_unpack(level->id.kind, bytes, len, &level->is) != ERR_NONE)
        return false;
    level->state = FACT_PRESENT;
    return true;
}

bool parents_get(const struct parents *parents, const char *key, struct reputation_level *level,
                 uint64_t now_ms)
{
    uint8_t hash[crypto_shorthash_BYTES];
    struct entry *room = NULL;

    if (reputation_is_root(level->id.kind)) {
        const struct root *root = root_of(parents, level->id.kind);

        return is_fresh(root->at_ms, now_ms) &&
               take(level, root->is_present, root->bytes, sizeof(root->bytes));
    }
    const struct entry *entry = find(parents, key, hash, &room);

    return entry != NULL && is_fresh(entry->at_ms, now_ms) &&
           take(level, entry->is_present, entry->bytes, sizeof(entry->bytes));
}
