// redis_replies.h: replies as hiredis would hand them over, in a test's own memory. Header-only,
// because a unit test is one file.
#pragma once

#include <assert.h>
#include <stdint.h>
#include <string.h>

#include <hiredis/hiredis.h>

enum { REPLIES_MAX = 64 };

struct replies {
    struct redisReply reply[REPLIES_MAX];
    struct redisReply *element[REPLIES_MAX];
    size_t used, elements;
};

__attribute__((unused)) static struct redisReply *reply_of_text(struct replies *in,
                                                                const char *text)
{
    struct redisReply *reply = &in->reply[in->used++];

    assert(in->used <= REPLIES_MAX);
    *reply = (struct redisReply){
        .type = REDIS_REPLY_STRING, .len = strlen(text), .str = (char *)(uintptr_t)text};
    return reply;
}

__attribute__((unused)) static struct redisReply *
reply_of_texts(struct replies *in, const char *const *text, size_t count)
{
    struct redisReply *reply = &in->reply[in->used++];
    struct redisReply **element = &in->element[in->elements];

    in->elements += count;
    assert(in->used <= REPLIES_MAX && in->elements <= REPLIES_MAX);
    for (size_t i = 0; i < count; i++)
        element[i] = reply_of_text(in, text[i]);
    *reply = (struct redisReply){.type = REDIS_REPLY_ARRAY, .elements = count, .element = element};
    return reply;
}

// An entry of a stream: [id, [field, value, ...]].
__attribute__((unused)) static struct redisReply *
reply_of_entry(struct replies *in, const char *id, const char *const *field, size_t count)
{
    struct redisReply *reply = &in->reply[in->used++];
    struct redisReply **element = &in->element[in->elements];

    in->elements += 2;
    element[0] = reply_of_text(in, id);
    element[1] = reply_of_texts(in, field, count);
    *reply = (struct redisReply){.type = REDIS_REPLY_ARRAY, .elements = 2, .element = element};
    return reply;
}
