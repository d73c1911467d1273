// libreeve in an event loop: the descriptor, the order of things, many requests, cancelling,
// closing, and a node that comes and goes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>
#include <time.h>

#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "tests/support/fake_node.h"

enum { SHORT_MS = 120, LONG_MS = 5000 };

struct counted {
    size_t calls, fallbacks, deferred;
    enum reeve_error error;
    char message[160];
    char recipient[64];
};

static void count(void *arg, const struct reeve_answer *answer)
{
    struct counted *counted = arg;

    counted->calls++;
    counted->fallbacks += answer->fallback;
    counted->deferred += answer->verdicts[0].action == REEVE_DEFER;
    counted->error = answer->error;
    (void)snprintf(counted->message, sizeof(counted->message), "%s", answer->message);
    (void)snprintf(counted->recipient, sizeof(counted->recipient), "%s",
                   answer->verdicts[0].recipient);
}

static struct reeve *client_for(const char *endpoint, unsigned deadline_ms, unsigned in_flight_max)
{
    const char *const nodes[] = {endpoint};
    const struct reeve_options options = {
        .nodes = nodes,
        .node_count = 1,
        .deadline_ms = deadline_ms,
        .in_flight_max = in_flight_max,
        .gateway = "loop-test",
    };
    struct reeve *reeve = NULL;
    char message[256];

    if (reeve_new(&reeve, &options, message, sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    return reeve;
}

static uint64_t submit(struct reeve *reeve, const char *recipient, struct counted *counted)
{
    const struct reeve_check check = {
        .sender = "a@example.net", .recipients = &recipient, .recipient_total = 1};
    uint64_t id = reeve_submit(reeve, &check, count, counted);

    assert_int_not_equal(id, 0);
    return id;
}

static bool is_readable(const struct reeve *reeve, int timeout_ms)
{
    struct pollfd watch = {.fd = reeve_fd(reeve), .events = POLLIN};

    return poll(&watch, 1, timeout_ms) == 1;
}

// run_until: an event loop, until so many callbacks came.
static void run_until(struct reeve *reeve, const struct counted *counted, size_t calls)
{
    uint64_t until_ms = clock_mono_ms() + 2ULL * LONG_MS;

    while (counted->calls < calls && clock_mono_ms() < until_ms) {
        if (is_readable(reeve, LONG_MS))
            reeve_dispatch(reeve);
    }
    assert_int_equal(counted->calls, calls);
}

// settle: dispatches until the descriptor is quiet.
static void settle(struct reeve *reeve)
{
    while (is_readable(reeve, 0))
        reeve_dispatch(reeve);
}

// ---- what the node does

static void act_accept(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_verdict verdict = {.action = MSG_ACCEPT, .code = 250, .reason = "accept"};

    fake_decide(node, request, &verdict, 1);
}

static void act_defer(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_verdict verdict = {.action = MSG_DEFER, .code = 451, .reason = "x"};

    fake_decide(node, request, &verdict, 1);
}

static void act_flood(struct fake_node *node, const struct msg_request *request)
{
    struct msg_request other = *request;

    for (size_t i = 0; i < 300; i++) {
        other.id = 1000000 + i;
        act_accept(node, &other);
    }
    act_defer(node, request);
}

// ---- the descriptor

static void readable_until_dispatched(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 0);
    (void)submit(reeve, "b@example.org", &counted);
    run_until(reeve, &counted, 1);
    settle(reeve);
    (void)submit(reeve, "b@example.org", &counted);
    for (size_t i = 0; i < 5; i++)
        assert_true(is_readable(reeve, LONG_MS)); // says so as often as it is asked
    assert_int_equal(counted.calls, 1);
    run_until(reeve, &counted, 2);
    settle(reeve);
    assert_false(is_readable(reeve, 50));
    reeve_free(&reeve);
    fake_stop(&node);
}

// Trap: libzmq tells of a message once, and any call on the socket may swallow that.
static void a_call_in_between_swallows_no_edge(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;
    uint64_t id;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 0);
    (void)submit(reeve, "b@example.org", &counted);
    run_until(reeve, &counted, 1);
    for (size_t round = 2; round < 50; round++) {
        (void)submit(reeve, "b@example.org", &counted);
        while (atomic_load(&node.seen) < round)
            (void)poll(NULL, 0, 1); // the answer is under way, or here
        id = submit(reeve, "c@example.org", &counted);
        reeve_cancel(reeve, id);
        run_until(reeve, &counted, round);
        atomic_store(&node.seen, round);
    }
    reeve_free(&reeve);
    fake_stop(&node);
}

static void a_deadline_wakes_the_loop(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;
    uint64_t began_ms = clock_mono_ms();

    (void)unused;
    fake_start(&node, NULL, NULL);
    reeve = client_for(node.endpoint, SHORT_MS, 0);
    (void)submit(reeve, "b@example.org", &counted);
    run_until(reeve, &counted, 1);
    assert_in_range(clock_mono_ms() - began_ms, SHORT_MS, SHORT_MS + 2000);
    assert_int_equal(counted.fallbacks, 1);
    assert_int_equal(counted.error, REEVE_UNREACHABLE);
    assert_string_equal(counted.recipient, "b@example.org");
    assert_false(is_readable(reeve, 0));
    reeve_free(&reeve);
    fake_stop(&node);
}

static void a_callback_never_runs_inside_submit(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 2);
    for (size_t i = 0; i < 10; i++)
        (void)submit(reeve, "b@example.org", &counted);
    assert_int_equal(counted.calls, 0);
    run_until(reeve, &counted, 10);
    assert_int_equal(counted.fallbacks, 8);
    assert_int_equal(counted.calls - counted.fallbacks, 2);
    settle(reeve);
    (void)submit(reeve, "b@example.org", &counted); // there is room again
    run_until(reeve, &counted, 11);
    assert_int_equal(counted.error, REEVE_OK);
    reeve_free(&reeve);
    fake_stop(&node);
}

// ---- many

static void a_thousand_at_once(void **unused)
{
    static struct counted counted[1000];
    static char recipient[1000][32];
    struct fake_node node;
    struct reeve *reeve;
    size_t i;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 1000);
    for (i = 0; i < 1000; i++) {
        (void)snprintf(recipient[i], sizeof(recipient[i]), "r%zu@example.org", i);
        (void)submit(reeve, recipient[i], &counted[i]);
    }
    for (i = 0; i < 1000; i++)
        run_until(reeve, &counted[i], 1);
    settle(reeve);
    for (i = 0; i < 1000; i++) {
        assert_int_equal(counted[i].calls, 1);
        assert_int_equal(counted[i].error, REEVE_OK);
        assert_string_equal(counted[i].recipient, recipient[i]);
    }
    reeve_free(&reeve);
    fake_stop(&node);
}

static void more_answers_than_questions(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_flood, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 16);
    for (size_t i = 1; i <= 5; i++) {
        (void)submit(reeve, "b@example.org", &counted);
        run_until(reeve, &counted, i);
    }
    assert_int_equal(counted.deferred, 5);
    assert_int_equal(counted.fallbacks, 0);
    reeve_free(&reeve);
    fake_stop(&node);
}

// ---- callbacks that call

struct chain {
    struct reeve *reeve;
    size_t calls, wanted;
};

static void ask_again(void *arg, const struct reeve_answer *answer)
{
    static const char *const recipient = "b@example.org";
    const struct reeve_check check = {.recipients = &recipient, .recipient_total = 1};
    struct chain *chain = arg;

    (void)answer;
    chain->calls++;
    if (chain->calls < chain->wanted)
        assert_int_not_equal(reeve_submit(chain->reeve, &check, ask_again, chain), 0);
}

static void run_chain(const char *endpoint, unsigned in_flight_max)
{
    struct counted held = {.calls = 0};
    struct chain chain = {.wanted = 20};
    const struct reeve_answer none = {.message = ""};
    uint64_t until_ms = clock_mono_ms() + LONG_MS;

    chain.reeve = client_for(endpoint, LONG_MS, in_flight_max);
    if (in_flight_max == 1)
        (void)submit(chain.reeve, "b@example.org", &held); // so that all others are one too many
    ask_again(&chain, &none);
    while (chain.calls < chain.wanted && clock_mono_ms() < until_ms) {
        size_t before = chain.calls;

        if (is_readable(chain.reeve, LONG_MS))
            reeve_dispatch(chain.reeve);
        if (in_flight_max == 1)
            assert_true(chain.calls <= before + 1); // not all in one dispatch, for ever
    }
    assert_int_equal(chain.calls, chain.wanted);
    reeve_free(&chain.reeve);
}

static void a_callback_may_submit(void **unused)
{
    struct fake_node node;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    run_chain(node.endpoint, 0);
    fake_stop(&node);
    run_chain("tcp://127.0.0.1:1", 1);
}

// ---- cancelling and closing

static void a_cancelled_request_is_silent(void **unused)
{
    struct counted kept = {.calls = 0}, cancelled = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;
    uint64_t id[3];

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 2);
    id[0] = submit(reeve, "b@example.org", &cancelled);
    (void)submit(reeve, "b@example.org", &kept);
    id[1] = submit(reeve, "b@example.org", &cancelled); // one too many: due
    reeve_cancel(reeve, id[0]);
    reeve_cancel(reeve, id[0]);
    reeve_cancel(reeve, id[1]);
    reeve_cancel(reeve, 0);
    reeve_cancel(reeve, 123456789);
    run_until(reeve, &kept, 1);
    id[2] = submit(reeve, "b@example.org", &cancelled);
    while (atomic_load(&node.seen) < 2)
        (void)poll(NULL, 0, 1);
    reeve_cancel(reeve, id[2]); // its answer is on its way
    (void)submit(reeve, "b@example.org", &kept);
    run_until(reeve, &kept, 2);
    settle(reeve);
    assert_int_equal(cancelled.calls, 0);
    assert_int_equal(kept.calls, 2);
    reeve_free(&reeve);
    assert_int_equal(cancelled.calls, 0);
    fake_stop(&node);
}

static void closing_answers_everything(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, NULL, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 5);
    for (size_t i = 0; i < 7; i++)
        (void)submit(reeve, "b@example.org", &counted);
    reeve_free(&reeve);
    assert_null(reeve);
    assert_int_equal(counted.calls, 7);
    assert_int_equal(counted.fallbacks, 7);
    reeve_free(&reeve);
    reeve_free(NULL);
    fake_stop(&node);
}

static void submit_again(void *arg, const struct reeve_answer *answer)
{
    const struct reeve_check check = {.stage = REEVE_MAIL};
    struct chain *chain = arg;

    (void)answer;
    chain->calls++;
    assert_int_equal(reeve_submit(chain->reeve, &check, submit_again, chain), 0);
}

static void closing_takes_no_new_requests(void **unused)
{
    const struct reeve_check check = {.stage = REEVE_MAIL};
    struct chain chain = {.calls = 0};
    struct reeve *reeve = client_for("tcp://127.0.0.1:1", LONG_MS, 0);

    (void)unused;
    chain.reeve = reeve;
    assert_int_not_equal(reeve_submit(reeve, &check, submit_again, &chain), 0);
    reeve_free(&reeve);
    assert_int_equal(chain.calls, 1);
}

// ---- a node that is not there, comes, and goes

static void a_request_waits_for_the_node(void **unused)
{
    struct counted counted = {.calls = 0};
    char endpoint[64];
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, NULL, NULL); // to know a free port
    (void)snprintf(endpoint, sizeof(endpoint), "%s", node.endpoint);
    fake_stop(&node);
    reeve = client_for(endpoint, LONG_MS, 0);
    (void)submit(reeve, "b@example.org", &counted);
    for (size_t i = 0; i < 3; i++) {
        assert_true(is_readable(reeve, LONG_MS)); // it looks for the node every few ms
        reeve_dispatch(reeve);
    }
    assert_int_equal(counted.calls, 0);
    fake_start(&node, act_accept, endpoint);
    run_until(reeve, &counted, 1);
    assert_int_equal(counted.error, REEVE_OK);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void no_node_at_all(void **unused)
{
    struct counted counted = {.calls = 0};
    struct reeve *reeve = client_for("tcp://127.0.0.1:1", SHORT_MS, 0);

    (void)unused;
    (void)submit(reeve, "b@example.org", &counted);
    run_until(reeve, &counted, 1);
    assert_string_equal(counted.message, "no node is connected");
    reeve_free(&reeve);
}

static void a_node_disappears_and_comes_back(void **unused)
{
    struct counted counted = {.calls = 0};
    char endpoint[64];
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, NULL, NULL);
    (void)snprintf(endpoint, sizeof(endpoint), "%s", node.endpoint);
    reeve = client_for(endpoint, 1000, 0);
    (void)submit(reeve, "b@example.org", &counted);
    while (atomic_load(&node.seen) < 1) {
        if (is_readable(reeve, LONG_MS))
            reeve_dispatch(reeve);
    }
    fake_stop(&node); // with the request in its hands
    run_until(reeve, &counted, 1);
    assert_int_equal(counted.fallbacks, 1);
    fake_start(&node, act_accept, endpoint);
    (void)submit(reeve, "b@example.org", &counted);
    run_until(reeve, &counted, 2);
    assert_int_equal(counted.fallbacks, 1);
    reeve_free(&reeve);
    fake_stop(&node);
}

// A message that is too long breaks the protocol, and libzmq does not connect again after that.
static void act_too_long_at_first(struct fake_node *node, const struct msg_request *request)
{
    if (atomic_load(&node->seen) == 1)
        fake_send_bytes(node, node->bytes, FAKE_BYTES);
    else
        act_accept(node, request);
}

static void a_node_that_broke_the_protocol_is_asked_again(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_too_long_at_first, NULL);
    reeve = client_for(node.endpoint, SHORT_MS, 0);
    for (size_t calls = 1; calls <= 30 && counted.fallbacks + 1 >= calls; calls++) {
        (void)submit(reeve, "b@example.org", &counted);
        run_until(reeve, &counted, calls);
    }
    assert_true(counted.fallbacks > 0);
    assert_true(counted.fallbacks < counted.calls);
    reeve_free(&reeve);
    fake_stop(&node);
}

// The deadlines are read on the clock that counts the time a machine slept; a timer on another one
// would be late by that time.
static void the_timer_runs_on_the_clock_of_the_deadlines(void **unused)
{
    struct reeve *reeve = client_for("tcp://127.0.0.1:9", LONG_MS, 0);
    size_t timers = 0;

    (void)unused;
    for (int fd = 3; fd < 64; fd++) {
        char path[64], line[128];
        FILE *info;
        int clock = -1;

        (void)snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
        info = fopen(path, "re");
        while (info != NULL && fgets(line, sizeof(line), info) != NULL) {
            if (sscanf(line, "clockid: %d", &clock) == 1)
                timers++;
        }
        if (info != NULL)
            (void)fclose(info);
        assert_true(clock == -1 || clock == CLOCK_BOOTTIME);
    }
    assert_int_equal(timers, 1);
    reeve_free(&reeve);
}

// ---- blocking in between

static void a_blocking_call_dispatches_the_others(void **unused)
{
    struct counted counted = {.calls = 0};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, 0);
    for (size_t i = 0; i < 10; i++)
        (void)submit(reeve, "b@example.org", &counted);
    for (size_t i = 0; i < 20 && counted.calls < 10; i++) {
        const char *recipient = "c@example.org";
        const struct reeve_check check = {.recipients = &recipient, .recipient_total = 1};

        assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_OK);
        reeve_answer_free(&answer);
    }
    assert_int_equal(counted.calls, 10);
    reeve_free(&reeve);
    fake_stop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(readable_until_dispatched),
        cmocka_unit_test(a_call_in_between_swallows_no_edge),
        cmocka_unit_test(a_deadline_wakes_the_loop),
        cmocka_unit_test(a_callback_never_runs_inside_submit),
        cmocka_unit_test(a_thousand_at_once),
        cmocka_unit_test(more_answers_than_questions),
        cmocka_unit_test(a_callback_may_submit),
        cmocka_unit_test(a_cancelled_request_is_silent),
        cmocka_unit_test(closing_answers_everything),
        cmocka_unit_test(closing_takes_no_new_requests),
        cmocka_unit_test(a_request_waits_for_the_node),
        cmocka_unit_test(no_node_at_all),
        cmocka_unit_test(a_node_disappears_and_comes_back),
        cmocka_unit_test(a_node_that_broke_the_protocol_is_asked_again),
        cmocka_unit_test(the_timer_runs_on_the_clock_of_the_deadlines),
        cmocka_unit_test(a_blocking_call_dispatches_the_others),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
