// Parts of libreeve that choose: between nodes, whom to trust, and whether a second copy may be
// sent. Pure: no sockets, no time.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/lib/choose.h"
#include "client/lib/client.h"
#include "proto/base/mem.h"

// ---- choosing

enum { NODES = 4 };

struct stage {
    struct nodes nodes;
    struct node node[NODES];
    struct ask ask;
};

// One letter a node: u(p), d(raining), s(uspect), b(oth), g(one), a(way), f(ull); a capital letter
// was asked already.
static void set_stage(struct stage *stage, const char *letters)
{
    *stage = (struct stage){.nodes = {.count = strlen(letters)}};
    for (size_t i = 0; letters[i] != '\0'; i++) {
        struct node *node = &stage->node[i];
        char letter = letters[i];

        stage->nodes.node[i] = node;
        *node = (struct node){.serial = i + 1, .sources = 1, .link = {.is_up = true}};
        (void)snprintf(node->name, sizeof(node->name), "n%zu", i);
        if (letter >= 'A' && letter <= 'Z') {
            stage->ask.copy[stage->ask.copy_count++] = (struct ask_copy){.serial = i + 1};
            letter = (char)(letter - 'A' + 'a');
        }
        node->health.is_draining = letter == 'd' || letter == 'b';
        node->health.is_suspect = letter == 's' || letter == 'b';
        node->sources = letter == 'g' ? 0 : 1;
        node->link.is_up = letter != 'a';
        node->is_full = letter == 'f';
    }
}

// chosen: the places that get a question for some number, as bits.
static unsigned chosen(const struct stage *stage)
{
    unsigned bits = 0;
    uint64_t random = 1;

    for (int i = 0; i < 1000; i++) {
        const struct node *node = choose_node(&stage->nodes, &stage->ask, 0, random);

        if (node != NULL)
            bits |= 1U << (node - stage->node);
        random = random * 6364136223846793005U + 1442695040888963407U;
    }
    return bits;
}

static void whom_it_may_be(void **unused)
{
    static const struct {
        const char *letters;
        unsigned bits;
    } rows[] = {
        {"", 0},      {"u", 1},   {"a", 0},   {"f", 0},  {"U", 0},  {"uu", 3},
        {"uuuu", 15}, {"ud", 1},  {"du", 2},  {"us", 1}, {"ds", 1}, {"sd", 2},
        {"ss", 3},    {"dd", 3},  {"bs", 3},  {"bd", 2}, {"sg", 1}, {"bg", 1},
        {"ag", 2},    {"ga", 1},  {"gg", 3},  {"uf", 1}, {"fs", 2}, {"Us", 2},
        {"Uuu", 6},   {"Uss", 6}, {"UUs", 4}, {"Ua", 0}, {"SU", 0}, {"Ugd", 4},
    };
    struct stage stage;

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        set_stage(&stage, rows[i].letters);
        if (chosen(&stage) != rows[i].bits)
            fail_msg("'%s': %x, not %x", rows[i].letters, chosen(&stage), rows[i].bits);
    }
}

static void the_less_busy_of_two(void **unused)
{
    struct stage stage;

    (void)unused;
    set_stage(&stage, "uu");
    stage.node[0].seen.in_flight = 1;
    assert_int_equal(chosen(&stage), 2);
    stage.node[1].seen.in_flight = 1;
    assert_int_equal(chosen(&stage), 3);
    set_stage(&stage, "uuuu"); // the busiest of four loses against whomever it is drawn with
    stage.node[2].seen.in_flight = 1;
    assert_int_equal(chosen(&stage), 11);
    stage.node[0].seen.in_flight = 5;
    assert_int_equal(chosen(&stage), 14); // not the least busy of all, but of two
    set_stage(&stage, "su");
    stage.node[1].seen.in_flight = 1000;
    assert_int_equal(chosen(&stage), 2); // a busy node that is well, before an idle suspect
}

static void another_address_of_an_asked_node_comes_last(void **unused)
{
    struct stage stage;

    (void)unused;
    set_stage(&stage, "Uus");
    (void)snprintf(stage.node[1].name, sizeof(stage.node[1].name), "n0");
    assert_int_equal(chosen(&stage), 4);
    stage.node[2].link.is_up = false;
    assert_int_equal(chosen(&stage), 2);
    stage.node[0].name[0] = '\0'; // no name says nothing
    stage.node[1].name[0] = '\0';
    stage.node[2].link.is_up = true;
    assert_int_equal(chosen(&stage), 2);
}

static void a_connection_that_came_back_is_another(void **unused)
{
    struct stage stage;

    (void)unused;
    set_stage(&stage, "U");
    stage.node[0].link.connects = 1;
    assert_int_equal(chosen(&stage), 1);
    stage.ask.copy[0].connection = 1;
    assert_int_equal(chosen(&stage), 0);
}

static void the_node_of_the_transaction(void **unused)
{
    struct stage stage;

    (void)unused;
    set_stage(&stage, "uus");
    for (uint64_t random = 0; random < 50; random++)
        assert_int_equal(choose_node(&stage.nodes, &stage.ask, 2, random)->serial, 2);
    stage.node[1].seen.in_flight = AFFINITY_SLACK; // busier, but not clearly
    for (uint64_t random = 0; random < 50; random++)
        assert_int_equal(choose_node(&stage.nodes, &stage.ask, 2, random)->serial, 2);
    stage.node[1].seen.in_flight = AFFINITY_SLACK + 1;
    for (uint64_t random = 0; random < 50; random++)
        assert_int_equal(choose_node(&stage.nodes, &stage.ask, 2, random)->serial, 1);
    stage.node[0].seen.in_flight = 10;
    stage.node[1].seen.in_flight = 2 * 10 + AFFINITY_SLACK;
    assert_int_equal(choose_node(&stage.nodes, &stage.ask, 2, 0)->serial, 2);
    stage.node[1].seen.in_flight++;
    assert_int_equal(choose_node(&stage.nodes, &stage.ask, 2, 0)->serial, 1);
    stage.node[1].seen.in_flight = 0;
    for (uint64_t random = 0; random < 50; random++)
        assert_int_not_equal(choose_node(&stage.nodes, &stage.ask, 3, random)->serial, 3);
    assert_non_null(choose_node(&stage.nodes, &stage.ask, 99, 0)); // it is gone
}

static void the_table_of_transactions(void **unused)
{
    struct affinity *affinity = mem_new(sizeof(*affinity));
    uint64_t one = affinity_hash("one"), clash;

    (void)unused;
    assert_int_not_equal(one, 0);
    assert_int_not_equal(one, affinity_hash("two"));
    assert_int_equal(affinity_of(affinity, one), 0);
    affinity_note(affinity, one, 5);
    assert_int_equal(affinity_of(affinity, one), 5);
    affinity_note(affinity, one, 6);
    assert_int_equal(affinity_of(affinity, one), 6);
    assert_int_equal(affinity_of(affinity, affinity_hash("two")), 0);
    clash = one ^ 1; // the same row
    affinity_note(affinity, clash, 7);
    assert_int_equal(affinity_of(affinity, one), 0);
    assert_int_equal(affinity_of(affinity, clash), 7);
    mem_free(affinity);
}

// ---- trust

static void a_probe_that_succeeds(void **unused)
{
    struct health health = {.is_suspect = false};

    (void)unused;
    assert_false(health_is_due(&health, 100000));
    health_suspect(&health, 100000);
    assert_true(health.is_suspect);
    assert_false(health_is_due(&health, 100099));
    assert_true(health_is_due(&health, 100100));
    assert_true(health_is_due(&health, 100105)); // until it is sent
    health_probed(&health, 77, 100105, 50);
    assert_false(health_is_due(&health, 100106));
    assert_false(health_pong(&health, 78, 100110));
    assert_true(health.is_suspect);
    assert_true(health_pong(&health, 77, 100120));
    assert_false(health.is_suspect);
    assert_false(health_pong(&health, 77, 100121)); // once
    assert_false(health_is_due(&health, 200000));
}

static uint64_t next_probe(struct health *health, uint64_t from_ms)
{
    uint64_t at_ms = from_ms;

    while (!health_is_due(health, at_ms) && at_ms < from_ms + 20000)
        at_ms++;
    return at_ms;
}

static void probes_that_fail_become_rare(void **unused)
{
    static const uint64_t waits[] = {100, 200, 400, 800, 1600, 3200, 5000, 5000, 5000};
    struct health health = {.is_suspect = false};
    uint64_t at_ms = 100000;

    (void)unused;
    health_suspect(&health, at_ms);
    for (size_t i = 0; i < sizeof(waits) / sizeof(waits[0]); i++) {
        uint64_t due_ms = next_probe(&health, at_ms);

        assert_int_equal(due_ms - at_ms, waits[i]);
        health_suspect(&health, due_ms); // more bad news changes nothing
        health_probed(&health, i + 1, due_ms, 50);
        assert_false(health_is_due(&health, due_ms + 49));
        assert_false(health_is_due(&health, due_ms + 50)); // it failed
        assert_false(health_pong(&health, i + 1, due_ms + 51));
        at_ms = due_ms + 50;
    }
}

static void suspected_again(void **unused)
{
    struct health health = {.is_suspect = false};

    (void)unused;
    health_answered(&health, 99999);
    assert_int_equal(health.trusted_ms, 0); // it was never suspect
    health_suspect(&health, 100000);
    health_answered(&health, 100099); // too soon
    assert_true(health.is_suspect);
    health_answered(&health, 100100);
    assert_false(health.is_suspect);
    health_suspect(&health, 100100 + HEALTH_FORGIVEN_MS - 1); // soon after
    assert_int_equal(health.probe_ms, 100100 + HEALTH_FORGIVEN_MS - 1 + 200);
    health_put_off(&health, 100100 + HEALTH_FORGIVEN_MS + 199);
    health_answered(&health, 120000);
    assert_false(health.is_suspect);
    health_suspect(&health, 120000 + HEALTH_FORGIVEN_MS);
    assert_int_equal(health.probe_ms, 120000 + HEALTH_FORGIVEN_MS + 100);
    health.is_draining = true;
    health_connected(&health);
    assert_false(health.is_suspect);
    assert_false(health.is_draining);
    health_suspect(&health, 130001);
    assert_int_equal(health.probe_ms, 130101);
    health_put_off(&health, 130101);
    assert_int_equal(health.probe_ms, 130301);
}

// ---- the budget

static void a_tenth_and_a_burst(void **unused)
{
    struct budget budget = {.tenths = 0};

    (void)unused;
    assert_false(budget_take(&budget));
    for (int i = 0; i < 9; i++)
        budget_earn(&budget);
    assert_false(budget_take(&budget));
    budget_earn(&budget);
    assert_true(budget_take(&budget));
    assert_false(budget_take(&budget));
    for (int i = 0; i < 100000; i++)
        budget_earn(&budget);
    for (int i = 0; i < BUDGET_BURST; i++)
        assert_true(budget_take(&budget));
    assert_false(budget_take(&budget));
}

// ---- the order of hedges

static struct ask *add(struct asks *asks, uint64_t hedge_ms)
{
    const struct msg_request request = {.verb = MSG_PING};
    struct ask *ask = ask_new(&request);

    ask->deadline_ms = 1000;
    asks_add(asks, ask);
    asks_hedge_at(asks, ask, hedge_ms);
    return ask;
}

static void the_earliest_hedge_comes_first(void **unused)
{
    static const uint64_t order[] = {5, 10, 20, 30, 40};
    struct asks asks;
    struct ask *moved, *due, *off;

    (void)unused;
    assert_int_equal(asks_init(&asks, 16), ERR_NONE);
    (void)add(&asks, 20);
    (void)add(&asks, 10);
    (void)add(&asks, 40);
    moved = add(&asks, 90);
    off = add(&asks, 1);
    due = add(&asks, 2);
    (void)add(&asks, 5);
    asks_hedge_at(&asks, moved, 30);
    asks_hedge_at(&asks, off, 0);
    asks_move_due(&asks, due, REEVE_REFUSED, "because");
    for (size_t i = 0; i < 5; i++) {
        struct ask *ask = TAILQ_FIRST(&asks.hedges);

        assert_int_equal(ask->hedge_ms, order[i]);
        asks_remove(&asks, ask);
        ask_free(&ask);
    }
    assert_true(TAILQ_EMPTY(&asks.hedges));
    asks_set_sent(&asks, off);
    assert_int_equal(asks.unsent_count, 0);
    asks_set_unsent(&asks, off);
    assert_int_equal(asks.unsent_count, 1);
    asks_remove(&asks, off);
    asks_remove(&asks, due);
    assert_int_equal(asks.unsent_count, 0);
    ask_free(&off);
    ask_free(&due);
    asks_free(&asks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whom_it_may_be),
        cmocka_unit_test(the_less_busy_of_two),
        cmocka_unit_test(another_address_of_an_asked_node_comes_last),
        cmocka_unit_test(a_connection_that_came_back_is_another),
        cmocka_unit_test(the_node_of_the_transaction),
        cmocka_unit_test(the_table_of_transactions),
        cmocka_unit_test(a_probe_that_succeeds),
        cmocka_unit_test(probes_that_fail_become_rare),
        cmocka_unit_test(suspected_again),
        cmocka_unit_test(a_tenth_and_a_burst),
        cmocka_unit_test(the_earliest_hedge_comes_first),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
