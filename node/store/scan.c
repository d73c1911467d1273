// scan.c: see scan.h. Promises: one reading of a hash at a time, of a bounded number of slices; end is called only if
// every slice came.
#include "node/store/scan.h"

#include <hiredis/hiredis.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

enum {
    REREAD_MS = 300000,
    AGAIN_MS = 10000, // after a reading that failed
    SLICE = 512,      // about so many rows are asked for at once
    SLICES_MAX = 4096,
};

static void complain(const struct scan *scan)
{
    struct store *store = scan->store;

    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL, "%s", scan->kind->garbage);
}

static void take_slice(const struct scan *scan, const struct redisReply *rows)
{
    for (size_t i = 0; i < rows->elements; i += 2)
        if (!scan->kind->row(scan->store, rows->element[i], rows->element[i + 1]))
            complain(scan);
    store_remove_over(scan->store, scan->kind->key, rows, scan->kind->is_over);
}

static void stop(struct scan *scan, bool is_whole)
{
    scan->slices = 0;
    if (is_whole)
        scan->kind->end(scan->store);
    else if (scan->due_ms != 0)
        scan->due_ms = clock_mono_ms() + AGAIN_MS;
}

static bool is_slice(const struct redisReply *reply)
{
    return reply_is_array(reply, 2) && reply_is_text(reply->element[0]) &&
           reply->element[1]->type == REDIS_REPLY_ARRAY && reply->element[1]->elements % 2 == 0;
}

static bool ask_slice(struct scan *scan, uint64_t cursor);

static void got_slice(void *arg, uint64_t tag, const struct redisReply *reply)
{
    struct scan *scan = arg;
    enum store_state state = reply_state(reply);
    uint64_t cursor = 0;

    (void)tag;
    store_note_error(scan->store, state, reply);
    if (state == STORE_UP && (!is_slice(reply) || !reply_number(reply->element[0], &cursor))) {
        complain(scan);
        state = STORE_ERROR;
    }
    if (state != STORE_UP) {
        stop(scan, false);
        return;
    }
    take_slice(scan, reply->element[1]);
    if (cursor == 0)
        stop(scan, true);
    else if (scan->slices == SLICES_MAX || !ask_slice(scan, cursor))
        stop(scan, false);
}

static bool ask_slice(struct scan *scan, uint64_t cursor)
{
    struct redis_wait wait = {.fn = got_slice, .arg = scan};
    struct resp resp;

    resp_begin(&resp, "HSCAN");
    resp_text(&resp, scan->kind->key);
    resp_number(&resp, cursor);
    resp_text(&resp, "COUNT");
    resp_number(&resp, SLICE);
    scan->store->counters.event_polls++;
    scan->slices++;
    return redis_send(scan->store->lane[STORE_ADMIN], &resp, wait);
}

void scan_again(struct store *store, struct scan *scan, const struct scan_kind *kind)
{
    const uint64_t now_ms = clock_mono_ms();

    if (scan->slices > 0 || (scan->due_ms != 0 && now_ms < scan->due_ms))
        return;
    scan->store = store;
    scan->kind = kind;
    scan->due_ms = now_ms + REREAD_MS;
    kind->begin(store);
    if (!ask_slice(scan, 0))
        stop(scan, false);
}
