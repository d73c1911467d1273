// entities.c: see entities.h. Promises: reads only; a server that answers in another way than Redis does is an error.
#include "client/load/entities.h"

#include <hiredis/hiredis.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

enum { HOST_MAX = 256, PATIENCE_S = 5 };
#define KEYS "r:*" // core/reputation.h

static redisContext *open_redis(const char *address, struct err_detail *detail)
{
    const struct timeval patience = {.tv_sec = PATIENCE_S};
    const char *colon = strrchr(address, ':');
    char host[HOST_MAX];
    redisContext *redis = NULL;

    if (strncmp(address, "unix:", 5) == 0) {
        redis = redisConnectUnixWithTimeout(address + 5, patience);
    } else if (colon != NULL && (size_t)(colon - address) < sizeof(host)) {
        memcpy(host, address, (size_t)(colon - address));
        host[colon - address] = '\0';
        redis = redisConnectWithTimeout(host, atoi(colon + 1), patience);
    }
    if (redis != NULL && redis->err == 0)
        return redis;
    (void)err_say(detail, ERR_UNAVAILABLE, "no Redis at '%s' (host:port or unix:/path)%s%s",
                  address, redis != NULL ? ": " : "", redis != NULL ? redis->errstr : "");
    if (redis != NULL)
        redisFree(redis);
    return NULL;
}

static bool is_slice(const redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
           reply->element[0]->type == REDIS_REPLY_STRING &&
           reply->element[1]->type == REDIS_REPLY_ARRAY;
}

static bool add_key(redisContext *redis, const redisReply *key, struct entities *out)
{
    redisReply *usage = key->type == REDIS_REPLY_STRING
                            ? redisCommand(redis, "MEMORY USAGE %b", key->str, key->len)
                            : NULL;
    bool is_number = usage != NULL && usage->type == REDIS_REPLY_INTEGER;

    if (is_number) {
        out->count++;
        out->bytes += (uint64_t)usage->integer;
    }
    bool is_fine = is_number || (usage != NULL && usage->type == REDIS_REPLY_NIL); // gone since

    if (usage != NULL)
        freeReplyObject(usage);
    return is_fine;
}

// One step of SCAN; *cursor is 0 after the last.
static bool add_slice(redisContext *redis, unsigned long long *cursor, struct entities *out)
{
    redisReply *reply = redisCommand(redis, "SCAN %llu MATCH " KEYS " COUNT 1000", *cursor);
    bool is_fine = is_slice(reply);

    for (size_t i = 0; is_fine && i < reply->element[1]->elements; i++)
        is_fine = add_key(redis, reply->element[1]->element[i], out);
    if (is_fine)
        *cursor = strtoull(reply->element[0]->str, NULL, 10);
    if (reply != NULL)
        freeReplyObject(reply);
    return is_fine;
}

enum err entities_count(const char *address, struct entities *out, struct err_detail *detail)
{
    redisContext *redis = open_redis(address, detail);
    struct entities found = {0, 0};
    unsigned long long cursor = 0;
    bool is_fine = true;

    if (redis == NULL)
        return ERR_UNAVAILABLE;
    do {
        is_fine = add_slice(redis, &cursor, &found);
    } while (is_fine && cursor != 0);
    redisFree(redis);
    if (!is_fine)
        return err_say(detail, ERR_UNAVAILABLE, "the Redis at '%s' does not say what it holds",
                       address);
    *out = found;
    return ERR_NONE;
}
