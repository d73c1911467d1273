// row.c: see row.h.
#include "client/ctl/managed/row.h"

#include <string.h>
#include <strings.h>

#include "client/ctl/when.h"

static const char *const TITLES[ROW_COLUMNS] = {"user", "pattern", "action", "until", "note"};

bool row_columns_read(char *const *field, size_t count, struct row_columns *out, const char **why)
{
    bool has_titles = false;

    *why = NULL;
    for (int column = 0; column < ROW_COLUMNS; column++) {
        out->at[column] = -1;
        for (size_t i = 0; i < count && i < ROW_FIELDS_MAX; i++)
            if (out->at[column] < 0 && strcasecmp(field[i], TITLES[column]) == 0)
                out->at[column] = (int)i;
        has_titles |= column <= ROW_ACTION && out->at[column] >= 0;
    }
    for (int column = 0; column < ROW_COLUMNS && !has_titles; column++)
        out->at[column] = column;
    if (has_titles &&
        (out->at[ROW_USER] < 0 || out->at[ROW_PATTERN] < 0 || out->at[ROW_ACTION] < 0))
        *why = "the columns user, pattern and action are needed";
    return has_titles;
}

static const char *text_at(const struct row_columns *columns, enum row_column column,
                           char *const *field, size_t count)
{
    const int at = columns->at[column];

    return at >= 0 && (size_t)at < count && at < ROW_FIELDS_MAX ? field[at] : "";
}

// The words that lists elsewhere have for the two.
static const char *read_action(const char *text)
{
    static const char *const permit[] = {"permit", "allow", "whitelist", "welcomelist", NULL};
    static const char *const block[] = {"block", "deny", "blacklist", "blocklist", NULL};

    for (size_t i = 0; permit[i] != NULL; i++)
        if (strcasecmp(text, permit[i]) == 0)
            return permit[0];
    for (size_t i = 0; block[i] != NULL; i++)
        if (strcasecmp(text, block[i]) == 0)
            return block[0];
    return NULL;
}

static bool read_until(const char *text, uint64_t now_ms, uint64_t *out)
{
    *out = 0;
    return text[0] == '\0' || strcasecmp(text, "never") == 0 || when_parse(text, now_ms, out);
}

bool row_read(const struct row_columns *columns, char *const *field, size_t count, uint64_t now_ms,
              struct row *out, const char **why)
{
    *out = (struct row){.user = text_at(columns, ROW_USER, field, count),
                        .pattern = text_at(columns, ROW_PATTERN, field, count),
                        .action = read_action(text_at(columns, ROW_ACTION, field, count)),
                        .note = text_at(columns, ROW_NOTE, field, count)};
    *why = "it names no user";
    if (out->user[0] == '\0')
        return false;
    *why = "it names no pattern";
    if (out->pattern[0] == '\0')
        return false;
    *why = "its action is neither permit nor block";
    if (out->action == NULL)
        return false;
    *why = "until: expected a date like 2027-01-31, RFC 3339, or nothing";
    return read_until(text_at(columns, ROW_UNTIL, field, count), now_ms, &out->until_ms);
}
