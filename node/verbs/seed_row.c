// seed_row.c: reads the documents of grey.seed and allow.seed. Promises: any bytes are read to their end, line by
// line; what is no row is told as such; no text that comes out holds a control character.
#include "node/verbs/seed_row.h"

#include <string.h>

#include "proto/msg.h"
#include "proto/text.h"

enum { FIELDS_MAX = 5, DIGITS_MAX = 15 }; // 15 digits of ms reach the year 33658

// next_line: false at the end.
static bool next_line(struct seed_rows *rows, const char **line, size_t *len)
{
    while (rows->left > 0) {
        const char *end = memchr(rows->at, '\n', rows->left);
        size_t took = end == NULL ? rows->left : (size_t)(end - rows->at) + 1;

        *line = rows->at;
        *len = end == NULL ? took : took - 1;
        rows->at += took;
        rows->left -= took;
        rows->line++;
        if (*len > 0)
            return true;
    }
    return false;
}

size_t seed_rows_count(const struct seed_rows *rows)
{
    struct seed_rows walk = *rows;
    const char *line = NULL;
    size_t len = 0;
    size_t count = 0;

    while (next_line(&walk, &line, &len))
        count++;
    return count;
}

static bool read_stamp(const char *text, size_t len, uint64_t *out)
{
    uint64_t at_ms = 0;

    if (len == 0 || len > DIGITS_MAX)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (text[i] < '0' || text[i] > '9')
            return false;
        at_ms = at_ms * 10 + (uint64_t)(text[i] - '0');
    }
    *out = at_ms;
    return true;
}

static const char *keep(struct arena *arena, const char *text, size_t len, size_t limit)
{
    char *clean = arena_alloc(arena, limit + 1);

    if (clean != NULL)
        (void)text_clean(clean, limit, text, len);
    return clean;
}

// A line in its parts.
struct fields {
    size_t count;
    const char *at[FIELDS_MAX];
    size_t len[FIELDS_MAX];
};

// split: false if the line has more fields than count, or fewer.
static bool split(const char *line, size_t len, size_t count, struct fields *out)
{
    const char *end = line + len;

    out->count = count;
    for (size_t i = 0; i < count; i++) {
        const char *tab = memchr(line, '\t', (size_t)(end - line));

        if ((tab == NULL) != (i == count - 1))
            return false;
        out->at[i] = line;
        out->len[i] = (size_t)((tab == NULL ? end : tab) - line);
        line = tab == NULL ? end : tab + 1;
    }
    return true;
}

// next_fields: of the next line, the first of which is a stamp. what: the words for a line that has others.
static enum seed_read next_fields(struct seed_rows *rows, size_t count, const char *what,
                                  struct fields *out, uint64_t *at_ms, const char **why)
{
    const char *line = NULL;
    size_t len = 0;

    if (!next_line(rows, &line, &len))
        return SEED_END;
    *why = "a line has at most 2048 bytes";
    if (len > SEED_LINE_MAX)
        return SEED_NO_ROW;
    *why = what;
    if (!split(line, len, count, out))
        return SEED_NO_ROW;
    *why = "expected Unix time in ms as the first field";
    if (!read_stamp(out->at[0], out->len[0], at_ms))
        return SEED_NO_ROW;
    *why = "there is no memory left for this line";
    return SEED_ROW;
}

enum seed_read seed_row_next(struct seed_rows *rows, struct arena *arena, struct seed_row *out,
                             const char **why)
{
    struct fields fields;
    enum seed_read read = next_fields(
        rows, 5, "expected five fields parted by tabs: at, client, name, sender, recipient",
        &fields, &out->at_ms, why);

    if (read != SEED_ROW)
        return read;
    out->client = keep(arena, fields.at[1], fields.len[1], 64);
    out->name = keep(arena, fields.at[2], fields.len[2], MSG_CLIENT_NAME_MAX);
    out->sender = keep(arena, fields.at[3], fields.len[3], MSG_ADDRESS_MAX);
    out->recipient = keep(arena, fields.at[4], fields.len[4], MSG_ADDRESS_MAX);
    return out->client != NULL && out->name != NULL && out->sender != NULL && out->recipient != NULL
               ? SEED_ROW
               : SEED_NO_ROW;
}

enum seed_read seed_pair_next(struct seed_rows *rows, struct arena *arena, struct seed_pair *out,
                              const char **why)
{
    struct fields fields;
    enum seed_read read =
        next_fields(rows, 3, "expected three fields parted by tabs: at, owner, external", &fields,
                    &out->at_ms, why);

    if (read != SEED_ROW)
        return read;
    out->owner = keep(arena, fields.at[1], fields.len[1], MSG_ADDRESS_MAX);
    out->external = keep(arena, fields.at[2], fields.len[2], MSG_ADDRESS_MAX);
    return out->owner != NULL && out->external != NULL ? SEED_ROW : SEED_NO_ROW;
}

enum seed_read seed_entry_next(struct seed_rows *rows, struct arena *arena, struct seed_entry *out,
                               const char **why)
{
    struct fields fields;
    enum seed_read read = next_fields(
        rows, 5, "expected five fields parted by tabs: until, user, pattern, action, note", &fields,
        &out->until_ms, why);

    if (read != SEED_ROW)
        return read;
    out->user = keep(arena, fields.at[1], fields.len[1], MSG_ADDRESS_MAX);
    out->pattern = keep(arena, fields.at[2], fields.len[2], MSG_ADDRESS_MAX);
    out->action = keep(arena, fields.at[3], fields.len[3], 64);
    out->note = keep(arena, fields.at[4], fields.len[4], SEED_LINE_MAX);
    return out->user != NULL && out->pattern != NULL && out->action != NULL && out->note != NULL
               ? SEED_ROW
               : SEED_NO_ROW;
}
