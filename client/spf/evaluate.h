// evaluate.h: check_host() of RFC 7208 section 4 as a pure function: from who asks and what DNS has
// said so far to the outcome, or to the next question for DNS. It is called again from the start
// with each answer, so nothing is kept between, there is no thread, and any order of answers can be
// tried in a test. At most SPF_ANSWERS_MAX answers make at most as many calls.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "client/spf/facts.h"
#include "client/spf/outcome.h"
#include "proto/ip.h"
#include "proto/mail.h"

enum {
    SPF_TERMS_MAX = 10,    // terms that ask DNS (RFC 7208 section 4.6.4)
    SPF_VOIDS_MAX = 2,     // of them, that find nothing
    SPF_ANSWERS_MAX = 150, // what those limits allow is 122
};

// Who asks. Plain data, so that it outlives the request.
struct spf_subject {
    struct ip client;
    char domain[MAIL_DOMAIN_MAX + 1]; // of the sender; of the null sender, the HELO name
    char local[MAIL_ADDRESS_MAX + 1]; // "postmaster" if there is none
    char helo[MAIL_DOMAIN_MAX + 1];   // as it was given, cut
};

// spf_subject_init: reads what a mail client said (RFC 7208 sections 2.3, 2.4). False if there is
// nobody to look up: the client's address is none or is of no public network. A sender without a
// domain name (an address literal is none) makes domain "", for which spf_evaluate says SPF_NONE.
bool spf_subject_init(struct spf_subject *subject, const char *client, const char *sender,
                      const char *helo);

// The next question for DNS.
struct spf_query {
    char name[SPF_NAME_MAX + 1];
    enum spf_type type;
};

struct spf_result {
    enum spf_outcome outcome; // SPF_UNKNOWN: query says what DNS must be asked first
    bool varies; // the outcome rests on the local part or the HELO name, through a macro
    struct spf_query query;
};

void spf_evaluate(const struct spf_subject *subject, const struct spf_facts *facts,
                  struct spf_result *out);
