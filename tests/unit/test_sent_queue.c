// What waits for the store: comes back in its order and whole, wherever in the ring it lies; the oldest gives way; what was
// written is dropped once. Beside it a plain list as the reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/verbs/sent_queue.h"
#include "proto/base/mem.h"
#include "tests/support/random.h"
#include "tests/support/table.h"

static size_t add(struct sent_queue *queue, const char *owner, const char *external,
                  uint64_t sent_ms)
{
    const struct store_allow entry = {.owner = owner, .external = external, .sent_ms = sent_ms};

    return sent_queue_add(queue, &entry);
}

static void expect_entry(const struct store_allow *entry, const char *owner, const char *external,
                         uint64_t sent_ms)
{
    assert_non_null(entry);
    assert_string_equal(entry->owner, owner);
    if (external == NULL)
        assert_null(entry->external);
    else
        assert_string_equal(entry->external, external);
    assert_true(entry->sent_ms == sent_ms);
}

static void empty(void **state)
{
    struct sent_queue *queue = sent_queue_new(4096);

    (void)state;
    assert_int_equal(sent_queue_count(queue), 0);
    assert_null(sent_queue_batch(queue));
    assert_int_equal(sent_queue_drop(queue), 0);
    sent_queue_free(&queue);
    assert_null(queue);
    sent_queue_free(&queue);
}

static void in_its_order(void **state)
{
    struct sent_queue *queue = sent_queue_new(4096);
    const struct store_allow *list = NULL;

    (void)state;
    assert_int_equal(add(queue, "ann@x", "bob@y", 1) + add(queue, "ann@x", NULL, 2), 0);
    list = sent_queue_batch(queue);
    expect_entry(list, "ann@x", "bob@y", 1);
    expect_entry(list->next, "ann@x", NULL, 2);
    assert_null(list->next->next);
    assert_int_equal(sent_queue_count(queue), 2); // until it was written
    expect_entry(sent_queue_batch(queue), "ann@x", "bob@y", 1);
    assert_int_equal(sent_queue_drop(queue), 2);
    assert_int_equal(sent_queue_drop(queue), 0);
    assert_int_equal(sent_queue_count(queue), 0);
    sent_queue_free(&queue);
}

static void what_comes_meanwhile_stays(void **state)
{
    struct sent_queue *queue = sent_queue_new(4096);

    (void)state;
    (void)add(queue, "a@x", "b@y", 1);
    assert_non_null(sent_queue_batch(queue));
    (void)add(queue, "c@x", "d@y", 2);
    assert_int_equal(sent_queue_drop(queue), 1);
    expect_entry(sent_queue_batch(queue), "c@x", "d@y", 2);
    sent_queue_free(&queue);
}

static void a_batch_has_an_end(void **state)
{
    struct sent_queue *queue = sent_queue_new(65536);
    unsigned count = 0;

    (void)state;
    for (unsigned i = 0; i < SENT_BATCH + 1; i++)
        (void)add(queue, "a@x", "b@y", i);
    for (const struct store_allow *at = sent_queue_batch(queue); at != NULL; at = at->next)
        assert_true(at->sent_ms == count++);
    assert_int_equal(count, SENT_BATCH);
    assert_int_equal(sent_queue_drop(queue), SENT_BATCH);
    expect_entry(sent_queue_batch(queue), "a@x", "b@y", SENT_BATCH);
    sent_queue_free(&queue);
}

static void what_gave_way_is_not_dropped_again(void **state)
{
    struct sent_queue *queue = sent_queue_new(1024);
    size_t gone = 0;
    uint64_t sent_ms = 0;

    (void)state;
    while (gone == 0)
        gone = add(queue, "a@x", "b@y", sent_ms++);
    assert_int_equal(gone, 1);
    const size_t count = sent_queue_count(queue);

    assert_non_null(sent_queue_batch(queue)); // all of it: fewer than a batch
    assert_in_range(count, 5, SENT_BATCH);
    assert_int_equal(add(queue, "a@x", "b@y", sent_ms++), 1); // the oldest of those under way
    assert_int_equal(sent_queue_drop(queue), count - 1);
    assert_int_equal(sent_queue_count(queue), 1);
    expect_entry(sent_queue_batch(queue), "a@x", "b@y", sent_ms - 1);
    sent_queue_free(&queue);
}

// ---- beside a plain list

enum { LISTED = 4096 };

struct listed {
    char owner[PERSON_ADDRESS_MAX], external[PERSON_ADDRESS_MAX];
    bool has_external;
};

static void fill(struct random *seed, char out[PERSON_ADDRESS_MAX])
{
    const size_t len = 3 + random_below(seed, 200);

    memset(out, 'a' + (int)random_below(seed, 26), len);
    out[len / 2] = '@';
    out[len] = '\0';
}

static void expect_all(struct sent_queue *queue, const struct listed *list, size_t first,
                       size_t end)
{
    size_t at = first;

    for (const struct store_allow *entry = sent_queue_batch(queue); entry != NULL;
         entry = entry->next, at++)
        expect_entry(entry, list[at].owner, list[at].has_external ? list[at].external : NULL, at);
    assert_int_equal(at, first + SENT_BATCH < end ? first + SENT_BATCH : end);
}

static void any_order_of_things(void **state)
{
    struct sent_queue *queue = sent_queue_new(8192);
    struct listed *list = mem_new_array(LISTED, sizeof(*list));
    size_t first = 0;
    struct random seed = {random_seed(7)};

    (void)state;
    for (size_t end = 0; end < LISTED;) {
        struct listed *one = &list[end];

        fill(&seed, one->owner);
        fill(&seed, one->external);
        one->has_external = random_below(&seed, 4) > 0;
        first += add(queue, one->owner, one->has_external ? one->external : NULL, end++);
        assert_int_equal(sent_queue_count(queue), end - first);
        expect_all(queue, list, first, end);
        if (random_below(&seed, 20) == 0)
            first += sent_queue_drop(queue);
    }
    mem_free(list);
    sent_queue_free(&queue);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, empty);
    TABLE_TEST(&table, in_its_order);
    TABLE_TEST(&table, what_comes_meanwhile_stays);
    TABLE_TEST(&table, a_batch_has_an_end);
    TABLE_TEST(&table, what_gave_way_is_not_dropped_again);
    TABLE_TEST(&table, any_order_of_things);
    return table_run(&table, "sent mail that waits");
}
