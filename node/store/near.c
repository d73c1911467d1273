// near.c: a set-associative table. Promises: nothing is allocated after near_new; what is recalled
// is what the store said of the same keyed hashes in the same slice, so a wrong hit is as unlikely
// as one in the store itself; a clock that went back, or a new slice, secret or number of buckets,
// finds nothing.
#include "node/store/near.h"

#include <sodium.h>
#include <string.h>

#include "proto/base/mem.h"

// What names an entry before it is hashed: slice, bucket, and the field of each identity.
enum { NAME_MAX_BYTES = 8 + 4 + KEY_IDENTITY_MAX * KEY_FIELD_BYTES };
_Static_assert(NEAR_KEY_BYTES == crypto_shorthash_siphashx24_BYTES, "SipHash-128");
_Static_assert(NEAR_SECRET_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "SipHash key");

struct entry {
    uint8_t key[NEAR_KEY_BYTES];
    uint64_t at_ms; // 0 = empty
    uint32_t mark;
    uint32_t kept_ms; // since at_ms: always less than NEAR_YOUNG_MS
};
_Static_assert(sizeof(struct entry) == NEAR_ENTRY_BYTES, "an entry is as small as is told");

struct near {
    uint8_t secret[NEAR_SECRET_BYTES];
    size_t sets;
    size_t count;
    uint64_t dice; // who goes
    struct entry (*set)[NEAR_WAYS];
};

struct near *near_new(uint64_t bytes, const uint8_t secret[NEAR_SECRET_BYTES])
{
    struct near *near = mem_new(sizeof(*near));

    memcpy(near->secret, secret, sizeof(near->secret));
    near->sets = (size_t)(bytes / sizeof(near->set[0]));
    if (near->sets == 0)
        near->sets = 1;
    near->set = mem_new_array(near->sets, sizeof(near->set[0]));
    return near;
}

void near_free(struct near **near)
{
    if (*near == NULL)
        return;
    mem_free((*near)->set);
    mem_free(*near);
    *near = NULL;
}

void near_drop(struct near *near)
{
    if (near->count > 0) // pages that were never touched stay untouched
        memset(near->set, 0, near->sets * sizeof(near->set[0]));
    near->count = 0;
}

size_t near_count(const struct near *near)
{
    return near->count;
}

static void put(uint8_t *bytes, size_t *used, const void *from, size_t len)
{
    memcpy(bytes + *used, from, len);
    *used += len;
}

static void hash_key(const struct near *near, const struct key_triplet *key,
                     uint8_t out[NEAR_KEY_BYTES])
{
    const struct key_place *place = &key->passed[KEY_CURRENT];
    uint8_t name[NAME_MAX_BYTES];
    size_t used = 0;

    put(name, &used, &place->slice, sizeof(place->slice));
    put(name, &used, &place->bucket, sizeof(place->bucket));
    for (unsigned i = 0; i < key->identity_count; i++)
        put(name, &used, place->field[i], KEY_FIELD_BYTES);
    (void)crypto_shorthash_siphashx24(out, name, used, near->secret);
}

static struct entry *set_of(const struct near *near, const uint8_t key[NEAR_KEY_BYTES])
{
    uint64_t number = 0;

    memcpy(&number, key, sizeof(number));
    return near->set[number % near->sets];
}

static struct entry *find(const struct near *near, const uint8_t key[NEAR_KEY_BYTES])
{
    struct entry *set = set_of(near, key);

    for (unsigned i = 0; i < NEAR_WAYS; i++) {
        if (set[i].at_ms != 0 && memcmp(set[i].key, key, NEAR_KEY_BYTES) == 0)
            return &set[i];
    }
    return NULL;
}

// ---- learning

// One stamp for all identities; false if they cannot be told as one, or soon are written again.
static bool sum_up(const struct key_triplet *key, const struct fact_stamp *stamp, uint64_t now_ms,
                   struct fact_stamp *out)
{
    *out = (struct fact_stamp){.state = FACT_ABSENT};
    for (unsigned i = 0; i < key->identity_count; i++) {
        if (key->identity[i].kind == KEY_ANY)
            continue;
        if (stamp[i].state != FACT_PRESENT || stamp[i].at_ms > now_ms ||
            now_ms - stamp[i].at_ms >= NEAR_YOUNG_MS)
            return false;
        if (stamp[i].mark != 0 && out->mark != 0 && stamp[i].mark != out->mark)
            return false;
        out->state = FACT_PRESENT;
        out->mark |= stamp[i].mark; // either is 0, or they are the same
        if (stamp[i].at_ms > out->at_ms)
            out->at_ms = stamp[i].at_ms;
    }
    return out->state == FACT_PRESENT && out->at_ms != 0;
}

static uint64_t kept_since(const struct entry *entry)
{
    return entry->at_ms + entry->kept_ms;
}

static bool is_too_old(const struct entry *entry, uint64_t now_ms)
{
    return now_ms - kept_since(entry) > NEAR_KEEP_MS; // and what is of the future
}

// An empty entry, or one of no more use, else any: who asks for a little more than fits, again and
// again in the same order, would meet nothing at all if the oldest went.
static struct entry *make_room(struct near *near, const uint8_t key[NEAR_KEY_BYTES],
                               uint64_t now_ms)
{
    struct entry *set = set_of(near, key);

    for (unsigned i = 0; i < NEAR_WAYS; i++) {
        if (set[i].at_ms == 0) {
            near->count++;
            return &set[i];
        }
        if (is_too_old(&set[i], now_ms))
            return &set[i];
    }
    near->dice = near->dice * 6364136223846793005ULL + 1442695040888963407ULL; // Knuth's MMIX
    return &set[near->dice >> 32 & (NEAR_WAYS - 1)];
}

void near_learn(struct near *near, const struct key_triplet *key,
                const struct fact_stamp stamp[KEY_IDENTITY_MAX], uint64_t now_ms)
{
    uint8_t hash[NEAR_KEY_BYTES];
    struct fact_stamp sum;

    if (!sum_up(key, stamp, now_ms, &sum))
        return;
    hash_key(near, key, hash);
    struct entry *entry = find(near, hash);

    if (entry == NULL)
        entry = make_room(near, hash, now_ms);
    memcpy(entry->key, hash, sizeof(hash));
    entry->at_ms = sum.at_ms;
    entry->mark = sum.mark;
    entry->kept_ms = (uint32_t)(now_ms - sum.at_ms);
}

// ---- recalling

static bool holds(const struct entry *entry, uint64_t now_ms, uint64_t life_ms)
{
    uint64_t kept_ms = kept_since(entry);

    return now_ms >= kept_ms && now_ms - kept_ms <= NEAR_KEEP_MS &&
           now_ms - entry->at_ms <= life_ms;
}

bool near_recall(const struct near *near, const struct key_triplet *key, uint64_t now_ms,
                 uint64_t life_ms, struct fact_stamp stamp[KEY_IDENTITY_MAX])
{
    uint8_t hash[NEAR_KEY_BYTES];

    if (near->count == 0)
        return false;
    hash_key(near, key, hash);
    const struct entry *entry = find(near, hash);

    if (entry == NULL || !holds(entry, now_ms, life_ms))
        return false;
    for (unsigned i = 0; i < key->identity_count; i++) {
        if (key->identity[i].kind != KEY_ANY)
            stamp[i] = (struct fact_stamp){FACT_PRESENT, entry->at_ms, entry->mark};
    }
    return true;
}
