// spared.c: spared clients: whom a message comes from, what an accept says of them; spared.show,
// spared.forget: what is stored of one, and its end. A dry run of spared.forget shows what there is and
// changes nothing.
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"
#include "proto/host.h"

// ---- of a Check

void clients_name(const struct server *server, struct seat *seat)
{
    struct facts *facts = &seat->facts;

    facts->spared->count = 0;
    if (facts->trusted) // nobody is greylisted or banned, so nobody is spared
        return;
    if (facts->client.family != 0)
        spared_add_ip(facts->spared, &facts->client);
    if (facts->spf_domain[0] != '\0' && host_aligned(facts->spf_domain, facts->sender.domain))
        spared_add_domain(facts->spared, facts->spf_domain);
    for (unsigned i = 0; i < facts->spared->count; i++)
        facts->spared->client[i].row = store_spared(server->store, facts->spared->client[i].name);
}

void clients_note(struct server *server, struct seat *seat, const struct recipient *recipient)
{
    bool is_spared = recipient->verdict.reason == REASON_greylist_spared;
    struct spared_news news = {.cause = is_spared ? SPARED_SPARED : SPARED_PASSED,
                               .now_ms = seat->facts.now_ms,
                               .life_ms = seat_policy(seat)->settings.greylist.life_ms};

    if (!is_spared && recipient->verdict.waited_ms == 0) // nor did it pass by this very retry
        return;
    memcpy(news.pair, recipient->facts.triplet.passed[KEY_CURRENT].field[0], sizeof(news.pair));
    for (unsigned i = 0; i < seat->facts.spared->count; i++) {
        const struct spared_id *client = &seat->facts.spared->client[i];

        if (spared_is_due(&client->row, &news))
            store_spared_note(server->store, client->name, &news);
    }
}

// ---- of an operator

static void add_client(struct admin_call *call, const struct spared_client *client,
                       const struct spared_row *row)
{
    uint64_t life_ms = seat_policy(call->seat)->settings.greylist.life_ms;
    bool holds = spared_holds(row, admin_now_ms(call), life_ms);

    rows_add(&call->rows);
    rows_field(&call->rows, "client", "%s", client->name + strlen("w:"));
    rows_field(&call->rows, "spared", "%s", holds ? "true" : "false");
    rows_time(&call->rows, "spared_until",
              holds ? row->rests * SPARED_DAY_MS + life_ms + SPARED_DAY_MS : 0);
}

static void add_pair(struct admin_call *call, const struct spared_pair *stored)
{
    const uint8_t *pair = stored->pair;
    uint64_t life_ms = seat_policy(call->seat)->settings.greylist.life_ms;
    uint64_t day_ms = stored->day * SPARED_DAY_MS;

    rows_field(&call->rows, "pair", "%02x%02x%02x%02x%02x%02x%02x%02x", pair[0], pair[1], pair[2],
               pair[3], pair[4], pair[5], pair[6], pair[7]);
    rows_time(&call->rows, "day", day_ms);
    rows_time(&call->rows, "until", day_ms + life_ms + SPARED_DAY_MS);
}

static void answered(void *arg, enum store_state state, const struct spared_client *client,
                     const struct spared_row *row)
{
    struct admin_call *call = arg;

    for (unsigned i = 0; i < client->count && state == STORE_UP; i++) {
        add_client(call, client, row);
        add_pair(call, &client->pair[i]);
    }
    if (state == STORE_UP && client->count == 0 && row->newest != 0)
        add_client(call, client, row); // spared, and nobody knows any more by what
    admin_answer_store(call, state);
}

// Removed, but the other nodes could not be told, and each may spare the client until it reads all of them again.
static void forgotten(void *arg, enum store_state state, const struct spared_client *client,
                      const struct spared_row *row)
{
    struct admin_call *call = arg;
    char text[256];

    if (state == STORE_UP || (client->count == 0 && row->newest == 0)) {
        answered(arg, state, client, row);
        return;
    }
    (void)snprintf(
        text, sizeof(text),
        "it is spared no more here, but the other nodes could not be told (the store is %s): "
        "they may spare it for 5 minutes; do it again",
        store_state_text(state));
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
}

// An address, or as `spared.show` writes it: an IPv6 client is its /64.
static bool read_ip(struct admin_call *call, const char *text, struct spared_clients *out)
{
    struct err_detail detail;
    struct ip_net net;

    if (ip_net_parse(text, &net, &detail) != ERR_NONE) {
        admin_refuse(call, "client_ip: %s", detail.text);
        return false;
    }
    if (net.bits != (net.ip.family == 4 ? 32 : 128) && (net.ip.family == 4 || net.bits != 64)) {
        admin_refuse(call, "client_ip: '%.64s' is no client; expected one address, or an IPv6 /64",
                     text);
        return false;
    }
    spared_add_ip(out, &net.ip);
    return true;
}

static bool read_domain(struct admin_call *call, const char *text, struct spared_clients *out)
{
    char domain[MAIL_DOMAIN_MAX + 1];

    if (!mail_domain_normalise(text, domain)) {
        admin_refuse(call, "spf_domain: '%.64s' is no domain", text);
        return false;
    }
    spared_add_domain(out, domain);
    return true;
}

static bool read_client(struct admin_call *call, struct spared_clients *out)
{
    const char *ip = admin_arg(call, "client_ip");
    const char *domain = admin_arg(call, "spf_domain");

    out->count = 0;
    if ((ip[0] == '\0') == (domain[0] == '\0')) {
        admin_refuse(call, "expected one of client_ip and spf_domain");
        return false;
    }
    return ip[0] != '\0' ? read_ip(call, ip, out) : read_domain(call, domain, out);
}

void spared_show(struct admin_call *call)
{
    struct spared_clients clients;

    if (read_client(call, &clients))
        store_spared_show(call->server->store, clients.client[0].name,
                          (struct spared_done){answered, call});
}

void spared_forget(struct admin_call *call)
{
    struct spared_clients clients;

    if (call->seat->request.admin.dry_run)
        spared_show(call);
    else if (read_client(call, &clients))
        store_spared_forget(call->server->store, clients.client[0].name,
                            (struct spared_done){forgotten, call});
}
