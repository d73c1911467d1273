// policy_stream.c: versions of the policy set. Promises: a version's number is the id of its row, so Redis itself sees to it
// that of two that are added at once one is there and the other is refused; a version that was told to somebody is in the
// stream, with its document; what was asked twice because a reply did not come is there once.
//
//     activate  where is the document? how many replicas? -> XADD policy:{p} N-0, XREVRANGE of the newest
//               -> ours? RENAME stage doc, PERSIST doc, XADD events kind activated -> WAIT
#include "node/store/policy_stream.h"

#include <hiredis/hiredis.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

void policy_newest_put(struct resp *resp)
{
    resp_begin(resp, "XREVRANGE");
    resp_text(resp, POLICY_KEY);
    resp_text(resp, "+");
    resp_text(resp, "-");
    resp_text(resp, "COUNT");
    resp_number(resp, 1);
}

bool policy_newest_read(struct store *store, const struct redisReply *reply,
                        struct store_version *out)
{
    *out = (struct store_version){.version = 0};
    if (reply_is_array(reply, 0) ||
        (reply_is_array(reply, 1) && policy_row_read(reply->element[0], out)))
        return true;
    if (reply_state(reply) == STORE_UP)
        policy_garbage(store, "the newest version (of a later release?)");
    return false;
}

// ---- the newest version, and whether its document is there

struct tip_work {
    struct policy_job job;
    struct store_version tip;
    bool is_known;
    struct policy_found found;
    struct store_version_done done; // fn NULL: for those who follow
};

static void end_tip(struct tip_work *work, enum store_state state, bool is_held)
{
    struct store *store = work->job.store;
    struct tip_work ended = *work;

    policy_job_end(&work->job);
    mem_free(work);
    if (ended.done.fn != NULL) {
        ended.done.fn(ended.done.arg, state, state == STORE_UP ? &ended.tip : NULL);
        return;
    }
    store->policy.is_looking = false;
    if (state == STORE_UP && store->policy.calls.tip != NULL)
        store->policy.calls.tip(store->policy.calls.arg, &ended.tip, is_held);
    if (store->policy.look_again && !store->is_closing)
        policy_look(store);
}

static void fail_tip(struct policy_job *job, enum store_state state)
{
    end_tip((struct tip_work *)job, state, false);
}

static void got_place(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct tip_work *work = op->work;

    (void)store;
    policy_find_take(&work->found, reply);
}

static void place_is_known(struct store *store, struct op *op)
{
    struct tip_work *work = op->work;
    enum document_place place;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        end_tip(work, STORE_UP, policy_find_place(&work->found, &place));
}

static const struct op_kind PLACE = {got_place, place_is_known};

static void ask_place(struct policy_job *job)
{
    struct tip_work *work = (struct tip_work *)job;
    struct op *op = policy_job_op(job, &PLACE, POLICY_FIND_COMMANDS);

    if (op == NULL)
        return;
    work->found = (struct policy_found){.replies = 0};
    policy_find_send(job->store, op, work->tip.document);
}

static void got_newest(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct tip_work *work = op->work;

    work->is_known = policy_newest_read(store, reply, &work->tip);
}

static void newest_is_known(struct store *store, struct op *op)
{
    struct tip_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (!work->is_known)
        end_tip(work, STORE_ERROR, false);
    else if (work->tip.version == 0 || work->done.fn != NULL)
        end_tip(work, STORE_UP, false);
    else
        policy_job_next(&work->job, ask_place);
}

static const struct op_kind NEWEST = {got_newest, newest_is_known};

static void ask_newest(struct policy_job *job)
{
    struct op *op = policy_job_op(job, &NEWEST, 1);
    struct resp resp;

    if (op == NULL)
        return;
    policy_newest_put(&resp);
    policy_send(job->store, op, &resp);
}

static void ask_tip(struct store *store, struct store_version_done done)
{
    struct tip_work *work = mem_new(sizeof(*work));

    *work = (struct tip_work){.job = {.ask = ask_newest, .fail = fail_tip}, .done = done};
    policy_job_begin(store, &work->job);
}

void store_policy_tip(struct store *store, struct store_version_done done)
{
    ask_tip(store, done);
}

void policy_look(struct store *store)
{
    if (store->policy.calls.tip == NULL)
        return;
    store->policy.look_again = store->policy.is_looking;
    if (store->policy.is_looking)
        return;
    store->policy.is_looking = true;
    store->counters.event_polls++;
    ask_tip(store, (struct store_version_done){NULL, NULL});
}

void policy_heard(struct store *store, const char *staged)
{
    if (staged == NULL)
        policy_look(store);
    else if (store->policy.calls.staged != NULL)
        store->policy.calls.staged(store->policy.calls.arg, staged);
}

void store_policy_follow(struct store *store, struct store_policy_calls calls)
{
    store->policy.calls = calls;
}

// ---- activating

struct activate_work {
    struct policy_job job;
    struct store_version row;
    struct policy_found found;
    enum document_place place;
    unsigned replies;
    uint64_t replicas;
    struct store_version tip;
    bool is_known; // the tip
    long long acknowledged;
    uint64_t waits_until_ms; // monotonic
    struct store_activate_done done;
};

static void end_activation(struct activate_work *work, enum store_activation end,
                           enum store_state state)
{
    struct store *store = work->job.store;
    struct activate_work ended = *work;

    policy_job_end(&work->job);
    mem_free(work);
    ended.done.fn(ended.done.arg, end, state, ended.is_known ? &ended.tip : NULL,
                  end == STORE_ACTIVATED && ended.replicas > 0 && ended.acknowledged == 0);
    if (end == STORE_ACTIVATED && !store->is_closing)
        policy_sweep(store);
}

static bool is_ours(const struct activate_work *work)
{
    return work->is_known && policy_row_is_same(&work->tip, &work->row);
}

// It was added: what comes after that is not worth a failure, since every node that follows mends it.
static void fail_activation(struct policy_job *job, enum store_state state)
{
    struct activate_work *work = (struct activate_work *)job;

    end_activation(work, is_ours(work) ? STORE_ACTIVATED : STORE_FAILED, state);
}

static void got_acknowledged(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct activate_work *work = op->work;

    (void)store;
    if (reply_is_integer(reply))
        work->acknowledged = reply->integer;
}

static void ask_replicas(struct policy_job *job);

static void replicas_answered(struct store *store, struct op *op)
{
    struct activate_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (work->acknowledged > 0 || clock_mono_ms() >= work->waits_until_ms)
        end_activation(work, STORE_ACTIVATED, STORE_UP);
    else
        policy_job_next(&work->job, ask_replicas);
}

static const struct op_kind REPLICAS = {got_acknowledged, replicas_answered};

// WAIT holds up this connection, so each is shorter than an answer may take.
static void ask_replicas(struct policy_job *job)
{
    struct op *op = policy_job_op(job, &REPLICAS, 1);
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "WAIT");
    resp_number(&resp, 1);
    resp_number(&resp, job->store->config->deadline_ms / 2 + 1);
    policy_send(job->store, op, &resp);
}

static void no_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    (void)op;
    (void)reply; // an error is noted by then
}

static void is_kept(struct store *store, struct op *op)
{
    struct activate_work *work = op->work;

    (void)store;
    // Somebody else may have renamed it: then there is nothing to rename any more.
    if (!policy_job_is_well(&work->job, op->state == STORE_ERROR ? STORE_UP : op->state))
        return;
    work->waits_until_ms = clock_mono_ms() + POLICY_REPLICA_MS;
    if (work->replicas > 0)
        policy_job_next(&work->job, ask_replicas);
    else
        end_activation(work, STORE_ACTIVATED, STORE_UP);
}

static const struct op_kind KEEP = {no_reply, is_kept};

static void send_keeping(struct activate_work *work, struct op *op)
{
    char from[POLICY_KEY_MAX];
    char to[POLICY_KEY_MAX];
    struct resp resp;

    resp_begin(&resp, "RENAME");
    resp_text(&resp, policy_key(from, DOCUMENT_STAGED, work->row.document));
    resp_text(&resp, policy_key(to, DOCUMENT_KEPT, work->row.document));
    policy_send(work->job.store, op, &resp);
    resp_begin(&resp, "PERSIST");
    resp_text(&resp, to);
    policy_send(work->job.store, op, &resp);
}

static void ask_to_keep(struct policy_job *job)
{
    struct activate_work *work = (struct activate_work *)job;
    bool is_staged = work->place == DOCUMENT_STAGED;
    struct op *op =
        policy_job_op(job, &KEEP, (is_staged ? 2U : 0U) + policy_tell_commands(job->store));
    char version[TEXT_NUMBER_MAX];

    if (op == NULL)
        return;
    if (is_staged)
        send_keeping(work, op);
    (void)text_number(version, work->row.version);
    policy_tell(job->store, op, "activated", "version", version);
}

static void got_added(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct activate_work *work = op->work;

    if (work->replies++ == 1) // of XADD nothing is believed but what is there afterwards
        work->is_known = policy_newest_read(store, reply, &work->tip);
}

static void is_added(struct store *store, struct op *op)
{
    struct activate_work *work = op->work;

    (void)store;
    if (is_ours(work)) {
        work->job.until_ms = 0;
        policy_job_next(&work->job, ask_to_keep);
    } else if (work->is_known && work->tip.version >= work->row.version) {
        end_activation(work, STORE_OVERTAKEN, STORE_UP);
    } else {
        (void)policy_job_is_well(&work->job, op->state != STORE_UP ? op->state : STORE_ERROR);
    }
}

static const struct op_kind ADD = {got_added, is_added};

static void ask_to_add(struct policy_job *job)
{
    struct activate_work *work = (struct activate_work *)job;
    struct op *op = policy_job_op(job, &ADD, 2);
    struct resp resp;

    if (op == NULL)
        return;
    work->replies = 0;
    work->is_known = false;
    policy_row_put(&resp, &work->row);
    policy_send(job->store, op, &resp);
    policy_newest_put(&resp);
    policy_send(job->store, op, &resp);
}

static void got_whereabouts(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct activate_work *work = op->work;
    const char *found = NULL;

    (void)store;
    if (work->found.replies < POLICY_FIND_COMMANDS) {
        policy_find_take(&work->found, reply);
        return;
    }
    found = reply_is_text(reply) ? strstr(reply->str, "connected_slaves:") : NULL;
    if (found != NULL)
        (void)sscanf(found, "connected_slaves:%9" SCNu64, &work->replicas);
}

static void whereabouts_are_known(struct store *store, struct op *op)
{
    struct activate_work *work = op->work;

    (void)store;
    // INFO may be forbidden to us: then nobody is waited for.
    if (!policy_job_is_well(&work->job, op->state == STORE_DENIED ? STORE_UP : op->state))
        return;
    if (!policy_find_place(&work->found, &work->place))
        end_activation(work, STORE_MISSING, STORE_UP);
    else
        policy_job_next(&work->job, ask_to_add);
}

static const struct op_kind WHEREABOUTS = {got_whereabouts, whereabouts_are_known};

static void ask_whereabouts(struct policy_job *job)
{
    struct activate_work *work = (struct activate_work *)job;
    struct op *op = policy_job_op(job, &WHEREABOUTS, POLICY_FIND_COMMANDS + 1);
    struct resp resp;

    if (op == NULL)
        return;
    work->found = (struct policy_found){.replies = 0};
    policy_find_send(job->store, op, work->row.document);
    resp_begin(&resp, "INFO");
    resp_text(&resp, "replication");
    policy_send(job->store, op, &resp);
}

void store_policy_activate(struct store *store, const struct store_version *row,
                           struct store_activate_done done)
{
    struct activate_work *work = mem_new(sizeof(*work));

    *work = (struct activate_work){
        .job = {.ask = ask_whereabouts, .fail = fail_activation}, .row = *row, .done = done};
    policy_job_begin(store, &work->job);
}
