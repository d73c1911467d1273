// Which recipients of a transaction are known at the end of its message.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/policyd/recipients.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

enum { ONE_BYTES = 512 * 1024 }; // what one transaction may take

// ---- one transaction: a script of what Postfix was answered, and what is known at the end

// A word of a script: NAME was accepted; ?NAME=N was asked about, and was the Nth of the transaction;
// +N: so many ms later; left; end.
static const struct story {
    const char *name, *script;
    uint64_t count;    // as Postfix counts at the end
    const char *names; // "" = not all are known
} STORIES[] = {
    {"one", "?a=1 a", 1, "a"},
    {"two, in their order", "?b=1 b ?a=2 a", 2, "b a"},
    {"one that was refused is not among them", "a ?b=2 ?c=2 c", 2, "a c"},
    {"none was accepted", "?a=1 ?b=1", 1, ""},
    {"nobody was asked about", "", 1, ""},
    {"the client named one twice, and Postfix counts it twice", "a ?a=1 a", 2, "a"},
    {"twice, and another one is missing", "a a", 3, ""},
    {"one more than is known", "a b", 3, ""},
    {"Postfix refused one after it had asked", "a b c", 2, "a b c"},
    {"names differ in their bytes", "Ann@x ann@x ?ANN@x=3", 2, "Ann@x ann@x"},
    {"one name begins another", "ann an ?a=3", 2, "ann an"},
    {"an hour later", "a +3600000 ?b=2", 1, "a"},
    {"more than an hour later", "a +3600001 ?b=1", 1, ""},
    {"the hour begins anew with each", "a +3600000 b +3600000", 2, "a b"},
    {"the connection went on to another", "a b left ?c=3", 2, "a b"},
    {"and came back", "a left b", 2, "a b"},
    {"after its end nothing is known", "a end ?a=1", 1, ""},
    {"a transaction of the same name begins at nothing", "a b end c", 1, "c"},
    {"an end of what was never there", "end a", 1, "a"},
    {"left before it was there", "left a", 1, "a"},
};

static void play(struct recipients *table, uint64_t key, char *word, uint64_t *now_ms)
{
    char *equals = strchr(word, '=');

    if (word[0] == '+') {
        *now_ms += strtoull(word + 1, NULL, 10);
    } else if (word[0] == '?') {
        assert_non_null(equals);
        *equals = '\0';
        assert_int_equal(recipients_count(table, key, word + 1, *now_ms), atoi(equals + 1));
    } else if (strcmp(word, "left") == 0) {
        recipients_left(table, key);
    } else if (strcmp(word, "end") == 0) {
        recipients_end(table, key);
    } else {
        recipients_accept(table, key, word, *now_ms);
    }
}

static const char *names_of(struct recipients *table, uint64_t key, uint64_t count, uint64_t now_ms)
{
    static char text[4096];
    const char *names[MSG_RECIPIENTS_MAX];
    size_t known = recipients_all(table, key, count, names, now_ms);
    size_t used = 0;

    text[0] = '\0';
    for (size_t i = 0; i < known; i++)
        used +=
            (size_t)snprintf(text + used, sizeof(text) - used, "%s%s", i > 0 ? " " : "", names[i]);
    return text;
}

static void check_story(void **state)
{
    const struct story *row = *state;
    struct recipients *table = recipients_new(2, ONE_BYTES);
    uint64_t key = recipients_key("1.2.3"), now_ms = 1;
    char *script = mem_text(row->script);
    char *rest = NULL;

    for (char *word = strtok_r(script, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        play(table, key, word, &now_ms);
    assert_string_equal(names_of(table, key, row->count, now_ms), row->names);
    assert_int_equal(recipients_counters(table)->missing, row->names[0] == '\0' ? 1 : 0);
    mem_free(script);
    recipients_free(&table);
    assert_null(table);
}

// ---- many

static uint64_t key_of(unsigned number)
{
    char instance[16];

    (void)snprintf(instance, sizeof(instance), "%x.1", number);
    return recipients_key(instance);
}

static void transactions_do_not_mix(void **unused)
{
    struct recipients *table = recipients_new(3, ONE_BYTES);

    (void)unused;
    recipients_accept(table, key_of(1), "a", 1);
    recipients_accept(table, key_of(2), "b", 1);
    recipients_accept(table, key_of(1), "c", 1);
    recipients_end(table, key_of(3));
    assert_string_equal(names_of(table, key_of(1), 2, 1), "a c");
    assert_string_equal(names_of(table, key_of(2), 1, 1), "b");
    recipients_end(table, key_of(1));
    assert_string_equal(names_of(table, key_of(2), 1, 1), "b");
    recipients_free(&table);
}

static void a_transaction_without_a_name_is_not_kept(void **unused)
{
    struct recipients *table = recipients_new(2, ONE_BYTES);

    (void)unused;
    assert_int_equal(recipients_key(""), 0);
    recipients_accept(table, 0, "a", 1);
    assert_int_equal(recipients_count(table, 0, "b", 1), 0);
    assert_string_equal(names_of(table, 0, 1, 1), "");
    recipients_left(table, 0);
    recipients_end(table, 0);
    assert_int_equal(recipients_counters(table)->transactions, 0);
    recipients_free(&table);
}

static void the_quietest_gives_way(void **unused)
{
    struct recipients *table = recipients_new(3, ONE_BYTES);

    (void)unused;
    for (unsigned i = 0; i < 3; i++)
        recipients_accept(table, key_of(i), "a", i);
    recipients_accept(table, key_of(0), "b", 3);
    recipients_accept(table, key_of(3), "a", 4);
    assert_int_equal(recipients_counters(table)->pushed_out, 1);
    assert_int_equal(recipients_counters(table)->transactions, 3);
    assert_string_equal(names_of(table, key_of(0), 2, 5), "a b");
    assert_string_equal(names_of(table, key_of(1), 1, 5), "");
    assert_string_equal(names_of(table, key_of(2), 1, 5), "a");
    assert_string_equal(names_of(table, key_of(3), 1, 5), "a");
    recipients_free(&table);
}

static void who_is_over_gives_way_first(void **unused)
{
    struct recipients *table = recipients_new(2, ONE_BYTES);

    (void)unused;
    recipients_accept(table, key_of(0), "a", 0);
    recipients_accept(table, key_of(1), "a", 1);
    recipients_left(table, key_of(1));
    recipients_accept(table, key_of(2), "a", 2);
    assert_string_equal(names_of(table, key_of(0), 1, 3), "a");
    assert_string_equal(names_of(table, key_of(1), 1, 3), "");
    recipients_accept(table, key_of(3), "a", 2 + RECIPIENTS_LIFE_MS); // 0 is too old
    assert_int_equal(recipients_counters(table)->pushed_out, 0);
    assert_string_equal(names_of(table, key_of(2), 1, 2 + RECIPIENTS_LIFE_MS), "a");
    recipients_free(&table);
}

// An address of so many bytes, different for each number.
static const char *address_of(unsigned number, size_t bytes)
{
    static char text[MSG_ADDRESS_MAX + 2];

    memset(text, 'x', sizeof(text));
    text[bytes] = '\0';
    text[snprintf(text, bytes, "%06u", number)] = 'x';
    return text;
}

static void bytes_are_bounded(void **unused)
{
    const uint64_t count = 4;
    struct recipients *table = recipients_new(100, ONE_BYTES);

    (void)unused;
    for (unsigned i = 0; i < 50; i++) {
        for (unsigned j = 0; j < 100; j++)
            recipients_accept(table, key_of(i), address_of(j, MSG_ADDRESS_MAX), i);
        assert_true(recipients_counters(table)->bytes <= ONE_BYTES);
    }
    assert_true(recipients_counters(table)->transactions > 1);
    assert_int_equal(recipients_counters(table)->pushed_out,
                     50 - recipients_counters(table)->transactions);
    assert_string_equal(names_of(table, key_of(0), count, 50), "");
    for (unsigned i = 0; i < 50; i++)
        recipients_end(table, key_of(i));
    assert_int_equal(recipients_counters(table)->bytes, 0);
    assert_int_equal(recipients_counters(table)->transactions, 0);
    recipients_free(&table);
}

static void a_transaction_of_all_that_fits(void **unused)
{
    const char *names[MSG_RECIPIENTS_MAX];
    struct recipients *table = recipients_new(1, ONE_BYTES);

    (void)unused;
    for (unsigned i = 0; i < MSG_RECIPIENTS_MAX; i++) {
        assert_int_equal(recipients_count(table, 1, address_of(i, MSG_ADDRESS_MAX), 1), i + 1);
        recipients_accept(table, 1, address_of(i, MSG_ADDRESS_MAX), 1);
    }
    assert_int_equal(recipients_all(table, 1, MSG_RECIPIENTS_MAX, names, 1), MSG_RECIPIENTS_MAX);
    assert_string_equal(names[0], address_of(0, MSG_ADDRESS_MAX));
    assert_string_equal(names[MSG_RECIPIENTS_MAX - 1],
                        address_of(MSG_RECIPIENTS_MAX - 1, MSG_ADDRESS_MAX));
    assert_int_equal(recipients_count(table, 1, "one@more.example", 1), MSG_RECIPIENTS_MAX + 1);
    recipients_accept(table, 1, "one@more.example", 1);
    assert_int_equal(recipients_all(table, 1, MSG_RECIPIENTS_MAX + 1, names, 1), 0);
    recipients_free(&table);
}

static void an_address_that_is_too_long_cannot_be_named(void **unused)
{
    static const struct {
        size_t bytes, known;
    } rows[] = {{MSG_ADDRESS_MAX, 2}, {MSG_ADDRESS_MAX + 1, 0}};

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const char *names[MSG_RECIPIENTS_MAX];
        struct recipients *table = recipients_new(1, ONE_BYTES);

        recipients_accept(table, 1, "a", 1);
        recipients_accept(table, 1, address_of(0, rows[i].bytes), 1);
        assert_int_equal(recipients_all(table, 1, 2, names, 1), rows[i].known);
        recipients_free(&table);
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, STORIES, check_story);
    TABLE_TEST(&table, transactions_do_not_mix);
    TABLE_TEST(&table, a_transaction_without_a_name_is_not_kept);
    TABLE_TEST(&table, the_quietest_gives_way);
    TABLE_TEST(&table, who_is_over_gives_way_first);
    TABLE_TEST(&table, bytes_are_bounded);
    TABLE_TEST(&table, a_transaction_of_all_that_fits);
    TABLE_TEST(&table, an_address_that_is_too_long_cannot_be_named);
    return table_run(&table, "policyd recipients");
}
