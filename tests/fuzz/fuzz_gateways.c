// fuzz_gateways.c: what Redis answers about reputation: any bytes as a reply in its own protocol (hiredis reads it), and each part of it as
// an entity added to, and as a gateway's row, which joins a mirror.
#include <assert.h>
#include <hiredis/hiredis.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "node/store/reporters.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW_MS = 1700000000 };

static void try_added(const struct redisReply *reply)
{
    struct script_added added;

    if (!script_take_add(reply, &added))
        return;
    assert(isfinite(added.added.added) && added.added.added >= 0);
    assert(isfinite(added.added.onward) && added.added.onward >= 0);
    assert(added.value == NULL || added.value->type == REDIS_REPLY_STRING);
}

static void check_view(const struct reporter *reporter)
{
    const struct store_reporter view = reporters_view(reporter, NOW_MS);

    assert(view.id > 0 && view.spam >= 0 && view.ham >= 0);
    assert(view.trust >= 0 && view.trust <= 1);
    assert(fabs(reporters_trust(reporter) - view.trust) < 1e-12);
}

static void try_row(struct reporters *reporters, const struct redisReply *field,
                    const struct redisReply *value)
{
    const struct reporter_note note = {.now_ms = NOW_MS,
                                       .is_spam = true,
                                       .weight = 1,
                                       .count = 2,
                                       .others_say_spam = {true, false}};
    struct store_reporter row = {.id = 0};

    if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING ||
        field->len >= sizeof(row.name) || !script_row_read(value->str, &row))
        return;
    memcpy(row.name, field->str, strlen(field->str) + 1);
    struct reporter *reporter = reporters_set(reporters, &row);

    assert(reporter != NULL && reporters_find(reporters, row.name) == reporter);
    assert(reporters_find_id(reporters, row.id) != NULL);
    check_view(reporter);
    reporters_note(reporter, &note);
    reporters_refresh(reporters, reporter);
    check_view(reporter);
}

static void visit(struct reporters *reporters, const struct redisReply *reply)
{
    try_added(reply);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        visit(reporters, reply->element[i]);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i + 1 < reply->elements; i += 2)
        try_row(reporters, reply->element[i], reply->element[i + 1]);
}

// hiredis makes room for as many elements as a reply says it has: such a reply tests its memory, not
// us.
static bool claims_too_much(const uint8_t *data, size_t size)
{
    size_t digits = 0;

    for (size_t i = 0; i < size; i++) {
        digits = data[i] >= '0' && data[i] <= '9' ? digits + 1 : 0;
        if (digits > 4 && i >= digits && strchr("*%~>$", data[i - digits]) != NULL)
            return true;
    }
    return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct reporters reporters = {.count = 0};
    void *reply = NULL;

    if (claims_too_much(data, size))
        return 0;
    redisReader *reader = redisReaderCreate();

    reporters_read_begin(&reporters);
    if (redisReaderFeed(reader, (const char *)data, size) == REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        visit(&reporters, reply);
        freeReplyObject(reply);
    }
    reporters_read_end(&reporters);
    reporters_clear(&reporters);
    redisReaderFree(reader);
    return 0;
}
