// grey.c: grey.show, grey.pass, grey.forget: what is stored of one pair of sender and recipient,
// released or removed. A dry run of grey.pass or grey.forget shows what there is and changes
// nothing.
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"

static void add_row(struct admin_call *call, const struct pair_entry *entry)
{
    static const uint8_t any[sizeof(entry->identity)] = {0};
    const struct policy_settings *settings = &seat_policy(call->seat)->settings;
    struct rows *rows = &call->rows;
    bool pending = entry->table == KEY_PENDING;

    rows_add(rows);
    if (memcmp(entry->identity, any, sizeof(any)) == 0)
        rows_field(rows, "identity", "any");
    else
        rows_field(rows, "identity", "client %02x%02x%02x%02x", entry->identity[0],
                   entry->identity[1], entry->identity[2], entry->identity[3]);
    rows_field(rows, "state", pending ? "pending" : "passed");
    rows_time(rows, "first_seen", pending ? entry->at_ms : 0);
    rows_time(rows, "retry_from", pending ? entry->at_ms + settings->greylist.delay_ms : 0);
    rows_time(rows, "last_seen", pending ? 0 : entry->at_ms);
    rows_time(rows, "until",
              entry->at_ms + (pending ? settings->greylist.window_ms : settings->greylist.life_ms));
}

static void answered(void *arg, enum store_state state, const struct pair_entry *entries,
                     size_t count)
{
    struct admin_call *call = arg;

    for (size_t i = 0; i < count && state == STORE_UP; i++)
        add_row(call, &entries[i]);
    admin_answer_store(call, state);
}

// Removed, but the other nodes could not be told, and each may know the pair for an hour.
static void forgotten(void *arg, enum store_state state, const struct pair_entry *entries,
                      size_t count)
{
    struct admin_call *call = arg;
    char text[256];

    if (state == STORE_UP || count == 0) {
        answered(arg, state, entries, count);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "%zu entries were removed, but the other nodes could not be told (the store is "
                   "%s): they may know them for an hour; do it again",
                   count, store_state_text(state));
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
}

// The null sender is typed as <>.
static const char *sender_arg(const struct admin_call *call)
{
    const char *sender = admin_arg(call, "sender");

    return strcmp(sender, "<>") == 0 ? "" : sender;
}

static bool name_pair(struct admin_call *call)
{
    struct server *server = call->server;
    struct err_detail detail = {"the addresses are too long"};
    const struct facts nobody = {.name = "", .spf_domain = "", .now_ms = admin_now_ms(call)};

    if (store_ring(server->store)->count == 0) {
        admin_answer_store(call, store_state(server->store) != STORE_UP ? store_state(server->store)
                                                                        : STORE_DOWN);
        return false;
    }
    if (triplet_name(seat_policy(call->seat), store_ring(server->store), &call->seat->arena,
                     sender_arg(call), admin_arg(call, "recipient"), &nobody, &call->key, &detail))
        return true;
    admin_refuse(call, "%s", detail.text);
    return false;
}

void grey_show(struct admin_call *call)
{
    if (name_pair(call))
        store_pair_show(call->server->store, &call->key, (struct pair_done){answered, call});
}

void grey_pass(struct admin_call *call)
{
    if (call->seat->request.admin.dry_run)
        grey_show(call);
    else if (name_pair(call))
        store_pair_pass(call->server->store, &call->key, admin_now_ms(call),
                        (struct pair_done){answered, call});
}

void grey_forget(struct admin_call *call)
{
    if (call->seat->request.admin.dry_run)
        grey_show(call);
    else if (name_pair(call))
        store_pair_forget(call->server->store, &call->key, (struct pair_done){forgotten, call});
}
