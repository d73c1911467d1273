// spared_roll.c: the roll of spared clients: read as a whole, heard of, and told. Promises: every node has what
// was told within a second (events.h), and in any case within five minutes, when it reads all of it again, a
// slice at a time; a roll that was never read spares nobody; what cannot be read leaves it as it is.
//
//     read      HSCAN spared:{p} <cursor> COUNT n ...        HDEL of rows that are over
//     tell      HSET or HDEL spared:{p}, EXPIREAT, XADD events kind spared
//
// All of it goes over one connection, the operator's, and Redis does one thing after the other: so what an
// event or a slice says is never older than what was said before it.
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

struct spared_row store_spared(const struct store *store, const char *name)
{
    if (!store->reading.is_known)
        return (struct spared_row){.newest = 0};
    return roll_find(&store->roll, spared_client_of(name));
}

size_t store_spared_count(const struct store *store)
{
    return store->roll.count;
}

void spared_heard(struct store *store, const char *client, const struct spared_row *row)
{
    if (!roll_is_ahead(row, spared_day(store_now_ms(store))))
        roll_set(&store->roll, client, row);
}

// ---- reading all of it

static bool read_row(const struct redisReply *field, const struct redisReply *value, uint64_t today,
                     struct spared_row *out)
{
    return reply_is_text(field) && reply_is_text(value) && strlen(field->str) == field->len &&
           strlen(value->str) == value->len && roll_read(field->str, value->str, today, out);
}

static bool is_over(const struct redisReply *field, const struct redisReply *value, uint64_t now_ms)
{
    const uint64_t today = spared_day(now_ms);
    struct spared_row row;

    return read_row(field, value, today, &row) && roll_is_over(&row, today);
}

static bool take_row(struct store *store, const struct redisReply *field,
                     const struct redisReply *value)
{
    const uint64_t today = spared_day(store_now_ms(store));
    struct spared_row row;

    if (!read_row(field, value, today, &row))
        return false;
    if (!roll_is_over(&row, today))
        roll_set(&store->roll, field->str, &row);
    return true;
}

static void begin(struct store *store)
{
    roll_read_begin(&store->roll);
}

static void end(struct store *store)
{
    roll_read_end(&store->roll);
    store->reading.is_known = true;
}

void spared_reread(struct store *store)
{
    static const struct scan_kind kind = {
        ROLL_KEY, "store holds spared clients that are not of our format, or too many",
        begin,    take_row,
        is_over,  end};

    scan_again(store, &store->reading.scan, &kind);
}

// ---- telling

void spared_put_row(struct resp *resp, const char *client, const struct spared_row *row)
{
    char value[ROLL_VALUE_MAX];

    resp_begin(resp, row->newest != 0 ? "HSET" : "HDEL");
    resp_text(resp, ROLL_KEY);
    resp_text(resp, client);
    if (row->newest == 0)
        return;
    roll_value(row, value);
    resp_text(resp, value);
}

void spared_put_event(struct resp *resp, const char *client, const struct spared_row *row)
{
    event_put(resp, "spared");
    resp_text(resp, "client");
    resp_text(resp, client);
    resp_text(resp, "rests");
    resp_number(resp, row->rests);
    resp_text(resp, "day");
    resp_number(resp, row->newest);
}

static void got_told(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct store *store = arg;
    enum store_state state = reply_state(reply);

    (void)tag;
    if (state != STORE_UP)
        store->counters.lost_writes++;
    store_note_error(store, state, reply);
}

static void tell(struct store *store, struct resp *resp)
{
    struct redis_wait wait = {.fn = got_told, .arg = store};

    if (!redis_send(store->lane[STORE_ADMIN], resp, wait))
        store->counters.lost_writes++;
}

void spared_tell(struct store *store, const char *client, const struct spared_row *row)
{
    const bool keeps = store_keeps_expiry(store);
    struct resp resp;

    roll_set(&store->roll, client, row);
    spared_put_row(&resp, client, row);
    tell(store, &resp);
    if (keeps && row->newest != 0) {
        store_put_expiry(&resp, ROLL_KEY, spared_expiry_ms(spared_day(store_now_ms(store))));
        tell(store, &resp);
    }
    spared_put_event(&resp, client, row);
    tell(store, &resp);
    if (keeps) {
        events_put_expiry(store, &resp);
        tell(store, &resp);
    }
}
