// copies.c: see copies.h. Promises: a question has ASK_COPIES_MAX copies at most; hedges and retries
// stay within the budget; what a node owes us is counted once for each copy, and forgotten when the
// question ends.
#include "client/lib/copies.h"

#include <stdio.h>
#include <stdlib.h>

#include "proto/wire.h"

// ---- the budget

void budget_earn(struct budget *budget)
{
    if (budget->tenths < BUDGET_BURST * BUDGET_TENTHS)
        budget->tenths++;
}

bool budget_take(struct budget *budget)
{
    if (budget->tenths < BUDGET_TENTHS)
        return false;
    budget->tenths -= BUDGET_TENTHS;
    return true;
}

// ---- sending

void copies_name(const struct reeve *reeve, struct ask *ask)
{
    const char *given = ask->request.check.transaction;

    if (ask->request.verb != MSG_CHECK)
        return;
    if (given[0] != '\0') {
        ask->transaction = affinity_hash(given);
        return;
    }
    (void)snprintf(ask->own_transaction, sizeof(ask->own_transaction), "libreeve-%016llx-%llu",
                   (unsigned long long)reeve->session, (unsigned long long)ask->request.id);
    ask->request.check.transaction = ask->own_transaction;
}

// make_room: for a document beside what a request has else.
static enum err make_room(struct reeve *reeve, const struct msg_request *request)
{
    size_t document = request->verb == MSG_ADMIN ? request->admin.document_bytes : 0;
    unsigned char *larger;

    if (document > MSG_ADMIN_DOCUMENT_MAX)
        return ERR_LIMIT;
    if (CLIENT_ENCODED_BYTES + document <= reeve->encoded_size)
        return ERR_NONE;
    larger = realloc(reeve->encoded, CLIENT_ENCODED_BYTES + document);
    if (larger == NULL)
        return ERR_MEMORY;
    reeve->encoded = larger;
    reeve->encoded_size = CLIENT_ENCODED_BYTES + document;
    return ERR_NONE;
}

static enum err encode(struct reeve *reeve, struct msg_request *request, uint64_t budget_ms,
                       size_t *len)
{
    enum err err = make_room(reeve, request);
    struct arena scratch;

    if (err != ERR_NONE)
        return err;
    arena_init(&scratch, reeve->scratch, CLIENT_SCRATCH_MAX);
    request->gateway = reeve->gateway;
    request->budget_ms = (uint32_t)budget_ms;
    return wire_encode_request(request, &scratch, reeve->encoded, reeve->encoded_size, len);
}

static struct node *choose(struct reeve *reeve, const struct ask *ask)
{
    uint64_t preferred =
        ask->transaction == 0 ? 0 : affinity_of(&reeve->affinity, ask->transaction);

    return choose_node(client_nodes(reeve, ask), ask, preferred, client_random(reeve));
}

// await_hedge: where another node could help, somebody looks at the question in a while.
static void await_hedge(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    bool is_useful = ask->request.verb != MSG_ADMIN && !ask->is_hedged &&
                     reeve->hedge_ms < ask->deadline_ms - now_ms;

    asks_hedge_at(&reeve->asks, ask, is_useful ? now_ms + reeve->hedge_ms : 0);
}

static void note_copy(struct reeve *reeve, struct ask *ask, struct node *node, uint64_t now_ms)
{
    ask->copy[ask->copy_count++] = (struct ask_copy){
        .serial = node->serial,
        .connection = node->link.connects,
        .sent_ms = now_ms,
        .is_under_way = true,
    };
    ask->under_way++;
    node->seen.in_flight++;
    node->seen.asked++;
    if (!ask->sent)
        asks_set_sent(&reeve->asks, ask);
    if (ask->copy_count > 1)
        return;
    budget_earn(&reeve->budget);
    if (ask->transaction != 0)
        affinity_note(&reeve->affinity, ask->transaction, node->serial);
}

// send_copy: one more copy, to whoever is the best. False if there is nobody (or it is too large).
static bool send_copy(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    struct node *node =
        ask->copy_count == ASK_COPIES_MAX || ask->deadline_ms <= now_ms ? NULL : choose(reeve, ask);
    size_t len = 0;

    if (node == NULL)
        return false;
    if (encode(reeve, &ask->request, ask->deadline_ms - now_ms, &len) != ERR_NONE) {
        asks_move_due(&reeve->asks, ask, REEVE_REFUSED,
                      "the request was not sent: its texts are larger than a request can be");
        return false;
    }
    while (node != NULL && !link_send(&node->link, reeve->encoded, len)) {
        node->is_full = true;
        node = choose(reeve, ask);
    }
    if (node != NULL)
        note_copy(reeve, ask, node, now_ms);
    return node != NULL;
}

void copies_send(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    if (ask->sent || !send_copy(reeve, ask, now_ms))
        return;
    await_hedge(reeve, ask, now_ms);
    if (ask->copy_count > 1)
        reeve->counters.resends++;
}

static bool is_anybody_there(const struct nodes *nodes)
{
    for (size_t i = 0; i < nodes->count; i++) {
        if (nodes->node[i]->link.is_up)
            return true;
    }
    return false;
}

void copies_send_unsent(struct reeve *reeve, uint64_t now_ms)
{
    struct ask *next;

    if (reeve->asks.unsent_count == 0 ||
        (!is_anybody_there(&reeve->lookups) && !is_anybody_there(&reeve->admin)))
        return;
    for (struct ask *ask = reeve->asks.pending.head; ask != NULL; ask = next) {
        next = ask->next;
        copies_send(reeve, ask, now_ms);
    }
}

// ---- slowness

static void suspect_slow(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    for (size_t i = 0; i < ask->copy_count; i++) {
        struct ask_copy *copy = &ask->copy[i];
        struct node *node = copy->is_under_way && !copy->was_slow
                                ? nodes_find(client_nodes(reeve, ask), copy->serial)
                                : NULL;

        if (node == NULL || now_ms - copy->sent_ms < client_slow_ms(reeve))
            continue;
        copy->was_slow = true;
        node->seen.slow++;
        health_suspect(&node->health, now_ms);
    }
}

// may_spend: half of what can be saved up is for those who wait for an answer.
static bool may_spend(const struct reeve *reeve, const struct ask *ask)
{
    return !ask_is_news(ask) || reeve->budget.tenths >= BUDGET_BURST * BUDGET_TENTHS / 2;
}

// spend: pays for a copy that somebody can take. False: there is nobody, or no budget.
static bool spend(struct reeve *reeve, const struct ask *ask)
{
    if (ask->copy_count == ASK_COPIES_MAX || choose(reeve, ask) == NULL)
        return false;
    if (may_spend(reeve, ask) && budget_take(&reeve->budget))
        return true;
    reeve->counters.unhelped++;
    return false;
}

void copies_hedge_due(struct reeve *reeve, uint64_t now_ms)
{
    struct ask *ask;

    while ((ask = TAILQ_FIRST(&reeve->asks.hedges)) != NULL && ask->hedge_ms <= now_ms) {
        asks_hedge_at(&reeve->asks, ask, 0);
        suspect_slow(reeve, ask, now_ms);
        if (!spend(reeve, ask) || !send_copy(reeve, ask, now_ms))
            continue;
        ask->is_hedged = true;
        reeve->counters.hedges++;
    }
}

void copies_late(struct reeve *reeve, struct ask *ask, uint64_t now_ms)
{
    if (ask->request.verb != MSG_ADMIN && ask->hedge_ms == 0)
        suspect_slow(reeve, ask, now_ms);
}

// ---- answers

static void end_copy(struct ask *ask, struct ask_copy *copy, struct node *node)
{
    if (!copy->is_under_way)
        return;
    copy->is_under_way = false;
    ask->under_way--;
    if (node != NULL)
        node->seen.in_flight--;
}

bool copies_answered(struct reeve *reeve, struct ask *ask, struct node *node)
{
    bool was_asked = false;

    for (size_t i = 0; i < ask->copy_count; i++) {
        if (ask->copy[i].serial != node->serial)
            continue;
        was_asked = true;
        end_copy(ask, &ask->copy[i], node);
    }
    if (ask->under_way == 0 && ask->sent)
        asks_set_unsent(&reeve->asks, ask);
    return was_asked;
}

bool copies_refused(struct reeve *reeve, struct ask *ask, bool is_free, uint64_t now_ms)
{
    if (ask->under_way > 0)
        return true;
    if (ask->request.verb == MSG_ADMIN || (!is_free && !spend(reeve, ask)) ||
        !send_copy(reeve, ask, now_ms))
        return false;
    await_hedge(reeve, ask, now_ms);
    reeve->counters.retries++;
    return true;
}

void copies_end(struct reeve *reeve, struct ask *ask)
{
    for (size_t i = 0; i < ask->copy_count; i++)
        end_copy(ask, &ask->copy[i], nodes_find(client_nodes(reeve, ask), ask->copy[i].serial));
}

// ---- connections that ended

// is_lost: a link that is up again has lost what went over its connections before.
static bool is_lost(const struct ask_copy *copy, const struct node *node)
{
    return copy->is_under_way && copy->serial == node->serial &&
           !(node->link.is_up && copy->connection == node->link.connects);
}

// lose: true if the last copy of the question was under way there.
static bool lose(struct ask *ask, struct node *node)
{
    bool lost = false;

    for (size_t i = 0; i < ask->copy_count; i++) {
        if (!is_lost(&ask->copy[i], node))
            continue;
        end_copy(ask, &ask->copy[i], node);
        node->seen.lost++;
        lost = true;
    }
    return lost && ask->under_way == 0;
}

// open_again: whoever sends what is unsent sends it elsewhere.
static void open_again(struct reeve *reeve, struct ask *ask)
{
    asks_set_unsent(&reeve->asks, ask);
    asks_hedge_at(&reeve->asks, ask, 0);
    if (ask->request.verb == MSG_ADMIN)
        asks_move_due(&reeve->asks, ask, REEVE_UNREACHABLE,
                      "the connection to the node was lost before it answered: whether it was "
                      "done is not known");
    else if (ask->copy_count == ASK_COPIES_MAX)
        asks_move_due(&reeve->asks, ask, REEVE_UNREACHABLE,
                      "no node did answer: the connection was lost each time");
}

void copies_lost(struct reeve *reeve, struct nodes *nodes, struct node *node)
{
    struct ask *next;

    for (struct ask *ask = reeve->asks.pending.head; ask != NULL; ask = next) {
        next = ask->next;
        if (client_nodes(reeve, ask) == nodes && lose(ask, node))
            open_again(reeve, ask);
    }
}

// ---- probes

static void probe(struct reeve *reeve, struct node *node, uint64_t now_ms)
{
    struct msg_request ping = {.verb = MSG_PING, .id = COPIES_PROBE | ++reeve->last_probe};
    uint64_t wait_ms = client_slow_ms(reeve);
    size_t len = 0;

    if (encode(reeve, &ping, wait_ms, &len) == ERR_NONE &&
        link_send(&node->link, reeve->encoded, len))
        health_probed(&node->health, ping.id, now_ms, wait_ms);
    else
        health_put_off(&node->health, now_ms);
}

void copies_probe(struct reeve *reeve, uint64_t now_ms)
{
    struct nodes *nodes = &reeve->lookups;

    for (size_t i = 0; i < nodes->count && nodes->count > 1; i++) {
        if (nodes->node[i]->link.is_up && health_is_due(&nodes->node[i]->health, now_ms))
            probe(reeve, nodes->node[i], now_ms);
    }
}
