// dispatch.c: questions on their way out, answers on their way in, and the timer between.
//
// Promises: each question is answered exactly once, by its deadline at the latest (as far as
// reeve_dispatch is called), or never after reeve_cancel; no call here blocks; callbacks run in
// reeve_dispatch and reeve_free alone, and may submit and cancel.
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/lib/answer.h"
#include "client/lib/client.h"
#include "proto/base/clock.h"
#include "proto/wire.h"

enum { RETRY_MS = 10 }; // how often a question that could not be sent is tried again

// ---- the timer

static void set_timer(struct reeve *reeve, uint64_t at_ms)
{
    struct itimerspec spec = {.it_value = {0}};

    if (reeve->timer_ms == at_ms)
        return;
    reeve->timer_ms = at_ms;
    if (at_ms != UINT64_MAX) {
        spec.it_value.tv_sec = (time_t)(at_ms / 1000);
        spec.it_value.tv_nsec = (long)(at_ms % 1000) * 1000000 + 1; // all zero would switch it off
    }
    (void)timerfd_settime(reeve->timer_fd, TFD_TIMER_ABSTIME, &spec, NULL);
}

static void clear_timer(struct reeve *reeve)
{
    uint64_t expirations;

    if (read(reeve->timer_fd, &expirations, sizeof(expirations)) > 0)
        reeve->timer_ms = UINT64_MAX; // it has fired, so it is off
}

// wake_when_needed: to be called last by whatever may have changed the state of questions or links.
static void wake_when_needed(struct reeve *reeve)
{
    const struct asks *asks = &reeve->asks;
    uint64_t at_ms = UINT64_MAX;

    if (asks->pending.head != NULL)
        at_ms = asks->pending.head->deadline_ms;
    if (asks->unsent_count > 0) {
        uint64_t retry_ms = clock_mono_ms() + RETRY_MS;

        at_ms = retry_ms < at_ms ? retry_ms : at_ms;
    }
    if (asks->due.head != NULL || link_has_input(&reeve->lookups) || link_has_input(&reeve->admin))
        at_ms = 0;
    set_timer(reeve, at_ms);
}

// ---- out

static struct link *link_of(struct reeve *reeve, const struct ask *ask)
{
    return ask->request.verb == MSG_ADMIN ? &reeve->admin : &reeve->lookups;
}

static enum err encode(struct reeve *reeve, struct ask *ask, uint64_t now_ms, size_t *len)
{
    struct arena scratch;

    arena_init(&scratch, reeve->scratch, CLIENT_SCRATCH_MAX);
    ask->request.gateway = reeve->gateway;
    ask->request.budget_ms = (uint32_t)(ask->deadline_ms - now_ms);
    return wire_encode_request(&ask->request, &scratch, reeve->encoded, CLIENT_ENCODED_MAX, len);
}

static void try_to_send(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    const struct link *link = link_of(reeve, ask);
    size_t len = 0;

    if (ask->sent || ask->deadline_ms <= now_ms || !link_can_send(link))
        return;
    if (encode(reeve, ask, now_ms, &len) != ERR_NONE)
        asks_move_due(&reeve->asks, ask, REEVE_REFUSED,
                      "the request was not sent: its texts are larger than a request can be");
    else if (link_send(link, reeve->encoded, len))
        asks_set_sent(&reeve->asks, ask);
}

static void send_unsent(struct reeve *reeve)
{
    uint64_t now_ms = clock_mono_ms();
    struct ask *next;

    if (reeve->asks.unsent_count == 0 ||
        (!link_can_send(&reeve->lookups) && !link_can_send(&reeve->admin)))
        return;
    for (struct ask *ask = reeve->asks.pending.head; ask != NULL; ask = next) {
        next = ask->next;
        try_to_send(reeve, ask, now_ms);
    }
}

// keep_at_home: true for a question that cannot be sent at all; it has its answer.
static bool keep_at_home(struct reeve *reeve, struct ask *ask)
{
    if (ask->request.verb == MSG_ADMIN && reeve->admin.socket == NULL)
        asks_add_due(&reeve->asks, ask, REEVE_BAD_OPTION,
                     "the request was not sent: the client was made without an admin endpoint");
    else if (ask->request.verb == MSG_CHECK &&
             ask->request.check.recipient_total > MSG_RECIPIENTS_MAX)
        asks_add_due(
            &reeve->asks, ask, REEVE_REFUSED,
            "the request was not sent: more than 1000 recipients; ask in several requests");
    else if (reeve->asks.pending_count >= reeve->in_flight_max)
        asks_add_due(&reeve->asks, ask, REEVE_UNREACHABLE,
                     "the request was not sent: too many are under way already (in_flight_max)");
    else
        return false;
    return true;
}

void client_start(struct reeve *reeve, struct ask *ask, uint64_t wait_ms)
{
    uint64_t now_ms = clock_mono_ms();

    ask->deadline_ms = now_ms + wait_ms;
    if (!keep_at_home(reeve, ask)) {
        asks_add(&reeve->asks, ask);
        try_to_send(reeve, ask, now_ms);
    }
    wake_when_needed(reeve);
}

uint64_t reeve_submit(struct reeve *reeve, const struct reeve_check *check,
                      void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    struct ask *ask = reeve->is_closing ? NULL : ask_new_check(check);

    if (ask == NULL)
        return 0;
    ask->done = done;
    ask->arg = arg;
    client_start(reeve, ask, reeve->deadline_ms);
    return reeve->asks.last_id;
}

void reeve_cancel(struct reeve *reeve, uint64_t request)
{
    struct ask *ask = asks_find(&reeve->asks, request);

    if (ask == NULL || ask->kept != NULL)
        return;
    asks_remove(&reeve->asks, ask);
    ask_free(&ask);
    wake_when_needed(reeve);
}

// ---- in

// deliver: the end of a question. Takes the answer.
static void deliver(struct reeve *reeve, struct ask *ask, struct reeve_answer *answer)
{
    asks_remove(&reeve->asks, ask);
    if (ask->kept != NULL) {
        *ask->kept = answer;
    } else {
        ask->done(ask->arg, answer);
        reeve_answer_free(&answer);
    }
    ask_free(&ask);
}

static void take_reply(void *arg, void *bytes, size_t len)
{
    struct reeve *reeve = arg;
    struct reply *reply = reply_decode(bytes, len);
    struct ask *ask;

    if (reply == NULL)
        return; // damage: the deadline will answer
    ask = asks_find(&reeve->asks, reply_id(reply));
    if (ask == NULL || !ask->sent || ask->is_due) {
        reply_free(&reply); // late, repeated, or nobody's
        return;
    }
    deliver(reeve, ask, answer_from_reply(&reply, ask, reeve->fallback));
}

// receive: a node that sends more than was asked for cannot keep the caller in here for ever.
static void receive(struct reeve *reeve, const struct link *link)
{
    size_t most = reeve->in_flight_max + 64;

    while (most-- > 0 && link_has_input(link))
        (void)link_receive(link, take_reply, reeve);
}

static void end_late(struct reeve *reeve)
{
    uint64_t now_ms = clock_mono_ms();
    struct ask *ask;

    while ((ask = reeve->asks.pending.head) != NULL && ask->deadline_ms <= now_ms) {
        const char *why = ask->sent ? "the node did not answer in time" : "no node is connected";

        if (!ask->sent)
            link_renew(link_of(reeve, ask), now_ms);
        deliver(reeve, ask, answer_fallback(ask, reeve->fallback, REEVE_UNREACHABLE, why));
    }
}

// end_due: only what was submitted before, so that a callback that submits again comes back later.
static void end_due(struct reeve *reeve)
{
    uint64_t last_id = reeve->asks.last_id;
    struct ask *ask;

    while ((ask = reeve->asks.due.head) != NULL && ask->request.id <= last_id)
        deliver(reeve, ask, answer_fallback(ask, reeve->fallback, ask->trouble, ask->why));
}

int reeve_fd(const struct reeve *reeve)
{
    return reeve->epoll_fd;
}

void reeve_dispatch(struct reeve *reeve)
{
    clear_timer(reeve);
    receive(reeve, &reeve->lookups);
    receive(reeve, &reeve->admin);
    send_unsent(reeve);
    end_late(reeve);
    end_due(reeve);
    wake_when_needed(reeve);
}

void client_end_all(struct reeve *reeve, const char *why)
{
    struct ask *ask;

    reeve->is_closing = true;
    while ((ask = reeve->asks.pending.head) != NULL)
        asks_move_due(&reeve->asks, ask, REEVE_UNREACHABLE, why);
    end_due(reeve);
}
