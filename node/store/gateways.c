// gateways.c: who reports: mirrored, told, heard of. Promises: an id is given once, by the server; what a node has to tell is told once a second,
// as what is new, so that nodes that tell at once lose nothing of each other; a trust that changed much is known everywhere within a second,
// any other within five minutes.
#include <hiredis/hiredis.h>
#include <math.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/reputation.h"
#include "proto/base/mem.h"

static const double MUCH = 0.05; // a change of trust that the other nodes are told

// ---- what others ask

struct reputation_reporters store_reporters(const struct store *store)
{
    const struct reporters *reporters = &store->reputing.reporters;

    return (struct reputation_reporters){
        .trust = reporters->trust, .active = reporters_active(reporters, store_now_ms(store))};
}

const char *store_reporter_name(const struct store *store, uint16_t reporter)
{
    const struct reporter *found = reporters_find_id(&store->reputing.reporters, reporter);

    return found != NULL ? found->row.name : "";
}

size_t store_reporters_list(const struct store *store, struct store_reporter *out, size_t max)
{
    const struct reporters *reporters = &store->reputing.reporters;
    const uint64_t now_ms = store_now_ms(store);
    size_t count = 0;

    for (; count < reporters->count && count < max; count++)
        out[count] = reporters_view(&reporters->item[count], now_ms);
    return count;
}

// ---- rows

static bool is_name(const struct redisReply *field)
{
    return reply_is_text(field) && field->len > 0 &&
           field->len < sizeof(((struct store_reporter *)0)->name) &&
           strlen(field->str) == field->len;
}

static bool read_row(const char *name, const struct redisReply *value, struct store_reporter *out)
{
    *out = (struct store_reporter){.id = 0};
    memcpy(out->name, name, strlen(name) + 1);
    return reply_is_text(value) && strlen(value->str) == value->len &&
           script_row_read(value->str, out);
}

struct reporter *gateways_take(struct store *store, const char *name,
                               const struct redisReply *value)
{
    struct store_reporter row;

    if (!read_row(name, value, &row))
        return NULL;
    return reporters_set(&store->reputing.reporters, &row);
}

// What every node hears from the store, none need tell another.
static bool hear_row(struct store *store, const struct redisReply *field,
                     const struct redisReply *value)
{
    if (reply_is_text(field) && field->len == 0)
        return true; // the id that was given last
    struct reporter *reporter = is_name(field) ? gateways_take(store, field->str, value) : NULL;

    if (reporter != NULL)
        reporter->told = reporter->row.trust;
    return reporter != NULL;
}

static void read_end(struct store *store)
{
    store->reputing.knows_reporters = true;
    reporters_read_end(&store->reputing.reporters);
}

bool gateways_take_all(struct store *store, const struct redisReply *reply)
{
    bool is_sound = reply->type == REDIS_REPLY_ARRAY && reply->elements % 2 == 0;

    reporters_read_begin(&store->reputing.reporters);
    for (size_t i = 0; is_sound && i + 1 < reply->elements; i += 2)
        is_sound = hear_row(store, reply->element[i], reply->element[i + 1]);
    if (is_sound)
        read_end(store);
    return is_sound;
}

// ---- reading all of them

static bool is_over(const struct redisReply *field, const struct redisReply *value, uint64_t now_ms)
{
    struct store_reporter row;

    return is_name(field) && read_row(field->str, value, &row) &&
           row.last_ms + SCRIPT_GATEWAY_LIFE_MS < now_ms;
}

static void read_begin(struct store *store)
{
    reporters_read_begin(&store->reputing.reporters);
}

void gateways_reread(struct store *store)
{
    static const struct scan_kind kind = {
        SCRIPT_GATEWAYS, "store holds gateways that are not of our format, or too many",
        read_begin,      hear_row,
        is_over,         read_end};

    if (!store->config->replay)
        scan_again(store, &store->reputing.reading, &kind);
}

void gateways_heard(struct store *store)
{
    store->reputing.reading.due_ms = 0;
}

// ---- telling

static void got_told(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    const enum store_state state = reply_state(reply);

    (void)tag;
    if (state != STORE_UP)
        store->counters.lost_writes++;
    store_note_error(store, state, reply);
}

void gateways_tell(struct store *store, struct reporter *reporter, bool is_new)
{
    const double trust = reporter->row.trust; // as the store has it: that is what they will read
    struct redis_wait wait = {.fn = got_told, .arg = store};
    struct resp resp;

    if (!is_new && fabs(trust - reporter->told) < MUCH)
        return;
    reporter->told = trust;
    event_put(&resp, "gateways");
    if (!redis_send(store->lane[STORE_ADMIN], &resp, wait))
        store->counters.lost_writes++; // they read all of it within five minutes
    if (!store_keeps_expiry(store))
        return;
    events_put_expiry(store, &resp);
    (void)redis_send(store->lane[STORE_ADMIN], &resp, wait); // fails only with the connection
}

struct telling {
    char name[sizeof(((struct store_reporter *)0)->name)];
};

static void got_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    const struct telling *telling = op->work;
    struct reporter *reporter = reporters_find(&store->reputing.reporters, telling->name);

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (reporter != NULL)
        reporter->sent = (struct script_news){.last_ms = 0};
    reporter = gateways_take(store, telling->name, reply);
    if (reporter == NULL) {
        store_note_garbage(store, op);
        return;
    }
    gateways_tell(store, reporter, false);
}

static void end_row(struct store *store, struct op *op)
{
    const struct telling *telling = op->work;
    struct reporter *reporter = reporters_find(&store->reputing.reporters, telling->name);

    if (op->state != STORE_UP)
        store->counters.lost_writes++;
    if (reporter != NULL) {
        reporter->sent = (struct script_news){.last_ms = 0};
        reporter->is_sending = false;
        reporters_refresh(&store->reputing.reporters, reporter);
    }
    mem_free(op->work);
}

static const struct op_kind TELL = {got_row, end_row};

static void tell_store(struct store *store, struct reporter *reporter)
{
    struct telling *telling = mem_new(sizeof(*telling));
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], &TELL, 1, &why);
    struct resp resp;

    if (op == NULL) { // it waits for the next second
        mem_free(telling);
        return;
    }
    memcpy(telling->name, reporter->row.name, sizeof(telling->name));
    op->work = telling;
    reporter->sent = reporter->news;
    reporter->news = (struct script_news){.last_ms = 0};
    reporter->is_sending = true;
    script_put_gateway(&resp, telling->name, &reporter->sent, store_keeps_expiry(store));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

void gateways_flush(struct store *store)
{
    struct reporters *reporters = &store->reputing.reporters;

    for (size_t i = 0; i < reporters->count; i++)
        if (reporters_has_news(&reporters->item[i]) && !reporters->item[i].is_sending)
            tell_store(store, &reporters->item[i]);
}

size_t store_reporters_waiting(const struct store *store)
{
    const struct reporters *reporters = &store->reputing.reporters;
    size_t count = 0;

    for (size_t i = 0; i < reporters->count; i++)
        count += reporters_has_news(&reporters->item[i]) || reporters->item[i].is_sending;
    return count;
}
