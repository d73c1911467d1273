// reply.c: the words of the states and the table of error replies. Promises: pure.
#include "node/store/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

const char *store_state_text(enum store_state state)
{
    static const char *const text[] = {
#define STORE_STATE_TEXT(name, words) [STORE_##name] = words,
        STORE_STATE_LIST(STORE_STATE_TEXT)
#undef STORE_STATE_TEXT
    };

    return (unsigned)state < STORE_STATE_COUNT ? text[state] : "in an unknown state";
}

// First match counts. Where Redis says only ERR, the words after it decide.
static const struct error_row {
    const char *prefix;
    enum store_state state;
} ERRORS[] = {
    {"LOADING", STORE_LOADING},
    {"READONLY", STORE_READONLY},
    {"MASTERDOWN", STORE_MASTERDOWN},
    {"OOM", STORE_FULL},
    {"MISCONF", STORE_DISK},
    {"NOREPLICAS", STORE_NOREPLICAS},
    {"BUSY", STORE_BUSY},
    {"NOAUTH", STORE_DENIED},
    {"WRONGPASS", STORE_DENIED},
    {"NOPERM", STORE_DENIED},
    {"DENIED", STORE_DENIED},               // protected mode, said to whoever connects
    {"ERR invalid password", STORE_DENIED}, // Redis 5
    {"ERR Client sent AUTH, but no password is set", STORE_DENIED}, // Redis 5
    {"ERR AUTH <password> called without any password", STORE_DENIED},
    {"MOVED", STORE_CLUSTER},
    {"ASK", STORE_CLUSTER},
    {"TRYAGAIN", STORE_CLUSTER},
    {"CLUSTERDOWN", STORE_CLUSTER},
    {"CROSSSLOT", STORE_CLUSTER},
    {"NOSCRIPT", STORE_NOSCRIPT},
};

// A prefix ends where a word ends: BUSY is not BUSYGROUP (a name that is taken) or BUSYKEY.
static bool has_prefix(const char *text, const char *prefix)
{
    size_t len = strlen(prefix);

    return strncmp(text, prefix, len) == 0 && strchr(" ,.\r\n", text[len]) != NULL;
}

enum store_state reply_error_state(const char *text)
{
    for (size_t i = 0; i < sizeof(ERRORS) / sizeof(ERRORS[0]); i++) {
        if (has_prefix(text, ERRORS[i].prefix))
            return ERRORS[i].state;
    }
    return STORE_ERROR;
}

enum store_state reply_state(const struct redisReply *reply)
{
    if (reply == NULL)
        return STORE_DOWN;
    return reply->type == REDIS_REPLY_ERROR ? reply_error_state(reply->str) : STORE_UP;
}

const char *reply_advice(enum store_state state)
{
    static const struct {
        enum store_state state;
        const char *advice;
    } rows[] = {
        {STORE_DENIED,
         "check store.user and store.password_file, and the user's ACL against reeve.acl"},
        {STORE_CLUSTER, "name a Redis that is not in cluster mode"},
        {STORE_READONLY, "name the master in store.address"},
        {STORE_FULL, "give it more maxmemory, or a Redis of its own"},
        {STORE_DISK, "look at its disk and its log"},
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].state == state)
            return rows[i].advice;
    }
    return "";
}

bool reply_is_text(const struct redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_STRING;
}

bool reply_is_array(const struct redisReply *reply, size_t elements)
{
    return reply != NULL && reply->type == REDIS_REPLY_ARRAY && reply->elements == elements;
}

bool reply_is_integer(const struct redisReply *reply)
{
    return reply != NULL && reply->type == REDIS_REPLY_INTEGER;
}

bool reply_number_parse(const char *text, uint64_t *out)
{
    char *end = NULL;

    if (text[0] < '0' || text[0] > '9')
        return false;
    errno = 0;
    unsigned long long number = strtoull(text, &end, 10);

    if (errno != 0 || *end != '\0')
        return false;
    *out = number;
    return true;
}

bool reply_number(const struct redisReply *reply, uint64_t *out)
{
    return reply_is_text(reply) && strlen(reply->str) == reply->len &&
           reply_number_parse(reply->str, out);
}
