// fake_nodes.h: several fake nodes and a client that asks them. Which of them gets a question is
// chance, so the first one that gets a Check becomes the victim: it does what the test says, and
// the others accept. Header-only, because a unit test is one file. Include <cmocka.h> first.
#pragma once

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>

#include "client/lib/client.h"
#include "client/lib/reeve.h"
#include "proto/base/clock.h"
#include "tests/support/fake_node.h"

enum { CAST_MAX = 3, CAST_HELD = 64, CAST_NOBODY = -1, CAST_PATIENCE_MS = 20000 };
// A machine with much to do must not make a node slow that is not.
enum { CAST_HEDGE_MS = 400 };

enum cast_act {
    CAST_ACCEPTS,
    CAST_SILENT,     // to everything
    CAST_HOLDS,      // Checks; they are answered in front of the next Ping
    CAST_PINGS_FAIL, // answers Checks alone
    CAST_DRAINS,     // accepts, and says that it is leaving
    CAST_LEAVES,     // refuses, and says that it is leaving
    CAST_OVERLOADED, // and the other statuses
    CAST_EXPIRED,
    CAST_UNAVAILABLE,
    CAST_INTERNAL,
    CAST_BAD_REQUEST,
    CAST_FORBIDDEN,
    CAST_FEW_VERDICTS,
    CAST_PONG, // to a Check
    CAST_GARBAGE,
    CAST_FRAMES,   // too many
    CAST_NOISY,    // accepts, and sends garbage beside it
    CAST_STRANGER, // a reply to nobody's question
};

struct cast;
struct cast_part {
    struct fake_node node;
    struct cast *cast;
    char name[8];
    atomic_size_t checks, pings;
    atomic_uint budget_ms; // of the last Check, and its transaction; to be read after its answer
    char transaction[64];
    uint64_t held[CAST_HELD];
    size_t held_count;
};
struct cast {
    struct cast_part part[CAST_MAX];
    size_t count;
    atomic_int victim;  // CAST_NOBODY, or which of them
    atomic_int victims; // enum cast_act
    atomic_int others;  // enum cast_act
    struct reeve *reeve;
};

static void cast_accept(struct fake_node *node, const struct msg_request *request)
{
    const struct msg_verdict verdict = {.action = MSG_ACCEPT, .code = 250, .reason = node->name};

    fake_decide(node, request, &verdict,
                request->check.recipient_total > 0 ? request->check.recipient_total : 1);
}

static void cast_release(struct cast_part *part)
{
    struct msg_request late = {.verb = MSG_CHECK};

    for (size_t i = 0; i < part->held_count; i++) {
        late.id = part->held[i];
        cast_accept(&part->node, &late);
    }
    part->held_count = 0;
}

static void cast_strange(struct fake_node *node, const struct msg_request *request,
                         enum cast_act act)
{
    struct msg_request other = *request;

    if (act == CAST_NOISY)
        cast_accept(node, request);
    if (act == CAST_GARBAGE || act == CAST_NOISY) {
        fake_send_bytes(node, "\xff\xff\xff garbage", 11);
    } else if (act == CAST_FRAMES) {
        (void)zmq_send(node->router, node->peer, node->peer_len, ZMQ_SNDMORE);
        (void)zmq_send(node->router, "", 0, ZMQ_SNDMORE);
        (void)zmq_send(node->router, "a", 1, ZMQ_SNDMORE);
        (void)zmq_send(node->router, "b", 1, 0);
    } else {
        other.id += 1000000;
        cast_accept(node, &other);
    }
}

static void cast_check(struct cast_part *part, const struct msg_request *request, enum cast_act act)
{
    struct fake_node *node = &part->node;

    (void)snprintf(part->transaction, sizeof(part->transaction), "%s", request->check.transaction);
    atomic_store(&part->budget_ms, request->budget_ms);
    node->is_draining = act == CAST_DRAINS || act == CAST_LEAVES;
    if (act == CAST_ACCEPTS || act == CAST_PINGS_FAIL || act == CAST_DRAINS)
        cast_accept(node, request);
    else if (act == CAST_HOLDS && part->held_count < CAST_HELD)
        part->held[part->held_count++] = request->id;
    else if (act == CAST_OVERLOADED || act == CAST_LEAVES)
        fake_refuse(node, request, MSG_OVERLOADED);
    else if (act == CAST_EXPIRED)
        fake_refuse(node, request, MSG_EXPIRED);
    else if (act == CAST_UNAVAILABLE)
        fake_refuse(node, request, MSG_UNAVAILABLE);
    else if (act == CAST_INTERNAL)
        fake_refuse(node, request, MSG_INTERNAL);
    else if (act == CAST_BAD_REQUEST)
        fake_refuse(node, request, MSG_BAD_REQUEST);
    else if (act == CAST_FORBIDDEN)
        fake_refuse(node, request, MSG_FORBIDDEN);
    else if (act == CAST_FEW_VERDICTS)
        fake_decide(node, request, &(struct msg_verdict){.action = MSG_ACCEPT}, 0);
    else if (act == CAST_PONG)
        fake_pong(node, request);
    else if (act != CAST_SILENT)
        cast_strange(node, request, act);
}

static void cast_act(struct fake_node *node, const struct msg_request *request)
{
    struct cast_part *part = node->arg;
    int self = (int)(part - part->cast->part), nobody = CAST_NOBODY;
    enum cast_act act;

    if (request->verb == MSG_CHECK)
        (void)atomic_compare_exchange_strong(&part->cast->victim, &nobody, self);
    act = (enum cast_act)atomic_load(
        atomic_load(&part->cast->victim) == self ? &part->cast->victims : &part->cast->others);
    // Counted first: who sees the answer sees the count.
    atomic_fetch_add(request->verb == MSG_CHECK ? &part->checks : &part->pings, 1);
    if (request->verb == MSG_CHECK) {
        cast_check(part, request, act);
        return;
    }
    cast_release(part);
    if (act == CAST_ACCEPTS || act == CAST_HOLDS || act == CAST_DRAINS)
        fake_pong(node, request);
}

// cast_open: one of the nodes, at an endpoint or (NULL) a free one.
static void cast_open(struct cast *cast, size_t i, const char *endpoint)
{
    struct cast_part *part = &cast->part[i];
    char at[64];

    (void)snprintf(at, sizeof(at), "%s", endpoint == NULL ? "" : endpoint); // may be the old one's
    part->cast = cast;
    (void)snprintf(part->name, sizeof(part->name), "n%zu", i);
    fake_start_as(&part->node, cast_act, endpoint == NULL ? NULL : at, part->name, part);
}

static void cast_turn(struct cast *cast)
{
    struct pollfd watch = {.fd = reeve_fd(cast->reeve), .events = POLLIN};

    if (poll(&watch, 1, 20) == 1)
        reeve_dispatch(cast->reeve);
}

// CAST_UNTIL: an event loop, until the condition holds.
#define CAST_UNTIL(cast, condition)                                            \
    do {                                                                       \
        const uint64_t until_ms_ = clock_mono_ms() + CAST_PATIENCE_MS;         \
                                                                               \
        while (!(condition)) {                                                 \
            if (clock_mono_ms() > until_ms_)                                   \
                fail_msg("line %d: waited in vain: %s", __LINE__, #condition); \
            cast_turn(cast);                                                   \
        }                                                                      \
    } while (0)

static bool cast_all_are(struct cast *cast, enum reeve_node_state state)
{
    const struct reeve_node *node;

    for (size_t i = 0; (node = reeve_node_at(cast->reeve, i)) != NULL; i++) {
        if (node->state != state)
            return false;
    }
    return true;
}

// cast_start: that many nodes, the client, and all of them connected. options may be NULL.
__attribute__((unused)) static void cast_start(struct cast *cast, size_t count,
                                               const struct reeve_options *options)
{
    struct reeve_options given = {.deadline_ms = 10000, .hedge_ms = CAST_HEDGE_MS};
    const char *nodes[CAST_MAX];
    char message[256];

    *cast = (struct cast){.count = count, .victim = CAST_NOBODY};
    for (size_t i = 0; i < count; i++) {
        cast_open(cast, i, NULL);
        nodes[i] = cast->part[i].node.endpoint;
    }
    if (options != NULL)
        given = *options;
    given.nodes = nodes;
    given.node_count = count;
    if (reeve_new(&cast->reeve, &given, message, sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    CAST_UNTIL(cast, cast_all_are(cast, REEVE_NODE_UP));
}

static void cast_end(struct cast *cast)
{
    reeve_free(&cast->reeve);
    for (size_t i = 0; i < cast->count; i++)
        fake_stop(&cast->part[i].node);
}

// The one that was asked first, and what the client thinks of it.
__attribute__((unused)) static struct cast_part *cast_victim(struct cast *cast)
{
    return &cast->part[atomic_load(&cast->victim)];
}
__attribute__((unused)) static const struct reeve_node *cast_seen(struct cast *cast,
                                                                  const struct cast_part *part)
{
    const struct reeve_node *node = NULL;

    for (size_t i = 0; (node = reeve_node_at(cast->reeve, i)) != NULL; i++) {
        if (strcmp(node->endpoint, part->node.endpoint) == 0)
            break;
    }
    return node;
}

// What came back.
struct told {
    size_t calls, fallbacks;
    enum reeve_error error;
    enum reeve_status status;
    char message[256], by[16];
};

static void cast_told(void *arg, const struct reeve_answer *answer)
{
    struct told *told = arg;

    told->calls++;
    told->fallbacks += answer->fallback;
    told->error = answer->error;
    told->status = answer->status;
    (void)snprintf(told->message, sizeof(told->message), "%s", answer->message);
    (void)snprintf(told->by, sizeof(told->by), "%s", answer->node);
}

static uint64_t cast_submit(struct cast *cast, const char *transaction, struct told *told)
{
    static const char *const recipient = "b@example.org";
    const struct reeve_check check = {
        .transaction = transaction, .recipients = &recipient, .recipient_total = 1};
    uint64_t id = reeve_submit(cast->reeve, &check, cast_told, told);

    assert_int_not_equal(id, 0);
    return id;
}

static void cast_ask(struct cast *cast, const char *transaction, struct told *told)
{
    size_t calls = told->calls + 1;

    (void)cast_submit(cast, transaction, told);
    CAST_UNTIL(cast, told->calls == calls);
}

__attribute__((unused)) static const struct reeve_counters *cast_counters(struct cast *cast)
{
    return reeve_counters(cast->reeve);
}

// Questions that came to the nodes beside the victim.
__attribute__((unused)) static size_t cast_others_checks(struct cast *cast)
{
    size_t sum = 0;

    for (size_t i = 0; i < cast->count; i++)
        sum += (int)i == atomic_load(&cast->victim) ? 0 : atomic_load(&cast->part[i].checks);
    return sum;
}
