// reputation_page.c: what an operator asks of reputation: entities, a page at a time, and taking out what one gateway has said. Promises: nothing
// of it is on a lookup's way; an entity that was there all the time is met at least once; what one gateway holds is taken out of an
// entity in one step of the server.
//
//     SCAN <cursor> MATCH r:* COUNT n    MGET r:...    [EVAL undo r:...]    at the end of an undoing: EVAL gateways:{p}
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/reputation.h"
#include "proto/base/mem.h"

enum {
    PAGE_MOST = 256,      // rows that are asked for at once
    PAGE_ROWS_MAX = 2048, // a page may hold more than was asked for
    MGET_BYTES = RESP_BYTES - 1024,
    KEY_HEAD_BYTES = 16,
};

struct paging {
    struct store_entities_done done;
    unsigned kinds;
    uint64_t next;
    struct store_entity *row;
    size_t count;
    size_t at; // of the replies of MGET and EVAL
    // Of an undoing.
    bool undoes, dry_run;
    char gateway[sizeof(((struct store_reporter *)0)->name)];
    uint16_t reporter;
    struct reputation_settings settings;
};

static void finish(struct store *store, struct paging *paging, enum store_state state)
{
    const bool is_good = state == STORE_UP;

    store->admin_work--;
    paging->done.fn(paging->done.arg, state, paging->row, is_good ? paging->count : 0,
                    is_good ? paging->next : 0);
    mem_free(paging->row);
    mem_free(paging);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct paging *paging,
                        unsigned commands)
{
    enum store_state why = STORE_DOWN;
    struct op *op =
        store->is_closing ? NULL : op_begin_admin(store->ops, kind, commands, paging, &why);

    if (op == NULL)
        finish(store, paging, why);
    else
        paging->at = 0;
    return op;
}

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

// ---- last: the gateway's record

static void got_pardoned(struct store *store, struct op *op, const struct redisReply *reply)
{
    const struct paging *paging = op->work;
    struct reporter *reporter = reporters_find(&store->reputing.reporters, paging->gateway);

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (reporter != NULL)
        reporter->news = (struct script_news){.last_ms = 0};
    reporter = gateways_take(store, paging->gateway, reply);
    if (reporter == NULL)
        store_note_garbage(store, op);
    else
        gateways_tell(store, reporter, true);
}

static void end_paging(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static const struct op_kind PARDON = {got_pardoned, end_paging};

static void conclude(struct store *store, struct paging *paging)
{
    struct resp resp;

    if (!paging->undoes || paging->dry_run || paging->next != 0) {
        finish(store, paging, STORE_UP);
        return;
    }
    struct op *op = begin(store, &PARDON, paging, 1);

    if (op == NULL)
        return;
    script_put_pardon(&resp, paging->gateway, store_now_ms(store), store_keeps_expiry(store));
    send(store, op, &resp);
}

// ---- taking out

static void got_undone(struct store *store, struct op *op, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR && !reply_is_integer(reply))
        store_note_garbage(store, op);
}

static void end_undoing(struct store *store, struct op *op)
{
    if (store->reputing.parents != NULL)
        parents_drop(store->reputing.parents);
    if (op->state == STORE_UP)
        conclude(store, op->work);
    else
        finish(store, op->work, op->state);
}

static const struct op_kind UNDO = {got_undone, end_undoing};

static bool holds(const struct store_entity *row, uint16_t reporter)
{
    for (unsigned i = 0; i < row->is.slot_count; i++)
        if (row->is.slot[i].reporter == reporter && row->is.slot[i].spam + row->is.slot[i].ham > 0)
            return true;
    return false;
}

static struct reputation_id *id_of(struct store_entity *row)
{
    (void)reputation_id_read(row->text, &row->id); // it was, when it was met; rows have moved since
    return &row->id;
}

static void keep_holders(struct paging *paging)
{
    size_t kept = 0;

    for (size_t i = 0; i < paging->count; i++)
        if (holds(&paging->row[i], paging->reporter))
            paging->row[kept++] = paging->row[i];
    paging->count = kept;
}

static void undo_rows(struct store *store, struct paging *paging)
{
    const uint32_t now_s = (uint32_t)(store_now_ms(store) / 1000);
    const struct script_how how = {.keeps = store_keeps_expiry(store)};
    struct op *op = NULL;

    keep_holders(paging);
    for (size_t i = 0; i < paging->count; i++)
        (void)id_of(&paging->row[i]);
    if (paging->count == 0 || paging->dry_run) {
        conclude(store, paging);
        return;
    }
    op = begin(store, &UNDO, paging, (unsigned)paging->count);
    for (size_t i = 0; op != NULL && i < paging->count; i++) {
        const struct store_entity *row = &paging->row[i];
        struct resp resp;

        script_put_undo(&resp, row->text, &paging->settings.level[row->id.kind], paging->reporter,
                        now_s, &how);
        send(store, op, &resp);
    }
}

// ---- what the entities hold

static bool take_value(struct store_entity *row, const struct redisReply *value)
{
    if (value->type == REDIS_REPLY_NIL) { // gone meanwhile
        row->is = (struct reputation_state){.at_s = 0};
        return true;
    }
    return reply_is_text(value) &&
           reputation_unpack(row->id.kind, value->str, value->len, &row->is) == ERR_NONE;
}

static void got_values(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct paging *paging = op->work;

    if (reply->type != REDIS_REPLY_ARRAY) {
        if (reply->type != REDIS_REPLY_ERROR)
            store_note_garbage(store, op);
        return;
    }
    for (size_t i = 0; i < reply->elements && paging->at < paging->count; i++, paging->at++)
        if (!take_value(&paging->row[paging->at], reply->element[i])) {
            paging->row[paging->at].is = (struct reputation_state){.at_s = 0};
            reputation_complain(store);
        }
}

static void drop_empty(struct paging *paging)
{
    size_t kept = 0;

    for (size_t i = 0; i < paging->count; i++)
        if (paging->row[i].is.at_s != 0)
            paging->row[kept++] = paging->row[i];
    paging->count = kept;
    for (size_t i = 0; i < kept; i++)
        (void)id_of(&paging->row[i]);
}

static void end_values(struct store *store, struct op *op)
{
    struct paging *paging = op->work;

    if (op->state != STORE_UP) {
        finish(store, paging, op->state);
        return;
    }
    drop_empty(paging); // with those that are none of ours
    if (paging->undoes)
        undo_rows(store, paging);
    else
        conclude(store, paging);
}

static const struct op_kind VALUES = {got_values, end_values};

// How many keys, from the row at on, one command holds.
static size_t run_of(const struct paging *paging, size_t at)
{
    size_t bytes = 0;
    size_t count = 0;

    for (; at + count < paging->count; count++) {
        bytes += strlen(paging->row[at + count].text) + KEY_HEAD_BYTES;
        if (bytes > MGET_BYTES)
            break;
    }
    return count;
}

static void read_values(struct store *store, struct paging *paging)
{
    struct resp resp;
    unsigned commands = 0;

    for (size_t at = 0; at < paging->count; at += run_of(paging, at))
        commands++;
    if (commands == 0) {
        conclude(store, paging);
        return;
    }
    struct op *op = begin(store, &VALUES, paging, commands);

    for (size_t at = 0; op != NULL && at < paging->count;) {
        const size_t end = at + run_of(paging, at);

        resp_begin(&resp, "MGET");
        for (; at < end; at++)
            resp_text(&resp, paging->row[at].text);
        send(store, op, &resp);
    }
}

// ---- which there are

static void take_key(struct paging *paging, const struct redisReply *key)
{
    struct store_entity *row = &paging->row[paging->count];

    if (!reply_is_text(key) || key->len >= sizeof(row->text) || strlen(key->str) != key->len)
        return;
    memcpy(row->text, key->str, key->len + 1);
    if (reputation_id_read(row->text, &row->id) && (paging->kinds & 1U << row->id.kind) != 0)
        paging->count++;
}

static void got_keys(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct paging *paging = op->work;

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_array(reply, 2) || !reply_number(reply->element[0], &paging->next) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY ||
        reply->element[1]->elements > PAGE_ROWS_MAX) {
        store_note_garbage(store, op);
        return;
    }
    const struct redisReply *keys = reply->element[1];

    paging->row = mem_new_array(keys->elements + 1, sizeof(*paging->row));
    for (size_t i = 0; i < keys->elements; i++)
        take_key(paging, keys->element[i]);
}

static void end_keys(struct store *store, struct op *op)
{
    if (op->state == STORE_UP)
        read_values(store, op->work);
    else
        finish(store, op->work, op->state);
}

static const struct op_kind KEYS = {got_keys, end_keys};

static void scan_keys(struct store *store, struct paging *paging, uint64_t cursor, size_t limit)
{
    store->admin_work++;
    struct op *op = begin(store, &KEYS, paging, 1);
    struct resp resp;

    if (op == NULL)
        return;
    resp_begin(&resp, "SCAN");
    resp_number(&resp, cursor);
    resp_text(&resp, "MATCH");
    resp_text(&resp, "r:*");
    resp_text(&resp, "COUNT");
    resp_number(&resp, limit < PAGE_MOST ? limit : PAGE_MOST);
    send(store, op, &resp);
}

// ---- the seam

void store_reputation_page(struct store *store, uint64_t cursor, size_t limit, unsigned kinds,
                           struct store_entities_done done)
{
    struct paging *paging = mem_new(sizeof(*paging));

    paging->done = done;
    paging->kinds = kinds;
    scan_keys(store, paging, cursor, limit);
}

void store_reputation_undo(struct store *store, uint64_t cursor, size_t limit, const char *gateway,
                           const struct reputation_settings *settings, bool dry_run,
                           struct store_entities_done done)
{
    const struct reporter *reporter = reporters_find(&store->reputing.reporters, gateway);

    if (reporter == NULL) { // it holds nothing, as far as this node has read who reports
        done.fn(done.arg, store->reputing.knows_reporters ? STORE_UP : STORE_SLOW, NULL, 0, 0);
        return;
    }
    struct paging *paging = mem_new(sizeof(*paging));

    paging->done = done;
    paging->kinds = ~0U;
    paging->undoes = true;
    paging->dry_run = dry_run;
    paging->reporter = reporter->row.id;
    paging->settings = *settings;
    memcpy(paging->gateway, reporter->row.name, sizeof(paging->gateway));
    if (!dry_run)
        climb_forget(store, reporter->row.id);
    scan_keys(store, paging, cursor, limit);
}
