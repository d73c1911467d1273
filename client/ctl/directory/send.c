// send.c: an import to a node. Promises: nothing is put into force unless the node has answered for all of it; what cannot
// be is taken back, and what was in force stays. A batch may be sent twice: the second one changes nothing.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "client/ctl/directory/import.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "proto/text.h"

enum {
    BATCH_ROWS = 4000,
    BATCH_BYTES = 2 << 20,
    ROW_BYTES = 4096,
    PART_BYTES = 512,
    RETRIES = 20,
    SHRINK_LEAST = 20, // a directory of fewer may lose more than half
};

// One domain, as begin named it.
struct part {
    char domain[256];
    uint64_t entries, version, buckets, before;
    char method[16];
};

struct sending {
    struct directory_import *import;
    struct directory_sent *out;
    struct part *part; // by domain
    size_t count;
    size_t at;    // whose entries come now
    char *memory; // BATCH_BYTES
    struct text_buf text;
    unsigned rows;
};

// ---- one question

// A store that is slow for a moment is asked again.
static int ask(struct sending *sending, const struct reeve_admin_request *request,
               struct reeve_answer **out)
{
    const struct timespec pause = {.tv_nsec = 500000000};
    struct ctl *ctl = sending->import->ctl;
    int code = CTL_FINE;

    for (unsigned i = 0; i <= RETRIES; i++) {
        reeve_answer_free(out);
        code = ctl_admin_try(ctl, request, out);
        if (code != CTL_FINE || (*out)->status != REEVE_STATUS_UNAVAILABLE ||
            sending->out->sent == 0 || progress_was_interrupted(sending->import->progress))
            break;
        (void)nanosleep(&pause, NULL);
    }
    if (code == CTL_FINE && (*out)->error != REEVE_OK) {
        progress_clear(sending->import->progress);
        code = ctl_fail_answer(ctl, ctl->admin, *out);
    }
    return code;
}

// write_parts: what begin, switch and abort take; the caller frees it.
static char *write_parts(const struct sending *sending, size_t *len)
{
    const size_t size = sending->count * PART_BYTES + 1;
    char *bytes = mem_new(size);
    struct text_buf text;

    text_buf_init(&text, bytes, size);
    for (size_t i = 0; i < sending->count; i++) {
        const struct part *part = &sending->part[i];

        text_buf_add(&text, "@%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", part->domain,
                     part->entries, part->version, part->buckets);
    }
    *len = text.used;
    return bytes;
}

static int ask_about_parts(struct sending *sending, const char *verb, bool dry_run,
                           struct reeve_answer **out)
{
    char who[POLICY_BY_MAX];
    const struct reeve_pair by = {"by", policy_by(who)};
    const bool is_switch = strcmp(verb, "directory.switch") == 0;
    struct reeve_admin_request request = {
        .verb = verb, .args = &by, .arg_count = is_switch ? 1 : 0, .dry_run = dry_run};
    char *bytes = write_parts(sending, &request.document_bytes);
    int code;

    request.document = bytes;
    code = ask(sending, &request, out);
    mem_free(bytes);
    return code;
}

// ---- begin

// take_parts: what the node has added to the lines that it was sent. False: it is not that.
static bool take_parts(struct sending *sending, const struct reeve_answer *answer)
{
    char *text = mem_text_n(answer->document, answer->document_bytes);
    const char *at = text;
    bool is_sound = true;

    for (size_t i = 0; i < sending->count && is_sound; i++) {
        struct part *part = &sending->part[i];
        char domain[256];

        part->method[0] = '\0';
        is_sound =
            at != NULL &&
            sscanf(at, "@%255[^\t\n]\t%*[0-9]\t%" SCNu64 "\t%" SCNu64 "\t%" SCNu64 "\t%15[a-z_]",
                   domain, &part->version, &part->buckets, &part->before, part->method) >= 4 &&
            strcmp(domain, part->domain) == 0;
        at = at != NULL ? strchr(at, '\n') : NULL;
        at = at != NULL ? at + 1 : NULL;
    }
    mem_free(text);
    return is_sound;
}

static int begin(struct sending *sending, bool dry_run)
{
    struct reeve_answer *answer = NULL;
    int code = ask_about_parts(sending, "directory.begin", dry_run, &answer);

    if (code == CTL_FINE && !take_parts(sending, answer))
        code = directory_fail(sending->import, CTL_NO_NODE,
                              "the node's answer to directory.begin is not understood: is it of "
                              "this version?");
    reeve_answer_free(&answer);
    return code;
}

static void note_idle(struct directory_sent *out, const struct part *part)
{
    if (strcmp(part->method, "directory") == 0)
        return;
    if (out->idle++ == 0)
        (void)snprintf(out->idle_example, sizeof(out->idle_example), "%s", part->domain);
}

// A directory that has lost most of its addresses is rather an export that failed.
static int judge(struct sending *sending)
{
    struct directory_sent *out = sending->out;

    for (size_t i = 0; i < sending->count; i++) {
        const struct part *part = &sending->part[i];

        out->before += part->before;
        note_idle(out, part);
        if (part->before < SHRINK_LEAST || part->entries * 2 >= part->before ||
            sending->import->options.force)
            continue;
        return directory_fail(sending->import, CTL_REFUSED,
                              "%s would have %" PRIu64 " addresses, and has %" PRIu64
                              ": nothing was changed; if that is right, --force says so",
                              part->domain, part->entries, part->before);
    }
    return CTL_FINE;
}

// ---- add

static void empty_batch(struct sending *sending)
{
    text_buf_init(&sending->text, sending->memory, BATCH_BYTES);
    sending->rows = 0;
}

static void name_part(struct sending *sending)
{
    const struct part *part = &sending->part[sending->at];

    text_buf_add(&sending->text, "@%s\t%" PRIu64 "\t%" PRIu64 "\t%" PRIu64 "\n", part->domain,
                 part->entries, part->version, part->buckets);
}

static int send_batch(struct sending *sending)
{
    const struct reeve_admin_request request = {
        .verb = "directory.add", .document = sending->memory, .document_bytes = sending->text.used};
    struct reeve_answer *answer = NULL;
    int code = sending->rows == 0 ? CTL_FINE : ask(sending, &request, &answer);

    if (code == CTL_FINE)
        sending->out->sent += sending->rows;
    reeve_answer_free(&answer);
    empty_batch(sending);
    return code;
}

static int add_entry(struct sending *sending, const struct entry *entry)
{
    const bool is_next = strcmp(entry->domain, sending->part[sending->at].domain) != 0;

    sending->at += is_next;
    if (is_next || sending->rows == 0)
        name_part(sending);
    text_buf_add(&sending->text, "%s\t%s\t%s\t%s\n", entry->address, entry->state, entry->mailbox,
                 entry->groups);
    sending->rows++;
    if (sending->rows == BATCH_ROWS || sending->text.used > BATCH_BYTES - ROW_BYTES)
        return send_batch(sending);
    return CTL_FINE;
}

static int add_all(struct sending *sending)
{
    struct directory_import *import = sending->import;
    struct entry entry;
    int code = CTL_FINE;

    progress_begin(import->progress, "sending");
    empty_batch(sending);
    while (code == CTL_FINE && entries_next(import->entries, &entry) &&
           progress_show(import->progress, sending->out->sent, sending->out->entries,
                         sending->out->sent))
        code = add_entry(sending, &entry);
    if (code == CTL_FINE && !progress_was_interrupted(import->progress))
        code = send_batch(sending);
    if (code == CTL_FINE && !progress_was_interrupted(import->progress) &&
        sending->out->sent != sending->out->entries)
        code = directory_fail(import, CTL_USAGE, "the temporary file cannot be read");
    progress_clear(import->progress);
    return code;
}

// ---- switch

// Nobody waits for what is said behind an error that was told.
static void take_back(struct sending *sending)
{
    const struct directory_import *import = sending->import;
    struct reeve_admin_request request = {.verb = "directory.abort"};
    char *bytes = write_parts(sending, &request.document_bytes);
    struct reeve_answer *answer = NULL;

    request.document = bytes;
    (void)ctl_admin_try(import->ctl, &request, &answer);
    reeve_answer_free(&answer);
    mem_free(bytes);
}

static int put_into_force(struct sending *sending)
{
    struct reeve_answer *answer = NULL;
    int code = ask_about_parts(sending, "directory.switch", false, &answer);

    sending->out->is_switched = code == CTL_FINE;
    reeve_answer_free(&answer);
    return code;
}

static int send_all(struct sending *sending)
{
    int code = begin(sending, false);

    if (code != CTL_FINE)
        return code;
    code = add_all(sending);
    if (code == CTL_FINE && !progress_was_interrupted(sending->import->progress))
        code = put_into_force(sending);
    if (!sending->out->is_switched)
        take_back(sending);
    return code;
}

static void list_parts(struct sending *sending)
{
    struct entries *entries = sending->import->entries;
    const char *domain = NULL;
    uint64_t count = 0;

    while (entries_domain_next(entries, &domain, &count)) {
        struct part part = {.entries = count};

        (void)snprintf(part.domain, sizeof(part.domain), "%s", domain);
        sending->part = mem_grow(sending->part, sending->count + 1, sizeof(part));
        sending->part[sending->count++] = part;
        sending->out->entries += count;
    }
    sending->out->domains = sending->count;
}

int directory_send(struct directory_import *import, struct directory_sent *out)
{
    struct sending sending = {.import = import, .out = out, .memory = mem_new(BATCH_BYTES)};
    int code = CTL_FINE;

    *out = (struct directory_sent){.entries = 0};
    import->ctl->is_patient = true;
    list_parts(&sending);
    code = begin(&sending, true);
    if (code == CTL_FINE)
        code = judge(&sending);
    if (code == CTL_FINE && !import->options.dry_run)
        code = send_all(&sending);
    mem_free(sending.part);
    mem_free(sending.memory);
    return code;
}
