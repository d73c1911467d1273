// directory.c: which directories are in force. Promises: every node has what was switched within a second (events.h), and
// in any case within DIRECTORY_REREAD_MS; what cannot be read leaves the mirror as it is. A row of a version that is not
// in force any more is there for a while yet; behind that its hash is gone wholly, and says of nobody that he is not there.
//
//     drop      HGET directory:{p} domain -> HDEL, HSET directory:{p}:versions, XADD events kind directory
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

bool store_directory(const struct store *store, const char *domain, struct person_directory *out)
{
    const struct store_directory *row = directory_find(&store->directories.table, domain);

    *out = row != NULL ? row->directory : (struct person_directory){.version = 0};
    return store->directories.is_known;
}

bool store_directory_find(const struct store *store, const char *domain,
                          struct store_directory *out)
{
    const struct store_directory *row = directory_find(&store->directories.table, domain);

    if (row != NULL)
        *out = *row;
    return row != NULL;
}

size_t store_directory_count(const struct store *store)
{
    return store->directories.table.count;
}

size_t store_directory_list(const struct store *store, const char *after,
                            struct store_directory *out, size_t max)
{
    return directory_page(&store->directories.table, after, out, max);
}

// ---- reading all of them

static bool is_whole_text(const struct redisReply *reply)
{
    return reply_is_text(reply) && strlen(reply->str) == reply->len;
}

bool directory_take_all(struct directory_table *table, const struct redisReply *reply)
{
    struct store_directory row;
    bool is_sound = reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;

    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const struct redisReply *domain = reply->element[i];
        const struct redisReply *value = reply->element[i + 1];

        is_sound &= is_whole_text(domain) && is_whole_text(value) &&
                    directory_read(domain->str, value->str, &row) && directory_append(table, &row);
    }
    directory_settle(table);
    return is_sound;
}

static void complain(struct store *store)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds directories that are not of our format, or too many");
}

// A domain that had a directory and has none takes any recipient: somebody should know.
static void tell_of_the_gone(const struct directory_table *before,
                             const struct directory_table *after)
{
    const char *first = NULL;
    size_t count = 0;

    for (size_t i = 0; i < before->count; i++) {
        if (directory_find(after, before->item[i].domain) != NULL)
            continue;
        if (count++ == 0)
            first = before->item[i].domain;
    }
    if (count > 0)
        log_warn("domains have no directory any more: any recipient is taken domains=%zu "
                 "first=%s",
                 count, first);
}

static void got_all(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    struct directory_following *following = &store->directories;
    struct directory_table fresh = {.count = 0};
    enum store_state state = reply_state(reply);

    (void)tag;
    following->is_asking = false;
    store_note_error(store, state, reply);
    if (state != STORE_UP) {
        following->asked_ms = 0;
        return;
    }
    if (!directory_take_all(&fresh, reply))
        complain(store);
    tell_of_the_gone(&following->table, &fresh);
    directory_clear(&following->table);
    following->table = fresh;
    following->is_known = true;
}

void directory_put_all(struct resp *resp)
{
    resp_begin(resp, "HGETALL");
    resp_text(resp, DIRECTORY_KEY);
}

void directory_reread(struct store *store)
{
    struct directory_following *following = &store->directories;
    struct redis_wait wait = {.fn = got_all, .arg = store};
    const uint64_t now_ms = clock_mono_ms();
    struct resp resp;

    if (following->is_asking ||
        (following->asked_ms != 0 && now_ms - following->asked_ms < DIRECTORY_REREAD_MS))
        return;
    directory_put_all(&resp);
    store->counters.event_polls++;
    if (!redis_send(store->lane[STORE_ADMIN], &resp, wait))
        return; // the connection is gone
    following->asked_ms = now_ms;
    following->is_asking = true;
}

void directory_heard(struct store *store)
{
    store->directories.asked_ms = 0;
    store->directories.is_asking = false; // what is under way may be from before
    directory_reread(store);
}

void directory_doubt(struct store *store)
{
    if (clock_mono_ms() - store->directories.asked_ms >= DIRECTORY_DOUBT_MS)
        directory_heard(store);
}

// ---- what concerns all that change them

unsigned directory_tell_commands(const struct store *store)
{
    return 1U + store_keeps_expiry(store);
}

void directory_tell(struct store *store, struct op *op)
{
    struct resp resp;

    event_put(&resp, "directory");
    policy_send(store, op, &resp);
    if (!store_keeps_expiry(store))
        return;
    events_put_expiry(store, &resp);
    policy_send(store, op, &resp);
}

void directory_put_version(struct resp *resp, const struct person_directory *directory,
                           uint64_t until_ms)
{
    char value[DIRECTORY_VERSION_MAX];

    directory_version_value(directory, until_ms, value);
    resp_number(resp, directory->version);
    resp_text(resp, value);
}

// ---- dropping one

struct drop_work {
    struct policy_job job;
    char *domain;
    bool is_there;
    struct store_directory row; // version 0: nobody can read it
    struct store_done done;
};

static void end_drop(struct drop_work *work, enum store_state state)
{
    struct store *store = work->job.store;
    struct store_done done = work->done;

    if (state == STORE_UP)
        directory_remove(&store->directories.table, work->domain);
    policy_job_end(&work->job);
    mem_free(work->domain);
    mem_free(work);
    done.fn(done.arg, done.token, state);
}

static void fail_drop(struct policy_job *job, enum store_state state)
{
    end_drop((struct drop_work *)job, state);
}

static void no_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    (void)op;
    (void)reply; // an error is noted by then
}

static void is_dropped(struct store *store, struct op *op)
{
    struct drop_work *work = op->work;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        end_drop(work, STORE_UP);
}

static const struct op_kind DROP = {no_reply, is_dropped};

static void ask_drop(struct policy_job *job)
{
    struct drop_work *work = (struct drop_work *)job;
    struct store *store = job->store;
    const bool is_known = work->row.directory.version != 0;
    struct op *op = policy_job_op(job, &DROP, 1U + is_known + directory_tell_commands(store));
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "HDEL");
    resp_text(&resp, DIRECTORY_KEY);
    resp_text(&resp, work->domain);
    policy_send(store, op, &resp);
    if (is_known) {
        resp_begin(&resp, "HSET");
        resp_text(&resp, DIRECTORY_VERSIONS_KEY);
        directory_put_version(&resp, &work->row.directory,
                              store_now_ms(store) + DIRECTORY_LEAVE_MS);
        policy_send(store, op, &resp);
    }
    directory_tell(store, op);
}

static void got_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct drop_work *work = op->work;

    (void)store;
    work->is_there = reply->type == REDIS_REPLY_STRING;
    if (!is_whole_text(reply) || !directory_read(work->domain, reply->str, &work->row))
        work->row.directory.version = 0;
}

static void row_is_read(struct store *store, struct op *op)
{
    struct drop_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (!work->is_there)
        end_drop(work, STORE_UP);
    else
        policy_job_next(&work->job, ask_drop);
}

static const struct op_kind LOOK = {got_row, row_is_read};

static void ask_row(struct policy_job *job)
{
    struct drop_work *work = (struct drop_work *)job;
    struct op *op = policy_job_op(job, &LOOK, 1);
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "HGET");
    resp_text(&resp, DIRECTORY_KEY);
    resp_text(&resp, work->domain);
    policy_send(job->store, op, &resp);
}

void store_directory_drop(struct store *store, const char *domain, struct store_done done)
{
    struct drop_work *work = mem_new(sizeof(*work));

    work->job = (struct policy_job){.ask = ask_row, .fail = fail_drop};
    work->domain = mem_text(domain);
    work->done = done;
    policy_job_begin(store, &work->job);
}
