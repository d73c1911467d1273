// Lines of comma-separated values: what is a field, and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/ctl/import/csv.c"
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

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, split_rows, check_split);
    TABLE_TEST(&table, the_separator_is_in_the_first_line);
    TABLE_TEST(&table, a_mark_of_utf8_is_no_text);
    return table_run(&table, "ctl_csv");
}
