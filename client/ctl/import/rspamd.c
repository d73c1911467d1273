// rspamd.c: `reevectl import rspamd`: rspamd keeps hashes of envelopes, which nobody can turn
// back. So the envelopes come from a log (Postfix' or rspamd's own), and of those the ones that its
// Redis knows for longer than its delay have passed.
//
// Promises: its Redis is only read (GET, and SCAN to count), a key at a time.
#include <hiredis/hiredis.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/import/import.h"
#include "client/ctl/import/logs.h"
#include "client/ctl/import/rspamd_key.h"
#include "proto/base/mem.h"

enum { CONNECT_S = 5, HOST_MAX = 256, DIGITS_MAX = 12 };

// The reader's own: what a message of the log needs.
struct rspamd {
    struct import import; // first: the log reader's arg is an import
    redisContext *redis;
    char trouble[128]; // why its Redis could not be asked any more
    // Keys that mail of the log was found under: an open table of their hashes, 0 = free.
    uint64_t *used;
    size_t used_size; // a power of two
};

struct address {
    char host[HOST_MAX];
    int port, db;
};

// ---- its Redis

static bool read_number(const char *text, int max, int *out)
{
    char *end = NULL;
    long number = strtol(text, &end, 10);

    *out = (int)number;
    return text[0] >= '0' && text[0] <= '9' && *end == '\0' && number <= max;
}

// read_address: redis://HOST:PORT[/DB], with brackets around an IPv6 address.
static bool read_address(const char *url, struct address *out)
{
    const char *start = url + strlen("redis://");
    char text[HOST_MAX];
    char *port, *db, *host = text;

    if (strncmp(url, "redis://", strlen("redis://")) != 0 || strlen(start) >= sizeof(text))
        return false;
    (void)snprintf(text, sizeof(text), "%s", start);
    db = strchr(text, '/');
    if (db != NULL)
        *db++ = '\0';
    port = strrchr(text, ':');
    if (port == NULL || port == text)
        return false;
    *port++ = '\0';
    if (host[0] == '[' && port[-2] == ']') {
        port[-2] = '\0';
        host++;
    }
    (void)snprintf(out->host, sizeof(out->host), "%s", host);
    out->db = 0;
    return read_number(port, 65535, &out->port) &&
           (db == NULL || db[0] == '\0' || read_number(db, 1 << 20, &out->db));
}

// said: an error of the connection or of the reply; NULL if all is well.
static const char *said(const struct rspamd *rspamd, const redisReply *reply)
{
    if (reply == NULL)
        return rspamd->redis->errstr;
    return reply->type == REDIS_REPLY_ERROR ? reply->str : NULL;
}

// command: one that says OK. CTL_FINE, or the exit code after the error was told.
static int command(struct rspamd *rspamd, const char *verb, const char *arg)
{
    const char *argv[] = {verb, arg};
    redisReply *reply = redisCommandArgv(rspamd->redis, 2, argv, NULL);
    const char *why = said(rspamd, reply);
    int code = CTL_FINE;

    if (why != NULL)
        code = import_fail(&rspamd->import,
                           "rspamd's Redis refuses %s: %s (a password: REDISCLI_AUTH)", verb, why);
    freeReplyObject(reply);
    return code;
}

static int connect_to(struct rspamd *rspamd, const char *url)
{
    const struct timeval patience = {.tv_sec = CONNECT_S};
    const char *password = getenv("REDISCLI_AUTH");
    struct address address;
    char db[DIGITS_MAX];
    int code = CTL_FINE;

    if (!read_address(url, &address))
        return import_fail(&rspamd->import, "expected redis://HOST:PORT[/DB], not '%s'", url);
    (void)signal(SIGPIPE, SIG_IGN); // hiredis writes to a Redis that may be gone
    rspamd->redis = redisConnectWithTimeout(address.host, address.port, patience);
    if (rspamd->redis == NULL || rspamd->redis->err != 0)
        return import_fail(&rspamd->import, "no Redis at %s: %s", url,
                           rspamd->redis == NULL ? "no memory" : rspamd->redis->errstr);
    (void)redisSetTimeout(rspamd->redis, patience);
    (void)snprintf(db, sizeof(db), "%d", address.db);
    if (password != NULL && password[0] != '\0')
        code = command(rspamd, "AUTH", password);
    if (code == CTL_FINE)
        code = command(rspamd, "SELECT", db);
    return code;
}

// ---- the messages of the log

// first_seen: when rspamd saw an envelope first; 0 if it does not know it.
static uint64_t first_seen(struct rspamd *rspamd, const char *key)
{
    const char *argv[] = {"GET", key};
    redisReply *reply =
        rspamd->trouble[0] != '\0' ? NULL : redisCommandArgv(rspamd->redis, 2, argv, NULL);
    const char *why = rspamd->trouble[0] != '\0' ? NULL : said(rspamd, reply);
    uint64_t seconds = 0;

    if (why != NULL)
        (void)snprintf(rspamd->trouble, sizeof(rspamd->trouble), "%s", why);
    else if (reply != NULL && reply->type == REDIS_REPLY_STRING)
        seconds = strtoull(reply->str, NULL, 10);
    freeReplyObject(reply);
    return seconds;
}

// FNV-1a, 64 bits.
static uint64_t hash_of(const char *key)
{
    uint64_t hash = 14695981039346656037ULL;

    for (; *key != '\0'; key++)
        hash = (hash ^ (uint8_t)*key) * 1099511628211ULL;
    return hash != 0 ? hash : 1;
}

// place_of: where a hash is, or would be.
static uint64_t *place_of(const struct rspamd *rspamd, uint64_t hash)
{
    size_t at = (size_t)hash & (rspamd->used_size - 1);

    while (rspamd->used[at] != 0 && rspamd->used[at] != hash)
        at = (at + 1) & (rspamd->used_size - 1);
    return &rspamd->used[at];
}

static void grow_used(struct rspamd *rspamd)
{
    uint64_t *old = rspamd->used;
    size_t old_size = rspamd->used_size;

    rspamd->used_size = old_size == 0 ? 1024 : 2 * old_size;
    rspamd->used = mem_new_array(rspamd->used_size, sizeof(*rspamd->used));
    for (size_t i = 0; i < old_size; i++) {
        if (old[i] != 0)
            *place_of(rspamd, old[i]) = old[i];
    }
    mem_free(old);
}

static void note_used(struct rspamd *rspamd, const char *key)
{
    uint64_t hash = hash_of(key);
    uint64_t *place;

    if (2 * rspamd->import.keys_used >= rspamd->used_size)
        grow_used(rspamd);
    place = place_of(rspamd, hash);
    rspamd->import.keys_used += *place == 0;
    *place = hash;
}

static void take_all(struct import *import, const struct queue_mail *mail)
{
    struct import_row row = {
        .at_ms = mail->at_ms, .client = mail->client, .name = mail->name, .sender = mail->sender};

    for (size_t i = 0; i < mail->count; i++) {
        row.recipient = mail->recipient[i];
        import_take(import, &row);
    }
}

static void judge(struct rspamd *rspamd, const struct queue_mail *mail)
{
    struct import *import = &rspamd->import;
    struct rspamd_envelope envelope = {.sender = mail->sender,
                                       .client = mail->client,
                                       .recipient = mail->recipient,
                                       .count = mail->count};
    char key[RSPAMD_KEY_MAX];
    uint64_t since_s = 0;

    if (rspamd_key(import->options.prefix, &envelope, key))
        since_s = first_seen(rspamd, key);
    if (since_s == 0)
        import_leave(import, IMPORT_NO_KEY, mail->sender);
    else if (mail->at_ms / 1000 < since_s + import->options.timeout_s)
        import_leave(import, IMPORT_PENDING, mail->sender);
    else
        take_all(import, mail);
    if (since_s != 0)
        note_used(rspamd, key);
}

static void take_mail(void *arg, const struct queue_mail *mail)
{
    struct rspamd *rspamd = arg;
    struct import *import = &rspamd->import;

    if (mail->is_own)
        import_leave(import, IMPORT_OUTBOUND, mail->recipient[0]);
    else if (mail->is_returned)
        import_leave(import, IMPORT_RETURNED, mail->recipient[0]);
    else if (mail->client == NULL || mail->sender == NULL)
        import_leave(import, IMPORT_NO_LOG, mail->recipient[0]);
    else
        judge(rspamd, mail);
}

// ---- counting

// read_page: one page of SCAN; false at the end, or when it cannot be read (trouble).
static bool read_page(struct rspamd *rspamd, const char *pattern, char cursor[32])
{
    const char *argv[] = {"SCAN", cursor, "MATCH", pattern, "COUNT", "1000"};
    redisReply *reply = redisCommandArgv(rspamd->redis, 6, argv, NULL);
    const char *why = said(rspamd, reply);
    bool goes_on = false;

    if (why != NULL) {
        (void)snprintf(rspamd->trouble, sizeof(rspamd->trouble), "%s", why);
    } else if (reply->type == REDIS_REPLY_ARRAY && reply->elements == 2 &&
               reply->element[0]->type == REDIS_REPLY_STRING &&
               reply->element[1]->type == REDIS_REPLY_ARRAY) {
        rspamd->import.keys += reply->element[1]->elements;
        (void)snprintf(cursor, 32, "%s", reply->element[0]->str);
        goes_on = strcmp(cursor, "0") != 0;
    }
    freeReplyObject(reply);
    return goes_on;
}

// count_keys: of envelopes. SCAN may give a key twice; it is a hint and no more.
static void count_keys(struct rspamd *rspamd)
{
    char pattern[RSPAMD_KEY_MAX + 8];
    char cursor[32] = "0";

    (void)snprintf(pattern, sizeof(pattern), "%.64sm*", rspamd->import.options.prefix);
    while (read_page(rspamd, pattern, cursor) && import_goes_on(&rspamd->import, 0, 0))
        continue;
    if (rspamd->import.keys < rspamd->import.keys_used)
        rspamd->import.keys = rspamd->import.keys_used;
}

static int read_all(struct rspamd *rspamd, const char *url)
{
    const struct logs_how how = {.want_tasks = true, .tell = take_mail, .arg = &rspamd->import};
    const struct arg_texts *log = &rspamd->import.options.log;
    int code = connect_to(rspamd, url);

    if (code == CTL_FINE)
        code = logs_read(&rspamd->import, log->text, log->count, &how);
    if (code == CTL_FINE && rspamd->trouble[0] == '\0')
        count_keys(rspamd);
    if (code == CTL_FINE && rspamd->trouble[0] != '\0')
        code = import_fail(&rspamd->import, "rspamd's Redis: %s", rspamd->trouble);
    return code;
}

int import_rspamd(struct import *import, char **sources, int count)
{
    struct rspamd rspamd = {.import = *import};
    int code;

    (void)count; // one, as the command says
    if (import->options.log.count == 0)
        return import_fail(import, "--log is missing: rspamd stores hashes, so the mail must come "
                                   "from a log (Postfix' or rspamd's own)");
    code = read_all(&rspamd, sources[0]);
    if (rspamd.redis != NULL)
        redisFree(rspamd.redis);
    mem_free(rspamd.used);
    *import = rspamd.import;
    return code;
}
