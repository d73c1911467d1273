// roll.c: open addressing with linear probing, never more than half full. Promises: never more than ROLL_MAX
// entries; what gives way is found without a walk through all of it, but for once a day of age; what is read
// is a whole row or none.
#include "node/store/roll.h"

#include <inttypes.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/text.h"

enum { NAME_BYTES = 16, SLOTS_LEAST = 64 };
_Static_assert(NAME_BYTES == crypto_shorthash_siphashx24_BYTES, "SipHash-128");
_Static_assert(ROLL_SECRET_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "SipHash key");

struct roll_entry {
    uint8_t name[NAME_BYTES];
    struct spared_row row; // newest 0 = an empty slot
    uint32_t reading;      // in which it was met last
    uint32_t unused;
};
_Static_assert(sizeof(struct roll_entry) == 32, "an entry is as small as is told");

void roll_begin(struct roll *roll, const uint8_t secret[ROLL_SECRET_BYTES])
{
    *roll = (struct roll){.count = 0};
    memcpy(roll->secret, secret, sizeof(roll->secret));
}

void roll_clear(struct roll *roll)
{
    mem_free(roll->slot);
    *roll = (struct roll){.count = 0};
}

// ---- places

static void name_of(const struct roll *roll, const char *client, uint8_t out[NAME_BYTES])
{
    (void)crypto_shorthash_siphashx24(out, (const uint8_t *)client, strlen(client), roll->secret);
}

static size_t home_of(const struct roll *roll, const uint8_t name[NAME_BYTES])
{
    uint64_t number = 0;

    memcpy(&number, name, sizeof(number));
    return (size_t)number & (roll->slots - 1);
}

static bool is_empty(const struct roll *roll, size_t at)
{
    return roll->slot[at].row.newest == 0;
}

static size_t next_of(const struct roll *roll, size_t at)
{
    return (at + 1) & (roll->slots - 1);
}

// The slot of that name, or the empty one where it belongs. There are slots.
static size_t place_of(const struct roll *roll, const uint8_t name[NAME_BYTES])
{
    size_t at = home_of(roll, name);

    while (!is_empty(roll, at) && memcmp(roll->slot[at].name, name, NAME_BYTES) != 0)
        at = next_of(roll, at);
    return at;
}

static void grow(struct roll *roll)
{
    struct roll_entry *old = roll->slot;
    size_t slots = roll->slots;

    if (2 * (roll->count + 1) <= slots)
        return;
    roll->slots = slots == 0 ? SLOTS_LEAST : 2 * slots;
    roll->slot = mem_new_array(roll->slots, sizeof(*old));
    roll->hand = 0;
    for (size_t i = 0; i < slots; i++)
        if (old[i].row.newest != 0)
            roll->slot[place_of(roll, old[i].name)] = old[i];
    mem_free(old);
}

// The entries behind it that were pushed away from their homes move up.
static void remove_at(struct roll *roll, size_t hole)
{
    size_t mask = roll->slots - 1;

    roll->count--;
    roll->day[roll->slot[hole].row.newest % ROLL_DAYS]--;
    for (size_t at = next_of(roll, hole); !is_empty(roll, at); at = next_of(roll, at)) {
        size_t home = home_of(roll, roll->slot[at].name);

        if (((at - home) & mask) < ((at - hole) & mask))
            continue; // its home lies behind the hole
        roll->slot[hole] = roll->slot[at];
        hole = at;
    }
    roll->slot[hole].row = (struct spared_row){.newest = 0};
}

// ---- who gives way

// The oldest of the days that are there, seen from one of them: none is ROLL_DAYS / 2 days away from it.
static uint32_t oldest_day(const struct roll *roll, uint32_t from)
{
    uint32_t day = from >= ROLL_DAYS / 2 ? from - ROLL_DAYS / 2 : 1;

    while (day < from && roll->day[day % ROLL_DAYS] == 0)
        day++;
    return day;
}

// Makes room in a full roll; false if nobody there is older than the row.
static bool make_room(struct roll *roll, const struct spared_row *row)
{
    uint32_t oldest = oldest_day(roll, row->newest);

    if (oldest >= row->newest)
        return false;
    for (size_t i = 0; i < roll->slots; i++) {
        roll->hand = next_of(roll, roll->hand);
        if (!is_empty(roll, roll->hand) && roll->slot[roll->hand].row.newest == oldest) {
            remove_at(roll, roll->hand);
            return true;
        }
    }
    return false; // a day far from all others was counted as this one
}

// ---- the table

struct spared_row roll_find(const struct roll *roll, const char *client)
{
    const struct spared_row none = {.newest = 0};
    uint8_t name[NAME_BYTES];

    if (roll->count == 0)
        return none;
    name_of(roll, client, name);
    return roll->slot[place_of(roll, name)].row; // of an empty slot it is zeroed
}

void roll_remove(struct roll *roll, const char *client)
{
    uint8_t name[NAME_BYTES];

    if (roll->count == 0)
        return;
    name_of(roll, client, name);
    size_t at = place_of(roll, name);

    if (!is_empty(roll, at))
        remove_at(roll, at);
}

void roll_set(struct roll *roll, const char *client, const struct spared_row *row)
{
    struct roll_entry entry = {.row = *row, .reading = roll->reading};

    roll_remove(roll, client);
    if (row->newest == 0 || (roll->count == ROLL_MAX && !make_room(roll, row)))
        return;
    grow(roll);
    name_of(roll, client, entry.name);
    roll->slot[place_of(roll, entry.name)] = entry;
    roll->day[row->newest % ROLL_DAYS]++;
    roll->count++;
}

void roll_read_begin(struct roll *roll)
{
    roll->reading++;
}

// Whoever moves up into a slot that was made empty is looked at as well.
void roll_read_end(struct roll *roll)
{
    for (size_t at = 0; at < roll->slots; at++)
        while (!is_empty(roll, at) && roll->slot[at].reading != roll->reading)
            remove_at(roll, at);
}

// ---- how it is stored

void roll_value(const struct spared_row *row, char out[ROLL_VALUE_MAX])
{
    (void)snprintf(out, ROLL_VALUE_MAX, "%" PRIu32 " %" PRIu32, row->rests, row->newest);
}

bool roll_is_sound(const char *client, const struct spared_row *row)
{
    return client[0] != '\0' && text_is_clean(client, strlen(client), SPARED_NAME_MAX - 3) &&
           row->newest > 0 && row->rests <= row->newest;
}

bool roll_is_over(const struct spared_row *row, uint64_t today)
{
    return (uint64_t)row->rests + SPARED_LIFE_DAYS < today;
}

bool roll_is_ahead(const struct spared_row *row, uint64_t today)
{
    return row->newest > today + SPARED_LIFE_DAYS;
}

static bool read_day(const char **at, char end, uint32_t *out)
{
    uint64_t day = 0;
    size_t digits = 0;

    for (; **at >= '0' && **at <= '9' && digits < 10; (*at)++, digits++)
        day = day * 10 + (uint64_t)(**at - '0');
    if (digits == 0 || day > UINT32_MAX || **at != end)
        return false;
    *out = (uint32_t)day;
    return true;
}

bool roll_read(const char *client, const char *value, uint64_t today, struct spared_row *out)
{
    const char *at = value;

    if (!read_day(&at, ' ', &out->rests))
        return false;
    at++;
    return read_day(&at, '\0', &out->newest) && roll_is_sound(client, out) &&
           !roll_is_ahead(out, today);
}
