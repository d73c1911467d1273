// mmdb.h: a tiny writer of MaxMind DB files (https://maxmind.github.io/MaxMind-DB/), for tests that need a database of
// their own: which network is in which country or AS, and any bytes as a record.
//
//     struct mmdb mmdb;
//     mmdb_open(&mmdb, 6);
//     mmdb_add(&mmdb, "192.0.2.0/24", MMDB_NESTED, "DE");
//     mmdb_write(&mmdb, path);
#pragma once

#include <assert.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/ip.h"

enum { MMDB_NODES = 4096, MMDB_BYTES = 1 << 16, MMDB_TREE_BYTES = MMDB_NODES * 6 };

// How a record names the country, or the AS.
enum mmdb_style {
    MMDB_NESTED,
    MMDB_CODE,
    MMDB_PLAIN,
    MMDB_OTHER,
    MMDB_AS,        // a number
    MMDB_AS_TEXT,   // "AS64500"
    MMDB_AS_TRAITS, // a number in a map
};

struct mmdb {
    unsigned version;              // 4 or 6: of the addresses in the tree
    uint32_t child[MMDB_NODES][2]; // 0 = nothing, n = node n, MMDB_NODES + 1 + offset = data
    uint32_t nodes;
    uint8_t data[MMDB_BYTES];
    size_t used;
};

static inline void mmdb_open(struct mmdb *mmdb, unsigned version)
{
    memset(mmdb, 0, sizeof(*mmdb));
    mmdb->version = version;
    mmdb->nodes = 1;
}

// ---- data: a control byte (type << 5 | size) and what it says

static inline void mmdb_put(struct mmdb *mmdb, const void *bytes, size_t len)
{
    assert(mmdb->used + len <= sizeof(mmdb->data));
    memcpy(mmdb->data + mmdb->used, bytes, len);
    mmdb->used += len;
}

static inline void mmdb_put_byte(struct mmdb *mmdb, unsigned byte)
{
    const uint8_t one = (uint8_t)byte;

    mmdb_put(mmdb, &one, 1);
}

static inline void mmdb_put_text(struct mmdb *mmdb, const char *text)
{
    assert(strlen(text) < 29);
    mmdb_put_byte(mmdb, 2U << 5 | (unsigned)strlen(text));
    mmdb_put(mmdb, text, strlen(text));
}

static inline void mmdb_put_map(struct mmdb *mmdb, unsigned count)
{
    mmdb_put_byte(mmdb, 7U << 5 | count);
}

// A number of 32 bits, in as few bytes as will do.
static inline void mmdb_put_number(struct mmdb *mmdb, uint32_t number)
{
    unsigned bytes = 0;

    while (bytes < 4 && number >> (8 * bytes) != 0)
        bytes++;
    mmdb_put_byte(mmdb, 6U << 5 | bytes);
    while (bytes-- > 0)
        mmdb_put_byte(mmdb, number >> (8 * bytes) & 0xff);
}

// says: a country, or the number of an AS.
static inline void mmdb_put_record(struct mmdb *mmdb, enum mmdb_style style, const char *says)
{
    static const struct {
        const char *key, *inner;
    } KEYS[] = {
        [MMDB_NESTED] = {"country", "iso_code"},
        [MMDB_CODE] = {"country_code", NULL},
        [MMDB_PLAIN] = {"country", NULL},
        [MMDB_OTHER] = {"as_organization", NULL},
        [MMDB_AS] = {"autonomous_system_number", NULL},
        [MMDB_AS_TEXT] = {"asn", NULL},
        [MMDB_AS_TRAITS] = {"traits", "autonomous_system_number"},
    };

    mmdb_put_map(mmdb, 1);
    mmdb_put_text(mmdb, KEYS[style].key);
    if (KEYS[style].inner != NULL) {
        mmdb_put_map(mmdb, 1);
        mmdb_put_text(mmdb, KEYS[style].inner);
    }
    if (style == MMDB_AS || style == MMDB_AS_TRAITS)
        mmdb_put_number(mmdb, (uint32_t)strtoul(says, NULL, 10));
    else
        mmdb_put_text(mmdb, says);
}

// ---- the tree

static inline void mmdb_point(struct mmdb *mmdb, const char *net_text, size_t offset)
{
    struct ip_net net;
    struct err_detail detail = {""};
    uint32_t at = 0;

    assert(ip_net_parse(net_text, &net, &detail) == ERR_NONE);
    const unsigned skipped = mmdb->version == 6 && net.ip.family == 4 ? 96 : 0;
    const unsigned bits = skipped + net.bits;

    assert(bits > 0);
    for (unsigned i = 0; i < bits; i++) {
        const unsigned at_bit = i < skipped ? 0 : i - skipped;
        const unsigned byte = i < skipped ? 0 : net.ip.bytes[at_bit / 8];
        const unsigned bit = byte >> (7 - at_bit % 8) & 1U;

        if (i + 1 == bits) {
            mmdb->child[at][bit] = (uint32_t)(MMDB_NODES + 1 + offset);
            return;
        }
        if (mmdb->child[at][bit] == 0) {
            assert(mmdb->nodes < MMDB_NODES);
            mmdb->child[at][bit] = mmdb->nodes++;
        }
        at = mmdb->child[at][bit];
    }
}

static inline void mmdb_add(struct mmdb *mmdb, const char *net, enum mmdb_style style,
                            const char *says)
{
    const size_t offset = mmdb->used;

    mmdb_put_record(mmdb, style, says);
    mmdb_point(mmdb, net, offset);
}

// ---- the file

static inline void mmdb_put_metadata(struct mmdb *meta, const struct mmdb *mmdb)
{
    mmdb_put(meta, "\xab\xcd\xefMaxMind.com", 14);
    mmdb_put_map(meta, 9);
    mmdb_put_text(meta, "node_count");
    mmdb_put_byte(meta, 6U << 5 | 4);
    for (unsigned i = 4; i-- > 0;)
        mmdb_put_byte(meta, mmdb->nodes >> (8 * i) & 0xff);
    mmdb_put_text(meta, "record_size");
    mmdb_put(meta, "\xa1\x18", 2);
    mmdb_put_text(meta, "ip_version");
    mmdb_put_byte(meta, 5U << 5 | 1);
    mmdb_put_byte(meta, mmdb->version);
    mmdb_put_text(meta, "database_type");
    mmdb_put_text(meta, "test");
    mmdb_put_text(meta, "languages");
    mmdb_put(meta, "\x00\x04", 2); // an empty array
    mmdb_put_text(meta, "binary_format_major_version");
    mmdb_put(meta, "\xa1\x02", 2);
    mmdb_put_text(meta, "binary_format_minor_version");
    mmdb_put(meta, "\xa0", 1);
    mmdb_put_text(meta, "build_epoch");
    mmdb_put(meta, "\x01\x02\x07", 3); // a 64 bit number in one byte
    mmdb_put_text(meta, "description");
    mmdb_put_map(meta, 0);
}

// mmdb_bytes: the whole file in out, which has room for it; returns its length.
static inline size_t mmdb_bytes(const struct mmdb *mmdb, uint8_t *out, size_t size)
{
    static struct mmdb meta;
    size_t used = 0;

    mmdb_open(&meta, 4);
    mmdb_put_metadata(&meta, mmdb);
    assert(mmdb->nodes * 6 + 16 + mmdb->used + meta.used <= size);
    for (uint32_t node = 0; node < mmdb->nodes; node++) {
        for (unsigned side = 0; side < 2; side++) {
            uint32_t value = mmdb->child[node][side];

            if (value == 0)
                value = mmdb->nodes;
            else if (value > MMDB_NODES)
                value = value - (MMDB_NODES + 1) + mmdb->nodes + 16;
            for (unsigned i = 3; i-- > 0;)
                out[used++] = (uint8_t)(value >> (8 * i));
        }
    }
    memset(out + used, 0, 16);
    used += 16;
    memcpy(out + used, mmdb->data, mmdb->used);
    used += mmdb->used;
    memcpy(out + used, meta.data, meta.used);
    return used + meta.used;
}

static inline void mmdb_write_bytes(const char *path, const void *bytes, size_t len)
{
    FILE *file = fopen(path, "wb");

    assert(file != NULL);
    assert(fwrite(bytes, 1, len, file) == len);
    (void)fclose(file);
}

static inline void mmdb_write(const struct mmdb *mmdb, const char *path)
{
    static uint8_t bytes[MMDB_TREE_BYTES + 2 * MMDB_BYTES];

    mmdb_write_bytes(path, bytes, mmdb_bytes(mmdb, bytes, sizeof(bytes)));
}
