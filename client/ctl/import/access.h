// access.h: access maps of Postfix, access(5) and cidr_table(5), a line at a time: whom a pattern means, and what its
// result does. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "proto/ip.h"
#include "proto/mail.h"

// Which restriction looks into the map: check_sender_access ...
enum access_map { ACCESS_SENDER, ACCESS_RECIPIENT, ACCESS_CLIENT, ACCESS_HELO };

enum access_kind {
    ACCESS_NULL,    // <>
    ACCESS_NET,     // of a client
    ACCESS_ADDRESS, // user@dom
    ACCESS_LOCAL,   // user@: in every domain
    ACCESS_DOMAIN,  // of an address, or the name of a client
    ACCESS_BELOW,   // .dom
};

// Whom a pattern means, normalised. The text is that of a policy: user@dom, user@*, dom, .dom, a network, <>.
enum { ACCESS_TEXT_MAX = MAIL_ADDRESS_MAX + MAIL_DOMAIN_MAX + 2 };
struct access_who {
    enum access_kind kind;
    struct ip_net net; // of ACCESS_NET
    char text[ACCESS_TEXT_MAX];
};

// access_split: a logical line as pattern and result; cuts it. False: it has no result.
bool access_split(char *line, char **pattern, char **result);

// access_who_read: false, and *why (static) says what is wrong with the pattern, or that it has no counterpart.
bool access_who_read(enum access_map map, const char *pattern, struct access_who *out,
                     const char **why);

// What becomes of the mail.
enum access_effect {
    ACCESS_NONE,  // DUNNO: as if it were not there, and no wider pattern counts
    ACCESS_LET,   // OK
    ACCESS_BLOCK, // REJECT, 5xx
    ACCESS_HOLD,  // HOLD
    ACCESS_OTHER, // something that policies do not do; *why (static) says what
};
// access_effect_read: *text is the rest of the result: what the client is told.
enum access_effect access_effect_read(const char *result, const char **text, const char **why);

// access_wider: the nearest pattern that also means all of *who, to be asked again with what came out until it is false:
// user+tag@dom, user@dom, dom, the domain above it ... (where parents: Postfix' parent_domain_matches_subdomains holds
// smtpd_access_maps, as by default; else .dom); of a network the next shorter prefix.
bool access_wider(const struct access_who *who, bool parents, struct access_who *out);
