// directory_show.c: directory.status, .show, .drop: what directories there are, and what one says of an address.
#include <inttypes.h>
#include <string.h>

#include "node/core/chain.h"
#include "node/verbs/admin.h"

enum { STATUS_DEFAULT = 100 };

static bool refuse_memory(struct admin_call *call)
{
    admin_refuse(call, "the request leaves no room to work on it");
    return false;
}

// ---- status

static void add_row(struct admin_call *call, const struct store_directory *row)
{
    rows_add(&call->rows);
    rows_field(&call->rows, "domain", "%s", row->domain);
    rows_field(&call->rows, "recipients", "%s",
               directory_method(seat_policy(call->seat), row->domain));
    rows_field(&call->rows, "entries", "%" PRIu64, row->entries);
    rows_time(&call->rows, "at", row->at_ms);
    rows_field(&call->rows, "by", "%s", row->by);
    rows_field(&call->rows, "version", "%" PRIu64, row->directory.version);
}

// A domain of the set whose directory is missing takes any recipient; that belongs beside those that are there.
static void add_missing(struct admin_call *call, const struct policy_domain *domain)
{
    const struct store_directory none = {.domain = domain->name, .by = ""};
    struct store_directory found;

    if (domain->recipients == POLICY_RECIPIENTS_DIRECTORY &&
        !store_directory_find(call->server->store, domain->name, &found))
        add_row(call, &none);
}

static void add_all_missing(struct admin_call *call)
{
    const struct policy *policy = seat_policy(call->seat);

    for (size_t i = 0; i < policy->domain_count && !call->rows.full; i++)
        add_missing(call, &policy->domain[i]);
}

static void answer_page(struct admin_call *call, const struct store_directory *page, size_t count,
                        size_t most)
{
    for (size_t i = 0; i < count && i < most; i++)
        add_row(call, &page[i]);
    if (count > most && most > 0)
        call->cursor =
            arena_text(&call->seat->arena, page[most - 1].domain, strlen(page[most - 1].domain));
    else
        add_all_missing(call);
    if (call->cursor == NULL)
        call->rows.full = true;
    admin_answer(call);
}

void directory_status(struct admin_call *call)
{
    struct person_directory directory;
    uint64_t limit = 0;

    if (!admin_number(call, "limit", STATUS_DEFAULT, &limit))
        return;
    if (!store_directory(call->server->store, "", &directory)) {
        server_refuse(call->server, call->seat, MSG_UNAVAILABLE,
                      "this node has not read yet which directories there are");
        return;
    }
    const size_t most = limit < ROWS_MAX / 2 ? (size_t)limit : ROWS_MAX / 2;
    struct store_directory *page = arena_alloc(&call->seat->arena, (most + 1) * sizeof(*page));

    if (page == NULL)
        (void)refuse_memory(call);
    else
        answer_page(
            call, page,
            store_directory_list(call->server->store, admin_arg(call, "cursor"), page, most + 1),
            most);
}

// ---- drop

static void dropped(void *arg, uint64_t token, enum store_state state)
{
    (void)token;
    admin_answer_store(arg, state);
}

void directory_drop(struct admin_call *call)
{
    const char *given = admin_arg(call, "domain");
    struct store_directory row;
    char domain[MAIL_DOMAIN_MAX + 1];

    if (strlen(given) > MAIL_DOMAIN_MAX || !mail_domain_normalise(given, domain)) {
        admin_refuse(call, "domain: '%.64s' is no domain", given);
        return;
    }
    if (!store_directory_find(call->server->store, domain, &row)) {
        admin_answer(call); // no row: there was none
        return;
    }
    add_row(call, &row);
    if (call->seat->request.admin.dry_run)
        admin_answer(call);
    else
        store_directory_drop(call->server->store, domain,
                             (struct store_done){.fn = dropped, .arg = call});
}

// ---- show: what the step recipient says of a recipient of inbound mail

struct showing {
    struct admin_call *call;
    struct facts facts;
    struct facts_recipient recipient;
    struct person_facts person;
    struct store_person asked;
    char groups[PERSON_GROUPS_MAX + 1];
};

static void add_directory_row(struct showing *showing)
{
    const struct person_row *row = &showing->person.row;
    struct rows *rows = &showing->call->rows;

    if (row->state != FACT_PRESENT)
        return;
    rows_field(rows, "state", "%s", person_status_text(row->status));
    rows_field(rows, "mailbox", "%s",
               row->mailbox[0] != '\0' ? row->mailbox : showing->asked.address);
    rows_field(rows, "groups", "%s", showing->groups);
}

static void add_answer(struct showing *showing)
{
    const struct person_facts *person = &showing->person;
    struct rows *rows = &showing->call->rows;

    if (person->answer.state == FACT_PRESENT) {
        rows_field(rows, "answered", "%s", person->answer.exists ? "exists" : "no such recipient");
        rows_time(rows, "answer_until", person->answer.until_ms);
    }
    if (person->learnt.state == FACT_PRESENT)
        rows_time(rows, "sent", person->learnt.sent_ms);
}

static const char *verdict_of(enum outcome outcome, const struct verdict *verdict)
{
    if (outcome == OUTCOME_HIT)
        return reason_row(verdict->reason)->name;
    if (outcome == OUTCOME_SKIP)
        return "not checked";
    return verdict->degraded ? "unknown" : "exists";
}

static void shown(void *arg, uint64_t token, enum store_state state)
{
    struct showing *showing = arg;
    struct admin_call *call = showing->call;
    const struct chain_in in = {&showing->facts, &showing->recipient, seat_policy(call->seat)};
    struct verdict verdict = {.reason = REASON_accept, .direction = MSG_INBOUND};
    char memory[200];
    struct text_buf why;

    (void)token;
    text_buf_init(&why, memory, sizeof(memory));
    const enum outcome outcome = recipient_step(&in, &verdict, &why);

    rows_add(&call->rows);
    rows_field(&call->rows, "address", "%s", showing->asked.address);
    rows_field(&call->rows, "recipients", "%s",
               directory_method(seat_policy(call->seat), showing->recipient.address.domain));
    rows_field(&call->rows, "verdict", "%s", verdict_of(outcome, &verdict));
    rows_field(&call->rows, "why", "%s", memory);
    add_directory_row(showing);
    add_answer(showing);
    admin_answer_store(call, state);
}

// The key of the address that was typed; NULL if it is none, and refused.
static const char *read_address(struct admin_call *call, struct mail_address *out)
{
    const char *text = admin_arg(call, "address");
    const char *key = NULL;

    if (mail_parse(text, &call->seat->arena, out) == ERR_NONE && out->flaw == MAIL_OK && !out->null)
        key = mail_recipient_key(out, &call->seat->arena);
    if (key == NULL)
        admin_refuse(call, "address: '%.320s' is no address", text);
    return key;
}

static void ask_about(struct showing *showing, const char *address)
{
    struct admin_call *call = showing->call;
    struct facts_recipient *recipient = &showing->recipient;
    const struct policy_domain *domain = NULL;

    policy_party_of(seat_policy(call->seat), &recipient->address, POLICY_AS_RECIPIENT,
                    &recipient->party);
    domain = policy_domain_of(seat_policy(call->seat), recipient->address.domain);
    recipient->domain = domain;
    recipient->person = &showing->person;
    recipient->directory_unread =
        !store_directory(call->server->store, recipient->address.domain, &recipient->directory);
    person_facts_clear(&showing->person);
    showing->asked = (struct store_person){.mailbox = address,
                                           .address = address,
                                           .directory = recipient->directory,
                                           .groups = showing->groups,
                                           .answer = true,
                                           .now_ms = showing->facts.now_ms,
                                           .facts = &showing->person};
    store_read_person(call->server->store, &showing->asked,
                      (struct store_done){.fn = shown, .arg = showing});
}

void directory_show(struct admin_call *call)
{
    struct showing *showing = arena_zalloc(&call->seat->arena, sizeof(*showing));
    const char *address = NULL;

    if (showing == NULL) {
        (void)refuse_memory(call);
        return;
    }
    showing->call = call;
    showing->facts = (struct facts){
        .stage = MSG_RCPT, .now_ms = admin_now_ms(call), .dry_run = true, .clock_ok = true};
    address = read_address(call, &showing->recipient.address);
    if (address != NULL)
        ask_about(showing, address);
}
