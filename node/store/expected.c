// expected.c: the mirror of expectations, and what an operator changes. Promises: every node has
// what was said within a second (events.h), and in any case within EVENTS_REREAD_MS, when it reads
// all of it again; what cannot be read leaves the mirror as it is.
//
//     add       HSET, HDEL of what it takes the place of, EXPIREAT, XADD events kind expect
//     remove    HGETALL, HDEL of the recipient's fields, XADD events kind expect until 0
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// The hash is kept so long after the last write: longer than any of its rows is of use.
#define EXPECT_KEEP_MS (EXPECT_MOST_MS + 3600ULL * 1000)

// ---- the mirror

uint64_t store_expected(const struct store *store, const char *recipient)
{
    const struct expectation *row = mirror_find(&store->mirror, recipient);

    return row != NULL ? row->until_ms : 0;
}

size_t store_expect_count(const struct store *store)
{
    return store->mirror.count;
}

size_t store_expect_list(const struct store *store, const char *after, struct expectation *out,
                         size_t max)
{
    return mirror_page(&store->mirror, after, store_now_ms(store), out, max);
}

void expected_heard(struct store *store, const struct expectation *row)
{
    if (row->until_ms == 0)
        mirror_remove(&store->mirror, row->recipient);
    else
        mirror_set(&store->mirror, row);
}

// ---- reading all of it

static bool read_row(const struct redisReply *field, const struct redisReply *value,
                     char recipient[EXPECT_RECIPIENT_MAX + 1], struct expectation *out)
{
    return reply_is_text(field) && reply_is_text(value) && strlen(field->str) == field->len &&
           strlen(value->str) == value->len && mirror_read(field->str, value->str, recipient, out);
}

static void complain(struct store *store)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds expectations that are not of our format, or too many");
}

static bool is_over(const struct redisReply *field, const struct redisReply *value, uint64_t now_ms)
{
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    struct expectation row;

    return read_row(field, value, recipient, &row) && row.until_ms < now_ms;
}

static void take_all(struct store *store, const struct redisReply *reply)
{
    uint64_t now_ms = store_now_ms(store);
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    struct mirror fresh = {.count = 0};
    struct expectation row;

    for (size_t i = 0; i < reply->elements; i += 2) {
        bool is_row = read_row(reply->element[i], reply->element[i + 1], recipient, &row);

        if (!is_row || (row.until_ms >= now_ms && !mirror_append(&fresh, &row)))
            complain(store);
    }
    mirror_settle(&fresh);
    mirror_clear(&store->mirror);
    store->mirror = fresh;
    store_remove_over(store, EXPECT_KEY, reply, is_over);
}

static void got_all(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    enum store_state state = reply_state(reply);

    (void)tag;
    store_note_error(store, state, reply);
    if (state != STORE_UP)
        return;
    if (reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0)
        take_all(store, reply);
    else
        complain(store);
}

static void put_all(struct resp *resp)
{
    resp_begin(resp, "HGETALL");
    resp_text(resp, EXPECT_KEY);
}

bool expected_ask(struct store *store)
{
    struct redis_wait wait = {.fn = got_all, .arg = store};
    struct resp resp;

    put_all(&resp);
    store->counters.event_polls++;
    return redis_send(store->lane[STORE_ADMIN], &resp, wait); // else the connection is gone
}

// ---- what an operator changes

struct expect_work {
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    char note[EXPECT_NOTE_MAX + 1];
    struct expectation row; // texts are the two above
    struct expect_done done;
    bool is_stored; // add: HSET was acknowledged; remove: there was one
    unsigned replies;
    char **field; // remove: what is to go
    size_t count;
};

static struct expect_work *work_new(struct store *store, const struct expectation *row,
                                    struct expect_done done)
{
    struct expect_work *work = mem_new(sizeof(*work));

    (void)snprintf(work->recipient, sizeof(work->recipient), "%s", row->recipient);
    (void)snprintf(work->note, sizeof(work->note), "%s", row->note);
    work->row = *row;
    work->row.recipient = work->recipient;
    work->row.note = work->note;
    work->done = done;
    store->admin_work++;
    return work;
}

static void finish(struct store *store, struct expect_work *work, enum store_state state)
{
    store->admin_work--;
    work->done.fn(work->done.arg, state, work->is_stored ? &work->row : NULL);
    for (size_t i = 0; i < work->count; i++)
        mem_free(work->field[i]);
    mem_free((void *)work->field);
    mem_free(work);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct expect_work *work,
                        unsigned commands)
{
    enum store_state why;
    struct op *op = op_begin_admin(store->ops, kind, commands, work, &why);

    if (op == NULL)
        finish(store, work, why);
    return op;
}

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static void send_event(struct store *store, struct op *op, const struct expectation *row)
{
    struct resp resp;

    event_put(&resp, "expect");
    resp_text(&resp, "recipient");
    resp_text(&resp, row->recipient);
    resp_text(&resp, "until");
    resp_number(&resp, row->until_ms);
    resp_text(&resp, "since");
    resp_number(&resp, row->since_ms);
    resp_text(&resp, "note");
    resp_text(&resp, row->note);
    send(store, op, &resp);
    if (store_keeps_expiry(store)) {
        events_put_expiry(store, &resp);
        send(store, op, &resp);
    }
}

static void send_removal(struct store *store, struct op *op, const char *field)
{
    struct resp resp;

    resp_begin(&resp, "HDEL");
    resp_text(&resp, EXPECT_KEY);
    resp_text(&resp, field);
    send(store, op, &resp);
}

// ---- adding

static void got_added(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct expect_work *work = op->work;

    (void)store;
    if (work->replies++ == 0)
        work->is_stored = reply_is_integer(reply);
}

static void end_adding(struct store *store, struct op *op)
{
    struct expect_work *work = op->work;

    if (work->is_stored)
        mirror_set(&store->mirror, &work->row);
    finish(store, work, op->state);
}

static const struct op_kind ADD = {got_added, end_adding};

// What the row takes the place of: the recipient's own, or in a full mirror the one that ends
// first.
static const struct expectation *replaced_by(const struct store *store,
                                             const struct expectation *row)
{
    const struct expectation *own = mirror_find(&store->mirror, row->recipient);

    if (own != NULL)
        return own->until_ms != row->until_ms ? own : NULL;
    return store->mirror.count == EXPECT_MAX ? mirror_first_to_end(&store->mirror) : NULL;
}

static void send_row(struct store *store, struct op *op, const struct expectation *row)
{
    char field[EXPECT_FIELD_MAX];
    char value[EXPECT_VALUE_MAX];
    struct resp resp;

    mirror_field(row, field);
    mirror_value(row, value);
    resp_begin(&resp, "HSET");
    resp_text(&resp, EXPECT_KEY);
    resp_text(&resp, field);
    resp_text(&resp, value);
    send(store, op, &resp);
}

void store_expect_add(struct store *store, const struct expectation *row, struct expect_done done)
{
    struct expect_work *work = work_new(store, row, done);
    const struct expectation *old = replaced_by(store, row);
    bool keeps = store_keeps_expiry(store);
    struct op *op = begin(store, &ADD, work, 2U + (old != NULL) + 2U * keeps);
    char field[EXPECT_FIELD_MAX];
    struct resp resp;

    if (op == NULL)
        return;
    send_row(store, op, &work->row);
    if (old != NULL) {
        mirror_field(old, field);
        send_removal(store, op, field);
    }
    if (keeps) {
        store_put_expiry(&resp, EXPECT_KEY, store_now_ms(store) + EXPECT_KEEP_MS);
        send(store, op, &resp);
    }
    send_event(store, op, &work->row);
}

// ---- removing

static void end_removing(struct store *store, struct op *op)
{
    struct expect_work *work = op->work;

    mirror_remove(&store->mirror, work->recipient); // in any case; what is still stored comes back
    finish(store, work, op->state);
}

static void got_removed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct expect_work *work = op->work;

    (void)store;
    if (work->replies++ < work->count && !reply_is_integer(reply)) // 0: somebody else was quicker
        work->is_stored = false;
}

static const struct op_kind REMOVE = {got_removed, end_removing};

static void take_field(struct expect_work *work, const struct redisReply *field,
                       const struct redisReply *value)
{
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    struct expectation row;

    if (!read_row(field, value, recipient, &row) || strcmp(recipient, work->recipient) != 0)
        return;
    work->field = mem_grow((void *)work->field, work->count + 1, sizeof(work->field[0]));
    work->field[work->count++] = mem_text(field->str);
    if (row.until_ms < work->row.until_ms)
        return;
    work->is_stored = true;
    work->row.until_ms = row.until_ms;
    work->row.since_ms = row.since_ms;
    (void)snprintf(work->note, sizeof(work->note), "%s", row.note);
}

static void got_fields(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        op_note(op, STORE_ERROR);
        return;
    }
    for (size_t i = 0; i < reply->elements; i += 2)
        take_field(op->work, reply->element[i], reply->element[i + 1]);
}

static void end_fields(struct store *store, struct op *op)
{
    struct expect_work *work = op->work;
    struct expectation gone = {.recipient = work->recipient, .note = ""};

    if (op->state != STORE_UP) {
        work->is_stored = false;
        finish(store, work, op->state);
        return;
    }
    unsigned commands = (unsigned)work->count + 1U + store_keeps_expiry(store);
    struct op *removal = begin(store, &REMOVE, work, commands);

    for (size_t i = 0; removal != NULL && i < work->count; i++)
        send_removal(store, removal, work->field[i]);
    if (removal != NULL)
        send_event(store, removal, &gone);
}

static const struct op_kind FIELDS = {got_fields, end_fields};

void store_expect_remove(struct store *store, const char *recipient, struct expect_done done)
{
    const struct expectation row = {.recipient = recipient, .note = ""};
    struct expect_work *work = work_new(store, &row, done);
    struct op *op = begin(store, &FIELDS, work, 1);
    struct resp resp;

    if (op == NULL)
        return;
    put_all(&resp);
    send(store, op, &resp);
}
