// allow_seed.c: allow.seed: who wrote to whom, as a mail log tells it, becomes Auto Allow entries, each as of the moment when
// it was sent. What core/capture.c says of a message holds here as well.
//
//     a slice of 64 rows:  capture each -> whose are they? (directory aliases) -> note them -> the next
//
// Promises: lookups never wait for it; nothing known becomes older, so the same document twice changes nothing. A store that
// fails on the way ends it, and the answer says how far it came. A dry run reads and counts, and writes nothing.
#include <stdio.h>
#include <string.h>

#include "node/core/capture.h"
#include "node/verbs/document.h"

// A stamp of a mail server whose clock is so much ahead of the store's is now.
static const uint64_t SKEW_MS = 60000;

// What became of a row: one of these, or what capture.h says against it.
enum { TAKEN = CAPTURE_SKIPS, KNOWN, FUTURE, MALFORMED, OUTCOMES };

static const char *word_of(int outcome)
{
    static const char *const words[] = {"taken", "known", "future", "malformed"};

    return outcome < CAPTURE_SKIPS ? capture_skip_word((enum capture_skip)outcome)
                                   : words[outcome - TAKEN];
}

struct pair_seat {
    struct store_allow own, org;
    char part[PERSON_ORG_OWNER_MAX];
    size_t line;
    struct store_person asked; // what the directory is asked of its owner; version 0 = nothing
    struct person_facts facts;
};

struct pair_work {
    struct document doc;
    struct pair_seat seat[DOCUMENT_SLICE];
};

// ---- one row

// skip_of: which of capture's words a text begins with.
static int skip_of(const char *text)
{
    const size_t len = strcspn(text, " ");
    int skip = 0;

    while (skip < CAPTURE_SKIPS - 1 &&
           (strlen(word_of(skip)) != len || strncmp(word_of(skip), text, len) != 0))
        skip++;
    return skip;
}

static void take_seat(struct pair_work *work, const struct capture *capture)
{
    struct pair_seat *seat = &work->seat[work->doc.count++];

    *seat = (struct pair_seat){.line = work->doc.rows.line};
    seat->own = (struct store_allow){
        .owner = capture->owner, .external = capture->external[0], .sent_ms = capture->sent_ms};
    person_org_owner(capture->external[0], seat->part);
    seat->org = seat->own;
    seat->org.owner = seat->part;
    seat->asked = (struct store_person){
        .mailbox = capture->owner, .address = capture->owner, .facts = &seat->facts};
    person_facts_clear(&seat->facts);
    if (capture->directory != NULL &&
        !store_directory(work->doc.call->server->store, capture->directory->name,
                         &seat->asked.directory))
        seat->asked.directory.version = 0;
}

// As if the owner, who is logged in, had sent it then.
static void take_row(struct pair_work *work, const struct seed_pair *row)
{
    const char *const recipients[] = {row->external};
    const struct msg_sent sent = {
        .sender = row->owner, .recipients = recipients, .recipient_total = 1, .at_ms = row->at_ms};
    const struct capture_in in = {.policy = seat_policy(work->doc.call->seat),
                                  .sent = &sent,
                                  .login = row->owner[0] != '\0' ? row->owner : "-",
                                  .now_ms = work->doc.now_ms};
    struct capture capture;

    if (row->at_ms > work->doc.now_ms + SKEW_MS)
        document_note(&work->doc, FUTURE, work->doc.rows.line, "sent later than now");
    else if (capture_read(&in, &work->doc.arena, &capture) != ERR_NONE)
        document_note(&work->doc, MALFORMED, work->doc.rows.line,
                      "there is no memory left for this line");
    else if (capture.external_count == 0)
        document_note(&work->doc, skip_of(capture.skipped[0]), work->doc.rows.line,
                      capture.skipped[0]);
    else
        take_seat(work, &capture);
}

// ---- the slices

static void next_slice(struct pair_work *work);

static void answer(struct pair_work *work)
{
    for (int at = 0; at < OUTCOMES; at++) {
        const int i = (at + TAKEN) % OUTCOMES; // what capture says against some comes last

        if (i >= CAPTURE_SKIPS || work->doc.outcome[i].total > 0)
            document_tell(&work->doc, i, word_of(i));
    }
    admin_answer(work->doc.call);
}

static void refuse_store(struct pair_work *work, enum store_state state)
{
    document_refuse_store(&work->doc, state, work->doc.outcome[TAKEN].total);
}

static void noted(void *arg, uint64_t token, enum store_state state)
{
    struct pair_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    for (size_t i = 0; i < work->doc.count; i++) {
        const struct pair_seat *seat = &work->seat[i];
        const bool is_known =
            seat->own.before.state == FACT_PRESENT && seat->own.before.sent_ms >= seat->own.sent_ms;

        document_note(&work->doc, is_known ? KNOWN : TAKEN, seat->line, "");
    }
    next_slice(work);
}

static enum seed_read take_next(struct document *document, const char **why)
{
    struct seed_pair row;
    const enum seed_read read = seed_pair_next(&document->rows, &document->arena, &row, why);

    if (read == SEED_ROW)
        take_row((struct pair_work *)document, &row);
    return read;
}

static void write_slice(struct pair_work *work)
{
    const struct policy *policy = seat_policy(work->doc.call->seat);
    const bool org = policy->settings.auto_allow.scope == POLICY_SCOPE_ORG;
    struct store_allow *list = NULL;

    for (size_t i = work->doc.count; i-- > 0;) {
        struct pair_seat *seat = &work->seat[i];

        seat->org.next = list;
        seat->own.next = org ? &seat->org : list;
        list = &seat->own;
    }
    store_allow_note(work->doc.call->server->store, list, policy->settings.auto_allow.life_ms,
                     work->doc.call->seat->request.admin.dry_run,
                     (struct store_done){.fn = noted, .arg = work});
}

static void settled(void *arg, uint64_t token, enum store_state state)
{
    struct pair_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    for (size_t i = 0; i < work->doc.count; i++) {
        const struct person_row *row = &work->seat[i].facts.row;

        if (row->state == FACT_PRESENT && row->mailbox[0] != '\0')
            work->seat[i].own.owner = row->mailbox;
    }
    write_slice(work);
}

// Of an alias that a directory knows the entries are its mailbox's.
static void find_owners(struct pair_work *work)
{
    struct store_person *list = NULL;

    for (size_t i = work->doc.count; i-- > 0;) {
        struct store_person *asked = &work->seat[i].asked;

        if (asked->directory.version == 0)
            continue;
        asked->next = list;
        list = asked;
    }
    if (list == NULL)
        write_slice(work);
    else
        store_read_person(work->doc.call->server->store, list,
                          (struct store_done){.fn = settled, .arg = work});
}

static void next_slice(struct pair_work *work)
{
    if (!document_fill(&work->doc, take_next, MALFORMED))
        answer(work);
    else
        find_owners(work);
}

// ---- the verb

void allow_seed(struct admin_call *call)
{
    struct pair_work *work = document_open(call, sizeof(*work));

    if (work == NULL)
        return;
    if (!store_clock_ok(call->server->store))
        document_refuse_clock(&work->doc);
    else
        next_slice(work);
}
