// named.c: sets of four. Promises: clients are compared, not only their hash; a client of an hour before is as good as
// none.
#include "node/store/named.h"

#include <string.h>

#include "proto/base/mem.h"

enum { WAYS = 4 };
static const unsigned SUSPECT_WEIGHT = NAMED_FIELDS + 1;

struct entry {
    struct ip_net client; // family 0 = free
    uint8_t count;
    uint64_t hour;
    uint64_t unknown; // a bit a field: it does not exist
    struct named_suspicion suspicion;
    uint8_t field[NAMED_FIELDS][HARVEST_FIELD_BYTES];
};
_Static_assert(NAMED_FIELDS == 64, "a bit of entry.unknown for each");

struct named {
    size_t sets;
    struct entry *entry; // sets * WAYS
};

struct named *named_new(size_t count)
{
    struct named *named = mem_new(sizeof(*named));

    named->sets = count / WAYS;
    named->entry = mem_new_array(count, sizeof(*named->entry));
    return named;
}

void named_free(struct named **named)
{
    if (*named == NULL)
        return;
    mem_free((*named)->entry);
    mem_free(*named);
    *named = NULL;
}

// ---- places

// FNV-1a (Fowler, Noll, Vo): only chooses a set.
static struct entry *set_of(const struct named *named, const struct ip_net *client)
{
    uint32_t hash = 2166136261U;

    for (size_t i = 0; i < sizeof(client->ip.bytes); i++)
        hash = (hash ^ client->ip.bytes[i]) * 16777619U;
    return &named->entry[hash % named->sets * WAYS];
}

static struct entry *find(const struct named *named, const struct named_of *of)
{
    struct entry *set = set_of(named, &of->client);

    for (size_t i = 0; i < WAYS; i++)
        if (set[i].hour == of->hour && ip_net_compare(&set[i].client, &of->client) == 0)
            return &set[i];
    return NULL;
}

static unsigned weight(const struct entry *entry, uint64_t hour)
{
    const bool is_suspect = entry->suspicion.heard_ms > 0;

    return entry->hour == hour ? entry->count + is_suspect * SUSPECT_WEIGHT : 0;
}

// The client's place; where it has none it takes one.
static struct entry *take(struct named *named, const struct named_of *of)
{
    struct entry *found = find(named, of);
    struct entry *set = set_of(named, &of->client);

    if (found != NULL)
        return found;
    found = set;
    for (size_t i = 0; i < WAYS; i++)
        if (weight(&set[i], of->hour) < weight(found, of->hour))
            found = &set[i];
    memset(found, 0, sizeof(*found));
    found->client = of->client;
    found->hour = of->hour;
    return found;
}

static bool is_of_kind(const struct entry *entry, unsigned at, enum harvest_kind kind)
{
    return (entry->unknown >> at & 1) == (kind == HARVEST_UNKNOWN);
}

// ---- recipients

static bool has(const struct entry *entry, enum harvest_kind kind,
                const uint8_t field[HARVEST_FIELD_BYTES])
{
    for (unsigned i = 0; i < entry->count; i++)
        if (is_of_kind(entry, i, kind) && memcmp(entry->field[i], field, HARVEST_FIELD_BYTES) == 0)
            return true;
    return false;
}

static void append(struct entry *entry, enum harvest_kind kind,
                   const uint8_t field[HARVEST_FIELD_BYTES])
{
    const uint64_t bit = 1ULL << entry->count;

    memcpy(entry->field[entry->count++], field, HARVEST_FIELD_BYTES);
    entry->unknown = kind == HARVEST_UNKNOWN ? entry->unknown | bit : entry->unknown & ~bit;
}

bool named_add(struct named *named, const struct named_of *of, enum harvest_kind kind,
               const uint8_t field[HARVEST_FIELD_BYTES])
{
    struct entry *entry = take(named, of);

    if (has(entry, kind, field))
        return false;
    if (entry->count < NAMED_FIELDS)
        append(entry, kind, field);
    return true;
}

size_t named_list(const struct named *named, const struct named_of *of, enum harvest_kind kind,
                  uint8_t out[NAMED_FIELDS][HARVEST_FIELD_BYTES])
{
    const struct entry *entry = find(named, of);
    size_t count = 0;

    for (unsigned i = 0; entry != NULL && i < entry->count; i++)
        if (is_of_kind(entry, i, kind))
            memcpy(out[count++], entry->field[i], HARVEST_FIELD_BYTES);
    return count;
}

void named_unlearn(struct named *named, const struct named_of *of, enum harvest_kind kind)
{
    struct entry *entry = find(named, of);

    if (entry == NULL)
        return;
    const struct entry before = *entry;

    entry->count = 0;
    for (unsigned i = 0; i < before.count; i++)
        if (!is_of_kind(&before, i, kind))
            append(entry, kind == HARVEST_UNKNOWN ? HARVEST_EXISTING : HARVEST_UNKNOWN,
                   before.field[i]);
}

void named_forget(struct named *named, const struct ip_net *client)
{
    struct entry *set = set_of(named, client);

    for (size_t i = 0; i < WAYS; i++)
        if (ip_net_compare(&set[i].client, client) == 0)
            memset(&set[i], 0, sizeof(set[i]));
}

// ---- suspicion

struct named_suspicion named_suspicion(const struct named *named, const struct named_of *of)
{
    const struct entry *entry = find(named, of);

    return entry != NULL ? entry->suspicion : (struct named_suspicion){0};
}

void named_set_suspicion(struct named *named, const struct named_of *of,
                         const struct named_suspicion *suspicion)
{
    take(named, of)->suspicion = *suspicion;
}
