// libreeve with several nodes: who is asked, who is avoided, and what becomes of a refusal.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/health.h"
#include "proto/base/clock.h"
#include "tests/support/fake_nodes.h"

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
    assert_int_equal(cast_counters(&cast)->questions, 300);
    assert_int_equal(cast_counters(&cast)->answered, 300);
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
    assert_int_equal(cast_counters(&cast)->hedges, 0);
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
    others = cast_others_checks(&cast);
    for (size_t i = 0; i < 20; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(atomic_load(&cast_victim(&cast)->checks), 1);
    assert_int_equal(cast_others_checks(&cast), others + 20);
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
    assert_int_equal(cast_counters(&cast)->retries, 1);
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

// On a busy machine a suspect may have answered its first probe before anybody looks.
static bool is_state(enum reeve_node_state state, enum reeve_node_state wanted, uint64_t since_ms)
{
    return state == wanted || (wanted == REEVE_NODE_SUSPECT && state == REEVE_NODE_UP &&
                               clock_mono_ms() - since_ms >= HEALTH_PROBE_FIRST_MS);
}

static void what_a_refusal_leads_to(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(REFUSALS) / sizeof(REFUSALS[0]); i++) {
        struct told told = {.calls = 0};
        const struct reeve_node *seen;
        uint64_t began_ms;
        struct cast cast;

        cast_start(&cast, 2, NULL);
        atomic_store(&cast.victims, (int)REFUSALS[i].act);
        began_ms = clock_mono_ms();
        cast_ask(&cast, NULL, &told);
        seen = cast_seen(&cast, cast_victim(&cast));
        if (told.error != REFUSALS[i].error ||
            cast_counters(&cast)->retries != REFUSALS[i].retries ||
            cast_counters(&cast)->hedges != REFUSALS[i].hedges ||
            seen->refused != REFUSALS[i].refused || seen->damaged != REFUSALS[i].damaged ||
            !is_state(seen->state, REFUSALS[i].state, began_ms))
            fail_msg("row %zu: error %d, %llu retries, %llu hedges, %llu refused, %llu damaged, "
                     "state %d after %llu ms",
                     i, told.error, (unsigned long long)cast_counters(&cast)->retries,
                     (unsigned long long)cast_counters(&cast)->hedges,
                     (unsigned long long)seen->refused, (unsigned long long)seen->damaged,
                     seen->state, (unsigned long long)(clock_mono_ms() - began_ms));
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
    assert_int_equal(cast_counters(&cast)->unhelped, 1);
    cast_end(&cast);
    cast_start(&cast, 2, NULL);
    cast.reeve->budget.tenths = 0;
    atomic_store(&cast.victims, CAST_LEAVES);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    assert_int_equal(cast_counters(&cast)->unhelped, 0);
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
    uint64_t began_ms;
    struct cast cast;

    (void)unused;
    cast_start(&cast, 2, &options);
    atomic_store(&cast.victims, CAST_NOISY);
    began_ms = clock_mono_ms();
    cast_ask(&cast, NULL, &told);
    assert_string_equal(told.by, cast_victim(&cast)->name);
    CAST_UNTIL(&cast, cast_seen(&cast, cast_victim(&cast))->damaged == 1);
    assert_true(
        is_state(cast_seen(&cast, cast_victim(&cast))->state, REEVE_NODE_SUSPECT, began_ms));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_nodes_are_asked),
        cmocka_unit_test(one_that_does_not_answer_fills_up_and_is_avoided),
        cmocka_unit_test(a_transaction_stays_where_it_began),
        cmocka_unit_test(a_transaction_moves_with_its_answer),
        cmocka_unit_test(a_suspect_is_left_alone_until_it_answers_a_ping),
        cmocka_unit_test(suspects_are_asked_when_there_is_nobody_else),
        cmocka_unit_test(what_a_refusal_leads_to),
        cmocka_unit_test(a_refusal_without_budget),
        cmocka_unit_test(damage_at_one_node_hurts_nobody_elsewhere),
        cmocka_unit_test(a_noisy_node_is_suspect),
        cmocka_unit_test(a_draining_node_gets_nothing_new),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
