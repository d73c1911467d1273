// table.h: cmocka tests as tables of named rows, each row a test of its own name and its own count.
// Include <cmocka.h> and what it needs first.
//
//     struct row { const char *name; ... };           the name is the first member
//     static void check_row(void **state) { const struct row *row = *state; ... }
//
//     TABLE_ROWS(&table, rows, check_row);            a test a row
//     TABLE_TEST(&table, what_it_shows);              one test, named like its function
//     return table_run(&table, "module");
#pragma once

#include <assert.h>
#include <stddef.h>

#include <cmocka.h>

#define TABLE_MAX 1000

struct table {
    struct CMUnitTest test[TABLE_MAX];
    size_t count;
};

static inline void table_add(struct table *table, const char *name, CMUnitTestFunction fn,
                             const void *row)
{
    union {
        const void *given;
        void *state;
    } same = {.given = row};

    assert(table->count < TABLE_MAX);
    table->test[table->count++] =
        (struct CMUnitTest){.name = name, .test_func = fn, .initial_state = same.state};
}

static inline void table_add_rows(struct table *table, const void *rows, size_t count,
                                  size_t row_size, CMUnitTestFunction fn)
{
    for (size_t i = 0; i < count; i++) {
        const void *row = (const char *)rows + i * row_size;

        table_add(table, *(const char *const *)row, fn, row);
    }
}

static inline int table_run(const struct table *table, const char *group)
{
    return _cmocka_run_group_tests(group, table->test, table->count, NULL, NULL);
}

#define TABLE_ROWS(table, rows, fn) \
    table_add_rows((table), (rows), sizeof(rows) / sizeof((rows)[0]), sizeof((rows)[0]), (fn))
#define TABLE_TEST(table, fn) table_add((table), #fn, (fn), NULL)
