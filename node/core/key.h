// key.h: where a greylist triplet lives in the store. Pure: names and hashes only.
//
// pair = (sender key, recipient key). Its keyed hash names a bucket and the first 8 bytes of a hash
// field; the keyed hash of an identity of the client is the other 4 bytes. All identities of a pair
// so live in one hash of one slice of time:
//
//     g:{b}:<slice>   pending: value = first seen, mark      slice = floor(store time / window)
//     p:{b}:<slice>   passed:  value = last seen, mark       slice = floor(store time / 36 d)
//
// An epoch is a secret and a number of buckets, in force for the slices that begin in it; a slice
// is always read with the epoch it was opened under, so a new secret or another number of buckets
// costs nothing and forgets nothing. Hash: SipHash-2-4 with 128 bits of output (Aumasson, Bernstein
// 2012; libsodium's crypto_shorthash_siphashx24).
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ip.h"

enum {
    KEY_SECRET_BYTES = 16,
    KEY_FIELD_BYTES = 12,
    KEY_PAIR_BYTES = 8,
    KEY_EPOCH_MAX = 4,
    KEY_IDENTITY_MAX = 5, // any, net, the name's domain, SPF's, the AS
    KEY_NAME_MAX = 48,    // longest key name, terminator included
};
#define KEY_PASSED_SLICE_MS (36ULL * 24 * 3600 * 1000)

struct key_epoch {
    uint64_t since_ms; // store time from which new slices use it; the first epoch has 0
    uint32_t buckets;  // a power of two
    uint8_t secret[KEY_SECRET_BYTES];
};

struct key_ring {
    struct key_epoch epoch[KEY_EPOCH_MAX]; // oldest first
    unsigned count;                        // 0 = not known yet (the store was never reached)
};

// KEY_DOMAIN is a domain that vouches for the client: the registrable domain of its confirmed name,
// or the domain that SPF passed for. Both say of one domain the same (its owner runs this machine,
// by what he put into his DNS), so they are one identity, stored once. Its number is that of names
// since the first version; 3 was a domain of SPF alone and stays unused. KEY_ASN is the AS that announces the client.
enum key_identity_kind { KEY_ANY = 0, KEY_NET = 1, KEY_DOMAIN = 2, KEY_ASN = 4 };

// What a retry is recognised by. KEY_ANY (zeros in the field) matches every client: `reevectl grey
// pass` writes it.
struct key_identity {
    enum key_identity_kind kind;
    struct ip_net net;  // KEY_NET
    uint32_t asn;       // KEY_ASN
    const char *domain; // KEY_DOMAIN: normalised; borrowed, and only looked at by key_triplet_make
};

enum key_table { KEY_PENDING, KEY_PASSED };

// One pair in one slice of one table.
struct key_place {
    uint64_t slice;
    uint64_t slice_ms; // its length
    uint32_t bucket;
    uint8_t field[KEY_IDENTITY_MAX][KEY_FIELD_BYTES];
};

enum { KEY_CURRENT = 0, KEY_PREVIOUS = 1 };

struct key_triplet {
    struct key_place passed[2]; // [KEY_CURRENT], [KEY_PREVIOUS]
    struct key_place pending[2];
    struct key_identity identity[KEY_IDENTITY_MAX]; // identity[0] is KEY_ANY
    unsigned identity_count;
};

// What names the pair before it is hashed. Texts are borrowed.
struct key_pair {
    const char *sender_key;
    const char *recipient_key;
};

// key_triplet_make: fills *out from out->identity and out->identity_count for the time now_ms
// (store clock) and the window. The ring must hold an epoch.
void key_triplet_make(struct key_triplet *out, const struct key_pair *pair,
                      const struct key_ring *ring, uint64_t now_ms, uint64_t window_ms);

// key_name: "g:{123}:456" or "p:{123}:456" into out; returns its length.
size_t key_name(enum key_table table, const struct key_place *place, char out[KEY_NAME_MAX]);

// key_slice_end_ms: first moment after the slice, and the moment its key may be dropped: slice end
// + the slice's length (pending: the window; passed: 36 d), because until then it can be somebody's
// previous slice.
uint64_t key_slice_end_ms(const struct key_place *place);
uint64_t key_expiry_ms(const struct key_place *place);

// key_mark: four bytes that recognise a repeated question: keyed hash of (transaction, recipient
// key), never 0. An empty transaction is its own, told apart by unique.
uint32_t key_mark(const struct key_ring *ring, const char *transaction, const char *recipient_key,
                  uint64_t unique);

// key_transaction: names a transaction of one sender and one network, never 0: keyed hash of all three.
uint64_t key_transaction(const struct key_ring *ring, const char *transaction,
                         const char *sender_key, const struct ip_net *net);

// Something that is counted of somebody's day, once however often it is asked about:
//
//     c:limit:{<owner>}:<day>   a field a recipient of a transaction      owner = 16 hex digits of a keyed hash
//     c:mails:{<owner>}:<day>   a field a transaction                     day = local days since 1970
enum key_count_kind { KEY_COUNT_RECIPIENTS, KEY_COUNT_MAILS };
enum { KEY_COUNT_BYTES = 8 };
struct key_count {
    enum key_count_kind kind;
    uint64_t day;
    uint8_t owner[KEY_COUNT_BYTES];
    uint8_t field[KEY_COUNT_BYTES];
};
// What is counted: of KEY_COUNT_MAILS the recipient is "". An empty transaction is its own, told apart by unique.
struct key_thing {
    const char *transaction;
    const char *recipient_key;
    uint64_t unique;
};
// key_count_make: fills owner and field for out->kind and out->day. The ring must hold an epoch. A day keeps the secret
// that it began with.
void key_count_make(struct key_count *out, const struct key_ring *ring, const char *owner,
                    const struct key_thing *thing);
// key_count_name: the key of that owner and day, into out; returns its length.
size_t key_count_name(const struct key_count *count, char out[KEY_NAME_MAX]);

// key_harvest_field: what a recipient is in the hashes of core/harvest.h: 8 bytes of its keyed hash. The ring must hold
// an epoch. An hour (that begins at hour_ms) keeps the secret that it began with.
void key_harvest_field(const struct key_ring *ring, uint64_t hour_ms, const char *recipient_key,
                       uint8_t out[KEY_COUNT_BYTES]);

// A stored value: 6 bytes of Unix ms and 4 bytes of mark, big-endian. Mark 0 = nobody's.
enum { KEY_VALUE_BYTES = 10 };
void key_value_pack(uint64_t at_ms, uint32_t mark, uint8_t out[KEY_VALUE_BYTES]);
bool key_value_unpack(const void *bytes, size_t len, uint64_t *at_ms,
                      uint32_t *mark); // false: not of this format

// key_epoch_check: what may be shown of a secret: 8 bytes of its keyed hash of a constant, in hex
// with terminator.
void key_epoch_check(const struct key_epoch *epoch, char out[17]);

// key_ring_at: the epoch that a slice beginning at start_ms belongs to.
const struct key_epoch *key_ring_at(const struct key_ring *ring, uint64_t start_ms);
