// spared_note.c: what an accept says of a client, written to its evidence: nobody waits for it, and no lookup
// queues behind it, because it has the operator's connection. Promises: SPARED_NOTES_MAX at once, what is more or
// cannot be written is lost and counted; nothing is read, changed and written back: fields are set and removed,
// and what they make of the client is what is read after that, so of nodes that race the last one sees all.
//
//     HGETALL w:<client>
//     HSET w:<client> pair day   HDEL of what gives way   EXPIREAT   HGETALL w:<client>    if it says anything
//     and if that is not what the roll says: the client's row is told to everybody (spared_roll.c)
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "proto/base/mem.h"

enum { SPARED_NOTES_MAX = 256 };

struct spared_work {
    struct spared_work *next; // of those under way
    struct spared_client client;
    struct spared_news news;
    unsigned writes_left; // replies that come before the evidence
};

static void finish(struct store *store, struct spared_work *work)
{
    struct spared_work **at = &store->notes;

    while (*at != work)
        at = &(*at)->next;
    *at = work->next;
    store->note_count--;
    mem_free(work);
}

// The row follows from the evidence, whoever wrote that. A row that somebody's forgetting crossed is mended so as
// well, the next time that the client says something.
static void settle(struct store *store, const struct spared_work *work)
{
    const char *client = spared_client_of(work->client.name);
    const struct spared_row said = roll_find(&store->roll, client);
    struct spared_row row = spared_row_of(&work->client);

    if (roll_is_over(&row, spared_day(work->news.now_ms)))
        row = (struct spared_row){.newest = 0};
    if (row.newest != said.newest || row.rests != said.rests)
        spared_tell(store, client, &row);
}

// ---- replies

static void got_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct spared_work *work = op->work;

    if (work->writes_left > 0)
        work->writes_left--;
    else
        spared_take(store, op, reply, &work->client);
}

static void lose(struct store *store, struct spared_work *work)
{
    store->counters.lost_writes++;
    finish(store, work);
}

static void end_writing(struct store *store, struct op *op)
{
    if (op->state != STORE_UP) {
        lose(store, op->work);
        return;
    }
    settle(store, op->work);
    finish(store, op->work);
}

static const struct op_kind WRITE = {got_reply, end_writing};

static void put_change(struct resp *resp, const char *name, const struct spared_change *change)
{
    resp_begin(resp, "HSET");
    resp_text(resp, name);
    resp_bytes(resp, change->set.pair, KEY_PAIR_BYTES);
    resp_number(resp, change->set.day);
}

static void put_removal(struct resp *resp, const char *name, const struct spared_change *change)
{
    resp_begin(resp, "HDEL");
    resp_text(resp, name);
    for (unsigned i = 0; i < change->removed_count; i++)
        resp_bytes(resp, change->removed[i], KEY_PAIR_BYTES);
}

static void write(struct store *store, struct spared_work *work, const struct spared_change *change)
{
    struct redis *redis = store->lane[STORE_ADMIN];
    const char *name = work->client.name;
    const bool keeps = store_keeps_expiry(store);
    enum store_state why = STORE_UP;
    struct resp resp;

    work->writes_left = 1U + (change->removed_count > 0) + keeps;
    struct op *op = op_begin(store->ops, redis, &WRITE, work->writes_left + 1, &why);

    if (op == NULL) {
        lose(store, work);
        return;
    }
    op->work = work;
    put_change(&resp, name, change);
    op_send(store->ops, op, redis, &resp);
    if (change->removed_count > 0) {
        put_removal(&resp, name, change);
        op_send(store->ops, op, redis, &resp);
    }
    if (keeps) {
        store_put_expiry(&resp, name, spared_expiry_ms(change->set.day));
        op_send(store->ops, op, redis, &resp);
    }
    spared_ask(store, op, redis, name);
}

static void end_reading(struct store *store, struct op *op)
{
    struct spared_work *work = op->work;
    struct spared_change change;

    if (op->state != STORE_UP) {
        lose(store, work);
    } else if (spared_note(&work->client, &work->news, &change)) {
        write(store, work, &change);
    } else {
        settle(store, work);
        finish(store, work);
    }
}

static const struct op_kind READ = {got_reply, end_reading};

// ---- the seam

// A client that sends a lot is renewed once, not as often as it sends until that is done.
static bool is_being_renewed(const struct store *store, const char *name)
{
    const struct spared_work *work = store->notes;

    while (work != NULL &&
           (work->news.cause != SPARED_SPARED || strcmp(work->client.name, name) != 0))
        work = work->next;
    return work != NULL;
}

void store_spared_note(struct store *store, const char *name, const struct spared_news *news)
{
    enum store_state why = STORE_UP;
    struct op *op = NULL;

    if (news->cause == SPARED_SPARED && is_being_renewed(store, name))
        return;
    if (store->note_count < SPARED_NOTES_MAX)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], &READ, 1, &why);
    if (op == NULL) {
        store->counters.lost_writes++;
        return;
    }
    struct spared_work *work = mem_new(sizeof(*work));

    memcpy(work->client.name, name, strlen(name) + 1);
    work->news = *news;
    work->next = store->notes;
    store->notes = work;
    store->note_count++;
    op->work = work;
    spared_ask(store, op, store->lane[STORE_ADMIN], name);
}
