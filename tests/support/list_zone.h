// list_zone.h: a DNS list for tests: what it has, made into the messages that a name server would send. Include <cmocka.h> and what it needs
// first.
#pragma once

#include <stdint.h>
#include <string.h>

#include "proto/base/dns.h"

// A message under construction.
struct list_message {
    unsigned char bytes[2048];
    size_t len;
};

static inline void list_number(struct list_message *message, uint32_t number, size_t size)
{
    assert_true(message->len + size <= sizeof(message->bytes));
    for (size_t i = size; i-- > 0;)
        message->bytes[message->len++] = (unsigned char)(number >> (8 * i));
}

// list_begin: the question is left out. list_record: the owner is the root, data is put behind it.
static inline void list_begin(struct list_message *message, unsigned answers, unsigned authority)
{
    message->len = 0;
    list_number(message, 0x00008180, 4);
    list_number(message, answers, 4);
    list_number(message, authority << 16, 4);
}

static inline void list_record(struct list_message *message, unsigned type, uint32_t ttl_s,
                               unsigned len)
{
    list_number(message, 0, 1);
    list_number(message, type, 2);
    list_number(message, 1, 2);
    list_number(message, ttl_s, 4);
    list_number(message, len, 2);
}

static inline void list_address(struct list_message *message, uint32_t ttl_s, uint32_t address)
{
    list_record(message, 1, ttl_s, 4);
    list_number(message, address, 4);
}

static inline void list_soa(struct list_message *message, uint32_t ttl_s, uint32_t minimum_s)
{
    list_record(message, 6, ttl_s, 22);
    list_number(message, 0, 2); // two names, both the root
    for (unsigned i = 0; i < 4; i++)
        list_number(message, 1, 4);
    list_number(message, minimum_s, 4);
}

static inline struct dns_reply list_reply(enum dns_state state, const struct list_message *message)
{
    return (struct dns_reply){
        .state = state, .bytes = message->bytes, .len = message->len, .why = "the test says so"};
}
