// answer.h: what a list answered (RFC 5782), out of the bytes of a DNS message; and whether that is a hit. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/facts.h"
#include "node/core/policy.h"
#include "proto/base/dns.h"

enum dnslist_said {
    DNSLIST_FAILED,  // no answer, or one that makes no sense
    DNSLIST_CLEAR,   // not listed
    DNSLIST_LISTED,  // with codes
    DNSLIST_UNSOUND, // with an address that no list means: see below
};

enum { DNSLIST_CODES_MAX = 16 }; // more are left out: a list has a handful of them

struct dnslist_answer {
    enum dnslist_said said;
    unsigned count;
    uint32_t code[DNSLIST_CODES_MAX]; // like 0x7f000002, in the order of the message
    uint32_t life_s; // the least TTL; of CLEAR: the SOA's (RFC 2308 section 5); 0 = none was said
};

// dnslist_answer_read: of a question for A records. The first address that means no listing makes it UNSOUND, and is its only code.
void dnslist_answer_read(const struct dns_reply *reply, struct dnslist_answer *out);

// dnslist_is_error: outside of 127.0.0.0/8: the zone is somebody else's now (RFC 5782 section 2.1 knows no other). 127.255.255.0/24: the list
// refuses to answer this resolver, or is asked for a name that it does not have. 127.0.0.1: the same of others (URIBL).
bool dnslist_is_error(uint32_t code);

// dnslist_judge: what an answer of the list says by its codes in the policy set. UNSOUND and FAILED are SILENT.
struct facts_list dnslist_judge(const struct policy_dns_list *list,
                                const struct dnslist_answer *answer);
