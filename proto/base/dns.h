// dns.h: DNS questions in the loop (c-ares beneath). Nothing blocks; each question is answered
// exactly once, by the name server or by its time being over.
//
// A question goes to the first server, after try_ms to the next one, and once more to each with
// twice the time. Answers too long for UDP are fetched by TCP. Names are asked as they are, without
// search domains and /etc/hosts. From c-ares 1.34 (Debian 13) on a name is asked only if it is made of
// letters, digits and - . _ / * alone; any other, which only a macro or an odd record makes, is
// DNS_VOID there.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/base/loop.h"
#include "proto/base/yaml.h"
#include "proto/err.h"

enum { DNS_TRY_MS = 2000 };

enum dns_state {
    DNS_FOUND,  // there are records of that type
    DNS_VOID,   // there are none, or no such name
    DNS_FAILED, // no answer, or one that makes no sense
};

// What came of a question. bytes are the DNS message (RFC 1035 section 4.1) of DNS_FOUND, and of DNS_VOID where a
// server said so (NULL where none was asked); valid during the call.
struct dns_reply {
    enum dns_state state;
    bool unreachable; // of DNS_FAILED: no server said anything meanwhile
    const unsigned char *bytes;
    size_t len;
    const char *why; // of DNS_FAILED, for a log line
};

struct dns_config {
    struct yaml_texts
        servers;     // asked in that order; none = those of /etc/resolv.conf, as it is now
    uint64_t try_ms; // 0 = DNS_TRY_MS
};

struct dns;

// dns_servers_check: ERR_CONFIG unless each of them is ADDRESS:PORT or [IPV6]:PORT.
MUST_USE enum err dns_servers_check(const struct yaml_texts *servers, struct err_detail *detail);

// dns_new: the loop is borrowed, config is not kept.
MUST_USE enum err dns_new(struct dns **out, struct loop *loop, const struct dns_config *config,
                          struct err_detail *detail);

// dns_ask: for records of a type (its number, RFC 1035 section 3.2.2) in the class IN. Calls done once, perhaps before it
// returns.
void dns_ask(struct dns *resolver, const char *name, int type,
             void (*done)(void *arg, const struct dns_reply *reply), void *arg);

// dns_free: answers what is under way with DNS_FAILED first.
void dns_free(struct dns **resolver);
