// The near cache: what it takes, for how long, and how it makes room.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/near.h"
#include "tests/support/table.h"

enum { IDENTITIES = 3 }; // any, a network, a domain

static const uint64_t NOW = 500 * KEY_PASSED_SLICE_MS + 30ULL * 24 * 3600 * 1000;
static const uint64_t HOUR = 3600ULL * 1000;
static const uint64_t LIFE = 36ULL * 24 * 3600 * 1000;
static const uint64_t WINDOW = 12ULL * 3600 * 1000;
static const uint8_t SECRET[NEAR_SECRET_BYTES] = "of this process";

struct bench {
    struct near *near;
    struct key_ring ring;
    struct key_triplet key;
    struct fact_stamp stamp[KEY_IDENTITY_MAX];
};

static void name_key(struct bench *bench, const char *sender, uint64_t now_ms)
{
    const struct key_pair pair = {.sender_key = sender, .recipient_key = "bob@corp.example"};

    bench->key.identity_count = IDENTITIES;
    bench->key.identity[0] = (struct key_identity){.kind = KEY_ANY};
    bench->key.identity[1] = (struct key_identity){.kind = KEY_NET};
    assert_int_equal(ip_net_parse("192.0.2.0/24", &bench->key.identity[1].net, NULL), ERR_NONE);
    bench->key.identity[2] = (struct key_identity){.kind = KEY_DOMAIN, .domain = "sender.example"};
    key_triplet_make(&bench->key, &pair, &bench->ring, now_ms, WINDOW);
}

static void bench_open(struct bench *bench, uint64_t bytes)
{
    memset(bench, 0, sizeof(*bench));
    bench->near = near_new(bytes, SECRET);
    bench->ring.count = 1;
    bench->ring.epoch[0].buckets = 1024;
    name_key(bench, "ann@sender.example", NOW);
    for (unsigned i = 1; i < IDENTITIES; i++)
        bench->stamp[i] = (struct fact_stamp){FACT_PRESENT, NOW - HOUR, 7};
    bench->stamp[0] = (struct fact_stamp){.state = FACT_ABSENT};
}

static bool recalls(const struct bench *bench, uint64_t now_ms)
{
    struct fact_stamp out[KEY_IDENTITY_MAX] = {{FACT_UNKNOWN, 0, 0}};

    return near_recall(bench->near, &bench->key, now_ms, LIFE, out);
}

// ---- what is taken

static const struct taken_row {
    const char *name;
    enum fact_state state[IDENTITIES];
    int64_t age_ms[IDENTITIES];
    uint32_t mark[IDENTITIES];
    bool is_taken;
    int64_t recalled_age_ms;
    uint32_t recalled_mark;
} TAKEN[] = {
#define PRESENT FACT_PRESENT, FACT_PRESENT
#define YOUNG   ((int64_t)NEAR_YOUNG_MS)
    {"all present, one mark", {FACT_ABSENT, PRESENT}, {0, 1, 1}, {0, 7, 7}, true, 1, 7},
    {"stored this moment", {FACT_ABSENT, PRESENT}, {0, 0, 0}, {0, 7, 7}, true, 0, 7},
    {"no mark", {FACT_ABSENT, PRESENT}, {0, 1, 1}, {0, 0, 0}, true, 1, 0},
    {"one mark and none", {FACT_ABSENT, PRESENT}, {0, 5, 9}, {0, 0, 7}, true, 5, 7},
    {"as old as the newest", {FACT_ABSENT, PRESENT}, {0, 9, 5}, {0, 7, 7}, true, 5, 7},
    {"any is present, too", {FACT_PRESENT, PRESENT}, {0, 1, 1}, {0, 7, 7}, true, 1, 7},
    {"any was not said", {FACT_UNKNOWN, PRESENT}, {0, 1, 1}, {0, 7, 7}, true, 1, 7},
    {"nearly too old", {FACT_ABSENT, PRESENT}, {0, 1, YOUNG - 1}, {0, 7, 7}, true, 1, 7},
    {"one too old", {FACT_ABSENT, PRESENT}, {0, 1, YOUNG}, {0, 7, 7}, false, 0, 0},
    {"all too old", {FACT_ABSENT, PRESENT}, {0, YOUNG, YOUNG}, {0, 7, 7}, false, 0, 0},
    {"two marks", {FACT_ABSENT, PRESENT}, {0, 1, 1}, {0, 7, 8}, false, 0, 0},
    {"one absent", {FACT_ABSENT, FACT_PRESENT, FACT_ABSENT}, {0, 1, 1}, {0, 7, 7}, false, 0, 0},
    {"the other absent", {FACT_ABSENT, FACT_ABSENT, FACT_PRESENT}, {0, 1, 1}, {0}, false, 0, 0},
    {"one unknown", {FACT_ABSENT, FACT_PRESENT, FACT_UNKNOWN}, {0, 1, 1}, {0, 7, 7}, false, 0, 0},
    {"any alone", {FACT_PRESENT, FACT_ABSENT, FACT_ABSENT}, {0, 1, 1}, {0, 7, 7}, false, 0, 0},
    {"nothing", {FACT_ABSENT, FACT_ABSENT, FACT_ABSENT}, {0}, {0}, false, 0, 0},
    {"of the future", {FACT_ABSENT, PRESENT}, {0, 1, -1}, {0, 7, 7}, false, 0, 0},
};

static void check_taken(void **state)
{
    const struct taken_row *row = *state;
    struct fact_stamp out[KEY_IDENTITY_MAX] = {{FACT_UNKNOWN, 0, 0}};
    struct bench bench;

    bench_open(&bench, 1 << 16);
    for (unsigned i = 0; i < IDENTITIES; i++)
        bench.stamp[i] = (struct fact_stamp){
            row->state[i], (uint64_t)((int64_t)NOW - row->age_ms[i]), row->mark[i]};
    near_learn(bench.near, &bench.key, bench.stamp, NOW);
    assert_int_equal(near_count(bench.near), row->is_taken);
    assert_int_equal(near_recall(bench.near, &bench.key, NOW, LIFE, out), row->is_taken);
    assert_int_equal(out[0].state, FACT_UNKNOWN); // of any nothing is said
    for (unsigned i = 1; i < IDENTITIES; i++) {
        assert_int_equal(out[i].state, row->is_taken ? FACT_PRESENT : FACT_UNKNOWN);
        if (row->is_taken)
            assert_int_equal(out[i].at_ms, NOW - (uint64_t)row->recalled_age_ms);
        assert_int_equal(out[i].mark, row->recalled_mark);
    }
    near_free(&bench.near);
}

static void a_triplet_of_any_alone_is_not_taken(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, 1 << 16);
    bench.key.identity_count = 1;
    bench.stamp[0] = (struct fact_stamp){FACT_PRESENT, NOW, 0};
    near_learn(bench.near, &bench.key, bench.stamp, NOW);
    assert_int_equal(near_count(bench.near), 0);
    near_free(&bench.near);
}

// ---- for how long

static const struct kept_row {
    const char *name;
    int64_t after_ms; // that it was read
    uint64_t life_ms; // it was last seen an hour before
    bool is_known;
} KEPT[] = {
    {"at once", 0, LIFE, true},
    {"for an hour", (int64_t)NEAR_KEEP_MS, LIFE, true},
    {"no longer", (int64_t)NEAR_KEEP_MS + 1, LIFE, false},
    {"not when the clock went back", -1, LIFE, false},
    {"not when it jumped far back", -1000000000, LIFE, false},
    {"not when it jumped ahead", 1000000000000, LIFE, false},
    {"a short life, at its end", 60000, 3660000, true},
    {"a short life is over", 60001, 3660000, false},
    {"no life", 0, 0, false},
};

static void check_kept(void **state)
{
    const struct kept_row *row = *state;
    struct fact_stamp out[KEY_IDENTITY_MAX];
    struct bench bench;

    bench_open(&bench, 1 << 16);
    near_learn(bench.near, &bench.key, bench.stamp, NOW);
    assert_int_equal(near_recall(bench.near, &bench.key, (uint64_t)((int64_t)NOW + row->after_ms),
                                 row->life_ms, out),
                     row->is_known);
    near_free(&bench.near);
}

static void reading_it_again_keeps_it_longer(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, 1 << 16);
    near_learn(bench.near, &bench.key, bench.stamp, NOW);
    near_learn(bench.near, &bench.key, bench.stamp, NOW + HOUR);
    assert_int_equal(near_count(bench.near), 1);
    assert_true(recalls(&bench, NOW + 2 * HOUR));
    near_drop(bench.near);
    assert_int_equal(near_count(bench.near), 0);
    assert_false(recalls(&bench, NOW + 2 * HOUR));
    near_free(&bench.near);
}

// ---- whose it is

static void other_sender(struct bench *bench)
{
    name_key(bench, "eve@sender.example", NOW);
}

static void other_slice(struct bench *bench)
{
    name_key(bench, "ann@sender.example", NOW + KEY_PASSED_SLICE_MS);
}

static void other_secret(struct bench *bench)
{
    bench->ring.epoch[0].secret[3]++;
    name_key(bench, "ann@sender.example", NOW);
}

static void other_buckets(struct bench *bench)
{
    struct key_place *place = &bench->key.passed[KEY_CURRENT];

    place->bucket ^= 1;
}

static void other_network(struct bench *bench)
{
    const struct key_pair pair = {"ann@sender.example", "bob@corp.example"};

    bench->key.identity[1].net.ip.bytes[2]++;
    key_triplet_make(&bench->key, &pair, &bench->ring, NOW, WINDOW);
}

static void other_bits(struct bench *bench)
{
    const struct key_pair pair = {"ann@sender.example", "bob@corp.example"};

    bench->key.identity[1].net.bits = 23;
    key_triplet_make(&bench->key, &pair, &bench->ring, NOW, WINDOW);
}

static void fewer_identities(struct bench *bench)
{
    bench->key.identity_count--;
}

static const struct other_row {
    const char *name;
    void (*change)(struct bench *bench);
} OTHERS[] = {{"another sender", other_sender},      {"another slice", other_slice},
              {"another secret", other_secret},      {"another bucket", other_buckets},
              {"another network", other_network},    {"another length of network", other_bits},
              {"fewer identities", fewer_identities}};

static void check_other(void **state)
{
    const struct other_row *row = *state;
    struct fact_stamp out[KEY_IDENTITY_MAX];
    struct bench bench;

    bench_open(&bench, 1 << 16);
    near_learn(bench.near, &bench.key, bench.stamp, NOW);
    assert_true(recalls(&bench, NOW));
    row->change(&bench);
    assert_false(near_recall(bench.near, &bench.key, NOW, LIFE, out));
    near_free(&bench.near);
}

// ---- room

static void learn_many(struct bench *bench, unsigned count)
{
    char sender[32];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(sender, sizeof(sender), "s%u@sender.example", i);
        name_key(bench, sender, NOW);
        near_learn(bench->near, &bench->key, bench->stamp, NOW + i);
    }
}

static unsigned known_of_many(struct bench *bench, unsigned count)
{
    unsigned known = 0;
    char sender[32];

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(sender, sizeof(sender), "s%u@sender.example", i);
        name_key(bench, sender, NOW);
        known += recalls(bench, NOW + count);
    }
    return known;
}

static void it_holds_what_fits(void **state)
{
    struct bench bench;

    (void)state;
    bench_open(&bench, 0); // one set all the same
    learn_many(&bench, 100);
    assert_int_equal(near_count(bench.near), NEAR_WAYS);
    assert_int_equal(known_of_many(&bench, 100), NEAR_WAYS);
    near_free(&bench.near);
}

static void learn_one(struct bench *bench, const char *who, unsigned number, uint64_t now_ms)
{
    char sender[32];

    (void)snprintf(sender, sizeof(sender), "%s%u@sender.example", who, number);
    name_key(bench, sender, NOW);
    near_learn(bench->near, &bench->key, bench->stamp, now_ms);
}

static void what_is_too_old_goes_first(void **state)
{
    struct bench bench;
    char sender[32];

    (void)state;
    bench_open(&bench, 0);
    learn_one(&bench, "edge", 0, NOW); // in the first place of the set
    for (unsigned i = 0; i < NEAR_WAYS - 1; i++)
        learn_one(&bench, "s", i, NOW);
    learn_one(&bench, "edge", 0, NOW + 1);
    for (unsigned i = 0; i < NEAR_WAYS - 1; i++)
        learn_one(&bench, "later", i, NOW + HOUR + 1);
    for (unsigned i = 0; i < NEAR_WAYS - 1; i++) {
        (void)snprintf(sender, sizeof(sender), "later%u@sender.example", i);
        name_key(&bench, sender, NOW);
        assert_true(recalls(&bench, NOW + HOUR + 1));
    }
    name_key(&bench, "edge0@sender.example", NOW); // just an hour old: the only one of its kind
    assert_true(recalls(&bench, NOW + HOUR + 1));
    assert_int_equal(near_count(bench.near), NEAR_WAYS);
    near_free(&bench.near);
}

// The worst order there is: round and round, a little more than a set holds.
static void going_round_in_more_than_fits_meets_some(void **state)
{
    struct bench bench;
    unsigned met = 0;
    char sender[32];

    (void)state;
    bench_open(&bench, 0);
    for (unsigned i = 0; i < 1000 * (NEAR_WAYS + 1); i++) {
        (void)snprintf(sender, sizeof(sender), "s%u@sender.example", i % (NEAR_WAYS + 1));
        name_key(&bench, sender, NOW);
        if (recalls(&bench, NOW + 1))
            met++;
        else
            near_learn(bench.near, &bench.key, bench.stamp, NOW);
    }
    assert_in_range(met, 1000 * NEAR_WAYS / 2, 1000 * NEAR_WAYS);
    near_free(&bench.near);
}

static void a_table_fills_well(void **state)
{
    const unsigned entries = 1 << 14;
    struct bench bench;

    (void)state;
    bench_open(&bench, (uint64_t)entries * NEAR_ENTRY_BYTES);
    learn_many(&bench, entries / 2);
    assert_in_range(known_of_many(&bench, entries / 2), entries / 2 * 97 / 100, entries / 2);
    learn_many(&bench, 2 * entries);
    assert_in_range(near_count(bench.near), entries * 95 / 100, entries);
    near_free(&bench.near);
}

static void freeing_nothing_is_fine(void **state)
{
    struct near *near = NULL;

    (void)state;
    near_free(&near);
    assert_null(near);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, TAKEN, check_taken);
    TABLE_TEST(&table, a_triplet_of_any_alone_is_not_taken);
    TABLE_ROWS(&table, KEPT, check_kept);
    TABLE_TEST(&table, reading_it_again_keeps_it_longer);
    TABLE_ROWS(&table, OTHERS, check_other);
    TABLE_TEST(&table, it_holds_what_fits);
    TABLE_TEST(&table, what_is_too_old_goes_first);
    TABLE_TEST(&table, going_round_in_more_than_fits_meets_some);
    TABLE_TEST(&table, a_table_fills_well);
    TABLE_TEST(&table, freeing_nothing_is_fine);
    return table_run(&table, "the near cache");
}
