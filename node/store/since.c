// since.c: a sorted table of domains. Promises: the same rows in whatever order they were set.
#include "node/store/since.h"

#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"

static int compare(const void *key, const void *element)
{
    const struct declared *row = element;

    return strcmp(key, row->domain);
}

struct declared *since_find(const struct since *since, const char *domain)
{
    if (since->count == 0)
        return NULL;
    return bsearch(domain, since->row, since->count, sizeof(*since->row), compare);
}

// Where it belongs. Most come in their order.
static size_t place_of(const struct since *since, const char *domain)
{
    size_t low = 0;
    size_t high = since->count;

    if (high > 0 && strcmp(since->row[high - 1].domain, domain) < 0)
        return high;
    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (strcmp(since->row[middle].domain, domain) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

void since_set(struct since *since, const char *domain, uint64_t at_ms)
{
    struct declared *found = since_find(since, domain);
    const size_t at = place_of(since, domain);

    if (found != NULL) {
        found->at_ms = at_ms;
        return;
    }
    if (since->count == since->room) {
        since->room = since->room * 2 + 16;
        since->row = mem_grow(since->row, since->room, sizeof(*since->row));
    }
    memmove(since->row + at + 1, since->row + at, (since->count - at) * sizeof(*since->row));
    since->row[at] = (struct declared){mem_text(domain), at_ms};
    since->count++;
}

void since_take(struct since *since, const char *const *domain, size_t count)
{
    struct since fresh = {.count = 0};

    for (size_t i = 0; i < count; i++) {
        const struct declared *known = since_find(since, domain[i]);

        since_set(&fresh, domain[i], known != NULL ? known->at_ms : 0);
    }
    since_clear(since);
    *since = fresh;
}

void since_clear(struct since *since)
{
    for (size_t i = 0; i < since->count; i++)
        mem_free((void *)(uintptr_t)since->row[i].domain);
    mem_free(since->row);
    *since = (struct since){.count = 0};
}
