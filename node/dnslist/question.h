// question.h: the names that a list is asked for (RFC 5782). Pure.
//
//     192.0.2.99 at bl.example                         99.2.0.192.bl.example            section 2.1
//     2001:db8:1:2:3:4:567:89ab at bl.example          b.a.9.8.7.6.5.0.4.0.0.0. ... .8.b.d.0.1.0.0.2.bl.example  section 2.4
//     example.org at dbl.example                       example.org.dbl.example          section 4
#pragma once

#include <stdbool.h>

#include "node/core/policy.h"
#include "proto/ip.h"

enum { DNSLIST_NAME_MAX = 254 }; // of a name that DNS can hold, with its terminator

// Names that a sound list has, and has not (RFC 5782 section 5).
enum dnslist_test { DNSLIST_NEVER, DNSLIST_ALWAYS };

// dnslist_name: of the client, or of the domain where the list is one of senders. False: there is nothing to ask for (no address,
// no domain), or the name would be too long for DNS.
bool dnslist_name(const struct policy_dns_list *list, const struct ip *client, const char *domain,
                  char out[DNSLIST_NAME_MAX]);

// dnslist_test_name: 127.0.0.1 and 127.0.0.2; of a list of senders invalid and test.
bool dnslist_test_name(const char *zone, bool of_sender, enum dnslist_test test,
                       char out[DNSLIST_NAME_MAX]);
