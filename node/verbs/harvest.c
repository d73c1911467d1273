// harvest.c: clients that try addresses out: what a Check says of its client, when all is decided; blocked.list,
// blocked.show, blocked.lift: who is banned for it. A list is what this node heeds: also while the store is away.
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"

enum { LIST_DEFAULT = 100 };

// ---- of a Check

// The recipients of one kind, until they are told.
struct batch {
    struct store_harvest news;
    uint8_t field[STORE_HARVEST_MAX][HARVEST_FIELD_BYTES];
};

static void batch_init(struct batch *batch, const struct seat *seat, enum harvest_kind kind)
{
    const struct policy_settings *settings = &seat_policy(seat)->settings;

    batch->news = (struct store_harvest){
        .client = harvest_client(&seat->facts.client),
        .now_ms = seat->facts.now_ms,
        .bounds = {settings->abuse.unknown_per_hour, settings->abuse.unknown_share,
                   settings->abuse.ban_ms, settings->abuse.ban_most_ms},
        .kind = kind,
        .field = (const uint8_t(*)[HARVEST_FIELD_BYTES])batch->field,
    };
}

static void tell(struct server *server, struct batch *batch)
{
    if (batch->news.count > 0)
        store_harvest_note(server->store, &batch->news);
    batch->news.count = 0;
}

static void add(struct server *server, struct batch *batch, const char *recipient_key)
{
    const uint64_t hour_ms = harvest_hour(batch->news.now_ms) * HARVEST_HOUR_MS;

    if (batch->news.count == STORE_HARVEST_MAX)
        tell(server, batch);
    key_harvest_field(store_ring(server->store), hour_ms, recipient_key,
                      batch->field[batch->news.count++]);
}

// What exists goes first: whoever is judged by what does not is judged by all of it.
void harvest_note(struct server *server, const struct seat *seat)
{
    struct batch existing;
    struct batch unknown;

    if (store_ring(server->store)->count == 0)
        return;
    batch_init(&existing, seat, HARVEST_EXISTING);
    batch_init(&unknown, seat, HARVEST_UNKNOWN);
    for (size_t i = 0; i < seat->recipient_count; i++) {
        const struct recipient *recipient = &seat->recipients[i];
        const struct chain_in in = {&seat->facts, &recipient->facts, seat_policy(seat)};
        const enum harvest_word word = recipient->verdict.is_watched
                                           ? abuse_word(&in, recipient->verdict.direction)
                                           : HARVEST_UNTOLD;

        if (word == HARVEST_EXISTS)
            add(server, &existing, recipient->pair.recipient_key);
        else if (word == HARVEST_NOBODY)
            add(server, &unknown, recipient->pair.recipient_key);
    }
    tell(server, &existing);
    tell(server, &unknown);
}

// ---- of an operator

static void add_ban(struct admin_call *call, const struct store_banned *banned)
{
    const struct harvest_ban *ban = &banned->ban;
    char client[HARVEST_CLIENT_MAX];
    const bool holds = harvest_ban_holds(ban, admin_now_ms(call));

    rows_add(&call->rows);
    rows_field(&call->rows, "client", "%s", harvest_client_text(&banned->client, client));
    rows_field(&call->rows, "banned", "%s", holds ? "true" : "false");
    if (ban->until_ms == 0)
        return;
    rows_time(&call->rows, "until", ban->until_ms);
    rows_time(&call->rows, "since", ban->since_ms);
    rows_field(&call->rows, "unknown", "%llu", (unsigned long long)ban->count.unknown);
    rows_field(&call->rows, "existing", "%llu", (unsigned long long)ban->count.existing);
}

// A network, or any (family 0) where none was given.
static bool read_net(struct admin_call *call, const char *key, struct ip_net *out)
{
    const char *text = admin_arg(call, key);
    struct err_detail detail;

    *out = (struct ip_net){.bits = 0};
    if (text[0] == '\0' || ip_net_parse(text, out, &detail) == ERR_NONE)
        return true;
    admin_refuse(call, "%s: %s", key, detail.text);
    return false;
}

static bool is_in_one_client(const struct ip_net *net)
{
    return ip_net_compare(net, &(struct ip_net){net->ip, harvest_client(&net->ip).bits}) == 0 ||
           net->bits > harvest_client(&net->ip).bits;
}

// An address, or as blocked.list writes it: an IPv6 client is its /64.
static bool read_client(struct admin_call *call, struct ip_net *out)
{
    if (!read_net(call, "client_ip", out))
        return false;
    if (out->ip.family != 0 && is_in_one_client(out)) {
        *out = harvest_client(&out->ip);
        return true;
    }
    admin_refuse(call, "client_ip: '%.64s' is no client; expected one address, or an IPv6 /64",
                 admin_arg(call, "client_ip"));
    return false;
}

void blocked_list(struct admin_call *call)
{
    struct ip_net net;
    struct ip_net after;
    uint64_t limit = 0;

    if (!read_net(call, "client_ip", &net) || !read_net(call, "cursor", &after) ||
        !admin_number(call, "limit", LIST_DEFAULT, &limit))
        return;
    if (net.ip.family != 0 && is_in_one_client(&net))
        net = harvest_client(&net.ip);
    const size_t most = limit < ROWS_MAX ? (size_t)limit : ROWS_MAX;
    struct store_banned *page = arena_alloc(&call->seat->arena, (most + 1) * sizeof(*page));

    if (page == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    const size_t count = store_ban_list(call->server->store, &net, &after, page, most + 1);
    char *cursor = arena_alloc(&call->seat->arena, HARVEST_CLIENT_MAX);

    for (size_t i = 0; i < count && i < most; i++)
        add_ban(call, &page[i]);
    if (cursor == NULL)
        call->rows.full = true;
    else if (count > most && most > 0)
        call->cursor = harvest_client_text(&page[most - 1].client, cursor);
    admin_answer(call);
}

static void shown(void *arg, enum store_state state, const struct store_banned *found)
{
    struct admin_call *call = arg;

    if (state == STORE_UP) {
        add_ban(call, found);
        rows_field(&call->rows, "unknown_this_hour", "%llu",
                   (unsigned long long)found->hour.unknown);
        rows_field(&call->rows, "existing_this_hour", "%llu",
                   (unsigned long long)found->hour.existing);
    }
    admin_answer_store(call, state);
}

void blocked_show(struct admin_call *call)
{
    struct ip_net client;

    if (read_client(call, &client))
        store_ban_show(call->server->store, &client, (struct store_ban_done){shown, call});
}

static void lifted(void *arg, enum store_state state, const struct store_banned *found)
{
    struct admin_call *call = arg;
    char text[256];

    if (state == STORE_UP || !found->is_lifted) {
        if (state == STORE_UP)
            add_ban(call, found);
        admin_answer_store(call, state);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "lifted here, but the other nodes could not be told (the store is %s): they may "
                   "refuse it for 5 minutes; do it again",
                   store_state_text(state));
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
}

void blocked_lift(struct admin_call *call)
{
    struct ip_net client;

    if (call->seat->request.admin.dry_run)
        blocked_show(call);
    else if (read_client(call, &client))
        store_ban_lift(call->server->store, &client, (struct store_ban_done){lifted, call});
}
