// managed.c: managed.add, managed.del, managed.list, managed.users: entries of personal lists, one at a time, and what
// there is. What takes the place of an entry, or is removed, is told with what it was; a dry run tells the same and
// changes nothing.
#include "node/verbs/managed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LIST_DEFAULT = 100, LIST_MOST = 500 };
#define SPAN_MOST_MS (100ULL * 366 * 24 * 3600 * 1000)

// One question under way, behind its call.
struct managed_call {
    struct admin_call *call;
    void (*then)(struct managed_call *work); // when the mailbox is known
    bool is_unknown;                         // the directory does not have it
    struct managed managed;
};

static struct managed_call *work_new(struct admin_call *call)
{
    struct managed_call *work = arena_zalloc(&call->seat->arena, sizeof(*work));

    if (work == NULL)
        admin_refuse(call, "the request leaves no room to work on it");
    else
        work->call = call;
    return work;
}

// ---- whose list

static void settled(void *arg, uint64_t token, enum store_state state)
{
    struct managed_call *work = arg;

    (void)token;
    if (state != STORE_UP) {
        admin_answer_store(work->call, state);
        return;
    }
    work->is_unknown = !managed_settle_user(&work->managed);
    work->then(work);
}

static void find_mailbox(struct managed_call *work, void (*then)(struct managed_call *work))
{
    struct managed *managed = &work->managed;
    struct err_detail detail = {.text = ""};

    if (managed_read_user(work->call, admin_arg(work->call, "user"), &work->call->seat->arena,
                          managed, &detail) != ERR_NONE) {
        admin_refuse(work->call, "%s", detail.text);
        return;
    }
    work->then = then;
    if (managed->asked.directory.version != 0)
        store_read_person(work->call->server->store, &managed->asked,
                          (struct store_done){.fn = settled, .arg = work});
    else
        then(work);
}

// ---- rows

static void add_entry(struct rows *rows, const char *pattern, const struct person_entry *entry)
{
    rows_field(rows, "pattern", "%s", pattern);
    rows_field(rows, "action", "%s", managed_action_text(entry->action));
    rows_time(rows, "until", entry->until_ms);
    rows_time(rows, "since", entry->since_ms);
    rows_field(rows, "owner", "%s", entry->by);
    rows_field(rows, "note", "%s", entry->note);
}

static const char *action_text(const struct store_list_entry *stored)
{
    if (!stored->was_there)
        return "";
    return stored->was.action == PERSON_NONE ? "unreadable"
                                             : managed_action_text(stored->was.action);
}

// What the entry took the place of.
static void add_replaced(struct rows *rows, const struct store_list_entry *stored)
{
    rows_field(rows, "replaced", "%s", action_text(stored));
    rows_time(rows, "replaced_until", stored->was.until_ms);
    rows_time(rows, "replaced_since", stored->was.since_ms);
    rows_field(rows, "replaced_owner", "%s", stored->was.by);
    rows_field(rows, "replaced_note", "%s", stored->was.note);
}

// ---- adding

static void added(void *arg, uint64_t token, enum store_state state)
{
    struct managed_call *work = arg;
    struct admin_call *call = work->call;
    const struct store_list_entry *stored = &work->managed.stored;
    char text[256];

    (void)token;
    if (state != STORE_UP && stored->is_written) {
        (void)snprintf(text, sizeof(text),
                       "it holds from now on, but the mailbox may not be among those that have a "
                       "list (the store is %s): do it again",
                       store_state_text(state));
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
        return;
    }
    rows_add(&call->rows);
    rows_field(&call->rows, "user", "%s", stored->mailbox);
    rows_field(&call->rows, "unknown", "%s", work->is_unknown ? "true" : "");
    add_entry(&call->rows, stored->pattern, &stored->entry);
    add_replaced(&call->rows, stored);
    admin_answer_store(call, state);
}

static void add(struct managed_call *work)
{
    struct store *store = work->call->server->store;
    const struct store_done done = {.fn = added, .arg = work};

    if (work->call->seat->request.admin.dry_run)
        store_list_read(store, &work->managed.stored, done);
    else
        store_list_write(store, &work->managed.stored, done);
}

// Until a moment, or for so long from now; neither = for ever.
static bool read_until(struct admin_call *call, struct person_entry *entry)
{
    uint64_t span_ms = 0;

    entry->since_ms = admin_now_ms(call);
    if (!admin_number(call, "until", 0, &entry->until_ms) ||
        !admin_number(call, "for", 0, &span_ms))
        return false;
    if (entry->until_ms != 0 && span_ms != 0)
        admin_refuse(call, "expected one of until and for");
    else if (entry->until_ms != 0 && entry->until_ms < entry->since_ms)
        admin_refuse(call, "until: that moment is over");
    else if (span_ms > SPAN_MOST_MS)
        admin_refuse(call, "for: expected at most a hundred years in ms");
    else {
        if (span_ms > 0)
            entry->until_ms = entry->since_ms + span_ms;
        return true;
    }
    return false;
}

void managed_add(struct admin_call *call)
{
    struct managed_call *work = work_new(call);
    struct err_detail detail = {.text = ""};

    if (work == NULL)
        return;
    struct managed *managed = &work->managed;

    if (managed_read_pattern(admin_arg(call, "pattern"), &call->seat->arena, managed, &detail) !=
            ERR_NONE ||
        managed_read_action(admin_arg(call, "action"), managed, &detail) != ERR_NONE ||
        managed_read_by(admin_arg(call, "by"), managed, &detail) != ERR_NONE ||
        managed_read_note(admin_arg(call, "note"), managed, &detail) != ERR_NONE) {
        admin_refuse(call, "%s", detail.text);
        return;
    }
    if (read_until(call, &managed->stored.entry))
        find_mailbox(work, add);
}

// ---- removing

static void removed(void *arg, uint64_t token, enum store_state state)
{
    struct managed_call *work = arg;
    struct admin_call *call = work->call;
    const struct store_list_entry *stored = &work->managed.stored;

    (void)token;
    if (stored->was_there && (state == STORE_UP || stored->is_written)) {
        rows_add(&call->rows);
        rows_field(&call->rows, "user", "%s", stored->mailbox);
        add_entry(&call->rows, stored->pattern, &stored->was);
    }
    // What is removed is removed, whoever still believes that the mailbox has a list.
    admin_answer_store(call, stored->is_written ? STORE_UP : state);
}

static void del(struct managed_call *work)
{
    struct store *store = work->call->server->store;
    const struct store_done done = {.fn = removed, .arg = work};

    if (work->call->seat->request.admin.dry_run)
        store_list_read(store, &work->managed.stored, done);
    else
        store_list_remove(store, &work->managed.stored, done);
}

void managed_del(struct admin_call *call)
{
    struct managed_call *work = work_new(call);
    struct err_detail detail = {.text = ""};

    if (work == NULL)
        return;
    if (managed_read_pattern(admin_arg(call, "pattern"), &call->seat->arena, &work->managed,
                             &detail) != ERR_NONE)
        admin_refuse(call, "%s", detail.text);
    else
        find_mailbox(work, del);
}

// ---- listing

static void listed(void *arg, enum store_state state, const struct store_listed *rows, size_t count,
                   uint64_t next)
{
    struct managed_call *work = arg;
    struct admin_call *call = work->call;
    const uint64_t now_ms = admin_now_ms(call);

    for (size_t i = 0; i < count; i++) {
        const struct person_entry *entry = &rows[i].entry;

        rows_add(&call->rows);
        rows_field(&call->rows, "user", "%s", work->managed.stored.mailbox);
        add_entry(&call->rows, rows[i].name, entry);
        rows_field(&call->rows, "over", "%s",
                   entry->until_ms != 0 && entry->until_ms < now_ms ? "true" : "");
    }
    admin_next(call, next);
    admin_answer_store(call, state);
}

static void list(struct managed_call *work)
{
    uint64_t from = 0;
    size_t limit = 0;

    if (admin_page(work->call, LIST_DEFAULT, LIST_MOST, &from, &limit))
        store_list(work->call->server->store, work->managed.stored.mailbox, from, limit,
                   (struct store_listed_done){listed, work});
}

void managed_list(struct admin_call *call)
{
    struct managed_call *work = work_new(call);

    if (work != NULL)
        find_mailbox(work, list);
}

static void users_listed(void *arg, enum store_state state, const struct store_listed *rows,
                         size_t count, uint64_t next)
{
    struct admin_call *call = arg;

    for (size_t i = 0; i < count; i++) {
        rows_add(&call->rows);
        rows_field(&call->rows, "user", "%s", rows[i].name);
    }
    admin_next(call, next);
    admin_answer_store(call, state);
}

void managed_users(struct admin_call *call)
{
    uint64_t from = 0;
    size_t limit = 0;

    if (admin_page(call, LIST_DEFAULT, LIST_MOST, &from, &limit))
        store_lists(call->server->store, from, limit,
                    (struct store_listed_done){users_listed, call});
}
