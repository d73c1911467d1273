// banned.c: the bans of clients that harvest: read as a whole, heard of, and what an operator asks. Promises: every node
// has what was said within a second (events.h), and in any case within five minutes, when it reads all of it again, a
// slice at a time; what cannot be read leaves the mirror as it is.
//
//     read      HSCAN bans:{p} <cursor> COUNT n ...         HDEL of rows that say nothing any more
//     show      HGET bans:{p} <client>     HLEN c:harvest    HLEN c:exists
//     lift      HDEL bans:{p} <client>     UNLINK c:harvest  UNLINK c:exists    XADD events kind ban, until 0
//
// A row stays for a day after its ban, because the next one is twice as long (core/harvest.h).
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// ---- the mirror

struct harvest_ban store_ban(const struct store *store, const struct ip_net *client)
{
    return bans_find(&store->harvesting.bans, client);
}

size_t store_ban_count(const struct store *store)
{
    return store->harvesting.bans.count;
}

size_t store_ban_list(const struct store *store, const struct ip_net *net,
                      const struct ip_net *after, struct store_banned *out, size_t max)
{
    const uint64_t now_ms = store_now_ms(store);
    struct ip_net from = *after;
    struct ban_row row;
    size_t count = 0;

    while (count < max && bans_page(&store->harvesting.bans, net, &from, now_ms, &row, 1) == 1) {
        from = row.client;
        out[count++] = (struct store_banned){.client = row.client, .ban = row.ban};
    }
    return count;
}

void bans_heard(struct store *store, const struct ip_net *client, const struct harvest_ban *ban)
{
    if (ban->until_ms > 0) {
        bans_set(&store->harvesting.bans, client, ban, store_now_ms(store));
        return;
    }
    (void)bans_remove(&store->harvesting.bans, client);
    named_forget(store->harvesting.named, client);
}

uint64_t bans_expiry_ms(uint64_t now_ms)
{
    return now_ms + HARVEST_BAN_MOST_MS + HARVEST_REPEAT_MS + HARVEST_HOUR_MS;
}

void bans_put_event(struct resp *resp, const struct ip_net *client, const struct harvest_ban *ban)
{
    char text[HARVEST_CLIENT_MAX];

    event_put(resp, "ban");
    resp_text(resp, "client");
    resp_text(resp, harvest_client_text(client, text));
    resp_text(resp, "until");
    resp_number(resp, ban->until_ms);
    resp_text(resp, "since");
    resp_number(resp, ban->since_ms);
    resp_text(resp, "unknown");
    resp_number(resp, ban->count.unknown);
    resp_text(resp, "existing");
    resp_number(resp, ban->count.existing);
}

// ---- reading all of it

static bool read_row(const struct redisReply *field, const struct redisReply *value,
                     struct ip_net *client, struct harvest_ban *out)
{
    return reply_is_text(field) && reply_is_text(value) && strlen(field->str) == field->len &&
           strlen(value->str) == value->len && harvest_client_read(field->str, client) &&
           harvest_ban_read(value->str, out);
}

static bool is_over(const struct redisReply *field, const struct redisReply *value, uint64_t now_ms)
{
    struct harvest_ban ban;
    struct ip_net client;

    return read_row(field, value, &client, &ban) && harvest_ban_is_over(&ban, now_ms);
}

static bool read_take(struct store *store, const struct redisReply *field,
                      const struct redisReply *value)
{
    struct harvest_ban ban;
    struct ip_net client;

    if (!read_row(field, value, &client, &ban))
        return false;
    bans_set(&store->harvesting.bans, &client, &ban, store_now_ms(store));
    return true;
}

static void read_begin(struct store *store)
{
    bans_read_begin(&store->harvesting.bans);
}

static void read_end(struct store *store)
{
    bans_read_end(&store->harvesting.bans, store_now_ms(store));
}

void bans_reread(struct store *store)
{
    static const struct scan_kind kind = {
        HARVEST_BANS_KEY, "store holds bans that are not of our format, or too many",
        read_begin,       read_take,
        is_over,          read_end};

    scan_again(store, &store->harvesting.reading, &kind);
}

// ---- what an operator asks

struct ban_question {
    struct store_banned found;
    uint64_t hour;
    struct store_ban_done done;
    unsigned replies;
    bool is_removed; // lift: of the row
};

static void finish(struct store *store, struct ban_question *ask, enum store_state state)
{
    store->admin_work--;
    ask->done.fn(ask->done.arg, state, &ask->found);
    mem_free(ask);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct ban_question *ask,
                        unsigned commands)
{
    enum store_state why;
    struct op *op = op_begin_admin(store->ops, kind, commands, ask, &why);

    if (op == NULL)
        finish(store, ask, why);
    return op;
}

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static void send_row(struct store *store, struct op *op, const char *verb)
{
    const struct ban_question *ask = op->work;
    char client[HARVEST_CLIENT_MAX];
    struct resp resp;

    resp_begin(&resp, verb);
    resp_text(&resp, HARVEST_BANS_KEY);
    resp_text(&resp, harvest_client_text(&ask->found.client, client));
    send(store, op, &resp);
}

static void send_counts(struct store *store, struct op *op, const char *verb)
{
    const struct ban_question *ask = op->work;
    struct resp resp;

    for (int kind = HARVEST_UNKNOWN; kind <= HARVEST_EXISTING; kind++) {
        char key[HARVEST_KEY_MAX];

        resp_begin(&resp, verb);
        resp_bytes(&resp, key,
                   harvest_key((enum harvest_kind)kind, &ask->found.client, ask->hour, key));
        send(store, op, &resp);
    }
}

static struct ban_question *question_new(struct store *store, const struct ip_net *client,
                                         struct store_ban_done done)
{
    struct ban_question *ask = mem_new(sizeof(*ask));

    ask->found.client = *client;
    ask->hour = harvest_hour(store_now_ms(store));
    ask->done = done;
    store->admin_work++;
    return ask;
}

static void take_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct ban_question *ask = op->work;

    if (reply->type == REDIS_REPLY_NIL || reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_text(reply) || strlen(reply->str) != reply->len ||
        !harvest_ban_read(reply->str, &ask->found.ban)) {
        ask->found.ban = (struct harvest_ban){0};
        store_note_garbage(store, op);
    }
}

static void got_shown(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct ban_question *ask = op->work;
    const unsigned at = ask->replies++;
    uint64_t *count = at == 1 ? &ask->found.hour.unknown : &ask->found.hour.existing;

    if (at == 0)
        take_row(store, op, reply);
    else if (reply_is_integer(reply) && reply->integer >= 0)
        *count = (uint64_t)reply->integer;
    else
        op_note(op, STORE_ERROR);
}

static void end_showing(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static const struct op_kind SHOWING = {got_shown, end_showing};

void store_ban_show(struct store *store, const struct ip_net *client, struct store_ban_done done)
{
    struct op *op = begin(store, &SHOWING, question_new(store, client, done), 3);

    if (op == NULL)
        return;
    send_row(store, op, "HGET");
    send_counts(store, op, "HLEN");
}

static void got_lifted(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct ban_question *ask = op->work;

    (void)store;
    if (ask->replies++ == 0 && reply_is_integer(reply))
        ask->is_removed = true;
}

// At this node at once, whether or not the others could be told.
static void end_lifting(struct store *store, struct op *op)
{
    struct ban_question *ask = op->work;
    const struct harvest_ban none = {0};

    ask->found.is_lifted = ask->is_removed;
    if (ask->is_removed) {
        ask->found.ban = bans_find(&store->harvesting.bans, &ask->found.client);
        bans_heard(store, &ask->found.client, &none);
    }
    finish(store, ask, op->state);
}

static const struct op_kind LIFTING = {got_lifted, end_lifting};

void store_ban_lift(struct store *store, const struct ip_net *client, struct store_ban_done done)
{
    const bool keeps = store_keeps_expiry(store);
    const struct harvest_ban none = {0};
    struct op *op = begin(store, &LIFTING, question_new(store, client, done), 4U + keeps);
    struct resp resp;

    if (op == NULL)
        return;
    send_row(store, op, "HDEL");
    send_counts(store, op, "UNLINK");
    bans_put_event(&resp, client, &none);
    send(store, op, &resp);
    if (keeps) {
        events_put_expiry(store, &resp);
        send(store, op, &resp);
    }
}
