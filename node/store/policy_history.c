// policy_history.c: the versions that were, and what is too much of them. Promises: the two newest versions stay, whatever
// their size; a document goes only when no version that stays names it, and before its version does: so a removal
// that was torn is done by the next one.
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

enum {
    LOOKED_AT = STORE_VERSIONS_MAX * 2,
    LEAST = 2, // versions that stay
    REMOVALS_MAX = 100,
};

struct history_work {
    struct policy_job job;
    uint64_t before;
    size_t limit;
    struct store_version *rows;
    size_t count;
    bool is_read;
    struct store_history_done done; // fn NULL: to sweep
};

static void put_range(struct resp *resp, uint64_t before, size_t limit)
{
    char last[TEXT_NUMBER_MAX + 2];

    (void)snprintf(last, sizeof(last), "%" PRIu64 "-0", before - 1);
    resp_begin(resp, "XREVRANGE");
    resp_text(resp, POLICY_KEY);
    resp_text(resp, before > 0 ? last : "+");
    resp_text(resp, "-");
    resp_text(resp, "COUNT");
    resp_number(resp, limit);
}

// ---- what is too much

// How many rows stay.
static size_t kept(const struct store_version *rows, size_t count)
{
    uint64_t bytes = 0;
    size_t i = 0;

    for (; i < count && i < STORE_VERSIONS_MAX; i++) {
        bool is_counted = false;

        for (size_t k = 0; k < i && !is_counted; k++)
            is_counted = strcmp(rows[k].document, rows[i].document) == 0;
        bytes += is_counted ? 0 : rows[i].bytes;
        if (bytes > STORE_VERSIONS_BYTES && i >= LEAST)
            break;
    }
    return i;
}

static bool is_named(const struct store_version *rows, size_t count, const char *document)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].document, document) == 0)
            return true;
    return false;
}

static void got_removed(void *arg, uint64_t tag, const struct redisReply *reply)
{
    (void)tag;
    store_note_error(arg, reply_state(reply), reply);
}

static void remove_version(struct store *store, const struct store_version *row, bool with_document)
{
    struct redis_wait wait = {.fn = got_removed, .arg = store};
    char key[POLICY_KEY_MAX];
    char id[TEXT_NUMBER_MAX + 2];
    struct resp resp;

    if (with_document) {
        resp_begin(&resp, "UNLINK");
        resp_text(&resp, policy_key(key, DOCUMENT_KEPT, row->document));
        (void)redis_send(store->lane[STORE_ADMIN], &resp, wait);
    }
    (void)snprintf(id, sizeof(id), "%" PRIu64 "-0", row->version);
    resp_begin(&resp, "XDEL");
    resp_text(&resp, POLICY_KEY);
    resp_text(&resp, id);
    (void)redis_send(store->lane[STORE_ADMIN], &resp,
                     wait); // fails only with the connection: the next one does it
}

static void sweep(struct store *store, const struct store_version *rows, size_t count)
{
    size_t stay = kept(rows, count);

    for (size_t i = count; i > stay && count - i < REMOVALS_MAX; i--)
        remove_version(store, &rows[i - 1], !is_named(rows, stay, rows[i - 1].document));
}

// ---- reading them

static void end_reading(struct history_work *work, enum store_state state)
{
    struct store *store = work->job.store;
    struct history_work ended = *work;

    policy_job_end(&work->job);
    mem_free(work);
    if (ended.done.fn != NULL)
        ended.done.fn(ended.done.arg, state, ended.rows, state == STORE_UP ? ended.count : 0);
    else if (state == STORE_UP)
        sweep(store, ended.rows, ended.count);
    mem_free(ended.rows);
}

static void fail_reading(struct policy_job *job, enum store_state state)
{
    end_reading((struct history_work *)job, state);
}

static void got_rows(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct history_work *work = op->work;

    work->is_read = reply->type == REDIS_REPLY_ARRAY;
    if (!work->is_read)
        return;
    work->rows = mem_new_array(reply->elements, sizeof(*work->rows));
    for (size_t i = 0; i < reply->elements; i++) {
        if (policy_row_read(reply->element[i], &work->rows[work->count]))
            work->count++;
        else
            policy_garbage(store, "a version");
    }
}

static void rows_are_read(struct store *store, struct op *op)
{
    struct history_work *work = op->work;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        end_reading(work, work->is_read ? STORE_UP : STORE_ERROR);
}

static const struct op_kind ROWS = {got_rows, rows_are_read};

static void ask_rows(struct policy_job *job)
{
    struct history_work *work = (struct history_work *)job;
    struct op *op = policy_job_op(job, &ROWS, 1);
    struct resp resp;

    if (op == NULL)
        return;
    mem_free(work->rows);
    work->rows = NULL;
    work->count = 0;
    put_range(&resp, work->before, work->limit);
    policy_send(job->store, op, &resp);
}

static void read_rows(struct store *store, uint64_t before, size_t limit,
                      struct store_history_done done)
{
    struct history_work *work = mem_new(sizeof(*work));

    *work = (struct history_work){.job = {.ask = ask_rows, .fail = fail_reading},
                                  .before = before,
                                  .limit = limit,
                                  .done = done};
    policy_job_begin(store, &work->job);
}

void store_policy_history(struct store *store, uint64_t before, size_t limit,
                          struct store_history_done done)
{
    if (before == 1) // no version is older than the first
        done.fn(done.arg, STORE_UP, NULL, 0);
    else
        read_rows(store, before, limit < LOOKED_AT ? limit : LOOKED_AT, done);
}

void policy_sweep(struct store *store)
{
    read_rows(store, 0, LOOKED_AT, (struct store_history_done){NULL, NULL});
}
