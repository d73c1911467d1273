// libreeve with several nodes: who helps when one does not answer or goes away, within which limits,
// and how that ends.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/copies.h"
#include "tests/support/fake_nodes.h"

// ---- hedges

static void a_slow_node_is_helped_by_another(void **unused)
{
    struct told told = {.calls = 0};
    const struct reeve_options options = {.deadline_ms = 20000}; // hedges as they are by default
    uint64_t began_ms;
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    began_ms = clock_mono_ms();
    cast_ask(&cast, NULL, &told);
    assert_in_range(clock_mono_ms() - began_ms, 100, 5000); // long before the deadline
    assert_int_equal(told.error, REEVE_OK);
    assert_string_not_equal(told.by, cast_victim(&cast)->name);
    assert_int_equal(cast_counters(&cast)->hedges, 1);
    assert_int_equal(cast_counters(&cast)->fallbacks, 0);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->slow, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->in_flight, 0);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->answered, 0);
    cast_end(&cast);
}

// Both nodes get the same question, and each hears how long the caller still waits.
static void what_the_second_node_is_told(void **unused)
{
    static const char *const given[] = {"t1", NULL, ""};
    struct told told = {.calls = 0};

    (void)unused;
    for (size_t i = 0; i < 3; i++) {
        struct cast_part *first, *second;
        struct cast cast;

        cast_start(&cast, 2, NULL);
        atomic_store(&cast.victims, CAST_SILENT);
        cast_ask(&cast, given[i], &told);
        first = cast_victim(&cast);
        second = &cast.part[1 - atomic_load(&cast.victim)];
        assert_in_range(atomic_load(&first->budget_ms), 9000, 10000);
        assert_in_range(atomic_load(&second->budget_ms), 1,
                        atomic_load(&first->budget_ms) - CAST_HEDGE_MS);
        assert_string_equal(first->transaction, second->transaction);
        if (i == 0)
            assert_string_equal(second->transaction, "t1");
        else
            assert_non_null(strstr(second->transaction, "libreeve-"));
        (void)snprintf(second->transaction, sizeof(second->transaction), "-");
        cast_ask(&cast, NULL, &told); // another question, another transaction
        assert_string_not_equal(second->transaction, first->transaction);
        cast_end(&cast);
    }
}

static void the_late_answer_is_dropped(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_HOLDS);
    cast_ask(&cast, NULL, &told);
    CAST_UNTIL(&cast, cast_counters(&cast)->late == 1); // it comes in front of a probe's answer
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP));
    assert_int_equal(told.calls, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->late, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->damaged, 0);
    assert_int_equal(cast_counters(&cast)->answered, 1);
    cast_end(&cast);
}

// The first node answers after all, and the second one does not.
static void the_first_node_wins_against_its_hedge(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_HOLDS);
    atomic_store(&cast.others, CAST_SILENT);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(cast_counters(&cast)->hedges, 1);
    assert_string_equal(told.by, cast_victim(&cast)->name);
    assert_int_equal(told.error, REEVE_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(reeve_node_at(cast.reeve, i)->in_flight, 0);
    cast_end(&cast);
}

static void a_fast_answer_is_not_hedged(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 30000, .hedge_ms = 20000};
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 3, &options);
    for (size_t i = 0; i < 50; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(cast_counters(&cast)->hedges, 0);
    assert_true(cast_all_are(&cast, REEVE_NODE_UP));
    assert_int_equal(cast_others_checks(&cast) + atomic_load(&cast_victim(&cast)->checks), 50);
    cast_end(&cast);
}

static void without_budget_nobody_helps(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 400};
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    cast.reeve->budget.tenths = 0;
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.fallbacks, 1);
    assert_string_equal(told.message, "the node did not answer in time");
    assert_int_equal(cast_counters(&cast)->hedges, 0);
    assert_int_equal(cast_counters(&cast)->unhelped, 1);
    assert_int_equal(cast_others_checks(&cast), 0);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->slow, 1);
    cast_end(&cast);
}

// A cluster that is slow as a whole gets a tenth more to do, beyond what was saved up.
static void a_slow_cluster_is_not_doubled(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 300, .in_flight_max = 1000};
    static struct told told[500];
    struct cast cast;
    size_t checks = 0;

    (void)unused;
    cast_start(&cast, 3, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    atomic_store(&cast.others, CAST_SILENT);
    for (size_t i = 0; i < 500; i++)
        (void)cast_submit(&cast, NULL, &told[i]);
    for (size_t i = 0; i < 500; i++)
        CAST_UNTIL(&cast, told[i].calls == 1);
    for (size_t i = 0; i < 3; i++)
        checks += reeve_node_at(cast.reeve, i)->asked;
    assert_in_range(cast_counters(&cast)->hedges, BUDGET_BURST, BUDGET_BURST + 50);
    assert_int_equal(checks, 500 + cast_counters(&cast)->hedges);
    assert_int_equal(cast_counters(&cast)->hedges + cast_counters(&cast)->unhelped, 500);
    cast_end(&cast);
}

// ---- connections that end

static void what_was_under_way_goes_elsewhere_at_once(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 30000, .no_hedge = true};
    static struct told told[20];
    struct cast cast;
    uint64_t began_ms;
    size_t lost;

    (void)unused;
    cast_start(&cast, 2, &options);
    cast.reeve->budget.tenths = 0; // it needs none
    atomic_store(&cast.victims, CAST_SILENT);
    atomic_store(&cast.others, CAST_SILENT);
    for (size_t i = 0; i < 20; i++)
        (void)cast_submit(&cast, NULL, &told[i]);
    CAST_UNTIL(&cast, atomic_load(&cast.part[0].checks) + atomic_load(&cast.part[1].checks) == 20);
    lost = atomic_load(&cast_victim(&cast)->checks);
    assert_true(lost > 0 && lost < 20);
    atomic_store(&cast.others, CAST_ACCEPTS);
    began_ms = clock_mono_ms();
    fake_stop(&cast_victim(&cast)->node);
    CAST_UNTIL(&cast, cast_counters(&cast)->answered == lost);
    assert_in_range(clock_mono_ms() - began_ms, 0, 3000);
    assert_int_equal(cast_counters(&cast)->resends, lost);
    assert_int_equal(cast_counters(&cast)->fallbacks, 0);
    for (size_t i = 0; i < 2; i++) {
        const struct reeve_node *node = reeve_node_at(cast.reeve, i);

        if (node->state == REEVE_NODE_AWAY)
            assert_int_equal(node->lost, lost);
        assert_int_equal(node->in_flight, node->state == REEVE_NODE_AWAY ? 0 : 20 - lost);
    }
    cast_open(&cast, (size_t)atomic_load(&cast.victim), cast_victim(&cast)->node.endpoint);
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP)); // it comes back by itself
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->connects, 2);
    cast_end(&cast);
}

// A caller may ask in its callback, when the link is back but the end of the connection before has
// not been followed up yet.
static void what_went_over_the_next_connection_is_not_lost(void **unused)
{
    struct told before = {.calls = 0}, after = {.calls = 0};
    struct cast cast;
    struct node *node;

    (void)unused;
    cast_start(&cast, 1, NULL);
    node = cast.reeve->lookups.node[0];
    atomic_store(&cast.victims, CAST_SILENT);
    (void)cast_submit(&cast, NULL, &before);
    node->link.connects++; // the connection ended, and there is another
    (void)cast_submit(&cast, NULL, &after);
    assert_int_equal(node->seen.in_flight, 2);
    copies_lost(cast.reeve, &cast.reeve->lookups, node);
    assert_int_equal(node->seen.in_flight, 1);
    assert_int_equal(node->seen.lost, 1);
    assert_int_equal(cast.reeve->asks.unsent_count, 1);
    node->link.is_up = false; // and that ended, too
    copies_lost(cast.reeve, &cast.reeve->lookups, node);
    assert_int_equal(node->seen.in_flight, 0);
    assert_int_equal(cast.reeve->asks.unsent_count, 2);
    cast_end(&cast);
    assert_int_equal(before.calls + after.calls, 2);
}

// It may be the question that kills them.
static void a_question_that_loses_every_connection_is_given_up(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 60000, .no_hedge = true};
    struct told told = {.calls = 0};
    char endpoint[64];
    struct cast cast;

    (void)unused;
    cast_start(&cast, 1, &options);
    (void)snprintf(endpoint, sizeof(endpoint), "%s", cast.part[0].node.endpoint);
    atomic_store(&cast.victims, CAST_SILENT);
    (void)cast_submit(&cast, NULL, &told);
    for (size_t i = 1; i <= ASK_COPIES_MAX; i++) {
        CAST_UNTIL(&cast, atomic_load(&cast.part[0].checks) == i);
        assert_int_equal(told.calls, 0);
        fake_stop(&cast.part[0].node);
        cast_open(&cast, 0, endpoint);
    }
    CAST_UNTIL(&cast, told.calls == 1);
    assert_int_equal(told.fallbacks, 1);
    assert_string_equal(told.message, "no node did answer: the connection was lost each time");
    assert_int_equal(cast_counters(&cast)->resends, ASK_COPIES_MAX - 1);
    cast_end(&cast);
}

// ---- cancelling and closing

static void cancelled_while_two_nodes_work_on_it(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;
    uint64_t id;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_HOLDS);
    atomic_store(&cast.others, CAST_HOLDS);
    id = cast_submit(&cast, NULL, &told);
    CAST_UNTIL(&cast, cast_counters(&cast)->hedges == 1 && cast_others_checks(&cast) == 1);
    reeve_cancel(cast.reeve, id);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(reeve_node_at(cast.reeve, i)->in_flight, 0);
    CAST_UNTIL(&cast, cast_counters(&cast)->late >= 1);
    assert_int_equal(told.calls, 0);
    cast_end(&cast);
    assert_int_equal(told.calls, 0);
}

static void closed_while_two_nodes_work_on_it(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_SILENT);
    atomic_store(&cast.others, CAST_SILENT);
    for (size_t i = 0; i < 5; i++)
        (void)cast_submit(&cast, NULL, &told);
    CAST_UNTIL(&cast, cast_counters(&cast)->hedges == 5);
    cast_end(&cast);
    assert_int_equal(told.calls, 5);
    assert_int_equal(told.fallbacks, 5);
}

static void the_limit_counts_questions_not_copies(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 30000, .in_flight_max = 3};
    struct told told = {.calls = 0}, surplus = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    atomic_store(&cast.others, CAST_SILENT);
    (void)cast_submit(&cast, NULL, &told);
    (void)cast_submit(&cast, NULL, &told);
    CAST_UNTIL(&cast, cast_counters(&cast)->hedges == 2); // four copies
    (void)cast_submit(&cast, NULL, &told);                // the third question
    cast_ask(&cast, NULL, &surplus);
    assert_int_equal(surplus.fallbacks, 1);
    assert_non_null(strstr(surplus.message, "in_flight_max"));
    assert_int_equal(told.calls, 0);
    cast_end(&cast);
    assert_int_equal(told.calls, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_slow_node_is_helped_by_another),
        cmocka_unit_test(what_the_second_node_is_told),
        cmocka_unit_test(the_late_answer_is_dropped),
        cmocka_unit_test(the_first_node_wins_against_its_hedge),
        cmocka_unit_test(a_fast_answer_is_not_hedged),
        cmocka_unit_test(without_budget_nobody_helps),
        cmocka_unit_test(a_slow_cluster_is_not_doubled),
        cmocka_unit_test(what_was_under_way_goes_elsewhere_at_once),
        cmocka_unit_test(what_went_over_the_next_connection_is_not_lost),
        cmocka_unit_test(a_question_that_loses_every_connection_is_given_up),
        cmocka_unit_test(cancelled_while_two_nodes_work_on_it),
        cmocka_unit_test(closed_while_two_nodes_work_on_it),
        cmocka_unit_test(the_limit_counts_questions_not_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
