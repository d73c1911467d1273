// Reports that wait: each comes back as it was, in its order, wherever in the ring it lies; the oldest give way. Beside it a plain list
// as the reference.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/verbs/report_queue.h"
#include "node/verbs/ring.h"
#include "proto/base/mem.h"
#include "tests/support/random.h"
#include "tests/support/table.h"

enum { ROOM = 16384, TEXTS = 8, TEXT_MAX = 600, LISTED = 3000 };

struct listed {
    char text[TEXTS][TEXT_MAX];
    struct report_item item;
};

static void fill_text(struct random *seed, char *out, size_t most)
{
    const size_t len = random_below(seed, most);

    memset(out, 'a' + (int)random_below(seed, 26), len);
    out[len] = '\0';
}

// As long as they may be, and of any number.
static void fill(struct random *seed, struct listed *out)
{
    static const size_t most[TEXTS] = {128, 64, 2, 255, 255, 576, 576, 576};

    for (size_t i = 0; i < TEXTS; i++)
        fill_text(seed, out->text[i], most[i] + 1);
    out->item = (struct report_item){
        .event = out->text[0],
        .gateway = out->text[1],
        .is_spam = random_below(seed, 2) == 1,
        .judges = random_below(seed, 2) == 1,
        .ends = random_below(seed, 2) == 1,
        .weight = (double)random_below(seed, 3000) / 1000,
        .at_ms = random_below(seed, UINT32_MAX),
        .claim = random_below(seed, UINT32_MAX),
        .client = {.ip = {.family = 6},
                   .asn = random_below(seed, UINT32_MAX),
                   .country = out->text[2],
                   .domain = out->text[3],
                   .auth = (enum reputation_auth)random_below(seed, 4)},
        .spf_domain = out->text[4],
        .mailbox = out->text[5],
        .address = out->text[6],
        .external = out->text[7],
    };
    for (size_t i = 0; i < sizeof(out->item.client.ip.bytes); i++)
        out->item.client.ip.bytes[i] = (uint8_t)random_below(seed, 256);
}

static void expect_item(const struct report_item *got, const struct report_item *want)
{
    assert_string_equal(got->event, want->event);
    assert_string_equal(got->gateway, want->gateway);
    assert_true(got->is_spam == want->is_spam && got->judges == want->judges &&
                got->ends == want->ends && got->weight == want->weight);
    assert_int_equal(got->at_ms, want->at_ms);
    assert_int_equal(got->claim, want->claim);
    assert_true(ip_equal(&got->client.ip, &want->client.ip));
    assert_int_equal(got->client.asn, want->client.asn);
    assert_string_equal(got->client.country, want->client.country);
    assert_string_equal(got->client.domain, want->client.domain);
    assert_int_equal(got->client.auth, want->client.auth);
    assert_string_equal(got->spf_domain, want->spf_domain);
    assert_string_equal(got->mailbox, want->mailbox);
    assert_string_equal(got->address, want->address);
    assert_string_equal(got->external, want->external);
}

static void any_order_of_things(void **state)
{
    struct report_queue *queue = report_queue_new(ROOM);
    struct listed *list = mem_new_array(LISTED, sizeof(*list));
    struct random seed = {random_seed(11)};
    char memory[REPORT_MEMORY_BYTES];
    struct report_item item;
    size_t first = 0;

    (void)state;
    for (size_t end = 0; end < LISTED;) {
        fill(&seed, &list[end]);
        first += report_queue_add(queue, &list[end++].item);
        assert_int_equal(report_queue_count(queue), end - first);
        while (first < end && random_below(&seed, 3) == 0) {
            assert_true(report_queue_take(queue, memory, &item));
            expect_item(&item, &list[first++].item);
        }
    }
    for (; first < LISTED; first++) {
        assert_true(report_queue_take(queue, memory, &item));
        expect_item(&item, &list[first].item);
    }
    assert_false(report_queue_take(queue, memory, &item));
    mem_free(list);
    report_queue_free(&queue);
}

static void the_longest_texts_fit(void **state)
{
    struct report_queue *queue = report_queue_new(ROOM);
    struct random seed = {random_seed(3)};
    struct listed *one = mem_new(sizeof(*one));
    char memory[REPORT_MEMORY_BYTES];
    struct report_item item;

    (void)state;
    fill(&seed, one);
    for (size_t i = 0; i < TEXTS; i++) {
        static const size_t most[TEXTS] = {128, 64, 2, 255, 255, 576, 576, 576};

        memset(one->text[i], 'x', most[i]);
        one->text[i][most[i]] = '\0';
    }
    assert_int_equal(report_queue_add(queue, &one->item), 0);
    assert_true(report_queue_take(queue, memory, &item));
    expect_item(&item, &one->item);
    mem_free(one);
    report_queue_free(&queue);
    report_queue_free(&queue);
}

// ---- the ring below

static void the_oldest_give_way_as_far_as_needed(void **state)
{
    struct ring *ring = ring_new(3 * (4 + 8));
    unsigned char record[RING_RECORD_MAX];
    size_t at = 0;

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ring_add(ring, "12345678", 8), 0);
    assert_int_equal(ring_add(ring, "a", 1), 1);
    assert_int_equal(ring_count(ring), 3);
    assert_int_equal(ring_add(ring, "abcdefgh", 8), 1); // 7 are free, 12 are needed
    assert_int_equal(ring_read(ring, &at, record), 8);
    assert_memory_equal(record, "12345678", 8);
    assert_int_equal(ring_read(ring, &at, record), 1);
    assert_int_equal(ring_read(ring, &at, record), 8);
    assert_memory_equal(record, "abcdefgh", 8);
    assert_int_equal(ring_read(ring, &at, record), 0);
    assert_int_equal(ring_add(ring, "0123456789abcdef0123456789abcdef", 32), 3); // all of it
    at = 0;
    assert_int_equal(ring_read(ring, &at, record), 32);
    ring_drop(ring);
    assert_int_equal(ring_count(ring), 0);
    at = 0;
    assert_int_equal(ring_read(ring, &at, record), 0);
    ring_free(&ring);
    assert_null(ring);
    ring_free(&ring);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, any_order_of_things);
    TABLE_TEST(&table, the_longest_texts_fit);
    TABLE_TEST(&table, the_oldest_give_way_as_far_as_needed);
    return table_run(&table, "reports that wait");
}
