// ldif.h: LDIF (RFC 2849) as ldapsearch(1), slapcat(8) and ldifde write it: one logical line, and what of an attribute is an
// address. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

enum ldif_kind {
    LDIF_ATTRIBUTE,
    LDIF_END,   // an empty line: the record is over
    LDIF_OTHER, // a comment, or a value that stands in another file
    LDIF_BAD,   // no attribute, or base64 that is none
};

// Texts are in the line that was read.
struct ldif_line {
    const char *attribute; // lower case, without options ("mail;lang-de" is mail)
    char *value;           // decoded; a NUL in it has become a blank
};

// ldif_read: takes a logical line (folded.h) apart in place.
enum ldif_kind ldif_read(char *line, struct ldif_line *out);

// ldif_group: the name that a distinguished name begins with ("CN=Board,OU=..." is Board), in place; NULL if it has none,
// or one that cannot stand in a list parted by commas.
const char *ldif_group(char *dn);

// ldif_proxy: the address in a value of proxyAddresses ("SMTP:ann@corp.example"); NULL if that is none of SMTP. is_primary:
// written in capitals.
const char *ldif_proxy(const char *value, bool *is_primary);
