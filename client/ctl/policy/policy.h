// policy.h: what the commands of `reevectl policy` share.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/ctl.h"
#include "client/ctl/json.h"
#include "client/lib/reeve.h"

enum { POLICY_NUMBER_MAX = 24, POLICY_BY_MAX = 120, POLICY_ARGS_MAX = 4 };

// Arguments of an admin verb; their texts are borrowed.
struct policy_args {
    struct reeve_pair pair[POLICY_ARGS_MAX];
    size_t count;
};
// policy_arg: adds one unless its value is NULL.
void policy_arg(struct policy_args *args, const char *key, const char *value);
const char *policy_number(char out[POLICY_NUMBER_MAX], uint64_t number); // returns out

// policy_is_version: a number from 1 on.
bool policy_is_version(const char *text, uint64_t *out);
// policy_read_version: a command line that holds nothing but its options and perhaps one version (else 0).
struct arg_row;
int policy_read_version(struct ctl *ctl, const struct command *command, const struct arg_row *rows,
                        int argc, char **argv, uint64_t *version);

// policy_by: who does it, as it is kept with a version: ann@mx1.
const char *policy_by(char out[POLICY_BY_MAX]);

// policy_version: "version 7", or "the policy files" for 0, which is before anything was applied.
const char *policy_name_version(uint64_t version, char out[POLICY_NUMBER_MAX * 2]);

// policy_diff: asks what differs: of a document, or (document NULL) of a version; against another version, or (0) what is in
// force. Returns as ctl_admin does.
int policy_diff(struct ctl *ctl, const char *document, uint64_t version, uint64_t against,
                struct reeve_answer **out);
// policy_print_changes: one line a row of the answer: +, - or ~, what, and where it stands.
void policy_print_changes(const struct reeve_answer *answer);

// policy_activate: policy.activate or policy.undo, and then a wait (5 s) until every node that lives has it.
// CTL_FINE; CTL_NEGATIVE if a node does not have it by then (told on standard error); in both cases with the
// outcome, whose nodes the caller frees. Or the exit code after the error was told: then nothing came into force, as far
// as is known.
struct policy_order {
    const char *verb;
    const char *document; // of policy.activate
    uint64_t version;     // of policy.undo; 0 = the one before
    uint64_t base;
    const char *note; // NULL = none
};
struct policy_outcome {
    uint64_t version;
    size_t have_it;
    struct reeve_answer *nodes;
};
int policy_activate(struct ctl *ctl, const struct policy_order *order, struct policy_outcome *out);
// policy_print_outcome: as a line, or with --json as members of the object that is open.
void policy_print_outcome(struct ctl *ctl, uint64_t base, const struct policy_outcome *outcome);
