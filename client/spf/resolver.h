// resolver.h: DNS questions in the loop (c-ares beneath). Nothing blocks; each question is answered
// exactly once, by the name server or by its time being over.
//
// A question goes to the first server, after SPF_TRY_MS to the next one, and once more to each with
// twice the time. Answers too long for UDP are fetched by TCP. Names are asked as they are, without
// search domains and /etc/hosts. From c-ares 1.34 (Debian 13) on a name is asked only if it is made of
// letters, digits and - . _ / * alone; any other, which only a macro or an odd record makes, is
// SPF_DNS_VOID there.
#pragma once

#include <stddef.h>

#include "client/spf/evaluate.h"
#include "proto/base/loop.h"
#include "proto/base/yaml.h"
#include "proto/err.h"
#include <stdbool.h>

enum { SPF_TRY_MS = 2000 };

// What came of a question. bytes are the message of SPF_DNS_FOUND, valid during the call.
struct spf_reply {
    enum spf_dns state;
    bool unreachable; // of SPF_DNS_FAILED: no server said anything
    const unsigned char *bytes;
    size_t len;
    const char *why; // of SPF_DNS_FAILED, for a log line
};

struct spf_resolver;

// spf_servers_check: ERR_CONFIG unless each of them is ADDRESS:PORT or [IPV6]:PORT.
MUST_USE enum err spf_servers_check(const struct yaml_texts *servers, struct err_detail *detail);

// spf_resolver_new: servers as above, asked in that order; none = those of /etc/resolv.conf, as it
// is now. The loop is borrowed.
MUST_USE enum err spf_resolver_new(struct spf_resolver **out, struct loop *loop,
                                   const struct yaml_texts *servers, struct err_detail *detail);

// spf_resolver_ask: calls done once, perhaps before it returns.
void spf_resolver_ask(struct spf_resolver *resolver, const struct spf_query *query,
                      void (*done)(void *arg, const struct spf_reply *reply), void *arg);

// spf_resolver_free: answers what is under way with SPF_DNS_FAILED first.
void spf_resolver_free(struct spf_resolver **resolver);
