// reputation_report.c: a report counts. Promises: its event counts once in the whole cluster, whoever says it again, and whoever at the same
// time; done is called once, within the deadline of two operations; what a report did not reach is told by is_new.
//
//     trip 1   EVAL claim    [EVAL gateways:{p}, an id]    [HGETALL gateways:{p}, with replay]    MGET levels
//     trip 2   EVAL add of the leaf of each chain
//     with replay: a trip for each level above them, and one for the gateway's row
//
// Nothing is written before the claim was answered, so a report whose first trip failed can be given again: it finds its own claim.
#include <hiredis/hiredis.h>
#include <sodium.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/reputation.h"
#include "proto/base/mem.h"

enum { CHAINS = 2 };

struct job {
    struct store_report *report;
    struct store_done done;
    const char *gateway;
    uint16_t reporter; // 0 = not known
    bool asks_id;
    bool is_claimed;
    unsigned replies; // of the trip
    // Where each chain is: the level that is next, the one behind its root, and what arrives there.
    struct {
        unsigned at, end;
        double weight;
    } chain[CHAINS];
};

static void finish(struct store *store, struct job *job, enum store_state state)
{
    const struct store_done done = job->done;

    store->reputing.report_count--;
    mem_free(job);
    done.fn(done.arg, done.token, state);
}

static void send(struct store *store, struct op *op, struct resp *resp)
{
    op_send(store->ops, op, store->lane[STORE_ADMIN], resp);
}

static struct op *begin(struct store *store, const struct op_kind *kind, struct job *job,
                        unsigned commands)
{
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], kind, commands, &why);

    if (op == NULL) {
        finish(store, job, why);
        return NULL;
    }
    op->work = job;
    op_hurry(store->ops, op, job->done.within_ms);
    job->replies = 0;
    return op;
}

static struct reporter *reporter_of(struct store *store, const struct job *job)
{
    return reporters_find(&store->reputing.reporters, job->gateway);
}

// ---- with replay: the gateway's row, last

static void got_row(struct store *store, struct op *op, const struct redisReply *reply)
{
    const struct job *job = op->work;
    struct reporter *reporter = reporter_of(store, job);

    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (reporter != NULL)
        reporter->news = (struct script_news){.last_ms = 0};
    if (gateways_take(store, job->gateway, reply) == NULL)
        store_note_garbage(store, op);
}

static void end_job(struct store *store, struct op *op)
{
    finish(store, op->work, op->state);
}

static const struct op_kind ROW = {got_row, end_job};

static void tell_row(struct store *store, struct job *job)
{
    const struct reporter *reporter = reporter_of(store, job);
    struct op *op = NULL;
    struct resp resp;

    if (reporter == NULL) {
        finish(store, job, STORE_UP);
        return;
    }
    op = begin(store, &ROW, job, 1);
    if (op == NULL)
        return;
    script_put_gateway(&resp, job->gateway, &reporter->news, store_keeps_expiry(store));
    send(store, op, &resp);
}

// ---- trip 2: adding

static bool is_climbing(const struct job *job, unsigned chain)
{
    return job->chain[chain].at < job->chain[chain].end &&
           job->chain[chain].weight >= REPUTATION_LEAST;
}

// The next chain that has been asked for, in the order of sending.
static unsigned chain_of(const struct job *job)
{
    return is_climbing(job, 0) && job->replies == 0 ? 0 : 1;
}

// The keys above a level, leaf to root.
static void write_path(const struct job *job, unsigned chain, struct text_buf *out)
{
    char key[REPUTATION_KEY_MAX];

    for (unsigned i = job->chain[chain].at; i < job->chain[chain].end; i++) {
        (void)reputation_key(&job->report->facts.level[i].id, key);
        text_buf_put(out, out->used > 0 ? " " : "");
        text_buf_put(out, key);
    }
}

static void climb_later(struct store *store, struct job *job, unsigned chain)
{
    char memory[REPUTATION_LEVELS_MAX * REPUTATION_KEY_MAX];
    struct text_buf path;

    text_buf_init(&path, memory, sizeof(memory));
    write_path(job, chain, &path);
    const struct climb_part part = {.path = memory,
                                    .reporter = job->reporter,
                                    .is_spam = job->report->is_spam,
                                    .now_s = (uint32_t)(job->report->at_ms / 1000),
                                    .weight = job->chain[chain].weight};

    if (is_climbing(job, chain))
        climb_add(store, &part);
    job->chain[chain].weight = 0;
}

// What went on to the parent takes the chain's place at the end of the trip: until then its replies are counted by what was asked.
static void got_added(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct job *job = op->work;
    const unsigned chain = chain_of(job);
    struct reputation_level *level = &job->report->facts.level[job->chain[chain].at];
    struct script_added taken = {.value = NULL};

    job->replies++;
    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!script_take_add(reply, &taken))
        store_note_garbage(store, op);
    if (taken.value != NULL && !reputation_take(store, level, taken.value))
        store_note_garbage(store, op);
    store->counters.reports_capped += taken.added.at_cap;
    job->chain[chain].at++;
    job->chain[chain].weight = taken.added.onward;
    if (!store->config->replay)
        climb_later(store, job, chain);
}

// ---- what others say

static void compare(const struct store *store, const struct job *job, struct reporter_note *note)
{
    const struct reputation_reporters reporters = store_reporters(store);
    const struct store_report *report = job->report;

    for (unsigned chain = 0; chain < CHAINS && report->judges; chain++) {
        bool says_spam = false;

        if (reputation_others(&report->facts, chain == 1, job->reporter, &report->settings,
                              &reporters, report->at_ms, &says_spam))
            note->others_say_spam[note->count++] = says_spam;
    }
}

// Live, a report is compared when it was added: the script hands back what others hold at that very moment, however many
// reports of it are under way. (Its own slot does not count.) With replay nothing else is under way, and it was compared before.
static void judge_added(struct store *store, const struct job *job)
{
    struct reporter *reporter = reporter_of(store, job);
    struct reporter_note note = {.is_spam = job->report->is_spam};

    if (reporter == NULL || store->config->replay)
        return;
    compare(store, job, &note);
    reporters_note(reporter, &note);
    reporters_refresh(&store->reputing.reporters, reporter);
}

static void add(struct store *store, struct job *job);

static void end_adding(struct store *store, struct op *op)
{
    struct job *job = op->work;

    if (op->state == STORE_NOSCRIPT) { // what was not done is asked again, whole
        reputation_unname(store);
        add(store, job);
    } else if (op->state != STORE_UP) {
        store->counters.lost_writes++;
        finish(store, job, op->state);
    } else if (!store->config->replay) {
        judge_added(store, job);
        finish(store, job, STORE_UP);
    } else {
        add(store, job);
    }
}

static const struct op_kind ADDING = {got_added, end_adding};

static void send_add(struct store *store, struct op *op, const struct job *job, unsigned chain)
{
    const struct store_report *report = job->report;
    const struct reputation_id *id = &report->facts.level[job->chain[chain].at].id;
    const struct reputation_report part = {.reporter = job->reporter,
                                           .active = store_reporters(store).active,
                                           .is_spam = report->is_spam,
                                           .weight = job->chain[chain].weight,
                                           .now_s = (uint32_t)(report->at_ms / 1000)};
    char key[REPUTATION_KEY_MAX];
    struct resp resp;

    (void)reputation_key(id, key);
    const struct script_how how = reputation_how(store);

    script_put_add(&resp, key, &report->settings.level[id->kind], &part, &how);
    send(store, op, &resp);
}

static void add(struct store *store, struct job *job)
{
    const unsigned count = (unsigned)is_climbing(job, 0) + (unsigned)is_climbing(job, 1);

    if (count == 0 && store->config->replay) {
        tell_row(store, job);
        return;
    }
    if (count == 0) {
        judge_added(store, job);
        finish(store, job, STORE_UP);
        return;
    }
    struct op *op = begin(store, &ADDING, job, count);

    for (unsigned chain = 0; op != NULL && chain < CHAINS; chain++)
        if (is_climbing(job, chain))
            send_add(store, op, job, chain);
}

// ---- between the trips: who says so

static void note_reporter(struct store *store, struct job *job, struct reporter *reporter)
{
    struct store_report *report = job->report;
    struct reporter_note note = {
        .now_ms = store_now_ms(store), .is_spam = report->is_spam, .weight = report->weight};

    job->reporter = reporter->row.id;
    report->trusted = reporters_trust(reporter);
    if (store->config->replay)
        compare(store, job, &note);
    reporters_note(reporter, &note);
    reporters_refresh(&store->reputing.reporters, reporter);
    if (job->asks_id && !store->config->replay)
        gateways_tell(store, reporter, true);
}

static void begin_chains(struct job *job)
{
    const struct reputation_facts *facts = &job->report->facts;
    const double weight = job->report->weight * job->report->trusted;

    job->chain[0].end = facts->address_count;
    job->chain[0].weight = weight;
    job->chain[1].at = facts->address_count;
    job->chain[1].end = facts->count;
    job->chain[1].weight = job->report->auth != REPUTATION_FAILED ? weight : 0;
}

// ---- trip 1: claim and levels

static bool take_levels(struct store *store, struct job *job, const struct redisReply *reply)
{
    struct reputation_facts *facts = &job->report->facts;

    if (!reply_is_array(reply, facts->count))
        return false;
    for (unsigned i = 0; i < facts->count; i++)
        if (!reputation_take(store, &facts->level[i], reply->element[i]))
            reputation_complain(store); // the level is unknown; the report counts all the same
    return true;
}

// Which of its replies comes now: those that were not asked for are skipped.
enum { CLAIM_REPLY, ID_REPLY, ALL_REPLY, LEVELS_REPLY };
static unsigned which_reply(const struct store *store, const struct job *job)
{
    unsigned which = job->replies;

    if (which >= ID_REPLY && !job->asks_id)
        which++;
    if (which >= ALL_REPLY && !store->config->replay)
        which++;
    return which;
}

static bool take_claimed(struct store *store, struct job *job, unsigned which,
                         const struct redisReply *reply)
{
    switch (which) {
    case CLAIM_REPLY:
        job->is_claimed = reply_is_integer(reply) && reply->integer == 1;
        return reply_is_integer(reply);
    case ID_REPLY: // nil: there are too many gateways, and nobody says so
        return reply->type == REDIS_REPLY_NIL || gateways_take(store, job->gateway, reply) != NULL;
    case ALL_REPLY:
        return gateways_take_all(store, reply);
    default:
        return take_levels(store, job, reply);
    }
}

static void got_claimed(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct job *job = op->work;
    const unsigned which = which_reply(store, job);

    job->replies++;
    if (reply->type != REDIS_REPLY_ERROR && !take_claimed(store, job, which, reply))
        store_note_garbage(store, op);
}

static void claim(struct store *store, struct job *job);

static void end_claimed(struct store *store, struct op *op)
{
    struct job *job = op->work;
    struct reporter *reporter = reporter_of(store, job);

    if (op->state == STORE_NOSCRIPT) {
        reputation_unname(store);
        claim(store, job);
        return;
    }
    if (op->state != STORE_UP || !job->is_claimed) {
        store->counters.reports_again += op->state == STORE_UP;
        finish(store, job, op->state);
        return;
    }
    store->counters.reports++;
    job->report->is_new = true;
    if (reporter != NULL)
        note_reporter(store, job, reporter);
    store->reputing.climb.settings = job->report->settings;
    begin_chains(job);
    add(store, job);
}

static const struct op_kind CLAIMING = {got_claimed, end_claimed};

static void send_claim(struct store *store, struct op *op, struct job *job)
{
    struct store_report *report = job->report;
    const struct script_how how = reputation_how(store);
    const struct script_news none = {.last_ms = store_now_ms(store)};
    char key[REPUTATION_KEY_MAX];
    struct resp resp;

    script_put_claim(&resp, report->event, report->claim, store_now_ms(store), &how);
    send(store, op, &resp);
    if (job->asks_id) {
        script_put_gateway(&resp, job->gateway, &none, how.keeps);
        send(store, op, &resp);
    }
    if (store->config->replay) {
        resp_begin(&resp, "HGETALL");
        resp_text(&resp, SCRIPT_GATEWAYS);
        send(store, op, &resp);
    }
    resp_begin(&resp, "MGET");
    for (unsigned i = 0; i < report->facts.count; i++)
        resp_bytes(&resp, key, reputation_key(&report->facts.level[i].id, key));
    send(store, op, &resp);
}

static void claim(struct store *store, struct job *job)
{
    struct op *op =
        begin(store, &CLAIMING, job, 2U + job->asks_id + (unsigned)store->config->replay);

    if (op != NULL)
        send_claim(store, op, job);
}

static struct job *job_new(struct store *store, struct store_report *report, struct store_done done)
{
    struct job *job = mem_new(sizeof(*job));

    job->report = report;
    job->done = done;
    job->gateway = report->gateway[0] != '\0' ? report->gateway : "-";
    job->asks_id = reporter_of(store, job) == NULL;
    store->reputing.report_count++;
    return job;
}

void store_report(struct store *store, struct store_report *report, struct store_done done)
{
    report->is_new = false;
    report->trusted = 0;
    for (unsigned i = 0; i < report->facts.count; i++)
        report->facts.level[i].state = FACT_UNKNOWN;
    while (report->claim == 0)
        randombytes_buf(&report->claim, sizeof(report->claim));
    if (report->facts.count == 0 || store->reputing.report_count >= REPUTATION_REPORTS_MAX) {
        store->counters.refused_crowded += report->facts.count > 0;
        done.fn(done.arg, done.token, report->facts.count > 0 ? STORE_CROWDED : STORE_UP);
        return;
    }
    claim(store, job_new(store, report, done));
    reputation_name_scripts(store);
}
