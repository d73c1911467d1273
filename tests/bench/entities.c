// entities.c: fills a Redis with entities of reputation, or with reports that counted, by the scripts that a node sends.
//
//      entities SOCKET COUNT entities|events
//
// Entities are as many IPv4 addresses; each heard one report of spam. Prints one JSON object: the microseconds of Redis' own time that
// each script took. Exit code 1: it cannot, and why.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "node/store/reputation_script.h"

enum { BATCH = 100, NOW_S = 1700000000, CLAIM = 7 };

static void die(const char *what)
{
    (void)fprintf(stderr, "entities: %s\n", what);
    exit(1);
}

static void put_entity(struct resp *resp, uint32_t number)
{
    static const struct reputation_level_settings LEVEL = {1, 30ULL * 24 * 3600 * 1000};
    const struct reputation_report report = {
        .reporter = 1, .active = 1, .is_spam = true, .weight = 1, .now_s = NOW_S};
    char key[REPUTATION_KEY_MAX];

    (void)snprintf(key, sizeof(key), "r:i:%08" PRIx32, number);
    script_put_add(resp, key, &LEVEL, &report, &(struct script_how){.keeps = true});
}

static void put_event(struct resp *resp, uint32_t number)
{
    char event[32];

    (void)snprintf(event, sizeof(event), "event %" PRIu32, number);
    script_put_claim(
        resp, event, CLAIM, NOW_S * 1000ULL,
        &(struct script_how){.keeps = false}); // a moment that is over would expire at once
}

static void send_one(redisContext *redis, uint32_t number, bool is_event)
{
    struct resp resp;
    size_t len = 0;

    (is_event ? put_event : put_entity)(&resp, number);
    const char *bytes = resp_finish(&resp, &len);

    if (bytes == NULL || redisAppendFormattedCommand(redis, bytes, len) != REDIS_OK)
        die("cannot send");
}

static void take_one(redisContext *redis)
{
    void *reply = NULL;

    if (redisGetReply(redis, &reply) != REDIS_OK || reply == NULL)
        die(redis->errstr);
    const redisReply *taken = reply;

    if (taken->type == REDIS_REPLY_ERROR)
        die(taken->str);
    freeReplyObject(reply);
}

static double eval_usec(redisContext *redis)
{
    redisReply *reply = redisCommand(redis, "INFO commandstats");
    const char *at =
        reply != NULL && reply->str != NULL ? strstr(reply->str, "cmdstat_eval:") : NULL;

    at = at != NULL ? strstr(at, "usec=") : NULL;
    if (at == NULL)
        die("no statistics of scripts");
    const double usec = strtod(at + strlen("usec="), NULL);

    freeReplyObject(reply);
    return usec;
}

int main(int argc, char **argv)
{
    if (argc != 4 || (strcmp(argv[3], "entities") != 0 && strcmp(argv[3], "events") != 0)) {
        (void)fprintf(stderr, "usage: entities SOCKET COUNT entities|events\n");
        return 2;
    }
    const uint32_t count = (uint32_t)strtoul(argv[2], NULL, 10);
    redisContext *redis = redisConnectUnix(argv[1]);

    if (redis == NULL || redis->err != 0)
        die("cannot connect");
    for (uint32_t done = 0; done < count;) {
        const uint32_t end = count - done < BATCH ? count : done + BATCH;

        for (uint32_t i = done; i < end; i++)
            send_one(redis, i, strcmp(argv[3], "events") == 0);
        for (; done < end; done++)
            take_one(redis);
    }
    (void)printf("{\"written\": %" PRIu32 ", \"usec\": %.1f}\n", count, eval_usec(redis) / count);
    redisFree(redis);
    return 0;
}
