// allow.c: allow.list, allow.show, allow.disable, allow.forget: to whom somebody has written, so that the answers are let
// through. Without a user they are about the whole organisation's (settings.auto_allow.scope org). What is disabled counts
// from then on, on every node, until the next mail is sent there. A dry run shows what would be, and changes nothing.
#include <string.h>

#include "node/core/capture.h"
#include "node/verbs/admin.h"

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

// The mailbox of the user that was typed; NULL if that is none, and refused.
static const char *read_owner(struct admin_call *call)
{
    const struct policy *policy = seat_policy(call->seat);
    struct policy_party party;
    struct mail_address address;
    const char *mailbox = NULL;

    if (!read_address(call, "user", &address))
        return NULL;
    if (policy->domain_count > 0 && policy_domain_of(policy, address.domain) == NULL) {
        admin_refuse(call,
                     "user: %.255s is none of the policy set's domains, so that nothing that is "
                     "sent from there is learnt",
                     address.domain);
        return NULL;
    }
    policy_party_of(policy, &address, POLICY_AS_RECIPIENT, &party);
    mailbox = capture_mailbox(policy, &address, &party, &call->seat->arena);
    if (mailbox == NULL)
        admin_refuse(call, "the request leaves no room to work on it");
    return mailbox;
}

// The entry that is meant; NULL if there is none, and refused.
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
    if (admin_arg(call, "user")[0] != '\0') {
        entry->owner = read_owner(call);
        return entry->owner != NULL ? entry : NULL;
    }
    person_org_owner(entry->external, part);
    entry->owner = part;
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

struct allow_work {
    struct admin_call *call;
    struct store_allow *list;
};

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

// The entry that an operator means; NULL if it was refused, and the call is gone.
static struct allow_work *work_new(struct admin_call *call)
{
    struct allow_work *work = arena_zalloc(&call->seat->arena, sizeof(*work));

    if (work == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return NULL;
    }
    work->call = call;
    work->list = read_entry(call);
    return work->list != NULL ? work : NULL;
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
void allow_show(struct admin_call *call)
{
    const bool org = seat_policy(call->seat)->settings.auto_allow.scope == POLICY_SCOPE_ORG;
    struct allow_work *work = work_new(call);

    if (work == NULL)
        return;
    if (org && admin_arg(call, "user")[0] != '\0' && !add_org(work))
        admin_refuse(call, "the request leaves no room to work on it");
    else
        ask(work, true);
}

void allow_disable(struct admin_call *call)
{
    struct allow_work *work = work_new(call);

    if (work == NULL)
        return;
    work->list->disabled_ms = admin_now_ms(call);
    ask(work, call->seat->request.admin.dry_run);
}

void allow_forget(struct admin_call *call)
{
    struct allow_work *work = work_new(call);

    if (work == NULL)
        return;
    if (call->seat->request.admin.dry_run)
        ask(work, true);
    else
        store_allow_forget(call->server->store, work->list,
                           (struct store_done){.fn = answered, .arg = work});
}

// ---- list

struct list_work {
    struct admin_call *call;
    const char *owner;
};

static void listed(void *arg, enum store_state state, const struct store_allow_row *rows,
                   size_t count, uint64_t cursor)
{
    struct list_work *work = arg;
    struct admin_call *call = work->call;
    char number[TEXT_NUMBER_MAX];

    for (size_t i = 0; i < count && state == STORE_UP; i++)
        add_row(call, work->owner, rows[i].external, &rows[i].allow);
    if (cursor != 0)
        call->cursor = arena_text(&call->seat->arena, number, text_number(number, cursor));
    if (call->cursor == NULL) {
        call->cursor = "";
        call->rows.full = true;
    }
    admin_answer_store(call, state);
}

void allow_list(struct admin_call *call)
{
    struct list_work *work = arena_zalloc(&call->seat->arena, sizeof(*work));
    uint64_t cursor = 0;
    uint64_t limit = 0;

    if (!admin_number(call, "limit", LIST_DEFAULT, &limit) ||
        !admin_number(call, "cursor", 0, &cursor))
        return;
    if (work == NULL || limit == 0 || limit > ROWS_MAX / 2) {
        admin_refuse(call, "limit: expected 1 to %d", ROWS_MAX / 2);
        return;
    }
    work->call = call;
    work->owner = read_owner(call);
    if (work->owner != NULL)
        store_allow_list(call->server->store, work->owner, cursor, (size_t)limit,
                         (struct store_allow_list_done){listed, work});
}
