// document.c: see document.h.
#include "node/verbs/document.h"

#include <stdio.h>

enum { SLICE_BYTES = 1 << 20 };

void *document_open(struct admin_call *call, size_t size)
{
    const struct msg_admin *admin = &call->seat->request.admin;
    struct document *document = arena_zalloc(&call->seat->arena, size);
    void *memory = arena_alloc(&call->seat->arena, SLICE_BYTES);

    if (document == NULL || memory == NULL) {
        admin_refuse(call, "the document leaves no room to work on it");
        return NULL;
    }
    document->call = call;
    document->rows = (struct seed_rows){.at = admin->document, .left = admin->document_bytes};
    arena_init(&document->arena, memory, SLICE_BYTES);
    const size_t rows = seed_rows_count(&document->rows);

    if (rows > 0 && rows <= SEED_ROWS_MAX)
        return document;
    admin_refuse(call, "%s: expected a document of 1 to %d rows, not of %zu", admin->verb,
                 SEED_ROWS_MAX, rows);
    return NULL;
}

void document_note(struct document *document, int outcome, size_t line, const char *why)
{
    struct document_outcome *noted = &document->outcome[outcome];

    if (noted->total++ > 0)
        return;
    noted->line = line;
    (void)snprintf(noted->why, sizeof(noted->why), "%s", why);
}

static void fill_once(struct document *document,
                      enum seed_read (*take)(struct document *document, const char **why),
                      int malformed)
{
    const char *why = "";

    arena_reset(&document->arena);
    document->count = 0;
    document->now_ms = admin_now_ms(document->call);
    for (unsigned i = 0; i < DOCUMENT_SLICE; i++) {
        const enum seed_read read = take(document, &why);

        if (read == SEED_END)
            return;
        if (read == SEED_NO_ROW)
            document_note(document, malformed, document->rows.line, why);
    }
}

bool document_fill(struct document *document,
                   enum seed_read (*take)(struct document *document, const char **why),
                   int malformed)
{
    do {
        fill_once(document, take, malformed);
    } while (document->count == 0 && document->rows.left > 0);
    return document->count > 0;
}

void document_tell(struct document *document, int outcome, const char *word)
{
    const struct document_outcome *noted = &document->outcome[outcome];
    struct rows *rows = &document->call->rows;

    rows_add(rows);
    rows_field(rows, "outcome", "%s", word);
    rows_field(rows, "count", "%llu", (unsigned long long)noted->total);
    rows_field(rows, "line", "%zu", noted->line);
    rows_field(rows, "why", "%s", noted->why);
}

void document_refuse_store(struct document *document, enum store_state state, uint64_t taken)
{
    struct server *server = document->call->server;
    char memory[384];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    text_buf_add(&text, "the store is %s; %llu rows of this document were taken before (",
                 store_state_text(state), (unsigned long long)taken);
    store_describe(server->store, &text);
    text_buf_add(&text, "). Ask again when it is back: what was taken is known then");
    server_refuse(server, document->call->seat, MSG_UNAVAILABLE, memory);
}

void document_refuse_clock(struct document *document)
{
    server_refuse(document->call->server, document->call->seat, MSG_UNAVAILABLE,
                  "the store's clock jumped, so no age can be told; look at it (clock.show) and "
                  "say that it is right (clock.accept)");
}
