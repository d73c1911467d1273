// expect.c: expect.add, expect.list, expect.remove: recipients that are not greylisted for a while.
// A list is what this node heeds: also while the store is away.
#include <stdio.h>
#include <string.h>

#include "node/verbs/admin.h"

enum { LIST_DEFAULT = 100 };

static void add_row(struct admin_call *call, const struct expectation *row)
{
    rows_add(&call->rows);
    rows_field(&call->rows, "recipient", "%s", row->recipient);
    rows_time(&call->rows, "until", row->until_ms);
    rows_time(&call->rows, "since", row->since_ms);
    rows_field(&call->rows, "note", "%s", row->note);
}

static void answered(void *arg, enum store_state state, const struct expectation *expectation)
{
    struct admin_call *call = arg;
    char text[256];

    if (state == STORE_UP || expectation == NULL) {
        if (expectation != NULL)
            add_row(call, expectation);
        admin_answer_store(call, state);
        return;
    }
    (void)snprintf(text, sizeof(text),
                   "done, but the other nodes could not be told (the store is %s): they see it "
                   "within 10 s",
                   store_state_text(state));
    server_refuse(call->server, call->seat, MSG_UNAVAILABLE, text);
}

// The key of the recipient that was typed; NULL if it is none, and refused.
static const char *read_recipient(struct admin_call *call)
{
    struct arena *arena = &call->seat->arena;
    const char *text = admin_arg(call, "recipient");
    struct mail_address address;
    const char *key = NULL;

    if (mail_parse(text, arena, &address) != ERR_NONE) {
        admin_refuse(call, "recipient: the address is too long");
        return NULL;
    }
    if (address.flaw != MAIL_OK || address.null) {
        admin_refuse(call, "recipient: '%.320s' is no address: %s", text,
                     address.null ? "it is empty" : mail_flaw_text(address.flaw));
        return NULL;
    }
    key = mail_recipient_key(&address, arena);
    if (key == NULL)
        admin_refuse(call, "recipient: the address is too long");
    return key;
}

static bool read_span(struct admin_call *call, uint64_t *out)
{
    if (!admin_number(call, "for", 0, out))
        return false;
    if (*out >= EXPECT_LEAST_MS && *out <= EXPECT_MOST_MS)
        return true;
    admin_refuse(call, "for: expected 1 s to 24 h in ms (1000 to 86400000), not %llu",
                 (unsigned long long)*out);
    return false;
}

static bool read_note(struct admin_call *call, const char **out)
{
    *out = admin_arg(call, "note");
    if (text_is_clean(*out, strlen(*out), EXPECT_NOTE_MAX))
        return true;
    admin_refuse(call, "note: expected at most %d bytes without control characters",
                 EXPECT_NOTE_MAX);
    return false;
}

void expect_add(struct admin_call *call)
{
    struct expectation row = {.recipient = read_recipient(call), .since_ms = admin_now_ms(call)};
    uint64_t span_ms = 0;

    if (row.recipient == NULL || !read_span(call, &span_ms) || !read_note(call, &row.note))
        return;
    row.until_ms = row.since_ms + span_ms;
    store_expect_add(call->server->store, &row, (struct expect_done){answered, call});
}

void expect_remove(struct admin_call *call)
{
    const char *recipient = read_recipient(call);

    if (recipient != NULL)
        store_expect_remove(call->server->store, recipient, (struct expect_done){answered, call});
}

// ---- the list

static void list_one(struct admin_call *call)
{
    const char *recipient = read_recipient(call);
    uint64_t until_ms = recipient != NULL ? store_expected(call->server->store, recipient) : 0;

    if (recipient == NULL)
        return;
    if (until_ms >= admin_now_ms(call)) {
        rows_add(&call->rows);
        rows_field(&call->rows, "recipient", "%s", recipient);
        rows_time(&call->rows, "until", until_ms);
    }
    admin_answer(call);
}

void expect_list(struct admin_call *call)
{
    uint64_t limit = 0;

    if (admin_arg(call, "recipient")[0] != '\0') {
        list_one(call);
        return;
    }
    if (!admin_number(call, "limit", LIST_DEFAULT, &limit))
        return;
    size_t most = limit < ROWS_MAX ? (size_t)limit : ROWS_MAX;
    struct expectation *page = arena_alloc(&call->seat->arena, (most + 1) * sizeof(*page));
    size_t count = page == NULL ? 0
                                : store_expect_list(call->server->store, admin_arg(call, "cursor"),
                                                    page, most + 1);

    if (page == NULL) {
        admin_refuse(call, "the request leaves no room to work on it");
        return;
    }
    for (size_t i = 0; i < count && i < most; i++)
        add_row(call, &page[i]);
    if (count > most && most > 0)
        call->cursor = arena_text(&call->seat->arena, page[most - 1].recipient,
                                  strlen(page[most - 1].recipient));
    if (call->cursor == NULL)
        call->rows.full = true;
    admin_answer(call);
}
