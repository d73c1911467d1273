// dispatch.c: questions that come, answers that come, and the timer between.
//
// Promises: each question is answered exactly once, by its deadline at the latest (as far as
// reeve_dispatch is called), or never after reeve_cancel; no call here blocks; callbacks run in
// reeve_dispatch and reeve_free alone, and may submit and cancel.
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "client/lib/answer.h"
#include "client/lib/client.h"
#include "client/lib/copies.h"
#include "proto/base/clock.h"

enum {
    RETRY_MS = 10, // how often a question that could not be sent is tried again
    EVENTS_MAX = 2 * (2 * NODES_MAX + 2),
};

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

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static bool is_readable(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->node[i]->link.is_readable)
            return true;
    }
    return false;
}

// wake_when_needed: to be called last by whatever may have changed the state of questions or links.
static void wake_when_needed(struct reeve *reeve)
{
    const struct asks *asks = &reeve->asks;
    uint64_t at_ms = earlier(reeve->lookups.wake_ms, reeve->admin.wake_ms);

    if (asks->pending.head != NULL)
        at_ms = earlier(at_ms, asks->pending.head->deadline_ms);
    if (!TAILQ_EMPTY(&asks->hedges))
        at_ms = earlier(at_ms, TAILQ_FIRST(&asks->hedges)->hedge_ms);
    if (asks->unsent_count > 0)
        at_ms = earlier(at_ms, clock_mono_ms() + RETRY_MS);
    if (asks->due.head != NULL || is_readable(&reeve->lookups) || is_readable(&reeve->admin))
        at_ms = 0;
    set_timer(reeve, at_ms);
}

// ---- out

struct nodes *client_nodes(struct reeve *reeve, const struct ask *ask)
{
    return ask->request.verb == MSG_ADMIN ? &reeve->admin : &reeve->lookups;
}

uint64_t client_slow_ms(const struct reeve *reeve)
{
    return earlier(reeve->hedge_ms, reeve->deadline_ms);
}

// too_many: what cannot be told in one request; NULL = it can.
static const char *too_many(const struct msg_request *request)
{
    if ((request->verb == MSG_CHECK && request->check.recipient_total > MSG_RECIPIENTS_MAX) ||
        (request->verb == MSG_SENT && request->sent.recipient_total > MSG_RECIPIENTS_MAX))
        return "the request was not sent: more than 1000 recipients; ask in several requests";
    if (request->verb == MSG_SENT && request->sent.header_count > MSG_HEADERS_MAX)
        return "the request was not sent: more than 500 headers; leave out those that do not count";
    return NULL;
}

// has_room: what nobody waits for leaves room for what somebody does.
static bool has_room(const struct reeve *reeve, const struct ask *ask)
{
    const struct asks *asks = &reeve->asks;

    return asks->pending_count < reeve->in_flight_max &&
           (!ask_is_news(ask) || asks->news_count < (reeve->in_flight_max + 1) / 2);
}

// keep_at_home: true for a question that cannot be sent at all; it has its answer.
static bool keep_at_home(struct reeve *reeve, struct ask *ask)
{
    const char *why = too_many(&ask->request);

    if (ask->request.verb == MSG_ADMIN && reeve->admin.source_count == 0)
        asks_add_due(&reeve->asks, ask, REEVE_BAD_OPTION,
                     "the request was not sent: the client was made without an admin endpoint");
    else if (why != NULL)
        asks_add_due(&reeve->asks, ask, REEVE_REFUSED, why);
    else if (!has_room(reeve, ask))
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
    reeve->counters.questions += ask_is_question(ask);
    reeve->counters.sents += ask->request.verb == MSG_SENT;
    reeve->counters.reports += ask->request.verb == MSG_REPORT;
    if (!keep_at_home(reeve, ask)) {
        asks_add(&reeve->asks, ask);
        copies_name(reeve, ask);
        copies_send(reeve, ask, now_ms);
    }
    wake_when_needed(reeve);
}

// submit: 0 = there is no such ask.
static uint64_t submit(struct reeve *reeve, struct ask *ask, uint64_t wait_ms,
                       void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    if (ask == NULL)
        return 0;
    ask->done = done;
    ask->arg = arg;
    client_start(reeve, ask, wait_ms);
    return reeve->asks.last_id;
}

uint64_t reeve_submit(struct reeve *reeve, const struct reeve_check *check,
                      void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    return submit(reeve, reeve->is_closing ? NULL : ask_new_check(check), reeve->deadline_ms, done,
                  arg);
}

uint64_t reeve_submit_sent(struct reeve *reeve, const struct reeve_sent *sent,
                           void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    return submit(reeve, reeve->is_closing ? NULL : ask_new_sent(sent), reeve->sent_deadline_ms,
                  done, arg);
}

uint64_t reeve_submit_report(struct reeve *reeve, const struct reeve_report *report,
                             void (*done)(void *arg, const struct reeve_answer *answer), void *arg)
{
    return submit(reeve, reeve->is_closing ? NULL : ask_new_report(report), reeve->sent_deadline_ms,
                  done, arg);
}

void reeve_cancel(struct reeve *reeve, uint64_t request)
{
    struct ask *ask = asks_find(&reeve->asks, request);

    if (ask == NULL || ask->kept != NULL)
        return;
    copies_end(reeve, ask);
    asks_remove(&reeve->asks, ask);
    ask_free(&ask);
    wake_when_needed(reeve);
}

// ---- in

// deliver: the end of a question. Takes the answer.
static void deliver(struct reeve *reeve, struct ask *ask, struct reeve_answer *answer)
{
    copies_end(reeve, ask);
    asks_remove(&reeve->asks, ask);
    if (ask_is_question(ask)) {
        reeve->counters.fallbacks += answer->error != REEVE_OK;
        reeve->counters.answered += answer->error == REEVE_OK;
    }
    if (answer->error != REEVE_OK) {
        reeve->counters.sents_lost += ask->request.verb == MSG_SENT;
        reeve->counters.reports_lost += ask->request.verb == MSG_REPORT;
    }
    if (ask->kept != NULL) {
        *ask->kept = answer;
    } else {
        if (ask->done != NULL)
            ask->done(ask->arg, answer);
        reeve_answer_free(&answer);
    }
    ask_free(&ask);
}

struct mail_bag { // what take_reply needs to know of a message
    struct reeve *reeve;
    struct node *node;
    uint64_t now_ms;
};

static void note_damage(const struct mail_bag *bag)
{
    bag->node->seen.damaged++;
    health_suspect(&bag->node->health, bag->now_ms);
}

// take_unclaimed: a reply to no question that is open: to a probe, too late, or nonsense.
static void take_unclaimed(const struct mail_bag *bag, const struct reply *reply)
{
    uint64_t id = reply_id(reply);

    if ((id & COPIES_PROBE) != 0) {
        if (reply_is_pong(reply))
            (void)health_pong(&bag->node->health, id, bag->now_ms);
    } else if (id != 0 && id <= bag->reeve->asks.last_id) {
        bag->node->seen.late++;
        bag->reeve->counters.late++;
    } else {
        note_damage(bag);
    }
}

// note_worth: what the reply says of its node. A draining one may refuse: it said so.
static void note_worth(const struct mail_bag *bag, const struct ask *ask, enum reply_worth worth)
{
    struct node *node = bag->node;

    if (worth == REPLY_ELSEWHERE) {
        node->seen.refused++;
        if (!node->health.is_draining)
            health_suspect(&node->health, bag->now_ms);
        return;
    }
    node->seen.answered++;
    for (size_t i = 0; i < ask->copy_count; i++) {
        if (ask->copy[i].serial == node->serial && !ask->copy[i].was_slow &&
            bag->now_ms - ask->copy[i].sent_ms < client_slow_ms(bag->reeve))
            health_answered(&node->health, bag->now_ms);
    }
}

static void take_answer(const struct mail_bag *bag, struct ask *ask, struct reply **reply)
{
    struct reeve *reeve = bag->reeve;
    enum reply_worth worth = reply_worth(*reply, ask);

    note_worth(bag, ask, worth);
    if (worth == REPLY_ELSEWHERE &&
        copies_refused(reeve, ask, bag->node->health.is_draining, bag->now_ms)) {
        reply_free(reply);
        return;
    }
    if (ask->transaction != 0)
        affinity_note(&reeve->affinity, ask->transaction, bag->node->serial);
    deliver(reeve, ask, answer_from_reply(reply, ask, reeve->fallback));
}

static void take_reply(void *arg, void *bytes, size_t len)
{
    const struct mail_bag *bag = arg;
    struct reply *reply = bytes == NULL ? NULL : reply_decode(bytes, len);
    struct ask *ask;

    if (reply == NULL) {
        note_damage(bag); // a hedge or the deadline will answer
        return;
    }
    ask = asks_find(&bag->reeve->asks, reply_id(reply));
    bag->node->health.is_draining = reply_is_draining(reply);
    if (reply_node(reply)[0] != '\0')
        (void)snprintf(bag->node->name, sizeof(bag->node->name), "%s", reply_node(reply));
    if (ask == NULL || ask->is_due || !copies_answered(bag->reeve, ask, bag->node)) {
        take_unclaimed(bag, reply);
        reply_free(&reply);
        return;
    }
    take_answer(bag, ask, &reply);
}

// receive: a node that sends more than was asked for cannot keep the caller in here for ever.
static void receive(struct reeve *reeve, struct nodes *nodes, uint64_t now_ms)
{
    for (size_t i = 0; i < nodes->count; i++) {
        struct mail_bag bag = {.reeve = reeve, .node = nodes->node[i], .now_ms = now_ms};
        size_t most = reeve->in_flight_max + 64;

        while (bag.node->link.is_readable && most-- > 0)
            (void)link_receive(&bag.node->link, take_reply, &bag);
    }
}

// ---- links

static void look_at_links(struct reeve *reeve, uint64_t now_ms)
{
    struct epoll_event event[EVENTS_MAX];
    int count = epoll_wait(reeve->epoll_fd, event, EVENTS_MAX, 0);

    for (int i = 0; i < count; i++) {
        if (event[i].data.ptr != NULL)
            link_stirred(event[i].data.ptr, now_ms);
    }
}

// follow_connections: what was read before belongs to connections that may have ended since.
static void follow_connections(struct reeve *reeve, struct nodes *nodes, uint64_t now_ms)
{
    for (size_t i = 0; i < nodes->count; i++) {
        struct node *node = nodes->node[i];

        if (node->link.was_lost || node->connection != node->link.connects)
            health_connected(&node->health);
        node->connection = node->link.connects;
        if (!node->link.was_lost)
            continue;
        node->link.was_lost = false;
        copies_lost(reeve, nodes, node);
        nodes_lost(nodes, node, now_ms);
    }
}

static void drop_idle(struct nodes *nodes)
{
    struct node *node;

    while ((node = nodes_idle(nodes)) != NULL)
        nodes_drop(nodes, &node);
}

static void look_after(struct reeve *reeve, struct nodes *nodes, uint64_t now_ms)
{
    nodes_take_addresses(nodes, now_ms, client_random(reeve));
    nodes_tick(nodes, now_ms);
}

// ---- time

// describe_lateness: why nobody has answered.
static void describe_lateness(const struct reeve *reeve, const struct ask *ask, char *out,
                              size_t size)
{
    const char *trouble =
        nodes_trouble(ask->request.verb == MSG_ADMIN ? &reeve->admin : &reeve->lookups);

    if (ask->under_way > 1)
        (void)snprintf(out, size, "%zu nodes did not answer in time", ask->under_way);
    else if (ask->sent)
        (void)snprintf(out, size, "the node did not answer in time");
    else if (ask->copy_count > 0)
        (void)snprintf(out, size, "the node did not answer in time: the connection to it was lost");
    else
        (void)snprintf(out, size, "no node is connected%s%s", trouble[0] == '\0' ? "" : ": ",
                       trouble);
}

static void end_late(struct reeve *reeve)
{
    uint64_t now_ms = clock_mono_ms();
    struct ask *ask;
    char why[256];

    while ((ask = reeve->asks.pending.head) != NULL && ask->deadline_ms <= now_ms) {
        describe_lateness(reeve, ask, why, sizeof(why));
        copies_late(reeve, ask, now_ms);
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
    uint64_t now_ms = clock_mono_ms();

    clear_timer(reeve);
    look_at_links(reeve, now_ms);
    receive(reeve, &reeve->lookups, now_ms);
    receive(reeve, &reeve->admin, now_ms);
    follow_connections(reeve, &reeve->lookups, now_ms);
    follow_connections(reeve, &reeve->admin, now_ms);
    copies_send_unsent(reeve, now_ms);
    copies_hedge_due(reeve, now_ms);
    end_late(reeve);
    end_due(reeve);
    copies_probe(reeve, now_ms);
    look_after(reeve, &reeve->lookups, now_ms);
    look_after(reeve, &reeve->admin, now_ms);
    client_tell(reeve);
    drop_idle(&reeve->lookups);
    drop_idle(&reeve->admin);
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
