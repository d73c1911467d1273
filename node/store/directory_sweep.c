// directory_sweep.c: removes what no domain's directory is any more: what gave way, and what was begun and never switched.
// Promises: nothing that is in force, and nothing before its time; whatever node begins it, and however often; a removal
// that was torn is done by the next one.
//
//     HGETALL directory:{p}:versions, HGETALL directory:{p} -> UNLINK d:{bucket.version} ... -> HDEL directory:{p}:versions version
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

enum {
    KEYS = 64,    // of one UNLINK
    COMMANDS = 8, // of one operation
};

struct sweep_work {
    struct policy_job job;
    unsigned replies;
    bool is_found;
    struct directory_version found;
    uint32_t bucket; // of it comes now
    // While it is looked for.
    struct directory_version *over; // those whose time is over
    size_t over_count;
    uint64_t now_ms;
};

static void end_sweep(struct sweep_work *work)
{
    struct store *store = work->job.store;

    store->directories.is_sweeping = false;
    policy_job_end(&work->job);
    mem_free(work->over);
    mem_free(work);
}

static void fail_sweep(struct policy_job *job, enum store_state state)
{
    (void)state; // the next one does it
    end_sweep((struct sweep_work *)job);
}

// ---- removing one

static void ask_look(struct policy_job *job);

static void no_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    (void)op;
    (void)reply; // an error is noted by then
}

static void is_crossed_out(struct store *store, struct op *op)
{
    struct sweep_work *work = op->work;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        policy_job_next(&work->job, ask_look);
}

static const struct op_kind CROSS_OUT = {no_reply, is_crossed_out};

static void ask_cross_out(struct policy_job *job)
{
    const struct sweep_work *work = (const struct sweep_work *)job;
    struct op *op = policy_job_op(job, &CROSS_OUT, 1);
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "HDEL");
    resp_text(&resp, DIRECTORY_VERSIONS_KEY);
    resp_number(&resp, work->found.directory.version);
    policy_send(job->store, op, &resp);
}

static void ask_unlink(struct policy_job *job);

static void are_unlinked(struct store *store, struct op *op)
{
    struct sweep_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->bucket += KEYS * COMMANDS;
    policy_job_next(&work->job,
                    work->bucket < work->found.directory.buckets ? ask_unlink : ask_cross_out);
}

static const struct op_kind UNLINK = {no_reply, are_unlinked};

static void send_unlink(struct store *store, struct op *op,
                        const struct person_directory *directory, uint32_t first)
{
    char key[PERSON_KEY_MAX];
    struct resp resp;

    resp_begin(&resp, "UNLINK");
    for (uint32_t i = first; i < first + KEYS && i < directory->buckets; i++) {
        (void)person_directory_key(directory, i, key);
        resp_text(&resp, key);
    }
    policy_send(store, op, &resp);
}

static void ask_unlink(struct policy_job *job)
{
    const struct sweep_work *work = (const struct sweep_work *)job;
    const struct person_directory *directory = &work->found.directory;
    const uint32_t left = directory->buckets - work->bucket;
    const uint32_t commands = left < KEYS * COMMANDS ? (left + KEYS - 1) / KEYS : COMMANDS;
    struct op *op = policy_job_op(job, &UNLINK, commands);

    for (uint32_t i = 0; op != NULL && i < commands; i++)
        send_unlink(job->store, op, directory, work->bucket + i * KEYS);
}

// ---- looking for one

static void take_over(struct sweep_work *work, const struct redisReply *field,
                      const struct redisReply *value)
{
    struct directory_version version;

    if (!reply_is_text(field) || !reply_is_text(value) ||
        !directory_version_read(field->str, value->str, &version) ||
        version.until_ms >= work->now_ms)
        return;
    work->over = mem_grow(work->over, work->over_count + 1, sizeof(*work->over));
    work->over[work->over_count++] = version;
}

static bool is_in_force(const struct directory_table *table, uint64_t version)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->item[i].directory.version == version)
            return true;
    return false;
}

// One that nobody can read may be any of them: then nothing is removed.
static void choose(struct sweep_work *work, const struct redisReply *reply)
{
    struct directory_table table = {.count = 0};
    const bool is_sound = directory_take_all(&table, reply);

    for (size_t i = 0; is_sound && !work->is_found && i < work->over_count; i++) {
        work->is_found = !is_in_force(&table, work->over[i].directory.version);
        work->found = work->over[i];
    }
    directory_clear(&table);
}

static void got_list(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct sweep_work *work = op->work;

    (void)store;
    if (reply->type != REDIS_REPLY_ARRAY)
        return;
    if (work->replies++ > 0) {
        choose(work, reply);
        return;
    }
    for (size_t i = 0; i + 1 < reply->elements; i += 2)
        take_over(work, reply->element[i], reply->element[i + 1]);
}

static void are_listed(struct store *store, struct op *op)
{
    struct sweep_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (work->is_found)
        policy_job_next(&work->job, ask_unlink);
    else
        end_sweep(work);
}

static const struct op_kind LOOK = {got_list, are_listed};

// What is over is read first: nothing of it comes into force any more, but for an import of more than a day, which is told
// that it is torn.
static void ask_look(struct policy_job *job)
{
    struct sweep_work *work = (struct sweep_work *)job;
    struct op *op = policy_job_op(job, &LOOK, 2);
    struct resp resp;

    if (op == NULL)
        return;
    work->replies = 0;
    work->over_count = 0;
    work->is_found = false;
    work->bucket = 0;
    work->now_ms = store_now_ms(job->store);
    resp_begin(&resp, "HGETALL");
    resp_text(&resp, DIRECTORY_VERSIONS_KEY);
    policy_send(job->store, op, &resp);
    directory_put_all(&resp);
    policy_send(job->store, op, &resp);
}

// ---- when

void directory_sweep(struct store *store)
{
    struct sweep_work *work;

    if (store->directories.is_sweeping)
        return;
    work = mem_new(sizeof(*work));
    work->job = (struct policy_job){.ask = ask_look, .fail = fail_sweep};
    store->directories.is_sweeping = true;
    policy_job_begin(store, &work->job);
}

void directory_tick(struct store *store)
{
    struct directory_following *following = &store->directories;
    const bool is_first = following->sweep_ticks == 0;

    if (following->sweep_ticks > 1) {
        following->sweep_ticks--;
        return;
    }
    following->sweep_ticks = DIRECTORY_SWEEP_TICKS + randombytes_uniform(DIRECTORY_SWEEP_TICKS);
    if (!is_first && redis_state(store->lane[STORE_ADMIN]) == STORE_UP && store_clock_ok(store))
        directory_sweep(store);
}
