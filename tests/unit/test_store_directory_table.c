// Directories as they are stored, and the table that a node mirrors.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/directory.h"
#include "tests/support/table.h"

#define A50  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A200 A50 A50 A50 A50

// ---- as they are stored

static const struct read_row {
    const char *name;
    const char *domain, *value;
    bool is_row;
} READS[] = {
    {"a row", "corp.example", "7 2 100 5 root@mx1", true},
    {"nobody did it", "corp.example", "7 2 100 5 ", true},
    {"not even a blank", "corp.example", "7 2 100 5", true},
    {"an empty one", "corp.example", "7 1 0 5 root", true},
    {"as many buckets as may be", "corp.example", "7 4194304 0 5 root", true},
    {"one more", "corp.example", "7 4194305 0 5 root", false},
    {"no bucket", "corp.example", "7 0 0 5 root", false},
    {"no version", "corp.example", "0 1 0 5 root", false},
    {"the last version", "corp.example", "18446744073709551615 1 0 5 ", true},
    {"one more than that", "corp.example", "18446744073709551616 1 0 5 ", false},
    {"a sign", "corp.example", "-7 1 0 5 root", false},
    {"a word", "corp.example", "seven 1 0 5 root", false},
    {"a number and a letter", "corp.example", "7 1x 0 5 root", false},
    {"too few numbers", "corp.example", "7 1 0", false},
    {"empty", "corp.example", "", false},
    {"no domain", "", "7 1 0 5 root", false},
    {"an escape in a domain", "corp\x1b.example", "7 1 0 5 root", false},
    {"a domain that is too long", A200 A50 "aaaaaa", "7 1 0 5 root", false},
    {"a line end in a name", "corp.example", "7 1 0 5 ro\not", false},
};

static void check_read(void **state)
{
    const struct read_row *row = *state;
    struct store_directory got;
    struct store_directory again;
    char value[DIRECTORY_VALUE_MAX];

    assert_int_equal(directory_read(row->domain, row->value, &got), row->is_row);
    if (!row->is_row)
        return;
    (void)directory_value(&got, value);
    assert_true(directory_read(row->domain, value, &again));
    assert_int_equal(again.directory.version, got.directory.version);
    assert_int_equal(again.directory.buckets, got.directory.buckets);
    assert_int_equal(again.entries, got.entries);
    assert_int_equal(again.at_ms, got.at_ms);
    assert_string_equal(again.by, got.by);
}

static const struct version_row {
    const char *name;
    const char *field, *value;
    bool is_version;
} VERSIONS[] = {
    {"a version", "7", "2 100", true},
    {"something behind it", "7x", "2 100", false},
    {"a blank behind it", "7 ", "2 100", true},
    {"none", "0", "2 100", false},
    {"no bucket", "7", "0 100", false},
    {"no moment", "7", "2", false},
    {"something behind the moment", "7", "2 100 3", false},
    {"empty", "", "", false},
};

static void check_version(void **state)
{
    const struct version_row *row = *state;
    struct directory_version got;

    assert_int_equal(directory_version_read(row->field, row->value, &got), row->is_version);
    if (!row->is_version)
        return;
    assert_int_equal(got.directory.version, 7);
    assert_int_equal(got.directory.buckets, 2);
    assert_int_equal(got.until_ms, 100);
}

static const struct buckets_row {
    const char *name;
    uint64_t entries;
    uint32_t buckets;
} BUCKETS[] = {
    {"none", 0, 1},
    {"one", 1, 1},
    {"a bucket", 64, 1},
    {"one more", 65, 2},
    {"a million", 1000000, 15625},
    {"as many as may be", 1ULL << 28, 1U << 22},
    {"far more", UINT64_MAX - 100, 1U << 22},
};

static void check_buckets(void **state)
{
    const struct buckets_row *row = *state;

    assert_int_equal(directory_buckets(row->entries), row->buckets);
}

// ---- the table

static void set(struct directory_table *table, const char *domain, uint64_t version)
{
    assert_true(directory_set(
        table, &(struct store_directory){.domain = domain, .directory = {version, 1}, .by = "me"}));
}

static uint64_t version_of(const struct directory_table *table, const char *domain)
{
    const struct store_directory *row = directory_find(table, domain);

    return row != NULL ? row->directory.version : 0;
}

static void it_finds_what_was_set_and_nothing_else(void **state)
{
    struct directory_table table = {.count = 0};
    struct store_directory page[4];

    (void)state;
    assert_null(directory_find(&table, "a"));
    directory_remove(&table, "a");
    set(&table, "c", 3);
    set(&table, "a", 1);
    set(&table, "b", 2);
    assert_int_equal(version_of(&table, "a"), 1);
    assert_int_equal(version_of(&table, "b"), 2);
    assert_int_equal(version_of(&table, "c"), 3);
    assert_int_equal(version_of(&table, ""), 0);
    assert_int_equal(version_of(&table, "aa"), 0);
    set(&table, "b", 9);
    assert_int_equal(table.count, 3);
    assert_int_equal(version_of(&table, "b"), 9);
    assert_true(directory_set(&table, directory_find(&table, "b"))); // itself
    assert_int_equal(version_of(&table, "b"), 9);
    assert_int_equal(directory_page(&table, "", page, 4), 3);
    assert_string_equal(page[0].domain, "a");
    assert_int_equal(directory_page(&table, "a", page, 1), 1);
    assert_string_equal(page[0].domain, "b");
    assert_int_equal(directory_page(&table, "bb", page, 4), 1);
    assert_int_equal(directory_page(&table, "c", page, 4), 0);
    directory_remove(&table, "b");
    assert_int_equal(version_of(&table, "b"), 0);
    assert_int_equal(version_of(&table, "c"), 3);
    directory_clear(&table);
    assert_int_equal(table.count, 0);
}

static void it_is_bounded(void **state)
{
    struct directory_table table = {.count = 0};
    struct store_directory row = {.directory = {1, 1}, .by = ""};
    char domain[32];

    (void)state;
    row.domain = domain;
    for (unsigned i = DIRECTORY_DOMAINS_MAX; i > 0; i--) {
        (void)snprintf(domain, sizeof(domain), "d%05u.example", i);
        assert_true(directory_append(&table, &row));
    }
    (void)snprintf(domain, sizeof(domain), "one more");
    assert_false(directory_append(&table, &row));
    directory_settle(&table);
    assert_false(directory_set(&table, &row));
    assert_int_equal(version_of(&table, "d00001.example"), 1);
    row.domain = "d00001.example"; // its own place
    row.directory.version = 2;
    assert_true(directory_set(&table, &row));
    assert_int_equal(version_of(&table, "d00001.example"), 2);
    directory_clear(&table);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, READS, check_read);
    TABLE_ROWS(&table, VERSIONS, check_version);
    TABLE_ROWS(&table, BUCKETS, check_buckets);
    TABLE_TEST(&table, it_finds_what_was_set_and_nothing_else);
    TABLE_TEST(&table, it_is_bounded);
    return table_run(&table, "directories as they are stored");
}
