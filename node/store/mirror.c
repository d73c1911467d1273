// mirror.c: a sorted array. Promises: never more than EXPECT_MAX rows, so never more than about
// eight megabytes; what is read is a whole row or none.
#include "node/store/mirror.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/base/mem.h"
#include "proto/text.h"

#define MOMENT_MAX_MS (1ULL << 48) // of what is believed to be a time

// ---- the table

// The place of the recipient, or the one where it belongs.
static size_t place_of(const struct mirror *mirror, const char *recipient, bool *found)
{
    size_t low = 0;
    size_t high = mirror->count;

    *found = false;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(mirror->item[middle].recipient, recipient);

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

static void free_row(struct expectation *row)
{
    mem_free((void *)(uintptr_t)row->recipient);
    mem_free((void *)(uintptr_t)row->note);
}

void mirror_clear(struct mirror *mirror)
{
    for (size_t i = 0; i < mirror->count; i++)
        free_row(&mirror->item[i]);
    mem_free(mirror->item);
    *mirror = (struct mirror){.count = 0};
}

const struct expectation *mirror_find(const struct mirror *mirror, const char *recipient)
{
    bool found = false;
    size_t at = place_of(mirror, recipient, &found);

    return found ? &mirror->item[at] : NULL;
}

void mirror_remove(struct mirror *mirror, const char *recipient)
{
    bool found = false;
    size_t at = place_of(mirror, recipient, &found);

    if (!found)
        return;
    free_row(&mirror->item[at]);
    mirror->count--;
    memmove(&mirror->item[at], &mirror->item[at + 1],
            (mirror->count - at) * sizeof(mirror->item[0]));
}

const struct expectation *mirror_first_to_end(const struct mirror *mirror)
{
    const struct expectation *first = NULL;

    for (size_t i = 0; i < mirror->count; i++) {
        if (first == NULL || mirror->item[i].until_ms < first->until_ms)
            first = &mirror->item[i];
    }
    return first;
}

static void grow(struct mirror *mirror)
{
    if (mirror->count < mirror->room)
        return;
    mirror->room = mirror->room == 0 ? 16 : 2 * mirror->room;
    mirror->item = mem_grow(mirror->item, mirror->room, sizeof(mirror->item[0]));
}

static struct expectation copy_of(const struct expectation *row)
{
    struct expectation copy = *row;

    copy.recipient = mem_text(row->recipient);
    copy.note = mem_text(row->note);
    return copy;
}

void mirror_set(struct mirror *mirror, const struct expectation *row)
{
    struct expectation copy = copy_of(row); // first: the row may be our own
    bool found = false;

    mirror_remove(mirror, copy.recipient);
    if (mirror->count == EXPECT_MAX)
        mirror_remove(mirror, mirror_first_to_end(mirror)->recipient);
    grow(mirror);
    size_t at = place_of(mirror, copy.recipient, &found);

    memmove(&mirror->item[at + 1], &mirror->item[at],
            (mirror->count - at) * sizeof(mirror->item[0]));
    mirror->item[at] = copy;
    mirror->count++;
}

bool mirror_append(struct mirror *mirror, const struct expectation *row)
{
    if (mirror->count == EXPECT_MAX)
        return false;
    grow(mirror);
    mirror->item[mirror->count++] = copy_of(row);
    return true;
}

static int compare(const void *one, const void *other)
{
    const struct expectation *a = one;
    const struct expectation *b = other;
    int order = strcmp(a->recipient, b->recipient);

    return order != 0 ? order : (a->until_ms > b->until_ms) - (a->until_ms < b->until_ms);
}

void mirror_settle(struct mirror *mirror)
{
    size_t kept = 0;

    if (mirror->count > 0)
        qsort(mirror->item, mirror->count, sizeof(mirror->item[0]), compare);
    for (size_t i = 0; i < mirror->count; i++) {
        bool is_last = i + 1 == mirror->count ||
                       strcmp(mirror->item[i].recipient, mirror->item[i + 1].recipient) != 0;

        if (is_last)
            mirror->item[kept++] = mirror->item[i];
        else
            free_row(&mirror->item[i]);
    }
    mirror->count = kept;
}

size_t mirror_page(const struct mirror *mirror, const char *after, uint64_t now_ms,
                   struct expectation *out, size_t max)
{
    bool found = false;
    size_t at = place_of(mirror, after, &found) + found;
    size_t count = 0;

    for (; at < mirror->count && count < max; at++) {
        if (mirror->item[at].until_ms >= now_ms)
            out[count++] = mirror->item[at];
    }
    return count;
}

// ---- how it is stored

void mirror_field(const struct expectation *row, char out[EXPECT_FIELD_MAX])
{
    (void)snprintf(out, EXPECT_FIELD_MAX, "%s %" PRIu64, row->recipient, row->until_ms);
}

void mirror_value(const struct expectation *row, char out[EXPECT_VALUE_MAX])
{
    (void)snprintf(out, EXPECT_VALUE_MAX, "%" PRIu64 " %s", row->since_ms, row->note);
}

bool mirror_is_sound(const struct expectation *row)
{
    size_t len = strlen(row->recipient);
    size_t note_len = strlen(row->note);

    return len > 0 && text_is_clean(row->recipient, len, EXPECT_RECIPIENT_MAX) &&
           text_is_clean(row->note, note_len, EXPECT_NOTE_MAX) && row->until_ms > 0 &&
           row->until_ms < MOMENT_MAX_MS && row->since_ms < MOMENT_MAX_MS;
}

// A decimal number up to the blank or the end.
static bool read_moment(const char *text, const char **rest, uint64_t *out)
{
    size_t digits = strspn(text, "0123456789");

    if (digits == 0 || digits > 15 || (text[digits] != '\0' && text[digits] != ' '))
        return false;
    *out = strtoull(text, NULL, 10);
    *rest = text + digits;
    return true;
}

bool mirror_read(const char *field, const char *value, char recipient[EXPECT_RECIPIENT_MAX + 1],
                 struct expectation *out)
{
    const char *blank = strrchr(field, ' '); // a quoted recipient may hold others
    size_t len = blank != NULL ? (size_t)(blank - field) : 0;
    const char *rest = NULL;

    if (len == 0 || len > EXPECT_RECIPIENT_MAX || !read_moment(blank + 1, &rest, &out->until_ms) ||
        *rest != '\0' || !read_moment(value, &rest, &out->since_ms))
        return false;
    memcpy(recipient, field, len);
    recipient[len] = '\0';
    out->recipient = recipient;
    out->note = *rest == ' ' ? rest + 1 : rest;
    return mirror_is_sound(out);
}
