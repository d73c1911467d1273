// person.c: what is kept of a recipient (core/person.h), read in one trip. Promises: a fact is only what Redis said; what
// is not of our format stays unknown, and is logged.
//
//     store_read_person   a recipient:  HMGET m:{mailbox} the sender's patterns
//                                       HGET a:{mailbox} the sender;  HGET a:{org/...} the sender
//                                       HMGET d:{bucket.version} the recipient, whole
//                                       HMGET v:{recipient} answer learnt            ... each if it is asked for
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "proto/base/clock.h"

// The replies of a recipient, in their order.
enum { REPLY_LIST, REPLY_OWN, REPLY_ORG, REPLY_ROW, REPLY_ANSWER, REPLIES };

static bool asks(const struct store_person *person, unsigned reply)
{
    switch (reply) {
    case REPLY_LIST:
        return person->patterns != NULL;
    case REPLY_OWN:
        return person->external != NULL;
    case REPLY_ORG:
        return person->external != NULL && person->org;
    case REPLY_ROW:
        return person->directory.version != 0;
    default:
        return person->answer;
    }
}

// ---- commands

static void put_list(struct resp *resp, const struct store_person *person)
{
    char key[PERSON_KEY_MAX];

    resp_begin(resp, "HMGET");
    resp_bytes(resp, key, person_list_key(person->mailbox, key));
    for (unsigned i = 0; i < person->patterns->count; i++)
        resp_text(resp, person->patterns->of[i].text);
}

static void put_allow(struct resp *resp, const struct store_person *person, bool org)
{
    char owner[PERSON_ORG_OWNER_MAX];
    char key[PERSON_KEY_MAX];

    if (org)
        person_org_owner(person->external, owner);
    resp_begin(resp, "HGET");
    resp_bytes(resp, key, person_allow_key(org ? owner : person->mailbox, key));
    resp_text(resp, person->external);
}

static void put_row(struct resp *resp, const struct store_person *person)
{
    const uint32_t bucket = person_directory_bucket(&person->directory, person->address);
    char key[PERSON_KEY_MAX];

    resp_begin(resp, "HMGET");
    resp_bytes(resp, key, person_directory_key(&person->directory, bucket, key));
    resp_text(resp, person->address);
    resp_text(resp, PERSON_WHOLE_FIELD);
}

static void put_answer(struct resp *resp, const struct store_person *person)
{
    char key[PERSON_KEY_MAX];

    resp_begin(resp, "HMGET");
    resp_bytes(resp, key, person_answer_key(person->address, key));
    resp_text(resp, PERSON_ANSWER_FIELD);
    resp_text(resp, PERSON_LEARNT_FIELD);
}

static void put(struct resp *resp, const struct store_person *person, unsigned reply)
{
    if (reply == REPLY_LIST)
        put_list(resp, person);
    else if (reply == REPLY_ROW)
        put_row(resp, person);
    else if (reply == REPLY_ANSWER)
        put_answer(resp, person);
    else
        put_allow(resp, person, reply == REPLY_ORG);
}

// ---- replies

static bool is_there(const struct redisReply *value)
{
    return value->type != REDIS_REPLY_NIL;
}

static bool take_list(const struct store_person *person, const struct redisReply *reply)
{
    struct person_list *list = &person->facts->list;
    const unsigned count = person->patterns->count;
    bool is_sound = reply_is_array(reply, count);

    for (unsigned i = 0; i < count && is_sound; i++) {
        const struct redisReply *value = reply->element[i];

        is_sound = !is_there(value) ||
                   (reply_is_text(value) && person_list_take(list, person->patterns, i, value->str,
                                                             value->len, person->now_ms));
    }
    if (is_sound)
        list->state = FACT_PRESENT;
    else
        list->action = PERSON_NONE;
    return is_sound;
}

static bool take_allow(struct person_allow *allow, const struct redisReply *reply)
{
    if (!is_there(reply)) {
        allow->state = FACT_ABSENT;
        return true;
    }
    if (!reply_is_text(reply) || !person_allow_read(reply->str, reply->len, allow))
        return false;
    allow->state = FACT_PRESENT;
    return true;
}

// A hash that is not there, or was not written to its end, says of nobody that he is not there: this node has not heard
// that another directory is in force, or somebody removed it. The row stays unknown.
static bool is_whole(struct store *store, const struct redisReply *whole)
{
    if (reply_is_text(whole) && strcmp(whole->str, PERSON_WHOLE_VALUE) == 0)
        return true;
    store->counters.errors[STORE_ERROR]++;
    log_limited(&store->garbage_lines, clock_mono_ms(), LOG_WARN_LEVEL,
                "store lacks a part of a directory in force");
    directory_doubt(store);
    return false;
}

static bool take_row(struct store *store, const struct store_person *person,
                     const struct redisReply *reply)
{
    struct person_row *row = &person->facts->row;
    char *groups = person->groups;

    if (!reply_is_array(reply, 2))
        return false;
    if (!is_whole(store, reply->element[1]))
        return true;
    if (!is_there(reply->element[0])) {
        row->state = FACT_ABSENT;
        return true;
    }
    if (!reply_is_text(reply->element[0]) ||
        !person_row_read(reply->element[0]->str, reply->element[0]->len, row, groups))
        return false;
    row->state = FACT_PRESENT;
    return true;
}

static bool take_answer(const struct store_person *person, const struct redisReply *reply)
{
    struct person_facts *facts = person->facts;

    if (!reply_is_array(reply, 2))
        return false;
    const struct redisReply *answer = reply->element[0];
    const struct redisReply *learnt = reply->element[1];

    facts->answer.state = FACT_ABSENT;
    facts->learnt.state = FACT_ABSENT;
    if (is_there(answer))
        facts->answer.state =
            reply_is_text(answer) &&
                    person_answer_take(facts, answer->str, answer->len, person->now_ms)
                ? FACT_PRESENT
                : FACT_UNKNOWN;
    if (is_there(learnt))
        facts->learnt.state =
            reply_is_text(learnt) && person_learnt_read(learnt->str, learnt->len, &facts->learnt)
                ? FACT_PRESENT
                : FACT_UNKNOWN;
    return facts->answer.state != FACT_UNKNOWN && facts->learnt.state != FACT_UNKNOWN;
}

static bool take(struct store *store, const struct store_person *person, unsigned which,
                 const struct redisReply *reply)
{
    struct person_facts *facts = person->facts;

    switch (which) {
    case REPLY_LIST:
        return take_list(person, reply);
    case REPLY_OWN:
        return take_allow(&facts->allow[PERSON_OWN], reply);
    case REPLY_ORG:
        return take_allow(&facts->allow[PERSON_ORG], reply);
    case REPLY_ROW:
        return take_row(store, person, reply);
    default:
        return take_answer(person, reply);
    }
}

// To the next reply that is asked for: of this recipient, else of the next.
static void to_next(struct op *op)
{
    while (op->person != NULL) {
        while (op->step < REPLIES && !asks(op->person, op->step))
            op->step++;
        if (op->step < REPLIES)
            return;
        op->person = op->person->next;
        op->step = 0;
    }
}

static void person_reply(struct store *store, struct op *op, const struct redisReply *reply)
{
    if (reply->type != REDIS_REPLY_ERROR && !take(store, op->person, op->step, reply))
        store_note_garbage(store, op);
    op->step++;
    to_next(op);
}

static void end(struct store *store, struct op *op)
{
    (void)store;
    op->done.fn(op->done.arg, op->done.token, op->state);
}

static const struct op_kind PERSON = {person_reply, end};

// ---- the seam

void store_read_person(struct store *store, struct store_person *list, struct store_done done)
{
    struct redis *redis = store->lane[STORE_LOOKUPS];
    enum store_state why = STORE_UP;
    unsigned commands = 0;

    for (const struct store_person *each = list; each != NULL; each = each->next)
        for (unsigned reply = 0; reply < REPLIES; reply++)
            commands += asks(each, reply);
    struct op *op = commands > 0 ? op_begin(store->ops, redis, &PERSON, commands, &why) : NULL;

    if (op == NULL) {
        done.fn(done.arg, done.token, why);
        return;
    }
    op->done = done;
    op->person = list;
    to_next(op);
    op_hurry(store->ops, op, done.within_ms);
    for (const struct store_person *each = list; each != NULL; each = each->next) {
        for (unsigned reply = 0; reply < REPLIES; reply++) {
            struct resp resp;

            if (!asks(each, reply))
                continue;
            put(&resp, each, reply);
            op_send(store->ops, op, redis, &resp);
        }
    }
}
