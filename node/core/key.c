// key.c: names and hashes of triplets. Promises: no allocation, no failure; a hash takes at most
// two short SipHash runs an epoch.
#include "node/core/key.h"

#include <sodium.h>
#include <stdio.h>
#include <string.h>

#include "proto/mail.h"
#include "proto/text.h"

// What is hashed is tagged with its purpose, so a pair can never be mistaken for an identity.
enum hash_purpose {
    HASH_PAIR = 1,
    HASH_IDENTITY = 2,
    HASH_MARK = 3,
    HASH_CHECK = 4,
    HASH_TRANSACTION = 5,
    HASH_OWNER = 6,
    HASH_COUNTED = 7,
    HASH_HARVEST = 8
};
enum { HASH_BYTES = 16, HASH_INPUT_MAX = 2 * (MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX) + 64 };
static const uint64_t KEY_DAY_MS = 24ULL * 3600 * 1000;
_Static_assert(HASH_BYTES == crypto_shorthash_siphashx24_BYTES, "SipHash-128");
_Static_assert(KEY_SECRET_BYTES == crypto_shorthash_siphashx24_KEYBYTES, "SipHash key");

// The input of a hash: purpose, then parts each ended by a NUL. What exceeds the room is hashed
// down first, so that no two long texts collide by being cut.
struct hash_input {
    const struct key_epoch *epoch;
    uint8_t bytes[HASH_INPUT_MAX];
    size_t used;
};

static void hash_run(const struct hash_input *in, uint8_t out[HASH_BYTES])
{
    (void)crypto_shorthash_siphashx24(out, in->bytes, in->used, in->epoch->secret);
}

static void hash_start(struct hash_input *in, const struct key_epoch *epoch,
                       enum hash_purpose purpose)
{
    in->epoch = epoch;
    in->bytes[0] = (uint8_t)purpose;
    in->used = 1;
}

static void hash_add(struct hash_input *in, const void *bytes, size_t len)
{
    if (len + 1 > sizeof(in->bytes) - in->used) {
        uint8_t folded[HASH_BYTES];

        (void)crypto_shorthash_siphashx24(folded, bytes, len, in->epoch->secret);
        hash_add(in, folded, sizeof(folded));
        return;
    }
    memcpy(in->bytes + in->used, bytes, len);
    in->used += len;
    in->bytes[in->used++] = 0;
}

const struct key_epoch *key_ring_at(const struct key_ring *ring, uint64_t start_ms)
{
    unsigned at = ring->count - 1;

    while (at > 0 && ring->epoch[at].since_ms > start_ms)
        at--;
    return &ring->epoch[at];
}

static uint64_t read_be64(const uint8_t *bytes)
{
    uint64_t value = 0;

    for (unsigned i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

static void add_identity(struct hash_input *in, const struct key_identity *identity)
{
    const uint8_t kind = (uint8_t)identity->kind;
    const uint8_t head[3] = {kind, identity->net.ip.family, identity->net.bits};
    const uint32_t asn = identity->asn;
    const uint8_t number[4] = {(uint8_t)(asn >> 24), (uint8_t)(asn >> 16), (uint8_t)(asn >> 8),
                               (uint8_t)asn};

    if (identity->kind == KEY_NET) {
        hash_add(in, head, sizeof(head));
        hash_add(in, identity->net.ip.bytes, sizeof(identity->net.ip.bytes));
        return;
    }
    hash_add(in, &kind, sizeof(kind));
    if (identity->kind == KEY_ASN)
        hash_add(in, number, sizeof(number));
    else
        hash_add(in, identity->domain, strlen(identity->domain));
}

static void identity_hash(const struct key_identity *identity, const struct key_epoch *epoch,
                          uint8_t out[KEY_FIELD_BYTES - KEY_PAIR_BYTES])
{
    struct hash_input in;
    uint8_t hash[HASH_BYTES];

    if (identity->kind == KEY_ANY) {
        memset(out, 0, KEY_FIELD_BYTES - KEY_PAIR_BYTES);
        return;
    }
    hash_start(&in, epoch, HASH_IDENTITY);
    add_identity(&in, identity);
    hash_run(&in, hash);
    if (hash[0] == 0 && hash[1] == 0 && hash[2] == 0 && hash[3] == 0)
        hash[0] = 1; // zeros mean any
    memcpy(out, hash, KEY_FIELD_BYTES - KEY_PAIR_BYTES);
}

// What one epoch makes of a pair and the identities. Nearly always the four places of a triplet are
// of one epoch, so it is kept from one to the next.
struct hashes {
    const struct key_epoch *epoch;
    uint8_t pair[HASH_BYTES];
    uint8_t identity[KEY_IDENTITY_MAX][KEY_FIELD_BYTES - KEY_PAIR_BYTES];
};

static void hash_for(struct hashes *out, const struct key_epoch *epoch,
                     const struct key_triplet *triplet, const struct key_pair *pair)
{
    struct hash_input in;

    out->epoch = epoch;
    hash_start(&in, epoch, HASH_PAIR);
    hash_add(&in, pair->sender_key, strlen(pair->sender_key));
    hash_add(&in, pair->recipient_key, strlen(pair->recipient_key));
    hash_run(&in, out->pair);
    for (unsigned i = 0; i < triplet->identity_count; i++)
        identity_hash(&triplet->identity[i], epoch, out->identity[i]);
}

static void place_fill(struct key_place *place, const struct hashes *hashes, uint32_t buckets,
                       unsigned identities)
{
    place->bucket = (uint32_t)(read_be64(hashes->pair + KEY_PAIR_BYTES) & (buckets - 1U));
    for (unsigned i = 0; i < identities; i++) {
        memcpy(place->field[i], hashes->pair, KEY_PAIR_BYTES);
        memcpy(place->field[i] + KEY_PAIR_BYTES, hashes->identity[i], sizeof(hashes->identity[i]));
    }
}

void key_triplet_make(struct key_triplet *out, const struct key_pair *pair,
                      const struct key_ring *ring, uint64_t now_ms, uint64_t window_ms)
{
    struct {
        struct key_place *place; // of the current slice; the previous one's lies behind it
        uint64_t slice_ms;
    } table[] = {{out->passed, KEY_PASSED_SLICE_MS}, {out->pending, window_ms}};
    struct hashes hashes;

    hash_for(&hashes, key_ring_at(ring, now_ms), out, pair);
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        uint64_t slice = now_ms / table[i].slice_ms;

        for (unsigned age = KEY_CURRENT; age <= KEY_PREVIOUS; age++) {
            struct key_place *place = &table[i].place[age];

            place->slice = slice > age ? slice - age : 0;
            place->slice_ms = table[i].slice_ms;
            const struct key_epoch *epoch = key_ring_at(ring, place->slice * place->slice_ms);

            if (hashes.epoch != epoch)
                hash_for(&hashes, epoch, out, pair);
            place_fill(place, &hashes, epoch->buckets, out->identity_count);
        }
    }
}

size_t key_name(enum key_table table, const struct key_place *place, char out[KEY_NAME_MAX])
{
    size_t len = 3;

    memcpy(out, table == KEY_PENDING ? "g:{" : "p:{", len);
    len += text_number(out + len, place->bucket);
    out[len++] = '}';
    out[len++] = ':';
    return len + text_number(out + len, place->slice); // at most 3 + 10 + 2 + 20 characters
}

uint64_t key_slice_end_ms(const struct key_place *place)
{
    return (place->slice + 1) * place->slice_ms;
}

uint64_t key_expiry_ms(const struct key_place *place)
{
    return key_slice_end_ms(place) + place->slice_ms;
}

uint32_t key_mark(const struct key_ring *ring, const char *transaction, const char *recipient_key,
                  uint64_t unique)
{
    struct hash_input in;
    uint8_t hash[HASH_BYTES];
    uint32_t mark = 0;

    hash_start(&in, &ring->epoch[0], HASH_MARK);
    hash_add(&in, transaction, strlen(transaction));
    hash_add(&in, recipient_key, strlen(recipient_key));
    if (transaction[0] == '\0')
        hash_add(&in, &unique, sizeof(unique));
    hash_run(&in, hash);
    for (unsigned i = 0; i < 4; i++)
        mark = mark << 8 | hash[i];
    return mark != 0 ? mark : 1;
}

uint64_t key_transaction(const struct key_ring *ring, const char *transaction,
                         const char *sender_key, const struct ip_net *net)
{
    const uint8_t head[2] = {net->ip.family, net->bits};
    struct hash_input in;
    uint8_t hash[HASH_BYTES];

    hash_start(&in, &ring->epoch[0], HASH_TRANSACTION);
    hash_add(&in, transaction, strlen(transaction));
    hash_add(&in, sender_key, strlen(sender_key));
    hash_add(&in, head, sizeof(head));
    hash_add(&in, net->ip.bytes, sizeof(net->ip.bytes));
    hash_run(&in, hash);
    uint64_t key = read_be64(hash);

    return key != 0 ? key : 1;
}

void key_count_make(struct key_count *out, const struct key_ring *ring, const char *owner,
                    const struct key_thing *thing)
{
    const struct key_epoch *epoch = key_ring_at(ring, out->day * KEY_DAY_MS);
    struct hash_input in;
    uint8_t hash[HASH_BYTES];

    hash_start(&in, epoch, HASH_OWNER);
    hash_add(&in, owner, strlen(owner));
    hash_run(&in, hash);
    memcpy(out->owner, hash, sizeof(out->owner));
    hash_start(&in, epoch, HASH_COUNTED);
    hash_add(&in, thing->transaction, strlen(thing->transaction));
    hash_add(&in, thing->recipient_key, strlen(thing->recipient_key));
    if (thing->transaction[0] == '\0')
        hash_add(&in, &thing->unique, sizeof(thing->unique));
    hash_run(&in, hash);
    memcpy(out->field, hash, sizeof(out->field));
}

void key_harvest_field(const struct key_ring *ring, uint64_t hour_ms, const char *recipient_key,
                       uint8_t out[KEY_COUNT_BYTES])
{
    struct hash_input in;
    uint8_t hash[HASH_BYTES];

    hash_start(&in, key_ring_at(ring, hour_ms), HASH_HARVEST);
    hash_add(&in, recipient_key, strlen(recipient_key));
    hash_run(&in, hash);
    memcpy(out, hash, KEY_COUNT_BYTES);
}

size_t key_count_name(const struct key_count *count, char out[KEY_NAME_MAX])
{
    const char *what = count->kind == KEY_COUNT_MAILS ? "c:mails:{" : "c:limit:{";
    size_t len = strlen(what);

    (void)snprintf(out, KEY_NAME_MAX, "%s", what);
    (void)sodium_bin2hex(out + len, KEY_NAME_MAX - len, count->owner, sizeof(count->owner));
    len += 2 * sizeof(count->owner);
    out[len++] = '}';
    out[len++] = ':';
    return len + text_number(out + len, count->day); // at most 9 + 16 + 2 + 20 characters
}

void key_value_pack(uint64_t at_ms, uint32_t mark, uint8_t out[KEY_VALUE_BYTES])
{
    for (unsigned i = 0; i < 6; i++)
        out[i] = (uint8_t)(at_ms >> (8 * (5 - i)));
    for (unsigned i = 0; i < 4; i++)
        out[6 + i] = (uint8_t)(mark >> (8 * (3 - i)));
}

bool key_value_unpack(const void *bytes, size_t len, uint64_t *at_ms, uint32_t *mark)
{
    const uint8_t *in = bytes;
    uint64_t at = 0;
    uint32_t found = 0;

    if (len != KEY_VALUE_BYTES)
        return false;
    for (unsigned i = 0; i < 6; i++)
        at = at << 8 | in[i];
    for (unsigned i = 6; i < KEY_VALUE_BYTES; i++)
        found = found << 8 | in[i];
    *at_ms = at;
    *mark = found;
    return true;
}

void key_epoch_check(const struct key_epoch *epoch, char out[17])
{
    struct hash_input in;
    uint8_t hash[HASH_BYTES];

    hash_start(&in, epoch, HASH_CHECK);
    hash_add(&in, "reeve", 5);
    hash_run(&in, hash);
    (void)sodium_bin2hex(out, 17, hash, 8);
}
