// Parts of libreeve: endpoints, options, the book of questions, and listening.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "client/lib/ask.h"
#include "client/lib/endpoint.h"
#include "client/lib/reeve.h"
#include "tests/support/fake_node.h"

// ---- endpoints

static const struct endpoint_row {
    const char *text;
    enum err err;
    const char *out; // or a part of the message
    bool is_ipv6;
} ENDPOINTS[] = {
    {"tcp://127.0.0.1:7170", ERR_NONE, "tcp://127.0.0.1:7170", false},
    {"tcp://[::1]:7170", ERR_NONE, "tcp://[::1]:7170", true},
    {"tcp://[2001:db8::1]:1", ERR_NONE, "tcp://[2001:db8::1]:1", true},
    {"tcp://localhost:65535", ERR_NONE, "tcp://127.0.0.1:65535", false},
    {"ipc:///run/reeve/lookups.sock", ERR_NONE, "ipc:///run/reeve/lookups.sock", false},
    {"ipc://@abstract", ERR_NONE, "ipc://@abstract", false},

    {"", ERR_CONFIG, "expected tcp://HOST:PORT or ipc://PATH", false},
    {"127.0.0.1:7170", ERR_CONFIG, "expected tcp://HOST:PORT or ipc://PATH", false},
    {"udp://127.0.0.1:7170", ERR_CONFIG, "expected tcp://HOST:PORT or ipc://PATH", false},
    {"inproc://x", ERR_CONFIG, "expected tcp://HOST:PORT or ipc://PATH", false},
    {"TCP://127.0.0.1:7170", ERR_CONFIG, "expected tcp://", false},
    {"tcp://", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:0", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:65536", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:99999999999", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:smtp", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:-1", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://127.0.0.1:7170/x", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://:7170", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://[]:7170", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://*:7170", ERR_CONFIG, "port of 1 to 65535", false},
    {"tcp://::1:7170", ERR_CONFIG, "in brackets", false},
    {"tcp://[::1]", ERR_CONFIG, "in brackets", false},
    {"tcp://a..b:7170", ERR_CONFIG, "'a..b' is neither a host name nor an address", false},
    {"tcp://.a:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://.:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://a b:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://a/b:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://m\xc3\xbcnchen:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://256.0.0.1:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://10.0.0.1.5:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://[localhost]:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://[127.0.0.1]:7170", ERR_CONFIG, "neither a host name", false},
    {"tcp://aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.b:7170", ERR_CONFIG,
     "neither a host name", false},
    {"ipc://", ERR_CONFIG, "a socket's path of 1 to 107 bytes", false},
    {"ipc:///aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
     "aaaaaaaaaaaaaaaaaaaaaa",
     ERR_CONFIG, "a socket's path of 1 to 107 bytes", false},
};

static void endpoints(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(ENDPOINTS) / sizeof(ENDPOINTS[0]); i++) {
        const struct endpoint_row *row = &ENDPOINTS[i];
        struct endpoint out = {.text = "untouched"};
        struct err_detail detail = {.text = ""};
        enum err err = endpoint_resolve(row->text, &out, &detail);

        if (err != row->err)
            fail_msg("'%s': %s", row->text, detail.text);
        if (err == ERR_NONE && (strcmp(out.text, row->out) != 0 || out.is_ipv6 != row->is_ipv6))
            fail_msg("'%s' became '%s'", row->text, out.text);
        if (err != ERR_NONE &&
            (strstr(detail.text, row->out) == NULL || strcmp(out.text, "untouched") != 0))
            fail_msg("'%s': '%s'", row->text, detail.text);
    }
}

// ---- options

static void options_that_are_refused(void **unused)
{
    static const char *const one[] = {"tcp://127.0.0.1:7170", "tcp://127.0.0.1:7180"};
    static const char *const none[] = {NULL}, *const gap[] = {"tcp://127.0.0.1:7170", NULL};
    static const char *const half[] = {"tcp://127.0.0.1:7170", "tcp://nowhere':7170"};
    static const char *many[65];
    static const char *const wrong[] = {"7170"};
    static const char long_label[] =
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"; // 65
    static const struct {
        struct reeve_options options;
        const char *message;
    } rows[] = {
        {{.nodes = NULL}, "no node given"},
        {{.nodes = one, .node_count = 0}, "no node given"},
        {{.nodes = none, .node_count = 1}, "no node given"},
        {{.nodes = gap, .node_count = 2}, "no node given at place 2 of 2"},
        {{.nodes = many, .node_count = 65}, "65 nodes given: at most 64"},
        {{.nodes = half, .node_count = 2}, "'nowhere'' is neither"},
        {{.nodes = wrong, .node_count = 1}, "expected tcp://"},
        {{.nodes = one, .node_count = 1, .admin = ""}, "expected tcp://"},
        {{.nodes = one, .node_count = 1, .gateway = long_label}, "at most 64 bytes"},
        {{.nodes = one, .node_count = 1, .gateway = "a\nb"}, "without control characters"},
        {{.nodes = one, .node_count = 1, .gateway = "\xff"}, "UTF-8"},
        {{.nodes = one, .node_count = 1, .deadline_ms = 60001}, "deadline_ms is 60001"},
        {{.nodes = one, .node_count = 1, .admin_deadline_ms = 600001}, "admin_deadline_ms"},
        {{.nodes = one, .node_count = 1, .in_flight_max = 100001}, "in_flight_max"},
        {{.nodes = one, .node_count = 1, .hedge_ms = 60001}, "hedge_ms is 60001"},
        {{.nodes = one, .node_count = 1, .fallback = (enum reeve_fallback)2}, "fallback is 2"},
    };
    char message[256];
    char small[8];

    (void)unused;
    for (size_t i = 0; i < 65; i++)
        many[i] = one[0];
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct reeve *reeve = NULL;

        if (reeve_new(&reeve, &rows[i].options, message, sizeof(message)) != REEVE_BAD_OPTION ||
            reeve != NULL || strstr(message, rows[i].message) == NULL)
            fail_msg("row %zu: '%s'", i, message);
        assert_int_equal(reeve_new(&reeve, &rows[i].options, NULL, 0), REEVE_BAD_OPTION);
        assert_int_equal(reeve_new(&reeve, &rows[i].options, small, sizeof(small)),
                         REEVE_BAD_OPTION);
        assert_int_equal(strlen(small), sizeof(small) - 1);
    }
    {
        struct reeve *reeve = NULL;

        assert_int_equal(reeve_new(&reeve, NULL, NULL, 0), REEVE_BAD_OPTION);
    }
}

static void the_version(void **unused)
{
    (void)unused;
    assert_string_equal(reeve_version(), REEVE_VERSION);
}

// ---- the book

static struct ask *ask_due_in(struct asks *asks, uint64_t deadline_ms)
{
    const struct msg_request request = {.verb = MSG_PING};
    struct ask *ask = ask_new(&request);

    ask->deadline_ms = deadline_ms;
    asks_add(asks, ask);
    return ask;
}

static void drop(struct asks *asks, struct ask *ask)
{
    asks_remove(asks, ask);
    ask_free(&ask);
}

static void the_earliest_deadline_comes_first(void **unused)
{
    static const uint64_t deadlines[] = {50, 10, 50, 70, 10, 5, 60};
    static const uint64_t order[] = {5, 10, 10, 50, 50, 60, 70};
    struct asks asks;

    (void)unused;
    assert_int_equal(asks_init(&asks, 3), ERR_NONE);
    for (size_t i = 0; i < 7; i++)
        (void)ask_due_in(&asks, deadlines[i]);
    assert_int_equal(asks.pending_count, 7);
    for (size_t i = 0; i < 7; i++) {
        assert_int_equal(asks.pending.head->deadline_ms, order[i]);
        drop(&asks, asks.pending.head);
    }
    assert_null(asks.pending.head);
    assert_null(asks.pending.tail);
    assert_int_equal(asks.pending_count, 0);
    assert_int_equal(asks.unsent_count, 0);
    asks_free(&asks);
}

static void every_number_finds_its_question(void **unused)
{
    struct ask *ask[200];
    struct asks asks;

    (void)unused;
    assert_int_equal(asks_init(&asks, 16), ERR_NONE); // longer chains than buckets
    for (size_t i = 0; i < 200; i++)
        ask[i] = ask_due_in(&asks, 1000 - i);
    for (size_t i = 0; i < 200; i += 2)
        drop(&asks, ask[i]);
    for (size_t i = 0; i < 200; i++)
        assert_ptr_equal(asks_find(&asks, i + 1), i % 2 == 0 ? NULL : ask[i]);
    assert_null(asks_find(&asks, 0));
    assert_null(asks_find(&asks, UINT64_MAX));
    asks_set_sent(&asks, ask[1]);
    assert_int_equal(asks.unsent_count, 99);
    asks_move_due(&asks, ask[1], REEVE_REFUSED, "because");
    asks_move_due(&asks, ask[3], REEVE_REFUSED, "because");
    assert_int_equal(asks.unsent_count, 98);
    assert_int_equal(asks.pending_count, 98);
    assert_ptr_equal(asks.due.head, ask[1]);
    assert_ptr_equal(asks_find(&asks, 4), ask[3]);
    drop(&asks, ask[1]);
    drop(&asks, ask[3]);
    for (size_t i = 5; i < 200; i += 2)
        drop(&asks, ask[i]);
    assert_null(asks.due.head);
    asks_free(&asks);
}

static void a_check_is_copied_and_bounded(void **unused)
{
    char *huge = mem_new(100001);
    const char *recipients[] = {huge, "", NULL, "b@example.org", "\xff"};
    const struct reeve_check check = {
        .helo = huge, .sender = NULL, .recipients = recipients, .recipient_total = 5};
    struct ask *ask;

    (void)unused;
    memset(huge, 'h', 100000);
    ask = ask_new_check(&check);
    memset(huge, 'X', 100000);
    recipients[3] = "gone";
    assert_int_equal(strlen(ask->request.check.helo), MSG_HELO_MAX);
    assert_int_equal(ask->request.check.helo[0], 'h');
    assert_int_equal(strlen(ask->request.check.recipients[0]), MSG_ADDRESS_MAX);
    assert_string_equal(ask->request.check.recipients[1], "");
    assert_string_equal(ask->request.check.recipients[2], "");
    assert_string_equal(ask->request.check.recipients[3], "b@example.org");
    assert_string_equal(ask->request.check.sender, "");
    assert_int_equal(ask->request.check.stage, MSG_RCPT);
    assert_int_equal(ask_verdict_count(ask), 5);
    ask->request.check.stage = MSG_MAIL;
    assert_int_equal(ask_verdict_count(ask), 1);
    ask_free(&ask);
    mem_free(huge);
}

// ---- listening

struct station {
    void *context, *pub;
    char endpoint[64];
};

static void station_open(struct station *station)
{
    size_t size = sizeof(station->endpoint);
    int linger = 0;

    station->context = zmq_ctx_new();
    station->pub = zmq_socket(station->context, ZMQ_XPUB); // a subscription can be awaited
    (void)zmq_setsockopt(station->pub, ZMQ_LINGER, &linger, sizeof(linger));
    assert_int_equal(zmq_bind(station->pub, "tcp://127.0.0.1:*"), 0);
    assert_int_equal(zmq_getsockopt(station->pub, ZMQ_LAST_ENDPOINT, station->endpoint, &size), 0);
}

static void station_close(struct station *station)
{
    (void)zmq_close(station->pub);
    (void)zmq_ctx_term(station->context);
}

static void await_subscription(struct station *station, const char *topic)
{
    char got[64] = "";
    int len = zmq_recv(station->pub, got, sizeof(got) - 1, 0);

    assert_int_equal(len, (int)strlen(topic) + 1);
    assert_int_equal(got[0], 1);
    assert_string_equal(got + 1, topic);
}

static void publish(struct station *station, const char *topic, const void *bytes, size_t len)
{
    assert_true(zmq_send(station->pub, topic, strlen(topic), ZMQ_SNDMORE) >= 0);
    assert_true(zmq_send(station->pub, bytes, len, 0) >= 0);
}

static void publish_stats(struct station *station)
{
    const struct msg_pair label = {"reason", "accept"};
    const struct msg_metric metric[] = {
        {.name = "reeve_requests", .value = 12},
        {.name = "reeve_verdicts", .value = 3.5, .labels = &label, .label_count = 1},
    };
    const struct msg_stats stats = {.node = "n1",
                                    .epoch_ms = 1,
                                    .sequence = 2,
                                    .at_ms = 3,
                                    .metrics = metric,
                                    .metric_count = 2};
    unsigned char bytes[4096], memory[8192];
    struct arena scratch;
    size_t len = 0;

    arena_init(&scratch, memory, sizeof(memory));
    assert_int_equal(wire_encode_stats(&stats, &scratch, bytes, sizeof(bytes), &len), ERR_NONE);
    publish(station, "stats", bytes, len);
}

static void publish_event(struct station *station)
{
    const struct msg_event event = {
        .node = "n1",
        .at_ms = 5,
        .gateway = "mx1",
        .client_ip = "192.0.2.7",
        .sender = "a@example.net",
        .verdict = {.action = MSG_DEFER, .reason = "greylist_new", .recipient = "b@example.org"},
        .took_us = 250,
    };
    unsigned char bytes[4096], memory[8192];
    struct arena scratch;
    size_t len = 0;

    arena_init(&scratch, memory, sizeof(memory));
    assert_int_equal(wire_encode_event(&event, &scratch, bytes, sizeof(bytes), &len), ERR_NONE);
    publish(station, "decision.defer.greylist_new", bytes, len);
}

static void publish_damage(struct station *station)
{
    char topic[400];

    memset(topic, 't', sizeof(topic) - 1);
    topic[sizeof(topic) - 1] = '\0';
    publish(station, "stats", "\xff\xff\xff", 3);
    publish(station, "decision.accept.accept", "\x01", 1);
    publish(station, "weather", "sunny", 5);
    publish(station, "", "", 0);
    publish(station, topic, "", 0);
    (void)zmq_send(station->pub, "stats", 5, 0);
    (void)zmq_send(station->pub, "stats", 5, ZMQ_SNDMORE);
    (void)zmq_send(station->pub, "a", 1, ZMQ_SNDMORE);
    (void)zmq_send(station->pub, "b", 1, 0);
}

static void news_between_damage(void **unused)
{
    struct reeve_listener *listener = NULL;
    const struct reeve_news *news = NULL;
    struct station station;
    char message[256];

    (void)unused;
    station_open(&station);
    assert_int_equal(reeve_listen(&listener, station.endpoint, "", message, sizeof(message)),
                     REEVE_OK);
    await_subscription(&station, "");
    assert_int_equal(reeve_next(listener, 0, &news), REEVE_UNREACHABLE);
    publish_damage(&station);
    publish_stats(&station);
    publish_damage(&station);
    publish_event(&station);
    assert_int_equal(reeve_next(listener, 5000, &news), REEVE_OK);
    assert_string_equal(news->topic, "stats");
    assert_string_equal(news->node, "n1");
    assert_int_equal(news->sequence, 2);
    assert_int_equal(news->metric_count, 2);
    assert_true(news->metrics[1].value > 3.4 && news->metrics[1].value < 3.6);
    assert_string_equal(news->metrics[1].labels[0].value, "accept");
    assert_null(news->verdict);
    assert_int_equal(reeve_next(listener, 5000, &news), REEVE_OK);
    assert_string_equal(news->topic, "decision.defer.greylist_new");
    assert_int_equal(news->verdict->action, REEVE_DEFER);
    assert_string_equal(news->verdict->recipient, "b@example.org");
    assert_string_equal(news->sender, "a@example.net");
    assert_int_equal(news->took_us, 250);
    assert_int_equal(news->metric_count, 0);
    assert_int_equal(reeve_next(listener, 50, &news), REEVE_UNREACHABLE);
    reeve_listener_free(&listener);
    assert_null(listener);
    reeve_listener_free(&listener);
    station_close(&station);
}

static void listening_to_nothing(void **unused)
{
    static const struct {
        const char *endpoint, *topic;
        enum reeve_error error;
    } rows[] = {
        {"nonsense", "", REEVE_BAD_OPTION},
        {NULL, "", REEVE_BAD_OPTION},
        {"tcp://127.0.0.1:1", NULL, REEVE_BAD_OPTION},
        {"tcp://a..b:1", "", REEVE_BAD_OPTION},
    };
    struct reeve_listener *listener = NULL;
    const struct reeve_news *news = NULL;
    char message[256];

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(
            reeve_listen(&listener, rows[i].endpoint, rows[i].topic, message, sizeof(message)),
            rows[i].error);
        assert_null(listener);
        assert_int_not_equal(message[0], '\0');
    }
    assert_int_equal(reeve_listen(&listener, "tcp://127.0.0.1:1", "stats", NULL, 0), REEVE_OK);
    assert_int_equal(reeve_next(listener, 50, &news), REEVE_UNREACHABLE);
    reeve_listener_free(&listener);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(endpoints),
        cmocka_unit_test(options_that_are_refused),
        cmocka_unit_test(the_version),
        cmocka_unit_test(the_earliest_deadline_comes_first),
        cmocka_unit_test(every_number_finds_its_question),
        cmocka_unit_test(a_check_is_copied_and_bounded),
        cmocka_unit_test(news_between_damage),
        cmocka_unit_test(listening_to_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
