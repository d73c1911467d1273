// ask.c: questions under way. Promises: the caller's texts are not needed after ask_new_check, and
// however long they are, the copy is bounded by the wire contract's limits. Without memory it
// returns NULL; it never ends the process.
#include "client/lib/ask.h"

#include <stdalign.h>
#include <stdlib.h>
#include <string.h>

#include "proto/text.h"

enum { NO_LIMIT = 0 }; // a text that the gateway itself wrote: the node judges it as it is

// ---- copying

// text_room: memory in an arena that keep_text needs for this text.
static size_t text_room(const char *text, size_t limit)
{
    size_t len = text == NULL ? 0 : strlen(text);

    if (limit != NO_LIMIT && !text_is_clean(text == NULL ? "" : text, len, limit))
        len = limit;
    return len + 1 + alignof(max_align_t);
}

static const char *keep_text(struct arena *arena, const char *text, size_t limit)
{
    size_t len = text == NULL ? 0 : strlen(text);
    char *copy;

    if (len == 0)
        return "";
    if (limit == NO_LIMIT || text_is_clean(text, len, limit))
        return arena_text(arena, text, len);
    copy = arena_alloc(arena, limit + 1);
    (void)text_clean(copy, limit, text, len);
    return copy;
}

// The texts of a check and what limits them. What a mail client chose is cut here, so that no
// amount of it can fill the process; what the gateway wrote itself goes on to be judged.
#define CHECK_TEXTS(X)                  \
    X(transaction, NO_LIMIT)            \
    X(client_ip, NO_LIMIT)              \
    X(client_name, MSG_CLIENT_NAME_MAX) \
    X(helo, MSG_HELO_MAX)               \
    X(auth_user, NO_LIMIT)              \
    X(sender, MSG_ADDRESS_MAX)          \
    X(policy, NO_LIMIT)                 \
    X(spf_domain, MSG_CLIENT_NAME_MAX)

static size_t check_room(const struct reeve_check *check)
{
    size_t room = check->recipient_total * sizeof(char *) + alignof(max_align_t);

#define ADD_ROOM(field, limit) room += text_room(check->field, limit);
    CHECK_TEXTS(ADD_ROOM)
#undef ADD_ROOM
    for (size_t i = 0; i < check->recipient_total; i++)
        room += text_room(check->recipients[i], MSG_ADDRESS_MAX);
    return room;
}

static void copy_check(struct msg_check *out, const struct reeve_check *check, struct arena *arena)
{
    const char **recipients =
        (const char **)arena_alloc(arena, check->recipient_total * sizeof(char *));

#define KEEP_TEXT(field, limit) out->field = keep_text(arena, check->field, limit);
    CHECK_TEXTS(KEEP_TEXT)
#undef KEEP_TEXT
    for (size_t i = 0; i < check->recipient_total; i++)
        recipients[i] = keep_text(arena, check->recipients[i], MSG_ADDRESS_MAX);
    out->recipients = recipients;
    out->recipient_total = check->recipient_total;
    out->stage = check->stage == 0 ? MSG_RCPT : (enum msg_stage)check->stage;
    out->tls = check->tls;
    out->smtputf8 = check->smtputf8;
    out->recipient_count = check->recipient_count;
    out->size_bytes = check->size_bytes;
    out->spf = (enum msg_auth)check->spf;
    out->dry_run = check->dry_run;
    out->trace = check->trace;
    out->at_ms = check->as_of_ms;
}

struct ask *ask_new_check(const struct reeve_check *check)
{
    size_t room = check_room(check);
    struct ask *ask = calloc(1, sizeof(*ask) + room);
    struct arena arena;

    if (ask == NULL)
        return NULL;
    arena_init(&arena, ask + 1, room);
    ask->request.verb = MSG_CHECK;
    ask->request.at_ms = check->at_ms;
    copy_check(&ask->request.check, check, &arena);
    return ask;
}

// ---- the same of a mail that was accepted

#define SENT_TEXTS(X)        \
    X(transaction, NO_LIMIT) \
    X(auth_user, NO_LIMIT)   \
    X(client_ip, NO_LIMIT)   \
    X(sender, MSG_ADDRESS_MAX)

static size_t sent_room(const struct reeve_sent *sent)
{
    size_t room = sent->recipient_total * sizeof(char *) +
                  sent->header_total * sizeof(struct msg_header) + 2 * alignof(max_align_t);

#define ADD_ROOM(field, limit) room += text_room(sent->field, limit);
    SENT_TEXTS(ADD_ROOM)
#undef ADD_ROOM
    for (size_t i = 0; i < sent->recipient_total; i++)
        room += text_room(sent->recipients[i], MSG_ADDRESS_MAX);
    for (size_t i = 0; i < sent->header_total; i++)
        room += text_room(sent->headers[i].name, MSG_HEADER_NAME_MAX) +
                text_room(sent->headers[i].value, MSG_HEADER_VALUE_MAX);
    return room;
}

static void copy_sent(struct msg_sent *out, const struct reeve_sent *sent, struct arena *arena)
{
    const char **recipients =
        (const char **)arena_alloc(arena, sent->recipient_total * sizeof(char *));
    struct msg_header *headers = arena_alloc(arena, sent->header_total * sizeof(*headers));

#define KEEP_TEXT(field, limit) out->field = keep_text(arena, sent->field, limit);
    SENT_TEXTS(KEEP_TEXT)
#undef KEEP_TEXT
    for (size_t i = 0; i < sent->recipient_total; i++)
        recipients[i] = keep_text(arena, sent->recipients[i], MSG_ADDRESS_MAX);
    for (size_t i = 0; i < sent->header_total; i++) {
        headers[i].name = keep_text(arena, sent->headers[i].name, MSG_HEADER_NAME_MAX);
        headers[i].value = keep_text(arena, sent->headers[i].value, MSG_HEADER_VALUE_MAX);
    }
    out->recipients = recipients;
    out->recipient_total = sent->recipient_total;
    out->headers = headers;
    out->header_count = sent->header_total;
    out->at_ms = sent->sent_ms;
}

struct ask *ask_new_sent(const struct reeve_sent *sent)
{
    size_t room = sent_room(sent);
    struct ask *ask = calloc(1, sizeof(*ask) + room);
    struct arena arena;

    if (ask == NULL)
        return NULL;
    arena_init(&arena, ask + 1, room);
    ask->request.verb = MSG_SENT;
    ask->request.at_ms = sent->at_ms;
    copy_sent(&ask->request.sent, sent, &arena);
    return ask;
}

// ---- the same of what a mail turned out to be

#define REPORT_TEXTS(X)                \
    X(event, NO_LIMIT)                 \
    X(client_ip, NO_LIMIT)             \
    X(sender, MSG_ADDRESS_MAX)         \
    X(recipient, MSG_ADDRESS_MAX)      \
    X(spf_domain, MSG_CLIENT_NAME_MAX) \
    X(country, NO_LIMIT)

static size_t report_room(const struct reeve_report *report)
{
    size_t room = alignof(max_align_t);

#define ADD_ROOM(field, limit) room += text_room(report->field, limit);
    REPORT_TEXTS(ADD_ROOM)
#undef ADD_ROOM
    return room;
}

static void copy_report(struct msg_report *out, const struct reeve_report *report,
                        struct arena *arena)
{
#define KEEP_TEXT(field, limit) out->field = keep_text(arena, report->field, limit);
    REPORT_TEXTS(KEEP_TEXT)
#undef KEEP_TEXT
    out->evidence = (enum msg_evidence)report->evidence;
    out->spf = (enum msg_auth)report->spf;
    out->weight = report->weight;
    out->at_ms = report->reported_ms;
    out->asn = report->asn;
}

struct ask *ask_new_report(const struct reeve_report *report)
{
    size_t room = report_room(report);
    struct ask *ask = calloc(1, sizeof(*ask) + room);
    struct arena arena;

    if (ask == NULL)
        return NULL;
    arena_init(&arena, ask + 1, room);
    ask->request.verb = MSG_REPORT;
    ask->request.at_ms = report->at_ms;
    copy_report(&ask->request.report, report, &arena);
    return ask;
}

// ---- any of them

struct ask *ask_new(const struct msg_request *request)
{
    struct ask *ask = calloc(1, sizeof(*ask));

    if (ask != NULL)
        ask->request = *request;
    return ask;
}

void ask_free(struct ask **ask)
{
    free(*ask);
    *ask = NULL;
}

bool ask_is_question(const struct ask *ask)
{
    return ask->request.verb != MSG_ADMIN && !ask_is_news(ask);
}

bool ask_is_news(const struct ask *ask)
{
    return ask->request.verb == MSG_SENT || ask->request.verb == MSG_REPORT;
}

size_t ask_verdict_count(const struct ask *ask)
{
    const struct msg_check *check = &ask->request.check;

    if (ask->request.verb != MSG_CHECK)
        return 0;
    return check->stage == MSG_CONNECT || check->stage == MSG_MAIL ? 1 : check->recipient_total;
}

// ---- the book

enum err asks_init(struct asks *asks, size_t count)
{
    size_t bucket_count = 16;

    while (bucket_count < count)
        bucket_count *= 2;
    *asks = (struct asks){.bucket_count = bucket_count};
    TAILQ_INIT(&asks->hedges);
    asks->bucket = (struct ask **)calloc(bucket_count, sizeof(*asks->bucket));
    return asks->bucket == NULL ? ERR_MEMORY : ERR_NONE;
}

void asks_free(struct asks *asks)
{
    free((void *)asks->bucket);
    *asks = (struct asks){.bucket = NULL};
}

static struct ask **bucket_of(const struct asks *asks, uint64_t id)
{
    return &asks->bucket[id & (asks->bucket_count - 1)];
}

// list_insert: behind at, or in front of all where at is NULL.
static void list_insert(struct ask_list *list, struct ask *at, struct ask *ask)
{
    ask->prev = at;
    ask->next = at == NULL ? list->head : at->next;
    if (ask->next == NULL)
        list->tail = ask;
    else
        ask->next->prev = ask;
    if (at == NULL)
        list->head = ask;
    else
        at->next = ask;
}

static void list_remove(struct ask_list *list, struct ask *ask)
{
    if (ask->prev == NULL)
        list->head = ask->next;
    else
        ask->prev->next = ask->next;
    if (ask->next == NULL)
        list->tail = ask->prev;
    else
        ask->next->prev = ask->prev;
}

static void enter(struct asks *asks, struct ask *ask)
{
    struct ask **bucket;

    ask->request.id = ++asks->last_id;
    bucket = bucket_of(asks, ask->request.id);
    ask->chain = *bucket;
    *bucket = ask;
}

// Nearly all questions of a client have the same time to live, so the place is at the end or near.
void asks_add(struct asks *asks, struct ask *ask)
{
    struct ask *at = asks->pending.tail;

    while (at != NULL && at->deadline_ms > ask->deadline_ms)
        at = at->prev;
    enter(asks, ask);
    list_insert(&asks->pending, at, ask);
    asks->pending_count++;
    asks->unsent_count++;
    asks->news_count += ask_is_news(ask);
}

static void make_due(struct asks *asks, struct ask *ask, enum reeve_error trouble, const char *why)
{
    ask->is_due = true;
    ask->trouble = trouble;
    ask->why = why;
    list_insert(&asks->due, asks->due.tail, ask);
}

void asks_add_due(struct asks *asks, struct ask *ask, enum reeve_error trouble, const char *why)
{
    enter(asks, ask);
    make_due(asks, ask, trouble, why);
}

static void leave_list(struct asks *asks, struct ask *ask)
{
    asks_hedge_at(asks, ask, 0);
    list_remove(ask->is_due ? &asks->due : &asks->pending, ask);
    if (ask->is_due)
        return;
    asks->pending_count--;
    asks->news_count -= ask_is_news(ask);
    if (!ask->sent)
        asks->unsent_count--;
}

void asks_move_due(struct asks *asks, struct ask *ask, enum reeve_error trouble, const char *why)
{
    leave_list(asks, ask);
    make_due(asks, ask, trouble, why);
}

struct ask *asks_find(const struct asks *asks, uint64_t id)
{
    struct ask *ask = *bucket_of(asks, id);

    while (ask != NULL && ask->request.id != id)
        ask = ask->chain;
    return ask;
}

void asks_remove(struct asks *asks, struct ask *ask)
{
    struct ask **at = bucket_of(asks, ask->request.id);

    while (*at != ask)
        at = &(*at)->chain;
    *at = ask->chain;
    leave_list(asks, ask);
}

void asks_set_sent(struct asks *asks, struct ask *ask)
{
    ask->sent = true;
    asks->unsent_count--;
}

void asks_set_unsent(struct asks *asks, struct ask *ask)
{
    ask->sent = false;
    asks->unsent_count++;
}

// Each question gives its node the same time, so the place is at the end or near.
void asks_hedge_at(struct asks *asks, struct ask *ask, uint64_t at_ms)
{
    struct ask *at;

    if (ask->hedge_ms != 0)
        TAILQ_REMOVE(&asks->hedges, ask, in_hedges);
    ask->hedge_ms = at_ms;
    if (at_ms == 0)
        return;
    TAILQ_FOREACH_REVERSE(at, &asks->hedges, ask_queue, in_hedges)
    {
        if (at->hedge_ms <= at_ms)
            break;
    }
    if (at == NULL)
        TAILQ_INSERT_HEAD(&asks->hedges, ask, in_hedges);
    else
        TAILQ_INSERT_AFTER(&asks->hedges, at, ask, in_hedges);
}
