// record.h: the text of an SPF record, read term by term (RFC 7208 sections 4.5, 4.6, 5, 6, 12).
//
//     v=spf1 a:mail.%{d}/24//64 ip4:192.0.2.0/24 -all redirect=_spf.example.org
//            |------ term -----|
//            kind SPF_A, spec "mail.%{d}", bits4 24, bits6 64, qualifier SPF_PASS
//
// Pure. A term points into the record's text, which must outlive it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/spf/outcome.h"
#include "proto/ip.h"

// Longest record that is looked at; RFC 7208 section 3.4 asks for 450 bytes. A longer one is
// permerror.
enum { SPF_RECORD_MAX = 8192 };

// A piece of text that need not be terminated.
struct spf_span {
    const char *at;
    size_t len;
};

enum spf_kind {
    SPF_ALL,
    SPF_INCLUDE,
    SPF_A,
    SPF_MX,
    SPF_PTR,
    SPF_IP4,
    SPF_IP6,
    SPF_EXISTS,
    SPF_REDIRECT,
    SPF_EXP,
    SPF_OTHER, // a modifier that nobody knows, which means nothing
};

struct spf_term {
    enum spf_kind kind;
    enum spf_outcome qualifier; // of a mechanism: what a match says
    struct spf_span spec;       // domain-spec; empty = none was given
    struct ip_net net;          // SPF_IP4, SPF_IP6
    uint8_t bits4, bits6;       // SPF_A, SPF_MX: 32 and 128 unless given
};

enum spf_read { SPF_READ_TERM, SPF_READ_END, SPF_READ_BROKEN };

// spf_record_is: true if a TXT record's text is an SPF record: "v=spf1" and then a space or the
// end.
bool spf_record_is(const char *text, size_t len);

// spf_record_terms: what follows the version of a record.
struct spf_span spf_record_terms(const char *text, size_t len);

// spf_record_next: takes the next term off the front of rest.
enum spf_read spf_record_next(struct spf_span *rest, struct spf_term *out);

// spf_record_is_valid: true if every term is of the grammar and redirect= and exp= stand at most
// once. RFC 7208 section 4.6: one wrong term anywhere makes the whole record a permerror.
bool spf_record_is_valid(const char *text, size_t len);
