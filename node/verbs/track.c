// track.c: track and grey.list: tracking rows, newest first, and for each first try whether its
// sender ever came back.
//
//      rows of the store -> rows of the reply -> passed entries of the first tries whose window is
//      over -> failed_to_retry
#include <string.h>

#include "node/verbs/admin.h"

enum { ROWS_DEFAULT = 100 };

// 0 = not known, as in a row of an older version.
static void add_number(struct rows *rows, const char *key, uint64_t number)
{
    if (number > 0)
        rows_field(rows, key, "%llu", (unsigned long long)number);
}

static void add_row(struct admin_call *call, const struct track_row *in)
{
    struct rows *rows = &call->rows;
    char ticket[TICKET_TEXT_MAX];

    rows_add(rows);
    rows_field(rows, "ticket", "%s", ticket_format(&in->ticket, ticket));
    rows_time(rows, "at", in->at_ms);
    rows_field(rows, "action", "%s", in->action);
    rows_field(rows, "reason", "%s", in->reason);
    rows_field(rows, "rule", "%s", in->rule);
    rows_field(rows, "shadow", "%s", in->shadow);
    rows_field(rows, "stage", "%s", in->stage);
    rows_field(rows, "client_ip", "%s", in->client_ip);
    rows_field(rows, "client_name", "%s", in->client_name);
    rows_field(rows, "spf_domain", "%s", in->spf_domain);
    rows_field(rows, "helo", "%s", in->helo);
    rows_field(rows, "sender", "%s", in->sender);
    rows_field(rows, "recipient", "%s", in->recipient);
    rows_field(rows, "gateway", "%s", in->gateway);
    rows_field(rows, "transaction", "%s", in->transaction);
    rows_field(rows, "auth_user", "%s", in->auth_user);
    rows_field(rows, "spf", "%s", in->spf);
    rows_field(rows, "tls", "%s", (in->flags & TRACK_TLS) != 0 ? "true" : "false");
    rows_field(rows, "smtputf8", "%s", (in->flags & TRACK_SMTPUTF8) != 0 ? "true" : "false");
    add_number(rows, "size_bytes", in->size_bytes);
    add_number(rows, "recipient_count", in->recipient_count);
    add_number(rows, "policy_version", in->policy_version);
    rows_field(rows, "retry_after_s", "%llu", (unsigned long long)in->retry_after_s);
    rows_field(rows, "waited_s", "%llu", (unsigned long long)in->waited_s);
    rows_field(rows, "node", "%08x", (unsigned)in->ticket.node);
}

// A first try whose window is over: only of these it can be said that nobody came back.
static bool is_overdue(const struct admin_call *call, const struct track_row *in)
{
    bool first = strcmp(in->reason, "greylist_new") == 0 || strcmp(in->shadow, "greylist_new") == 0;

    return first &&
           admin_now_ms(call) > in->at_ms + seat_policy(call->seat)->settings.greylist.window_ms;
}

// Asks for the passed entries of this row's triplet, as they are now.
static void add_retry(struct admin_call *call, const struct track_row *in, size_t row)
{
    struct arena *arena = &call->seat->arena;
    struct key_triplet *key = arena_zalloc(arena, sizeof(*key));
    struct grey_facts *facts = arena_zalloc(arena, sizeof(*facts));
    struct store_triplet *item = arena_zalloc(arena, sizeof(*item));
    const struct key_ring *ring = store_ring(call->server->store);
    struct facts client = {.now_ms = admin_now_ms(call)};

    if (key == NULL || facts == NULL || item == NULL || ring->count == 0 ||
        !ip_parse(in->client_ip, &client.client) ||
        !client_identify(call->server->names, &client, arena, in->client_name, in->spf_domain))
        return;
    client.asn = client_asn(call->server, &client.client);
    if (!triplet_name(seat_policy(call->seat), ring, arena, in->sender, in->recipient, &client, key,
                      NULL))
        return;
    *item = (struct store_triplet){.next = call->retries, .key = key, .facts = facts};
    call->retries = item;
    call->retry_rows[call->retry_count] = row;
    call->retry_at_ms[call->retry_count++] = in->at_ms;
}

static bool has_passed_since(const struct store_triplet *item, uint64_t at_ms)
{
    for (unsigned age = KEY_CURRENT; age <= KEY_PREVIOUS; age++) {
        for (unsigned i = 0; i < item->key->identity_count; i++) {
            const struct fact_stamp *stamp = &item->facts->passed[age][i];

            if (stamp->state == FACT_PRESENT && stamp->at_ms >= at_ms)
                return true;
        }
    }
    return false;
}

// Fills failed_to_retry of the rows that were asked about; the list is in reverse order of its
// rows.
static void retries_known(void *arg, uint64_t token, enum store_state state)
{
    struct admin_call *call = arg;
    size_t at = call->retry_count;

    (void)token;
    for (const struct store_triplet *item = call->retries; item != NULL && state == STORE_UP;
         item = item->next) {
        at--;
        rows_set(&call->rows, call->retry_rows[at], "failed_to_retry",
                 has_passed_since(item, call->retry_at_ms[at]) ? "false" : "true");
    }
    admin_answer(call);
}

static void found(void *arg, enum store_state state, const struct track_row *rows, size_t count,
                  const char *cursor)
{
    struct admin_call *call = arg;
    struct arena *arena = &call->seat->arena;

    if (state != STORE_UP) {
        admin_answer_store(call, state);
        return;
    }
    call->cursor = arena_text(arena, cursor, strlen(cursor));
    call->retry_rows = arena_zalloc(arena, (count + 1) * sizeof(*call->retry_rows));
    call->retry_at_ms = arena_zalloc(arena, (count + 1) * sizeof(*call->retry_at_ms));
    for (size_t i = 0; i < count; i++) {
        add_row(call, &rows[i]);
        if (call->retry_rows != NULL && call->retry_at_ms != NULL && is_overdue(call, &rows[i]))
            add_retry(call, &rows[i], i);
    }
    if (call->retries == NULL)
        admin_answer(call);
    else
        store_read_passed(call->server->store, STORE_ADMIN, call->retries,
                          (struct store_done){.fn = retries_known, .arg = call});
}

static bool fill_query(struct admin_call *call, struct track_query *query)
{
    uint64_t limit = 0;

    *query = (struct track_query){.sender = admin_arg(call, "sender"),
                                  .recipient = admin_arg(call, "recipient"),
                                  .client_ip = admin_arg(call, "client_ip"),
                                  .reason = admin_arg(call, "reason"),
                                  .cursor = admin_arg(call, "cursor")};
    struct ip_net net;
    struct err_detail detail;

    if (query->client_ip[0] != '\0' && ip_net_parse(query->client_ip, &net, &detail) != ERR_NONE) {
        admin_refuse(call, "client_ip: %s", detail.text);
        return false;
    }
    if (!admin_number(call, "since", 0, &query->since_ms) ||
        !admin_number(call, "limit", ROWS_DEFAULT, &limit))
        return false;
    query->limit = limit < ROWS_MAX ? (size_t)limit : ROWS_MAX;
    return true;
}

static void find(struct admin_call *call, const struct track_query *query)
{
    store_track_find(call->server->store, query, (struct track_done){found, call});
}

void track_find(struct admin_call *call)
{
    struct track_query query;
    const char *ticket = admin_arg(call, "ticket");

    if (!fill_query(call, &query))
        return;
    query.by_ticket = ticket[0] != '\0';
    if (query.by_ticket && !ticket_parse(ticket, &query.ticket)) {
        admin_refuse(call, "ticket: '%.64s' is none; a ticket has 18 letters and digits", ticket);
        return;
    }
    find(call, &query);
}

void grey_list(struct admin_call *call)
{
    struct track_query query;

    if (!fill_query(call, &query))
        return;
    query.reason = "greylist_*";
    find(call, &query);
}
