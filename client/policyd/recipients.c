// recipients.c: a hash table of transactions, and a list of them from the one that gives way first
// to the one that was touched last. Promises: no more memory than it was given room for; a
// transaction is all there or not at all.
#include "client/policyd/recipients.h"

#include <assert.h>
#include <string.h>
#include <sys/queue.h>

#include "proto/base/mem.h"

enum {
    BUCKETS = 4096,
    NAMES_BYTES_MIN = 64,         // a transaction's first room
    NAMES_BYTES_MAX = 512 * 1024, // a power of two, above MSG_RECIPIENTS_MAX names
};

_Static_assert(MSG_RECIPIENTS_MAX *(MSG_ADDRESS_MAX + 1) <= NAMES_BYTES_MAX,
               "a transaction's names fit into its room");

struct transaction {
    TAILQ_ENTRY(transaction) in_order; // of giving way, or of those that are free
    LIST_ENTRY(transaction) in_bucket;
    uint64_t key;
    uint64_t touched_ms;
    uint64_t accepted; // answers; a recipient that was asked twice counts twice, as in Postfix
    char *names;       // count of them, each with its NUL
    size_t used;
    size_t room;
    uint32_t count;
    bool is_partial; // one more was accepted than can be named
    bool is_left;
};

TAILQ_HEAD(order, transaction);
LIST_HEAD(bucket, transaction);

struct recipients {
    struct transaction *rows;
    struct order order;
    struct order unused;
    struct bucket bucket[BUCKETS];
    size_t bytes_max;
    struct recipients_counters counters;
};

struct recipients *recipients_new(size_t transactions, size_t bytes)
{
    struct recipients *recipients = mem_new(sizeof(*recipients));

    assert(bytes >= NAMES_BYTES_MAX);
    recipients->bytes_max = bytes;
    recipients->rows = mem_new_array(transactions, sizeof(*recipients->rows));
    TAILQ_INIT(&recipients->order);
    TAILQ_INIT(&recipients->unused);
    for (size_t i = 0; i < transactions; i++)
        TAILQ_INSERT_TAIL(&recipients->unused, &recipients->rows[i], in_order);
    return recipients;
}

static void forget(struct recipients *recipients, struct transaction *transaction)
{
    recipients->counters.bytes -= transaction->room;
    recipients->counters.transactions--;
    TAILQ_REMOVE(&recipients->order, transaction, in_order);
    LIST_REMOVE(transaction, in_bucket);
    mem_free(transaction->names);
    memset(transaction, 0, sizeof(*transaction));
    TAILQ_INSERT_HEAD(&recipients->unused, transaction, in_order);
}

void recipients_free(struct recipients **recipients)
{
    if (*recipients == NULL)
        return;
    while (!TAILQ_EMPTY(&(*recipients)->order))
        forget(*recipients, TAILQ_FIRST(&(*recipients)->order));
    mem_free((*recipients)->rows);
    mem_free(*recipients);
    *recipients = NULL;
}

const struct recipients_counters *recipients_counters(const struct recipients *recipients)
{
    return &recipients->counters;
}

// FNV-1a: names a transaction well enough to see that it is the same one as before. Postfix makes
// the instance, so nobody chooses collisions.
uint64_t recipients_key(const char *instance)
{
    uint64_t hash = 0xcbf29ce484222325U;

    if (instance[0] == '\0')
        return 0;
    for (; *instance != '\0'; instance++)
        hash = (hash ^ (unsigned char)*instance) * 0x100000001b3U;
    return hash == 0 ? 1 : hash;
}

// ---- transactions

static bool is_over(const struct transaction *transaction, uint64_t now_ms)
{
    return now_ms - transaction->touched_ms > RECIPIENTS_LIFE_MS;
}

static struct bucket *bucket_of(struct recipients *recipients, uint64_t key)
{
    return &recipients->bucket[(size_t)(key >> 32) % BUCKETS]; // the upper half mixes best in FNV
}

static struct transaction *look_up(struct recipients *recipients, uint64_t key)
{
    struct transaction *found = NULL;

    LIST_FOREACH(found, bucket_of(recipients, key), in_bucket)
    {
        if (found->key == key)
            return found;
    }
    return NULL;
}

// find: NULL if there is none, or it is over.
static struct transaction *find(struct recipients *recipients, uint64_t key, uint64_t now_ms)
{
    struct transaction *found = look_up(recipients, key);

    if (found == NULL || !is_over(found, now_ms))
        return found;
    forget(recipients, found);
    return NULL;
}

static void give_way(struct recipients *recipients, uint64_t now_ms)
{
    struct transaction *first = TAILQ_FIRST(&recipients->order);

    if (!first->is_left && !is_over(first, now_ms))
        recipients->counters.pushed_out++;
    forget(recipients, first);
}

static void touch(struct recipients *recipients, struct transaction *transaction, uint64_t now_ms)
{
    transaction->touched_ms = now_ms;
    transaction->is_left = false;
    TAILQ_REMOVE(&recipients->order, transaction, in_order);
    TAILQ_INSERT_TAIL(&recipients->order, transaction, in_order);
}

static struct transaction *begin(struct recipients *recipients, uint64_t key, uint64_t now_ms)
{
    struct transaction *transaction = NULL;

    if (TAILQ_EMPTY(&recipients->unused))
        give_way(recipients, now_ms);
    transaction = TAILQ_FIRST(&recipients->unused);
    TAILQ_REMOVE(&recipients->unused, transaction, in_order);
    transaction->key = key;
    transaction->touched_ms = now_ms;
    TAILQ_INSERT_TAIL(&recipients->order, transaction, in_order);
    LIST_INSERT_HEAD(bucket_of(recipients, key), transaction, in_bucket);
    recipients->counters.transactions++;
    return transaction;
}

// ---- names

static const char *next_name(const char *name)
{
    return name + strlen(name) + 1;
}

static bool is_named(const struct transaction *transaction, const char *recipient)
{
    const char *name = transaction->names;

    for (uint32_t i = 0; i < transaction->count; i++, name = next_name(name)) {
        if (strcmp(name, recipient) == 0)
            return true;
    }
    return false;
}

// make_room: for so many more bytes of names. The transaction itself was touched last, so it is the
// last that could give way, and there is always room for one.
static void make_room(struct recipients *recipients, struct transaction *transaction, size_t bytes,
                      uint64_t now_ms)
{
    size_t room = transaction->room != 0 ? transaction->room : NAMES_BYTES_MIN;

    while (room < transaction->used + bytes)
        room *= 2;
    if (room == transaction->room)
        return;
    while (recipients->counters.bytes - transaction->room + room > recipients->bytes_max)
        give_way(recipients, now_ms);
    recipients->counters.bytes += room - transaction->room;
    transaction->names = mem_grow(transaction->names, room, 1);
    transaction->room = room;
}

static void add_name(struct recipients *recipients, struct transaction *transaction,
                     const char *recipient, uint64_t now_ms)
{
    size_t bytes = strlen(recipient) + 1;

    if (transaction->count == MSG_RECIPIENTS_MAX || bytes > MSG_ADDRESS_MAX + 1) {
        transaction->is_partial = true;
        return;
    }
    make_room(recipients, transaction, bytes, now_ms);
    memcpy(transaction->names + transaction->used, recipient, bytes);
    transaction->used += bytes;
    transaction->count++;
}

// ---- what sessions ask

uint32_t recipients_count(struct recipients *recipients, uint64_t key, const char *recipient,
                          uint64_t now_ms)
{
    const struct transaction *transaction = find(recipients, key, now_ms);

    if (key == 0)
        return 0;
    if (transaction == NULL)
        return 1;
    return transaction->count + (is_named(transaction, recipient) ? 0 : 1);
}

void recipients_accept(struct recipients *recipients, uint64_t key, const char *recipient,
                       uint64_t now_ms)
{
    struct transaction *transaction = NULL;

    if (key == 0)
        return;
    transaction = find(recipients, key, now_ms);
    if (transaction == NULL)
        transaction = begin(recipients, key, now_ms);
    touch(recipients, transaction, now_ms);
    transaction->accepted++;
    if (!is_named(transaction, recipient))
        add_name(recipients, transaction, recipient, now_ms);
}

size_t recipients_all(struct recipients *recipients, uint64_t key, uint64_t count,
                      const char *out[MSG_RECIPIENTS_MAX], uint64_t now_ms)
{
    const struct transaction *transaction = find(recipients, key, now_ms);
    const char *name = NULL;

    if (transaction == NULL || transaction->is_partial || transaction->accepted < count) {
        recipients->counters.missing++;
        return 0;
    }
    name = transaction->names;
    for (uint32_t i = 0; i < transaction->count; i++, name = next_name(name))
        out[i] = name;
    return transaction->count;
}

void recipients_left(struct recipients *recipients, uint64_t key)
{
    struct transaction *transaction = look_up(recipients, key);

    if (transaction == NULL)
        return;
    transaction->is_left = true;
    TAILQ_REMOVE(&recipients->order, transaction, in_order);
    TAILQ_INSERT_HEAD(&recipients->order, transaction, in_order);
}

void recipients_end(struct recipients *recipients, uint64_t key)
{
    struct transaction *transaction = look_up(recipients, key);

    if (transaction != NULL)
        forget(recipients, transaction);
}
