// harvest.c: see harvest.h. Promises: a number is how many fields a hash has, read after the own ones were written, so
// that of nodes that race the last one sees all; of two that ban one client for one harvest the second changes nothing.
#include "node/store/harvest.h"

#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

// The one thing here that is read, changed and written back, in one step of the server: core/harvest.c has the same in C
// (harvest_ban_next). A value that is not of this format counts as none.
static const char BAN[] = "local now, span, most, rests = tonumber(ARGV[2]), tonumber(ARGV[3]), "
                          "tonumber(ARGV[4]), tonumber(ARGV[5])\n"
                          "local old = redis.call('HGET', KEYS[1], ARGV[1])\n"
                          "local ends, began = string.match(old or '', '^(%d+) (%d+) %d+ %d+$')\n"
                          "ends, began = tonumber(ends), tonumber(began)\n"
                          "if ends and 0 < began and began < ends and ends < 1e15 and ends - began "
                          "<= tonumber(ARGV[6]) then\n"
                          "  if now < ends then return old end\n"
                          "  if now - ends <= rests then span = 2 * (ends - began) end\n"
                          "end\n"
                          "local new = string.format('%.0f %.0f %s %s', now + math.min(span, "
                          "most), now, ARGV[7], ARGV[8])\n"
                          "redis.call('HSET', KEYS[1], ARGV[1], new)\n"
                          "return new\n";

struct work {
    struct named_of of;
    struct harvest_bounds bounds;
    enum harvest_kind kind;     // of a note
    struct harvest_count count; // as the store said
    struct harvest_ban ban;     // likewise
    uint64_t now_ms;            // when it was banned, store clock
    unsigned replies;
    bool is_news; // a note: something of it was not there before
    bool is_known;
};

// ---- work under way

static struct op *begin(struct store *store, const struct op_kind *kind, struct work *work,
                        unsigned commands)
{
    enum store_state why = STORE_UP;
    struct op *op = NULL;

    if (store->harvesting.work_count < HARVEST_WORK_MAX)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);
    if (op == NULL) {
        store->counters.lost_writes++;
        mem_free(work);
        return NULL;
    }
    store->harvesting.work_count++;
    op->work = work;
    return op;
}

// Whatever it was, it is not under way any more; false if it failed, and was counted.
static bool is_done(struct store *store, const struct op *op)
{
    store->harvesting.work_count--;
    if (op->state == STORE_UP)
        return true;
    store->counters.lost_writes++;
    return false;
}

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static struct work *work_new(const struct named_of *of, const struct harvest_bounds *bounds)
{
    struct work *work = mem_new(sizeof(*work));

    work->of = *of;
    work->bounds = *bounds;
    return work;
}

static void put_key(struct resp *resp, const char *verb, enum harvest_kind kind,
                    const struct named_of *of)
{
    char key[HARVEST_KEY_MAX];

    resp_begin(resp, verb);
    resp_bytes(resp, key, harvest_key(kind, &of->client, of->hour, key));
}

// ---- banning

static void got_ban(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct work *work = op->work;

    if (work->replies++ > 0)
        return; // of the expiry: what is wrong with it, the operation notes
    work->is_known = reply_is_text(reply) && harvest_ban_read(reply->str, &work->ban);
    if (!work->is_known && reply->type != REDIS_REPLY_ERROR)
        store_note_garbage(store, op);
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
    if (!store_keeps_expiry(store))
        return;
    events_put_expiry(store, resp);
    (void)redis_send(store->lane[STORE_ADMIN], resp, wait); // fails only with the connection
}

static void end_ban(struct store *store, struct op *op)
{
    struct work *work = op->work;
    struct resp resp;

    if (is_done(store, op) || work->is_known) {
        bans_set(&store->harvesting.bans, &work->of.client, &work->ban, work->now_ms);
        if (work->ban.since_ms == work->now_ms) { // else somebody else has told
            store->counters.bans++;
            bans_put_event(&resp, &work->of.client, &work->ban);
            tell(store, &resp);
        }
    }
    mem_free(work);
}

static const struct op_kind BANNING = {got_ban, end_ban};

static void put_ban(struct resp *resp, const struct work *work)
{
    char client[HARVEST_CLIENT_MAX];

    resp_begin(resp, "EVAL");
    resp_text(resp, BAN);
    resp_number(resp, 1);
    resp_text(resp, HARVEST_BANS_KEY);
    resp_text(resp, harvest_client_text(&work->of.client, client));
    resp_number(resp, work->now_ms);
    resp_number(resp, work->bounds.ban_ms);
    resp_number(resp, work->bounds.ban_most_ms);
    resp_number(resp, HARVEST_REPEAT_MS);
    resp_number(resp, HARVEST_BAN_MOST_MS);
    resp_number(resp, work->count.unknown);
    resp_number(resp, work->count.existing);
}

static void ban(struct store *store, struct work *work)
{
    const bool keeps = store_keeps_expiry(store);
    struct op *op = begin(store, &BANNING, work, 1U + keeps);
    struct resp resp;

    if (op == NULL)
        return;
    work->now_ms = store_now_ms(store);
    work->replies = 0;
    work->is_known = false;
    put_ban(&resp, work);
    send(store, op, &resp);
    if (!keeps)
        return;
    store_put_expiry(&resp, HARVEST_BANS_KEY, bans_expiry_ms(work->now_ms));
    send(store, op, &resp);
}

// ---- judging

static void got_count(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct work *work = op->work;
    uint64_t *count = work->replies++ == 0 ? &work->count.unknown : &work->count.existing;

    (void)store;
    if (reply_is_integer(reply) && reply->integer >= 0)
        *count = (uint64_t)reply->integer;
    else
        op_note(op, STORE_ERROR);
}

static void end_judging(struct store *store, struct op *op)
{
    struct work *work = op->work;

    if (is_done(store, op) && harvest_is_over(&work->bounds, &work->count))
        ban(store, work);
    else
        mem_free(work);
}

static const struct op_kind JUDGING = {got_count, end_judging};

static void judge(struct store *store, const struct named_of *of,
                  const struct harvest_bounds *bounds)
{
    struct op *op = begin(store, &JUDGING, work_new(of, bounds), 2);
    struct resp resp;

    if (op == NULL)
        return;
    put_key(&resp, "HLEN", HARVEST_UNKNOWN, of);
    send(store, op, &resp);
    put_key(&resp, "HLEN", HARVEST_EXISTING, of);
    send(store, op, &resp);
}

// ---- who is suspect, and who is due

static bool is_same(const struct named_of *a, const struct named_of *b)
{
    return a->hour == b->hour && ip_net_compare(&a->client, &b->client) == 0;
}

static void put_suspect(struct resp *resp, const struct named_of *of)
{
    char client[HARVEST_CLIENT_MAX];

    event_put(resp, "suspect");
    resp_text(resp, "client");
    resp_text(resp, harvest_client_text(&of->client, client));
    resp_text(resp, "hour");
    resp_number(resp, of->hour);
}

static bool is_fresh(const struct named_suspicion *suspicion, uint64_t now_ms)
{
    return suspicion->heard_ms > 0 && now_ms - suspicion->heard_ms < HARVEST_FRESH_MS;
}

// suspect: tells every node, this one included, unless it was just told.
static void suspect(struct store *store, const struct named_of *of)
{
    struct named_suspicion suspicion = named_suspicion(store->harvesting.named, of);
    const uint64_t now_ms = clock_mono_ms();
    struct resp resp;

    if (is_fresh(&suspicion, now_ms) ||
        (suspicion.told_ms > 0 && now_ms - suspicion.told_ms < HARVEST_TELL_MS))
        return;
    suspicion.told_ms = now_ms;
    named_set_suspicion(store->harvesting.named, of, &suspicion);
    put_suspect(&resp, of);
    tell(store, &resp);
}

static bool was_everybody_heard(const struct store *store, const struct named_of *of)
{
    const struct named_suspicion suspicion = named_suspicion(store->harvesting.named, of);
    const uint64_t now_ms = clock_mono_ms();

    return is_fresh(&suspicion, now_ms) && now_ms - suspicion.heard_ms >= HARVEST_HEARD_MS;
}

static void judge_later(struct store *store, const struct work *work)
{
    struct harvesting *harvesting = &store->harvesting;

    for (size_t i = 0; i < harvesting->due_count; i++)
        if (is_same(&harvesting->due[i].of, &work->of))
            return;
    if (harvesting->due_count == HARVEST_DUE_MAX)
        return; // the next recipient that it names brings it here again
    harvesting->due[harvesting->due_count++] =
        (struct harvest_due){work->of, work->bounds, clock_mono_ms()};
}

static void consider(struct store *store, const struct work *work)
{
    if (!harvest_is_suspect(&work->bounds, work->count.unknown))
        return;
    suspect(store, &work->of);
    if (work->count.unknown < work->bounds.unknown)
        return;
    if (was_everybody_heard(store, &work->of))
        judge(store, &work->of, &work->bounds);
    else
        judge_later(store, work);
}

void harvest_poll(struct store *store)
{
    struct harvesting *harvesting = &store->harvesting;
    size_t kept = 0;

    if (redis_state(store->lane[STORE_ADMIN]) != STORE_UP)
        return;
    for (size_t i = 0; i < harvesting->due_count; i++) {
        const struct harvest_due due = harvesting->due[i];

        if (was_everybody_heard(store, &due.of)) {
            judge(store, &due.of, &due.bounds);
        } else if (clock_mono_ms() - due.since_ms < HARVEST_GIVE_UP_MS) {
            suspect(store, &due.of);
            harvesting->due[kept++] = due;
        }
    }
    harvesting->due_count = kept;
}

// ---- notes

static void got_note(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct work *work = op->work;

    (void)store;
    if (!reply_is_integer(reply) || reply->integer < 0)
        op_note(op, STORE_ERROR);
    else if (work->replies == 0)
        work->is_news = reply->integer > 0;
    else if (op->replies_left == 1) // the last one, in any case
        work->count.unknown = (uint64_t)reply->integer;
    work->replies++;
}

static void end_note(struct store *store, struct op *op)
{
    struct work *work = op->work;

    if (!is_done(store, op))
        named_unlearn(store->harvesting.named, &work->of, work->kind);
    else if (work->kind == HARVEST_UNKNOWN && work->is_news)
        consider(store, work);
    mem_free(work);
}

static const struct op_kind NOTING = {got_note, end_note};

static void put_fields(struct resp *resp, const struct work *work,
                       const uint8_t field[][HARVEST_FIELD_BYTES], size_t count)
{
    put_key(resp, "HSET", work->kind, &work->of);
    for (size_t i = 0; i < count; i++) {
        resp_bytes(resp, field[i], HARVEST_FIELD_BYTES);
        resp_text(resp, "");
    }
}

static void send_note(struct store *store, struct work *work,
                      const uint8_t field[][HARVEST_FIELD_BYTES], size_t count)
{
    const bool keeps = store_keeps_expiry(store);
    const bool counts = work->kind == HARVEST_UNKNOWN;
    const struct work said = *work;
    struct op *op = begin(store, &NOTING, work, 1U + keeps + counts);
    char key[HARVEST_KEY_MAX];
    struct resp resp;

    if (op == NULL) { // what was not told is news when it comes again
        named_unlearn(store->harvesting.named, &said.of, said.kind);
        return;
    }
    put_fields(&resp, work, field, count);
    send(store, op, &resp);
    if (keeps) {
        (void)harvest_key(work->kind, &work->of.client, work->of.hour, key);
        store_put_expiry(&resp, key, harvest_expiry_ms(work->of.hour));
        send(store, op, &resp);
    }
    if (counts) {
        put_key(&resp, "HLEN", work->kind, &work->of);
        send(store, op, &resp);
    }
}

void harvest_heard(struct store *store, const struct named_of *of)
{
    struct named *named = store->harvesting.named;
    struct named_suspicion suspicion = named_suspicion(named, of);
    uint8_t field[NAMED_FIELDS][HARVEST_FIELD_BYTES];

    const bool is_news = suspicion.heard_ms == 0;

    if (of->hour != harvest_hour(store_now_ms(store)))
        return;
    suspicion.heard_ms = clock_mono_ms();
    named_set_suspicion(named, of, &suspicion);
    const size_t count = is_news ? named_list(named, of, HARVEST_EXISTING, field) : 0;
    const struct harvest_bounds none = {0};
    struct work *work = count > 0 ? work_new(of, &none) : NULL;

    if (work == NULL)
        return;
    work->kind = HARVEST_EXISTING;
    send_note(store, work, (const uint8_t(*)[HARVEST_FIELD_BYTES])field, count);
}

void store_harvest_note(struct store *store, const struct store_harvest *news)
{
    const struct named_of of = {news->client, harvest_hour(news->now_ms)};
    struct named *named = store->harvesting.named;
    uint8_t fresh[STORE_HARVEST_MAX][HARVEST_FIELD_BYTES];
    size_t count = 0;

    for (size_t i = 0; i < news->count && i < STORE_HARVEST_MAX; i++)
        if (named_add(named, &of, news->kind, news->field[i]))
            memcpy(fresh[count++], news->field[i], HARVEST_FIELD_BYTES);
    if (count == 0 || (news->kind == HARVEST_EXISTING && named_suspicion(named, &of).heard_ms == 0))
        return;
    struct work *work = work_new(&of, &news->bounds);

    work->kind = news->kind;
    send_note(store, work, (const uint8_t(*)[HARVEST_FIELD_BYTES])fresh, count);
}
