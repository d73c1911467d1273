// volume.c: how much mail comes of an entity: counted in the node, written once a second where something is kept of it, or where it sent
// VOLUME_LEAST mails within the hour. Promises: nobody waits; counts are bounded, and go with their hour.
#include <hiredis/hiredis.h>
#include <string.h>

#include "node/store/inside.h"
#include "node/store/reply.h"
#include "node/store/reputation.h"
#include "proto/base/mem.h"

static const uint64_t HOUR_MS = 3600ULL * 1000;

struct volume {
    struct volume *next;
    struct reputation_level_settings level;
    uint64_t hour;
    unsigned mails;   // within the hour
    unsigned waiting; // of these, not written
    unsigned asked;   // mails, when the store was asked last: it is asked again when there are more
    bool is_sent;     // a batch has it: it must stay
    char key[];
};

static struct volume **chain_of(struct volumes *volumes, const char *key)
{
    uint64_t hash = 14695981039346656037U;

    for (const char *at = key; *at != '\0'; at++)
        hash = (hash ^ (uint8_t)*at) * 1099511628211U;
    return &volumes->chain[(hash ^ hash >> 32) % VOLUME_CHAINS];
}

static struct volume *volume_new(struct volumes *volumes, const char *key)
{
    const size_t size = strlen(key) + 1;
    struct volume *volume = mem_new(sizeof(*volume) + size);
    struct volume **chain = chain_of(volumes, key);

    memcpy(volume->key, key, size);
    volume->next = *chain;
    *chain = volume;
    volumes->count++;
    return volume;
}

void store_reputation_volume(struct store *store, const struct reputation_id *id, unsigned mails,
                             const struct reputation_level_settings *level)
{
    struct volumes *volumes = &store->reputing.volumes;
    const uint64_t hour = store_now_ms(store) / HOUR_MS;
    char key[REPUTATION_KEY_MAX];

    if (reputation_is_empty(store))
        return;
    (void)reputation_key(id, key);
    struct volume *volume = *chain_of(volumes, key);

    while (volume != NULL && strcmp(volume->key, key) != 0)
        volume = volume->next;
    if (volume == NULL && volumes->count == VOLUMES_MAX)
        return; // there is room again within the hour
    if (volume == NULL)
        volume = volume_new(volumes, key);
    if (volume->hour != hour)
        volume->mails = volume->waiting = volume->asked = 0;
    volume->hour = hour;
    volume->level = *level;
    volume->mails += mails;
    volume->waiting += mails;
}

// ---- writing

struct batch {
    struct volume *volume[CLIMB_BATCH];
    unsigned mails[CLIMB_BATCH];
    unsigned count, at;
};

static void got_volume(struct store *store, struct op *op, const struct redisReply *reply)
{
    struct batch *batch = op->work;
    struct volume *volume = batch->volume[batch->at];
    const unsigned mails = batch->mails[batch->at++];

    if (reply_state(reply) == STORE_NOSCRIPT) { // nothing was done: again, whole
        reputation_unname(store);
        volume->asked = 0;
    }
    if (reply->type == REDIS_REPLY_ERROR)
        return;
    if (!reply_is_integer(reply))
        store_note_garbage(store, op);
    else if (reply->integer == 1) // its hour may have ended meanwhile
        volume->waiting -= mails < volume->waiting ? mails : volume->waiting;
}

static void go_on(struct store *store);

static void end_volumes(struct store *store, struct op *op)
{
    struct batch *batch = op->work;

    if (op->state != STORE_UP && op->state != STORE_NOSCRIPT)
        store->counters.lost_writes++;
    for (unsigned i = 0; i < batch->count; i++)
        batch->volume[i]->is_sent = false;
    mem_free(batch);
    store->reputing.volumes.batches--;
    if (!store->is_closing)
        go_on(store);
}

static const struct op_kind VOLUMES = {got_volume, end_volumes};

static void send_batch(struct store *store, struct batch *batch)
{
    const uint32_t now_s = (uint32_t)(store_now_ms(store) / 1000);
    const struct script_how how = reputation_how(store);
    enum store_state why = STORE_UP;
    struct op *op = op_begin(store->ops, store->lane[STORE_ADMIN], &VOLUMES, batch->count, &why);

    if (op == NULL) {
        mem_free(batch);
        return;
    }
    op->work = batch;
    store->reputing.volumes.batches++;
    for (unsigned i = 0; i < batch->count; i++) {
        struct volume *volume = batch->volume[i];
        const struct script_volume said = {volume->waiting, now_s, volume->mails >= VOLUME_LEAST};
        struct resp resp;

        batch->mails[i] = volume->waiting;
        volume->asked = volume->mails;
        volume->is_sent = true;
        script_put_volume(&resp, volume->key, &volume->level, &said, &how);
        op_send(store->ops, op, store->lane[STORE_ADMIN], &resp);
    }
}

static bool is_due(const struct volume *volume)
{
    return volume->waiting > 0 && volume->asked != volume->mails && !volume->is_sent;
}

// One chain: what is over goes, what is due joins the batch, which is sent when it is full.
static struct batch *look(struct store *store, struct volume **at, uint64_t hour,
                          struct batch *batch)
{
    while (*at != NULL) {
        struct volume *volume = *at;

        if (volume->hour != hour && !volume->is_sent) {
            *at = volume->next;
            mem_free(volume);
            store->reputing.volumes.count--;
            continue;
        }
        if (is_due(volume)) {
            if (batch == NULL)
                batch = mem_new(sizeof(*batch));
            batch->volume[batch->count++] = volume;
        }
        if (batch != NULL && batch->count == CLIMB_BATCH) {
            send_batch(store, batch);
            batch = NULL;
        }
        at = &volume->next;
    }
    return batch;
}

static void go_on(struct store *store)
{
    struct volumes *volumes = &store->reputing.volumes;
    const uint64_t hour = store_now_ms(store) / HOUR_MS;
    struct batch *batch = NULL;

    while (volumes->left > 0 && volumes->count > 0 && volumes->batches < VOLUME_BATCHES)
        batch = look(store, &volumes->chain[--volumes->left], hour, batch);
    if (batch != NULL)
        send_batch(store, batch);
}

// Where one second is not enough for all of it, the next second's writing begins when that is done.
void volumes_flush(struct store *store)
{
    if (store->reputing.volumes.left == 0)
        store->reputing.volumes.left = VOLUME_CHAINS;
    go_on(store);
}

void volumes_clear(struct volumes *volumes)
{
    for (unsigned i = 0; i < VOLUME_CHAINS; i++) {
        while (volumes->chain[i] != NULL) {
            struct volume *volume = volumes->chain[i];

            volumes->chain[i] = volume->next;
            mem_free(volume);
        }
    }
    volumes->count = 0;
}
