// sets.c: compiled policy sets. Promises: a document is fetched and compiled once, however many ask for it; nothing is
// compiled or freed on the loop; each who asks is told once; memory is bounded by SETS_READY_MAX sets beside the one in force
// and what is under way.
#include "node/keeper/sets.h"

#include <stdio.h>
#include <string.h>

#include "node/policy/set.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

struct set_waiter {
    struct set_waiter *next;
    struct set_done done;
};

void sets_begin(struct sets *sets, struct loop *loop, struct store *store)
{
    *sets = (struct sets){.loop = loop, .store = store};
}

struct set *sets_find(const struct sets *sets, const char *name)
{
    struct set *set = sets->first;

    while (set != NULL && strcmp(set->name, name) != 0)
        set = set->next;
    return set;
}

static void set_remove(struct sets *sets, struct set *set)
{
    struct set **at = &sets->first;

    while (*at != set)
        at = &(*at)->next;
    *at = set->next;
    loop_work_free(&set->work);
    hold_release(&set->hold);
    document_release(&set->document);
    mem_free(set);
}

static bool is_over(const struct set *set)
{
    return set->state == SET_READY || set->state == SET_FAILED;
}

// What nobody needs: over its time, or asked for longest ago of too many.
static void make_room(struct sets *sets)
{
    uint64_t now_ms = clock_mono_ms();
    unsigned ready = 0;
    struct set *oldest = NULL;

    for (struct set *set = sets->first, *next = NULL; set != NULL; set = next) {
        next = set->next;
        if (!is_over(set) || set->is_in_force)
            continue;
        if (set->until_ms < now_ms) {
            set_remove(sets, set);
            continue;
        }
        ready++;
        if (oldest == NULL || set->used < oldest->used)
            oldest = set;
    }
    if (ready <= SETS_READY_MAX)
        return;
    set_remove(sets, oldest);
    make_room(sets);
}

static struct set *set_new(struct sets *sets, const char *name)
{
    struct set *set = mem_new(sizeof(*set));

    (void)snprintf(set->name, sizeof(set->name), "%s", name);
    set->next = sets->first;
    sets->first = set;
    return set;
}

// Everybody who waits is told; whoever is told may ask for other sets, so the set itself may go meanwhile.
static void tell(struct sets *sets, struct set *set)
{
    struct set_waiter *waiter = set->waiters;
    bool is_kept =
        set->state == SET_READY || (set->err != ERR_NOT_FOUND && set->err != ERR_UNAVAILABLE);
    struct set told = *set;

    set->waiters = NULL;
    if (told.hold != NULL)
        (void)hold_take(told.hold);
    if (told.document != NULL)
        (void)document_hold(told.document);
    if (!is_kept)
        set_remove(sets, set); // the next who asks tries again
    while (waiter != NULL) {
        struct set_waiter *next = waiter->next;

        waiter->done.fn(waiter->done.arg, &told);
        mem_free(waiter);
        waiter = next;
    }
    hold_release(&told.hold);
    document_release(&told.document);
    make_room(sets);
}

static void fail(struct sets *sets, struct set *set, enum err err, const char *why)
{
    set->state = SET_FAILED;
    set->err = err;
    (void)snprintf(set->why, sizeof(set->why), "%s", why);
    tell(sets, set);
}

// ---- compiling

struct compilation {
    struct sets *sets;
    char name[STORE_DOCUMENT_NAME];
    struct document *document;
    // What came of it.
    struct policy *policy;
    enum err err;
    struct err_detail detail;
};

static void compile(void *arg)
{
    struct compilation *compilation = arg;

    compilation->err =
        document_compile(compilation->document, &compilation->policy, &compilation->detail);
}

static void is_compiled(void *arg, bool wanted)
{
    struct compilation *compilation = arg;
    struct compilation ended = *compilation;
    struct set *set = wanted ? sets_find(ended.sets, ended.name) : NULL;

    document_release(&compilation->document);
    mem_free(compilation);
    if (set == NULL) {
        policy_free(&ended.policy); // the node ends
        return;
    }
    set->work = NULL;
    if (ended.err != ERR_NONE) {
        fail(ended.sets, set, ended.err, ended.detail.text);
        return;
    }
    set->state = SET_READY;
    set->hold = hold_new(ended.policy, ended.sets->loop);
    tell(ended.sets, set);
}

static void begin_compiling(struct sets *sets, struct set *set, struct document *document)
{
    struct compilation *compilation = mem_new(sizeof(*compilation));
    struct loop_work *work = NULL;

    set->state = SET_COMPILING;
    set->document = document_hold(document);
    compilation->sets = sets;
    compilation->document = document_hold(document);
    memcpy(compilation->name, set->name, sizeof(set->name));
    work = loop_work_new(sets->loop, compile, is_compiled, compilation);
    set = sets_find(sets, document->name); // work without threads is over by now
    if (set != NULL && set->state == SET_COMPILING)
        set->work = work;
}

// ---- fetching

struct fetch {
    struct sets *sets;
    char name[STORE_DOCUMENT_NAME];
};

static void is_fetched(void *arg, enum store_state state, void *bytes, size_t len)
{
    struct fetch *fetch = arg;
    struct fetch ended = *fetch;
    struct set *set = sets_find(ended.sets, ended.name);
    struct document *document = bytes != NULL ? document_new(bytes, len) : NULL;
    char why[128];

    mem_free(fetch);
    mem_free(bytes);
    (void)snprintf(why, sizeof(why), "the store is %s", store_state_text(state));
    if (set == NULL || set->state != SET_FETCHING)
        ; // somebody gave it meanwhile
    else if (state != STORE_UP)
        fail(ended.sets, set, ERR_UNAVAILABLE, why);
    else if (document == NULL || strcmp(document->name, ended.name) != 0)
        fail(ended.sets, set, ERR_NOT_FOUND,
             "the store does not have this document, or not all of it");
    else
        begin_compiling(ended.sets, set, document);
    document_release(&document);
}

static void begin_fetching(struct sets *sets, struct set *set)
{
    struct fetch *fetch = mem_new(sizeof(*fetch));

    set->state = SET_FETCHING;
    fetch->sets = sets;
    memcpy(fetch->name, set->name, sizeof(set->name));
    store_policy_fetch(sets->store, set->name, (struct store_document_done){is_fetched, fetch});
}

// ---- the seam

static bool is_crowded(const struct sets *sets)
{
    unsigned count = 0;

    for (const struct set *set = sets->first; set != NULL; set = set->next)
        count++;
    return count >= SETS_MAX;
}

// document: NULL if the caller does not have it.
static void want(struct sets *sets, const char *name, struct document *document,
                 struct set_done done)
{
    struct set *set = sets_find(sets, name);
    struct set_waiter *waiter = NULL;
    bool is_new = set == NULL;

    if (sets->is_closing || (is_new && is_crowded(sets))) {
        struct set refused = {.state = SET_FAILED, .err = ERR_UNAVAILABLE};

        (void)snprintf(refused.name, sizeof(refused.name), "%s", name);
        (void)snprintf(refused.why, sizeof(refused.why), "%s",
                       sets->is_closing ? "the node is leaving"
                                        : "too many policy sets are being prepared");
        done.fn(done.arg, &refused);
        return;
    }
    if (is_new)
        set = set_new(sets, name);
    waiter = mem_new(sizeof(*waiter));
    *waiter = (struct set_waiter){.next = set->waiters, .done = done};
    set->waiters = waiter;
    set->used = ++sets->used;
    set->until_ms = clock_mono_ms() + STORE_STAGED_MS;
    if (is_new && document == NULL)
        begin_fetching(sets, set);
    else if (document != NULL && (is_new || set->state == SET_FETCHING))
        begin_compiling(sets, set, document);
    else if (is_over(set))
        tell(sets, set);
}

void sets_get(struct sets *sets, const char *name, struct set_done done)
{
    want(sets, name, NULL, done);
}

void sets_give(struct sets *sets, struct document *document, struct set_done done)
{
    want(sets, document->name, document, done);
}

void sets_put(struct sets *sets, struct document *document, struct policy_hold *hold)
{
    struct set *set = set_new(sets, document->name);

    set->state = SET_READY;
    set->document = document_hold(document);
    set->hold = hold;
    set->used = ++sets->used;
    set->until_ms = clock_mono_ms() + STORE_STAGED_MS;
}

void sets_tidy(struct sets *sets)
{
    make_room(sets);
}

void sets_force(struct sets *sets, const char *name)
{
    for (struct set *set = sets->first; set != NULL; set = set->next) {
        bool is_it = name != NULL && strcmp(set->name, name) == 0;

        if (set->is_in_force && !is_it)
            set->until_ms = clock_mono_ms() + STORE_STAGED_MS; // it may come back
        set->is_in_force = is_it;
    }
    make_room(sets);
}

void sets_end(struct sets *sets)
{
    sets->is_closing = true;
    for (struct set *set = sets->first; set != NULL; set = sets->first) {
        if (!is_over(set))
            fail(sets, set, ERR_UNAVAILABLE, "the node is leaving"); // and is removed
        else
            set_remove(sets, set);
    }
}
