// libreeve's blocking calls against a node that does everything wrong that a node can do. Whatever
// it does, the caller has an answer by the deadline.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "proto/text.h"
#include "tests/support/fake_node.h"

enum { SHORT_MS = 300, LONG_MS = 5000 };

static struct reeve *client_for(const char *endpoint, unsigned deadline_ms,
                                enum reeve_fallback fallback)
{
    const char *const nodes[] = {endpoint};
    const struct reeve_options options = {
        .nodes = nodes,
        .node_count = 1,
        .admin = endpoint,
        .deadline_ms = deadline_ms,
        .admin_deadline_ms = deadline_ms,
        .fallback = fallback,
    };
    struct reeve *reeve = NULL;
    char message[256];

    if (reeve_new(&reeve, &options, message, sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    return reeve;
}

// ---- what a node may do

static const struct msg_verdict accepts = {
    .action = MSG_ACCEPT, .code = 250, .enhanced = "2.1.5", .text = "Ok", .reason = "accept"};
static const struct msg_step greylist_step[] = {{"greylist", "hit", "r1", "first try"}};
static const struct msg_verdict defers = {
    .action = MSG_DEFER,
    .code = 451,
    .enhanced = "4.7.1",
    .text = "Greylisted",
    .reason = "greylist_new",
    .direction = MSG_INBOUND,
    .ticket = "0123456789abcdefgh",
    .retry_after_s = 60,
    .trace = greylist_step,
    .trace_count = 1,
};

static size_t wanted(const struct msg_request *request)
{
    return request->check.recipient_total > 0 ? request->check.recipient_total : 1;
}

static void act_accept(struct fake_node *node, const struct msg_request *request)
{
    fake_decide(node, request, &accepts, wanted(request));
}

static void act_defer(struct fake_node *node, const struct msg_request *request)
{
    fake_decide(node, request, &defers, wanted(request));
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

static void act_empty(struct fake_node *node, const struct msg_request *request)
{
    (void)request;
    fake_send_bytes(node, "", 0);
}

static void act_oversize(struct fake_node *node, const struct msg_request *request)
{
    (void)request;
    fake_send_bytes(node, node->memory, MSG_LOOKUP_BYTES_MAX + 1);
}

static void act_wrong_id(struct fake_node *node, const struct msg_request *request)
{
    struct msg_request other = *request;

    other.id += 1000;
    fake_decide(node, &other, &defers, wanted(request));
    other.id = 0;
    fake_decide(node, &other, &defers, wanted(request));
}

static void act_one_verdict_less(struct fake_node *node, const struct msg_request *request)
{
    fake_decide(node, request, &defers, wanted(request) - 1);
}

static void act_one_verdict_more(struct fake_node *node, const struct msg_request *request)
{
    fake_decide(node, request, &defers, wanted(request) + 1);
}

static void act_unknown_action(struct fake_node *node, const struct msg_request *request)
{
    struct msg_verdict verdict = defers;

    verdict.action = (enum msg_action)77;
    fake_decide(node, request, &verdict, wanted(request));
}

static void act_no_action(struct fake_node *node, const struct msg_request *request)
{
    struct msg_verdict verdict = defers;

    verdict.action = MSG_NO_ACTION;
    fake_decide(node, request, &verdict, wanted(request));
}

static void act_pong(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_reply reply = {
        .id = request->id,
        .node = "fake",
        .answer = MSG_PONG,
        .pong = {.version = "9", .store = "up", .uptime_ms = 5, .policy_version = 3},
    };

    fake_send(node, &reply);
}

static void act_no_answer(struct fake_node *node, const struct msg_request *request)
{
    fake_send(node, &(struct msg_reply){.id = request->id});
}

static void act_no_message(struct fake_node *node, const struct msg_request *request)
{
    struct msg_request rcpt = *request;

    rcpt.check.stage = MSG_RCPT;
    fake_decide(node, &rcpt, &accepts, wanted(request));
}

static void act_message_too(struct fake_node *node, const struct msg_request *request)
{
    struct msg_request end = *request;

    end.check.stage = MSG_END;
    fake_decide(node, &end, &accepts, wanted(request));
}

static void act_three_frames(struct fake_node *node, const struct msg_request *request)
{
    (void)request;
    (void)zmq_send(node->router, node->peer, node->peer_len, ZMQ_SNDMORE);
    (void)zmq_send(node->router, "", 0, ZMQ_SNDMORE);
    (void)zmq_send(node->router, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(node->router, "b", 1, 0);
}

static void act_no_delimiter(struct fake_node *node, const struct msg_request *request)
{
    (void)request;
    (void)zmq_send(node->router, node->peer, node->peer_len, ZMQ_SNDMORE);
    (void)zmq_send(node->router, "a", 1, 0);
}

static void act_twice(struct fake_node *node, const struct msg_request *request)
{
    act_accept(node, request);
    act_defer(node, request);
}

static void act_two_lines(struct fake_node *node, const struct msg_request *request)
{
    struct msg_verdict verdict = defers;

    verdict.text = "one\r\n250 two";
    fake_decide(node, request, &verdict, wanted(request));
}

static void say_status(struct fake_node *node, const struct msg_request *request, unsigned status)
{
    fake_send(node, &(struct msg_reply){.id = request->id,
                                        .status = (enum msg_status)status,
                                        .error = "because of the test",
                                        .node = "fake"});
}

#define ACT_STATUS(name, status)                                                \
    static void name(struct fake_node *node, const struct msg_request *request) \
    {                                                                           \
        say_status(node, request, status);                                      \
    }
ACT_STATUS(act_bad_request, MSG_BAD_REQUEST)
ACT_STATUS(act_forbidden, MSG_FORBIDDEN)
ACT_STATUS(act_overloaded, MSG_OVERLOADED)
ACT_STATUS(act_expired, MSG_EXPIRED)
ACT_STATUS(act_unavailable, MSG_UNAVAILABLE)
ACT_STATUS(act_internal, MSG_INTERNAL)
ACT_STATUS(act_unknown_status, 99)

// ---- one question, one answer

static const struct answer_row {
    const char *name;
    fake_act *act;
    enum reeve_stage stage;
    size_t recipients;
    enum reeve_error error;
    bool fallback;
    enum reeve_status status;
    const char *message; // a part of it
} ANSWERS[] = {
    {"accepted", act_accept, REEVE_RCPT, 1, REEVE_OK, false, 0, ""},
    {"stage left out", act_accept, 0, 1, REEVE_OK, false, 0, ""},
    {"deferred", act_defer, REEVE_RCPT, 3, REEVE_OK, false, 0, ""},
    {"connect", act_accept, REEVE_CONNECT, 0, REEVE_OK, false, 0, ""},
    {"mail", act_defer, REEVE_MAIL, 0, REEVE_OK, false, 0, ""},
    {"end", act_accept, REEVE_END, 2, REEVE_OK, false, 0, ""},
    {"first of two answers", act_twice, REEVE_RCPT, 1, REEVE_OK, false, 0, ""},
    {"a message's verdict unasked", act_message_too, REEVE_RCPT, 1, REEVE_OK, false, 0, ""},
    {"1000 recipients", act_accept, REEVE_RCPT, 1000, REEVE_OK, false, 0, ""},

    {"no answer", act_nothing, REEVE_RCPT, 2, REEVE_UNREACHABLE, true, 0, "did not answer in time"},
    {"garbage", act_garbage, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer in time"},
    {"empty frame", act_empty, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer"},
    {"oversize", act_oversize, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer"},
    {"wrong id", act_wrong_id, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer"},
    {"three frames", act_three_frames, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer"},
    {"no delimiter", act_no_delimiter, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "did not answer"},

    {"a verdict less", act_one_verdict_less, REEVE_RCPT, 3, REEVE_UNREACHABLE, true, 0,
     "number of verdicts"},
    {"no verdict", act_one_verdict_less, REEVE_MAIL, 0, REEVE_UNREACHABLE, true, 0,
     "number of verdicts"},
    {"a verdict more", act_one_verdict_more, REEVE_RCPT, 3, REEVE_UNREACHABLE, true, 0,
     "number of verdicts"},
    {"unknown action", act_unknown_action, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0,
     "does not know"},
    {"no action", act_no_action, REEVE_END, 1, REEVE_UNREACHABLE, true, 0, "does not know"},
    {"end without its verdict", act_no_message, REEVE_END, 2, REEVE_UNREACHABLE, true, 0,
     "whole message"},
    {"pong", act_pong, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "no decision"},
    {"nothing in it", act_no_answer, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, 0, "no decision"},

    {"bad request", act_bad_request, REEVE_RCPT, 2, REEVE_REFUSED, true, REEVE_STATUS_BAD_REQUEST,
     "because of the test"},
    {"forbidden", act_forbidden, REEVE_RCPT, 2, REEVE_REFUSED, true, REEVE_STATUS_FORBIDDEN,
     "because of the test"},
    {"overloaded", act_overloaded, REEVE_RCPT, 2, REEVE_UNREACHABLE, true, REEVE_STATUS_OVERLOADED,
     "overloaded"},
    {"expired", act_expired, REEVE_RCPT, 1, REEVE_UNREACHABLE, true, REEVE_STATUS_EXPIRED,
     "too late"},
    {"unavailable", act_unavailable, REEVE_END, 1, REEVE_UNREACHABLE, true,
     REEVE_STATUS_UNAVAILABLE, "store"},
    {"internal", act_internal, REEVE_CONNECT, 0, REEVE_UNREACHABLE, true, REEVE_STATUS_INTERNAL,
     "node 'fake': it has an internal error: because of the test"},
    {"unknown status", act_unknown_status, REEVE_RCPT, 1, REEVE_UNREACHABLE, true,
     REEVE_STATUS_INTERNAL, "internal error"},

    {"no recipient", act_accept, REEVE_RCPT, 0, REEVE_REFUSED, true, REEVE_STATUS_BAD_REQUEST,
     "recipients"},
    {"1001 recipients", act_accept, REEVE_RCPT, 1001, REEVE_REFUSED, true, 0, "more than 1000"},
};

static struct reeve_check question(const struct answer_row *row, const char **recipients)
{
    for (size_t i = 0; i < row->recipients; i++)
        recipients[i] = "b@example.org";
    return (struct reeve_check){
        .stage = row->stage,
        .client_ip = "192.0.2.7",
        .sender = "a@example.net",
        .recipients = recipients,
        .recipient_total = row->recipients,
    };
}

static void check_fallback(const struct answer_row *row, const struct reeve_answer *answer,
                           enum reeve_fallback fallback)
{
    const bool defer = fallback == REEVE_FALLBACK_DEFER;
    const struct reeve_verdict *verdict = &answer->verdicts[0];

    assert_int_equal(answer->fallback, row->fallback);
    if (!row->fallback)
        return;
    assert_string_equal(verdict->reason, "fallback");
    assert_int_equal(verdict->action, defer ? REEVE_DEFER : REEVE_ACCEPT);
    assert_int_equal(verdict->code, defer ? 451 : 250);
    if (row->stage == REEVE_RCPT)
        assert_string_equal(verdict->enhanced, defer ? "4.3.0" : "2.1.5");
    if (row->stage == REEVE_RCPT && row->recipients > 0)
        assert_string_equal(verdict->recipient, "b@example.org");
    if (row->stage == REEVE_END)
        assert_string_equal(answer->end->reason, "fallback");
}

static void check_answer(const struct answer_row *row, enum reeve_fallback fallback)
{
    const char *recipients[1001];
    const struct reeve_check check = question(row, recipients);
    const size_t count = row->recipients > 0 ? row->recipients : 1;
    bool waits = strstr(row->message, "did not answer") != NULL;
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    fake_start(&node, row->act, NULL);
    reeve = client_for(node.endpoint, waits ? SHORT_MS : LONG_MS, fallback);
    if (reeve_check(reeve, &check, &answer) != row->error || answer->error != row->error)
        fail_msg("%s: error %d, %s", row->name, answer->error, answer->message);
    if (strstr(answer->message, row->message) == NULL ||
        (answer->message[0] == '\0') != (row->error == REEVE_OK))
        fail_msg("%s: message '%s'", row->name, answer->message);
    if (answer->status != row->status || answer->verdict_count != count)
        fail_msg("%s: status %d, %zu verdicts", row->name, answer->status, answer->verdict_count);
    if ((answer->end != NULL) != (row->stage == REEVE_END))
        fail_msg("%s: end", row->name);
    check_fallback(row, answer, fallback);
    reeve_answer_free(&answer);
    assert_null(answer);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void every_answer_a_node_can_give(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(ANSWERS) / sizeof(ANSWERS[0]); i++)
        check_answer(&ANSWERS[i], i % 2 == 0 ? REEVE_FALLBACK_ACCEPT : REEVE_FALLBACK_DEFER);
}

static void a_verdict_arrives_as_it_was_sent(void **unused)
{
    const char *recipients[1];
    const struct answer_row row = {.stage = REEVE_RCPT, .recipients = 1};
    const struct reeve_check check = question(&row, recipients);
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_defer, NULL);
    reeve = client_for(node.endpoint, LONG_MS, REEVE_FALLBACK_ACCEPT);
    assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_OK);
    assert_int_equal(answer->verdicts->action, REEVE_DEFER);
    assert_int_equal(answer->verdicts->code, 451);
    assert_string_equal(answer->verdicts->recipient, "b@example.org");
    assert_string_equal(answer->verdicts->enhanced, "4.7.1");
    assert_string_equal(answer->verdicts->text, "Greylisted");
    assert_string_equal(answer->verdicts->reason, "greylist_new");
    assert_string_equal(answer->verdicts->direction, "inbound");
    assert_string_equal(answer->verdicts->ticket, "0123456789abcdefgh");
    assert_string_equal(answer->verdicts->shadow, "");
    assert_int_equal(answer->verdicts->retry_after_s, 60);
    assert_int_equal(answer->verdicts->trace_count, 1);
    assert_string_equal(answer->verdicts->trace->step, "greylist");
    assert_string_equal(answer->verdicts->trace->outcome, "hit");
    assert_string_equal(answer->verdicts->trace->rule, "r1");
    assert_string_equal(answer->verdicts->trace->why, "first try");
    assert_string_equal(answer->node, "fake");
    assert_int_equal(answer->policy_version, 7);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void a_reply_text_stays_one_line(void **unused)
{
    const char *recipients[1];
    const struct answer_row row = {.stage = REEVE_RCPT, .recipients = 1};
    const struct reeve_check check = question(&row, recipients);
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_two_lines, NULL);
    reeve = client_for(node.endpoint, LONG_MS, REEVE_FALLBACK_ACCEPT);
    assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_OK);
    assert_null(strpbrk(answer->verdicts->text, "\r\n"));
    assert_true(text_is_damaged(answer->verdicts->text));
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

// ---- late answers

// Keeps the first question open and answers it when the second comes, in front of the second's own
// answer.
static void act_late(struct fake_node *node, const struct msg_request *request)
{
    uint64_t *first = node->arg;

    if (atomic_load(&node->seen) == 1) {
        *first = request->id;
        return;
    }
    struct msg_request late = *request;

    late.id = *first;
    act_defer(node, &late);
    act_accept(node, request);
}

static void a_late_answer_answers_nothing(void **unused)
{
    const char *recipients[1];
    const struct answer_row row = {.stage = REEVE_RCPT, .recipients = 1};
    const struct reeve_check check = question(&row, recipients);
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;
    uint64_t first = 0, began_ms = clock_mono_ms();

    (void)unused;
    fake_start(&node, act_late, NULL);
    node.arg = &first;
    reeve = client_for(node.endpoint, 1000, REEVE_FALLBACK_ACCEPT);
    assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_UNREACHABLE);
    assert_in_range(clock_mono_ms() - began_ms, 1000, 4000);
    reeve_answer_free(&answer);
    assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_OK);
    assert_int_equal(answer->verdicts->action, REEVE_ACCEPT);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

// ---- what is sent

static void act_inspect(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_check *check = &request->check;
    bool *good = node->arg;

    *good = request->budget_ms > 0 && request->budget_ms <= LONG_MS &&
            strlen(check->helo) <= MSG_HELO_MAX && strlen(check->sender) <= MSG_ADDRESS_MAX &&
            strlen(check->client_name) <= MSG_CLIENT_NAME_MAX && text_is_damaged(check->helo) &&
            text_is_damaged(check->sender) && text_is_damaged(check->recipients[0]) &&
            strcmp(check->recipients[1], "b@example.org") == 0 && check->smtputf8 && !check->tls &&
            check->spf == MSG_AUTH_SOFTFAIL && check->size_bytes == 123456789012 &&
            check->recipient_count == 5 && strcmp(check->transaction, "t1") == 0 &&
            strcmp(check->auth_user, "ann") == 0 && check->dry_run && check->trace &&
            request->at_ms == 1234567890123 && strcmp(request->gateway, "") != 0 &&
            strcmp(check->policy, "a document") == 0 && check->at_ms == 1234567890456;
    act_accept(node, request);
}

// What a mail client chose may be of any length and any bytes; the question goes out all the same.
static void every_field_arrives_and_damage_is_marked(void **unused)
{
    static char long_text[100001];
    static const char *const bytes[] = {long_text, "\xff\xfe", "a\x01\r\nb", "\xc0\x80", "\xff"};
    struct fake_node node;
    struct reeve *reeve;
    bool good = false;

    (void)unused;
    memset(long_text, 'x', sizeof(long_text) - 1);
    fake_start(&node, act_inspect, NULL);
    node.arg = &good;
    reeve = client_for(node.endpoint, LONG_MS, REEVE_FALLBACK_ACCEPT);
    for (size_t i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
        const char *const recipients[] = {bytes[i], "b@example.org"};
        const struct reeve_check check = {
            .transaction = "t1",
            .client_name = bytes[i],
            .helo = bytes[i],
            .auth_user = "ann",
            .smtputf8 = true,
            .sender = bytes[i],
            .recipients = recipients,
            .recipient_total = 2,
            .recipient_count = 5,
            .size_bytes = 123456789012,
            .spf = MSG_AUTH_SOFTFAIL,
            .spf_domain = bytes[i],
            .dry_run = true,
            .trace = true,
            .at_ms = 1234567890123,
            .policy = "a document",
            .as_of_ms = 1234567890456,
        };
        struct reeve_answer *answer = NULL;

        assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_OK);
        assert_true(good);
        good = false;
        reeve_answer_free(&answer);
    }
    reeve_free(&reeve);
    fake_stop(&node);
}

// The gateway's own text that is too large even to be refused by the node.
static void a_request_that_cannot_be_written(void **unused)
{
    char *huge = mem_new((3 << 20) + 1);
    const struct reeve_check check = {.transaction = huge, .stage = REEVE_MAIL};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    memset(huge, 'x', 3 << 20);
    fake_start(&node, act_accept, NULL);
    reeve = client_for(node.endpoint, LONG_MS, REEVE_FALLBACK_DEFER);
    assert_int_equal(reeve_check(reeve, &check, &answer), REEVE_REFUSED);
    assert_non_null(strstr(answer->message, "larger than a request"));
    assert_int_equal(answer->verdicts->action, REEVE_DEFER);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
    mem_free(huge);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_answer_a_node_can_give),
        cmocka_unit_test(a_verdict_arrives_as_it_was_sent),
        cmocka_unit_test(a_reply_text_stays_one_line),
        cmocka_unit_test(a_late_answer_answers_nothing),
        cmocka_unit_test(every_field_arrives_and_damage_is_marked),
        cmocka_unit_test(a_request_that_cannot_be_written),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
