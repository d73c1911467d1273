// A connection whose question libreeve cannot take: reeve_submit here is the test's own.
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

static const char REQUEST[] = "request=smtpd_access_policy\nprotocol_state=RCPT\n"
                              "client_address=192.0.2.7\nsender=a@a.example\n"
                              "recipient=b@b.example\n\n";

uint64_t reeve_submit(struct reeve *reeve, const struct reeve_check *check,
                      void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    (void)reeve;
    (void)check;
    (void)done;
    (void)arg;
    return 0; // no memory: done is never called
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

// answer_of: what a client hears that asks and then closes its side.
static void answer_of(const struct policyd_config *config, size_t requests, char *out, size_t size)
{
    struct session_hub *hub = mem_new(sizeof(*hub));
    struct loop_timer *patience;
    int pair[2];
    ssize_t got;

    assert_int_equal(loop_new(&hub->loop, NULL), ERR_NONE);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, pair), 0);
    hub->config = config;
    hub->seats = policy_seats_new();
    hub->recipients = recipients_new(1, RECIPIENTS_BYTES);
    hub->gone = stop;
    hub->gone_arg = hub->loop;
    session_hub_init(hub);
    session_new(hub, pair[0]);
    for (size_t i = 0; i < requests; i++)
        assert_int_equal(write(pair[1], REQUEST, strlen(REQUEST)), strlen(REQUEST));
    assert_int_equal(shutdown(pair[1], SHUT_WR), 0);
    patience = loop_timer_new(hub->loop, stop, hub->loop);
    loop_timer_set(patience, LONG_MS, 0);
    loop_run(hub->loop);
    assert_int_equal(hub->count, 0);
    got = read(pair[1], out, size - 1);
    assert_true(got >= 0);
    out[got] = '\0';
    (void)close(pair[1]);
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

        answer_of(&config, 2, said, sizeof(said));
        assert_string_equal(said, rows[i].said);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_memory_the_fallback_answers),
    };

    log_open("test", LOG_ERROR_LEVEL);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
