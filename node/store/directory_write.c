// directory_write.c: imports of directories. Promises: what is in force is not touched by one that is under way, fails or
// is torn; a directory is in force only when each of its hashes has been found whole, and all of one import are from one
// moment on; neither Redis nor the loop is busy with one for long. Every step may be asked twice.
//
//     begin     HSETNX directory:{p}:versions version ...          written down before its first row
//               HSET d:{bucket.version} whole 0, EXPIREAT ...      each hash, with an end
//     add       HSET d:{bucket.version} address value ...
//     switch    HSET whole 1, PERSIST, HLEN of each hash -> as many rows as there should be?
//               HMGET directory:{p} domain ...                     what gives way
//               HSET directory:{p} domain version ..., HSET directory:{p}:versions what gives way, XADD events kind directory
//     abort     HSET directory:{p}:versions version, over now
#include <hiredis/hiredis.h>
#include <stdio.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

enum {
    SLICE = 256, // hashes or versions in one operation
};

static void no_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    (void)op;
    (void)reply; // an error is noted by then
}

// ---- a command of any length

struct command {
    char *bytes;
    size_t used, room;
    size_t args;
};

static void put(struct command *command, const char *text, size_t len)
{
    if (command->bytes == NULL || command->used + len > command->room) {
        command->room = 2 * (command->used + len) + 1;
        command->bytes = mem_grow(command->bytes, command->room, 1);
    }
    memcpy(command->bytes + command->used, text, len);
    command->used += len;
}

static void put_text(struct command *command, const char *text)
{
    char head[TEXT_NUMBER_MAX + 4];
    const size_t len = strlen(text);
    const int head_len = snprintf(head, sizeof(head), "$%zu\r\n", len);

    put(command, head, (size_t)head_len);
    put(command, text, len);
    put(command, "\r\n", 2);
    command->args++;
}

static void put_number(struct command *command, uint64_t number)
{
    char text[TEXT_NUMBER_MAX];

    (void)text_number(text, number);
    put_text(command, text);
}

// Sends and frees it.
static void send_command(struct store *store, struct op *op, struct command *command)
{
    struct command whole = {.args = 0};
    char head[TEXT_NUMBER_MAX + 4];
    const int head_len = snprintf(head, sizeof(head), "*%zu\r\n", command->args);

    put(&whole, head, (size_t)head_len);
    put(&whole, command->bytes, command->used);
    op_send_bytes(store->ops, op, store->lane[STORE_ADMIN], whole.bytes, whole.used);
    mem_free(whole.bytes);
    mem_free(command->bytes);
}

// ---- an import

// Its directories, and a walk over all of their hashes.
struct import_work {
    struct policy_job job;
    struct store_directory *rows; // their texts are the caller's
    size_t count;
    size_t row;      // of these comes now
    uint32_t bucket; // of that
    uint64_t now_ms;
    struct store_done done;
    struct store_directory_done switched; // instead, of a switch
    // begin
    struct store_directory *numbered; // the caller's rows
    bool is_taken;                    // somebody has one of these numbers
    // switch
    unsigned replies;      // of the operation under way
    uint64_t fields;       // in the hashes of this directory, so far
    uint64_t slice_fields; // in those of the operation under way
    const struct store_directory *torn;
    struct directory_table before; // what gives way
};

static struct import_work *work_new(const struct store *store, const struct store_directory *rows,
                                    size_t count, void (*ask)(struct policy_job *job));

static void end_work(struct import_work *work, enum store_state state)
{
    struct store_directory_done switched = work->switched;
    struct store_done done = work->done;
    struct store_directory *rows = work->rows;
    const struct store_directory *torn = state == STORE_UP ? work->torn : NULL;

    for (size_t i = 0; state == STORE_UP && work->numbered != NULL && i < work->count; i++)
        work->numbered[i].directory = rows[i].directory;
    policy_job_end(&work->job);
    directory_clear(&work->before);
    mem_free(work);
    if (switched.fn != NULL)
        switched.fn(switched.arg, state, torn);
    else
        done.fn(done.arg, done.token, state);
    mem_free(rows);
}

static void fail_work(struct policy_job *job, enum store_state state)
{
    end_work((struct import_work *)job, state);
}

static struct import_work *work_new(const struct store *store, const struct store_directory *rows,
                                    size_t count, void (*ask)(struct policy_job *job))
{
    struct import_work *work = mem_new(sizeof(*work));

    work->job = (struct policy_job){.ask = ask, .fail = fail_work};
    work->rows = mem_new_array(count, sizeof(*rows));
    memcpy(work->rows, rows, count * sizeof(*rows));
    work->count = count;
    work->now_ms = store_now_ms(store);
    return work;
}

// How many hashes of the directory that comes now are left, at most a slice of them.
static uint32_t slice_of(const struct import_work *work)
{
    const uint32_t left = work->rows[work->row].directory.buckets - work->bucket;

    return left < SLICE ? left : SLICE;
}

// How many directories are left, likewise.
static size_t rows_left(const struct import_work *work)
{
    const size_t left = work->count - work->row;

    return left < SLICE ? left : SLICE;
}

static void put_whole(const struct import_work *work, uint32_t bucket, const char *value,
                      struct resp *resp)
{
    char key[PERSON_KEY_MAX];

    (void)person_directory_key(&work->rows[work->row].directory, bucket, key);
    resp_begin(resp, "HSET");
    resp_text(resp, key);
    resp_text(resp, PERSON_WHOLE_FIELD);
    resp_text(resp, value);
}

// ---- begin

static void ask_make(struct policy_job *job);

static void made(struct store *store, struct op *op)
{
    struct import_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->bucket += slice_of(work);
    if (work->bucket == work->rows[work->row].directory.buckets) {
        work->bucket = 0;
        work->row++;
    }
    if (work->row < work->count)
        policy_job_next(&work->job, ask_make);
    else
        end_work(work, STORE_UP);
}

static const struct op_kind MAKE = {no_reply, made};

static void ask_make(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct store *store = job->store;
    const bool keeps = store_keeps_expiry(store);
    const uint32_t count = slice_of(work);
    struct op *op = policy_job_op(job, &MAKE, count * (1U + keeps));
    char key[PERSON_KEY_MAX];
    struct resp resp;

    for (uint32_t i = 0; op != NULL && i < count; i++) {
        put_whole(work, work->bucket + i, "0", &resp);
        policy_send(store, op, &resp);
        if (!keeps)
            continue;
        (void)person_directory_key(&work->rows[work->row].directory, work->bucket + i, key);
        store_put_expiry(&resp, key, work->now_ms + DIRECTORY_TORN_MS);
        policy_send(store, op, &resp);
    }
}

static void got_taken(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct import_work *work = op->work;

    (void)store;
    work->is_taken |= !reply_is_integer(reply) || reply->integer != 1;
}

static void ask_versions(struct policy_job *job);

// Whoever meets a number that is taken begins again with others; what it has written down by then has no row, and goes in
// a day.
static void versions_are_taken(struct store *store, struct op *op)
{
    struct import_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    if (work->is_taken) {
        work->now_ms++;
        directory_number(work->rows, work->count, work->now_ms);
        work->row = 0;
    } else {
        work->row += rows_left(work);
    }
    if (work->row < work->count) {
        policy_job_next(&work->job, ask_versions);
        return;
    }
    work->row = 0;
    policy_job_next(&work->job, ask_make);
}

static const struct op_kind TAKE = {got_taken, versions_are_taken};

static void ask_versions(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct store *store = job->store;
    const size_t count = rows_left(work);
    struct op *op = policy_job_op(job, &TAKE, (unsigned)count);
    struct resp resp;

    if (op == NULL)
        return; // the work may be gone
    work->is_taken = false;
    for (size_t i = 0; i < count; i++) {
        resp_begin(&resp, "HSETNX");
        resp_text(&resp, DIRECTORY_VERSIONS_KEY);
        directory_put_version(&resp, &work->rows[work->row + i].directory,
                              work->now_ms + DIRECTORY_TORN_MS);
        policy_send(store, op, &resp);
    }
}

void store_directory_begin(struct store *store, struct store_directory *rows, size_t count,
                           struct store_done done)
{
    struct import_work *work = work_new(store, rows, count, ask_versions);

    directory_number(work->rows, count, work->now_ms);
    work->numbered = rows;
    work->done = done;
    policy_job_begin(store, &work->job);
}

// ---- add

struct add_work {
    struct policy_job job;
    const struct store_entry *rows;
    size_t count;
    struct store_done done;
};

static void end_add(struct add_work *work, enum store_state state)
{
    struct store_done done = work->done;

    policy_job_end(&work->job);
    mem_free(work);
    done.fn(done.arg, done.token, state);
}

static void fail_add(struct policy_job *job, enum store_state state)
{
    end_add((struct add_work *)job, state);
}

static void added(struct store *store, struct op *op)
{
    (void)store;
    if (policy_job_is_well(op->work, op->state))
        end_add(op->work, STORE_UP);
}

static const struct op_kind ADD = {no_reply, added};

static void ask_add(struct policy_job *job)
{
    struct add_work *work = (struct add_work *)job;
    struct op *op = policy_job_op(job, &ADD, (unsigned)work->count);
    char key[PERSON_KEY_MAX];
    struct resp resp;

    for (size_t i = 0; op != NULL && i < work->count; i++) {
        const struct store_entry *row = &work->rows[i];

        (void)person_directory_key(&row->directory,
                                   person_directory_bucket(&row->directory, row->address), key);
        resp_begin(&resp, "HSET");
        resp_text(&resp, key);
        resp_text(&resp, row->address);
        resp_text(&resp, row->value);
        policy_send(job->store, op, &resp);
    }
}

void store_directory_add(struct store *store, const struct store_entry *rows, size_t count,
                         struct store_done done)
{
    struct add_work *work = mem_new(sizeof(*work));

    work->job = (struct policy_job){.ask = ask_add, .fail = fail_add};
    work->rows = rows;
    work->count = count;
    work->done = done;
    policy_job_begin(store, &work->job);
}

// ---- switch

static void swapped(struct store *store, struct op *op)
{
    struct import_work *work = op->work;

    if (!policy_job_is_well(&work->job, op->state))
        return;
    for (size_t i = 0; i < work->count; i++) // one that has no room here is read with all others
        (void)directory_set(&store->directories.table, &work->rows[i]);
    end_work(work, STORE_UP);
}

static const struct op_kind SWAP = {no_reply, swapped};

static void send_new(struct store *store, struct op *op, const struct import_work *work)
{
    struct command command = {.args = 0};
    char value[DIRECTORY_VALUE_MAX];

    put_text(&command, "HSET");
    put_text(&command, DIRECTORY_KEY);
    for (size_t i = 0; i < work->count; i++) {
        (void)directory_value(&work->rows[i], value);
        put_text(&command, work->rows[i].domain);
        put_text(&command, value);
    }
    send_command(store, op, &command);
}

static void send_before(struct store *store, struct op *op, const struct import_work *work)
{
    const uint64_t until_ms = store_now_ms(store) + DIRECTORY_LEAVE_MS;
    struct command command = {.args = 0};
    char value[DIRECTORY_VERSION_MAX];

    put_text(&command, "HSET");
    put_text(&command, DIRECTORY_VERSIONS_KEY);
    for (size_t i = 0; i < work->before.count; i++) {
        const struct person_directory *before = &work->before.item[i].directory;

        directory_version_value(before, until_ms, value);
        put_number(&command, before->version);
        put_text(&command, value);
    }
    send_command(store, op, &command);
}

static void ask_swap(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct store *store = job->store;
    const bool is_first = work->before.count == 0;
    struct op *op =
        policy_job_op(job, &SWAP, 1U + (is_first ? 0U : 1U) + directory_tell_commands(store));

    if (op == NULL)
        return;
    send_new(store, op, work);
    if (!is_first)
        send_before(store, op, work);
    directory_tell(store, op);
}

// What nobody can read names no version; it gives way all the same.
static void got_before(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct import_work *work = op->work;
    struct store_directory row;

    (void)store;
    directory_clear(&work->before);
    for (size_t i = 0; reply_is_array(reply, work->count) && i < work->count; i++) {
        const struct redisReply *value = reply->element[i];

        if (reply_is_text(value) && strlen(value->str) == value->len &&
            directory_read(work->rows[i].domain, value->str, &row) &&
            row.directory.version != work->rows[i].directory.version)
            (void)directory_set(&work->before, &row);
    }
}

static void before_is_read(struct store *store, struct op *op)
{
    struct import_work *work = op->work;

    (void)store;
    if (policy_job_is_well(&work->job, op->state))
        policy_job_next(&work->job, ask_swap);
}

static const struct op_kind LOOK = {got_before, before_is_read};

static void ask_before(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct op *op = policy_job_op(job, &LOOK, 1);
    struct command command = {.args = 0};

    if (op == NULL)
        return;
    put_text(&command, "HMGET");
    put_text(&command, DIRECTORY_KEY);
    for (size_t i = 0; i < work->count; i++)
        put_text(&command, work->rows[i].domain);
    send_command(job->store, op, &command);
}

enum { SEAL_COMMANDS = 3 };

static void got_sealed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct import_work *work = op->work;

    if (++work->replies % SEAL_COMMANDS != 0)
        return;
    if (reply_is_integer(reply) && reply->integer > 0)
        work->slice_fields += (uint64_t)reply->integer;
    else
        store_note_garbage(store, op);
}

static void ask_seal(struct policy_job *job);

// The next slice, or directory; a torn one ends it.
static void sealed(struct store *store, struct op *op)
{
    struct import_work *work = op->work;
    const struct store_directory *row = &work->rows[work->row];

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->fields += work->slice_fields;
    work->bucket += slice_of(work);
    if (work->bucket < row->directory.buckets) {
        policy_job_next(&work->job, ask_seal);
        return;
    }
    if (work->fields != row->entries + row->directory.buckets) {
        work->torn = row;
        end_work(work, STORE_UP);
        return;
    }
    work->fields = 0;
    work->bucket = 0;
    work->row++;
    policy_job_next(&work->job, work->row < work->count ? ask_seal : ask_before);
}

static const struct op_kind SEAL = {got_sealed, sealed};

static void ask_seal(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct store *store = job->store;
    const uint32_t count = slice_of(work);
    struct op *op = policy_job_op(job, &SEAL, count * SEAL_COMMANDS);
    char key[PERSON_KEY_MAX];
    struct resp resp;

    if (op == NULL)
        return; // the work may be gone
    work->replies = 0;
    work->slice_fields = 0;
    for (uint32_t i = 0; i < count; i++) {
        (void)person_directory_key(&work->rows[work->row].directory, work->bucket + i, key);
        put_whole(work, work->bucket + i, PERSON_WHOLE_VALUE, &resp);
        policy_send(store, op, &resp);
        resp_begin(&resp, "PERSIST");
        resp_text(&resp, key);
        policy_send(store, op, &resp);
        resp_begin(&resp, "HLEN");
        resp_text(&resp, key);
        policy_send(store, op, &resp);
    }
}

void store_directory_switch(struct store *store, const struct store_directory *rows, size_t count,
                            struct store_directory_done done)
{
    struct import_work *work = work_new(store, rows, count, ask_seal);

    work->switched = done;
    policy_job_begin(store, &work->job);
}

// ---- abort

static void ask_abort(struct policy_job *job);

static void aborted(struct store *store, struct op *op)
{
    struct import_work *work = op->work;

    (void)store;
    if (!policy_job_is_well(&work->job, op->state))
        return;
    work->row += rows_left(work);
    if (work->row < work->count)
        policy_job_next(&work->job, ask_abort);
    else
        end_work(work, STORE_UP);
}

static const struct op_kind ABORT = {no_reply, aborted};

static void ask_abort(struct policy_job *job)
{
    struct import_work *work = (struct import_work *)job;
    struct store *store = job->store;
    const size_t count = rows_left(work);
    struct op *op = policy_job_op(job, &ABORT, (unsigned)count);
    struct resp resp;

    for (size_t i = 0; op != NULL && i < count; i++) {
        resp_begin(&resp, "HSET");
        resp_text(&resp, DIRECTORY_VERSIONS_KEY);
        directory_put_version(&resp, &work->rows[work->row + i].directory,
                              work->now_ms + DIRECTORY_LEAVE_MS);
        policy_send(store, op, &resp);
    }
}

void store_directory_abort(struct store *store, const struct store_directory *rows, size_t count,
                           struct store_done done)
{
    struct import_work *work = work_new(store, rows, count, ask_abort);

    work->done = done;
    policy_job_begin(store, &work->job);
}
