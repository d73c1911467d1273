// spf_zone.h: DNS for tests of SPF: records as text, made into the messages that a name server would
// send. Include <cmocka.h> and what it needs first.
#pragma once

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "client/spf/evaluate.h"

struct zone_record {
    const char *name;
    enum spf_type type;
    const char *value; // an address, a name (an MX's preference is left out), or a text
    uint32_t ttl_s;
};

// A message under construction. The question section is left out: its answers are read by type.
struct zone_message {
    unsigned char bytes[65536];
    size_t len;
    unsigned count; // of answers
};

static inline void zone_put(struct zone_message *message, const void *bytes, size_t len)
{
    assert_true(message->len + len <= sizeof(message->bytes));
    memcpy(message->bytes + message->len, bytes, len);
    message->len += len;
}

static inline void zone_put_number(struct zone_message *message, uint32_t number, size_t size)
{
    for (size_t i = size; i-- > 0;) {
        unsigned char byte = (unsigned char)(number >> (8 * i));

        zone_put(message, &byte, 1);
    }
}

static inline void zone_put_pieces(struct zone_message *message, const char *text, char end,
                                   size_t most)
{
    while (*text != '\0') {
        const char *stop = end != '\0' ? strchr(text, end) : NULL;
        size_t len = stop != NULL ? (size_t)(stop - text) : strlen(text);

        len = len < most ? len : most;
        zone_put_number(message, (uint32_t)len, 1);
        zone_put(message, text, len);
        text += len + (stop != NULL);
    }
}

static inline void zone_put_data(struct zone_message *message, const struct zone_record *record)
{
    unsigned char address[16];

    switch (record->type) {
    case SPF_TYPE_A:
    case SPF_TYPE_AAAA:
        assert_int_equal(
            inet_pton(record->type == SPF_TYPE_A ? AF_INET : AF_INET6, record->value, address), 1);
        zone_put(message, address, record->type == SPF_TYPE_A ? 4 : 16);
        return;
    case SPF_TYPE_TXT:
        zone_put_pieces(message, record->value, '\0', 255);
        return;
    case SPF_TYPE_MX:
        zone_put_number(message, 10, 2);
        zone_put_pieces(message, record->value, '.', 63);
        zone_put_number(message, 0, 1);
        return;
    case SPF_TYPE_PTR:
        zone_put_pieces(message, record->value, '.', 63);
        zone_put_number(message, 0, 1);
        return;
    }
}

static inline void zone_init(struct zone_message *message)
{
    message->count = 0;
    message->len = 0;
    zone_put(message, "\0\0\x81\x80\0\0\0\0\0\0\0\0", 12);
}

static inline void zone_add(struct zone_message *message, const struct zone_record *record)
{
    size_t length_at = 0;

    message->bytes[6] = (unsigned char)(++message->count >> 8);
    message->bytes[7] = (unsigned char)message->count;
    zone_put_number(message, 0, 1); // the root: owners are not looked at
    zone_put_number(message, record->type, 2);
    zone_put_number(message, 1, 2);
    zone_put_number(message, record->ttl_s, 4);
    length_at = message->len;
    zone_put_number(message, 0, 2);
    zone_put_data(message, record);
    message->bytes[length_at] = (unsigned char)((message->len - length_at - 2) >> 8);
    message->bytes[length_at + 1] = (unsigned char)(message->len - length_at - 2);
}

// zone_answer: what the zone (ended by a NULL name) says; DNS_FAILED for a record whose value is
// NULL, without a message.
static inline enum dns_state zone_answer(const struct zone_record *zone,
                                         const struct spf_query *query, struct zone_message *out)
{
    zone_init(out);
    for (; zone->name != NULL; zone++) {
        if (strcasecmp(zone->name, query->name) != 0 || zone->type != query->type)
            continue;
        if (zone->value == NULL)
            return DNS_FAILED;
        zone_add(out, zone);
    }
    return out->count > 0 ? DNS_FOUND : DNS_VOID;
}
