// host.h: what the name of a client says about who runs it.
//
// Big senders retry from another machine, in another network, of one registrable domain: mail-lf1-f41.google.com, mail-ej1-f50.google.com.
// An access line has a name too, but thousands of strangers share its domain: such a name says nothing. Where a name may be read
// either way it is a pool's: a pool that is not known as one waits for hours, while strangers who share a name gain no more than one
// another's first tries of the same sender to the same recipient.
#pragma once

#include <stdbool.h>

#include "proto/ip.h"
#include "proto/mail.h"

// host_identity: what a retry may be recognised by: the registrable domain of a name, by the public
// suffix list (publicsuffix.org, libpsl): mx1.corp.co.uk -> corp.co.uk. False, and out untouched, if it is no
// name, has none (a public suffix itself, a single label), or looks dynamic: left of that domain it
// holds a word that access providers and hosting companies use for what their customers have: dyn, dhcp, dsl, ppp, pool, cust, vps ...,
// or the four octets of the IPv4 address (in any order, decimal, padded to three digits, or hex; apart or run together) and no word
// for machines that send mail: mail, mta, outbound, smtp (both lists stand in host.c). Never blocks.
MUST_USE bool host_identity(const char *name, const struct ip *ip, char out[MAIL_DOMAIN_MAX + 1]);

// host_owner: the registrable domain of a normalised domain, a part of the text; NULL if it has none (a public suffix itself, an
// address literal). Never blocks.
const char *host_owner(const char *domain);

// host_aligned: whether two normalised domains belong to one owner: they have the same registrable domain
// (relaxed alignment, RFC 7489 3.1.1). False if either has none, or is "". Never blocks.
MUST_USE bool host_aligned(const char *a, const char *b);
