// ldap_text.h: the texts with which a directory server is asked about a recipient: a filter (RFC 4515) and the entry below
// which is searched (RFC 4514), as an operator writes them, with places for parts of the address:
//
//     %s  the address       %u  what stands before the @       %d  the domain       %%  a percent sign
//
// Promises: what is put in place of these is escaped, so that no address, whoever chose it, changes what is asked.
// Pure.
#pragma once

#include <stdbool.h>

#include "proto/text.h"

enum ldap_text {
    LDAP_TEXT_FILTER, // must hold %s or %u: else every address would be found, or none
    LDAP_TEXT_BASE,
};

enum { LDAP_TEXT_MAX = 1000, LDAP_TEXT_DEPTH = 16 };

// ldap_text_flaw: what is wrong with such a text, in words; NULL if nothing is. Of a base only the places are looked at:
// whether it is a distinguished name the server knows best.
const char *ldap_text_flaw(enum ldap_text kind, const char *text);
// ldap_text_is_filter: a well-formed filter, in which a percent sign is nothing special.
bool ldap_text_is_filter(const char *text);

// ldap_text_expand: the text of one address, base@domain as mail.h normalises it. out->full if it does not fit, and
// then it is of no use. The text is without flaw.
void ldap_text_expand(enum ldap_text kind, const char *text, const char *base, const char *domain,
                      struct text_buf *out);
