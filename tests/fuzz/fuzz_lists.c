// fuzz_lists.c: lines of files that an operator has: comma-separated values as entries of personal lists, and Postfix' access
// maps. The first byte says which, and of what map.
#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

// The pure parts, which are in no library.
#include "client/ctl/import/access.c"
#include "client/ctl/import/csv.c"
#include "client/ctl/managed/row.c"
#include "client/ctl/when.c"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_row(char *const *field, size_t count)
{
    struct row_columns columns;
    struct row row;
    const char *why = NULL;
    bool has_titles = row_columns_read(field, count, &columns, &why);

    for (int i = 0; i < ROW_COLUMNS; i++)
        assert(columns.at[i] < ROW_FIELDS_MAX);
    assert(why == NULL || has_titles);
    if (row_read(&columns, field, count, 1795295581000ULL, &row, &why))
        assert(row.user[0] != '\0' && row.pattern[0] != '\0' && row.action != NULL);
    else
        assert(why != NULL);
}

static void read_values(char *text, size_t size)
{
    char *field[5] = {NULL};
    char separator = csv_separator(text);
    size_t count = csv_split(csv_begin(text), separator, field, 5);

    for (size_t i = 0; i < count && i < 5; i++)
        assert(field[i] >= text && field[i] + strlen(field[i]) <= text + size);
    read_row(field, count < 5 ? count : 5);
}

static void read_entry(enum access_map map, char *text)
{
    const char *why = NULL, *said = NULL;
    char *pattern = NULL, *result = NULL;
    struct access_who who, again;

    if (!access_split(text, &pattern, &result))
        return;
    (void)access_effect_read(result, &said, &why);
    assert(why != NULL && said >= result && said <= result + strlen(result));
    if (!access_who_read(map, pattern, &who, &why)) {
        assert(why != NULL);
        return;
    }
    assert(who.text[0] != '\0' && strpbrk(who.text, "\"\\\n\r ") == NULL);
    if (who.kind != ACCESS_LOCAL) { // what is written is what is read
        assert(access_who_read(map, who.text, &again, &why));
        assert(strcmp(who.text, again.text) == 0 && who.kind == again.kind);
    }
    for (unsigned i = 0; access_wider(&who, (i & 1) != 0, &who); i++)
        assert(i < 1000 && who.text[0] != '\0');
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char *text;

    if (size == 0)
        return 0;
    text = malloc(size);
    memcpy(text, data + 1, size - 1);
    text[size - 1] = '\0';
    if (data[0] % 5 == 0)
        read_values(text, size);
    else
        read_entry((enum access_map)(data[0] % 5 - 1), text);
    free(text);
    return 0;
}
