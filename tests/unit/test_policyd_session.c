// A connection whose question libreeve cannot take, and what is told of a message at its end: libreeve
// here is the test's own.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/policyd/session.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum { LONG_MS = 5000 };

#define REQUEST                                          \
    "request=smtpd_access_policy\nprotocol_state=RCPT\n" \
    "client_address=192.0.2.7\nsender=a@a.example\n"     \
    "recipient=b@b.example\n\n"
static const char TWO_REQUESTS[] = REQUEST REQUEST;
static const char END[] = "request=smtpd_access_policy\nprotocol_state=END-OF-MESSAGE\n"
                          "instance=4f2.1\nclient_address=192.0.2.7\nsender=ann@corp.example\n"
                          "sasl_username=ann\nrecipient=joe@partner.example\n\n";

// What the test's libreeve does: answers each question from a later turn of the loop, if there is an
// answer; and what it is told of.
static struct stage {
    const struct reeve_answer *answer; // NULL = no memory: done is never called
    struct loop_timer *turn;
    void (*done)(void *arg, const struct reeve_answer *answer);
    void *arg;
    bool has_no_memory; // for what was sent
    size_t sent;        // messages
    char what[512];     // of the last one
    void (*taken)(void *arg, const struct reeve_answer *answer);
    void *taken_arg;
    size_t idle;
} stage;

static void answer_it(void *arg)
{
    void (*done)(void *done_arg, const struct reeve_answer *answer) = stage.done;

    (void)arg;
    stage.done = NULL;
    done(stage.arg, stage.answer);
}

uint64_t reeve_submit(struct reeve *reeve, const struct reeve_check *check,
                      void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    (void)reeve;
    (void)check;
    if (stage.answer == NULL)
        return 0;
    stage.done = done;
    stage.arg = arg;
    loop_timer_set(stage.turn, 0, 0);
    return 1;
}

uint64_t reeve_submit_sent(struct reeve *reeve, const struct reeve_sent *sent,
                           void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    struct text_buf text;

    (void)reeve;
    if (stage.has_no_memory)
        return 0;
    stage.sent++;
    stage.taken = done;
    stage.taken_arg = arg;
    text_buf_init(&text, stage.what, sizeof(stage.what));
    text_buf_add(&text, "%s %s %s %s", sent->transaction, sent->client_ip, sent->auth_user,
                 sent->sender);
    for (size_t i = 0; i < sent->recipient_total; i++)
        text_buf_add(&text, " %s", sent->recipients[i]);
    assert_int_equal(sent->header_total, 0);
    assert_int_equal(sent->sent_ms, 0);
    return 2;
}

void reeve_cancel(struct reeve *reeve, uint64_t request)
{
    (void)reeve;
    (void)request;
    fail_msg("there was nothing to cancel");
}

static void stop(void *arg)
{
    loop_stop(arg);
}

static void note_idle(void *arg)
{
    (void)arg;
    stage.idle++;
}

// answer_of: what a client hears that asks and then closes its side.
static void answer_of(const struct policyd_config *config, const char *requests, char *out,
                      size_t size)
{
    struct session_hub *hub = mem_new(sizeof(*hub));
    struct loop_timer *patience;
    int pair[2];
    ssize_t got;

    assert_int_equal(loop_new(&hub->loop, NULL), ERR_NONE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    hub->config = config;
    hub->sent = config->report_sent ? sent_new(NULL, note_idle, NULL) : NULL;
    stage.turn = loop_timer_new(hub->loop, answer_it, NULL);
    hub->seats = policy_seats_new();
    hub->recipients = recipients_new(1, RECIPIENTS_BYTES);
    hub->gone = stop;
    hub->gone_arg = hub->loop;
    session_hub_init(hub);
    session_new(hub, pair[0]);
    assert_int_equal(write(pair[1], requests, strlen(requests)), strlen(requests));
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    patience = loop_timer_new(hub->loop, stop, hub->loop);
    loop_timer_set(patience, LONG_MS, 0);
    loop_run(hub->loop);
    assert_int_equal(hub->count, 0);
    got = read(pair[1], out, size - 1);
    assert_true(got >= 0);
    out[got] = '\0';
    (void)close(pair[1]);
    if (stage.taken != NULL) // whoever answered is gone; nobody waited
        assert_int_equal(sent_under_way(hub->sent), 1);
    sent_free(&hub->sent);
    loop_timer_free(&stage.turn);
    loop_timer_free(&patience);
    policy_seats_free(&hub->seats);
    recipients_free(&hub->recipients);
    loop_free(&hub->loop);
    mem_free(hub);
}

static void without_memory_the_fallback_answers(void **unused)
{
    static const struct {
        enum reeve_fallback fallback;
        const char *said;
    } rows[] = {
        {REEVE_FALLBACK_ACCEPT, "action=DUNNO\n\naction=DUNNO\n\n"},
        {REEVE_FALLBACK_DEFER,
         "action=DEFER_IF_PERMIT 4.3.0 Temporarily unable to decide, try again "
         "later\n\naction=DEFER_IF_PERMIT 4.3.0 Temporarily unable to decide, "
         "try again later\n\n"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct policyd_config config = {.fallback = (int)rows[i].fallback,
                                              .log_decisions = POLICYD_LOG_NONE,
                                              .stall_ms = 60000};
        char said[512];

        answer_of(&config, TWO_REQUESTS, said, sizeof(said));
        assert_string_equal(said, rows[i].said);
    }
}

// ---- the end of a message

#define VERDICT(who, what, where)                                                                  \
    {                                                                                              \
        .recipient = (who), .action = (what), .enhanced = "2.0.0", .text = "", .reason = "accept", \
        .ticket = "", .shadow = "", .direction = (where)                                           \
    }
static const struct reeve_verdict ACCEPTED[] = {
    VERDICT("joe@partner.example", REEVE_ACCEPT, "outbound"),
    VERDICT("bob@corp.example", REEVE_ACCEPT, "internal"),
    VERDICT("eve@other.example", REEVE_ACCEPT, "outbound"),
};

static struct reeve_answer answer_with(const struct reeve_verdict *end)
{
    return (struct reeve_answer){.verdicts = ACCEPTED,
                                 .verdict_count = 3,
                                 .end = end,
                                 .node = "fake",
                                 .message = "",
                                 .degraded_why = ""};
}

// tell: what becomes of a message whose end is answered so.
static void tell(const struct reeve_answer *answer, bool is_wanted, const char *said)
{
    const struct policyd_config config = {
        .log_decisions = POLICYD_LOG_NONE, .stall_ms = 60000, .report_sent = is_wanted};
    char heard[512];

    stage.answer = answer;
    answer_of(&config, END, heard, sizeof(heard));
    assert_string_equal(heard, said);
}

static int clear_stage(void **unused)
{
    (void)unused;
    memset(&stage, 0, sizeof(stage));
    return 0;
}

// Who answered Postfix does not wait for the node's word, and that may come when its service is gone.
static void what_was_accepted_is_told(void **unused)
{
    const struct reeve_verdict end = VERDICT("", REEVE_ACCEPT, "");
    const struct reeve_answer answer = answer_with(&end);
    const struct reeve_answer ack = {.recorded = 2, .message = ""};

    (void)unused;
    tell(&answer, true, "action=DUNNO\n\n");
    assert_int_equal(stage.sent, 1);
    assert_string_equal(stage.what, "4f2.1 192.0.2.7 ann ann@corp.example joe@partner.example "
                                    "bob@corp.example eve@other.example");
    stage.taken(stage.taken_arg, &ack);
    assert_int_equal(stage.idle, 0); // its owner is gone
}

static void nothing_is_told_where_that_is_not_wanted(void **unused)
{
    const struct reeve_verdict end = VERDICT("", REEVE_ACCEPT, "");
    const struct reeve_answer answer = answer_with(&end);

    (void)unused;
    tell(&answer, false, "action=DUNNO\n\n");
    assert_int_equal(stage.sent, 0);
}

static void what_was_refused_is_not_told(void **unused)
{
    const struct reeve_verdict end = {.action = REEVE_REJECT,
                                      .code = 550,
                                      .enhanced = "5.7.1",
                                      .text = "no",
                                      .recipient = "",
                                      .reason = "policy_sender",
                                      .ticket = "",
                                      .shadow = ""};
    const struct reeve_answer answer = answer_with(&end);

    (void)unused;
    tell(&answer, true, "action=550 5.7.1 no\n\n");
    assert_int_equal(stage.sent, 0);
}

static void without_memory_it_is_lost_and_nothing_else(void **unused)
{
    const struct reeve_verdict end = VERDICT("", REEVE_ACCEPT, "");
    const struct reeve_answer answer = answer_with(&end);

    (void)unused;
    stage.has_no_memory = true;
    tell(&answer, true, "action=DUNNO\n\n");
    assert_int_equal(stage.sent, 0);
}

static void an_owner_hears_when_nothing_is_under_way(void **unused)
{
    const struct reeve_verdict end = VERDICT("", REEVE_ACCEPT, "");
    const struct reeve_answer answer = answer_with(&end);
    const struct reeve_answer lost = {.error = REEVE_UNREACHABLE, .message = "no node"};
    const struct policy_request request = {.protocol_state = "END-OF-MESSAGE",
                                           .instance = "1",
                                           .client_address = "192.0.2.7",
                                           .sender = "a@a.example",
                                           .sasl_username = ""};
    struct sent *sent = sent_new(NULL, note_idle, NULL);

    (void)unused;
    sent_tell(sent, &request, &answer);
    sent_tell(sent, &request, &answer);
    assert_int_equal(sent_under_way(sent), 2);
    stage.taken(stage.taken_arg, &lost);
    assert_int_equal(stage.idle, 0);
    stage.taken(stage.taken_arg, &lost);
    assert_int_equal(stage.idle, 1);
    assert_int_equal(sent_under_way(sent), 0);
    sent_free(&sent);
    sent_free(&sent);
    assert_null(sent);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_the_fallback_answers),
        cmocka_unit_test_setup(what_was_accepted_is_told, clear_stage),
        cmocka_unit_test_setup(nothing_is_told_where_that_is_not_wanted, clear_stage),
        cmocka_unit_test_setup(what_was_refused_is_not_told, clear_stage),
        cmocka_unit_test_setup(without_memory_it_is_lost_and_nothing_else, clear_stage),
        cmocka_unit_test_setup(an_owner_hears_when_nothing_is_under_way, clear_stage),
    };

    log_open("test", LOG_ERROR_LEVEL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
