// keeper.c: which policy set is in force. Promises: there always is one; it changes in one step, on the loop; what
// cannot be read, fetched or compiled changes nothing and is said once.
#include "node/keeper/keeper.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/keeper/inside.h"
#include "node/policy/set.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "proto/text.h"

#define COPY_NAME "policy.set"

const char *keeper_state_word(enum keeper_state state)
{
    static const char *const words[] = {
#define KEEPER_STATE_WORD(name, word) [KEEPER_##name] = (word),
        KEEPER_STATE_LIST(KEEPER_STATE_WORD)
#undef KEEPER_STATE_WORD
    };

    return words[state];
}

const char *keeper_version_text(const struct store_version *version, char out[KEEPER_VERSION_TEXT])
{
    time_t seconds = (time_t)(version->at_ms / 1000);
    struct tm tm = {.tm_year = 0};
    char when[32] = "";

    if (version->at_ms / 1000 < 1ULL << 37 && gmtime_r(&seconds, &tm) != NULL)
        (void)strftime(when, sizeof(when), "%Y-%m-%dT%H:%M:%SZ", &tm);
    (void)snprintf(out, KEEPER_VERSION_TEXT, "version %" PRIu64 " (%s%s%s)", version->version,
                   version->by, version->by[0] != '\0' ? ", " : "", when);
    return out;
}

// ---- life

struct keeper *keeper_new(const struct keeper_config *config, struct stats *stats)
{
    struct keeper *keeper = mem_new(sizeof(*keeper));

    keeper->config = *config;
    keeper->stats = stats;
    if (config->state_dir[0] != '\0')
        keeper->path = mem_format("%s/" COPY_NAME, config->state_dir);
    return keeper;
}

// The copy, if it can be used.
static void load_copy(struct keeper *keeper)
{
    struct err_detail detail = {""};
    enum err err = copy_load(keeper->path, &keeper->first, &detail);

    if (err == ERR_NOT_FOUND)
        return;
    if (err == ERR_NONE)
        err = document_compile(keeper->first->document, &keeper->first_policy, &detail);
    if (err == ERR_NONE)
        return;
    copy_free(&keeper->first);
    log_error("this node's copy of the policy set cannot be used, the policy files count until the "
              "store is "
              "reached path=%s why=\"%s\"",
              keeper->path, detail.text);
}

enum err keeper_load(struct keeper *keeper, struct err_detail *detail)
{
    if (keeper->path != NULL)
        load_copy(keeper);
    if (keeper->first_policy != NULL)
        return ERR_NONE;
    return keeper->config.load(keeper->config.load_arg, &keeper->first_policy, detail);
}

static void begin_with_copy(struct keeper *keeper)
{
    struct copy *copy = keeper->first;
    char text[KEEPER_VERSION_TEXT];

    keeper->version = copy->version;
    keeper->document = document_hold(copy->document);
    memcpy(keeper->was, copy->was, sizeof(keeper->was));
    keeper->was_count = copy->was_count;
    keeper->in_force->policy->version = copy->version.version;
    sets_put(&keeper->sets, keeper->document, hold_take(keeper->in_force));
    sets_force(&keeper->sets, keeper->document->name);
    log_info("policy set out of this node's own copy: %s; the policy files are not read",
             keeper_version_text(&keeper->version, text));
    for (size_t i = 0; i < copy->since_count; i++)
        store_declared_learn(keeper->store, copy->since[i].domain, copy->since[i].at_ms);
    copy_free(&keeper->first);
}

static void heard_tip(void *arg, const struct store_version *tip, bool is_held)
{
    keeper_tip(arg, tip, is_held);
}

static void is_prepared(void *arg, const struct set *set)
{
    if (set->state == SET_FAILED && set->err != ERR_UNAVAILABLE)
        log_warn("a staged policy set cannot be prepared document=%s why=\"%s\"", set->name,
                 set->why);
    keeper_beat(arg);
}

static void heard_staged(void *arg, const char *document)
{
    struct keeper *keeper = arg;

    if (!keeper->is_stopped)
        sets_get(&keeper->sets, document, (struct set_done){is_prepared, keeper});
}

// Also: what is over its time goes, and what was learnt of domains is kept.
static void beat_is_due(void *arg)
{
    struct keeper *keeper = arg;

    keeper_beat(keeper);
    sets_tidy(&keeper->sets);
    if (store_declared_changes(keeper->store) != keeper->saved_since)
        keeper_save(keeper);
}

void keeper_start(struct keeper *keeper, struct loop *loop, struct store *store,
                  struct keeper_calls calls)
{
    keeper->loop = loop;
    keeper->store = store;
    keeper->calls = calls;
    sets_begin(&keeper->sets, loop, store);
    keeper->in_force = hold_new(keeper->first_policy, loop);
    keeper->first_policy = NULL;
    if (keeper->first != NULL)
        begin_with_copy(keeper);
    keeper->tick = loop_timer_new(loop, beat_is_due, keeper);
    loop_timer_set(keeper->tick, KEEPER_BEAT_MS, KEEPER_BEAT_MS);
    calls.in_force(calls.arg, hold_take(keeper->in_force));
    store_policy_follow(store, (struct store_policy_calls){heard_tip, heard_staged, keeper});
}

void keeper_leave(struct keeper *keeper)
{
    keeper->has_left = true;
    store_policy_leave(keeper->store);
}

void keeper_free(struct keeper **keeper)
{
    if (*keeper == NULL)
        return;
    copy_free(&(*keeper)->first);
    policy_free(&(*keeper)->first_policy);
    hold_release(&(*keeper)->in_force);
    document_release(&(*keeper)->document);
    mem_free((*keeper)->path);
    mem_free(*keeper);
    *keeper = NULL;
}

// ---- how it is

static enum keeper_state state_of(const struct keeper *keeper)
{
    if (keeper->wanted.version != 0)
        return keeper->is_refused ? KEEPER_REFUSED : KEEPER_PREPARING;
    return keeper->version.version != 0 ? KEEPER_IN_FORCE : KEEPER_FILES;
}

void keeper_status(const struct keeper *keeper, struct keeper_status *out)
{
    *out = (struct keeper_status){.state = state_of(keeper),
                                  .in_force = &keeper->version,
                                  .newest = keeper_base(keeper),
                                  .error = keeper->is_refused ? keeper->why : ""};
}

void keeper_row(const struct keeper *keeper, struct store_node *out)
{
    size_t ready = 0;

    *out = (struct store_node){.version = keeper->version.version};
    (void)snprintf(out->name, sizeof(out->name), "%s", keeper->config.node);
    (void)snprintf(out->state, sizeof(out->state), "%s", keeper_state_word(state_of(keeper)));
    (void)snprintf(out->error, sizeof(out->error), "%s", keeper->is_refused ? keeper->why : "");
    memcpy(out->document, keeper->version.document, sizeof(out->document));
    for (const struct set *set = keeper->sets.first; set != NULL; set = set->next)
        if ((set->state == SET_READY || set->state == SET_FAILED) && ready < STORE_NODE_READY_MAX)
            memcpy(out->ready[ready++], set->name, sizeof(set->name));
}

void keeper_beat(struct keeper *keeper)
{
    struct store_node row;

    if (keeper->is_stopped || keeper->has_left)
        return;
    keeper_row(keeper, &row);
    store_policy_beat(keeper->store, &row);
}

uint64_t keeper_base(const struct keeper *keeper)
{
    return keeper->has_tip && keeper->tip.version != 0 ? keeper->tip.version
                                                       : keeper->version.version;
}

const struct document *keeper_document(const struct keeper *keeper)
{
    return keeper->document;
}

struct policy_hold *keeper_find(const struct keeper *keeper, const char *document)
{
    const struct set *set = sets_find(&keeper->sets, document);

    return set != NULL ? set->hold : NULL;
}

void keeper_get(struct keeper *keeper, const char *document, struct set_done done)
{
    sets_get(&keeper->sets, document, done);
}

void keeper_diff(struct keeper *keeper, struct policy_hold *before, struct policy_hold *after,
                 struct report_done done)
{
    report_diff(&keeper->reports, keeper->loop, before != NULL ? before : keeper->in_force, after,
                done);
}

// ---- what is in force

static void remember(struct keeper *keeper, const struct store_version *version)
{
    struct copy_was *was = keeper->was;
    size_t kept = keeper->was_count;

    if (kept == STORE_VERSIONS_MAX)
        kept--;
    memmove(was + 1, was, kept * sizeof(*was));
    was[0] = (struct copy_was){.version = version->version, .at_ms = version->at_ms};
    memcpy(was[0].document, version->document, sizeof(was[0].document));
    keeper->was_count = kept + 1;
}

// What came after that version, or instead of it, never was.
static void forget_later(struct keeper *keeper, uint64_t version)
{
    size_t later = 0;

    while (later < keeper->was_count && keeper->was[later].version >= version)
        later++;
    keeper->was_count -= later;
    memmove(keeper->was, keeper->was + later, keeper->was_count * sizeof(*keeper->was));
}

bool keeper_knows(const struct keeper *keeper, const struct store_version *version)
{
    for (size_t i = 0; i < keeper->was_count; i++)
        if (keeper->was[i].version == version->version)
            return keeper->was[i].at_ms == version->at_ms &&
                   strcmp(keeper->was[i].document, version->document) == 0;
    return false;
}

static void got_history(void *arg, enum store_state state, const struct store_version *rows,
                        size_t count)
{
    struct keeper *keeper = arg;

    if (state != STORE_UP || keeper->is_stopped || count == 0 ||
        rows[0].version >= keeper->version.version)
        return;
    keeper->was_count = 0;
    for (size_t i = count; i > 0; i--)
        remember(keeper, &rows[i - 1]);
    keeper_save(keeper);
}

void keeper_switch(struct keeper *keeper, const struct store_version *version,
                   const struct set *set)
{
    const struct store_version before = keeper->version;
    char text[KEEPER_VERSION_TEXT];

    if (version->version > before.version && before.version != 0)
        remember(keeper, &before);
    forget_later(keeper, version->version);
    keeper->version = *version;
    keeper->wanted.version = 0;
    keeper->is_refused = false;
    if (keeper->tip.version < version->version)
        keeper->tip = *version;
    document_release(&keeper->document);
    keeper->document = document_hold(set->document);
    hold_release(&keeper->in_force);
    keeper->in_force = hold_take(set->hold);
    keeper->in_force->policy->version = version->version;
    sets_force(&keeper->sets, set->name);
    keeper->stats->reloads++;
    keeper->calls.in_force(keeper->calls.arg, hold_take(keeper->in_force));
    log_info("policy set in force: %s document=%s policies=%" PRIu64 "%s",
             keeper_version_text(version, text), version->document, version->policies,
             before.version == 0 ? "; from now on the policy files are not read" : "");
    keeper_beat(keeper);
    keeper_save(keeper);
    if (version->version != before.version + 1 && version->version > 1)
        store_policy_history(keeper->store, version->version, STORE_VERSIONS_MAX,
                             (struct store_history_done){got_history, keeper});
}

// ---- following

static bool is_same(const struct store_version *one, const struct store_version *other)
{
    return one->version == other->version && one->at_ms == other->at_ms &&
           strcmp(one->document, other->document) == 0;
}

static void refuse(struct keeper *keeper, const struct set *set)
{
    bool is_news = !keeper->is_refused || strcmp(keeper->why, set->why) != 0;
    char text[KEEPER_VERSION_TEXT];

    keeper->is_refused = true;
    (void)text_clean(keeper->why, STORE_NODE_ERROR_MAX, set->why, strlen(set->why));
    if (!is_news)
        return;
    keeper->stats->reload_errors++;
    log_error("policy set cannot be used, the one in force stays: %s in_force=%" PRIu64
              " why=\"%s\"",
              keeper_version_text(&keeper->wanted, text), keeper->version.version, keeper->why);
    keeper_beat(keeper);
}

static void wanted_came(void *arg, const struct set *set)
{
    struct keeper *keeper = arg;
    const struct store_version wanted = keeper->wanted;

    if (keeper->is_stopped || wanted.version == 0 || strcmp(set->name, wanted.document) != 0)
        return; // another one is newer by now
    if (set->state == SET_READY)
        keeper_switch(keeper, &wanted, set);
    else if (set->err == ERR_UNAVAILABLE)
        keeper->wanted.version = 0; // it is looked at again when the store is
    else
        refuse(keeper, set);
}

static void want(struct keeper *keeper, const struct store_version *tip)
{
    bool is_tried = is_same(&keeper->wanted, tip);
    const struct set *set = sets_find(&keeper->sets, tip->document);

    // What was found to be wrong stays so; a document that was not there may have come.
    if (is_tried && (!keeper->is_refused || (set != NULL && set->state == SET_FAILED)))
        return;
    if (!is_tried)
        keeper->is_refused = false;
    keeper->wanted = *tip;
    sets_get(&keeper->sets, tip->document, (struct set_done){wanted_came, keeper});
}

void keeper_tip(struct keeper *keeper, const struct store_version *tip, bool is_held)
{
    if (keeper->is_stopped)
        return;
    keeper->tip = *tip;
    if (!keeper->has_tip)
        keeper_beat(keeper); // it is counted on from now on
    keeper->has_tip = true;
    if (is_same(tip, &keeper->version)) {
        keeper->wanted.version = 0;
        if (tip->version != 0 && !is_held)
            keeper_offer(keeper); // its document is lost
        return;
    }
    if (tip->version == 0 || (tip->version < keeper->version.version && keeper_knows(keeper, tip)))
        keeper_offer(keeper);
    else
        want(keeper, tip);
}

// ---- files

enum { ASKING_MAX = 8 };

// Who wants the files read.
struct asking {
    struct keeper_done done[ASKING_MAX];
    size_t count;
};

// One reading of them. Whoever asks meanwhile has the next one: what he changed may have been read already.
struct loading {
    struct keeper *keeper;
    struct loop_work *work;
    enum err (*load)(void *load_arg, struct policy **out, struct err_detail *detail);
    void *load_arg;
    struct policy *policy;
    enum err err;
    struct err_detail detail;
    struct asking now, next;
};

static void tell_done(struct keeper_done done, enum err err, const char *why)
{
    if (done.fn != NULL)
        done.fn(done.arg, &(struct keeper_answer){.err = err, .why = why});
}

static void tell_all(struct asking *asking, enum err err, const char *why)
{
    for (size_t i = 0; i < asking->count; i++)
        tell_done(asking->done[i], err, why);
    asking->count = 0;
}

static void load_files(void *arg)
{
    struct loading *loading = arg;

    loading->err = loading->load(loading->load_arg, &loading->policy, &loading->detail);
}

static void force_files(struct keeper *keeper, struct policy *policy)
{
    hold_release(&keeper->in_force);
    keeper->in_force = hold_new(policy, keeper->loop);
    keeper->stats->reloads++;
    keeper->calls.in_force(keeper->calls.arg, hold_take(keeper->in_force));
    log_info("policy reloaded version=%" PRIu64 " domains=%zu policies=%zu mode=%s",
             policy->version, policy->domain_count, policy->rule_count,
             policy->settings.greylist.mode == POLICY_SHADOW ? "shadow" : "enforce");
}

// Why the files do not count; "" if they do.
enum { UNREAD_TEXT = KEEPER_VERSION_TEXT + 128 };
static const char *files_unread(const struct keeper *keeper, char out[UNREAD_TEXT])
{
    char version[KEEPER_VERSION_TEXT];

    out[0] = '\0';
    if (keeper->version.version != 0)
        (void)snprintf(out, UNREAD_TEXT,
                       "%s is in force and the policy files are not read: change it with reevectl "
                       "policy apply",
                       keeper_version_text(&keeper->version, version));
    return out;
}

static void begin_loading(struct keeper *keeper, const struct asking *asking);

// The set that was read, in force or freed.
static void take_files(struct keeper *keeper, struct loading *loading)
{
    char unread[UNREAD_TEXT];

    if (loading->err != ERR_NONE) {
        keeper->stats->reload_errors++;
        log_error("policy not reloaded, the one in force stays: %s", loading->detail.text);
        tell_all(&loading->now, loading->err, loading->detail.text);
    } else if (files_unread(keeper, unread)[0] != '\0') {
        policy_free(&loading->policy); // a version came meanwhile
        tell_all(&loading->now, ERR_CONFLICT, unread);
    } else {
        force_files(keeper, loading->policy);
        tell_all(&loading->now, ERR_NONE, "");
    }
}

static void files_are_loaded(void *arg, bool wanted)
{
    struct loading *loading = arg;
    struct keeper *keeper = loading->keeper;

    if (!wanted) {
        policy_free(&loading->policy);
    } else {
        keeper->loading = NULL;
        take_files(keeper, loading);
        if (loading->next.count > 0)
            begin_loading(keeper, &loading->next);
    }
    mem_free(loading);
}

static void begin_loading(struct keeper *keeper, const struct asking *asking)
{
    struct loading *loading = mem_new(sizeof(*loading));
    struct loop_work *work = NULL;

    *loading = (struct loading){.keeper = keeper,
                                .load = keeper->config.load,
                                .load_arg = keeper->config.load_arg,
                                .now = *asking};
    keeper->loading = loading;
    work = loop_work_new(keeper->loop, load_files, files_are_loaded, loading);
    if (keeper->loading == loading) // else it is over
        loading->work = work;
}

static void stop_loading(struct keeper *keeper)
{
    struct loading *loading = keeper->loading;

    keeper->loading = NULL;
    if (loading == NULL)
        return;
    tell_all(&loading->now, ERR_UNAVAILABLE, "the node is leaving");
    tell_all(&loading->next, ERR_UNAVAILABLE, "the node is leaving");
    loop_work_free(&loading->work);
}

void keeper_reload(struct keeper *keeper, struct keeper_done done)
{
    struct asking first = {.done = {done}, .count = 1};
    char unread[UNREAD_TEXT];

    if (keeper->is_stopped) {
        tell_done(done, ERR_UNAVAILABLE, "the node is leaving");
    } else if (files_unread(keeper, unread)[0] != '\0') {
        log_info("policy not reloaded: %s", unread);
        tell_done(done, ERR_CONFLICT, unread);
    } else if (keeper->loading == NULL) {
        begin_loading(keeper, &first);
    } else if (keeper->loading->next.count < ASKING_MAX) {
        keeper->loading->next.done[keeper->loading->next.count++] = done;
    } else {
        tell_done(done, ERR_CONFLICT, "too many ask for it; the policy files are being read");
    }
}

void keeper_stop(struct keeper *keeper)
{
    if (keeper->is_stopped || keeper->store == NULL)
        return;
    keeper->is_stopped = true;
    loop_timer_free(&keeper->tick);
    stop_loading(keeper);
    loop_work_free(&keeper->saving);
    reports_stop(&keeper->reports);
    sets_end(&keeper->sets);
    changes_stop(keeper);
}
