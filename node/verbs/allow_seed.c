// allow_seed.c: allow.seed: who wrote to whom, as a mail log tells it, becomes Auto Allow entries, each as of the moment when
// it was sent. What core/capture.c says of a message holds here as well.
//
//     a slice of 64 rows:  capture each -> note them -> the next
//
// Promises: lookups never wait for it; nothing known becomes older, so the same document twice changes nothing. A store that
// fails on the way ends it, and the answer says how far it came. A dry run reads and counts, and writes nothing.
#include <stdio.h>
#include <string.h>

#include "node/core/capture.h"
#include "node/verbs/admin.h"
#include "node/verbs/seed_row.h"

enum { SLICE_ROWS = 64, SLICE_BYTES = 1 << 20, WHY_MAX = 400 };
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
};

struct pair_work {
    struct admin_call *call;
    struct seed_rows rows;
    struct arena arena; // of one slice
    struct pair_seat seat[SLICE_ROWS];
    size_t count; // seats taken in this slice
    uint64_t now_ms;
    uint64_t total[OUTCOMES];
    size_t first_line[OUTCOMES];
    char why[OUTCOMES][WHY_MAX];
};

static void note(struct pair_work *work, int outcome, size_t line, const char *why)
{
    if (work->total[outcome]++ > 0)
        return;
    work->first_line[outcome] = line;
    (void)snprintf(work->why[outcome], WHY_MAX, "%s", why);
}

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
    struct pair_seat *seat = &work->seat[work->count++];

    *seat = (struct pair_seat){.line = work->rows.line};
    seat->own = (struct store_allow){
        .owner = capture->owner, .external = capture->external[0], .sent_ms = capture->sent_ms};
    person_org_owner(capture->external[0], seat->part);
    seat->org = seat->own;
    seat->org.owner = seat->part;
}

// As if the owner, who is logged in, had sent it then.
static void take_row(struct pair_work *work, const struct seed_pair *row)
{
    const char *const recipients[] = {row->external};
    const struct msg_sent sent = {
        .sender = row->owner, .recipients = recipients, .recipient_total = 1, .at_ms = row->at_ms};
    const struct capture_in in = {.policy = seat_policy(work->call->seat),
                                  .sent = &sent,
                                  .login = row->owner[0] != '\0' ? row->owner : "-",
                                  .now_ms = work->now_ms};
    struct capture capture;

    if (row->at_ms > work->now_ms + SKEW_MS)
        note(work, FUTURE, work->rows.line, "sent later than now");
    else if (capture_read(&in, &work->arena, &capture) != ERR_NONE)
        note(work, MALFORMED, work->rows.line, "there is no memory left for this line");
    else if (capture.external_count == 0)
        note(work, skip_of(capture.skipped[0]), work->rows.line, capture.skipped[0]);
    else
        take_seat(work, &capture);
}

// ---- the slices

static void next_slice(struct pair_work *work);

static void answer(struct pair_work *work)
{
    struct rows *rows = &work->call->rows;

    for (int at = 0; at < OUTCOMES; at++) {
        const int i = (at + TAKEN) % OUTCOMES; // what capture says against some comes last

        if (i < CAPTURE_SKIPS && work->total[i] == 0)
            continue;
        rows_add(rows);
        rows_field(rows, "outcome", "%s", word_of(i));
        rows_field(rows, "count", "%llu", (unsigned long long)work->total[i]);
        rows_field(rows, "line", "%zu", work->first_line[i]);
        rows_field(rows, "why", "%s", work->why[i]);
    }
    admin_answer(work->call);
}

static void refuse_store(struct pair_work *work, enum store_state state)
{
    struct server *server = work->call->server;
    char memory[384];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    text_buf_add(&text, "the store is %s; %llu rows of this document were taken before (",
                 store_state_text(state), (unsigned long long)work->total[TAKEN]);
    store_describe(server->store, &text);
    text_buf_add(&text, "). Ask again when it is back: what was taken is known then");
    server_refuse(server, work->call->seat, MSG_UNAVAILABLE, memory);
}

static void noted(void *arg, uint64_t token, enum store_state state)
{
    struct pair_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    for (size_t i = 0; i < work->count; i++) {
        const struct pair_seat *seat = &work->seat[i];
        const bool is_known =
            seat->own.before.state == FACT_PRESENT && seat->own.before.sent_ms >= seat->own.sent_ms;

        note(work, is_known ? KNOWN : TAKEN, seat->line, "");
    }
    next_slice(work);
}

static void fill_slice(struct pair_work *work)
{
    struct seed_pair row;
    const char *why = "";

    arena_reset(&work->arena);
    work->count = 0;
    work->now_ms = admin_now_ms(work->call);
    for (unsigned i = 0; i < SLICE_ROWS; i++) {
        enum seed_read read = seed_pair_next(&work->rows, &work->arena, &row, &why);

        if (read == SEED_END)
            return;
        if (read == SEED_NO_ROW)
            note(work, MALFORMED, work->rows.line, why);
        else
            take_row(work, &row);
    }
}

static void next_slice(struct pair_work *work)
{
    const struct policy *policy = seat_policy(work->call->seat);
    const bool org = policy->settings.auto_allow.scope == POLICY_SCOPE_ORG;
    struct store_allow *list = NULL;

    do {
        fill_slice(work);
    } while (work->count == 0 && work->rows.left > 0);
    if (work->count == 0) {
        answer(work);
        return;
    }
    for (size_t i = work->count; i-- > 0;) {
        struct pair_seat *seat = &work->seat[i];

        seat->org.next = list;
        seat->own.next = org ? &seat->org : list;
        list = &seat->own;
    }
    store_allow_note(work->call->server->store, list, policy->settings.auto_allow.life_ms,
                     work->call->seat->request.admin.dry_run,
                     (struct store_done){.fn = noted, .arg = work});
}

// ---- the verb

void allow_seed(struct admin_call *call)
{
    const struct msg_admin *admin = &call->seat->request.admin;
    struct pair_work *work = arena_zalloc(&call->seat->arena, sizeof(*work));
    void *memory = arena_alloc(&call->seat->arena, SLICE_BYTES);

    if (work == NULL || memory == NULL) {
        admin_refuse(call, "the document leaves no room to work on it");
        return;
    }
    work->call = call;
    work->rows = (struct seed_rows){.at = admin->document, .left = admin->document_bytes};
    arena_init(&work->arena, memory, SLICE_BYTES);
    const size_t rows = seed_rows_count(&work->rows);

    if (rows == 0 || rows > SEED_ROWS_MAX)
        admin_refuse(call, "allow.seed: expected a document of 1 to %d rows, not of %zu",
                     SEED_ROWS_MAX, rows);
    else if (!store_clock_ok(call->server->store))
        server_refuse(
            call->server, call->seat, MSG_UNAVAILABLE,
            "the store's clock jumped, so no age can be told; look at it (clock.show) and "
            "say that it is right (clock.accept)");
    else
        next_slice(work);
}
