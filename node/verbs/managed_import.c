// managed_import.c: managed.import: a document of entries of personal lists (seed_row.h).
//
//     a slice of 64 rows:  whose lists? (directory aliases) -> what is there -> write what says something else -> the next
//
// Promises: lookups never wait for it: it uses the operator's connection, one slice is under way a document, and between two
// slices the loop turns. The same document twice changes nothing. A store that fails on the way ends it, and the answer says
// how far it came. A dry run reads and counts, and writes nothing.
#include <stdio.h>
#include <string.h>

#include "node/verbs/document.h"
#include "node/verbs/managed.h"

#define OUTCOMES(X)               \
    X(TAKEN, "taken")             \
    X(REPLACED, "replaced")       \
    X(KNOWN, "known")             \
    X(OVER, "over")               \
    X(NOT_OURS, "not_ours")       \
    X(UNKNOWN, "unknown_user")    \
    X(BAD_USER, "bad_user")       \
    X(BAD_PATTERN, "bad_pattern") \
    X(MALFORMED, "malformed")
enum list_outcome {
#define OUTCOME_ENUM(name, word) LIST_##name,
    OUTCOMES(OUTCOME_ENUM)
#undef OUTCOME_ENUM
        LIST_OUTCOMES
};
static const char *const WORDS[] = {
#define OUTCOME_WORD(name, word) [LIST_##name] = (word),
    OUTCOMES(OUTCOME_WORD)
#undef OUTCOME_WORD
};

struct list_seat {
    struct managed managed;
    size_t line;
};

struct list_work {
    struct document doc;
    struct list_seat seat[DOCUMENT_SLICE];
    char by[PERSON_BY_MAX + 1];
};

// ---- one row

static bool read_words(struct list_work *work, const struct seed_entry *row, struct managed *out)
{
    struct err_detail detail = {.text = ""};
    const size_t line = work->doc.rows.line;
    const enum err err =
        managed_read_user(work->doc.call, row->user, &work->doc.arena, out, &detail);

    if (err != ERR_NONE)
        document_note(&work->doc, err == ERR_NOT_FOUND ? LIST_NOT_OURS : LIST_BAD_USER, line,
                      detail.text);
    else if (managed_read_pattern(row->pattern, &work->doc.arena, out, &detail) != ERR_NONE)
        document_note(&work->doc, LIST_BAD_PATTERN, line, detail.text);
    else if (managed_read_action(row->action, out, &detail) != ERR_NONE ||
             managed_read_note(row->note, out, &detail) != ERR_NONE)
        document_note(&work->doc, LIST_MALFORMED, line, detail.text);
    else
        return true;
    return false;
}

// take_row: into the next seat; or it is noted why not.
static void take_row(struct list_work *work, const struct seed_entry *row)
{
    struct list_seat *seat = &work->seat[work->doc.count];
    struct person_entry *entry = &seat->managed.stored.entry;

    *seat = (struct list_seat){.line = work->doc.rows.line};
    if (!read_words(work, row, &seat->managed))
        return;
    entry->until_ms = row->until_ms;
    entry->since_ms = work->doc.now_ms;
    memcpy(entry->by, work->by, sizeof(entry->by));
    if (row->until_ms != 0 && row->until_ms < work->doc.now_ms)
        document_note(&work->doc, LIST_OVER, seat->line, "until: that moment is over");
    else
        work->doc.count++;
}

// ---- the slices

static void next_slice(struct list_work *work);

static void answer(struct list_work *work)
{
    for (int i = 0; i < LIST_OUTCOMES; i++)
        document_tell(&work->doc, i, WORDS[i]);
    admin_answer(work->doc.call);
}

static void refuse_store(struct list_work *work, enum store_state state)
{
    document_refuse_store(&work->doc, state,
                          work->doc.outcome[LIST_TAKEN].total +
                              work->doc.outcome[LIST_REPLACED].total);
}

// say_replaced: "ann@corp.example: block spam.example, by root: he asked for it".
static void say_replaced(struct list_work *work, const struct list_seat *seat)
{
    const struct store_list_entry *stored = &seat->managed.stored;
    const struct person_entry *was = &stored->was;
    char why[DOCUMENT_WHY_MAX];
    struct text_buf text;

    text_buf_init(&text, why, sizeof(why));
    text_buf_add(&text, "%s: %s %s", stored->mailbox,
                 was->action == PERSON_NONE ? "something unreadable about"
                                            : managed_action_text(was->action),
                 stored->pattern);
    if (was->by[0] != '\0')
        text_buf_add(&text, ", by %s", was->by);
    if (was->note[0] != '\0')
        text_buf_add(&text, ": %s", was->note);
    document_note(&work->doc, LIST_REPLACED, seat->line, why);
}

static bool is_taken(const struct store_list_entry *stored)
{
    return stored->mailbox != NULL;
}

static void count_slice(struct list_work *work)
{
    for (size_t i = 0; i < work->doc.count; i++) {
        const struct list_seat *seat = &work->seat[i];
        const struct store_list_entry *stored = &seat->managed.stored;

        if (!is_taken(stored))
            continue;
        if (managed_says_the_same(stored))
            document_note(&work->doc, LIST_KNOWN, seat->line, "");
        else if (stored->was_there)
            say_replaced(work, seat);
        else
            document_note(&work->doc, LIST_TAKEN, seat->line, "");
    }
}

static void written(void *arg, uint64_t token, enum store_state state)
{
    struct list_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    count_slice(work);
    next_slice(work);
}

// list_of: the seats' entries that `is_wanted` picks, in their order.
static struct store_list_entry *list_of(struct list_work *work,
                                        bool (*is_wanted)(const struct store_list_entry *stored))
{
    struct store_list_entry *list = NULL;

    for (size_t i = work->doc.count; i-- > 0;) {
        struct store_list_entry *stored = &work->seat[i].managed.stored;

        if (!is_wanted(stored))
            continue;
        stored->next = list;
        list = stored;
    }
    return list;
}

static bool says_something_else(const struct store_list_entry *stored)
{
    return is_taken(stored) && !managed_says_the_same(stored);
}

static void known(void *arg, uint64_t token, enum store_state state)
{
    struct list_work *work = arg;
    struct store_list_entry *list = NULL;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    list = list_of(work, says_something_else);
    if (list == NULL || work->doc.call->seat->request.admin.dry_run)
        written(work, 0, STORE_UP);
    else
        store_list_write(work->doc.call->server->store, list,
                         (struct store_done){.fn = written, .arg = work});
}

// ---- whose lists

static void settled(void *arg, uint64_t token, enum store_state state)
{
    struct list_work *work = arg;

    (void)token;
    if (state != STORE_UP) {
        refuse_store(work, state);
        return;
    }
    for (size_t i = 0; i < work->doc.count; i++) {
        struct list_seat *seat = &work->seat[i];

        if (seat->managed.asked.directory.version == 0 || managed_settle_user(&seat->managed))
            continue;
        document_note(&work->doc, LIST_UNKNOWN, seat->line, "");
        seat->managed.stored.mailbox = NULL; // it is left
    }
    store_list_read(work->doc.call->server->store, list_of(work, is_taken),
                    (struct store_done){.fn = known, .arg = work});
}

static void find_mailboxes(struct list_work *work)
{
    struct store_person *list = NULL;

    for (size_t i = work->doc.count; i-- > 0;) {
        struct store_person *asked = &work->seat[i].managed.asked;

        if (asked->directory.version == 0)
            continue;
        asked->next = list;
        list = asked;
    }
    if (list == NULL)
        settled(work, 0, STORE_UP);
    else
        store_read_person(work->doc.call->server->store, list,
                          (struct store_done){.fn = settled, .arg = work});
}

static enum seed_read take_next(struct document *document, const char **why)
{
    struct seed_entry row;
    const enum seed_read read = seed_entry_next(&document->rows, &document->arena, &row, why);

    if (read == SEED_ROW)
        take_row((struct list_work *)document, &row);
    return read;
}

static void next_slice(struct list_work *work)
{
    if (!document_fill(&work->doc, take_next, LIST_MALFORMED))
        answer(work);
    else
        find_mailboxes(work);
}

// ---- the verb

void managed_import(struct admin_call *call)
{
    struct list_work *work = document_open(call, sizeof(*work));
    struct err_detail detail = {.text = ""};
    struct managed said;

    if (work == NULL)
        return;
    if (managed_read_by(admin_arg(call, "by"), &said, &detail) != ERR_NONE) {
        admin_refuse(call, "%s", detail.text);
        return;
    }
    memcpy(work->by, said.stored.entry.by, sizeof(work->by));
    next_slice(work);
}
