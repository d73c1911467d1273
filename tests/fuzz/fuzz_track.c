// fuzz_track.c: a tracking row as Redis gives it back: any bytes as a reply in its own protocol (hiredis reads it), each
// part of that as a row of the stream. What was read is written and read again, and is the same.
#include <assert.h>
#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "node/store/track.h"
#include "proto/base/mem.h"
#include "proto/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { HEAD = 5 }; // words of XADD in front of a row's fields

static void check_text(const char *text, const char *again)
{
    assert(strlen(text) <= TRACK_TEXT_MAX && text_is_clean(text, strlen(text), TRACK_TEXT_MAX));
    assert(strcmp(text, again) == 0);
}

static void check_same(const struct track_row *row, const struct track_row *again)
{
    check_text(row->action, again->action);
    check_text(row->reason, again->reason);
    check_text(row->rule, again->rule);
    check_text(row->shadow, again->shadow);
    check_text(row->stage, again->stage);
    check_text(row->client_ip, again->client_ip);
    check_text(row->client_name, again->client_name);
    check_text(row->spf_domain, again->spf_domain);
    check_text(row->helo, again->helo);
    check_text(row->sender, again->sender);
    check_text(row->recipient, again->recipient);
    check_text(row->gateway, again->gateway);
    check_text(row->transaction, again->transaction);
    check_text(row->auth_user, again->auth_user);
    check_text(row->spf, again->spf);
    assert(row->at_ms == again->at_ms && row->flags == again->flags);
    assert(row->retry_after_s == again->retry_after_s && row->waited_s == again->waited_s);
    assert(row->size_bytes == again->size_bytes && row->recipient_count == again->recipient_count);
    assert(row->policy_version == again->policy_version);
}

// read_back: the command that writes the row, as the entry that XRANGE would give of it.
static void read_back(const struct track_row *row)
{
    redisReader *reader = redisReaderCreate();
    redisReply *command = NULL;
    struct track_found *found;
    struct resp resp;
    size_t len = 0;

    track_put(&resp, row);
    const char *bytes = resp_finish(&resp, &len);

    assert(bytes != NULL);
    assert(redisReaderFeed(reader, bytes, len) == REDIS_OK);
    assert(redisReaderGetReply(reader, (void **)&command) == REDIS_OK && command != NULL);
    assert(command->elements > HEAD);

    redisReply fields = {.type = REDIS_REPLY_ARRAY,
                         .elements = command->elements - HEAD - 1,
                         .element = command->element + HEAD + 1};
    redisReply *parts[] = {command->element[HEAD], &fields};
    const redisReply entry = {.type = REDIS_REPLY_ARRAY, .elements = 2, .element = parts};

    found = track_take(&entry, row->ticket.node);
    assert(found != NULL && track_order(&found->row.ticket, &row->ticket) == 0);
    check_same(row, &found->row);
    mem_free(found);
    freeReplyObject(command);
    redisReaderFree(reader);
}

static void visit(const struct redisReply *reply)
{
    struct track_found *found = track_take(reply, 7);

    if (found != NULL)
        read_back(&found->row);
    mem_free(found);
    for (size_t i = 0; reply->type == REDIS_REPLY_ARRAY && i < reply->elements; i++)
        visit(reply->element[i]);
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
    redisReader *reader;
    void *reply = NULL;

    if (claims_too_much(data, size))
        return 0;
    reader = redisReaderCreate();
    if (redisReaderFeed(reader, (const char *)data, size) == REDIS_OK &&
        redisReaderGetReply(reader, &reply) == REDIS_OK && reply != NULL) {
        visit(reply);
        freeReplyObject(reply);
    }
    redisReaderFree(reader);
    return 0;
}
