// libreeve's other blocking calls, ping and admin, against a node that answers with what it should
// not.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>

#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "tests/support/fake_node.h"

enum { SHORT_MS = 300, LONG_MS = 5000 };

static struct reeve *client_for(const char *endpoint, unsigned deadline_ms)
{
    const char *const nodes[] = {endpoint};
    const struct reeve_options options = {
        .nodes = nodes,
        .node_count = 1,
        .admin = endpoint,
        .deadline_ms = deadline_ms,
        .admin_deadline_ms = deadline_ms,
    };
    struct reeve *reeve = NULL;
    char message[256];

    if (reeve_new(&reeve, &options, message, sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    return reeve;
}

// ---- what a node may do

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

static void act_accept(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_verdict verdict = {.action = MSG_ACCEPT, .code = 250, .reason = "accept"};

    fake_decide(node, request, &verdict, 1);
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
ACT_STATUS(act_unavailable, MSG_UNAVAILABLE)

// ---- ping

static void pings(void **unused)
{
    static const struct {
        const char *name;
        fake_act *act;
        enum reeve_error error;
    } rows[] = {
        {"pong", act_pong, REEVE_OK},
        {"silence", act_nothing, REEVE_UNREACHABLE},
        {"a decision", act_accept, REEVE_UNREACHABLE},
        {"overloaded", act_overloaded, REEVE_UNREACHABLE},
        {"forbidden", act_forbidden, REEVE_REFUSED},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reeve_answer *answer = NULL;
        struct fake_node node;
        struct reeve *reeve;

        fake_start(&node, rows[i].act, NULL);
        reeve = client_for(node.endpoint, rows[i].act == act_nothing ? SHORT_MS : LONG_MS);
        if (reeve_ping(reeve, &answer) != rows[i].error)
            fail_msg("%s: %s", rows[i].name, answer->message);
        assert_string_equal(answer->version, rows[i].error == REEVE_OK ? "9" : "");
        assert_int_equal(answer->uptime_ms, rows[i].error == REEVE_OK ? 5 : 0);
        assert_int_equal(answer->verdict_count, 0);
        assert_false(answer->fallback);
        reeve_answer_free(&answer);
        reeve_free(&reeve);
        fake_stop(&node);
    }
}

// ---- admin

static void act_rows(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_admin *admin = &request->admin;
    struct msg_row *rows = mem_new_array(20000, sizeof(*rows));
    const struct msg_reply reply = {
        .id = request->id,
        .answer = MSG_ADMIN_REPLY,
        .admin = {.rows = rows,
                  .row_count = 20000,
                  .cursor = "next",
                  .document = "d\0c",
                  .document_bytes = 3,
                  .policy_version = 4},
    };

    for (size_t i = 0; i < 20000; i++)
        rows[i] = (struct msg_row){.fields = admin->args, .field_count = i == 0 ? 2 : 0};
    fake_send(node, &reply);
    mem_free(rows);
}

// 20,000 empty rows are 40 kB on the wire and two megabytes in memory.
static void admin_rows_arrive(void **unused)
{
    static const struct reeve_pair args[] = {{"sender", "a@example.net"}, {"recipient", "b@c"}};
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_rows, NULL);
    reeve = client_for(node.endpoint, LONG_MS);
    assert_int_equal(reeve_admin(reeve, "grey.show", args, 2, true, 0, &answer), REEVE_OK);
    assert_int_equal(answer->row_count, 20000);
    assert_int_equal(answer->rows[0].field_count, 2);
    assert_string_equal(answer->rows[0].fields[1].key, "recipient");
    assert_string_equal(answer->rows[0].fields[1].value, "b@c");
    assert_int_equal(answer->rows[19999].field_count, 0);
    assert_string_equal(answer->cursor, "next");
    assert_int_equal(answer->document_bytes, 3);
    assert_memory_equal(answer->document, "d\0c", 3);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void act_measure(struct fake_node *node, const struct msg_request *request)
{
    const char *bytes = request->admin.document;
    size_t len = request->admin.document_bytes;
    const struct msg_pair size = {.key = "size", .value = mem_format("%zu", len)};
    const struct msg_row row = {.fields = &size, .field_count = 1};

    // What stands at its two ends has arrived as well.
    if (len > 1 && (bytes[0] != 'b' || bytes[len - 1] != 'e'))
        fake_refuse(node, request, MSG_BAD_REQUEST);
    else
        fake_send(node, &(struct msg_reply){.id = request->id,
                                            .answer = MSG_ADMIN_REPLY,
                                            .admin = {.rows = &row, .row_count = 1}});
    mem_free((void *)(uintptr_t)size.value);
}

// A policy set of many files, and after it a small one again. What is larger than a document may be never leaves.
static void a_document_may_be_large(void **unused)
{
    static const size_t sizes[] = {2, (1 << 20) + 1, 3 << 20, MSG_ADMIN_DOCUMENT_MAX + 1, 7};
    struct fake_node node;
    struct reeve *reeve;

    (void)unused;
    fake_start(&node, act_measure, NULL);
    reeve = client_for(node.endpoint, LONG_MS);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        char *document = mem_new(sizes[i]);
        const struct reeve_admin_request request = {
            .verb = "policy.stage", .document = document, .document_bytes = sizes[i]};
        bool fits = sizes[i] <= MSG_ADMIN_DOCUMENT_MAX;
        struct reeve_answer *answer = NULL;

        document[0] = 'b';
        document[sizes[i] - 1] = 'e';
        assert_int_equal(reeve_admin_ask(reeve, &request, &answer),
                         fits ? REEVE_OK : REEVE_REFUSED);
        if (fits)
            assert_int_equal(strtoull(answer->rows[0].fields[0].value, NULL, 10), sizes[i]);
        else
            assert_non_null(strstr(answer->message, "larger than a request can be"));
        reeve_answer_free(&answer);
        mem_free(document);
    }
    assert_int_equal(atomic_load(&node.seen), 4);
    reeve_free(&reeve);
    fake_stop(&node);
}

static void admin_refusals(void **unused)
{
    static const struct {
        const char *name;
        fake_act *act;
        enum reeve_error error;
        enum reeve_status status;
    } rows[] = {
        {"bad request", act_bad_request, REEVE_REFUSED, REEVE_STATUS_BAD_REQUEST},
        {"no store", act_unavailable, REEVE_UNREACHABLE, REEVE_STATUS_UNAVAILABLE},
        {"a decision", act_accept, REEVE_UNREACHABLE, REEVE_STATUS_OK},
        {"garbage", act_garbage, REEVE_UNREACHABLE, REEVE_STATUS_OK},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reeve_answer *answer = NULL;
        struct fake_node node;
        struct reeve *reeve;

        fake_start(&node, rows[i].act, NULL);
        reeve = client_for(node.endpoint, rows[i].act == act_garbage ? SHORT_MS : LONG_MS);
        if (reeve_admin(reeve, "track", NULL, 0, false, 0, &answer) != rows[i].error ||
            answer->status != rows[i].status || answer->row_count != 0)
            fail_msg("%s: %s", rows[i].name, answer->message);
        reeve_answer_free(&answer);
        reeve_free(&reeve);
        fake_stop(&node);
    }
}

static void admin_without_its_door(void **unused)
{
    const char *const nodes[] = {"tcp://127.0.0.1:1"};
    const struct reeve_options options = {.nodes = nodes, .node_count = 1};
    struct reeve_answer *answer = NULL;
    struct reeve *reeve = NULL;

    (void)unused;
    assert_int_equal(reeve_new(&reeve, &options, NULL, 0), REEVE_OK);
    assert_int_equal(reeve_admin(reeve, "help", NULL, 0, false, 0, &answer), REEVE_BAD_OPTION);
    assert_non_null(strstr(answer->message, "admin endpoint"));
    reeve_answer_free(&answer);
    reeve_free(&reeve);
}

// ---- a connection that ends

static void *stop_when_asked(void *arg)
{
    struct fake_node *node = arg;

    while (atomic_load(&node->seen) == 0)
        (void)poll(NULL, 0, 1);
    fake_stop(node);
    return NULL;
}

// It may have been done, so it is not sent again, and nobody waits for what cannot come.
static void an_admin_verb_is_not_sent_again(void **unused)
{
    struct reeve_answer *answer = NULL;
    struct fake_node node;
    struct reeve *reeve;
    pthread_t thread;
    uint64_t began_ms;

    (void)unused;
    fake_start(&node, act_nothing, NULL);
    reeve = client_for(node.endpoint, 60000);
    assert_int_equal(pthread_create(&thread, NULL, stop_when_asked, &node), 0);
    began_ms = clock_mono_ms();
    assert_int_equal(reeve_admin(reeve, "grey.pass", NULL, 0, false, 0, &answer),
                     REEVE_UNREACHABLE);
    assert_in_range(clock_mono_ms() - began_ms, 0, 20000);
    assert_non_null(strstr(answer->message, "whether it was done is not known"));
    assert_int_equal(reeve_counters(reeve)->resends, 0);
    (void)pthread_join(thread, NULL);
    reeve_answer_free(&answer);
    reeve_free(&reeve);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pings),
        cmocka_unit_test(admin_rows_arrive),
        cmocka_unit_test(a_document_may_be_large),
        cmocka_unit_test(admin_refusals),
        cmocka_unit_test(admin_without_its_door),
        cmocka_unit_test(an_admin_verb_is_not_sent_again),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
