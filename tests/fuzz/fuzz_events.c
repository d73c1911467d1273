// fuzz_events.c: what Redis answers about events, expected mail, spared and banned clients: any bytes as a reply in
// its own protocol (hiredis reads it), and each part of that as a row of the stream, an id, and a row of
// either hash; and as a version and a node of the policy set.
#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/bans.h"
#include "node/store/events.h"
#include "node/store/mirror.h"
#include "node/store/policy_row.h"
#include "node/store/roll.h"
#include "proto/base/mem.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_sound(const struct expectation *row)
{
    assert(row->recipient[0] != '\0' && strlen(row->recipient) <= EXPECT_RECIPIENT_MAX);
    assert(strlen(row->note) <= EXPECT_NOTE_MAX);
    assert(text_is_clean(row->recipient, strlen(row->recipient), EXPECT_RECIPIENT_MAX));
    assert(text_is_clean(row->note, strlen(row->note), EXPECT_NOTE_MAX));
}

enum { TODAY = 20000 };

// What a node has of them.
struct mirrors {
    struct mirror mirror;
    struct roll roll;
    struct bans bans;
};

static void set_ban(struct bans *bans, const struct ip_net *client, const struct harvest_ban *ban)
{
    char text[HARVEST_CLIENT_MAX];
    char value[HARVEST_VALUE_MAX];
    struct harvest_ban back;
    struct ip_net again;

    assert(ban->until_ms - ban->since_ms <= HARVEST_BAN_MOST_MS);
    assert(harvest_client_read(harvest_client_text(client, text), &again));
    assert(ip_net_compare(client, &again) == 0);
    if (ban->until_ms < 1000000000000000 && ban->count.unknown < 1000000000000000 &&
        ban->count.existing <
            1000000000000000) { // what an event says may be longer than what is stored
        (void)harvest_ban_write(ban, value);
        assert(harvest_ban_read(value, &back) && memcmp(&back, ban, sizeof(back)) == 0);
    }
    bans_set(bans, client, ban, 0);
    assert(bans_find(bans, client).until_ms == ban->until_ms && bans->count <= BANS_MAX);
}

static void set_row(struct roll *roll, const char *client, const struct spared_row *row)
{
    assert(client[0] != '\0' && strlen(client) < SPARED_NAME_MAX - 2);
    assert(row->rests <= row->newest);
    roll_set(roll, client, row);
    assert(roll_find(roll, client).newest == row->newest);
    assert(roll->count <= ROLL_MAX && (row->newest == 0 || roll->count > 0));
}

static void try_event(const struct redisReply *reply, struct mirrors *mirrors)
{
    struct mirror *mirror = &mirrors->mirror;
    struct event event;
    char id[EVENT_ID_MAX];

    if (event_id_read(reply, id))
        assert(strlen(id) < EVENT_ID_MAX && strchr(id, '-') != NULL);
    if (!event_read(reply, &event))
        return;
    if (event.kind == EVENT_SPARED)
        set_row(&mirrors->roll, event.client, &event.row);
    if (event.kind == EVENT_BAN && event.ban.until_ms > 0)
        set_ban(&mirrors->bans, &event.named.client, &event.ban);
    else if (event.kind == EVENT_BAN)
        (void)bans_remove(&mirrors->bans, &event.named.client);
    if (event.kind != EVENT_EXPECT)
        return;
    check_sound(&event.expectation);
    if (event.expectation.until_ms > 0)
        mirror_set(mirror, &event.expectation);
    else
        mirror_remove(mirror, event.expectation.recipient);
}

// What is read is written as it was read, and is found.
static void try_version(const struct redisReply *reply)
{
    struct store_version version;

    if (!policy_row_read(reply, &version))
        return;
    assert(version.version > 0 && store_is_document_name(version.document));
    assert(text_is_clean(version.by, strlen(version.by), STORE_BY_MAX));
    assert(text_is_clean(version.note, strlen(version.note), STORE_NOTE_MAX));
}

static void try_node(const struct redisReply *field, const struct redisReply *value)
{
    char text[POLICY_NODE_VALUE_MAX];
    struct redisReply again = {.type = REDIS_REPLY_STRING, .str = text};
    struct store_node node;
    struct store_node back;

    if (!policy_node_read(field, value, &node))
        return;
    policy_node_format(&node, text);
    again.len = strlen(text);
    assert(policy_node_read(field, &again, &back));
    assert(back.version == node.version && strcmp(back.error, node.error) == 0);
}

static void try_row(const char *field, const char *value, struct mirror *mirror)
{
    char recipient[EXPECT_RECIPIENT_MAX + 1];
    char again[EXPECT_RECIPIENT_MAX + 1];
    char out_field[EXPECT_FIELD_MAX];
    char out_value[EXPECT_VALUE_MAX];
    struct expectation other;
    struct expectation row;

    if (!mirror_read(field, value, recipient, &row))
        return;
    check_sound(&row);
    mirror_field(&row, out_field);
    mirror_value(&row, out_value);
    assert(mirror_read(out_field, out_value, again, &other));
    assert(strcmp(recipient, again) == 0 && strcmp(row.note, other.note) == 0);
    assert(row.until_ms == other.until_ms && row.since_ms == other.since_ms);
    mirror_set(mirror, &row);
    assert(mirror_find(mirror, recipient)->until_ms == row.until_ms);
}

static void try_client(const char *client, const char *value, struct roll *roll)
{
    char again[ROLL_VALUE_MAX];
    struct spared_row other;
    struct spared_row row;

    if (!roll_read(client, value, TODAY, &row))
        return;
    assert(row.newest > 0 && !roll_is_ahead(&row, TODAY));
    roll_value(&row, again);
    assert(roll_read(client, again, TODAY, &other));
    assert(row.rests == other.rests && row.newest == other.newest);
    set_row(roll, client, &row);
}

static void try_ban(const char *client, const char *value, struct bans *bans)
{
    struct harvest_ban ban;
    struct ip_net net;

    if (harvest_client_read(client, &net) && harvest_ban_read(value, &ban))
        set_ban(bans, &net, &ban);
}

static void visit(const struct redisReply *reply, struct mirrors *mirrors)
{
    try_event(reply, mirrors);
    try_version(reply);
    if (reply->type != REDIS_REPLY_ARRAY)
        return;
    for (size_t i = 0; i < reply->elements; i++)
        visit(reply->element[i], mirrors);
    for (size_t i = 0; i + 1 < reply->elements; i += 2) {
        const struct redisReply *field = reply->element[i];
        const struct redisReply *value = reply->element[i + 1];

        if (field->type != REDIS_REPLY_STRING || value->type != REDIS_REPLY_STRING)
            continue;
        try_row(field->str, value->str, &mirrors->mirror);
        try_node(field, value);
        try_client(field->str, value->str, &mirrors->roll);
        try_ban(field->str, value->str, &mirrors->bans);
    }
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
    if (claims_too_much(data, size))
        return 0;
    redisReader *reader = redisReaderCreate();
    const uint8_t secret[ROLL_SECRET_BYTES] = {1};
    struct mirrors mirrors = {.mirror = {.count = 0}};
    void *reply = NULL;

    roll_begin(&mirrors.roll, secret);

    if (redisReaderFeed(reader, (const char *)data, size) == REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        visit(reply, &mirrors);
        freeReplyObject(reply);
    }
    mirror_clear(&mirrors.mirror);
    roll_clear(&mirrors.roll);
    bans_clear(&mirrors.bans);
    redisReaderFree(reader);
    return 0;
}
