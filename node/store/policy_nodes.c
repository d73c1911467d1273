// policy_nodes.c: which node has which policy set in force: each writes its own row every few seconds. Promises: nobody
// waits for a row that is written; a node that is gone is not listed two minutes later, and its row is removed within a day.
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

static const uint64_t KEEP_MS = 24ULL * 3600 * 1000;

static void got_written(void *arg, uint64_t tag, const struct redisReply *reply)
{
    (void)tag;
    store_note_error(arg, reply_state(reply), reply);
}

static void send_row(struct store *store, struct resp *resp)
{
    struct redis_wait wait = {.fn = got_written, .arg = store};

    // What is lost is written again in a moment.
    if (redis_state(store->lane[STORE_ADMIN]) == STORE_UP && store_state(store) != STORE_FOREIGN)
        (void)redis_send(store->lane[STORE_ADMIN], resp, wait);
}

void store_policy_beat(struct store *store, const struct store_node *node)
{
    struct store_node row = *node;
    char value[POLICY_NODE_VALUE_MAX];
    struct resp resp;

    if (store->is_closing)
        return;
    row.seen_ms = store_now_ms(store);
    policy_node_field(store->node, node->name, store->policy.field);
    policy_node_format(&row, value);
    resp_begin(&resp, "HSET");
    resp_text(&resp, POLICY_NODES);
    resp_text(&resp, store->policy.field);
    resp_text(&resp, value);
    send_row(store, &resp);
    if (!store_keeps_expiry(store))
        return;
    store_put_expiry(&resp, POLICY_NODES, row.seen_ms + KEEP_MS);
    send_row(store, &resp);
}

void store_policy_leave(struct store *store)
{
    struct resp resp;

    if (store->policy.field[0] == '\0' || store->is_closing)
        return;
    resp_begin(&resp, "HDEL");
    resp_text(&resp, POLICY_NODES);
    resp_text(&resp, store->policy.field);
    send_row(store, &resp);
    store->policy.field[0] = '\0';
}

// ---- reading them

struct nodes_work {
    struct policy_job job;
    struct store_node *rows;
    size_t count;
    bool is_read;
    struct store_nodes_done done;
};

static void end_nodes(struct nodes_work *work, enum store_state state)
{
    struct nodes_work ended = *work;

    policy_job_end(&work->job);
    mem_free(work);
    ended.done.fn(ended.done.arg, state, ended.rows, state == STORE_UP ? ended.count : 0);
    mem_free(ended.rows);
}

static void fail_nodes(struct policy_job *job, enum store_state state)
{
    end_nodes((struct nodes_work *)job, state);
}

static bool is_over(const struct redisReply *field, const struct redisReply *value, uint64_t now_ms)
{
    struct store_node node;

    return !policy_node_read(field, value, &node) || node.seen_ms + KEEP_MS < now_ms;
}

static int by_name(const void *one, const void *other)
{
    return strcmp(((const struct store_node *)one)->name, ((const struct store_node *)other)->name);
}

static void take_rows(struct nodes_work *work, const struct redisReply *reply)
{
    uint64_t now_ms = store_now_ms(work->job.store);

    work->rows = mem_new_array(STORE_NODES_MAX, sizeof(*work->rows));
    for (size_t i = 0; i + 1 < reply->elements && work->count < STORE_NODES_MAX; i += 2) {
        struct store_node *row = &work->rows[work->count];

        if (policy_node_read(reply->element[i], reply->element[i + 1], row) &&
            row->seen_ms + STORE_NODE_LIVES_MS >= now_ms)
            work->count++;
    }
    qsort(work->rows, work->count, sizeof(*work->rows), by_name);
    store_remove_over(work->job.store, POLICY_NODES, reply, is_over);
}

static void got_rows(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct nodes_work *work = op->work;

    (void)store;
    work->is_read = reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;
    if (work->is_read)
        take_rows(work, reply);
}

static void rows_are_read(struct store *store, struct op *op)
{
    struct nodes_work *work = op->work;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        end_nodes(work, work->is_read ? STORE_UP : STORE_ERROR);
}

static const struct op_kind ROWS = {got_rows, rows_are_read};

static void ask_rows(struct policy_job *job)
{
    struct nodes_work *work = (struct nodes_work *)job;
    struct op *op = policy_job_op(job, &ROWS, 1);
    struct resp resp;

    if (op == NULL)
        return;
    mem_free(work->rows);
    work->rows = NULL;
    work->count = 0;
    resp_begin(&resp, "HGETALL");
    resp_text(&resp, POLICY_NODES);
    policy_send(job->store, op, &resp);
}

void store_policy_nodes(struct store *store, struct store_nodes_done done)
{
    struct nodes_work *work = mem_new(sizeof(*work));

    *work = (struct nodes_work){.job = {.ask = ask_rows, .fail = fail_nodes}, .done = done};
    policy_job_begin(store, &work->job);
}
