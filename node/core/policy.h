// policy.h: the policy set, compiled, and its readers. Built by node/policy, read here; const from
// the moment it is handed over.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/ip.h"
#include "proto/mail.h"

enum policy_mode { POLICY_ENFORCE, POLICY_SHADOW };
enum policy_relay { POLICY_RELAY_JUDGE, POLICY_RELAY_IGNORE };
enum policy_fail { POLICY_FAIL_PASS, POLICY_FAIL_DEFER };

struct policy_settings {
    struct {
        int mode;           // enum policy_mode; a fresh installation starts in shadow
        uint64_t delay_ms;  // a retry younger than this is early
        uint64_t window_ms; // a retry older than this is new; also the length of a slice
        uint64_t life_ms;   // a passed triplet holds this long after the last accept
        uint64_t net_ipv4;  // bits
        uint64_t net_ipv6;
        uint64_t new_per_hour; // first tries that a network may bring to a node in an hour; 0 = any
        bool fold_sender;
    } greylist;
    int relay; // enum policy_relay
    int fail;  // enum policy_fail
    const char *auth_domain;
    double tracking_sample; // of accepts, 0..1
};

// What a from or to may be (README.md, section 1), most general first: the order is the
// specificity.
enum policy_pattern_kind {
    POLICY_EVERYONE, // *
    POLICY_PARTY,    // internal, external
    POLICY_BELOW,    // .dom: any depth below, not the apex; a longer domain is more specific
    POLICY_DOMAIN,   // dom
    POLICY_LOCAL,    // user@*
    POLICY_ADDRESS,  // user@dom
    POLICY_NULL,     // <>
};

struct policy_pattern {
    enum policy_pattern_kind kind;
    bool internal;      // POLICY_PARTY
    const char *local;  // folded, base or tagged as written
    const char *domain; // normalised
};

// A policy of kind greylist (the only kind of this version; its option is no_action).
struct policy_rule {
    const char *id;
    struct policy_pattern from;
    struct policy_pattern to;
    struct ip_net *source; // none = every client
    size_t source_count;
    bool enabled;
    bool override;
    bool bidirectional;
    enum policy_mode mode;
    uint64_t valid_from_ms;  // inclusive; 0 = always
    uint64_t valid_until_ms; // exclusive; 0 = for ever
    const char *note;
    const char *file;
    unsigned line;
};

struct policy {
    uint64_t version;    // 53 bit hash of what is in force; 0 = no policy file
    const char **domain; // internal domains, normalised, sorted
    size_t domain_count;
    struct ip_net *trusted; // sorted; none lies inside another
    size_t trusted_count;
    struct policy_settings settings;
    struct policy_rule *greylist; // most specific first (policy_rule_compare)
    size_t greylist_count;
};

// policy_is_internal: an exact internal domain. False for "".
bool policy_is_internal(const struct policy *policy, const char *domain);
bool policy_is_trusted_ip(const struct policy *policy, const struct ip *ip);

// What a rule is matched against.
struct policy_subject {
    const struct mail_address *sender;
    const struct mail_address *recipient;
    const struct ip *client; // family 0 = unknown: rules with a source never match
    uint64_t now_ms;
};

// policy_greylist_match: the one rule of kind greylist that applies, or NULL. in_shadow false: of
// the rules in force; true: of the rules in shadow. Of rules of one specificity the one whose
// source fits the client most closely applies, one without a source last; then the lowest id.
const struct policy_rule *policy_greylist_match(const struct policy *policy,
                                                const struct policy_subject *subject,
                                                bool in_shadow);

// policy_rule_compare: the order of README.md as far as it does not depend on the client: override
// first, then from's specificity, then to's, then the lowest id. For qsort over struct policy_rule.
int policy_rule_compare(const void *a, const void *b);
