// policy.h: the policy set, compiled: who is ours, who somebody is to the set (a party), and which of its
// policies applies. Built by node/policy, read here; const from the moment it is handed over.
//
// Every pattern that the set names (README.md, section 1) has a number. An address is looked up once: its party is
// the numbers of the patterns it fits, and from then on nothing compares text. Policies are found by
// (table, from's number, to's number), and of those with a source network by the longest prefix: so a lookup
// costs as much with a hundred thousand policies as with a hundred.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/reputation.h"
#include "node/core/zone.h"
#include "proto/ip.h"
#include "proto/mail.h"
#include "proto/msg.h"

enum policy_mode { POLICY_ENFORCE, POLICY_SHADOW };
enum policy_relay { POLICY_RELAY_JUDGE, POLICY_RELAY_IGNORE };
enum policy_ldap_scope { POLICY_LDAP_BASE, POLICY_LDAP_ONE, POLICY_LDAP_SUB };
enum policy_scope { POLICY_SCOPE_PAIR, POLICY_SCOPE_ORG, POLICY_SCOPE_OFF };
enum policy_starttls { POLICY_STARTTLS_MAY, POLICY_STARTTLS_NEVER };
enum policy_fail { POLICY_FAIL_PASS, POLICY_FAIL_DEFER };
// Whether a login may use an envelope sender that is not its own.
enum policy_login { POLICY_LOGIN_ENFORCE, POLICY_LOGIN_SHADOW, POLICY_LOGIN_OFF };

// By what greylisting recognises a client that retries: its network, the domain of its confirmed name, the domain that SPF passed
// for, its AS.
enum policy_identity {
    POLICY_IDENTITY_NET,
    POLICY_IDENTITY_NAME,
    POLICY_IDENTITY_SPF,
    POLICY_IDENTITY_ASN,
};

// auto: the local score is in shadow until it knows enough (reputation_is_warm), DNS lists are not.
enum policy_reputation {
    POLICY_REPUTATION_AUTO,
    POLICY_REPUTATION_SHADOW,
    POLICY_REPUTATION_ENFORCE,
    POLICY_REPUTATION_OFF,
};
enum { POLICY_EVIDENCES = MSG_UNKNOWN_RECIPIENT + 1 };

// A DNS list (RFC 5782).
struct policy_dns_list {
    const char *zone; // normalised
    bool is_good;     // DNSWL: greylisting and spam checks are skipped
    bool of_sender;   // of the sender's domain, not of the client's address
    double weight;    // of a bad one, against dns_threshold
    int mode;         // enum policy_mode
    const struct policy_dns_code {
        uint32_t low, high; // answers from low to high count; host byte order
    } * code;               // none = any of 127.0.0.0/8
    size_t code_count;
    const char *file;
    unsigned line;
};
// What a gateway's reports are worth.
struct policy_gateway {
    const char *name;
    double weight; // 0..1
};

struct policy_settings {
    struct {
        int mode;           // enum policy_mode; a fresh installation starts in shadow
        uint64_t delay_ms;  // a retry younger than this is early
        uint64_t window_ms; // a retry older than this is new; also the length of a slice
        uint64_t life_ms;   // a passed triplet holds this long after the last accept
        uint64_t net_ipv4;  // bits
        uint64_t net_ipv6;
        uint64_t new_per_hour; // first tries that a network may bring to a node in an hour; 0 = any
        uint64_t
            identities; // by what a client is recognised: 1 << enum policy_identity; the network always is
        bool fold_sender;
        bool recipient_check_first; // the step recipient goes before greylist
    } greylist;
    struct {
        uint64_t days;            // an entry holds this long after the last mail that was sent
        uint64_t life_ms;         // the same
        int scope;                // enum policy_scope
        uint64_t most_recipients; // a mail to more of them teaches nothing; 0 = any number
    } auto_allow;
    bool personal_lists; // recipients have their own
    // How the host behind the gateway is asked whether a recipient exists (domains with recipients: callforward).
    struct {
        uint64_t positive_ms; // how long its yes is kept
        uint64_t negative_ms; // and its no
        uint64_t reply_ms;    // it is waited for so long at each step
        uint64_t whole_ms;    // and so long in all
        uint64_t connections; // to one host at a time
        uint64_t waiting;     // questions for one host that wait for a connection
        int starttls;         // enum policy_starttls
        const char *helo;     // the name that it is told; "" = this machine's
    } callforward;
    // Which directory servers are asked (domains with recipients: ldap), and for what.
    struct {
        const char *servers; // URIs, parted by blanks; "" = none
        bool start_tls;
        const char *bind_dn;  // "" = anonymous
        const char *base;     // below which entry; as the filter with places for the address
        int scope;            // enum policy_ldap_scope
        const char *filter;   // ldap_text.h
        const char *mailbox;  // attribute that names the mailbox whose address it is; "" = none
        uint64_t connections; // at a time
        uint64_t timeout_ms;  // each step: connecting, TLS, bind, search
        uint64_t whole_ms;    // a question in all
        uint64_t positive_ms; // how long a yes is kept
        uint64_t negative_ms; // and a no
    } ldap;
    struct {
        int mode; // enum policy_reputation
        bool two_step;
        double reject_p, reject_lower; // mail is refused at or above both
        double long_p;                 // greylisting takes long_delay_ms from here on
        uint64_t long_delay_ms;
        double skip_p, skip_upper; // greylisting is skipped below both,
        double skip_evidence;      // with at least so much evidence
        double surge_mails, surge_ratio;
        double report[POLICY_EVIDENCES]; // weight of a report, by enum msg_evidence
        double auto_allowed;             // of a mail that Auto Allow let in
        struct reputation_settings levels;
        double dns_threshold;
        const struct policy_dns_list *list;
        size_t list_count;
        const char *gateways; // "NAME=WEIGHT", parted by blanks
        const struct policy_gateway
            *gateway; // the same, sorted by name; who is not named is worth 1
        size_t gateway_count;
    } reputation;
    bool admin_permit_over_user_block;
    struct {
        int mode;                  // enum policy_mode
        uint64_t unknown_per_hour; // recipients that do not exist; 0 = nobody is banned for them
        double unknown_share;      // and more than this share of all that a client names
        uint64_t ban_ms, ban_most_ms;
    } abuse;
    struct {
        uint64_t message_size; // bytes; 0 = any
        uint64_t recipients;   // of a transaction; 0 = any
    } limits;
    struct {                    // of users that are leaving
        uint64_t rcpt_per_mail; // 0 = any
        uint64_t rcpt_per_day;
    } leaving;
    int login_match; // enum policy_login
    int relay;       // enum policy_relay
    int fail;        // enum policy_fail
    bool auth_failure_voids;
    const char *auth_domain;
    const char *timezone;   // of the tz database
    double tracking_sample; // of accepts, 0..1
};

// ---- Patterns

// What a from or to may be, most general first: the order is the specificity.
enum policy_pattern_kind {
    POLICY_EVERYONE, // *
    POLICY_PARTY,    // internal, external
    POLICY_BELOW,    // .dom: any depth below, not the apex; a longer domain is more specific
    POLICY_DOMAIN,   // dom
    POLICY_GROUP,    // {group: name}
    POLICY_LOCAL,    // user@*
    POLICY_ADDRESS,  // user@dom
    POLICY_NULL,     // <>
};

struct policy_pattern {
    enum policy_pattern_kind kind;
    bool internal;      // POLICY_PARTY
    const char *local;  // folded, base or tagged as written; of POLICY_GROUP its name; else ""
    const char *domain; // normalised; else ""
};

// A .dom has so many labels at most, so that a party has room for all that it lies below.
enum { POLICY_BELOW_LABELS_MAX = 16 };

// What the set knows of one pattern. Numbers begin at 0; POLICY_NOBODY is none.
#define POLICY_NOBODY UINT32_MAX
struct policy_known {
    struct policy_pattern pattern;
    uint32_t from_tables; // bit 1 << table: a policy there names it as its from
    uint32_t to_tables;   // likewise to
    uint32_t from_groups; // likewise: a policy there names a group that lists this pattern
    uint32_t to_groups;   // likewise to
    uint32_t first_group; // into policy->membership: the groups that list it, nested ones included
    uint32_t group_count;
    uint32_t user;  // POLICY_ADDRESS: the user whose mailbox or alias it is; POLICY_NOBODY = none
    uint32_t group; // POLICY_GROUP: into policy->group
};

// A pattern lists in a group: that group, and all groups that it lies in, however deep; sorted by pattern.
struct policy_membership {
    uint32_t pattern;  // number of the group's pattern
    bool as_recipient; // only as a recipient: it is the group's own address
};

struct policy_group {
    const char *name;
    const char *address; // "" = none
    uint32_t pattern;    // its number
    uint32_t members;    // patterns that list in it, nested ones included
    const char *file;
    unsigned line;
};

enum policy_user_state { POLICY_USER_ACTIVE, POLICY_USER_LEAVING, POLICY_USER_DISABLED };

struct policy_user {
    uint32_t mailbox;      // number of its address
    const uint32_t *alias; // numbers of its other addresses
    size_t alias_count;
    enum policy_user_state state;
    const uint32_t *send_as; // numbers of patterns that it may use as a sender beside its own
    size_t send_as_count;
    const char *role; // "", moderator, admin
    const char *file;
    unsigned line;
};

// ---- Who somebody is

enum policy_role { POLICY_AS_SENDER, POLICY_AS_RECIPIENT };

enum { POLICY_PARTY_KEYS_MAX = POLICY_BELOW_LABELS_MAX + 12, POLICY_GROUP_RANK = 128 };

// One pattern that an address fits.
struct policy_key {
    uint32_t pattern;
    uint8_t rank; // higher is more specific; equal within one kind (of POLICY_BELOW: one depth)
    bool
        is_base; // only without its +tag: an entry that blocks fits, one that lets through does not
    uint32_t tables; // bit 1 << table: a policy there names it, in the party's role
    uint32_t groups; // likewise: a group that lists it
};

// The patterns of the set that an address fits, groups apart, most specific first. Zeroed: nobody, whom not even
// * fits.
struct policy_party {
    uint8_t count;
    uint8_t above;   // so many keys are more specific than a group
    bool internal;   // its domain is ours
    uint32_t tables; // of all keys
    uint32_t groups;
    enum policy_role role;
    uint32_t user; // whose mailbox or alias it is; POLICY_NOBODY = no user of the set
    struct policy_key key[POLICY_PARTY_KEYS_MAX];
};

struct policy;

// policy_rank: how specific a pattern is.
uint8_t policy_rank(const struct policy_pattern *pattern);

// policy_party_of: who an address is. A recipient is its base address. An alias is its user's mailbox as well. A sender
// with a +tag is also its base address, as is_base. An address that is none fits * alone.
void policy_party_of(const struct policy *policy, const struct mail_address *address,
                     enum policy_role role, struct policy_party *out);
// policy_party_fits: whether the party fits that pattern, which may be a group. A sender's key that is is_base counts.
bool policy_party_fits(const struct policy *policy, const struct policy_party *party,
                       uint32_t pattern);
// policy_user_of: the user, or NULL.
const struct policy_user *policy_user_of(const struct policy *policy,
                                         const struct policy_party *party);

// ---- Policies

enum policy_kind {
    POLICY_GEO,
    POLICY_ANTI_SPOOF,
    POLICY_BLOCK,
    POLICY_PERMIT,
    POLICY_GREYLIST,
    POLICY_SENDER,         // kind mail with from, a default and exceptions
    POLICY_RECIPIENT,      // kind mail with to, a default and exceptions
    POLICY_SENDER_RULE,    // kind mail with from, when and action
    POLICY_RECIPIENT_RULE, // kind mail with to, when and action
    POLICY_LIMIT,
    POLICY_AUTO_ALLOW,
    POLICY_KINDS,
};
// A table holds the policies of a kind, those with override apart.
enum { POLICY_TABLES = POLICY_KINDS * 2 };

// Options of all kinds, least restrictive first: of equally specific policies the more restrictive applies.
enum policy_option {
    POLICY_NO_ACTION,
    POLICY_SPF_BYPASS, // anti_spoof: SPF that passes waives
    POLICY_ALLOW,      // geo permit, permit, mail
    POLICY_HOLD,
    POLICY_REJECT, // block, geo block, anti_spoof, mail block, auto_allow none; of limit: it is one
};

// Which part of a message a policy is about. What the header says is judged at the end of the message.
enum policy_part { POLICY_ENVELOPE = 1, POLICY_HEADER = 2, POLICY_BOTH = 3 };

// What else must hold; every field that is given must. Zeroed: nothing is asked.
struct policy_when {
    unsigned directions;  // bits 1 << enum msg_direction; 0 = any
    const uint32_t *from; // patterns of which the sender must fit one
    size_t from_count;
    const uint32_t *to; // likewise the recipient
    size_t to_count;
    const uint32_t *user; // likewise the login
    size_t user_count;
    const struct ip_net *source;
    size_t source_count;
    const char *const *country; // upper case; "*" = any that is known
    size_t country_count;
    unsigned spf;                   // bits 1 << enum msg_auth; 0 = any
    int tls;                        // 0 = any, 1 = with, -1 = without
    const struct zone_window *time; // local time in one of them
    size_t time_count;
    bool has_size_over, has_size_under, has_recipients_over;
    uint64_t size_over, size_under; // bytes
    uint64_t recipients_over;
    uint32_t
        group; // rcpt_in_group: pattern of the group; POLICY_NOBODY = not asked (group_at_least 0 too)
    uint64_t group_at_least;
    const char *client_name; // glob; "" = any
    const char *helo;
};

// Who is not limited.
struct policy_exempt {
    uint32_t user;               // pattern
    const struct ip_net *source; // none = from everywhere
    size_t source_count;
};

struct policy_rule {
    const char *id;
    const char *file;
    unsigned line;
    const char *note;
    enum policy_kind kind;
    enum policy_option option; // of mail: the default, or the action of a rule
    enum policy_mode mode;
    enum policy_part part;
    bool enabled;
    bool override;
    bool bidirectional;
    uint32_t from; // numbers of patterns; of a mail or limit policy one of them is that of *
    uint32_t to;
    struct ip_net *source; // sorted; none = every client
    size_t source_count;
    uint64_t valid_from_ms;     // inclusive; 0 = always
    uint64_t valid_until_ms;    // exclusive; 0 = for ever
    const char *const *country; // geo: as in policy_when
    size_t country_count;
    struct policy_when when;          // POLICY_*_RULE
    const struct policy_when *except; // mail: of the opposite action; the first that holds counts
    size_t except_count;
    const char *hold_for; // of mail that holds: user, moderator, admin
    uint64_t rcpt_per_mail, rcpt_per_day, mail_per_day; // POLICY_LIMIT; 0 = any number
    const struct policy_exempt *exempt;
    size_t exempt_count;
};

// ---- The set

enum policy_spoof { POLICY_SPOOF_AGED, POLICY_SPOOF_ENFORCE, POLICY_SPOOF_SHADOW };

// How it is known which recipients a domain has.
enum policy_recipients {
    POLICY_RECIPIENTS_ANY,
    POLICY_RECIPIENTS_SEND_ONLY,
    POLICY_RECIPIENTS_DIRECTORY,
    POLICY_RECIPIENTS_CALLFORWARD,
    POLICY_RECIPIENTS_LDAP,
};
enum policy_unknown { POLICY_UNKNOWN_REJECT, POLICY_UNKNOWN_DEFER };

struct policy_domain {
    const char *name; // normalised
    int recipients;   // enum policy_recipients
    int unknown;      // enum policy_unknown: what an unknown recipient gets
    bool learn;       // who has sent mail from here exists
    const char *host; // that callforward asks: a name or an address, without brackets; "" = none
    uint16_t host_port;
    const char *ldap_base; // below which entry of the directory server; "" = settings.ldap.base
    enum policy_spoof
        anti_spoof; // AGED: in shadow for 7 days from when the domain was first declared
    const char *file;
    unsigned line;
};

// Policies of one (table, from, to).
struct policy_bucket {
    uint32_t table, from, to;
    uint32_t first, count;         // into policy->order: those without a source network
    uint32_t all_first, all_count; // likewise: all of them, those with a network once for each
    uint64_t bits4;                // bit n: one has an IPv4 network of n bits
    uint64_t bits6[3];             // likewise IPv6, 0..128
};
// Policies of a bucket whose source lists this network.
struct policy_place {
    uint32_t bucket;
    struct ip_net net;
    uint32_t first, count; // into policy->order
};

// A hash table with open addressing: slot[hash & mask], then the next ones. 0 = free; else number + 1, and above it
// the upper half of the hash.
struct policy_slots {
    const uint64_t *slot;
    uint32_t mask;
};

struct policy {
    uint64_t
        version; // of what is in force: 1, 2, 3 ... of a set that was applied; of plain files a 53 bit hash;
                 // 0 = no policy file
    uint64_t hash; // 53 bits of what it says, whatever the order and the comments
    const struct policy_domain *domain; // internal domains, sorted by name
    size_t domain_count;
    struct ip_net *trusted; // sorted; none lies inside another
    size_t trusted_count;
    struct policy_settings settings;
    struct zone zone; // of settings.timezone
    const struct policy_known *known;
    size_t known_count;
    struct policy_slots known_slots;
    unsigned known_kinds; // bit 1 << enum policy_pattern_kind: a pattern of that kind is known
    const struct policy_membership *membership;
    const struct policy_group *group; // sorted by name
    size_t group_count;
    const struct policy_user *user; // sorted by mailbox
    size_t user_count;
    const struct policy_rule *rule; // sorted by id
    size_t rule_count;
    uint32_t tables;        // bit 1 << table: it is not empty
    uint32_t shadow_tables; // likewise: one in shadow is in it
    const uint32_t *order;  // rules, in each range the more restrictive first, then by id
    const struct policy_bucket *bucket;
    struct policy_slots bucket_slots;
    const struct policy_place *place;
    struct policy_slots place_slots;
};

static inline uint32_t policy_table(enum policy_kind kind, bool override)
{
    return (uint32_t)kind * 2 + (override ? 1 : 0);
}

// The hashes of the three tables, for the builder and the readers (policy_hash.h).
uint64_t policy_hash_pattern(enum policy_pattern_kind kind, bool internal, const char *local,
                             const char *domain);
uint64_t policy_hash_bucket(uint32_t table, uint32_t from, uint32_t to);
uint64_t policy_hash_place(uint32_t bucket, const struct ip_net *net);

// policy_find: the number of a pattern, or POLICY_NOBODY.
uint32_t policy_find(const struct policy *policy, const struct policy_pattern *pattern);

// policy_is_internal: an exact internal domain. False for "".
bool policy_is_internal(const struct policy *policy, const char *domain);
// policy_domain_of: the internal domain of exactly that name; NULL if it is none.
const struct policy_domain *policy_domain_of(const struct policy *policy, const char *domain);
// policy_domain_over: the internal domain that this one is or lies below, the longest; NULL if none.
const struct policy_domain *policy_domain_over(const struct policy *policy, const char *domain);
bool policy_is_trusted_ip(const struct policy *policy, const struct ip *ip);

// What policies are matched against.
struct policy_query {
    const struct policy_party *from;
    const struct policy_party *to;
    const struct ip *client; // family 0 = unknown: policies with a source never match
    uint64_t now_ms;
    // What else a policy must say, or NULL. The last word on a policy that fits otherwise.
    bool (*accepts)(const struct policy_rule *rule, const void *arg);
    const void *arg;
};

// Whose policies count.
enum policy_view {
    POLICY_IN_FORCE, // those that are enforced
    POLICY_AS_IF,    // those in shadow as well, as if they were enforced
};

// policy_match: the one policy of the kind that applies, or NULL: override first, then from's specificity, then to's,
// then a source network before none, a longer prefix first; then the more restrictive, then the lowest id.
const struct policy_rule *policy_match(const struct policy *policy, enum policy_kind kind,
                                       const struct policy_query *query, enum policy_view view);

// A policy that fits, how well: the first of two policies with another level is the more specific one.
struct policy_fit {
    const struct policy_rule *rule;
    uint32_t level;
    int source_bits; // -1 = it asks for no source network
};
// policy_each: every policy of the kind that fits, most specific levels first; what one level holds comes in any
// order, and one policy may come twice. visit returns false to end it.
void policy_each(const struct policy *policy, enum policy_kind kind,
                 const struct policy_query *query, enum policy_view view,
                 bool (*visit)(const struct policy_fit *fit, void *arg), void *arg);

// policy_takes_base: whether it also fits a sender of which only the address without its +tag fits: what restricts the
// base address restricts the tagged one, what lets it through says nothing of that. Mail policies and limits are about
// the user.
bool policy_takes_base(const struct policy_rule *rule);

// policy_is_valid: enabled, and now_ms lies in its time.
bool policy_is_valid(const struct policy_rule *rule, uint64_t now_ms);

// policy_source_fits: -1 = the client is in none of the networks, else the bits of the closest.
int policy_source_fits(const struct ip_net *source, size_t count, const struct ip *client);
