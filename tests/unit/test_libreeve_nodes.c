// libreeve with several nodes: who is asked, who is avoided, and who helps when one does not
// answer, refuses or goes away.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/fake_nodes.h"

static const struct reeve_counters *counters(struct cast *cast)
{
    return reeve_counters(cast->reeve);
}

static size_t others_checks(struct cast *cast)
{
    size_t sum = 0;

    for (size_t i = 0; i < cast->count; i++)
        sum += (int)i == atomic_load(&cast->victim) ? 0 : atomic_load(&cast->part[i].checks);
    return sum;
}

// ---- choice

static void all_nodes_are_asked(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 3, NULL);
    for (size_t i = 0; i < 300; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(told.fallbacks, 0);
    for (size_t i = 0; i < 3; i++)
        assert_in_range(atomic_load(&cast.part[i].checks), 40, 200);
    assert_int_equal(counters(&cast)->questions, 300);
    assert_int_equal(counters(&cast)->answered, 300);
    cast_end(&cast);
}

static void one_that_does_not_answer_fills_up_and_is_avoided(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 10000, .no_hedge = true};
    struct told stuck = {.calls = 0}, told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    (void)cast_submit(&cast, NULL, &stuck);
    CAST_UNTIL(&cast, atomic_load(&cast.victim) != CAST_NOBODY);
    for (size_t i = 0; i < 30; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(atomic_load(&cast_victim(&cast)->checks), 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->in_flight, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_UP);
    assert_int_equal(stuck.calls, 0);
    assert_int_equal(counters(&cast)->hedges, 0);
    cast_end(&cast);
    assert_int_equal(stuck.fallbacks, 1);
}

static void a_transaction_stays_where_it_began(void **unused)
{
    char transaction[16];
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 3, NULL);
    for (size_t i = 0; i < 10; i++) {
        char first[16];

        (void)snprintf(transaction, sizeof(transaction), "t%zu", i);
        cast_ask(&cast, transaction, &told);
        (void)snprintf(first, sizeof(first), "%s", told.by);
        for (size_t k = 0; k < 8; k++) {
            cast_ask(&cast, transaction, &told);
            assert_string_equal(told.by, first);
        }
    }
    cast_end(&cast);
}

static void a_transaction_moves_with_its_answer(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 3, NULL);
    atomic_store(&cast.victims, CAST_OVERLOADED);
    cast_ask(&cast, "t", &told);
    char second[16];

    (void)snprintf(second, sizeof(second), "%s", told.by);
    assert_string_not_equal(second, cast_victim(&cast)->name);
    atomic_store(&cast.victims, CAST_ACCEPTS);
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP));
    for (size_t i = 0; i < 10; i++) {
        cast_ask(&cast, "t", &told);
        assert_string_equal(told.by, second);
    }
    cast_end(&cast);
}

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
    assert_int_equal(counters(&cast)->hedges, 1);
    assert_int_equal(counters(&cast)->fallbacks, 0);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->slow, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->in_flight, 0);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->answered, 0);
    cast_end(&cast);
}

static void the_late_answer_is_dropped(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_HOLDS);
    cast_ask(&cast, NULL, &told);
    CAST_UNTIL(&cast, counters(&cast)->late == 1); // it comes in front of a probe's answer
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP));
    assert_int_equal(told.calls, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->late, 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->damaged, 0);
    assert_int_equal(counters(&cast)->answered, 1);
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
    assert_int_equal(counters(&cast)->hedges, 1);
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
    assert_int_equal(counters(&cast)->hedges, 0);
    assert_true(cast_all_are(&cast, REEVE_NODE_UP));
    assert_int_equal(others_checks(&cast) + atomic_load(&cast_victim(&cast)->checks), 50);
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
    assert_int_equal(counters(&cast)->hedges, 0);
    assert_int_equal(counters(&cast)->unhelped, 1);
    assert_int_equal(others_checks(&cast), 0);
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
    assert_in_range(counters(&cast)->hedges, BUDGET_BURST, BUDGET_BURST + 50);
    assert_int_equal(checks, 500 + counters(&cast)->hedges);
    assert_int_equal(counters(&cast)->hedges + counters(&cast)->unhelped, 500);
    cast_end(&cast);
}

// ---- suspicion

static void a_suspect_is_left_alone_until_it_answers_a_ping(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;
    size_t others;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_SILENT);
    cast_ask(&cast, NULL, &told);
    others = others_checks(&cast);
    for (size_t i = 0; i < 20; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(atomic_load(&cast_victim(&cast)->checks), 1);
    assert_int_equal(others_checks(&cast), others + 20);
    CAST_UNTIL(&cast, atomic_load(&cast_victim(&cast)->pings) >= 2); // one failed
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT);
    atomic_store(&cast.victims, CAST_ACCEPTS);
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP));
    for (size_t i = 0; i < 40; i++)
        cast_ask(&cast, NULL, &told);
    assert_true(atomic_load(&cast_victim(&cast)->checks) > 1);
    assert_int_equal(told.fallbacks, 0);
    cast_end(&cast);
}

static void suspects_are_asked_when_there_is_nobody_else(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_OVERLOADED);
    atomic_store(&cast.others, CAST_OVERLOADED);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_UNREACHABLE);
    assert_int_equal(told.status, REEVE_STATUS_OVERLOADED);
    assert_int_equal(counters(&cast)->retries, 1);
    assert_true(cast_all_are(&cast, REEVE_NODE_SUSPECT));
    atomic_store(&cast.victims, CAST_PINGS_FAIL);
    atomic_store(&cast.others, CAST_PINGS_FAIL);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    // Answers count too, after a while: the one that gave them is asked alone then.
    CAST_UNTIL(&cast, (cast_ask(&cast, NULL, &told), !cast_all_are(&cast, REEVE_NODE_SUSPECT)));
    assert_int_equal(told.error, REEVE_OK);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(reeve_node_at(cast.reeve, i)->state,
                         strcmp(reeve_node_at(cast.reeve, i)->node, told.by) == 0
                             ? REEVE_NODE_UP
                             : REEVE_NODE_SUSPECT);
    cast_end(&cast);
}

// ---- refusals

static const struct {
    enum cast_act act;
    enum reeve_error error;
    size_t retries, hedges, refused, damaged;
    enum reeve_node_state state; // of the one that refused
} REFUSALS[] = {
    {CAST_OVERLOADED, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_EXPIRED, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_UNAVAILABLE, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_INTERNAL, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_FEW_VERDICTS, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_PONG, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_SUSPECT},
    {CAST_LEAVES, REEVE_OK, 1, 0, 1, 0, REEVE_NODE_DRAINING},
    {CAST_BAD_REQUEST, REEVE_REFUSED, 0, 0, 0, 0, REEVE_NODE_UP},
    {CAST_FORBIDDEN, REEVE_REFUSED, 0, 0, 0, 0, REEVE_NODE_UP},
    {CAST_GARBAGE, REEVE_OK, 0, 1, 0, 1, REEVE_NODE_SUSPECT},
    {CAST_FRAMES, REEVE_OK, 0, 1, 0, 1, REEVE_NODE_SUSPECT},
    {CAST_STRANGER, REEVE_OK, 0, 1, 0, 1, REEVE_NODE_SUSPECT},
};

static void what_a_refusal_leads_to(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        struct told told = {.calls = 0};
        const struct reeve_node *seen;
        struct cast cast;

        cast_start(&cast, 2, NULL);
        atomic_store(&cast.victims, (int)REFUSALS[i].act);
        cast_ask(&cast, NULL, &told);
        seen = cast_seen(&cast, cast_victim(&cast));
        if (told.error != REFUSALS[i].error || counters(&cast)->retries != REFUSALS[i].retries ||
            counters(&cast)->hedges != REFUSALS[i].hedges || seen->refused != REFUSALS[i].refused ||
            seen->damaged != REFUSALS[i].damaged || seen->state != REFUSALS[i].state)
            fail_msg("row %zu: error %d, %llu retries, %llu hedges, state %d", i, told.error,
                     (unsigned long long)counters(&cast)->retries,
                     (unsigned long long)counters(&cast)->hedges, seen->state);
        assert_int_equal(told.calls, 1);
        assert_int_equal(seen->in_flight, 0);
        cast_end(&cast);
    }
}

// Overloaded: for a share of the budget. Leaving: free.
static void a_refusal_without_budget(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    cast.reeve->budget.tenths = 0;
    atomic_store(&cast.victims, CAST_OVERLOADED);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_UNREACHABLE);
    assert_int_equal(told.status, REEVE_STATUS_OVERLOADED);
    assert_int_equal(counters(&cast)->unhelped, 1);
    cast_end(&cast);
    cast_start(&cast, 2, NULL);
    cast.reeve->budget.tenths = 0;
    atomic_store(&cast.victims, CAST_LEAVES);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    assert_int_equal(counters(&cast)->unhelped, 0);
    cast_end(&cast);
}

static void damage_at_one_node_hurts_nobody_elsewhere(void **unused)
{
    static struct told told[200];
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_GARBAGE);
    for (size_t i = 0; i < 40; i++)
        (void)cast_submit(&cast, NULL, &told[i]);
    for (size_t i = 0; i < 40; i++)
        CAST_UNTIL(&cast, told[i].calls == 1);
    for (size_t i = 0; i < 40; i++)
        assert_int_equal(told[i].error, REEVE_OK);
    assert_true(cast_seen(&cast, cast_victim(&cast))->damaged > 0);
    cast_end(&cast);
}

// Suspect for the damage itself, not for being slow.
static void a_noisy_node_is_suspect(void **unused)
{
    const struct reeve_options options = {.deadline_ms = 20000, .no_hedge = true};
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_NOISY);
    cast_ask(&cast, NULL, &told);
    assert_string_equal(told.by, cast_victim(&cast)->name);
    CAST_UNTIL(&cast, cast_seen(&cast, cast_victim(&cast))->damaged == 1);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->slow, 0);
    cast_end(&cast);
}

// ---- draining

static void a_draining_node_gets_nothing_new(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, NULL);
    atomic_store(&cast.victims, CAST_DRAINS);
    cast_ask(&cast, NULL, &told);
    assert_string_equal(told.by, cast_victim(&cast)->name); // its answer is as good as any
    assert_int_equal(told.error, REEVE_OK);
    assert_int_equal(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_DRAINING);
    for (size_t i = 0; i < 20; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(atomic_load(&cast_victim(&cast)->checks), 1);
    atomic_store(&cast.others, CAST_DRAINS);
    for (size_t i = 0; i < 20; i++)
        cast_ask(&cast, NULL, &told);
    assert_true(cast_all_are(&cast, REEVE_NODE_DRAINING)); // and all the same they answer
    assert_int_equal(told.fallbacks, 0);
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
    CAST_UNTIL(&cast, counters(&cast)->answered == lost);
    assert_in_range(clock_mono_ms() - began_ms, 0, 3000);
    assert_int_equal(counters(&cast)->resends, lost);
    assert_int_equal(counters(&cast)->fallbacks, 0);
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
    assert_int_equal(counters(&cast)->resends, ASK_COPIES_MAX - 1);
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
    CAST_UNTIL(&cast, counters(&cast)->hedges == 1 && others_checks(&cast) == 1);
    reeve_cancel(cast.reeve, id);
    for (size_t i = 0; i < 2; i++)
        assert_int_equal(reeve_node_at(cast.reeve, i)->in_flight, 0);
    CAST_UNTIL(&cast, counters(&cast)->late >= 1);
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
    CAST_UNTIL(&cast, counters(&cast)->hedges == 5);
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
    CAST_UNTIL(&cast, counters(&cast)->hedges == 2); // four copies
    (void)cast_submit(&cast, NULL, &told);           // the third question
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
        cmocka_unit_test(all_nodes_are_asked),
        cmocka_unit_test(one_that_does_not_answer_fills_up_and_is_avoided),
        cmocka_unit_test(a_transaction_stays_where_it_began),
        cmocka_unit_test(a_transaction_moves_with_its_answer),
        cmocka_unit_test(a_slow_node_is_helped_by_another),
        cmocka_unit_test(the_late_answer_is_dropped),
        cmocka_unit_test(the_first_node_wins_against_its_hedge),
        cmocka_unit_test(a_fast_answer_is_not_hedged),
        cmocka_unit_test(without_budget_nobody_helps),
        cmocka_unit_test(a_slow_cluster_is_not_doubled),
        cmocka_unit_test(a_suspect_is_left_alone_until_it_answers_a_ping),
        cmocka_unit_test(suspects_are_asked_when_there_is_nobody_else),
        cmocka_unit_test(what_a_refusal_leads_to),
        cmocka_unit_test(a_refusal_without_budget),
        cmocka_unit_test(damage_at_one_node_hurts_nobody_elsewhere),
        cmocka_unit_test(a_noisy_node_is_suspect),
        cmocka_unit_test(a_draining_node_gets_nothing_new),
        cmocka_unit_test(what_was_under_way_goes_elsewhere_at_once),
        cmocka_unit_test(a_question_that_loses_every_connection_is_given_up),
        cmocka_unit_test(cancelled_while_two_nodes_work_on_it),
        cmocka_unit_test(closed_while_two_nodes_work_on_it),
        cmocka_unit_test(the_limit_counts_questions_not_copies),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
