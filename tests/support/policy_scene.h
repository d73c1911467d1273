// policy_scene.h: what tests of the policy set in a real Redis ask, and what comes back. Header-only, because a unit test is
// one file.
#pragma once

#include <stdio.h>
#include <string.h>

#include "proto/base/mem.h"
#include "tests/support/store_scene.h"

enum { SMALL = 40 };

// ---- what came back

struct heard {
    unsigned tips, staged;
    struct store_version tip;
    bool is_held;
    char document[STORE_DOCUMENT_NAME];
};

struct came {
    unsigned calls;
    enum store_state state;
    enum store_activation end;
    bool has_tip, unreplicated;
    struct store_version tip;
    char *bytes;
    size_t len;
    struct store_version rows[STORE_VERSIONS_MAX * 2];
    struct store_node nodes[8];
    size_t count;
};

STAGE_UNUSED static void heard_tip(void *arg, const struct store_version *tip, bool is_held)
{
    struct heard *heard = arg;

    heard->tips++;
    heard->tip = *tip;
    heard->is_held = is_held;
}

STAGE_UNUSED static void heard_staged(void *arg, const char *document)
{
    struct heard *heard = arg;

    heard->staged++;
    (void)snprintf(heard->document, sizeof(heard->document), "%s", document);
}

STAGE_UNUSED static void came_staged(void *arg, uint64_t token, enum store_state state)
{
    struct came *came = arg;

    assert_int_equal(token, 5);
    came->calls++;
    came->state = state;
}

STAGE_UNUSED static void came_bytes(void *arg, enum store_state state, void *bytes, size_t len)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->bytes = bytes;
    came->len = len;
}

STAGE_UNUSED static void came_end(void *arg, enum store_activation end, enum store_state state,
                                  const struct store_version *tip, bool unreplicated)
{
    struct came *came = arg;

    came->calls++;
    came->end = end;
    came->state = state;
    came->has_tip = tip != NULL;
    came->unreplicated = unreplicated;
    if (tip != NULL)
        came->tip = *tip;
}

STAGE_UNUSED static void came_rows(void *arg, enum store_state state,
                                   const struct store_version *rows, size_t count)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->count = count;
    for (size_t i = 0; i < count; i++)
        came->rows[i] = rows[i];
}

STAGE_UNUSED static void came_nodes(void *arg, enum store_state state,
                                    const struct store_node *rows, size_t count)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->count = count;
    for (size_t i = 0; i < count && i < 8; i++)
        came->nodes[i] = rows[i];
}

STAGE_UNUSED static bool has_come(void *arg)
{
    return ((struct came *)arg)->calls > 0;
}

STAGE_UNUSED static void wait_for(struct scene *scene, struct came *came)
{
    stage_until(&scene->stage, has_come, came);
    assert_int_equal(came->calls, 1);
}

// ---- what is asked

struct document {
    char name[STORE_DOCUMENT_NAME];
    char *bytes;
    size_t len;
};

// Bytes that differ from piece to piece, so that one in the wrong place is seen.
STAGE_UNUSED static struct document document_of(char letter, size_t len)
{
    struct document document = {.bytes = mem_new(len), .len = len};

    for (size_t i = 0; i < len; i++)
        document.bytes[i] = (char)(letter + (char)(i / POLICY_PIECE_BYTES));
    store_document_name(document.bytes, len, document.name);
    return document;
}

STAGE_UNUSED static enum store_state stage_document(struct scene *scene,
                                                    const struct document *document)
{
    struct came came = {.calls = 0};

    store_policy_stage(scene->store, document->name, document->bytes, document->len,
                       stage_done(came_staged, &came, 5));
    wait_for(scene, &came);
    return came.state;
}

// True if what comes is the document; else nothing came.
STAGE_UNUSED static bool is_fetched(struct scene *scene, const struct document *document)
{
    struct came came = {.calls = 0};
    bool is_same = false;

    store_policy_fetch(scene->store, document->name,
                       (struct store_document_done){came_bytes, &came});
    wait_for(scene, &came);
    assert_int_equal(came.state, STORE_UP);
    is_same = came.bytes != NULL;
    if (is_same) {
        assert_int_equal(came.len, document->len);
        assert_memory_equal(came.bytes, document->bytes, came.len);
    }
    mem_free(came.bytes);
    return is_same;
}

STAGE_UNUSED static struct store_version row_of(uint64_t version, const struct document *document,
                                                const char *by)
{
    struct store_version row = {
        .version = version, .at_ms = 1000 + version, .bytes = document->len, .policies = 3};

    (void)snprintf(row.by, sizeof(row.by), "%s", by);
    (void)snprintf(row.note, sizeof(row.note), "why %s", by);
    (void)snprintf(row.document, sizeof(row.document), "%s", document->name);
    return row;
}

STAGE_UNUSED static struct came activate(struct scene *scene, const struct store_version *row)
{
    struct came came = {.calls = 0};

    store_policy_activate(scene->store, row, (struct store_activate_done){came_end, &came});
    wait_for(scene, &came);
    return came;
}

STAGE_UNUSED static struct came history(struct scene *scene, uint64_t before, size_t limit)
{
    struct came came = {.calls = 0};

    store_policy_history(scene->store, before, limit,
                         (struct store_history_done){came_rows, &came});
    wait_for(scene, &came);
    assert_int_equal(came.state, STORE_UP);
    return came;
}

STAGE_UNUSED static long long life_s(struct scene *scene, const char *kind,
                                     const struct document *document)
{
    return stage_number(&scene->stage, "TTL policy:{p}:%s:%s", kind, document->name);
}
