// allow.c: allow.list, allow.show, allow.disable, allow.forget: to whom somebody has written, so that the answers are let
// through. Without a user they are about the whole organisation's (settings.auto_allow.scope org). What is disabled counts
// from then on, on every node, until the next mail is sent there. A dry run shows what would be, and changes nothing.
#include <string.h>

#include "node/verbs/admin.h"
#include "node/verbs/managed.h"

enum { LIST_DEFAULT = 100 };
static const char ORG[] = "org";

// ---- who and whom

// An address that an operator typed; false if it is none, and refused.
static bool read_address(struct admin_call *call, const char *key, struct mail_address *out)
{
    const char *text = admin_arg(call, key);

    if (mail_parse(text, &call->seat->arena, out) != ERR_NONE)
        admin_refuse(call, "%s: the address is too long", key);
    else if (out->flaw != MAIL_OK || out->null || out->domain[0] == '\0')
        admin_refuse(call, "%s: '%.320s' is no address: %s", key, text,
                     out->flaw != MAIL_OK ? mail_flaw_text(out->flaw)
                     : out->null          ? "it is empty"
                                          : "no domain");
    else
        return true;
    return false;
}

// One question under way; lives as long as its call.
struct allow_work {
    struct admin_call *call;
    struct store_allow
        *list; // the entry that is meant, and what stands behind it; NULL = all of a user's
    struct managed user;                   // whose
    void (*then)(struct allow_work *work); // when that is known
};

static void settle(struct allow_work *work)
{
    if (work->list != NULL && work->list->owner == NULL)
        work->list->owner = work->user.stored.mailbox;
    work->then(work);
}

static void asked_directory(void *arg, uint64_t token, enum store_state state)
{
    struct allow_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        admin_answer_store(work->call, state);
        return;
    }
    (void)managed_settle_user(&work->user);
    settle(work);
}

// find_owner: of an alias his mailbox, as for mail that comes in; then goes on.
static void find_owner(struct allow_work *work, void (*then)(struct allow_work *work))
{
    struct admin_call *call = work->call;
    struct managed *user = &work->user;
    struct err_detail detail = {.text = ""};

    work->then = then;
    if (work->list != NULL && work->list->owner != NULL) { // the organisation
        settle(work);
        return;
    }
    if (managed_read_user(call, admin_arg(call, "user"), &call->seat->arena, user, &detail) !=
        ERR_NONE)
        admin_refuse(call, "%s", detail.text);
    else if (user->asked.directory.version != 0)
        store_read_person(call->server->store, &user->asked,
                          (struct store_done){.fn = asked_directory, .arg = work});
    else
        settle(work);
}

// The entry that is meant, of the organisation or (NULL) of an owner that is to be found; NULL if there is none, and
// refused.
static struct store_allow *read_entry(struct admin_call *call)
{
    struct arena *arena = &call->seat->arena;
    struct store_allow *entry = arena_zalloc(arena, sizeof(*entry));
    char *part = arena_zalloc(arena, PERSON_ORG_OWNER_MAX);
    struct mail_address external;

    if (!read_address(call, "external", &external))
        return NULL;
    if (entry != NULL)
        entry->external = mail_sender_key(&external, false, arena);
    if (entry == NULL || part == NULL || entry->external == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return NULL;
    }
    person_org_owner(entry->external, part);
    entry->owner = admin_arg(call, "user")[0] == '\0' ? part : NULL;
    return entry;
}

// ---- rows

static void add_row(struct admin_call *call, const char *owner, const char *external,
                    const struct person_allow *allow)
{
    const uint64_t life_ms = seat_policy(call->seat)->settings.auto_allow.life_ms;
    const bool is_org = strchr(owner, '@') == NULL;
    const bool is_disabled = person_allow_is_disabled(allow);

    rows_add(&call->rows);
    rows_field(&call->rows, "user", "%s", is_org ? ORG : owner);
    rows_field(&call->rows, "external", "%s", external);
    rows_time(&call->rows, "last_sent", allow->sent_ms);
    rows_time(&call->rows, "until",
              is_disabled || allow->sent_ms == 0 ? 0 : allow->sent_ms + life_ms);
    rows_field(&call->rows, "disabled", "%s", is_disabled ? "true" : "false");
    rows_time(&call->rows, "disabled_at", is_disabled ? allow->disabled_ms : 0);
    rows_field(&call->rows, "holds", "%s",
               person_allow_holds(allow, admin_now_ms(call), life_ms) ? "true" : "false");
}

// What an entry is now, after what was noted of it.
static struct person_allow after(const struct store_allow *entry)
{
    struct person_allow allow = entry->before;

    if (allow.state != FACT_PRESENT)
        allow = (struct person_allow){.state = FACT_PRESENT};
    if (entry->sent_ms > allow.sent_ms)
        allow.sent_ms = entry->sent_ms;
    if (entry->disabled_ms > allow.disabled_ms)
        allow.disabled_ms = entry->disabled_ms;
    return allow;
}

// ---- show, disable, forget

static void answered(void *arg, uint64_t token, enum store_state state)
{
    struct allow_work *work = arg;

    (void)token;
    for (const struct store_allow *entry = work->list; entry != NULL && state == STORE_UP;
         entry = entry->next) {
        const struct person_allow allow = after(entry);

        if (entry->before.state == FACT_PRESENT || entry->disabled_ms != 0)
            add_row(work->call, entry->owner, entry->external, &allow);
    }
    admin_answer_store(work->call, state);
}

static struct allow_work *work_new(struct admin_call *call)
{
    struct allow_work *work = arena_zalloc(&call->seat->arena, sizeof(*work));

    if (work == NULL)
        admin_refuse(call, "the request leaves no room to work on it");
    else
        work->call = call;
    return work;
}

// about: the entry that an operator means, and what is to be done about it.
static void about(struct admin_call *call, void (*then)(struct allow_work *work))
{
    struct allow_work *work = work_new(call);

    if (work == NULL)
        return;
    work->list = read_entry(call);
    if (work->list != NULL)
        find_owner(work, then);
}

static void ask(struct allow_work *work, bool read_only)
{
    struct admin_call *call = work->call;

    store_allow_note(call->server->store, work->list,
                     seat_policy(call->seat)->settings.auto_allow.life_ms, read_only,
                     (struct store_done){.fn = answered, .arg = work});
}

// The organisation's entry of the same sender, behind the user's.
static bool add_org(struct allow_work *work)
{
    struct arena *arena = &work->call->seat->arena;
    struct store_allow *org = arena_zalloc(arena, sizeof(*org));
    char *part = arena_zalloc(arena, PERSON_ORG_OWNER_MAX);

    if (org == NULL || part == NULL)
        return false;
    person_org_owner(work->list->external, part);
    *org = (struct store_allow){.owner = part, .external = work->list->external};
    work->list->next = org;
    return true;
}

// Both that can let an answer through: the user's, and where the organisation's count, that one.
static void show(struct allow_work *work)
{
    struct admin_call *call = work->call;
    const bool org = seat_policy(call->seat)->settings.auto_allow.scope == POLICY_SCOPE_ORG;

    if (org && admin_arg(call, "user")[0] != '\0' && !add_org(work))
        admin_refuse(call, "the request leaves no room to work on it");
    else
        ask(work, true);
}

void allow_show(struct admin_call *call)
{
    about(call, show);
}

static void disable(struct allow_work *work)
{
    work->list->disabled_ms = admin_now_ms(work->call);
    ask(work, work->call->seat->request.admin.dry_run);
}

void allow_disable(struct admin_call *call)
{
    about(call, disable);
}

static void forget(struct allow_work *work)
{
    if (work->call->seat->request.admin.dry_run)
        ask(work, true);
    else
        store_allow_forget(work->call->server->store, work->list,
                           (struct store_done){.fn = answered, .arg = work});
}

void allow_forget(struct admin_call *call)
{
    about(call, forget);
}

// ---- list

static void listed(void *arg, enum store_state state, const struct store_allow_row *rows,
                   size_t count, uint64_t cursor)
{
    struct allow_work *work = arg;
    struct admin_call *call = work->call;
    char number[TEXT_NUMBER_MAX];

    for (size_t i = 0; i < count && state == STORE_UP; i++)
        add_row(call, work->user.stored.mailbox, rows[i].external, &rows[i].allow);
    if (cursor != 0)
        call->cursor = arena_text(&call->seat->arena, number, text_number(number, cursor));
    if (call->cursor == NULL) {
        call->cursor = "";
        call->rows.full = true;
    }
    admin_answer_store(call, state);
}

static void list(struct allow_work *work)
{
    struct admin_call *call = work->call;
    uint64_t cursor = 0;
    uint64_t limit = 0;

    if (!admin_number(call, "limit", LIST_DEFAULT, &limit) ||
        !admin_number(call, "cursor", 0, &cursor))
        return;
    if (limit == 0 || limit > ROWS_MAX / 2)
        admin_refuse(call, "limit: expected 1 to %d", ROWS_MAX / 2);
    else
        store_allow_list(call->server->store, work->user.stored.mailbox, cursor, (size_t)limit,
                         (struct store_allow_list_done){listed, work});
}

void allow_list(struct admin_call *call)
{
    struct allow_work *work = work_new(call);

    if (work != NULL)
        find_owner(work, list);
}
