// policy_stream.h: between the files that keep the policy set: jobs of several round trips, which wait for a server that is
// slow for a while.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/ops.h"
#include "node/store/policy_row.h"
#include "node/store/store.h"

enum {
    POLICY_PATIENCE_MS = 5000, // how long one step of a job is tried at a server that is slow
    POLICY_AGAIN_MS = 100,
    POLICY_REPLICA_MS = 2000,
};

// First member of each job. Whoever makes it frees it, after policy_job_end.
struct policy_job {
    struct policy_job *next;
    struct store *store;
    struct loop_timer *timer; // NULL until it had to wait
    uint64_t until_ms;        // monotonic: patience of this step; 0 = it has not met trouble
    void (*ask)(struct policy_job *job);                          // sends the step that comes now
    void (*fail)(struct policy_job *job, enum store_state state); // tells, ends and frees
};

// What a node follows.
struct policy_following {
    struct store_policy_calls calls;
    struct policy_job *jobs;
    bool is_looking;
    bool look_again;
    char field[POLICY_NODE_FIELD_MAX]; // this node's; "" = it has not said anything
};

// policy_job_begin: with ask and fail set. policy_job_end: nothing comes any more.
void policy_job_begin(struct store *store, struct policy_job *job);
void policy_job_end(struct policy_job *job);
// policy_job_op: an operation of the step; NULL: the step is asked again later, or the job has failed and is gone.
struct op *policy_job_op(struct policy_job *job, const struct op_kind *kind, unsigned commands);
// policy_job_is_well: the operation of a step ended so. False: as above.
bool policy_job_is_well(struct policy_job *job, enum store_state state);
// policy_job_next: the next step.
void policy_job_next(struct policy_job *job, void (*ask)(struct policy_job *job));
// policy_jobs_stop: the store goes away: ends those that wait for a better time.
void policy_jobs_stop(struct store *store);

// Where a document is; part of several jobs: POLICY_FIND_COMMANDS of their operation.
struct policy_found {
    unsigned replies;
    size_t len[2]; // [enum document_place] what head says; 0 = there is none
    bool whole[2];
};
enum { POLICY_FIND_COMMANDS = 4 };
void policy_find_send(struct store *store, struct op *op, const char *document);
// policy_find_take: the next reply. policy_find_place: where it is whole; false: nowhere.
void policy_find_take(struct policy_found *found, const struct redisReply *reply);
bool policy_find_place(const struct policy_found *found, enum document_place *out);

// policy_look: asks for the newest version, for those who follow. policy_heard: a document was staged (NULL: a version
// was activated).
void policy_look(struct store *store);
void policy_heard(struct store *store, const char *staged);

// policy_tell: the event, with its expiry; of an operation of POLICY_TELL_COMMANDS(store) commands. kind: "staged" with the
// document, "activated" with the version.
unsigned policy_tell_commands(const struct store *store);
void policy_tell(struct store *store, struct op *op, const char *kind, const char *field,
                 const char *value);
// policy_send: one command on the operator's connection.
void policy_send(struct store *store, struct op *op, struct resp *resp);
// policy_sweep: removes the versions that are too many, and their documents; nobody waits.
void policy_sweep(struct store *store);
// policy_newest_put: XREVRANGE of the newest one. policy_newest_read: what it says: true and version 0 = there is none;
// false: it is no version of ours.
void policy_newest_put(struct resp *resp);
bool policy_newest_read(struct store *store, const struct redisReply *reply,
                        struct store_version *out);
// policy_garbage: says so, not too often.
void policy_garbage(struct store *store, const char *what);
