// macro.h: domain-specs and their macros (RFC 7208 section 7). Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/spf/record.h"
#include "proto/ip.h"
#include "proto/text.h"

// Longest name that is asked for, without the final dot (RFC 7208 section 7.3).
enum { SPF_NAME_MAX = 253, SPF_LABEL_MAX = 63 };

// Longest domain-spec that is one, before its macros are expanded; published ones have less than
// 100 bytes. It is expanded with each answer of DNS, so a long one would keep everybody waiting.
enum { SPF_SPEC_MAX = 512 };

// What macros stand for. All borrowed, terminated, never NULL.
struct spf_values {
    const struct ip *client;
    const char *local;         // %{l}, never empty
    const char *sender_domain; // %{o}
    const char *domain;        // %{d}: of the record that is being read
    const char *helo;          // %{h}
    const char *validated;     // %{p}
};

// spf_spec_is_valid: true if the text is a domain-spec: macro-string and domain-end of the grammar,
// of at most SPF_SPEC_MAX bytes.
bool spf_spec_is_valid(struct spf_span spec);
// spf_macros_are_valid: true if the text is a macro-string. With is_explanation the letters c, r
// and t are macros too.
bool spf_macros_are_valid(struct spf_span text, bool is_explanation);

// spf_macros_use: true if a valid macro-string holds one of these macro letters (lower case).
bool spf_macros_use(struct spf_span text, const char *letters);

// spf_macros_expand: the name that a valid domain-spec stands for, cut from the left, label by
// label, to at most SPF_NAME_MAX bytes, without its final dot. False if there is no such name that
// DNS could hold: it has an empty or too long label, or bytes that no host name has.
bool spf_macros_expand(struct spf_span spec, const struct spf_values *values,
                       char out[SPF_NAME_MAX + 1]);

// spf_name_is_fit: true if DNS can be asked for this name: labels of 1 to 63 printable bytes
// without backslash, at most SPF_NAME_MAX in all.
bool spf_name_is_fit(const char *name);

// spf_ip_reversed: the name below which the address has its PTR records.
void spf_ip_reversed(const struct ip *ip, char out[SPF_NAME_MAX + 1]);
