// send.c: see send.h. Promises: a row counts as sent only when the node has answered for
// it; a batch fits into the wire's limits; nothing is sent twice in one run, and a second run finds
// what the first one did.
#include "client/ctl/import/send.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/import/gather.h"
#include "client/ctl/import/progress.h"
#include "client/ctl/print.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { BATCH_ROWS = 1000, BATCH_BYTES = 512 << 10, ROW_BYTES = 2048, RETRIES = 10 };

// ---- what is sent

static const struct send_word GREY_WORDS[] = {
    {"taken", "taken"},
    {"known", "known already"},
    {"too_old", "last seen longer ago than settings.greylist.life"},
    {"future", "last seen in the future of the store's clock"},
    {"bad_address", "sender or recipient is no address"},
    {"no_client", "client not known, or only by too wide a network"},
    {"not_greylisted", "never greylisted here (recipient not ours, trusted)"},
    {"malformed", "not understood by the node"},
    {"other", "something that this reevectl does not know"},
    {NULL, NULL},
};

static void write_grey(struct text_buf *out, const struct import_row *row)
{
    text_buf_add(out, "%" PRIu64 "\t%s\t%s\t%s\t%s\n", row->at_ms, row->client, row->name,
                 row->sender, row->recipient);
}

const struct send_how SEND_GREY = {"grey.seed", write_grey, GREY_WORDS};

static const struct send_word ALLOW_WORDS[] = {
    {"taken", "taken"},
    {"known", "known already, from mail that is no older"},
    {"too_old", "written to longer ago than settings.auto_allow.days"},
    {"future", "written to in the future of the store's clock"},
    {"bad_sender", "the sender is no address"},
    {"external_sender", "the sender is in none of our domains"},
    {"not_a_user", "the sender is a group's address, or a robot's"},
    {"bad_recipient", "the recipient is no address"},
    {"internal", "the recipient is one of ours"},
    {"unsubscribe", "the recipient ends a subscription: unsubscribe, leave, remove ..."},
    {"robot", "the recipient is a robot: noreply, bounce ..."},
    {"policy", "a policy of kind auto_allow says none"},
    {"malformed", "not understood by the node"},
    {"other", "something that this reevectl does not know"},
    {NULL, NULL},
};
_Static_assert(sizeof(ALLOW_WORDS) / sizeof(ALLOW_WORDS[0]) <= SEND_OUTCOMES_MAX,
               "there is a count for each of them");

static void write_allow(struct text_buf *out, const struct import_row *row)
{
    text_buf_add(out, "%" PRIu64 "\t%s\t%s\n", row->at_ms, row->sender, row->recipient);
}

const struct send_how SEND_ALLOW = {"allow.seed", write_allow, ALLOW_WORDS};

// ---- batches

struct batch {
    const struct send_how *how;
    char *memory; // BATCH_BYTES
    struct text_buf text;
    unsigned rows;
};

static void batch_empty(struct batch *batch)
{
    text_buf_init(&batch->text, batch->memory, BATCH_BYTES);
    batch->rows = 0;
}

static void batch_add(struct batch *batch, const struct import_row *row)
{
    batch->how->write(&batch->text, row);
    batch->rows++;
}

// example_of: "192.0.2.1 ann@sender.example bob@corp.example" of a line, and why.
static void example_of(const struct batch *batch, uint64_t line, const char *why, char *out)
{
    const char *at = batch->text.start;
    struct text_buf text;

    text_buf_init(&text, out, IMPORT_EXAMPLE_MAX);
    for (; line > 1 && at != NULL; line--) {
        at = strchr(at, '\n');
        at = at == NULL ? NULL : at + 1;
    }
    at = at == NULL ? NULL : strchr(at, '\t'); // without its stamp
    for (at += at != NULL; at != NULL && *at != '\0' && *at != '\n'; at++) {
        if (*at != '\t')
            text_buf_add(&text, "%c", *at);
        else if (at[1] != '\t')
            text_buf_add(&text, " ");
    }
    if (why[0] != '\0')
        text_buf_add(&text, ": %s", why);
}

static unsigned find_outcome(const struct send_word *words, const char *word)
{
    unsigned i = 0;

    while (words[i + 1].word != NULL && strcmp(words[i].word, word) != 0)
        i++;
    return i;
}

static void count_row(const struct batch *batch, const struct reeve_row *row,
                      struct send_result *out)
{
    struct import_count *count =
        &out->outcome[find_outcome(batch->how->words, print_field(row, "outcome"))];
    uint64_t more = strtoull(print_field(row, "count"), NULL, 10);

    if (count->count == 0 && more > 0)
        example_of(batch, strtoull(print_field(row, "line"), NULL, 10), print_field(row, "why"),
                   count->example);
    count->count += more;
}

// ask: a store that was there and is slow for a moment is asked again: nothing is lost by that, but
// that rows which it took meanwhile count as known.
static int ask(struct import *import, const struct reeve_admin_request *request, bool was_there,
               struct reeve_answer **out)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    int code = CTL_FINE;

    for (unsigned i = 0; i <= RETRIES; i++) {
        reeve_answer_free(out);
        code = ctl_admin_try(import->ctl, request, out);
        if (code != CTL_FINE || (*out)->status != REEVE_STATUS_UNAVAILABLE || !was_there ||
            progress_was_interrupted(import->progress))
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (code == CTL_FINE && (*out)->error != REEVE_OK)
        code = ctl_fail_answer(import->ctl, import->ctl->admin, *out);
    return code;
}

static int send_batch(struct import *import, struct batch *batch, struct send_result *out)
{
    const struct reeve_admin_request request = {.verb = batch->how->verb,
                                                .document = batch->memory,
                                                .document_bytes = batch->text.used,
                                                .dry_run = import->options.dry_run};
    struct reeve_answer *answer = NULL;
    int code = batch->rows == 0 ? CTL_FINE : ask(import, &request, out->sent > 0, &answer);

    if (code == CTL_FINE && answer != NULL) {
        for (size_t i = 0; i < answer->row_count; i++)
            count_row(batch, &answer->rows[i], out);
        out->sent += batch->rows;
    }
    reeve_answer_free(&answer);
    batch_empty(batch);
    return code;
}

int send_all(struct import *import, const struct send_how *how, struct send_result *out)
{
    struct batch batch = {.how = how, .memory = mem_new(BATCH_BYTES)};
    struct import_row row;
    int code = CTL_FINE;

    *out = (struct send_result){.rows = gather_count(import->gather)};
    progress_begin(import->progress, "sending");
    batch_empty(&batch);
    while (code == CTL_FINE && gather_next(import->gather, &row) &&
           progress_show(import->progress, out->sent, out->rows, out->sent)) {
        batch_add(&batch, &row);
        if (batch.rows == BATCH_ROWS || batch.text.used > BATCH_BYTES - ROW_BYTES)
            code = send_batch(import, &batch, out);
    }
    if (code == CTL_FINE && !progress_was_interrupted(import->progress))
        code = send_batch(import, &batch, out);
    if (code == CTL_FINE && !progress_was_interrupted(import->progress) && out->sent != out->rows)
        code = import_fail_full(import); // SQLite sorts in a file, too
    progress_clear(import->progress);
    mem_free(batch.memory);
    return code;
}
