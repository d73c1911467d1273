// events.c: follows the stream of events. Promises: a node that was cut off, stopped or slow trusts
// its near cache again only after it has heard everything; whatever stands in the stream, nothing
// worse happens than that the cache is empty. On the operator's connection, a light question each
// EVENTS_POLL_MS:
//
//     join      XREVRANGE events + - COUNT 1      empty? XADD events kind start
//     follow    XRANGE events <last> + COUNT n    must begin with the row <last>
#include "node/store/events.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

// ---- rows

bool event_id_read(const struct redisReply *reply, char out[EVENT_ID_MAX])
{
    size_t digits = 0;

    if (!reply_is_text(reply) || reply->len >= EVENT_ID_MAX)
        return false;
    digits = strspn(reply->str, "0123456789");
    if (digits == 0 || reply->str[digits] != '-' ||
        strspn(reply->str + digits + 1, "0123456789") != reply->len - digits - 1 ||
        digits + 1 == reply->len)
        return false;
    memcpy(out, reply->str, reply->len + 1);
    return true;
}

static const char *field_of(const struct redisReply *fields, const char *name)
{
    for (size_t i = 0; i + 1 < fields->elements; i += 2) {
        const struct redisReply *key = fields->element[i];
        const struct redisReply *value = fields->element[i + 1];

        if (reply_is_text(key) && strcmp(key->str, name) == 0 && reply_is_text(value) &&
            strlen(value->str) == value->len)
            return value->str;
    }
    return "";
}

static bool read_expectation(const struct redisReply *fields, struct expectation *out)
{
    *out = (struct expectation){.recipient = field_of(fields, "recipient"),
                                .note = field_of(fields, "note")};
    if (!reply_number_parse(field_of(fields, "until"), &out->until_ms) ||
        !reply_number_parse(field_of(fields, "since"), &out->since_ms))
        return false;
    struct expectation as_added = *out;

    if (out->until_ms == 0)
        as_added.until_ms = 1; // no more: only the recipient counts
    return mirror_is_sound(&as_added);
}

static bool read_spared(const struct redisReply *fields, struct event *out)
{
    uint64_t rests = 0;
    uint64_t day = 0;

    out->client = field_of(fields, "client");
    if (!reply_number_parse(field_of(fields, "rests"), &rests) || rests > UINT32_MAX ||
        !reply_number_parse(field_of(fields, "day"), &day) || day > UINT32_MAX)
        return false;
    struct spared_row as_set = {(uint32_t)rests, (uint32_t)day};

    if (day == 0)
        as_set = (struct spared_row){.rests = 0, .newest = 1}; // no more: only the client counts
    else
        out->row = as_set;
    return roll_is_sound(out->client, &as_set);
}

static bool read_suspect(const struct redisReply *fields, struct event *out)
{
    return harvest_client_read(field_of(fields, "client"), &out->named.client) &&
           reply_number_parse(field_of(fields, "hour"), &out->named.hour);
}

static bool read_ban(const struct redisReply *fields, struct event *out)
{
    struct harvest_ban ban;

    if (!harvest_client_read(field_of(fields, "client"), &out->named.client) ||
        !reply_number_parse(field_of(fields, "until"), &ban.until_ms))
        return false;
    if (ban.until_ms == 0)
        return true; // no more: only the client counts
    if (!reply_number_parse(field_of(fields, "since"), &ban.since_ms) ||
        !reply_number_parse(field_of(fields, "unknown"), &ban.count.unknown) ||
        !reply_number_parse(field_of(fields, "existing"), &ban.count.existing))
        return false;
    out->ban = ban;
    return harvest_ban_is_sound(&ban);
}

static bool read_document(const struct redisReply *fields, struct event *out)
{
    out->document = field_of(fields, "document");
    return store_is_document_name(out->document);
}

static void read_fields(const struct redisReply *fields, struct event *out)
{
    const char *kind = field_of(fields, "kind");

    if (strcmp(kind, "start") == 0)
        out->kind = EVENT_START;
    else if (strcmp(kind, "forget") == 0)
        out->kind = EVENT_FORGET;
    else if (strcmp(kind, "expect") == 0 && read_expectation(fields, &out->expectation))
        out->kind = EVENT_EXPECT;
    else if (strcmp(kind, "spared") == 0 && read_spared(fields, out))
        out->kind = EVENT_SPARED;
    else if (strcmp(kind, "suspect") == 0 && read_suspect(fields, out))
        out->kind = EVENT_SUSPECT;
    else if (strcmp(kind, "ban") == 0 && read_ban(fields, out))
        out->kind = EVENT_BAN;
    else if (strcmp(kind, "staged") == 0 && read_document(fields, out))
        out->kind = EVENT_STAGED;
    else if (strcmp(kind, "activated") == 0)
        out->kind = EVENT_ACTIVATED;
    else if (strcmp(kind, "directory") == 0)
        out->kind = EVENT_DIRECTORY;
    else if (strcmp(kind, "gateways") == 0)
        out->kind = EVENT_GATEWAYS;
}

bool event_read(const struct redisReply *row, struct event *out)
{
    *out = (struct event){.kind = EVENT_UNKNOWN};
    if (!reply_is_array(row, 2) || !event_id_read(row->element[0], out->id))
        return false;
    if (row->element[1]->type == REDIS_REPLY_ARRAY)
        read_fields(row->element[1], out);
    return true;
}

void event_put(struct resp *resp, const char *kind)
{
    resp_begin(resp, "XADD");
    resp_text(resp, EVENTS_KEY);
    resp_text(resp, "MAXLEN");
    resp_text(resp, "~");
    resp_number(resp, EVENTS_ROWS);
    resp_text(resp, "*");
    resp_text(resp, "kind");
    resp_text(resp, kind);
}

void events_put_expiry(const struct store *store, struct resp *resp)
{
    store_put_expiry(resp, EVENTS_KEY, store_now_ms(store) + EVENTS_KEEP_MS);
}

// ---- what they change

void events_drop(struct store *store)
{
    store->events.drops++;
    if (store->near == NULL)
        return;
    if (near_count(store->near) > 0)
        store->counters.near_drops++;
    near_drop(store->near);
}

void events_lost(struct store *store)
{
    store->events.last[0] = '\0';
    events_drop(store);
}

bool events_are_known(const struct store *store)
{
    const struct events *events = &store->events;

    return events->last[0] != '\0' && clock_mono_ms() - events->known_ms <= EVENTS_TRUST_MS;
}

// What is mirrored must be read again.
static void mirror_again(struct store *store)
{
    store->events.reread_ms = 0;
    store->reading.scan.due_ms = 0;
    directory_heard(store);
    store->harvesting.reading.due_ms = 0;
    gateways_heard(store);
}

static void apply(struct store *store, const struct event *event)
{
    store->counters.events_seen++;
    switch (event->kind) {
    case EVENT_START:
        break;
    case EVENT_EXPECT:
        expected_heard(store, &event->expectation);
        break;
    case EVENT_SPARED:
        spared_heard(store, event->client, &event->row);
        break;
    case EVENT_SUSPECT:
        harvest_heard(store, &event->named);
        break;
    case EVENT_BAN:
        bans_heard(store, &event->named.client, &event->ban);
        break;
    case EVENT_STAGED:
        policy_heard(store, event->document);
        break;
    case EVENT_ACTIVATED:
        policy_heard(store, NULL);
        break;
    case EVENT_DIRECTORY:
        directory_heard(store);
        break;
    case EVENT_GATEWAYS:
        gateways_heard(store);
        break;
    case EVENT_FORGET:
        events_drop(store);
        break;
    case EVENT_UNKNOWN: // of a later version, or damaged: it may be anything
        events_drop(store);
        mirror_again(store);
        break;
    }
}

// ---- asking

// The tag is the number of drops when it was asked: an answer from before one may be of another
// server.
static bool ask(struct store *store, struct resp *resp,
                void (*fn)(void *arg, uint64_t tag, const struct redisReply *reply))
{
    struct redis *redis = store->lane[STORE_ADMIN];
    struct redis_wait wait = {.fn = fn, .arg = store, .tag = store->events.drops};

    if (redis_state(redis) != STORE_UP || store_state(store) == STORE_FOREIGN ||
        !redis_send(redis, resp, wait))
        return false;
    store->counters.event_polls++;
    store->events.is_asking = true;
    store->events.asked_ms = clock_mono_ms();
    return true;
}

// True if the reply can be looked at. A question that was not answered well is asked again when the
// timer comes.
static bool is_answered(struct store *store, const struct redisReply *reply)
{
    enum store_state state = reply_state(reply);

    store->events.is_asking = false;
    store_note_error(store, state, reply);
    return state == STORE_UP;
}

static void complain(struct store *store, const char *what)
{
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store holds what is not of our format: %s", what);
}

static void joined(struct store *store)
{
    store->events.known_ms = store->events.asked_ms;
    mirror_again(store);
    events_drop(store); // what was read before may have been forgotten unheard
}

// ---- joining

static void got_expiry(void *arg, uint64_t tag, const struct redisReply *reply)
{
    (void)tag;
    store_note_error(arg, reply_state(reply), reply);
}

static void got_start(void *arg, uint64_t drops, const struct redisReply *reply)
{
    struct store *store = arg;

    if (!is_answered(store, reply) || drops != store->events.drops)
        return;
    if (event_id_read(reply, store->events.last))
        joined(store);
    else
        complain(store, EVENTS_KEY);
}

static void start(struct store *store)
{
    struct redis_wait wait = {.fn = got_expiry, .arg = store};
    struct resp resp;

    event_put(&resp, "start");
    if (!ask(store, &resp, got_start) || !store_keeps_expiry(store))
        return;
    events_put_expiry(store, &resp);
    // Fails only with the connection.
    store->counters.event_polls += redis_send(store->lane[STORE_ADMIN], &resp, wait);
}

static void got_newest(void *arg, uint64_t drops, const struct redisReply *reply)
{
    struct store *store = arg;
    struct event event;

    if (!is_answered(store, reply) || drops != store->events.drops)
        return;
    if (reply_is_array(reply, 0)) {
        start(store);
    } else if (reply_is_array(reply, 1) && event_read(reply->element[0], &event)) {
        memcpy(store->events.last, event.id, sizeof(event.id));
        joined(store);
    } else {
        complain(store, EVENTS_KEY);
    }
}

static void join(struct store *store)
{
    struct resp resp;

    resp_begin(&resp, "XREVRANGE");
    resp_text(&resp, EVENTS_KEY);
    resp_text(&resp, "+");
    resp_text(&resp, "-");
    resp_text(&resp, "COUNT");
    resp_number(&resp, 1);
    (void)ask(store, &resp, got_newest);
}

// ---- following

static void got_rows(void *arg, uint64_t drops, const struct redisReply *reply);

static void follow(struct store *store)
{
    struct resp resp;

    resp_begin(&resp, "XRANGE");
    resp_text(&resp, EVENTS_KEY);
    resp_text(&resp, store->events.last);
    resp_text(&resp, "+");
    resp_text(&resp, "COUNT");
    resp_number(&resp, EVENTS_PAGE);
    (void)ask(store, &resp, got_rows);
}

static bool begins_with_last(const struct store *store, const struct redisReply *reply)
{
    struct event event;

    return reply->type == REDIS_REPLY_ARRAY && reply->elements > 0 &&
           event_read(reply->element[0], &event) && strcmp(event.id, store->events.last) == 0;
}

// False: something in it is no row.
static bool apply_all(struct store *store, const struct redisReply *reply)
{
    struct event event;

    for (size_t i = 1; i < reply->elements; i++) {
        if (!event_read(reply->element[i], &event))
            return false;
        apply(store, &event);
        memcpy(store->events.last, event.id, sizeof(event.id));
    }
    return true;
}

static void got_rows(void *arg, uint64_t drops, const struct redisReply *reply)
{
    struct store *store = arg;

    (void)drops; // whatever was dropped meanwhile, the row that was seen last tells
    if (!is_answered(store, reply))
        return;
    if (!begins_with_last(store, reply)) {
        events_lost(store);
        join(store);
    } else if (!apply_all(store, reply)) {
        complain(store, EVENTS_KEY);
        events_lost(store);
    } else if (reply->elements == EVENTS_PAGE) {
        follow(store); // there may be more to hear
    } else {
        store->events.known_ms = store->events.asked_ms;
    }
}

// ---- life

// What is mirrored, all of it again: in case an event was missed, or somebody changed it by hand. Before
// there is a stream to follow, too.
static void reread(struct store *store)
{
    uint64_t now_ms = clock_mono_ms();

    if (redis_state(store->lane[STORE_ADMIN]) != STORE_UP || store_state(store) == STORE_FOREIGN)
        return;
    spared_reread(store);
    directory_reread(store);
    bans_reread(store);
    gateways_reread(store);
    reputation_look(store);
    if (store->events.reread_ms != 0 && now_ms - store->events.reread_ms < EVENTS_REREAD_MS)
        return;
    if (!expected_ask(store))
        return;
    store->events.reread_ms = now_ms;
    policy_look(store);
}

void events_poll(struct store *store)
{
    reread(store);
    harvest_poll(store);
    if (store->events.is_asking)
        return;
    if (store->events.last[0] == '\0')
        join(store);
    else
        follow(store);
}

static void due(void *arg)
{
    events_poll(arg);
}

void events_start(struct store *store)
{
    store->events.timer = loop_timer_new(store->loop, due, store);
    loop_timer_set(store->events.timer, EVENTS_POLL_MS, EVENTS_POLL_MS);
}

void events_stop(struct store *store)
{
    loop_timer_free(&store->events.timer);
}
