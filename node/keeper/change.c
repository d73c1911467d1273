// change.c: what an operator does to the policy set, each a chain of questions that nobody waits in. Promises: who asked is
// told once; what is refused changed nothing; of two changes with one base exactly one is made, and the other learns by
// whom and when; while the store is away nothing is changed.
//
//     stage      compile -> store -> which version is the newest? -> lint
//     activate   newest == base? -> the set, compiled here -> is every node ready? (if not they are told again, and waited
//                for while they are seen) -> add it, switch
//     undo       which version was before? -> as activate
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "node/keeper/inside.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"

enum { LOOK_AGAIN_MS = 100, TELL_AGAIN_MS = 1000, WHY_MAX = 600 };

struct change {
    struct change *next;
    struct keeper *keeper;
    struct keeper_done done;
    bool is_undo;
    bool is_dry;
    uint64_t base, undone; // undone: the version whose document comes back
    char document[STORE_DOCUMENT_NAME];
    char by[STORE_BY_MAX + 1];
    char note[STORE_NOTE_MAX + 1];
    struct set set; // its document and its hold are held
    struct store_version row;
    struct loop_timer *timer; // of waiting for the nodes
    uint64_t until_ms;
    uint64_t tell_ms; // when they are told again
};

static struct change *change_new(struct keeper *keeper, struct keeper_done done)
{
    struct change *change = mem_new(sizeof(*change));

    change->keeper = keeper;
    change->done = done;
    change->next = keeper->changes;
    keeper->changes = change;
    return change;
}

static void change_end(struct change *change, const struct keeper_answer *answer)
{
    struct change **at = &change->keeper->changes;

    while (*at != change)
        at = &(*at)->next;
    *at = change->next;
    loop_timer_free(&change->timer);
    change->done.fn(change->done.arg, answer);
    hold_release(&change->set.hold);
    document_release(&change->set.document);
    mem_free(change);
}

static void refuse(struct change *change, enum err err, const char *fmt, ...) PRINTF_LIKE(3, 4);

static void refuse(struct change *change, enum err err, const char *fmt, ...)
{
    char why[WHY_MAX];
    va_list args;

    va_start(args, fmt);
    (void)vsnprintf(why, sizeof(why), fmt, args);
    va_end(args);
    change_end(change, &(struct keeper_answer){.err = err, .why = why});
}

static void refuse_store(struct change *change, enum store_state state)
{
    refuse(change, ERR_UNAVAILABLE, "the store is %s; nothing was changed",
           store_state_text(state));
}

// The set is the change's own from now on, whatever becomes of it in the table.
static void take_set(struct change *change, const struct set *set)
{
    change->set = *set;
    change->set.hold = hold_take(set->hold);
    change->set.document = document_hold(set->document);
}

// ---- staging

static void is_linted(void *arg, const struct report *report)
{
    struct change *change = arg;

    if (report == NULL)
        refuse(change, ERR_UNAVAILABLE, "the node is leaving");
    else
        change_end(change, &(struct keeper_answer){.why = "",
                                                   .findings = report,
                                                   .base = change->base,
                                                   .policy = change->set.hold->policy,
                                                   .document = change->set.name});
}

static void lint(struct change *change, uint64_t base)
{
    struct keeper *keeper = change->keeper;

    change->base = base;
    report_lint(&keeper->reports, keeper->loop, change->set.hold, store_now_ms(keeper->store),
                (struct report_done){is_linted, change});
}

// Asked now: what this node heard last may be a moment old.
static void base_is_known(void *arg, enum store_state state, const struct store_version *tip)
{
    struct change *change = arg;

    if (state != STORE_UP)
        refuse_store(change, state);
    else
        lint(change, tip->version != 0 ? tip->version : keeper_base(change->keeper));
}

static void is_stored(void *arg, uint64_t token, enum store_state state)
{
    struct change *change = arg;

    (void)token;
    if (state != STORE_UP)
        refuse_store(change, state);
    else
        store_policy_tip(change->keeper->store, (struct store_version_done){base_is_known, change});
}

static void is_compiled(void *arg, const struct set *set)
{
    struct change *change = arg;

    if (set->state == SET_FAILED) {
        refuse(change, set->err, "%s", set->why);
        return;
    }
    take_set(change, set);
    if (change->is_dry)
        lint(change, keeper_base(change->keeper));
    else
        store_policy_stage(change->keeper->store, set->name, change->set.document->bytes,
                           change->set.document->len, (struct store_done){is_stored, change, 0, 0});
}

void keeper_stage(struct keeper *keeper, const void *bytes, size_t len, bool dry,
                  struct keeper_done done)
{
    struct change *change = change_new(keeper, done);
    struct document *document = NULL;

    change->is_dry = dry;
    if (len == 0 || len > STORE_DOCUMENT_BYTES) {
        refuse(change, ERR_LIMIT, "a document has 1 to %u bytes, not %zu", STORE_DOCUMENT_BYTES,
               len);
        return;
    }
    document = document_new(bytes, len);
    sets_give(&keeper->sets, document, (struct set_done){is_compiled, change});
    document_release(&document);
}

// ---- activating

static void overtaken(struct change *change, const struct store_version *tip)
{
    char text[KEEPER_VERSION_TEXT];

    if (tip->version < change->base)
        refuse(change, ERR_CONFLICT,
               "nothing was changed: the newest version in the store is %" PRIu64 ", not %" PRIu64
               " (a store that lost versions gets them back from its nodes within a few seconds)",
               tip->version, change->base);
    else
        refuse(change, ERR_CONFLICT,
               "nothing was changed: %s came in between, based on the same version as this change "
               "or on a later one; "
               "look at what it changed, and apply yours again",
               keeper_version_text(tip, text));
}

static void is_activated(void *arg, enum store_activation end, enum store_state state,
                         const struct store_version *tip, bool unreplicated)
{
    struct change *change = arg;
    struct keeper *keeper = change->keeper;

    switch (end) {
    case STORE_ACTIVATED:
        if (keeper->version.version < change->row.version)
            keeper_switch(keeper, &change->row, &change->set);
        change_end(change, &(struct keeper_answer){.why = "",
                                                   .policy = change->set.hold->policy,
                                                   .document = change->set.name,
                                                   .version = &change->row,
                                                   .unreplicated = unreplicated});
        return;
    case STORE_OVERTAKEN:
        overtaken(change, tip);
        return;
    case STORE_MISSING:
        refuse(change, ERR_NOT_FOUND,
               "the store does not have document %s any more (staged ones are kept for an hour): "
               "stage it again",
               change->document);
        return;
    case STORE_FAILED:
        if (state == STORE_SLOW)
            refuse(change, ERR_UNAVAILABLE,
                   "the store did not answer: it is not known whether the change was made; "
                   "policy status tells when it is back");
        else
            refuse_store(change, state);
        return;
    }
}

static void activate(struct change *change)
{
    struct keeper *keeper = change->keeper;
    const struct policy *policy = change->set.hold->policy;
    struct store_version *row = &change->row;

    *row = (struct store_version){.version = change->base + 1,
                                  .at_ms = store_now_ms(keeper->store),
                                  .bytes = change->set.document->len,
                                  .hash = policy->hash,
                                  .policies = policy->rule_count};
    memcpy(row->by, change->by, sizeof(row->by));
    memcpy(row->note, change->note, sizeof(row->note));
    memcpy(row->document, change->set.name, sizeof(row->document));
    store_policy_activate(keeper->store, row, (struct store_activate_done){is_activated, change});
}

static void look_at_nodes(void *arg);

// Somebody has not heard of it: one that was not there when it was staged, or of a version that comes back.
static void is_told(void *arg, uint64_t token, enum store_state state)
{
    struct change *change = arg;

    (void)token;
    if (state != STORE_UP)
        refuse_store(change, state);
    else
        look_at_nodes(change);
}

static void tell_nodes(struct change *change)
{
    const struct set *set = &change->set;

    change->tell_ms = clock_mono_ms() + TELL_AGAIN_MS;
    store_policy_stage(change->keeper->store, set->name, set->document->bytes, set->document->len,
                       (struct store_done){is_told, change, 0, 0});
}

static bool has_looked(const struct store_node *node, const char *document)
{
    bool has = strcmp(node->document, document) == 0;

    for (size_t i = 0; i < STORE_NODE_READY_MAX; i++)
        has = has || strcmp(node->ready[i], document) == 0;
    return has;
}

static void got_nodes(void *arg, enum store_state state, const struct store_node *rows,
                      size_t count)
{
    struct change *change = arg;
    struct keeper *keeper = change->keeper;
    uint64_t now_ms = store_now_ms(keeper->store);
    bool all = true;

    if (state != STORE_UP) {
        refuse_store(change, state);
        return;
    }
    for (size_t i = 0; i < count && all; i++)
        all = rows[i].seen_ms + KEEPER_RECENT_MS < now_ms || has_looked(&rows[i], change->set.name);
    if (all || clock_mono_ms() >= change->until_ms) {
        activate(change);
        return;
    }
    if (clock_mono_ms() >= change->tell_ms) {
        tell_nodes(change);
        return;
    }
    if (change->timer == NULL)
        change->timer = loop_timer_new(keeper->loop, look_at_nodes, change);
    loop_timer_set(change->timer, LOOK_AGAIN_MS, 0);
}

static void look_at_nodes(void *arg)
{
    struct change *change = arg;

    store_policy_nodes(change->keeper->store, (struct store_nodes_done){got_nodes, change});
}

static void wait_for_nodes(struct change *change)
{
    change->until_ms = clock_mono_ms() + KEEPER_READY_MS;
    look_at_nodes(change);
}

static void is_ready(void *arg, const struct set *set)
{
    struct change *change = arg;

    if (set->state == SET_FAILED) {
        refuse(change, set->err, "nothing was changed: document %s: %s", set->name, set->why);
        return;
    }
    take_set(change, set);
    wait_for_nodes(change);
}

static void got_versions(void *arg, enum store_state state, const struct store_version *rows,
                         size_t count)
{
    struct change *change = arg;
    const struct store_version *found = NULL;

    if (state != STORE_UP) {
        refuse_store(change, state);
        return;
    }
    for (size_t i = 0; i < count && found == NULL; i++)
        if (change->undone == 0 || rows[i].version == change->undone)
            found = &rows[i];
    if (found == NULL && change->undone != 0) {
        refuse(change, ERR_NOT_FOUND,
               "version %" PRIu64 " is not kept any more, or was never there (policy history)",
               change->undone);
        return;
    }
    if (found == NULL) {
        refuse(change, ERR_NOT_FOUND, "there is no version before %" PRIu64 " to go back to",
               change->base);
        return;
    }
    if (change->note[0] == '\0')
        (void)snprintf(change->note, sizeof(change->note), "back to version %" PRIu64,
                       found->version);
    sets_get(&change->keeper->sets, found->document, (struct set_done){is_ready, change});
}

// A store that lost all is empty: then what this node has is the newest.
static bool is_base(const struct change *change, const struct store_version *tip)
{
    if (tip->version == 0)
        return change->base == change->keeper->version.version;
    return change->base == tip->version;
}

static void got_tip(void *arg, enum store_state state, const struct store_version *tip)
{
    struct change *change = arg;

    if (state != STORE_UP)
        refuse_store(change, state);
    else if (!is_base(change, tip))
        overtaken(change, tip);
    else if (change->is_undo)
        store_policy_history(change->keeper->store, change->undone == 0 ? change->base : 0,
                             change->undone == 0 ? 1 : STORE_VERSIONS_MAX,
                             (struct store_history_done){got_versions, change});
    else
        sets_get(&change->keeper->sets, change->document, (struct set_done){is_ready, change});
}

static void begin(struct keeper *keeper, const struct keeper_change *wanted, bool is_undo,
                  struct keeper_done done)
{
    struct change *change = change_new(keeper, done);

    change->is_undo = is_undo;
    change->base = wanted->base;
    change->undone = wanted->version;
    (void)snprintf(change->by, sizeof(change->by), "%s", wanted->by);
    (void)snprintf(change->note, sizeof(change->note), "%s", wanted->note);
    if (!is_undo)
        (void)snprintf(change->document, sizeof(change->document), "%s", wanted->document);
    store_policy_tip(keeper->store, (struct store_version_done){got_tip, change});
}

void keeper_activate(struct keeper *keeper, const struct keeper_change *change,
                     struct keeper_done done)
{
    begin(keeper, change, false, done);
}

void keeper_undo(struct keeper *keeper, const struct keeper_change *change, struct keeper_done done)
{
    begin(keeper, change, true, done);
}

// What waits for the store is told by it, and what waits for a set by the table of sets; what is left waits for its timer.
void changes_stop(struct keeper *keeper)
{
    while (keeper->changes != NULL)
        refuse(keeper->changes, ERR_UNAVAILABLE, "the node is leaving; nothing was changed");
}
