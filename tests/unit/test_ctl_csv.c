// Lines of comma-separated values: what is a field, and what is none; and what is an entry of a personal list.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/ctl/import/csv.c"
#include "client/ctl/managed/row.c"
#include "client/ctl/when.c"
#include "tests/support/table.h"

enum { FIELDS = 4 };

static const struct split_row {
    const char *name; // the line
    char separator;
    size_t count;
    const char *field[FIELDS];
} split_rows[] = {
    {"a,b,c", ',', 3, {"a", "b", "c"}},
    {"a , b\t,  c \r", ',', 3, {"a", "b", "c"}},
    {"", ',', 1, {""}},
    {",", ',', 2, {"", ""}},
    {" , ", ',', 2, {"", ""}},
    {"a;b,c", ';', 2, {"a", "b,c"}},
    {"a\tb c\t", '\t', 3, {"a", "b c", ""}},
    {"\ta", '\t', 2, {"", "a"}},
    {"\"a,b\",c", ',', 2, {"a,b", "c"}},
    {"\"a\"\"b\"", ',', 1, {"a\"b"}},
    {"\"\"", ',', 1, {""}},
    {"\"\"\"\"", ',', 1, {"\""}},
    {" \"a \" , b", ',', 2, {"a ", "b"}},
    {"a\"b,c", ',', 2, {"a\"b", "c"}},
    {"a,b,c,d,e,f", ',', 6, {"a", "b", "c", "d"}},
    {"\"a", ',', 0, {NULL}},
    {"a,\"b\"\"", ',', 0, {NULL}},
    {"\"a\"b,c", ',', 0, {NULL}},
    {"a,\"", ',', 0, {NULL}},
};

static void check_split(void **state)
{
    const struct split_row *row = *state;
    char line[64], *field[FIELDS] = {NULL};

    (void)snprintf(line, sizeof(line), "%s", row->name);
    assert_int_equal(csv_split(line, row->separator, field, FIELDS), row->count);
    for (size_t i = 0; i < row->count && i < FIELDS; i++)
        assert_string_equal(field[i], row->field[i]);
}

static void the_separator_is_in_the_first_line(void **state)
{
    (void)state;
    assert_int_equal(csv_separator("user,pattern"), ',');
    assert_int_equal(csv_separator("user;pattern"), ';');
    assert_int_equal(csv_separator("user\tpattern"), '\t');
    assert_int_equal(csv_separator("a;b,c"), ',');
    assert_int_equal(csv_separator("user"), ',');
}

static void a_mark_of_utf8_is_no_text(void **state)
{
    char with[] = "\xEF\xBB\xBFuser", without[] = "user";

    (void)state;
    assert_string_equal(csv_begin(with), "user");
    assert_string_equal(csv_begin(without), "user");
}

// ---- entries of personal lists

enum { ROW_TEXTS = 7 };
static const uint64_t NOW_MS = 1795295581000ULL; // 2026-11-21T21:13:01Z

static const struct title_row {
    const char *name;
    const char *field[ROW_TEXTS];
    bool has_titles;
    int at[ROW_COLUMNS];
    const char *why;
} title_rows[] = {
    {"no titles", {"ann@x.example", "y.example", "block"}, false, {0, 1, 2, 3, 4}, NULL},
    {"titles", {"user", "pattern", "action", "until", "note"}, true, {0, 1, 2, 3, 4}, NULL},
    {"another order", {"Note", "ACTION", "user", "pattern"}, true, {2, 3, 1, -1, 0}, NULL},
    {"others beside them",
     {"id", "user", "since", "pattern", "owner", "action"},
     true,
     {1, 3, 5, -1, -1},
     NULL},
    {"the first of two", {"user", "user", "pattern", "action"}, true, {0, 2, 3, -1, -1}, NULL},
    {"one is missing", {"user", "pattern"}, true, {0, 1, -1, -1, -1}, "needed"},
    {"only an action", {"x", "action"}, true, {-1, -1, 1, -1, -1}, "needed"},
    {"words that need not be titles", {"note", "until", "x"}, false, {0, 1, 2, 3, 4}, NULL},
    {"nothing", {NULL}, false, {0, 1, 2, 3, 4}, NULL},
};

static size_t copy_fields(const char *const *from, char memory[ROW_TEXTS][64], char **to)
{
    size_t count = 0;

    for (; count < ROW_TEXTS && from[count] != NULL; count++) {
        (void)snprintf(memory[count], 64, "%s", from[count]);
        to[count] = memory[count];
    }
    return count;
}

static void check_titles(void **state)
{
    const struct title_row *row = *state;
    char memory[ROW_TEXTS][64], *field[ROW_TEXTS] = {NULL};
    size_t count = copy_fields(row->field, memory, field);
    struct row_columns columns;
    const char *why = NULL;

    assert_int_equal(row_columns_read(field, count, &columns, &why), row->has_titles);
    assert_memory_equal(columns.at, row->at, sizeof(columns.at));
    assert_int_equal(why != NULL, row->why != NULL);
    if (row->why != NULL)
        assert_non_null(strstr(why, row->why));
}

static const struct entry_row {
    const char *name;
    const char *field[ROW_TEXTS];
    const char *action; // NULL = refused
    const char *why;    // or the note
    uint64_t until_ms;
} entry_rows[] = {
    {"three fields", {"ann", "x", "block"}, "block", "", 0},
    {"all of them", {"ann", "x", "permit", "2027-01-31", "why"}, "permit", "why", 1801353600000},
    {"more than that", {"ann", "x", "permit", "", "why", "more"}, "permit", "why", 0},
    {"for ever", {"ann", "x", "permit", "Never"}, "permit", "", 0},
    {"as list prints it",
     {"ann", "x", "permit", "2027-01-31T00:00:00.001Z"},
     "permit",
     "",
     1801353600001},
    {"allow", {"ann", "x", "Allow"}, "permit", "", 0},
    {"welcomelist", {"ann", "x", "welcomelist"}, "permit", "", 0},
    {"deny", {"ann", "x", "DENY"}, "block", "", 0},
    {"blacklist", {"ann", "x", "blacklist"}, "block", "", 0},
    {"no user", {"", "x", "block"}, NULL, "user", 0},
    {"no pattern", {"ann", "", "block"}, NULL, "pattern", 0},
    {"no action", {"ann", "x", ""}, NULL, "neither", 0},
    {"two fields", {"ann", "x"}, NULL, "neither", 0},
    {"another action", {"ann", "x", "blocked"}, NULL, "neither", 0},
    {"no moment", {"ann", "x", "block", "soon"}, NULL, "until", 0},
    {"a day that is none", {"ann", "x", "block", "2027-02-30"}, NULL, "until", 0},
};

static void check_entry(void **state)
{
    const struct entry_row *row = *state;
    static const struct row_columns columns = {{0, 1, 2, 3, 4}};
    char memory[ROW_TEXTS][64], *field[ROW_TEXTS] = {NULL};
    size_t count = copy_fields(row->field, memory, field);
    const char *why = NULL;
    struct row came;

    assert_int_equal(row_read(&columns, field, count, NOW_MS, &came, &why), row->action != NULL);
    if (row->action == NULL) {
        assert_non_null(strstr(why, row->why));
        return;
    }
    assert_string_equal(came.user, "ann");
    assert_string_equal(came.pattern, "x");
    assert_string_equal(came.action, row->action);
    assert_string_equal(came.note, row->why);
    assert_int_equal(came.until_ms, row->until_ms);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, split_rows, check_split);
    TABLE_ROWS(&table, title_rows, check_titles);
    TABLE_ROWS(&table, entry_rows, check_entry);
    TABLE_TEST(&table, the_separator_is_in_the_first_line);
    TABLE_TEST(&table, a_mark_of_utf8_is_no_text);
    return table_run(&table, "ctl_csv");
}
