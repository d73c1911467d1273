// fill.c: fills a Redis with passed triplets as a node would have left them: of the known senders
// of reeve-load (client/load/question.h), named by the node's own code with the secret that the
// store holds.
//
//      fill SOCKET COUNT net|name|spf
//
// A node must have founded the store. An expiry is set once for each key, which leaves the same as
// setting it with each write. Prints one JSON object. Exit code 1: it cannot, and why.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <hiredis/hiredis.h>

#include "client/load/question.h"
#include "node/store/meta.h"
#include "node/verbs/internal.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "proto/wire.h"

enum { BATCH = 2000, ARENA_BYTES = 1 << 16, NAMES = 1 << 16 };

struct fill {
    redisContext *redis;
    struct key_ring ring;
    struct policy policy;
    struct names *names;
    struct question_template template;
    unsigned char *has_expiry; // one a bucket
    uint64_t now_ms;
    unsigned under_way; // commands whose replies were not read
    uint64_t identities;
    unsigned char memory[ARENA_BYTES];
};

static void die(const char *what)
{
    (void)fprintf(stderr, "fill: %s\n", what);
    exit(1);
}

// ---- the store

static void read_ring(struct fill *fill)
{
    static const uint8_t no_secret[KEY_SECRET_BYTES];
    const struct meta meta = {.buckets = 1};
    struct meta_judgement judgement;
    redisReply *reply = redisCommand(fill->redis, "HGETALL meta");

    if (reply == NULL || reply->type != REDIS_REPLY_ARRAY)
        die("no store answers");
    meta_judge(&meta, reply, no_secret, fill->now_ms, &judgement);
    freeReplyObject(reply);
    if (judgement.verdict != META_FINE || judgement.ring.count != 1)
        die("the store is not founded: start a node on it first");
    fill->ring = judgement.ring;
    fill->has_expiry = mem_new(fill->ring.epoch[0].buckets);
}

static void collect(struct fill *fill)
{
    for (; fill->under_way > 0; fill->under_way--) {
        void *reply = NULL;

        if (redisGetReply(fill->redis, &reply) != REDIS_OK)
            die(fill->redis->errstr);
        if (((redisReply *)reply)->type == REDIS_REPLY_ERROR)
            die(((redisReply *)reply)->str);
        freeReplyObject(reply);
    }
}

static void send_expiry(struct fill *fill, const struct key_place *place, const char *name)
{
    if (fill->has_expiry[place->bucket])
        return;
    fill->has_expiry[place->bucket] = 1;
    (void)redisAppendCommand(fill->redis, "EXPIREAT %s %llu", name,
                             (unsigned long long)(key_expiry_ms(place) / 1000));
    fill->under_way++;
}

static void send_passed(struct fill *fill, const struct key_triplet *triplet, uint32_t mark)
{
    const struct key_place *place = &triplet->passed[KEY_CURRENT];
    uint8_t value[KEY_VALUE_BYTES];
    char name[KEY_NAME_MAX];
    const char *argv[2 + 2 * KEY_IDENTITY_MAX] = {"HSET", name};
    size_t length[2 + 2 * KEY_IDENTITY_MAX] = {4, key_name(KEY_PASSED, place, name)};
    int argc = 2;

    key_value_pack(fill->now_ms, mark, value);
    for (unsigned i = 0; i < triplet->identity_count; i++) {
        if (triplet->identity[i].kind == KEY_ANY)
            continue;
        argv[argc] = (const char *)place->field[i];
        length[argc++] = KEY_FIELD_BYTES;
        argv[argc] = (const char *)value;
        length[argc++] = sizeof(value);
        fill->identities++;
    }
    (void)redisAppendCommandArgv(fill->redis, argc, argv, length);
    fill->under_way++;
    send_expiry(fill, place, name);
    if (fill->under_way >= BATCH)
        collect(fill);
}

// ---- triplets

// What the node reads of this sender's question.
static const struct msg_check *question_of(struct fill *fill, uint64_t number, struct arena *arena,
                                           struct msg_request *request)
{
    unsigned char *bytes = arena_alloc(arena, QUESTION_BYTES_MAX);
    struct question_text text;

    question_known(number, &text);
    size_t len = question_encode(&fill->template, &text, QUESTION_ID_MIN, bytes);

    if (wire_decode_request(bytes, len, arena, request, NULL) != ERR_NONE)
        die("a question that no node can read");
    return &request->check;
}

static void add(struct fill *fill, uint64_t number)
{
    struct facts client = {.now_ms = fill->now_ms};
    struct arena arena;
    struct msg_request request;
    struct key_triplet triplet;

    arena_init(&arena, fill->memory, sizeof(fill->memory));
    const struct msg_check *check = question_of(fill, number, &arena, &request);

    if (!ip_parse(check->client_ip, &client.client) ||
        !client_identify(fill->names, &client, &arena, check->client_name, check->spf_domain) ||
        !triplet_name(&fill->policy, &fill->ring, &arena, check->sender, check->recipients[0],
                      &client, &triplet, NULL))
        die("a question that cannot be named");
    send_passed(fill, &triplet, key_mark(&fill->ring, "", check->recipients[0], number));
}

static enum question_identity read_identity(const char *word)
{
    if (strcmp(word, "net") == 0)
        return QUESTION_NET;
    return strcmp(word, "name") == 0 ? QUESTION_NAME : QUESTION_SPF;
}

int main(int argc, char **argv)
{
    struct fill *fill = mem_new(sizeof(*fill));

    if (argc != 4)
        die("usage: fill SOCKET COUNT net|name|spf");
    fill->redis = redisConnectUnix(argv[1]);
    if (fill->redis == NULL || fill->redis->err != 0)
        die("cannot connect");
    fill->policy.settings.greylist.net_ipv4 = 24;
    fill->policy.settings.greylist.net_ipv6 = 64;
    fill->policy.settings.greylist.fold_sender = true;
    fill->policy.settings.greylist.window_ms = 12ULL * 3600 * 1000;
    fill->names = names_new(NAMES);
    fill->now_ms = clock_wall_ms();
    question_template_init(&fill->template, read_identity(argv[3]), MSG_RCPT, 0);
    read_ring(fill);
    uint64_t count = strtoull(argv[2], NULL, 10);

    for (uint64_t i = 0; i < count; i++)
        add(fill, i);
    collect(fill);
    (void)printf("{\"triplets\": %" PRIu64 ", \"identities\": %" PRIu64 "}\n", count,
                 fill->identities);
    return 0;
}
