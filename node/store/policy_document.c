// policy_document.c: documents of the policy set: written and read piece by piece, so that neither Redis nor the loop is
// busy with one for long, however large it is. Promises: a document has its head only when all of it is there; what is not
// whole is not there; two nodes that stage the same one do no harm, since a name is the hash of its bytes.
//
//     stage    where is it? -> a piece: HSET, EXPIREAT -> ... -> head: HSET, EXPIREAT, XADD events kind staged
//     fetch    where is it? -> a piece: HGET -> ...
#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

struct document_work {
    struct policy_job job;
    char document[STORE_DOCUMENT_NAME];
    struct policy_found found;
    enum document_place place;
    size_t len;
    size_t piece; // which comes now
    // stage
    const char *bytes;
    struct store_done staged;
    // fetch
    char *into;
    bool is_whole;
    struct store_document_done fetched;
};

static size_t piece_len(const struct document_work *work)
{
    size_t left = work->len - work->piece * POLICY_PIECE_BYTES;

    return left < POLICY_PIECE_BYTES ? left : POLICY_PIECE_BYTES;
}

// ---- staging

static void end_staging(struct document_work *work, enum store_state state)
{
    struct store_done done = work->staged;

    policy_job_end(&work->job);
    mem_free(work);
    done.fn(done.arg, done.token, state);
}

static void fail_staging(struct policy_job *job, enum store_state state)
{
    end_staging((struct document_work *)job, state);
}

static void no_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    (void)op;
    (void)reply; // an error is noted by then
}

static void put_expiry(struct document_work *work, struct op *op)
{
    struct store *store = work->job.store;
    char key[POLICY_KEY_MAX];
    struct resp resp;

    if (!store_keeps_expiry(store))
        return;
    store_put_expiry(&resp, policy_key(key, DOCUMENT_STAGED, work->document),
                     store_now_ms(store) + STORE_STAGED_MS);
    policy_send(store, op, &resp);
}

static void head_is_written(struct store *store, struct op *op)
{
    (void)store;
    if (policy_job_is_well(op->work, op->state))
        end_staging(op->work, STORE_UP);
}

static const struct op_kind HEAD = {no_reply, head_is_written};

// The last piece: from now on it is there, and everybody hears of it.
static void ask_head(struct policy_job *job)
{
    struct document_work *work = (struct document_work *)job;
    struct store *store = job->store;
    bool is_kept = work->found.whole[DOCUMENT_KEPT];
    unsigned commands =
        policy_tell_commands(store) + (is_kept ? 0U : 1U + store_keeps_expiry(store));
    struct op *op = policy_job_op(job, &HEAD, commands);
    char key[POLICY_KEY_MAX];
    struct resp resp;

    if (op == NULL)
        return;
    if (!is_kept) {
        resp_begin(&resp, "HSET");
        resp_text(&resp, policy_key(key, DOCUMENT_STAGED, work->document));
        resp_text(&resp, "head");
        resp_number(&resp, work->len);
        policy_send(store, op, &resp);
        put_expiry(work, op);
    }
    policy_tell(store, op, "staged", "document", work->document);
}

static void ask_write(struct policy_job *job);

static void piece_is_written(struct store *store, struct op *op)
{
    struct document_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->piece++;
    policy_job_next(&work->job, work->piece < policy_pieces(work->len) ? ask_write : ask_head);
}

static const struct op_kind WRITE = {no_reply, piece_is_written};

// HSET of a piece, larger than a struct resp; the caller frees it.
static char *format_piece(const struct document_work *work, size_t *len)
{
    char key[POLICY_KEY_MAX];
    char number[TEXT_NUMBER_MAX];
    size_t bytes = piece_len(work);
    int head = 0;

    (void)policy_key(key, DOCUMENT_STAGED, work->document);
    (void)text_number(number, work->piece);
    char *command = mem_new(bytes + 256);

    head = snprintf(command, 256, "*4\r\n$4\r\nHSET\r\n$%zu\r\n%s\r\n$%zu\r\n%s\r\n$%zu\r\n",
                    strlen(key), key, strlen(number), number, bytes);
    memcpy(command + head, work->bytes + work->piece * POLICY_PIECE_BYTES, bytes);
    command[(size_t)head + bytes] = '\r';
    command[(size_t)head + bytes + 1] = '\n';
    *len = (size_t)head + bytes + 2;
    return command;
}

static void ask_write(struct policy_job *job)
{
    struct document_work *work = (struct document_work *)job;
    struct store *store = job->store;
    struct op *op = policy_job_op(job, &WRITE, 1U + store_keeps_expiry(store));
    size_t len = 0;

    if (op == NULL)
        return;
    char *command = format_piece(work, &len);

    op_send_bytes(store->ops, op, store->lane[STORE_ADMIN], command, len);
    mem_free(command);
    put_expiry(work, op);
}

static void got_place(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct document_work *work = op->work;

    (void)store;
    policy_find_take(&work->found, reply);
}

static void place_is_known_to_stager(struct store *store, struct op *op)
{
    struct document_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    bool is_there = policy_find_place(&work->found, &work->place);

    policy_job_next(&work->job, is_there ? ask_head : ask_write);
}

static const struct op_kind FIND_TO_STAGE = {got_place, place_is_known_to_stager};

static void ask_place(struct policy_job *job, const struct op_kind *kind)
{
    struct document_work *work = (struct document_work *)job;
    struct op *op = policy_job_op(job, kind, POLICY_FIND_COMMANDS);

    if (op == NULL)
        return;
    work->found = (struct policy_found){.replies = 0};
    policy_find_send(job->store, op, work->document);
}

static void ask_place_to_stage(struct policy_job *job)
{
    ask_place(job, &FIND_TO_STAGE);
}

void store_policy_stage(struct store *store, const char *document, const void *bytes, size_t len,
                        struct store_done done)
{
    struct document_work *work = mem_new(sizeof(*work));

    *work = (struct document_work){.job = {.ask = ask_place_to_stage, .fail = fail_staging},
                                   .len = len,
                                   .bytes = bytes,
                                   .staged = done};
    (void)snprintf(work->document, sizeof(work->document), "%s", document);
    policy_job_begin(store, &work->job);
}

// ---- fetching

// bytes: whether they are handed over.
static void end_fetching(struct document_work *work, enum store_state state, bool is_whole)
{
    struct store_document_done done = work->fetched;
    char *bytes = work->into;
    size_t len = work->len;

    policy_job_end(&work->job);
    mem_free(work);
    if (!is_whole)
        mem_free(bytes);
    done.fn(done.arg, state, is_whole ? bytes : NULL, is_whole ? len : 0);
}

static void fail_fetching(struct policy_job *job, enum store_state state)
{
    end_fetching((struct document_work *)job, state, false);
}

static void got_piece(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct document_work *work = op->work;
    size_t bytes = piece_len(work);

    (void)store;
    work->is_whole = reply_is_text(reply) && reply->len == bytes;
    if (work->is_whole)
        memcpy(work->into + work->piece * POLICY_PIECE_BYTES, reply->str, bytes);
}

static void ask_read(struct policy_job *job);

static void piece_is_read(struct store *store, struct op *op)
{
    struct document_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->piece++;
    if (!work->is_whole || work->piece == policy_pieces(work->len))
        end_fetching(work, STORE_UP, work->is_whole);
    else
        policy_job_next(&work->job, ask_read);
}

static const struct op_kind READ = {got_piece, piece_is_read};

static void ask_read(struct policy_job *job)
{
    struct document_work *work = (struct document_work *)job;
    struct op *op = policy_job_op(job, &READ, 1);
    char key[POLICY_KEY_MAX];
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "HGET");
    resp_text(&resp, policy_key(key, work->place, work->document));
    resp_number(&resp, work->piece);
    policy_send(job->store, op, &resp);
}

static void place_is_known_to_fetcher(struct store *store, struct op *op)
{
    struct document_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (!policy_find_place(&work->found, &work->place)) {
        end_fetching(work, STORE_UP, false);
        return;
    }
    work->len = work->found.len[work->place];
    work->into = mem_new(work->len);
    policy_job_next(&work->job, ask_read);
}

static const struct op_kind FIND_TO_FETCH = {got_place, place_is_known_to_fetcher};

static void ask_place_to_fetch(struct policy_job *job)
{
    ask_place(job, &FIND_TO_FETCH);
}

void store_policy_fetch(struct store *store, const char *document, struct store_document_done done)
{
    struct document_work *work = mem_new(sizeof(*work));

    *work = (struct document_work){.job = {.ask = ask_place_to_fetch, .fail = fail_fetching},
                                   .fetched = done};
    (void)snprintf(work->document, sizeof(work->document), "%s", document);
    policy_job_begin(store, &work->job);
}
