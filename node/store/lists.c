// lists.c: personal lists as people change and read them. Promises: what was there before is told with what took its
// place; nothing is read, changed and written back; nothing that a person entered has an expiry.
//
//     read      HGET m:{mailbox} pattern                                                              ... an entry
//     write     HGET m:{mailbox} pattern    HSET m:{mailbox} pattern entry    HSET lists:{p} mailbox  ... an entry
//     remove    HGET m:{mailbox} pattern    HDEL m:{mailbox} pattern    HLEN m:{mailbox}
//               was it the last one?        HDEL lists:{p} mailbox      HLEN m:{mailbox}
//               is there another by now?    HSET lists:{p} mailbox
//     page      HSCAN m:{mailbox} or lists:{p}
//
// Whoever adds an entry names the mailbox behind it, and whoever takes the name away looks behind that: so a list with
// entries is named, whoever races with whom.
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/mem.h"

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static void put_list(struct resp *resp, const char *verb, const char *mailbox)
{
    char key[PERSON_KEY_MAX];

    resp_begin(resp, verb);
    resp_bytes(resp, key, person_list_key(mailbox, key));
}

static void put_field(struct resp *resp, const char *verb, const struct store_list_entry *one)
{
    put_list(resp, verb, one->mailbox);
    resp_text(resp, one->pattern);
}

static void put_name(struct resp *resp, const char *verb, const char *mailbox)
{
    resp_begin(resp, verb);
    resp_text(resp, PERSON_LISTS_KEY);
    resp_text(resp, mailbox);
}

static void send_name(struct store *store, struct op *op, const char *mailbox)
{
    struct resp resp;

    put_name(&resp, "HSET", mailbox);
    resp_number(&resp, store_now_ms(store));
    send(store, op, &resp);
}

static void end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

// ---- reading and writing entries

static void clear(struct store_list_entry *one)
{
    one->was_there = one->is_written = false;
    one->was = (struct person_entry){.action = PERSON_NONE};
}

enum { REPLY_WAS, REPLY_WRITTEN, REPLY_NAMED };

// What cannot be read is there all the same, and may be replaced.
static void take_was(struct op *op, struct store_list_entry *one, const struct redisReply *reply)
{
    one->was_there = reply_is_text(reply);
    if (one->was_there && !person_entry_read(reply->str, reply->len, &one->was))
        one->was.action = PERSON_NONE;
    if (!one->was_there && reply->type != REDIS_REPLY_NIL)
        op_note(op, STORE_ERROR);
}

static void got_entry(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct store_list_entry *one = op->work;
    const unsigned last = op->read_only ? REPLY_WAS : REPLY_NAMED;

    (void)store;
    if (op->step == REPLY_WAS)
        take_was(op, one, reply);
    else if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
    else if (op->step == REPLY_WRITTEN)
        one->is_written = true;
    if (op->step++ == last) {
        op->work = one->next;
        op->step = REPLY_WAS;
    }
}

static const struct op_kind ENTRIES = {got_entry, end};

static void send_entry(struct store *store, struct op *op, const struct store_list_entry *one)
{
    char value[PERSON_VALUE_MAX];
    struct resp resp;

    put_field(&resp, "HGET", one);
    send(store, op, &resp);
    if (op->read_only)
        return;
    put_field(&resp, "HSET", one);
    resp_bytes(&resp, value, person_entry_write(&one->entry, value));
    send(store, op, &resp);
    send_name(store, op, one->mailbox);
}

static void ask(struct store *store, struct store_list_entry *list, bool read_only,
                struct store_done done)
{
    enum store_state why = STORE_UP;
    struct op *op = NULL;
    unsigned commands = 0;

    for (struct store_list_entry *each = list; each != NULL; each = each->next) {
        clear(each);
        commands += read_only ? 1 : 3;
    }
    if (commands > 0)
        op = op_begin(store->ops, store->lane[STORE_ADMIN], &ENTRIES, commands, &why);
    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->work = list;
    op->read_only = read_only;
    for (const struct store_list_entry *each = list; each != NULL; each = each->next)
        send_entry(store, op, each);
}

void store_list_read(struct store *store, struct store_list_entry *list, struct store_done done)
{
    ask(store, list, true, done);
}

void store_list_write(struct store *store, struct store_list_entry *list, struct store_done done)
{
    ask(store, list, false, done);
}

// ---- removing one

struct removal {
    struct store_list_entry *one;
    struct store_done done;
    bool has_others; // entries of that mailbox
};

static void finish_removal(struct removal *removal, enum store_state state)
{
    removal->done.fn(removal->done.arg, removal->done.token, state);
    mem_free(removal);
}

static void end_removal(struct store *store, struct op *op)
{
    (void)store;
    finish_removal(op->work, op->state);
}

// begin: the next operation of a removal; NULL, and it has ended.
static struct op *begin(struct store *store, const struct op_kind *kind, unsigned commands,
                        struct removal *removal)
{
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);

    if (op == NULL)
        finish_removal(removal, why);
    else
        op->work = removal;
    return op;
}

static void send_count(struct store *store, struct op *op, const struct removal *removal)
{
    struct resp resp;

    put_list(&resp, "HLEN", removal->one->mailbox);
    send(store, op, &resp);
}

static void got_named(struct store *store, struct op *op, const struct redisReply *reply)
{
    (void)store;
    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
}

static const struct op_kind NAME = {got_named, end_removal};

// Of HDEL and HLEN, behind one another.
static void got_count(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct removal *removal = op->work;

    (void)store;
    if (!reply_is_integer(reply))
        op_note(op, STORE_ERROR);
    else
        removal->has_others = reply->integer > 0;
}

static void end_unnamed(struct store *store, struct op *op)
{
    struct removal *removal = op->work;

    if (op->state != STORE_UP || !removal->has_others) {
        finish_removal(removal, op->state);
        return;
    }
    struct op *again = begin(store, &NAME, 1, removal);

    if (again != NULL)
        send_name(store, again, removal->one->mailbox);
}

static const struct op_kind UNNAME = {got_count, end_unnamed};

// A list without entries is named no more.
static void unname(struct store *store, struct removal *removal)
{
    struct op *op = begin(store, &UNNAME, 2, removal);
    struct resp resp;

    if (op == NULL)
        return;
    put_name(&resp, "HDEL", removal->one->mailbox);
    send(store, op, &resp);
    send_count(store, op, removal);
}

static void got_removed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct removal *removal = op->work;

    if (op->step == 0)
        take_was(op, removal->one, reply);
    else
        got_count(store, op, reply);
    if (op->step++ == 1 && reply_is_integer(reply))
        removal->one->is_written = true;
}

static void end_removed(struct store *store, struct op *op)
{
    struct removal *removal = op->work;

    if (op->state == STORE_UP && !removal->has_others)
        unname(store, removal);
    else
        finish_removal(removal, op->state);
}

static const struct op_kind REMOVE = {got_removed, end_removed};

void store_list_remove(struct store *store, struct store_list_entry *one, struct store_done done)
{
    struct removal *removal = mem_new(sizeof(*removal));
    struct op *op;
    struct resp resp;

    clear(one);
    removal->one = one;
    removal->done = done;
    op = begin(store, &REMOVE, 3, removal);
    if (op == NULL)
        return;
    put_field(&resp, "HGET", one);
    send(store, op, &resp);
    put_field(&resp, "HDEL", one);
    send(store, op, &resp);
    send_count(store, op, removal);
}

// ---- pages

struct page {
    struct store_listed_done done;
    bool is_list; // else of mailboxes
    struct store_listed *row;
    char **name;
    size_t count;
    uint64_t next;
};

static void finish(struct page *page, enum store_state state)
{
    const bool is_up = state == STORE_UP; // half a page helps nobody

    page->done.fn(page->done.arg, state, page->row, is_up ? page->count : 0,
                  is_up ? page->next : 0);
    for (size_t i = 0; i < page->count; i++)
        mem_free(page->name[i]);
    mem_free((void *)page->name);
    mem_free(page->row);
    mem_free(page);
}

static void take_row(struct page *page, const struct redisReply *field,
                     const struct redisReply *value)
{
    struct store_listed *row;

    if (!reply_is_text(field) || !reply_is_text(value) || strlen(field->str) != field->len)
        return;
    page->row = mem_grow(page->row, page->count + 1, sizeof(*page->row));
    page->name = mem_grow((void *)page->name, page->count + 1, sizeof(*page->name));
    row = &page->row[page->count];
    *row = (struct store_listed){.entry = {.action = PERSON_NONE}};
    row->name = page->name[page->count++] = mem_text(field->str);
    if (page->is_list && !person_entry_read(value->str, value->len, &row->entry))
        row->entry.action = PERSON_NONE;
}

static void got_page(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct page *page = op->work;
    const struct redisReply *rows = reply_is_array(reply, 2) ? reply->element[1] : NULL;

    (void)store;
    if (rows == NULL || rows->type != REDIS_REPLY_ARRAY || rows->elements % 2 != 0 ||
        !reply_number(reply->element[0], &page->next)) {
        op_note(op, STORE_ERROR);
        return;
    }
    for (size_t i = 0; i < rows->elements; i += 2)
        take_row(page, rows->element[i], rows->element[i + 1]);
}

static void end_page(struct store *store, struct op *op)
{
    (void)store;
    finish(op->work, op->state);
}

static const struct op_kind PAGE = {got_page, end_page};

static void scan(struct store *store, struct resp *resp, uint64_t from, size_t limit,
                 struct page *page)
{
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], &PAGE, 1, &why);

    if (op == NULL) {
        finish(page, why);
        return;
    }
    op->work = page;
    resp_number(resp, from);
    resp_text(resp, "COUNT");
    resp_number(resp, limit);
    send(store, op, resp);
}

static struct page *page_new(bool is_list, struct store_listed_done done)
{
    struct page *page = mem_new(sizeof(*page));

    page->is_list = is_list;
    page->done = done;
    return page;
}

void store_list(struct store *store, const char *mailbox, uint64_t from, size_t limit,
                struct store_listed_done done)
{
    struct resp resp;

    put_list(&resp, "HSCAN", mailbox);
    scan(store, &resp, from, limit, page_new(true, done));
}

void store_lists(struct store *store, uint64_t from, size_t limit, struct store_listed_done done)
{
    struct resp resp;

    resp_begin(&resp, "HSCAN");
    resp_text(&resp, PERSON_LISTS_KEY);
    scan(store, &resp, from, limit, page_new(false, done));
}
