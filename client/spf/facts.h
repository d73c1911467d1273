// facts.h: what DNS has said so far for one evaluation, in bounded memory. Pure: answers come as
// bytes of a DNS message.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/spf/macro.h"
#include "proto/base/dns.h"
#include "proto/base/mem.h"
#include "proto/ip.h"

enum spf_type {
    SPF_TYPE_A = 1,
    SPF_TYPE_PTR = 12,
    SPF_TYPE_MX = 15,
    SPF_TYPE_TXT = 16,
    SPF_TYPE_AAAA = 28
};

enum {
    SPF_FACTS_MEMORY = 128 * 1024, // for the answers of one evaluation
    SPF_NAMES_MAX = 10,            // names of one MX or PTR answer that are used (RFC 7208 4.6.4)
    SPF_TTL_MAX_S = 86400,
};

// One answer. Which of the fields count depends on the type.
struct spf_fact {
    const struct spf_fact *next;
    const char *name; // what was asked, as it was asked
    enum spf_type type;
    enum dns_state state;
    unsigned count;         // addresses, names (also those that were not kept) or SPF records
    const uint8_t *address; // A, AAAA: count times 4 or 16 bytes
    const char *names[SPF_NAMES_MAX]; // MX, PTR
    const char *record;               // TXT: the first SPF record, terminated
    size_t record_len;                // longer than SPF_RECORD_MAX: record is NULL
    bool is_valid;                    // the record: spf_record_is_valid
};

struct spf_facts {
    struct arena arena; // over memory
    const struct spf_fact *first;
    unsigned count;
    uint32_t ttl_s; // the least of all answers' TTLs
    unsigned char memory[SPF_FACTS_MEMORY];
};

// spf_facts_init: nothing is known yet. Also makes facts out of raw memory; memory is not touched.
void spf_facts_init(struct spf_facts *facts);

// spf_facts_find: the answer, or NULL if that was not asked yet.
const struct spf_fact *spf_facts_find(const struct spf_facts *facts, const char *name,
                                      enum spf_type type);

// spf_facts_add: remembers an answer. With DNS_FOUND, bytes are the DNS message (RFC 1035
// section 4.1), of which the records of that type are taken, whoever they belong to (the resolver
// has followed aliases); if there are none the fact is DNS_VOID, if the message is broken
// DNS_FAILED. Otherwise bytes are not looked at. ERR_MEMORY if there is no room for it.
MUST_USE enum err spf_facts_add(struct spf_facts *facts, const char *name, enum spf_type type,
                                enum dns_state state, const unsigned char *bytes, size_t len);
