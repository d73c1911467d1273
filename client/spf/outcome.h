// outcome.h: what SPF can say (RFC 7208 section 2.6), with the numbers of the wire contract's
// AuthOutcome, so that an outcome goes into a Check as it is.
#pragma once

enum spf_outcome {
    SPF_UNKNOWN = 0, // not looked at, or not known yet
    SPF_NONE = 1,    // no domain, or a domain that says nothing
    SPF_PASS = 2,
    SPF_FAIL = 3,
    SPF_SOFTFAIL = 4,
    SPF_NEUTRAL = 5,
    SPF_TEMPERROR = 6, // DNS did not say; another time it may
    SPF_PERMERROR = 7, // what the domain publishes cannot be understood
};

enum { SPF_OUTCOMES = 8 };
