// allow.c: Auto Allow: to whom somebody has written, and until when an operator took that back; and which addresses have
// sent mail. Each is a field whose value is stamps that only grow, so whatever is written twice, late or by two nodes at
// once, the later stamp is what stays:
//
//     note     EVAL the script below: a key, fields, stamps        HMGET alone in a dry run
//     forget   HGET a:{owner} external    HDEL a:{owner} external
//     list     HSCAN a:{owner}
//
// Promises: lookups never queue behind it: it has the operator's connection. Several fields of one key are one command.
// A key lives as long as its newest entry counts, and a day; of what is over in a key that lives on, a few are looked for
// and removed with each new field, so that no more than a quarter of a key is over.
//
// The script is sent whole: it is a kilobyte, Redis has it compiled, and so no server that was restarted, or replaced by
// its replica, ever has to be told first.
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

// KEYS[1] a hash; ARGV: life of the key in seconds (0: none), moment before which a value is over (0: none), stamps,
// fields. Answers what each field was.
static const char SCRIPT[] =
    "local want, was, fresh = {}, {}, false\n"
    "for n in string.gmatch(ARGV[3], '%d+') do want[#want + 1] = tonumber(n) end\n"
    "for i = 4, #ARGV do\n"
    "  local old, new = redis.call('HGET', KEYS[1], ARGV[i]), {}\n"
    "  local each = string.gmatch(old or '', '%d+')\n"
    "  for k, n in ipairs(want) do\n"
    "    new[k] = string.format('%.0f', math.max(n, tonumber(each() or 0)))\n"
    "  end\n"
    "  redis.call('HSET', KEYS[1], ARGV[i], table.concat(new, ' '))\n"
    "  was[#was + 1], fresh = old, fresh or not old\n"
    "end\n"
    "local over = tonumber(ARGV[2])\n"
    "local some = fresh and over > 0 and redis.call('HRANDFIELD', KEYS[1], 4, 'WITHVALUES') or {}\n"
    "for i = 1, #some, 2 do\n"
    "  local newest = 0\n"
    "  for n in string.gmatch(some[i + 1], '%d+') do newest = math.max(newest, tonumber(n)) end\n"
    "  if newest < over then redis.call('HDEL', KEYS[1], some[i]) end\n"
    "end\n"
    "local life = tonumber(ARGV[1])\n"
    "if life > 0 and redis.call('TTL', KEYS[1]) < life then\n"
    "  redis.call('EXPIRE', KEYS[1], life)\n"
    "end\n"
    "return was\n";

// What the fields of one command may take, beside the script, the key and what goes with each field.
enum { FIELDS_BYTES = RESP_BYTES - sizeof(SCRIPT) - PERSON_KEY_MAX - 512, FIELD_HEAD_BYTES = 16 };
static const uint64_t DAY_MS = 24ULL * 3600 * 1000;

// ---- one command: entries of one key with the same stamps

static const char *field_of(const struct store_allow *entry)
{
    return entry->external != NULL ? entry->external : PERSON_LEARNT_FIELD;
}

static size_t bytes_of(const struct store_allow *entry)
{
    return strlen(field_of(entry)) + FIELD_HEAD_BYTES;
}

static bool goes_with(const struct store_allow *a, const struct store_allow *b)
{
    return a->external != NULL && b->external != NULL && strcmp(a->owner, b->owner) == 0 &&
           a->sent_ms == b->sent_ms && a->disabled_ms == b->disabled_ms;
}

// next_run: the entry behind those that go with this one.
static struct store_allow *next_run(const struct store_allow *first)
{
    size_t used = bytes_of(first);
    struct store_allow *at = first->next;

    for (; at != NULL && goes_with(first, at) && used + bytes_of(at) <= FIELDS_BYTES; at = at->next)
        used += bytes_of(at);
    return at;
}

static void put_key(struct resp *resp, const struct store_allow *entry)
{
    char key[PERSON_KEY_MAX];

    resp_bytes(resp, key,
               entry->external != NULL ? person_allow_key(entry->owner, key)
                                       : person_answer_key(entry->owner, key));
}

static void put_stamps(struct resp *resp, const struct store_allow *entry)
{
    const struct person_allow allow = {.sent_ms = entry->sent_ms,
                                       .disabled_ms = entry->disabled_ms};
    char value[PERSON_VALUE_MAX];

    if (entry->external != NULL)
        resp_bytes(resp, value, person_allow_write(&allow, value));
    else
        resp_number(resp, entry->sent_ms);
}

static void put_script(const struct store *store, struct resp *resp,
                       const struct store_allow *entry, uint64_t life_ms)
{
    const uint64_t now_ms = store_now_ms(store);
    const bool keeps = store_keeps_expiry(store);

    resp_begin(resp, "EVAL");
    resp_bytes(resp, SCRIPT, sizeof(SCRIPT) - 1);
    resp_number(resp, 1);
    put_key(resp, entry);
    resp_number(resp, keeps ? (life_ms + DAY_MS + 999) / 1000 : 0);
    resp_number(resp, keeps && entry->external != NULL && now_ms > life_ms ? now_ms - life_ms : 0);
    put_stamps(resp, entry);
}

static void send_run(struct store *store, struct op *op, const struct store_allow *first,
                     uint64_t life_ms)
{
    const struct store_allow *end = next_run(first);
    struct resp resp;

    if (op->read_only) {
        resp_begin(&resp, "HMGET");
        put_key(&resp, first);
    } else {
        put_script(store, &resp, first, life_ms);
    }
    for (const struct store_allow *entry = first; entry != end; entry = entry->next)
        resp_text(&resp, field_of(entry));
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}

// ---- replies

// What a field was. Of an address that has sent mail nobody asks.
static bool take(struct store_allow *entry, const struct redisReply *value)
{
    entry->before.state = FACT_ABSENT;
    if (value->type == REDIS_REPLY_NIL || entry->external == NULL)
        return true;
    if (!reply_is_text(value) || !person_allow_read(value->str, value->len, &entry->before)) {
        entry->before.state = FACT_UNKNOWN;
        return false;
    }
    entry->before.state = FACT_PRESENT;
    return true;
}

static void note_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct store_allow *entry = op->work;
    struct store_allow *end = next_run(entry);
    bool is_sound = true;

    op->work = end;
    if (reply->type == REDIS_REPLY_ERROR)
        return;
    for (size_t i = 0; entry != end && is_sound; entry = entry->next, i++)
        is_sound = reply->type == REDIS_REPLY_ARRAY && i < reply->elements &&
                   take(entry, reply->element[i]);
    if (!is_sound)
        store_note_garbage(store, op);
}

static void note_end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

static const struct op_kind NOTE = {note_reply, note_end};

void store_allow_note(struct store *store, struct store_allow *list, uint64_t life_ms,
                      bool read_only, struct store_done done)
{
    enum store_state why = STORE_UP;
    unsigned commands = 0;

    for (struct store_allow *entry = list; entry != NULL; entry = entry->next)
        entry->before = (struct person_allow){.state = FACT_UNKNOWN};
    for (const struct store_allow *entry = list; entry != NULL; entry = next_run(entry))
        commands++;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], &NOTE, commands, &why);

    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->work = list;
    op->read_only = read_only;
    op_hurry(store->ops, op, done.within_ms);
    for (const struct store_allow *entry = list; entry != NULL; entry = next_run(entry))
        send_run(store, op, entry, life_ms);
}

// ---- forget

static void forget_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct store_allow *entry = op->work;

    if (op->step++ == 0 && reply->type != REDIS_REPLY_ERROR && !take(entry, reply))
        store_note_garbage(store, op); // what it was is not known; it goes all the same
}

static const struct op_kind FORGET = {forget_reply, note_end};

static void put_entry(struct resp *resp, const char *verb, const struct store_allow *entry)
{
    resp_begin(resp, verb);
    put_key(resp, entry);
    resp_text(resp, entry->external);
}

void store_allow_forget(struct store *store, struct store_allow *entry, struct store_done done)
{
    static const char *const verbs[] = {"HGET", "HDEL"};
    enum store_state why = STORE_UP;
    struct op *op = op_begin_admin(store->ops, &FORGET, 2, entry, &why);

    entry->before = (struct person_allow){.state = FACT_UNKNOWN};
    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    for (unsigned i = 0; i < 2; i++) {
        struct resp resp;

        put_entry(&resp, verbs[i], entry);
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}

// ---- list

// Rows point into the reply, which is there until the end of the operation was told.
struct listing {
    struct store_allow_list_done done;
    struct store_allow_row *row;
    size_t count;
    uint64_t cursor;
};

static bool take_row(struct store_allow_row *row, const struct redisReply *field,
                     const struct redisReply *value)
{
    if (!reply_is_text(field) || !reply_is_text(value) ||
        strlen(field->str) != field->len || // a NUL in it
        !person_allow_read(value->str, value->len, &row->allow))
        return false;
    row->allow.state = FACT_PRESENT;
    row->external = field->str;
    return true;
}

static void list_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct listing *listing = op->work;

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_array(reply, 2) || !reply_number(reply->element[0], &listing->cursor) ||
        reply->element[1]->type != REDIS_REPLY_ARRAY) {
        store_note_garbage(store, op);
        return;
    }
    const struct redisReply *rows = reply->element[1];

    listing->row = mem_new_array(rows->elements / 2 + 1, sizeof(*listing->row));
    for (size_t i = 0; i + 1 < rows->elements; i += 2) {
        if (take_row(&listing->row[listing->count], rows->element[i], rows->element[i + 1]))
            listing->count++;
        else
            store_note_garbage(store, op);
    }
}

static void list_end(struct store *store, struct op *op)
{
    struct listing *listing = op->work;

    (void)store;
    listing->done.fn(listing->done.arg, op->state, listing->row, listing->count, listing->cursor);
    mem_free(listing->row);
    mem_free(listing);
}

static const struct op_kind LIST = {list_reply, list_end};

void store_allow_list(struct store *store, const char *owner, uint64_t cursor, size_t limit,
                      struct store_allow_list_done done)
{
    struct listing *listing = mem_new(sizeof(*listing));
    enum store_state why = STORE_UP;
    struct op *op = op_begin_admin(store->ops, &LIST, 1, listing, &why);
    char key[PERSON_KEY_MAX];
    struct resp resp;

    listing->done = done;
    if (op == NULL) {
        mem_free(listing);
        done.fn(done.arg, why, NULL, 0, 0);
        return;
    }
    resp_begin(&resp, "HSCAN");
    resp_bytes(&resp, key, person_allow_key(owner, key));
    resp_number(&resp, cursor);
    resp_text(&resp, "COUNT");
    resp_number(&resp, limit);
    op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
}
