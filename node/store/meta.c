// meta.c: reads meta and judges it. Promises: pure; a store that is not ours is never written to.
#include "node/store/meta.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "node/store/reply.h"

// ---- one format, its writer and its reader

void meta_put_epoch(struct meta_field *field, unsigned number, const struct key_epoch *epoch)
{
    char check[17];

    key_epoch_check(epoch, check);
    (void)snprintf(field->name, sizeof(field->name), "epoch:%u", number);
    (void)snprintf(field->value, sizeof(field->value), "%" PRIu64 " %" PRIu32 " %s",
                   epoch->since_ms, epoch->buckets, check);
}

void meta_put_secret(struct meta_field *field, unsigned number,
                     const uint8_t secret[KEY_SECRET_BYTES])
{
    (void)snprintf(field->name, sizeof(field->name), "secret:%u", number);
    secret_to_hex(secret, field->value);
}

static bool read_epoch(const char *text, struct meta_epoch *out)
{
    char rest[8];
    uint64_t since_ms = 0;
    uint32_t buckets = 0;
    char check[17];

    if (sscanf(text, "%" SCNu64 " %" SCNu32 " %16[0-9a-f]%7s", &since_ms, &buckets, check, rest) !=
            3 ||
        strlen(check) != 16 || buckets == 0 || buckets > META_BUCKETS_MAX ||
        (buckets & (buckets - 1)) != 0)
        return false;
    out->is_open = true;
    out->epoch.since_ms = since_ms;
    out->epoch.buckets = buckets;
    memcpy(out->check, check, sizeof(check));
    return true;
}

// The entry of that number, made if it is not there, in rising order. NULL: too many.
static struct meta_epoch *entry(struct meta_view *view, unsigned number)
{
    unsigned at = 0;

    while (at < view->count && view->epoch[at].number < number)
        at++;
    if (at < view->count && view->epoch[at].number == number)
        return &view->epoch[at];
    if (view->count == META_EPOCHS_MAX)
        return NULL;
    memmove(&view->epoch[at + 1], &view->epoch[at], (view->count - at) * sizeof(view->epoch[0]));
    view->count++;
    view->epoch[at] = (struct meta_epoch){.number = number};
    return &view->epoch[at];
}

// "epoch:12" with prefix "epoch:" is 12.
static bool numbered(const char *name, const char *prefix, unsigned *number)
{
    uint64_t value = 0;
    size_t len = strlen(prefix);

    if (strncmp(name, prefix, len) != 0 || !reply_number_parse(name + len, &value) ||
        value > 1000000)
        return false;
    *number = (unsigned)value;
    return true;
}

// What a later version adds is not for us, and does no harm.
static bool read_field(struct meta_view *view, const char *name, const char *value)
{
    unsigned number = 0;
    struct meta_epoch *at = NULL;

    if (strcmp(name, "format") == 0) {
        view->has_format = true;
        return reply_number_parse(value, &view->format);
    }
    if (numbered(name, "epoch:", &number)) {
        at = entry(view, number);
        return at != NULL && read_epoch(value, at);
    }
    if (numbered(name, "secret:", &number)) {
        at = entry(view, number);
        if (at == NULL || !secret_from_hex(value, at->epoch.secret))
            return false;
        at->has_secret = true;
    }
    return true;
}

bool meta_read(const struct redisReply *reply, struct meta_view *view, char *why, size_t why_size)
{
    *view = (struct meta_view){.count = 0};
    if (reply->type != REDIS_REPLY_ARRAY || reply->elements % 2 != 0) {
        (void)snprintf(why, why_size, "the key 'meta' is no hash");
        return false;
    }
    for (size_t i = 0; i < reply->elements; i += 2) {
        const struct redisReply *name = reply->element[i];
        const struct redisReply *value = reply->element[i + 1];

        if (!reply_is_text(name) || !reply_is_text(value) ||
            !read_field(view, name->str, value->str)) {
            (void)snprintf(why, why_size,
                           "the field '%.40s' of the key 'meta' is not of our format: give this "
                           "cluster a Redis of its own",
                           reply_is_text(name) ? name->str : "?");
            return false;
        }
    }
    return true;
}

// ---- judging

static const struct meta_epoch *newest(const struct meta_view *view)
{
    const struct meta_epoch *found = NULL;

    for (unsigned i = 0; i < view->count; i++)
        found = view->epoch[i].is_open ? &view->epoch[i] : found;
    return found;
}

static const struct meta_epoch *oldest(const struct meta_view *view)
{
    for (unsigned i = 0; i < view->count; i++) {
        if (view->epoch[i].is_open)
            return &view->epoch[i];
    }
    return NULL;
}

static void judge_foreign(struct meta_judgement *out)
{
    out->verdict = META_FOREIGN;
}

static bool is_known(const struct meta_view *view, const struct key_epoch *epoch)
{
    char check[17];

    key_epoch_check(epoch, check);
    for (unsigned i = 0; i < view->count; i++) {
        if (view->epoch[i].is_open && strcmp(view->epoch[i].check, check) == 0)
            return true;
    }
    return false;
}

static struct meta_field *add_field(struct meta_judgement *out)
{
    out->verdict = META_MISSING;
    return &out->field[out->field_count++];
}

// An epoch of ours that the store does not have: added after its newest, passed over if the store
// has dropped that old one; anything else contradicts what is there.
static void judge_missing(const struct meta *meta, const struct meta_view *view,
                          const struct key_epoch *epoch, uint64_t now_ms,
                          struct meta_judgement *out)
{
    const struct meta_epoch *last = newest(view);
    unsigned number = (last != NULL ? last->number + 1 : 0) + out->field_count;
    char check[17];

    key_epoch_check(epoch, check);
    if (last != NULL && epoch->since_ms < oldest(view)->epoch.since_ms)
        return;
    if (last != NULL && epoch->since_ms <= last->epoch.since_ms) {
        (void)snprintf(
            out->why, sizeof(out->why),
            "our secret (check value %s) is not the store's (%s): give every node of the "
            "cluster the same secret_file, or this one a Redis of its own",
            check, last->check);
        judge_foreign(out);
    } else if (last != NULL && meta->ring.count == 0 && epoch->since_ms < now_ms) {
        (void)snprintf(out->why, sizeof(out->why),
                       "the moment of a new secret (check value %s) in %s has passed: name one in "
                       "the future",
                       check, meta->file.path);
        judge_foreign(out);
    } else {
        meta_put_epoch(add_field(out), number, epoch);
    }
}

// The ring that this node has used, or else what its secret_file says, must be there.
static void judge_ours(const struct meta *meta, const struct meta_view *view, uint64_t now_ms,
                       struct meta_judgement *out)
{
    unsigned count = meta->ring.count > 0 ? meta->ring.count : meta->file.count;

    for (unsigned i = 0; i < count && out->verdict != META_FOREIGN; i++) {
        struct key_epoch epoch = {.since_ms = meta->file.line[i].since_ms,
                                  .buckets = meta->buckets};

        memcpy(epoch.secret, meta->file.line[i].secret, sizeof(epoch.secret));
        if (meta->ring.count > 0)
            epoch = meta->ring.epoch[i];
        if (!is_known(view, &epoch))
            judge_missing(meta, view, &epoch, now_ms, out);
    }
}

// A secret that is kept in the store must be there beside its epoch: puts it back, unless somebody
// else's stands there.
static void judge_kept_secret(const struct meta_epoch *there, unsigned number,
                              const struct key_epoch *ours, struct meta_judgement *out)
{
    if (there == NULL || !there->has_secret) {
        meta_put_secret(add_field(out), number, ours->secret);
    } else if (memcmp(there->epoch.secret, ours->secret, sizeof(ours->secret)) != 0) {
        (void)snprintf(out->why, sizeof(out->why),
                       "it was emptied, and another node begins it anew with another secret: "
                       "restart this node to join");
        judge_foreign(out);
    }
}

static const struct meta_epoch *find_number(const struct meta_view *view, unsigned number)
{
    for (unsigned i = 0; i < view->count; i++) {
        if (view->epoch[i].number == number)
            return &view->epoch[i];
    }
    return NULL;
}

// A store that was emptied under a running cluster gets back what was kept in it: secrets first, so
// that an epoch never stands there without its secret.
static void judge_emptied(const struct meta *meta, const struct meta_view *view,
                          struct meta_judgement *out)
{
    const struct key_ring *ring = &meta->ring;

    for (unsigned i = 0; i < ring->count && meta->file.count == 0; i++) {
        if (out->verdict != META_FOREIGN)
            judge_kept_secret(find_number(view, i), i, &ring->epoch[i], out);
    }
    for (unsigned i = 0; i < ring->count && out->verdict != META_FOREIGN; i++)
        meta_put_epoch(add_field(out), i, &ring->epoch[i]);
}

// Nothing there yet and no secret of ours: first a secret, then, when it was read back, the epoch
// that is named after it.
static void judge_fresh(const struct meta *meta, const struct meta_view *view,
                        const uint8_t fresh[KEY_SECRET_BYTES], struct meta_judgement *out)
{
    struct key_epoch epoch = {.since_ms = 0, .buckets = meta->buckets};

    if (view->count == 0) {
        meta_put_secret(add_field(out), 0, fresh);
        return;
    }
    memcpy(epoch.secret, view->epoch[0].epoch.secret, sizeof(epoch.secret));
    meta_put_epoch(add_field(out), view->epoch[0].number, &epoch);
}

static bool take_secret(struct key_epoch *epoch, const char *check,
                        const uint8_t secret[KEY_SECRET_BYTES])
{
    struct key_epoch with = *epoch;
    char found[17];

    memcpy(with.secret, secret, sizeof(with.secret));
    key_epoch_check(&with, found);
    if (strcmp(found, check) != 0)
        return false;
    *epoch = with;
    return true;
}

// The secret of an epoch, from wherever we have it.
static bool find_secret(const struct meta *meta, const struct meta_epoch *entry_of,
                        struct key_epoch *epoch)
{
    if (entry_of->has_secret && take_secret(epoch, entry_of->check, entry_of->epoch.secret))
        return true;
    for (unsigned i = 0; i < meta->file.count; i++) {
        if (take_secret(epoch, entry_of->check, meta->file.line[i].secret))
            return true;
    }
    for (unsigned i = 0; i < meta->ring.count; i++) {
        if (take_secret(epoch, entry_of->check, meta->ring.epoch[i].secret))
            return true;
    }
    return false;
}

static void judge_unknown_secret(const struct meta *meta, const struct meta_epoch *unknown,
                                 uint64_t now_ms, struct meta_judgement *out)
{
    bool is_future = unknown->epoch.since_ms > now_ms;

    (void)snprintf(is_future ? out->warning : out->why, sizeof(out->why),
                   "the store's secret with check value %s %s is not known here: %s",
                   unknown->check, is_future ? "(not in force yet)" : "(in force)",
                   meta->file.count > 0 ? "add it to secret_file and restart this node"
                                        : "set secret_file, as the other nodes have");
    if (!is_future)
        judge_foreign(out);
}

static void add_to_ring(struct meta_judgement *out, const struct key_epoch *epoch, unsigned number)
{
    struct key_ring *ring = &out->ring;

    if (ring->count == KEY_EPOCH_MAX) { // only the newest can still name a slice
        memmove(&ring->epoch[0], &ring->epoch[1], (KEY_EPOCH_MAX - 1) * sizeof(ring->epoch[0]));
        memmove(&out->number[0], &out->number[1], (KEY_EPOCH_MAX - 1) * sizeof(out->number[0]));
        ring->count--;
    }
    out->number[ring->count] = number;
    ring->epoch[ring->count++] = *epoch;
}

static void make_ring(const struct meta *meta, const struct meta_view *view, uint64_t now_ms,
                      struct meta_judgement *out)
{
    for (unsigned i = 0; i < view->count && out->verdict != META_FOREIGN; i++) {
        const struct meta_epoch *from = &view->epoch[i];
        struct key_epoch epoch = from->epoch;

        if (!from->is_open)
            continue;
        if (find_secret(meta, from, &epoch))
            add_to_ring(out, &epoch, from->number);
        else
            judge_unknown_secret(meta, from, now_ms, out);
    }
}

// The format comes last: where it stands, an epoch stands, too.
static bool adds_epoch(const struct meta_judgement *out)
{
    return out->field_count > 0 &&
           strncmp(out->field[out->field_count - 1].name, "epoch:", strlen("epoch:")) == 0;
}

static void add_format(struct meta_judgement *out)
{
    struct meta_field *field = add_field(out);

    (void)snprintf(field->name, sizeof(field->name), "format");
    (void)snprintf(field->value, sizeof(field->value), "%d", META_FORMAT);
}

void meta_judge(const struct meta *meta, const struct redisReply *reply,
                const uint8_t fresh[KEY_SECRET_BYTES], uint64_t now_ms, struct meta_judgement *out)
{
    struct meta_view view;

    *out = (struct meta_judgement){.verdict = META_FINE};
    if (!meta_read(reply, &view, out->why, sizeof(out->why))) {
        judge_foreign(out);
        return;
    }
    if (view.has_format && view.format != META_FORMAT) {
        (void)snprintf(out->why, sizeof(out->why),
                       "its format is %" PRIu64 ", this version reads %d: upgrade this node",
                       view.format, META_FORMAT);
        judge_foreign(out);
        return;
    }
    if (newest(&view) != NULL || meta->ring.count == 0)
        judge_ours(meta, &view, now_ms, out);
    else
        judge_emptied(meta, &view, out);
    if (out->verdict == META_FINE && newest(&view) == NULL)
        judge_fresh(meta, &view, fresh, out);
    if (out->verdict == META_FINE)
        make_ring(meta, &view, now_ms, out);
    if (out->verdict != META_FOREIGN && !view.has_format &&
        (newest(&view) != NULL || adds_epoch(out)))
        add_format(out);
}
