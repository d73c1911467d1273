// libreeve's reeve_sent and reeve_submit_sent: what arrives at a node, what its answer becomes, and
// that nobody's question waits for a mail that was sent.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <stdio.h>

#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "proto/text.h"
#include "tests/support/fake_node.h"

enum { SHORT_MS = 150, LONG_MS = 5000 };

static const char *const two_recipients[] = {"joe@partner.example", "eve@other.example"};
static const struct reeve_header two_headers[] = {{"Auto-Submitted", "no"}, {"List-Id", NULL}};
static const struct reeve_sent full_sent = {
    .transaction = "4F2",
    .auth_user = "ann",
    .client_ip = "192.0.2.1",
    .sender = "ann@corp.example",
    .recipients = two_recipients,
    .recipient_total = 2,
    .headers = two_headers,
    .header_total = 2,
    .sent_ms = 1700000000123,
};

static struct reeve *client_with(const struct reeve_options *options, const char *endpoint)
{
    const char *const nodes[] = {endpoint};
    struct reeve_options all = *options;
    struct reeve *reeve = NULL;
    char message[256];

    all.nodes = nodes;
    all.node_count = 1;
    if (reeve_new(&reeve, &all, message, sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    return reeve;
}

static struct reeve *client_for(const char *endpoint)
{
    return client_with(&(struct reeve_options){.deadline_ms = LONG_MS}, endpoint);
}

// ---- what the node does

static void act_ack(struct fake_node *node, const struct msg_request *request)
{
    static const char *const why[] = {"internal bob@corp.example", "robot unsubscribe@x.example"};

    fake_send(node,
              &(struct msg_reply){
                  .id = request->id,
                  .node = "fake",
                  .answer = MSG_ACK,
                  .ack = {.recorded = 2, .queued = true, .skipped_why = why, .skipped_count = 2}});
}

// act_measure: refuses what is not full_sent.
static void act_measure(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_sent *sent = &request->sent;
    bool is_whole =
        request->verb == MSG_SENT && sent->recipient_total == 2 && sent->header_count == 2 &&
        sent->at_ms == 1700000000123 && strcmp(sent->transaction, "4F2") == 0 &&
        strcmp(sent->auth_user, "ann") == 0 && strcmp(sent->client_ip, "192.0.2.1") == 0 &&
        strcmp(sent->sender, "ann@corp.example") == 0 &&
        strcmp(sent->recipients[1], "eve@other.example") == 0 &&
        strcmp(sent->headers[0].name, "Auto-Submitted") == 0 &&
        strcmp(sent->headers[0].value, "no") == 0 &&
        strcmp(sent->headers[1].name, "List-Id") == 0 && sent->headers[1].value[0] == '\0';

    if (is_whole)
        act_ack(node, request);
    else
        fake_refuse(node, request, MSG_BAD_REQUEST);
}

static void act_nothing(struct fake_node *node, const struct msg_request *request)
{
    (void)node;
    (void)request;
}

static void act_garbage(struct fake_node *node, const struct msg_request *request)
{
    (void)request;
    fake_send_bytes(node, "\xff\xff\xff\xff garbage", 12);
}

static void act_accept(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_verdict verdict = {.action = MSG_ACCEPT, .code = 250, .reason = "accept"};

    fake_decide(node, request, &verdict, 2);
}

static void act_overloaded(struct fake_node *node, const struct msg_request *request)
{
    fake_refuse(node, request, MSG_OVERLOADED);
}

static void act_forbidden(struct fake_node *node, const struct msg_request *request)
{
    fake_refuse(node, request, MSG_FORBIDDEN);
}

// ---- one at a time

static void all_of_it_arrives(void **unused)
{
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_measure, NULL);
    reeve = client_for(node.endpoint);
    assert_int_equal(reeve_sent(reeve, &full_sent, &answer), REEVE_OK);
    assert_int_equal(answer->recorded, 2);
    assert_true(answer->queued);
    assert_int_equal(answer->skipped_count, 2);
    assert_string_equal(answer->skipped_why[1], "robot unsubscribe@x.example");
    assert_string_equal(answer->node, "fake");
    assert_false(answer->fallback);
    assert_int_equal(answer->verdict_count, 0);
    reeve_answer_free(&answer);
    assert_int_equal(reeve_counters(reeve)->sents, 1);
    assert_int_equal(reeve_counters(reeve)->sents_lost, 0);
    assert_int_equal(reeve_counters(reeve)->questions, 0);
    assert_int_equal(reeve_counters(reeve)->answered, 0);
    reeve_free(&reeve);
    fake_stop(&node);
}

// What a mail client chose may be anything, and does no harm to the rest.
static void act_cut(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_sent *sent = &request->sent;

    if (strlen(sent->sender) <= MSG_ADDRESS_MAX && strlen(sent->recipients[0]) <= MSG_ADDRESS_MAX &&
        strlen(sent->headers[0].name) <= MSG_HEADER_NAME_MAX &&
        strlen(sent->headers[0].value) <= MSG_HEADER_VALUE_MAX &&
        strcmp(sent->recipients[1], "a" TEXT_DAMAGE "0Ab@x") == 0)
        act_ack(node, request);
    else
        fake_refuse(node, request, MSG_BAD_REQUEST);
}

static void damage_and_length_do_no_harm(void **unused)
{
    char *large = mem_new(100000);
    const char *const recipients[] = {large, "a\nb@x"};
    const struct reeve_header header = {large, large};
    const struct reeve_sent sent = {.sender = large,
                                    .recipients = recipients,
                                    .recipient_total = 2,
                                    .headers = &header,
                                    .header_total = 1};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    memset(large, 'x', 99999);
    fake_start(&node, act_cut, NULL);
    reeve = client_for(node.endpoint);
    assert_int_equal(reeve_sent(reeve, &sent, &answer), REEVE_OK);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
    mem_free(large);
}

static void what_is_no_ack(void **unused)
{
    static const struct {
        const char *name;
        fake_act *act;
        enum reeve_error error;
        enum reeve_status status;
    } rows[] = {
        {"a decision", act_accept, REEVE_UNREACHABLE, REEVE_STATUS_OK},
        {"a pong", fake_pong, REEVE_UNREACHABLE, REEVE_STATUS_OK},
        {"garbage", act_garbage, REEVE_UNREACHABLE, REEVE_STATUS_OK},
        {"silence", act_nothing, REEVE_UNREACHABLE, REEVE_STATUS_OK},
        {"overloaded", act_overloaded, REEVE_UNREACHABLE, REEVE_STATUS_OVERLOADED},
        {"forbidden", act_forbidden, REEVE_REFUSED, REEVE_STATUS_FORBIDDEN},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reeve_answer *answer = NULL;
        struct fake_node node;
        struct reeve *reeve;

        fake_start(&node, rows[i].act, NULL);
        reeve = client_with(&(struct reeve_options){.deadline_ms = 2 * SHORT_MS, .no_hedge = true},
                            node.endpoint);
        if (reeve_sent(reeve, &full_sent, &answer) != rows[i].error ||
            answer->status != rows[i].status || answer->fallback || answer->recorded != 0 ||
            answer->skipped_count != 0 || answer->message[0] == '\0')
            fail_msg("%s: %s", rows[i].name, answer->message);
        reeve_answer_free(&answer);
        assert_int_equal(reeve_counters(reeve)->sents_lost, 1);
        assert_int_equal(reeve_counters(reeve)->fallbacks, 0);
        reeve_free(&reeve);
        fake_stop(&node);
    }
}

static void too_much_never_leaves(void **unused)
{
    static const char *recipients[MSG_RECIPIENTS_MAX + 1];
    static struct reeve_header headers[MSG_HEADERS_MAX + 1];
    struct reeve_sent sent = {
        .recipients = recipients, .recipient_total = MSG_RECIPIENTS_MAX, .headers = headers};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_ack, NULL);
    reeve = client_for(node.endpoint);
    sent.header_total = MSG_HEADERS_MAX;
    assert_int_equal(reeve_sent(reeve, &sent, &answer), REEVE_OK);
    reeve_answer_free(&answer);
    sent.header_total++;
    assert_int_equal(reeve_sent(reeve, &sent, &answer), REEVE_REFUSED);
    assert_non_null(strstr(answer->message, "500 headers"));
    reeve_answer_free(&answer);
    sent.header_total = 0;
    sent.recipient_total++;
    assert_int_equal(reeve_sent(reeve, &sent, &answer), REEVE_REFUSED);
    assert_non_null(strstr(answer->message, "1000 recipients"));
    reeve_answer_free(&answer);
    assert_int_equal(atomic_load(&node.seen), 1);
    reeve_free(&reeve);
    fake_stop(&node);
}

// ---- in a loop

struct counted {
    size_t calls, taken, refused_at_once;
};

static void count(void *arg, const struct reeve_answer *answer)
{
    struct counted *counted = arg;

    counted->calls++;
    counted->taken += answer->error == REEVE_OK && answer->recorded == 2;
    counted->refused_at_once += strstr(answer->message, "in_flight_max") != NULL;
}

static void run_until(struct reeve *reeve, const struct counted *counted, size_t calls)
{
    struct pollfd watch = {.fd = reeve_fd(reeve), .events = POLLIN};
    uint64_t until_ms = clock_mono_ms() + 4ULL * LONG_MS;

    while (counted->calls < calls && clock_mono_ms() < until_ms) {
        if (poll(&watch, 1, LONG_MS) == 1)
            reeve_dispatch(reeve);
    }
    assert_int_equal(counted->calls, calls);
}

// A port that nothing listens at, until the test does.
static void free_endpoint(char out[64])
{
    struct fake_node node;

    fake_start(&node, act_nothing, NULL);
    (void)snprintf(out, 64, "%s", node.endpoint);
    fake_stop(&node);
}

// A check would have had its fallback long before: nobody waits for what was sent.
static void it_waits_for_a_node(void **unused)
{
    static const char *const nobody[] = {"b@corp.example"};
    const struct reeve_check check = {.recipients = nobody, .recipient_total = 1};
    struct counted sent = {.calls = 0}, asked = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;
    char endpoint[64];

    (void)unused;
    free_endpoint(endpoint);
    reeve = client_with(&(struct reeve_options){.deadline_ms = SHORT_MS}, endpoint);
    assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, count, &sent), 0);
    assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, NULL, NULL), 0);
    assert_int_not_equal(reeve_submit(reeve, &check, count, &asked), 0);
    run_until(reeve, &asked, 1);
    assert_int_equal(sent.calls, 0);
    fake_start(&node, act_measure, endpoint);
    run_until(reeve, &sent, 1);
    assert_int_equal(sent.taken, 1);
    for (int i = 0; i < 500 && atomic_load(&node.seen) < 2;
         i++) { // nobody is told of the other one
        (void)poll(NULL, 0, 10);
        reeve_dispatch(reeve);
    }
    assert_int_equal(atomic_load(&node.seen), 2);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void it_waits_no_longer_than_it_is_told(void **unused)
{
    struct counted counted = {.calls = 0};
    uint64_t began_ms = clock_mono_ms();
    struct reeve *reeve;
    char endpoint[64];

    (void)unused;
    free_endpoint(endpoint);
    reeve = client_with(
        &(struct reeve_options){.deadline_ms = LONG_MS, .sent_deadline_ms = SHORT_MS}, endpoint);
    assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, count, &counted), 0);
    run_until(reeve, &counted, 1);
    assert_in_range(clock_mono_ms() - began_ms, SHORT_MS, LONG_MS - 1);
    assert_int_equal(counted.taken, 0);
    assert_int_equal(reeve_counters(reeve)->sents_lost, 1);
    reeve_free(&reeve);
}

// Of seven that may be under way four are mails that were sent; the others are for questions.
static void it_leaves_room_for_questions(void **unused)
{
    static const char *const nobody[] = {"b@corp.example"};
    const struct reeve_check check = {.recipients = nobody, .recipient_total = 1};
    struct counted sent = {.calls = 0}, asked = {.calls = 0};
    struct reeve *reeve;
    uint64_t first = 0;
    char endpoint[64];

    (void)unused;
    free_endpoint(endpoint);
    reeve =
        client_with(&(struct reeve_options){.deadline_ms = LONG_MS, .in_flight_max = 7}, endpoint);
    for (size_t i = 0; i < 5; i++) {
        uint64_t number = reeve_submit_sent(reeve, &full_sent, count, &sent);

        assert_int_not_equal(number, 0);
        first = i == 0 ? number : first;
    }
    run_until(reeve, &sent, 1);
    assert_int_equal(sent.refused_at_once, 1);
    reeve_cancel(reeve, first); // leaves its place to the next
    assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, count, &sent), 0);
    for (size_t i = 0; i < 4; i++)
        (void)reeve_submit(reeve, &check, count, &asked);
    run_until(reeve, &asked, 1);
    assert_int_equal(asked.refused_at_once, 1);
    assert_int_equal(sent.calls, 1);
    reeve_free(&reeve); // each is told once
    assert_int_equal(sent.calls, 5);
    assert_int_equal(asked.calls, 4);
}

static void *stop_when_asked(void *arg)
{
    struct fake_node *node = arg;

    while (atomic_load(&node->seen) == 0)
        (void)poll(NULL, 0, 1);
    fake_stop(node);
    return NULL;
}

// Recorded twice is recorded once, so what a dead node may have taken goes to another.
static void a_node_that_dies_with_it(void **unused)
{
    struct counted counted = {.calls = 0};
    struct fake_node first, second;
    struct reeve *reeve;
    pthread_t thread;

    (void)unused;
    fake_start(&first, act_nothing, NULL);
    reeve = client_with(&(struct reeve_options){.no_hedge = true}, first.endpoint);
    assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, count, &counted), 0);
    assert_int_equal(pthread_create(&thread, NULL, stop_when_asked, &first), 0);
    while (reeve_counters(reeve)->sents == 0 || atomic_load(&first.seen) == 0) {
        struct pollfd watch = {.fd = reeve_fd(reeve), .events = POLLIN};

        (void)poll(&watch, 1, 10);
        reeve_dispatch(reeve);
    }
    (void)pthread_join(thread, NULL);
    fake_start(&second, act_measure, first.endpoint);
    run_until(reeve, &counted, 1);
    assert_int_equal(counted.taken, 1);
    assert_int_equal(reeve_counters(reeve)->resends, 1);
    reeve_free(&reeve);
    fake_stop(&second);
}

// settle: until both nodes are connected.
static void settle(struct reeve *reeve)
{
    for (size_t i = 0; i < 2000; i++) {
        const struct reeve_node *first = reeve_node_at(reeve, 0);
        bool is_first_up = first != NULL && first->state == REEVE_NODE_UP;
        const struct reeve_node *second = reeve_node_at(reeve, 1);

        if (is_first_up && second != NULL && second->state == REEVE_NODE_UP)
            return;
        (void)poll(NULL, 0, 5);
        reeve_dispatch(reeve);
    }
    fail_msg("a node did not come");
}

static void run_until_looked_at(struct reeve *reeve, size_t count)
{
    const struct reeve_counters *all = reeve_counters(reeve);

    for (size_t i = 0; i < 2000 && all->hedges + all->unhelped < count; i++) {
        (void)poll(NULL, 0, 5);
        reeve_dispatch(reeve);
    }
    assert_int_equal(all->hedges + all->unhelped, count);
}

// Of 64 second copies that are saved up the mail takes 33, one beyond half, whatever comes of it.
static void it_leaves_help_for_questions(void **unused)
{
    static const char *const nobody[] = {"b@corp.example"};
    const struct reeve_check check = {.recipients = nobody, .recipient_total = 1};
    struct counted counted = {.calls = 0};
    struct fake_node node[2];
    struct reeve_options options = {
        .deadline_ms = 30000, .sent_deadline_ms = 30000, .hedge_ms = 50, .node_count = 2};
    struct reeve *reeve = NULL;

    (void)unused;
    fake_start(&node[0], act_nothing, NULL);
    fake_start(&node[1], act_nothing, NULL);
    const char *const nodes[] = {node[0].endpoint, node[1].endpoint};

    options.nodes = nodes;
    assert_int_equal(reeve_new(&reeve, &options, NULL, 0), REEVE_OK);
    settle(reeve);
    for (size_t i = 0; i < 100; i++)
        assert_int_not_equal(reeve_submit_sent(reeve, &full_sent, count, &counted), 0);
    run_until_looked_at(reeve, 100);
    assert_int_equal(reeve_counters(reeve)->hedges, 33);
    (void)reeve_submit(reeve, &check, count, &counted);
    run_until_looked_at(reeve, 101);
    assert_int_equal(reeve_counters(reeve)->hedges, 34);
    reeve_free(&reeve);
    assert_int_equal(counted.calls, 101);
    fake_stop(&node[0]);
    fake_stop(&node[1]);
}

static void its_time_is_bounded(void **unused)
{
    const char *const nodes[] = {"tcp://127.0.0.1:1"};
    const struct reeve_options options = {
        .nodes = nodes, .node_count = 1, .sent_deadline_ms = 600001};
    struct reeve *reeve = NULL;
    char message[256];

    (void)unused;
    assert_int_equal(reeve_new(&reeve, &options, message, sizeof(message)), REEVE_BAD_OPTION);
    assert_non_null(strstr(message, "sent_deadline_ms"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_arrives),
        cmocka_unit_test(damage_and_length_do_no_harm),
        cmocka_unit_test(what_is_no_ack),
        cmocka_unit_test(too_much_never_leaves),
        cmocka_unit_test(it_waits_for_a_node),
        cmocka_unit_test(it_waits_no_longer_than_it_is_told),
        cmocka_unit_test(it_leaves_room_for_questions),
        cmocka_unit_test(a_node_that_dies_with_it),
        cmocka_unit_test(it_leaves_help_for_questions),
        cmocka_unit_test(its_time_is_bounded),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
