// policy.c: the words about the policy set that all nodes share: policy.stage, activate, undo, history, show, status. The work
// is the keeper's; here are arguments and rows.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/keeper/keeper.h"
#include "node/verbs/admin.h"
#include "proto/base/mem.h"

enum { HISTORY_DEFAULT = 20 };

static struct keeper *keeper_of(const struct admin_call *call)
{
    return call->server->keeper;
}

// ---- arguments

// A text that is kept: short, and without control characters.
static bool read_text(struct admin_call *call, const char *key, size_t max, const char **out)
{
    *out = admin_arg(call, key);
    if (text_is_clean(*out, strlen(*out), max))
        return true;
    admin_refuse(call, "%s: expected at most %zu bytes of text without control characters", key,
                 max);
    return false;
}

static bool read_change(struct admin_call *call, struct keeper_change *out)
{
    *out = (struct keeper_change){.document = admin_arg(call, "document")};
    if (!admin_number(call, "base", 0, &out->base) ||
        !admin_number(call, "version", 0, &out->version) ||
        !read_text(call, "by", STORE_BY_MAX, &out->by) ||
        !read_text(call, "note", STORE_NOTE_MAX, &out->note))
        return false;
    if (out->document[0] == '\0' || store_is_document_name(out->document))
        return true;
    admin_refuse(call, "document: expected the 32 hex digits that policy.stage gave, not '%.64s'",
                 out->document);
    return false;
}

// ---- what was asked of the keeper

static bool is_refused(struct admin_call *call, const struct keeper_answer *answer)
{
    if (answer->err == ERR_NONE)
        return false;
    if (answer->err == ERR_UNAVAILABLE)
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, answer->why);
    else
        admin_refuse(call, "%s", answer->why);
    return true;
}

static void add_place(struct admin_call *call, const struct report_row *row)
{
    if (row->file == NULL || row->file[0] == '\0')
        return;
    rows_field(&call->rows, "file", "%s", row->file);
    rows_field(&call->rows, "line", "%u", row->line);
}

static void add_findings(struct admin_call *call, const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        const struct report_row *row = &report->row[i];

        rows_add(&call->rows);
        rows_field(&call->rows, "severity", "warning");
        rows_field(&call->rows, "kind", "%s", row->kind);
        rows_field(&call->rows, "what", "%s", row->what);
        add_place(call, row);
    }
    if (report->left_out == 0)
        return;
    rows_add(&call->rows);
    rows_field(&call->rows, "severity", "warning");
    rows_field(&call->rows, "what", "%zu more findings are not listed", report->left_out);
}

static void staged(void *arg, const struct keeper_answer *answer)
{
    struct admin_call *call = arg;
    uint64_t members = 0;
    uint64_t since_ms = 0;

    if (is_refused(call, answer))
        return;
    for (size_t i = 0; i < answer->policy->group_count; i++)
        members += answer->policy->group[i].members;
    rows_add(&call->rows);
    rows_field(&call->rows, "document", "%s", answer->document);
    rows_field(&call->rows, "base", "%" PRIu64, answer->base);
    rows_field(&call->rows, "domains", "%zu", answer->policy->domain_count);
    rows_field(&call->rows, "groups", "%zu", answer->policy->group_count);
    rows_field(&call->rows, "members", "%" PRIu64, members);
    rows_field(&call->rows, "users", "%zu", answer->policy->user_count);
    rows_field(&call->rows, "policies", "%zu", answer->policy->rule_count);
    add_findings(call, answer->findings);
    if (admin_arg(call, "unused_since")[0] == '\0')
        admin_answer(call);
    else if (admin_number(call, "unused_since", 0, &since_ms))
        policy_unused(call, keeper_find(keeper_of(call), answer->document), since_ms);
}

void policy_stage(struct admin_call *call)
{
    const struct msg_admin *admin = &call->seat->request.admin;
    uint64_t since_ms = 0;

    if (!admin_number(call, "unused_since", 0, &since_ms))
        return;
    if (admin->document_bytes == 0)
        admin_refuse(call, "policy.stage needs a document: the policy set");
    else
        keeper_stage(keeper_of(call), admin->document, admin->document_bytes, admin->dry_run,
                     (struct keeper_done){staged, call});
}

static void add_version(struct admin_call *call, const struct store_version *version)
{
    rows_add(&call->rows);
    rows_field(&call->rows, "version", "%" PRIu64, version->version);
    rows_time(&call->rows, "at", version->at_ms);
    rows_field(&call->rows, "by", "%s", version->by);
    rows_field(&call->rows, "note", "%s", version->note);
    rows_field(&call->rows, "document", "%s", version->document);
    rows_field(&call->rows, "bytes", "%" PRIu64, version->bytes);
    rows_field(&call->rows, "policies", "%" PRIu64, version->policies);
}

static void changed(void *arg, const struct keeper_answer *answer)
{
    struct admin_call *call = arg;

    if (is_refused(call, answer))
        return;
    add_version(call, answer->version);
    if (answer->unreplicated)
        rows_field(&call->rows, "warning", "%s",
                   "no replica of the store has told within 2 s that it has it; this node keeps it "
                   "on its disk");
    admin_answer(call);
}

void policy_activate(struct admin_call *call)
{
    struct keeper_change change;

    if (!read_change(call, &change))
        return;
    if (change.document[0] == '\0')
        admin_refuse(call, "document: expected the 32 hex digits that policy.stage gave");
    else
        keeper_activate(keeper_of(call), &change, (struct keeper_done){changed, call});
}

void policy_undo(struct admin_call *call)
{
    struct keeper_change change;

    if (read_change(call, &change))
        keeper_undo(keeper_of(call), &change, (struct keeper_done){changed, call});
}

// ---- what was

static void got_history(void *arg, enum store_state state, const struct store_version *rows,
                        size_t count)
{
    struct admin_call *call = arg;

    for (size_t i = 0; i < count; i++)
        add_version(call, &rows[i]);
    admin_answer_store(call, state);
}

void policy_history(struct admin_call *call)
{
    uint64_t limit = 0;

    if (!admin_number(call, "limit", HISTORY_DEFAULT, &limit))
        return;
    if (limit == 0 || limit > STORE_VERSIONS_MAX)
        limit = STORE_VERSIONS_MAX; // no more are kept
    store_policy_history(call->server->store, 0, (size_t)limit,
                         (struct store_history_done){got_history, call});
}

// ---- showing one

static void answer_shown(struct admin_call *call, const struct store_version *version,
                         const void *bytes, size_t len)
{
    add_version(call, version);
    call->document = bytes;
    call->document_bytes = len;
    admin_answer(call);
}

struct shown {
    struct admin_call *call;
    struct store_version version;
};

static void got_document(void *arg, enum store_state state, void *bytes, size_t len)
{
    struct shown *shown = arg;

    if (state != STORE_UP)
        admin_answer_store(shown->call, state);
    else if (bytes == NULL)
        admin_refuse(shown->call,
                     "the store does not have the document of version %" PRIu64 " any more",
                     shown->version.version);
    else
        answer_shown(shown->call, &shown->version, bytes, len);
    mem_free(bytes);
}

static void got_versions(void *arg, enum store_state state, const struct store_version *rows,
                         size_t count)
{
    struct shown *shown = arg;

    for (size_t i = 0; i < count; i++) {
        if (rows[i].version != shown->version.version)
            continue;
        shown->version = rows[i];
        store_policy_fetch(shown->call->server->store, rows[i].document,
                           (struct store_document_done){got_document, shown});
        return;
    }
    if (state != STORE_UP)
        admin_answer_store(shown->call, state);
    else
        admin_refuse(shown->call,
                     "version %" PRIu64
                     " is not kept any more, or was never there (policy history)",
                     shown->version.version);
}

void policy_show(struct admin_call *call)
{
    struct keeper_status status;
    struct shown *shown = NULL;
    uint64_t version = 0;

    keeper_status(keeper_of(call), &status);
    if (!admin_number(call, "version", status.in_force->version, &version))
        return;
    if (version == 0) {
        admin_refuse(
            call, "no policy set was ever applied; what is in force are the files of reeve.yaml");
        return;
    }
    if (version == status.in_force->version) {
        const struct document *document = keeper_document(keeper_of(call));

        answer_shown(call, status.in_force, document->bytes, document->len);
        return;
    }
    shown = arena_zalloc(&call->seat->arena, sizeof(*shown));
    if (shown == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    shown->call = call;
    shown->version.version = version;
    store_policy_history(call->server->store, 0, STORE_VERSIONS_MAX,
                         (struct store_history_done){got_versions, shown});
}

// ---- what changes

// Two sets, each found by its document's name or its version.
struct comparison {
    struct admin_call *call;
    uint64_t version[2];  // after, before; 0 = not by version
    const char *document; // after
    struct policy_hold *set[2];
    unsigned which; // that is looked for
};

static void comparison_end(struct comparison *comparison)
{
    hold_release(&comparison->set[0]);
    hold_release(&comparison->set[1]);
}

static void compared(void *arg, const struct report *report)
{
    struct comparison *comparison = arg;
    struct admin_call *call = comparison->call;

    comparison_end(comparison);
    if (report == NULL) {
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, "the node is leaving");
        return;
    }
    for (size_t i = 0; i < report->count; i++) {
        const struct report_row *row = &report->row[i];

        rows_add(&call->rows);
        rows_field(&call->rows, "change", "%s", row->kind);
        rows_field(&call->rows, "what", "%s", row->what);
        rows_field(&call->rows, "before", "%s", row->before);
        rows_field(&call->rows, "after", "%s", row->after);
        add_place(call, row);
    }
    if (report->left_out > 0) {
        rows_add(&call->rows);
        rows_field(&call->rows, "change", "changed");
        rows_field(&call->rows, "what", "%zu more that are not listed", report->left_out);
    }
    admin_answer(call);
}

static void find_set(struct comparison *comparison);

static void got_set(void *arg, const struct set *set)
{
    struct comparison *comparison = arg;
    struct admin_call *call = comparison->call;

    if (set->state == SET_READY) {
        comparison->set[comparison->which++] = hold_take(set->hold);
        find_set(comparison);
        return;
    }
    comparison_end(comparison);
    if (set->err == ERR_UNAVAILABLE)
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, set->why);
    else
        admin_refuse(call, "document %s: %s", set->name, set->why);
}

static void got_version(void *arg, enum store_state state, const struct store_version *rows,
                        size_t count)
{
    struct comparison *comparison = arg;
    struct admin_call *call = comparison->call;
    uint64_t version = comparison->version[comparison->which];

    for (size_t i = 0; i < count; i++) {
        if (rows[i].version != version)
            continue;
        keeper_get(keeper_of(call), rows[i].document, (struct set_done){got_set, comparison});
        return;
    }
    comparison_end(comparison);
    if (state != STORE_UP)
        admin_answer_store(call, state);
    else
        admin_refuse(
            call, "version %" PRIu64 " is not kept any more, or was never there (policy history)",
            version);
}

static void find_set(struct comparison *comparison)
{
    struct admin_call *call = comparison->call;
    unsigned which = comparison->which;

    if (which == 0 && comparison->document[0] != '\0')
        keeper_get(keeper_of(call), comparison->document, (struct set_done){got_set, comparison});
    else if (which < 2 && comparison->version[which] != 0)
        store_policy_history(call->server->store, comparison->version[which] + 1, 1,
                             (struct store_history_done){got_version, comparison});
    else
        keeper_diff(keeper_of(call), comparison->set[1], comparison->set[0],
                    (struct report_done){compared, comparison});
}

void policy_diff_sets(struct admin_call *call)
{
    struct comparison *comparison = arena_zalloc(&call->seat->arena, sizeof(*comparison));

    if (comparison == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    comparison->call = call;
    comparison->document = admin_arg(call, "document");
    if (!admin_number(call, "version", 0, &comparison->version[0]) ||
        !admin_number(call, "against", 0, &comparison->version[1]))
        return;
    if ((comparison->document[0] != '\0') == (comparison->version[0] != 0))
        admin_refuse(call, "policy.diff needs a document or a version, and not both");
    else if (comparison->document[0] != '\0' && !store_is_document_name(comparison->document))
        admin_refuse(call,
                     "document: expected the 32 hex digits that policy.stage gave, not '%.64s'",
                     comparison->document);
    else
        find_set(comparison);
}

// ---- how it is

static void add_node(struct admin_call *call, const struct store_node *node)
{
    rows_add(&call->rows);
    rows_field(&call->rows, "node", "%s", node->name);
    rows_field(&call->rows, "version", "%" PRIu64, node->version);
    rows_field(&call->rows, "document", "%s", node->document);
    rows_field(&call->rows, "state", "%s", node->state);
    rows_field(&call->rows, "error", "%s", node->error);
    rows_time(&call->rows, "seen", node->seen_ms);
}

// This node knows better how it is itself; while the store is away it knows of nobody else.
static void got_nodes(void *arg, enum store_state state, const struct store_node *rows,
                      size_t count)
{
    struct admin_call *call = arg;
    struct store_node own;

    keeper_row(keeper_of(call), &own);
    own.seen_ms = admin_now_ms(call);
    if (state != STORE_UP && own.error[0] == '\0')
        (void)snprintf(own.error, sizeof(own.error),
                       "the store is %s: nothing is known of other nodes", store_state_text(state));
    add_node(call, &own);
    for (size_t i = 0; i < count; i++)
        if (strcmp(rows[i].name, own.name) != 0)
            add_node(call, &rows[i]);
    admin_answer(call);
}

void policy_status(struct admin_call *call)
{
    store_policy_nodes(call->server->store, (struct store_nodes_done){got_nodes, call});
}
