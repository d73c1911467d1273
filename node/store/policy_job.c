// policy_job.c: jobs of several round trips about the policy set. Promises: each ends once, well or with fail; a server that
// is slow is asked again for POLICY_PATIENCE_MS, which every step allows: asked twice it does no more than once; a
// store that goes away ends all of them.
#include "node/store/policy_stream.h"

#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

void policy_job_begin(struct store *store, struct policy_job *job)
{
    job->store = store;
    job->next = store->policy.jobs;
    store->policy.jobs = job;
    job->ask(job);
}

void policy_job_end(struct policy_job *job)
{
    struct policy_job **at = &job->store->policy.jobs;

    while (*at != job)
        at = &(*at)->next;
    *at = job->next;
    loop_timer_free(&job->timer);
}

static void ask_again(void *arg)
{
    struct policy_job *job = arg;

    job->ask(job);
}

// Later, or never.
static void put_off(struct policy_job *job, enum store_state state)
{
    uint64_t now_ms = clock_mono_ms();

    if (job->until_ms == 0)
        job->until_ms = now_ms + POLICY_PATIENCE_MS;
    if ((state != STORE_SLOW && state != STORE_CROWDED) || now_ms >= job->until_ms ||
        job->store->is_closing) {
        job->fail(job, state);
        return;
    }
    if (job->timer == NULL)
        job->timer = loop_timer_new(job->store->loop, ask_again, job);
    loop_timer_set(job->timer, POLICY_AGAIN_MS, 0);
}

struct op *policy_job_op(struct policy_job *job, const struct op_kind *kind, unsigned commands)
{
    struct store *store = job->store;
    enum store_state why = STORE_DOWN;
    struct op *op = NULL;

    if (!store->is_closing)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);
    if (op != NULL)
        op->work = job;
    else
        put_off(job, why);
    return op;
}

bool policy_job_is_well(struct policy_job *job, enum store_state state)
{
    if (state == STORE_UP) {
        job->until_ms = 0;
        return true;
    }
    put_off(job, state);
    return false;
}

void policy_job_next(struct policy_job *job, void (*ask)(struct policy_job *job))
{
    job->ask = ask;
    ask(job);
}

void policy_jobs_stop(struct store *store)
{
    while (store->policy.jobs != NULL)
        store->policy.jobs->fail(store->policy.jobs, STORE_DOWN);
}

void policy_send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

void policy_garbage(struct store *store, const char *what)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds of the policy set what is not of our format: %s", what);
}

// ---- where a document is

void policy_find_send(struct store *store, struct op *op, const char *document)
{
    char key[POLICY_KEY_MAX];
    struct resp resp;

    for (int place = DOCUMENT_STAGED; place <= DOCUMENT_KEPT; place++) {
        resp_begin(&resp, "HGET");
        resp_text(&resp, policy_key(key, (enum document_place)place, document));
        resp_text(&resp, "head");
        policy_send(store, op, &resp);
        resp_begin(&resp, "HLEN");
        resp_text(&resp, key);
        policy_send(store, op, &resp);
    }
}

void policy_find_take(struct policy_found *found, const struct redisReply *reply)
{
    unsigned place = found->replies / 2;

    if (found->replies++ % 2 == 0) {
        (void)policy_head_read(reply, &found->len[place]);
        return;
    }
    found->whole[place] = found->len[place] > 0 && reply_is_integer(reply) &&
                          reply->integer == (long long)policy_pieces(found->len[place]) + 1;
}

bool policy_find_place(const struct policy_found *found, enum document_place *out)
{
    *out = found->whole[DOCUMENT_KEPT] ? DOCUMENT_KEPT : DOCUMENT_STAGED;
    return found->whole[*out];
}

// ---- events

unsigned policy_tell_commands(const struct store *store)
{
    return 1U + store_keeps_expiry(store);
}

void policy_tell(struct store *store, struct op *op, const char *kind, const char *field,
                 const char *value)
{
    struct resp resp;

    event_put(&resp, kind);
    resp_text(&resp, field);
    resp_text(&resp, value);
    policy_send(store, op, &resp);
    if (!store_keeps_expiry(store))
        return;
    events_put_expiry(store, &resp);
    policy_send(store, op, &resp);
}
