// ops.c: seats of operations. Promises: kind->end is called exactly once an operation, within the
// deadline whatever happens to the connection; nothing is allocated after ops_new.
//
// Those under way are a list in the order of their deadlines, and one timer, set for the first of
// them, is enough. Nearly all have the store's own deadline, so a new one belongs at the end.
#include "node/store/ops.h"

#include <stddef.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

struct seat {
    struct op op;
    uint32_t generation;
    uint16_t number;
    bool taken;
    struct seat *next, *prev; // under way: by deadline; free: next alone
};

struct ops {
    struct store *store;
    struct loop_timer *timer;
    uint64_t timer_ms; // what the timer is set for; 0 = it rests
    uint64_t deadline_ms;
    struct seat *first, *last; // under way
    struct seat *idle;
    struct seat seat[OPS_SEATS];
};

// ---- the list of those under way

static void list_insert(struct ops *ops, struct seat *seat)
{
    struct seat *before = ops->last;

    while (before != NULL && before->op.due_ms > seat->op.due_ms)
        before = before->prev;
    seat->prev = before;
    seat->next = before != NULL ? before->next : ops->first;
    if (seat->next != NULL)
        seat->next->prev = seat;
    else
        ops->last = seat;
    if (before != NULL)
        before->next = seat;
    else
        ops->first = seat;
}

static void list_remove(struct ops *ops, struct seat *seat)
{
    if (seat->prev != NULL)
        seat->prev->next = seat->next;
    else
        ops->first = seat->next;
    if (seat->next != NULL)
        seat->next->prev = seat->prev;
    else
        ops->last = seat->prev;
}

static struct seat *seat_of(struct op *op)
{
    return (struct seat *)(void *)((char *)op - offsetof(struct seat, op));
}

static void give_back(struct ops *ops, struct seat *seat)
{
    seat->taken = false;
    seat->generation++;
    seat->next = ops->idle;
    ops->idle = seat;
}

// The seat is free before the end is told: whoever is told may begin the next operation at once.
static void finish(struct ops *ops, struct seat *seat)
{
    struct op op = seat->op;

    list_remove(ops, seat);
    give_back(ops, seat);
    op.kind->end(ops->store, &op);
}

// ---- deadlines

// A timer that is due too early only looks once more.
static void set_timer(struct ops *ops)
{
    if (ops->first == NULL || (ops->timer_ms != 0 && ops->timer_ms <= ops->first->op.due_ms))
        return;
    uint64_t now_ms = clock_mono_ms();

    ops->timer_ms = ops->first->op.due_ms;
    loop_timer_set(ops->timer, ops->timer_ms > now_ms ? ops->timer_ms - now_ms : 0, 0);
}

static void deadline_came(void *arg)
{
    struct ops *ops = arg;
    uint64_t now_ms = clock_mono_ms();

    ops->timer_ms = 0;
    while (ops->first != NULL && ops->first->op.due_ms <= now_ms) {
        ops->store->counters.timeouts++;
        op_note(&ops->first->op, STORE_SLOW);
        finish(ops, ops->first);
    }
    set_timer(ops);
}

// ---- replies

static void count_late(struct ops *ops, const struct redisReply *reply)
{
    if (reply != NULL)
        ops->store->counters.late++;
}

static void got_reply(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct ops *ops = arg;
    struct seat *seat = &ops->seat[tag >> 32];
    enum store_state state = reply_state(reply);

    if (!seat->taken || seat->generation != (uint32_t)tag) {
        count_late(ops, reply);
        return;
    }
    op_note(&seat->op, state);
    if (reply == NULL) {
        finish(ops, seat);
        return;
    }
    store_note_error(ops->store, state, reply);
    seat->op.kind->reply(ops->store, &seat->op, reply);
    seat->op.replies_left--;
    if (seat->op.replies_left == 0)
        finish(ops, seat);
}

// ---- the seam

struct ops *ops_new(struct store *store, struct loop *loop, uint64_t deadline_ms)
{
    struct ops *ops = mem_new(sizeof(*ops));

    ops->store = store;
    ops->deadline_ms = deadline_ms;
    ops->timer = loop_timer_new(loop, deadline_came, ops);
    for (unsigned i = 0; i < OPS_SEATS; i++) {
        ops->seat[i].number = (uint16_t)i;
        give_back(ops, &ops->seat[i]);
    }
    return ops;
}

void ops_free(struct ops **ops)
{
    if (*ops == NULL)
        return;
    while ((*ops)->first != NULL) {
        op_note(&(*ops)->first->op, STORE_DOWN);
        finish(*ops, (*ops)->first);
    }
    loop_timer_free(&(*ops)->timer);
    mem_free(*ops);
    *ops = NULL;
}

static enum store_state readiness(struct ops *ops, const struct redis *redis, unsigned commands)
{
    enum store_state state = redis_state(redis);

    if (redis_state(ops->store->lane[STORE_LOOKUPS]) == STORE_FOREIGN)
        state = STORE_FOREIGN; // not even an operator writes there
    if (state != STORE_UP) {
        ops->store->counters.refused_down++;
        return state;
    }
    if (ops->idle == NULL || !redis_has_room(redis, commands)) {
        ops->store->counters.refused_crowded++;
        return STORE_CROWDED;
    }
    return STORE_UP;
}

struct op *op_begin(struct ops *ops, struct redis *redis, const struct op_kind *kind,
                    unsigned commands, enum store_state *why)
{
    struct seat *seat = ops->idle;

    *why = readiness(ops, redis, commands);
    if (*why != STORE_UP)
        return NULL;
    ops->idle = seat->next;
    seat->taken = true;
    seat->op = (struct op){.kind = kind,
                           .due_ms = clock_mono_ms() + ops->deadline_ms,
                           .replies_left = commands,
                           .state = STORE_UP};
    list_insert(ops, seat);
    set_timer(ops);
    return &seat->op;
}

struct op *op_begin_admin(struct ops *ops, const struct op_kind *kind, unsigned commands,
                          void *work, enum store_state *why)
{
    const struct store *store = ops->store;
    struct op *op = NULL;

    *why = STORE_CROWDED;
    if (store->admin_work <= STORE_ADMIN_WORK_MAX)
        op = op_begin(ops, store->lane[STORE_ADMIN], kind, commands, why);
    if (op != NULL)
        op->work = work;
    return op;
}

void op_hurry(struct ops *ops, struct op *op, uint64_t within_ms)
{
    struct seat *seat = seat_of(op);
    uint64_t due_ms = clock_mono_ms() + within_ms;

    if (within_ms == 0 || due_ms >= op->due_ms)
        return;
    list_remove(ops, seat);
    op->due_ms = due_ms;
    list_insert(ops, seat);
    set_timer(ops);
}

static struct redis_wait wait_of(struct ops *ops, struct op *op)
{
    const struct seat *seat = seat_of(op);

    return (struct redis_wait){
        .fn = got_reply, .arg = ops, .tag = (uint64_t)seat->number << 32 | seat->generation};
}

void op_send(struct ops *ops, struct op *op, struct redis *redis, struct resp *resp)
{
    if (!redis_send(redis, resp, wait_of(ops, op)))
        op_note(op, STORE_ERROR);
}

void op_send_bytes(struct ops *ops, struct op *op, struct redis *redis, const char *bytes,
                   size_t len)
{
    if (!redis_send_bytes(redis, bytes, len, wait_of(ops, op)))
        op_note(op, STORE_ERROR);
}

void op_note(struct op *op, enum store_state state)
{
    if (op->state == STORE_UP)
        op->state = state;
}
