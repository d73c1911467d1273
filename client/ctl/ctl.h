// ctl.h: what every command of reevectl gets, and how it ends.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/ctl/json.h"
#include "client/lib/reeve.h"
#include "proto/err.h"

// Exit codes; reevectl(1) documents them.
enum ctl_exit {
    CTL_FINE = 0,
    CTL_NEGATIVE = 1, // the verdict is no accept; nothing was found
    CTL_USAGE = 2,    // the command line or its input is wrong
    CTL_NO_NODE = 3,  // no node answered
    CTL_REFUSED = 4,  // the node refused it, and says why
    CTL_NO_STORE = 5, // the node's store is not available
};

struct arg_texts {
    const char **text;
    size_t count;
};

struct arg_list;

struct ctl {
    const char *node; // endpoints of lookup doors, with commas between; unless --node names some
    struct arg_texts nodes;    // --node; after ctl_nodes all of them, one by one
    const char *admin, *stats; // endpoints
    const char *gateway;       // --gateway: in whose name; NULL = the host's
    uint64_t deadline_ms;      // 0 = each kind of request has its own
    uint64_t at_ms;            // --at: for a node started with --replay
    bool want_json;
    bool is_patient;       // what is asked of the admin door may take a while
    struct arg_list *list; // not NULL: args_read only lists a command's options here
    uint64_t now_ms;       // wall clock at the start
    struct json json;
    struct reeve *reeve; // made when first needed
    // What node and the texts of nodes point into after ctl_nodes; before, NULL.
    char *own_node, *own_list;
};

// One command: "grey show", its options in one line, and what it is for.
struct command {
    const char *group; // "grey"; NULL for a command of one word
    const char *name;
    const char *usage;
    const char *what;
    int (*run)(struct ctl *ctl, const struct command *command, int argc, char **argv);
};

extern const struct command ctl_commands[]; // a row without a name ends them

// ctl_nodes: takes apart what --node, or else the environment, names: ctl->nodes. Then ctl->node is
// the same for a person. Only the first call does anything.
void ctl_nodes(struct ctl *ctl);
// ctl_end: gives back the connection and what ctl_nodes and args_global have made.
void ctl_end(struct ctl *ctl);

// ctl_connect: a client that asks these lookup doors. Otherwise as ctl_client.
int ctl_connect(struct ctl *ctl, const char *const *nodes, size_t count, struct reeve **out);

// ctl_client: connects (in the background) at the first call. CTL_FINE, or the exit code after an
// error was told.
int ctl_client(struct ctl *ctl);

// ctl_admin: asks the admin door. CTL_FINE and *out (the caller frees it), or the exit code after
// an error was told.
int ctl_admin(struct ctl *ctl, const char *verb, const struct reeve_pair *args, size_t arg_count,
              bool dry_run, struct reeve_answer **out);

// ctl_admin_ask: the same of a whole request; its at_ms is --at.
int ctl_admin_ask(struct ctl *ctl, const struct reeve_admin_request *request,
                  struct reeve_answer **out);

// ctl_admin_try: the same, but for an answer that is an error: it is handed out, too, and not told.
int ctl_admin_try(struct ctl *ctl, const struct reeve_admin_request *request,
                  struct reeve_answer **out);

// ctl_fail: tells an error, on standard error as "reevectl: ..." and with --json also as an object
// on standard output. Returns code.
int ctl_fail(struct ctl *ctl, int code, const char *fmt, ...) PRINTF_LIKE(3, 4);
// ctl_misuse: the same for a wrong command line, with the line of usage that helps.
int ctl_misuse(struct ctl *ctl, const struct command *command, const char *fmt, ...)
    PRINTF_LIKE(3, 4);
// ctl_fail_answer: tells what went wrong with a request, and the exit code for it.
int ctl_fail_answer(struct ctl *ctl, const char *endpoint, const struct reeve_answer *answer);

// ctl_bare: an address of the command line without the angle brackets that it may have been typed with; NULL stays NULL.
const char *ctl_bare(const char *address);

// ctl_warn: something odd that does not end the command.
void ctl_warn(const char *fmt, ...) PRINTF_LIKE(1, 2);

// The commands. Those of one group share a function and look at command->name.
int run_completion(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_help(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_ping(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_check(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_explain(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_directory(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_directory_import(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_grey(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_spared(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_allow(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_allow_list(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_sent(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_report(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_blocked(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_grey_list(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_expect(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_track(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_why(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reload(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_clock(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_secret(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_store(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_decisions(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_import(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_managed_add(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_managed_del(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_managed_list(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_managed_import(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_import_access(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_apply(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_diff(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_lint(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_show(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_history(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_undo(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_status(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_used(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_policy_test(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_show(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_explain(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_top(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_gateways(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_undo(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_reputation_export(struct ctl *ctl, const struct command *command, int argc, char **argv);
int run_stats(struct ctl *ctl, const struct command *command, int argc, char **argv);
