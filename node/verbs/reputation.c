// reputation.c: reputation.show, reputation.list: what is kept of addresses, networks, domains and the like. An entity is
// judged where it stands for itself: over its parents, with nothing below it. Promises: nothing here is on the way of a
// lookup; a page whose parents cannot be read is no page.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/verbs/admin.h"
#include "node/verbs/level_told.h"
#include "proto/host.h"

// A page of Redis holds several times what was asked for while its table waits to grow: still less than ROWS_MAX.
enum { LIST_DEFAULT = 100, LIST_MOST = 150, TEXT_MAX = 64 };

// ---- arguments

// A weight of evidence.
static bool read_real(struct admin_call *call, const char *key, double *out)
{
    const char *text = admin_arg(call, key);
    char *end = NULL;

    *out = 0;
    if (text[0] == '\0')
        return true;
    errno = 0;
    *out = strtod(text, &end);
    if (errno == 0 && *end == '\0' && text[strspn(text, "0123456789.")] == '\0')
        return true;
    admin_refuse(call, "%s: expected a number like 2 or 0.5, not '%.64s'", key, text);
    return false;
}

// Words with commas between, as bits; none = all.
static bool read_kinds(struct admin_call *call, unsigned *out)
{
    const char *text = admin_arg(call, "kinds");

    *out = text[0] == '\0' ? (1U << REPUTATION_KINDS) - 1 : 0;
    while (text[0] != '\0') {
        const size_t len = strcspn(text, ",");
        char word[TEXT_MAX];
        enum reputation_kind kind;

        (void)snprintf(word, sizeof(word), "%.*s", (int)len, text);
        kind = len < sizeof(word) ? reputation_kind_of(word) : REPUTATION_KINDS;
        if (kind == REPUTATION_KINDS) {
            admin_refuse(call,
                         "kinds: '%s' is none; expected some of ip, net, wide, asn, country, "
                         "world, sender, domain, tld, senders",
                         word);
            return false;
        }
        *out |= 1U << kind;
        text += len + (text[len] == ',');
    }
    return true;
}

// ---- an entity and its parents

static const struct reputation_settings *settings_of(const struct admin_call *call)
{
    return &seat_policy(call->seat)->settings.reputation.levels;
}

static struct level_view view_of(const struct admin_call *call)
{
    return (struct level_view){.store = call->server->store,
                               .settings = settings_of(call),
                               .reporters = store_reporters(call->server->store),
                               .now_ms = admin_now_ms(call)};
}

static void add_level(struct reputation_facts *facts, const struct reputation_id *id)
{
    facts->level[facts->count++] = (struct reputation_level){.id = *id, .state = FACT_UNKNOWN};
}

// Of an AS and of a country nobody knows what else stands above it.
static void name_place(const struct reputation_id *id, struct reputation_facts *out)
{
    *out = (struct reputation_facts){.count = 0};
    add_level(out, id);
    if (id->kind != REPUTATION_WORLD)
        add_level(out, &(struct reputation_id){.kind = REPUTATION_WORLD, .domain = ""});
    out->address_count = out->count;
}

static void name_address(const struct server *server, const struct reputation_id *id,
                         struct reputation_facts *out)
{
    char country[SERVER_COUNTRY_MAX] = "";
    struct reputation_client client = {
        .ip = id->net.ip, .country = country, .domain = "", .auth = REPUTATION_UNASKED};

    if (server->out.country != NULL)
        (void)server->out.country(server->out.arg, &client.ip, country);
    if (server->out.asn != NULL)
        client.asn = server->out.asn(server->out.arg, &client.ip);
    reputation_levels(&client, out);
}

// As of an authenticated sender: with the level of the bare domain.
static void name_sender(const struct reputation_id *id, struct reputation_facts *out)
{
    const struct reputation_client client = {
        .asn = id->asn, .country = "", .domain = id->domain, .auth = REPUTATION_PASSED};

    reputation_levels(&client, out);
    if (id->kind != REPUTATION_SENDERS)
        return;
    *out = (struct reputation_facts){.count = 0};
    add_level(out, id);
}

// name_chain: the levels of an entity, itself the leaf.
static void name_chain(const struct server *server, const struct reputation_id *id,
                       struct reputation_facts *out)
{
    unsigned below = 0;

    if (id->kind < REPUTATION_ASN)
        name_address(server, id, out);
    else if (id->kind <= REPUTATION_WORLD)
        name_place(id, out);
    else
        name_sender(id, out);
    while (below < out->count && out->level[below].id.kind != id->kind)
        below++;
    out->count -= below;
    out->address_count -= below < out->address_count ? below : out->address_count;
    memmove(out->level, out->level + below, out->count * sizeof(out->level[0]));
}

static void judge(const struct level_view *view, const struct reputation_facts *facts,
                  struct reputation_result *out)
{
    reputation_judge(facts, view->settings, &view->reporters, REPUTATION_PASSED, view->now_ms, out);
}

// add_level_row: what a trace tells of a level, as a row.
static void add_level_row(struct rows *rows, const struct msg_level *told)
{
    rows_add(rows);
    rows_field(rows, "kind", "%s", told->kind);
    rows_field(rows, "name", "%s", told->name);
    rows_field(rows, "known", "%s", told->is_known ? "true" : "false");
    rows_field(rows, "spam", "%.9g", told->spam);
    rows_field(rows, "ham", "%.9g", told->ham);
    rows_field(rows, "strength", "%.9g", told->strength);
    rows_field(rows, "p", "%.9g", told->p);
    rows_field(rows, "share", "%.9g", told->share);
    if (!told->is_known)
        return;
    rows_field(rows, "hour", "%.3f", told->hour);
    rows_field(rows, "week", "%.3f", told->week);
    rows_field(rows, "age_s", "%llu", (unsigned long long)told->age_s);
    rows_field(rows, "first_s", "%llu", (unsigned long long)told->first_s);
}

// ---- show

struct shown {
    struct admin_call *call;
    struct reputation_facts facts;
};

static void add_reporters(struct rows *rows, const struct msg_level *told)
{
    for (size_t i = 0; i < told->reporter_count; i++) {
        const struct msg_reporter *reporter = &told->reporter[i];

        rows_add(rows);
        rows_field(rows, "is_reporter", "true");
        rows_field(rows, "kind", "%s", told->kind);
        rows_field(rows, "gateway", "%s", reporter->name);
        rows_field(rows, "spam", "%.9g", reporter->spam);
        rows_field(rows, "ham", "%.9g", reporter->ham);
        rows_field(rows, "trust", "%.6g", reporter->trust);
        rows_field(rows, "at_cap", "%s", reporter->at_cap ? "true" : "false");
    }
}

static void show_read(void *arg, uint64_t token, enum store_state state)
{
    const struct shown *shown = arg;
    struct admin_call *call = shown->call;
    const struct level_view view = view_of(call);
    struct reputation_result result;
    double left = 1;

    (void)token;
    judge(&view, &shown->facts, &result);
    for (unsigned i = 0; i < shown->facts.count && state == STORE_UP; i++) {
        struct level_text text;
        const struct msg_level told =
            level_tell(&view, &shown->facts.level[i], &result.share[i], &left, &text);

        add_level_row(&call->rows, &told);
        add_reporters(&call->rows, &told);
    }
    admin_answer_store(call, state);
}

// An address, or a network as the levels have them.
static bool read_address(struct admin_call *call, struct reputation_id *out)
{
    const char *text = admin_arg(call, "client_ip");
    struct err_detail detail = {""};
    struct ip_net net;

    if (ip_net_parse(text, &net, &detail) != ERR_NONE) {
        admin_refuse(call, "client_ip: %s", detail.text);
        return false;
    }
    for (enum reputation_kind kind = REPUTATION_IP; kind <= REPUTATION_WIDE; kind++) {
        static const uint8_t bits[][2] = {{32, 128}, {24, 64}, {16, 48}};

        *out = (struct reputation_id){.kind = kind, .net = net, .domain = ""};
        if (net.bits == bits[kind][net.ip.family == 6])
            return true;
    }
    admin_refuse(call,
                 "client_ip: '%.64s' is no level; expected an address, an IPv4 network of /24 or "
                 "/16, or an IPv6 network of /64 or /48",
                 text);
    return false;
}

static bool read_asn(struct admin_call *call, struct reputation_id *out)
{
    const char *text = admin_arg(call, "asn");
    const char *number = text + (strncmp(text, "AS", 2) == 0 ? 2 : 0);
    char *end = NULL;
    unsigned long long asn = 0;

    errno = 0;
    if (number[0] >= '0' && number[0] <= '9')
        asn = strtoull(number, &end, 10);
    if (errno != 0 || end == NULL || *end != '\0' || asn == 0 || asn > UINT32_MAX) {
        admin_refuse(call, "asn: expected a number between 1 and 4294967295, not '%.64s'", text);
        return false;
    }
    *out = (struct reputation_id){.kind = REPUTATION_ASN, .asn = (uint32_t)asn, .domain = ""};
    return true;
}

static bool read_country(struct admin_call *call, struct reputation_id *out)
{
    const char *text = admin_arg(call, "country");

    *out = (struct reputation_id){.kind = REPUTATION_COUNTRY, .domain = ""};
    for (size_t i = 0; i < 2; i++) {
        const char letter =
            text[i] >= 'a' && text[i] <= 'z' ? (char)(text[i] - 'a' + 'A') : text[i];

        if (letter < 'A' || letter > 'Z' || (i == 1 && text[2] != '\0')) {
            admin_refuse(call, "country: expected two letters like DE, not '%.64s'", text);
            return false;
        }
        out->country[i] = letter;
    }
    return true;
}

// A registrable domain, at an AS where one is given, or a top-level domain.
static bool read_domain(struct admin_call *call, struct reputation_id *out)
{
    const char *text = admin_arg(call, "domain");
    char name[MAIL_DOMAIN_MAX + 1];
    const char *owner, *kept;

    *out = (struct reputation_id){.kind = REPUTATION_DOMAIN};
    if (admin_arg(call, "asn")[0] != '\0') {
        if (!read_asn(call, out))
            return false;
        out->kind = REPUTATION_SENDER;
    }
    if (!mail_domain_normalise(text + (text[0] == '.'), name)) {
        admin_refuse(call, "domain: '%.255s' is no domain", text);
        return false;
    }
    owner = host_owner(name);
    kept = owner != NULL ? owner : name;
    if (strchr(kept, '.') == NULL && out->kind == REPUTATION_DOMAIN)
        out->kind = REPUTATION_TLD;
    out->domain = arena_text(&call->seat->arena, kept, strlen(kept));
    if (out->domain == NULL)
        admin_refuse(call, "the request leaves no room to work on it");
    return out->domain != NULL;
}

static bool read_entity(struct admin_call *call, struct reputation_id *out)
{
    const bool has_ip = admin_arg(call, "client_ip")[0] != '\0';
    const bool has_asn = admin_arg(call, "asn")[0] != '\0';
    const bool has_country = admin_arg(call, "country")[0] != '\0';
    const bool has_domain = admin_arg(call, "domain")[0] != '\0';

    if (has_ip + has_country + (has_domain || has_asn) != 1) {
        admin_refuse(call, "expected one of client_ip, country, asn and domain (with its asn)");
        return false;
    }
    if (has_ip)
        return read_address(call, out);
    if (has_country)
        return read_country(call, out);
    return has_domain ? read_domain(call, out) : read_asn(call, out);
}

void reputation_show(struct admin_call *call)
{
    struct shown *shown = arena_zalloc(&call->seat->arena, sizeof(*shown));
    struct reputation_id id;

    if (shown == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    if (!read_entity(call, &id))
        return;
    shown->call = call;
    name_chain(call->server, &id, &shown->facts);
    store_read_reputation(call->server->store, &shown->facts,
                          (struct store_done){.fn = show_read, .arg = shown});
}

// ---- list

// A page under way: its entities one after the other, each with its parents.
struct listing {
    struct admin_call *call;
    double evidence;
    struct store_entity *row;
    size_t count, at;
    uint64_t next;
    struct reputation_facts facts; // of the entity at hand
    bool is_running;               // list_go is on the stack
    bool is_answered;              // by the store, of the entity at hand
    enum store_state state;
};

// Whoever is trusted and holds something of it.
static unsigned count_reporters(const struct msg_level *told)
{
    unsigned count = 0;

    for (size_t i = 0; i < told->reporter_count; i++)
        count += told->reporter[i].spam + told->reporter[i].ham >= REPUTATION_HELD &&
                 told->reporter[i].trust >= REPUTATION_ALARM;
    return count;
}

static void add_entity(struct listing *listing)
{
    struct admin_call *call = listing->call;
    const struct level_view view = view_of(call);
    struct reputation_result result;
    struct level_text text;
    double left = 1;

    judge(&view, &listing->facts, &result);
    const struct msg_level told =
        level_tell(&view, &listing->facts.level[0], &result.share[0], &left, &text);

    if (!told.is_known || told.spam + told.ham < listing->evidence)
        return;
    add_level_row(&call->rows, &told);
    rows_field(&call->rows, "lower", "%.9g", result.lower);
    rows_field(&call->rows, "upper", "%.9g", result.upper);
    rows_field(&call->rows, "reporters", "%u", count_reporters(&told));
}

// Without enough evidence its parents need not be read.
static bool is_worth_reading(const struct listing *listing, const struct store_entity *row)
{
    const struct reputation_level_settings *level =
        &settings_of(listing->call)->level[row->id.kind];
    struct reputation_state is = row->is;

    reputation_decay(&is, (uint32_t)(admin_now_ms(listing->call) / 1000),
                     (double)level->half_life_ms / 1000);
    return is.spam + is.ham >= listing->evidence;
}

static void list_go(struct listing *listing);

static void list_read(void *arg, uint64_t token, enum store_state state)
{
    struct listing *listing = arg;

    (void)token;
    listing->is_answered = true;
    listing->state = state;
    if (!listing->is_running)
        list_go(listing);
}

static void list_go(struct listing *listing)
{
    struct server *server = listing->call->server;

    listing->is_running = true;
    for (;;) {
        if (listing->is_answered && listing->state == STORE_UP)
            add_entity(listing);
        listing->at += listing->is_answered;
        while (listing->at < listing->count &&
               !is_worth_reading(listing, &listing->row[listing->at]))
            listing->at++;
        if (listing->state != STORE_UP || listing->at == listing->count)
            break;
        listing->is_answered = false;
        name_chain(server, &listing->row[listing->at].id, &listing->facts);
        store_read_reputation(server->store, &listing->facts,
                              (struct store_done){.fn = list_read, .arg = listing});
        if (!listing->is_answered) {
            listing->is_running = false;
            return;
        }
    }
    admin_next(listing->call, listing->next);
    admin_answer_store(listing->call, listing->state);
}

// copy: an entity's domain lies in its own text.
static void copy(const struct store_entity *from, struct store_entity *to)
{
    *to = *from;
    if (from->id.domain != NULL && from->id.domain >= from->text &&
        from->id.domain < from->text + sizeof(from->text))
        to->id.domain = to->text + (from->id.domain - from->text);
}

static void list_paged(void *arg, enum store_state state, const struct store_entity *row,
                       size_t count, uint64_t next)
{
    struct listing *listing = arg;

    listing->row = arena_alloc(&listing->call->seat->arena, count * sizeof(*row) + 1);
    if (listing->row == NULL) {
        admin_refuse(listing->call, "the answer does not fit into one reply; ask for less (limit)");
        return;
    }
    for (size_t i = 0; i < count; i++)
        copy(&row[i], &listing->row[i]);
    listing->count = count;
    listing->next = next;
    listing->state = state;
    list_go(listing);
}

void reputation_list(struct admin_call *call)
{
    struct listing *listing = arena_zalloc(&call->seat->arena, sizeof(*listing));
    unsigned kinds = 0;
    uint64_t cursor = 0;
    size_t limit = 0;

    if (listing == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    listing->call = call;
    if (read_real(call, "evidence", &listing->evidence) && read_kinds(call, &kinds) &&
        admin_page(call, LIST_DEFAULT, LIST_MOST, &cursor, &limit))
        store_reputation_page(call->server->store, cursor, limit, kinds,
                              (struct store_entities_done){list_paged, listing});
}
