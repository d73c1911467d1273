// retry.c: counts by slice. Promises: what cannot be sent now is kept and sent later, for up to
// RETRY_SLICES_MAX slices; nobody waits. These are numbers for people: nothing is decided by them.
#include "node/store/retry.h"

#include <inttypes.h>
#include <stdio.h>

#include "node/store/inside.h"
#include "node/store/reply.h"

enum { RETRY_NAME_MAX = 64 };
#define RETRY_KEEP_MS (7ULL * 24 * 3600 * 1000)

static void name_of(const struct retry_counts *counts, char out[RETRY_NAME_MAX])
{
    (void)snprintf(out, RETRY_NAME_MAX, "c:retry:{%" PRIu64 ":%" PRIu64 "}", counts->slice_ms,
                   counts->slice);
}

static struct retry_counts *find(struct retry *retry, uint64_t slice, uint64_t slice_ms)
{
    for (unsigned i = 0; i < retry->count; i++) {
        if (retry->waiting[i].slice == slice && retry->waiting[i].slice_ms == slice_ms)
            return &retry->waiting[i];
    }
    if (retry->count == RETRY_SLICES_MAX)
        return NULL;
    struct retry_counts *fresh = &retry->waiting[retry->count++];

    *fresh = (struct retry_counts){.slice = slice, .slice_ms = slice_ms};
    return fresh;
}

void store_count_retry(struct store *store, uint64_t slice, uint64_t slice_ms, unsigned first_tries,
                       unsigned passes)
{
    struct retry_counts *counts = find(&store->retry, slice, slice_ms);

    store->retry.slice_ms = slice_ms;
    if (counts == NULL) {
        store->counters.lost_writes++;
        return;
    }
    counts->first_tries += first_tries;
    counts->passes += passes;
}

static void send_count(struct store *store, const char *name, const char *field, uint64_t number)
{
    struct resp resp;

    if (number == 0)
        return;
    resp_begin(&resp, "HINCRBY");
    resp_text(&resp, name);
    resp_text(&resp, field);
    resp_number(&resp, number);
    store_send(store, &resp);
}

void retry_flush(struct store *store)
{
    struct retry *retry = &store->retry;
    char name[RETRY_NAME_MAX];
    struct resp resp;

    if (redis_state(store->lane[STORE_LOOKUPS]) != STORE_UP)
        return;
    for (unsigned i = 0; i < retry->count; i++) {
        const struct retry_counts *counts = &retry->waiting[i];

        name_of(counts, name);
        send_count(store, name, "first", counts->first_tries);
        send_count(store, name, "pass", counts->passes);
        if (store_keeps_expiry(store)) {
            store_put_expiry(&resp, name, (counts->slice + 2) * counts->slice_ms + RETRY_KEEP_MS);
            store_send(store, &resp);
        }
    }
    retry->count = 0;
}

// ---- reading

static void got_counts(void *arg, uint64_t slice, const struct redisReply *reply)
{
    struct store *store = arg;
    struct retry_counts counts = {.slice = slice, .slice_ms = store->retry.slice_ms};

    store_note_error(store, reply_state(reply), reply);
    if (!reply_is_array(reply, 2))
        return;
    (void)reply_number(reply->element[0], &counts.first_tries); // what is absent stays 0
    (void)reply_number(reply->element[1], &counts.passes);
    store->retry.whole = counts;
    store->retry.known = true;
}

void retry_ask(struct store *store)
{
    uint64_t slice_ms = store->retry.slice_ms;
    uint64_t now_ms = store_now_ms(store);
    struct resp resp;

    if (slice_ms == 0 || now_ms / slice_ms < 2)
        return;
    // A first try of this slice may still pass for a whole window after the slice's end.
    struct retry_counts asked = {.slice = now_ms / slice_ms - 2, .slice_ms = slice_ms};
    struct redis_wait wait = {.fn = got_counts, .arg = store, .tag = asked.slice};
    char name[RETRY_NAME_MAX];

    name_of(&asked, name);
    resp_begin(&resp, "HMGET");
    resp_text(&resp, name);
    resp_text(&resp, "first");
    resp_text(&resp, "pass");
    if (redis_state(store->lane[STORE_LOOKUPS]) == STORE_UP)
        redis_send(store->lane[STORE_LOOKUPS], &resp, wait); // asked again in a minute
}

bool store_retry_counts(const struct store *store, struct retry_counts *out)
{
    if (!store->retry.known)
        return false;
    *out = store->retry.whole;
    return true;
}
