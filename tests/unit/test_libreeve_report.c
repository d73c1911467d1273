// libreeve's reeve_report and reeve_submit_report: what arrives at a node, what its answer becomes, and that nobody's question waits
// for a report.
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

static const struct reeve_report full_report = {
    .event = "mx1/4F2",
    .evidence = REEVE_COMPLAINT,
    .client_ip = "192.0.2.1",
    .sender = "bob@shop.example",
    .recipient = "ann@corp.example",
    .spf = MSG_AUTH_PASS,
    .spf_domain = "shop.example",
    .weight = 0.75,
    .reported_ms = 1700000000123,
    .at_ms = 1700000000456,
    .asn = 64500,
    .country = "DE",
};

static struct reeve *client_with(const struct reeve_options *options, const char *endpoint)
{
    const char *const nodes[] = {endpoint};
    struct reeve_options all = *options;
    struct reeve *reeve = NULL;
    char message[256];

    all.nodes = nodes;
    all.node_count = 1;
    all.gateway = "mx1";
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
    fake_send(node,
              &(struct msg_reply){
                  .id = request->id, .node = "fake", .answer = MSG_ACK, .ack = {.recorded = 1}});
}

static void act_seen(struct fake_node *node, const struct msg_request *request)
{
    static const char *const why[] = {"seen"};

    fake_send(node, &(struct msg_reply){.id = request->id,
                                        .node = "fake",
                                        .answer = MSG_ACK,
                                        .ack = {.skipped_why = why, .skipped_count = 1}});
}

// act_measure: refuses what is not full_report.
static void act_measure(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_report *report = &request->report;
    const bool is_whole =
        request->verb == MSG_REPORT && request->at_ms == 1700000000456 &&
        strcmp(request->gateway, "mx1") == 0 && strcmp(report->event, "mx1/4F2") == 0 &&
        report->evidence == MSG_COMPLAINT && strcmp(report->client_ip, "192.0.2.1") == 0 &&
        strcmp(report->sender, "bob@shop.example") == 0 &&
        strcmp(report->recipient, "ann@corp.example") == 0 && report->spf == MSG_AUTH_PASS &&
        strcmp(report->spf_domain, "shop.example") == 0 && report->weight == 0.75 &&
        report->at_ms == 1700000000123 && report->asn == 64500 &&
        strcmp(report->country, "DE") == 0;

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

    fake_decide(node, request, &verdict, 1);
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
    assert_int_equal(reeve_report(reeve, &full_report, &answer), REEVE_OK);
    assert_int_equal(answer->recorded, 1);
    assert_false(answer->queued || answer->fallback);
    assert_int_equal(answer->skipped_count + answer->verdict_count, 0);
    reeve_answer_free(&answer);
    assert_int_equal(reeve_counters(reeve)->reports, 1);
    assert_int_equal(reeve_counters(reeve)->reports_lost, 0);
    assert_int_equal(reeve_counters(reeve)->sents + reeve_counters(reeve)->questions, 0);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void why_it_was_not_counted(void **unused)
{
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_seen, NULL);
    reeve = client_for(node.endpoint);
    assert_int_equal(reeve_report(reeve, &full_report, &answer), REEVE_OK);
    assert_int_equal(answer->recorded, 0);
    assert_int_equal(answer->skipped_count, 1);
    assert_string_equal(answer->skipped_why[0], "seen");
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

// What a mail client chose may be anything, and does no harm to the rest.
static void act_cut(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_report *report = &request->report;

    if (strlen(report->sender) == MSG_ADDRESS_MAX &&
        strcmp(report->recipient, "a" TEXT_DAMAGE "0Ab@x") == 0 &&
        strlen(report->spf_domain) == 255 && strcmp(report->event, "e") == 0 &&
        report->country[0] == '\0')
        act_ack(node, request);
    else
        fake_refuse(node, request, MSG_BAD_REQUEST);
}

static void damage_and_length_do_no_harm(void **unused)
{
    char *large = mem_new(100000);
    const struct reeve_report report = {.event = "e",
                                        .evidence = REEVE_HAM,
                                        .sender = large,
                                        .recipient = "a\nb@x",
                                        .spf_domain = large};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    memset(large, 'x', 99999);
    fake_start(&node, act_cut, NULL);
    reeve = client_for(node.endpoint);
    assert_int_equal(reeve_report(reeve, &report, &answer), REEVE_OK);
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
    } rows[] = {
        {"a decision", act_accept, REEVE_UNREACHABLE}, {"a pong", fake_pong, REEVE_UNREACHABLE},
        {"garbage", act_garbage, REEVE_UNREACHABLE},   {"silence", act_nothing, REEVE_UNREACHABLE},
        {"forbidden", act_forbidden, REEVE_REFUSED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reeve_answer *answer = NULL;
        struct fake_node node;
        struct reeve *reeve;

        fake_start(&node, rows[i].act, NULL);
        reeve = client_with(&(struct reeve_options){.deadline_ms = SHORT_MS, .no_hedge = true},
                            node.endpoint);
        if (reeve_report(reeve, &full_report, &answer) != rows[i].error || answer->fallback ||
            answer->recorded != 0 || answer->skipped_count != 0 || answer->message[0] == '\0')
            fail_msg("%s: %s", rows[i].name, answer->message);
        reeve_answer_free(&answer);
        assert_int_equal(reeve_counters(reeve)->reports_lost, 1);
        assert_int_equal(reeve_counters(reeve)->fallbacks + reeve_counters(reeve)->sents_lost, 0);
        reeve_free(&reeve);
        fake_stop(&node);
    }
}

// ---- in a loop

struct counted {
    size_t calls, taken, refused_at_once;
};

static void count(void *arg, const struct reeve_answer *answer)
{
    struct counted *counted = arg;

    counted->calls++;
    counted->taken += answer->error == REEVE_OK;
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

// Reports and sent mail share the half that questions leave them.
static void they_leave_room_for_questions(void **unused)
{
    static const char *const nobody[] = {"b@corp.example"};
    const struct reeve_check check = {.recipients = nobody, .recipient_total = 1};
    const struct reeve_sent sent = {.sender = "a@x", .recipients = nobody, .recipient_total = 1};
    struct counted told = {.calls = 0}, asked = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_nothing, NULL);
    reeve = client_with(&(struct reeve_options){.deadline_ms = LONG_MS,
                                                .sent_deadline_ms = SHORT_MS,
                                                .in_flight_max = 4},
                        node.endpoint);
    assert_int_not_equal(reeve_submit_report(reeve, &full_report, count, &told), 0);
    assert_int_not_equal(reeve_submit_sent(reeve, &sent, count, &told), 0);
    assert_int_not_equal(reeve_submit_report(reeve, &full_report, count, &told), 0);
    run_until(reeve, &told, 1);
    assert_int_equal(told.refused_at_once, 1);
    assert_int_not_equal(reeve_submit(reeve, &check, count, &asked), 0);
    assert_int_not_equal(reeve_submit(reeve, &check, count, &asked), 0);
    assert_int_not_equal(reeve_submit(reeve, &check, count, &asked), 0);
    run_until(reeve, &asked, 1);
    assert_int_equal(asked.refused_at_once, 1);
    run_until(reeve, &told, 3); // at the end of their time
    assert_int_equal(told.refused_at_once + told.taken, 1);
    assert_int_equal(reeve_counters(reeve)->reports_lost, 2);
    assert_int_equal(reeve_counters(reeve)->sents_lost, 1);
    reeve_free(&reeve);
    fake_stop(&node);
}

// A check would have had its fallback long before.
static void it_waits_for_a_node(void **unused)
{
    struct counted told = {.calls = 0};
    struct fake_node node;
    struct reeve *reeve;
    char endpoint[64];

    (void)unused;
    fake_start(&node, act_nothing, NULL);
    (void)snprintf(endpoint, sizeof(endpoint), "%s", node.endpoint);
    fake_stop(&node);
    reeve = client_with(&(struct reeve_options){.deadline_ms = SHORT_MS}, endpoint);
    assert_int_not_equal(reeve_submit_report(reeve, &full_report, count, &told), 0);
    (void)poll(NULL, 0, 2 * SHORT_MS);
    reeve_dispatch(reeve);
    assert_int_equal(told.calls, 0);
    fake_start(&node, act_measure, endpoint);
    run_until(reeve, &told, 1);
    assert_int_equal(told.taken, 1);
    reeve_free(&reeve);
    fake_stop(&node);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_of_it_arrives),
        cmocka_unit_test(why_it_was_not_counted),
        cmocka_unit_test(damage_and_length_do_no_harm),
        cmocka_unit_test(what_is_no_ack),
        cmocka_unit_test(they_leave_room_for_questions),
        cmocka_unit_test(it_waits_for_a_node),
    };

    return cmocka_run_group_tests_name("libreeve, reports", tests, NULL, NULL);
}
