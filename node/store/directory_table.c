// directory_table.c: a sorted table of the directories in force, and how they are stored. Promises: the same rows in
// whatever order they were set; bytes that are not of our form are never believed.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/directory.h"
#include "proto/base/mem.h"

// ---- the table

// The place of a domain, or where it would stand.
static size_t place_of(const struct directory_table *table, const char *domain, bool *found)
{
    size_t low = 0;
    size_t high = table->count;

    *found = false;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        const int order = strcmp(table->item[middle].domain, domain);

        if (order == 0) {
            *found = true;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

const struct store_directory *directory_find(const struct directory_table *table,
                                             const char *domain)
{
    bool found = false;
    const size_t at = place_of(table, domain, &found);

    return found ? &table->item[at] : NULL;
}

static struct store_directory copy_of(const struct store_directory *row)
{
    struct store_directory copy = *row;

    copy.domain = mem_text(row->domain);
    copy.by = mem_text(row->by);
    return copy;
}

static void drop(struct store_directory *row)
{
    mem_free((void *)(uintptr_t)row->domain);
    mem_free((void *)(uintptr_t)row->by);
}

static bool make_room(struct directory_table *table)
{
    if (table->count == DIRECTORY_DOMAINS_MAX)
        return false;
    if (table->count == table->room) {
        table->room = table->room * 2 + 16;
        table->item = mem_grow(table->item, table->room, sizeof(*table->item));
    }
    return true;
}

bool directory_set(struct directory_table *table, const struct store_directory *row)
{
    bool found = false;
    const size_t at = place_of(table, row->domain, &found);
    struct store_directory copy = copy_of(row); // the row may be the one that gives way

    if (found) {
        drop(&table->item[at]);
        table->item[at] = copy;
        return true;
    }
    if (!make_room(table)) {
        drop(&copy);
        return false;
    }
    memmove(table->item + at + 1, table->item + at, (table->count - at) * sizeof(*table->item));
    table->item[at] = copy;
    table->count++;
    return true;
}

bool directory_append(struct directory_table *table, const struct store_directory *row)
{
    if (!make_room(table))
        return false;
    table->item[table->count++] = copy_of(row);
    return true;
}

static int by_domain(const void *left, const void *right)
{
    const struct store_directory *a = left;
    const struct store_directory *b = right;

    return strcmp(a->domain, b->domain);
}

void directory_settle(struct directory_table *table)
{
    if (table->count > 1)
        qsort(table->item, table->count, sizeof(*table->item), by_domain);
}

void directory_remove(struct directory_table *table, const char *domain)
{
    bool found = false;
    const size_t at = place_of(table, domain, &found);

    if (!found)
        return;
    drop(&table->item[at]);
    table->count--;
    memmove(table->item + at, table->item + at + 1, (table->count - at) * sizeof(*table->item));
}

void directory_clear(struct directory_table *table)
{
    for (size_t i = 0; i < table->count; i++)
        drop(&table->item[i]);
    mem_free(table->item);
    *table = (struct directory_table){.count = 0};
}

size_t directory_page(const struct directory_table *table, const char *after,
                      struct store_directory *out, size_t max)
{
    bool found = false;
    size_t at = place_of(table, after, &found);
    size_t count = 0;

    for (at += found; at < table->count && count < max; at++)
        out[count++] = table->item[at];
    return count;
}

// ---- numbers

uint32_t directory_buckets(uint64_t entries)
{
    const uint64_t buckets = (entries + DIRECTORY_BUCKET_ROWS - 1) / DIRECTORY_BUCKET_ROWS;

    if (buckets == 0)
        return 1;
    return buckets < DIRECTORY_BUCKETS_MAX ? (uint32_t)buckets : DIRECTORY_BUCKETS_MAX;
}

_Static_assert(DIRECTORY_DOMAINS_MAX < 1 << DIRECTORY_VERSION_BITS, "each has a number");

void directory_number(struct store_directory *rows, size_t count, uint64_t now_ms)
{
    const uint64_t first = (now_ms > 0 ? now_ms : 1) << DIRECTORY_VERSION_BITS;

    for (size_t i = 0; i < count; i++)
        rows[i].directory = (struct person_directory){
            .version = first + i, .buckets = directory_buckets(rows[i].entries)};
}

// ---- as they are stored

size_t directory_value(const struct store_directory *row, char out[DIRECTORY_VALUE_MAX])
{
    return (size_t)snprintf(
        out, DIRECTORY_VALUE_MAX, "%" PRIu64 " %" PRIu32 " %" PRIu64 " %" PRIu64 " %s",
        row->directory.version, row->directory.buckets, row->entries, row->at_ms, row->by);
}

// A number and the blank behind it, or the end.
static bool take_number(const char **at, uint64_t max, uint64_t *out)
{
    uint64_t number = 0;
    const char *text = *at;

    for (; *text >= '0' && *text <= '9'; text++) {
        const uint64_t digit = (uint64_t)(*text - '0');

        if (number > (max - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    if (text == *at || (*text != ' ' && *text != '\0'))
        return false;
    *at = text + (*text == ' ');
    *out = number;
    return true;
}

static bool take_buckets(const char **at, uint32_t *out)
{
    uint64_t buckets = 0;

    if (!take_number(at, DIRECTORY_BUCKETS_MAX, &buckets) || buckets == 0)
        return false;
    *out = (uint32_t)buckets;
    return true;
}

bool directory_read(const char *domain, const char *value, struct store_directory *out)
{
    out->domain = domain;
    if (!text_is_clean(domain, strlen(domain), MAIL_DOMAIN_MAX) || domain[0] == '\0' ||
        !take_number(&value, UINT64_MAX, &out->directory.version) || out->directory.version == 0 ||
        !take_buckets(&value, &out->directory.buckets) ||
        !take_number(&value, UINT64_MAX, &out->entries) ||
        !take_number(&value, UINT64_MAX, &out->at_ms))
        return false;
    out->by = value;
    return text_is_clean(value, strlen(value), STORE_BY_MAX);
}

void directory_version_value(const struct person_directory *directory, uint64_t until_ms,
                             char out[DIRECTORY_VERSION_MAX])
{
    (void)snprintf(out, DIRECTORY_VERSION_MAX, "%" PRIu32 " %" PRIu64, directory->buckets,
                   until_ms);
}

bool directory_version_read(const char *field, const char *value, struct directory_version *out)
{
    return take_number(&field, UINT64_MAX, &out->directory.version) && *field == '\0' &&
           out->directory.version != 0 && take_buckets(&value, &out->directory.buckets) &&
           take_number(&value, UINT64_MAX, &out->until_ms) && *value == '\0';
}
