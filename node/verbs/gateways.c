// gateways.c: reputation.gateways, reputation.undo: who reports, how far each is trusted, and to take out again what one
// of them has said. A gateway that loses trust is told in the log once, until it has it again.
//
// Promises: an undo that breaks off has undone what it told of, and the same again undoes the rest.
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"
#include "proto/base/log.h"

enum { LIST_DEFAULT = 100, LIST_MOST = 150 };
#define TRUSTED_AGAIN 0.6

static const struct reputation_settings *settings_of(const struct admin_call *call)
{
    return &seat_policy(call->seat)->settings.reputation.levels;
}

// ---- who reports

static double weight_of(const struct admin_call *call, const char *gateway)
{
    const struct policy_settings *settings = &seat_policy(call->seat)->settings;

    for (size_t i = 0; i < settings->reputation.gateway_count; i++)
        if (strcmp(settings->reputation.gateway[i].name, gateway) == 0)
            return settings->reputation.gateway[i].weight;
    return 1;
}

static void add_gateway(struct admin_call *call, const struct store_reporter *reporter)
{
    const struct reputation_record *record = &reporter->record;

    rows_add(&call->rows);
    rows_field(&call->rows, "gateway", "%s", reporter->name);
    rows_field(&call->rows, "id", "%u", (unsigned)reporter->id);
    rows_field(&call->rows, "trust", "%.3f", reporter->trust);
    rows_field(&call->rows, "alarm", "%s", reporter->trust < REPUTATION_ALARM ? "true" : "");
    rows_field(&call->rows, "weight", "%g", weight_of(call, reporter->name));
    rows_field(&call->rows, "agreed_spam", "%.3f", record->agreed[1]);
    rows_field(&call->rows, "disagreed_spam", "%.3f", record->disagreed[1]);
    rows_field(&call->rows, "agreed_ham", "%.3f", record->agreed[0]);
    rows_field(&call->rows, "disagreed_ham", "%.3f", record->disagreed[0]);
    rows_field(&call->rows, "spam", "%.1f", reporter->spam);
    rows_field(&call->rows, "ham", "%.1f", reporter->ham);
    rows_time(&call->rows, "last", reporter->last_ms);
}

// all_gateways: on the heap; the caller frees them.
static struct store_reporter *all_gateways(const struct store *store, size_t *count)
{
    struct store_reporter *all = mem_new_array(STORE_REPORTERS_MAX, sizeof(*all));

    *count = store_reporters_list(store, all, STORE_REPORTERS_MAX);
    return all;
}

void reputation_gateways(struct admin_call *call)
{
    uint64_t from = 0;
    size_t limit = 0, count = 0;

    if (!admin_page(call, LIST_DEFAULT, LIST_MOST, &from, &limit))
        return;
    struct store_reporter *all = all_gateways(call->server->store, &count);

    for (size_t i = (size_t)from; i < count && i - from < limit; i++)
        add_gateway(call, &all[i]);
    if (from < count && count - from > limit)
        admin_next(call, from + limit);
    mem_free(all);
    admin_answer(call);
}

// ---- undo

struct undoing {
    struct admin_call *call;
    uint16_t reporter;
};

// What it held of an entity, and what is left of that without it.
static void add_undone(const struct undoing *undoing, const struct store_entity *row)
{
    struct admin_call *call = undoing->call;
    const struct reputation_level_settings *level = &settings_of(call)->level[row->id.kind];
    const uint32_t now_s = (uint32_t)(admin_now_ms(call) / 1000);
    struct reputation_state was = row->is, left;
    struct reputation_slot held = {.reporter = 0};
    char name[REPUTATION_TEXT_MAX];

    reputation_decay(&was, now_s, (double)level->half_life_ms / 1000);
    for (unsigned i = 0; i < was.slot_count; i++)
        if (was.slot[i].reporter == undoing->reporter)
            held = was.slot[i];
    left = was;
    (void)reputation_undo(row->id.kind, level, undoing->reporter, now_s, &left);
    rows_add(&call->rows);
    rows_field(&call->rows, "kind", "%s", reputation_kind_text(row->id.kind));
    rows_field(&call->rows, "name", "%s", reputation_text(&row->id, name));
    rows_field(&call->rows, "spam", "%.9g", held.spam);
    rows_field(&call->rows, "ham", "%.9g", held.ham);
    rows_field(&call->rows, "was_spam", "%.9g", was.spam);
    rows_field(&call->rows, "was_ham", "%.9g", was.ham);
    rows_field(&call->rows, "left_spam", "%.9g", left.spam);
    rows_field(&call->rows, "left_ham", "%.9g", left.ham);
}

// Some of a page may be undone already.
static void refuse_rest(struct admin_call *call, enum store_state state)
{
    char text[256];

    (void)snprintf(
        text, sizeof(text),
        "the store is %s; what was undone until now stays undone, do it again for the rest",
        store_state_text(state));
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
}

static void undone(void *arg, enum store_state state, const struct store_entity *row, size_t count,
                   uint64_t next)
{
    const struct undoing *undoing = arg;

    for (size_t i = 0; i < count; i++)
        add_undone(undoing, &row[i]);
    admin_next(undoing->call, next);
    if (state == STORE_UP || undoing->call->seat->request.admin.dry_run)
        admin_answer_store(undoing->call, state);
    else
        refuse_rest(undoing->call, state);
}

static uint16_t find_gateway(const struct store *store, const char *name)
{
    size_t count = 0;
    struct store_reporter *all = all_gateways(store, &count);
    uint16_t id = 0;

    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, name) == 0)
            id = all[i].id;
    mem_free(all);
    return id;
}

void reputation_take_out(struct admin_call *call)
{
    const char *gateway = admin_arg(call, "gateway");
    struct undoing *undoing = arena_zalloc(&call->seat->arena, sizeof(*undoing));
    uint64_t cursor = 0;
    size_t limit = 0;

    if (!admin_page(call, LIST_DEFAULT, LIST_MOST, &cursor, &limit))
        return;
    if (undoing == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    *undoing = (struct undoing){call, find_gateway(call->server->store, gateway)};
    if (undoing->reporter == 0 && store_state(call->server->store) != STORE_UP)
        admin_answer_store(call, store_state(call->server->store));
    else if (undoing->reporter == 0)
        admin_refuse(call, "gateway: no gateway is called '%.64s' (reputation.gateways lists them)",
                     gateway);
    else
        store_reputation_undo(call->server->store, cursor, limit, gateway, settings_of(call),
                              call->seat->request.admin.dry_run,
                              (struct store_entities_done){undone, undoing});
}

// ---- on guard

static void tell(const struct store_reporter *reporter, bool is_alarmed)
{
    char name[LOG_QUOTE_MAX];

    if (is_alarmed)
        log_error("gateway contradicts what others know; its reports count less and less "
                  "gateway=%s trust=%.2f",
                  log_quote(name, reporter->name), reporter->trust);
    else
        log_info("gateway is trusted again gateway=%s trust=%.2f", log_quote(name, reporter->name),
                 reporter->trust);
}

void gateways_watch(struct server *server)
{
    size_t count = 0;
    struct store_reporter *all;

    if (store_reporters(server->store).active == 0)
        return;
    all = all_gateways(server->store, &count);
    for (size_t i = 0; i < count; i++) {
        bool *is_alarmed = &server->alarmed[all[i].id];
        const double bound = *is_alarmed ? TRUSTED_AGAIN : REPUTATION_ALARM;

        if ((all[i].trust < bound) == *is_alarmed)
            continue;
        *is_alarmed = !*is_alarmed;
        tell(&all[i], *is_alarmed);
    }
    mem_free(all);
}
