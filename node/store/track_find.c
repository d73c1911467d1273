// track_find.c: finds tracking rows, newest first over all nodes. Promises: pages of bounded size,
// one at a time, so that neither the loop nor Redis is held up; a cursor resumes exactly where the
// last page ended, whatever was written meanwhile.
//
// A day's rows stand in one stream a node. Each stream is read backwards in pages; "frontier" is
// the newest point down to which some stream was not read yet. What was found at or above the
// frontier can have no unread row above it, and is given out; the stream at the frontier is the one
// to read next:
//
//     node a   |=======================>          read down to here
//     node b   |===========>                      <- frontier: read b next; rows right of it wait
//     node c   |===============================>
//              newest                              oldest
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/track.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum {
    PAGE_ROWS = 500,
    PAGE_ROWS_LEAST = 20,
    SCAN_ROWS_MAX = 50000, // in one question; then the cursor is handed back, perhaps without a row
    SCAN_MS_MAX = 500,
    FIND_DAYS_MAX = 9,          // kept days, and the one that is not over
    FIND_DAYS_MAX_REPLAY = 400, // nothing expires there
};
#define AHEAD_MS (3600ULL * 1000) // another node's clock may be ahead of ours

struct stream {
    uint32_t node;
    bool begun;
    bool is_over;
    struct ticket at; // read down to here
};

struct find {
    struct store *store;
    struct track_done done;
    struct track_filter filter;
    char *text[3]; // that the filter borrows
    uint64_t since_ms;
    size_t limit;
    bool has_before; // a cursor was given: only what is older than before
    struct ticket before;
    uint64_t day, last_day;
    uint64_t give_up_ms;
    size_t scanned;
    struct stream *stream;
    size_t streams;
    struct stream *reading;
    struct track_found *waiting; // newest first, not given out yet
    struct track_found **given;
    size_t count;
};

static void next_day(struct find *find);
static void next_page(struct find *find);

// ---- the end

static void free_waiting(struct find *find)
{
    while (find->waiting != NULL) {
        struct track_found *next = find->waiting->next;

        mem_free(find->waiting);
        find->waiting = next;
    }
}

static void tell(struct find *find, enum store_state state, const char *cursor)
{
    struct track_row *rows = mem_new_array(find->count + 1, sizeof(*rows));

    for (size_t i = 0; i < find->count; i++)
        rows[i] = find->given[i]->row;
    find->done.fn(find->done.arg, state, rows, find->count, cursor);
    mem_free(rows);
}

static void finish(struct find *find, enum store_state state, const struct ticket *cursor)
{
    char text[TICKET_TEXT_MAX] = "";

    if (cursor != NULL)
        (void)ticket_format(cursor, text);
    find->store->admin_work--;
    tell(find, state, text);
    for (size_t i = 0; i < find->count; i++)
        mem_free(find->given[i]);
    for (size_t i = 0; i < sizeof(find->text) / sizeof(find->text[0]); i++)
        mem_free(find->text[i]);
    free_waiting(find);
    mem_free(find->given);
    mem_free(find->stream);
    mem_free(find);
}

static void send(struct find *find, const struct op_kind *kind, struct resp *resp)
{
    struct store *store = find->store;
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, 1, &why);

    if (op == NULL) {
        finish(find, why, NULL);
        return;
    }
    op->work = find;
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

// ---- giving out

static void give(struct find *find)
{
    struct track_found *found = find->waiting;

    find->waiting = found->next;
    find->given = mem_grow(find->given, find->count + 1, sizeof(find->given[0]));
    find->given[find->count++] = found;
}

// Gives out what stands at or above the frontier (NULL: everything); true if the limit was reached.
static bool give_down_to(struct find *find, const struct ticket *frontier)
{
    while (find->waiting != NULL && find->count < find->limit &&
           (frontier == NULL || track_order(&find->waiting->row.ticket, frontier) >= 0))
        give(find);
    return find->count >= find->limit;
}

// Both the page and what waits are in order; the page is merged in at *at, which moves on.
static void wait_for_turn(struct track_found ***at, struct track_found *found)
{
    while (**at != NULL && track_order(&(**at)->row.ticket, &found->row.ticket) > 0)
        *at = &(**at)->next;
    found->next = **at;
    **at = found;
    *at = &found->next;
}

// ---- a page of one stream

static struct stream *stream_to_read(struct find *find)
{
    struct stream *chosen = NULL;

    for (size_t i = 0; i < find->streams; i++) {
        struct stream *stream = &find->stream[i];

        if (stream->is_over)
            continue;
        if (!stream->begun)
            return stream;
        if (chosen == NULL || track_order(&stream->at, &chosen->at) > 0)
            chosen = stream;
    }
    return chosen;
}

static size_t page_rows(const struct find *find)
{
    size_t rows = 4 * PAGE_ROWS / (find->streams + 1);

    if (rows > PAGE_ROWS)
        return PAGE_ROWS;
    return rows < PAGE_ROWS_LEAST ? PAGE_ROWS_LEAST : rows;
}

// The entry id just below (at_ms, seq).
static void put_id_below(struct resp *resp, const struct ticket *ticket)
{
    char id[TRACK_NAME_MAX];

    if (ticket->seq > 0)
        track_id(ticket->at_ms, ticket->seq - 1, id);
    else
        track_id(ticket->at_ms > 0 ? ticket->at_ms - 1 : 0, TRACK_SEQ_MAX, id);
    resp_text(resp, id);
}

static void put_newest(struct resp *resp, const struct find *find, const struct stream *stream)
{
    char id[TRACK_NAME_MAX];

    if (stream->begun) {
        put_id_below(resp, &stream->at);
    } else if (!find->has_before) {
        resp_text(resp, "+");
    } else if (stream->node < find->before.node) { // the node is the last part of the order
        track_id(find->before.at_ms, find->before.seq, id);
        resp_text(resp, id);
    } else {
        put_id_below(resp, &find->before);
    }
}

static void take_entry(struct find *find, const struct redisReply *entry, struct track_found ***at)
{
    struct track_found *found = track_take(entry, find->reading->node);

    if (found == NULL)
        return;
    find->reading->at = found->row.ticket;
    if (track_filter_matches(&find->filter, &found->row))
        wait_for_turn(at, found);
    else
        mem_free(found);
}

static void got_page(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct find *find = op->work;
    struct stream *stream = find->reading;
    struct track_found **at = &find->waiting;

    (void)store;
    if (reply->type != REDIS_REPLY_ARRAY) {
        op_note(op, STORE_ERROR);
        return;
    }
    struct ticket before = stream->at;
    bool had_begun = stream->begun;

    for (size_t i = 0; i < reply->elements; i++)
        take_entry(find, reply->element[i], &at);
    stream->begun = true;
    stream->is_over =
        reply->elements < page_rows(find) || (had_begun && track_order(&stream->at, &before) >= 0);
    find->scanned += reply->elements;
}

static void end_page(struct store *store, struct op *op)
{
    struct find *find = op->work;

    (void)store;
    if (op->state != STORE_UP) {
        finish(find, op->state, NULL);
        return;
    }
    const struct stream *laggard = stream_to_read(find);
    bool is_known = laggard == NULL || laggard->begun;

    if (is_known && give_down_to(find, laggard != NULL ? &laggard->at : NULL))
        finish(find, STORE_UP, &find->given[find->count - 1]->row.ticket);
    else if (laggard != NULL && laggard->begun &&
             (find->scanned >= SCAN_ROWS_MAX || clock_mono_ms() >= find->give_up_ms))
        finish(find, STORE_UP, &laggard->at);
    else
        next_page(find);
}

static const struct op_kind PAGE = {got_page, end_page};

static void next_page(struct find *find)
{
    char name[TRACK_NAME_MAX];
    struct resp resp;

    find->reading = stream_to_read(find);
    if (find->reading == NULL) {
        find->day--;
        next_day(find);
        return;
    }
    track_name(find->reading->node, find->day, name);
    resp_begin(&resp, "XREVRANGE");
    resp_text(&resp, name);
    put_newest(&resp, find, find->reading);
    track_id(find->since_ms, 0, name);
    resp_text(&resp, name);
    resp_text(&resp, "COUNT");
    resp_number(&resp, page_rows(find));
    send(find, &PAGE, &resp);
}

// ---- a day: which nodes wrote

static void got_nodes(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct find *find = op->work;

    (void)store;
    if (reply->type != REDIS_REPLY_ARRAY) {
        op_note(op, STORE_ERROR);
        return;
    }
    find->stream = mem_grow(find->stream, reply->elements + 1, sizeof(find->stream[0]));
    find->streams = 0;
    for (size_t i = 0; i < reply->elements; i++) {
        struct stream stream = {.begun = false};

        if (reply_is_text(reply->element[i]) &&
            track_node_parse(reply->element[i]->str, &stream.node))
            find->stream[find->streams++] = stream;
    }
}

static void end_nodes(struct store *store, struct op *op)
{
    (void)store;
    if (op->state != STORE_UP)
        finish(op->work, op->state, NULL);
    else
        next_page(op->work);
}

static const struct op_kind NODES = {got_nodes, end_nodes};

static void next_day(struct find *find)
{
    char name[TRACK_NAME_MAX];
    struct resp resp;

    if (find->day < find->last_day) {
        finish(find, STORE_UP, NULL);
        return;
    }
    track_index_name(find->day, name);
    resp_begin(&resp, "SMEMBERS");
    resp_text(&resp, name);
    send(find, &NODES, &resp);
}

// ---- one ticket

static void got_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct find *find = op->work;

    (void)store;
    if (reply->type != REDIS_REPLY_ARRAY) {
        op_note(op, STORE_ERROR);
        return;
    }
    if (reply->elements > 0)
        find->waiting = track_take(reply->element[0], find->before.node);
    if (find->waiting != NULL)
        give(find);
}

static void end_row(struct store *store, struct op *op)
{
    (void)store;
    finish(op->work, op->state, NULL);
}

static const struct op_kind ROW = {got_row, end_row};

static void find_ticket(struct find *find)
{
    char name[TRACK_NAME_MAX];
    struct resp resp;

    track_name(find->before.node, find->before.at_ms / TRACK_DAY_MS, name);
    resp_begin(&resp, "XRANGE");
    resp_text(&resp, name);
    track_id(find->before.at_ms, find->before.seq, name);
    resp_text(&resp, name);
    resp_text(&resp, name);
    send(find, &ROW, &resp);
}

// ---- the seam

static void set_span(struct find *find, uint64_t since_ms)
{
    uint64_t now_ms = store_now_ms(find->store);
    uint64_t days = store_keeps_expiry(find->store) ? FIND_DAYS_MAX : FIND_DAYS_MAX_REPLAY;
    uint64_t kept_ms = days * TRACK_DAY_MS;
    uint64_t oldest_ms = now_ms > kept_ms ? now_ms - kept_ms : 0;

    find->since_ms = since_ms > oldest_ms ? since_ms : oldest_ms;
    find->last_day = find->since_ms / TRACK_DAY_MS;
    find->last_day += find->last_day == 0; // so that day - 1 is a number
    find->day = (now_ms + AHEAD_MS) / TRACK_DAY_MS;
    if (find->has_before && find->before.at_ms / TRACK_DAY_MS < find->day)
        find->day = find->before.at_ms / TRACK_DAY_MS;
}

static struct find *find_new(struct store *store, const struct track_query *query,
                             struct track_done done)
{
    struct find *find = mem_new(sizeof(*find));

    find->store = store;
    find->done = done;
    find->limit = query->limit > 0 ? query->limit : 1;
    find->give_up_ms = clock_mono_ms() + SCAN_MS_MAX;
    track_filter_make(&find->filter, query);
    find->filter.sender = find->text[0] = mem_text(query->sender);
    find->filter.recipient = find->text[1] = mem_text(query->recipient);
    find->filter.reason = find->text[2] = mem_text(query->reason);
    store->admin_work++;
    return find;
}

void store_track_find(struct store *store, const struct track_query *query, struct track_done done)
{
    struct find *find = find_new(store, query, done);

    if (store->admin_work > STORE_ADMIN_WORK_MAX) {
        finish(find, STORE_CROWDED, NULL);
        return;
    }
    if (query->by_ticket) {
        find->before = query->ticket;
        find_ticket(find);
        return;
    }
    find->has_before = query->cursor[0] != '\0';
    if (find->has_before && !ticket_parse(query->cursor, &find->before)) {
        finish(find, STORE_ERROR, NULL);
        return;
    }
    set_span(find, query->since_ms);
    next_day(find);
}
