// msg.h: requests and replies as plain structs, and every limit of the wire contract (reeve.proto).
// No protobuf type leaves wire.c. Numbers of enums equal the contract's. Texts are never NULL after
// decoding ("" = not given), valid UTF-8, and borrowed: from the arena that wire_decode_* was
// given, or from whoever filled the struct for wire_encode_*.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// What the gateway itself writes: over the limit = STATUS_BAD_REQUEST.
enum {
    MSG_GATEWAY_MAX = 64,
    MSG_TRANSACTION_MAX = 128,
    MSG_EVENT_MAX = 128,
    MSG_AUTH_USER_MAX = 320,
    MSG_POLICY_MAX = 64,
    MSG_RECIPIENTS_MAX = 1000,
    MSG_DKIM_MAX = 16,
    MSG_HEADERS_MAX = 500,
    MSG_ATTACHMENTS_MAX = 200,
    MSG_INNER_NAMES_MAX = 1000,
    MSG_ADMIN_VERB_MAX = 64,
    MSG_ADMIN_ARGS_MAX = 32,
    MSG_ADMIN_ARG_MAX = 4096,
    MSG_STEPS_MAX = 64,
    MSG_ROWS_MAX = 100000,
    MSG_FIELDS_MAX = 64,
};
// What a mail client chose: longer is cut, escaped and judged (text.h).
enum {
    MSG_CLIENT_NAME_MAX = 255,
    MSG_HELO_MAX = 255,
    MSG_ADDRESS_MAX = 320,
    MSG_HEADER_NAME_MAX = 128,
    MSG_HEADER_VALUE_MAX = 4096,
};
#define MSG_LOOKUP_BYTES_MAX   (2U << 20)
#define MSG_ADMIN_BYTES_MAX    (17U << 20)
#define MSG_ADMIN_DOCUMENT_MAX (16U << 20)
#define MSG_WEIGHT_MAX         3.0 // of a report

enum msg_verb {
    MSG_NONE = 0,
    MSG_CHECK = 10,
    MSG_REPORT = 11,
    MSG_SENT = 12,
    MSG_ACCESS = 13,
    MSG_ADMIN = 14,
    MSG_PING = 15,
    MSG_HELD = 16,
};

enum msg_status {
    MSG_OK = 0,
    MSG_BAD_REQUEST = 1,
    MSG_FORBIDDEN = 2,
    MSG_OVERLOADED = 3,
    MSG_EXPIRED = 4,
    MSG_UNAVAILABLE = 5,
    MSG_INTERNAL = 6,
};

enum msg_stage {
    MSG_STAGE_UNSPECIFIED = 0,
    MSG_CONNECT = 1,
    MSG_MAIL = 2,
    MSG_RCPT = 3,
    MSG_END = 4
};
enum msg_action {
    MSG_NO_ACTION = 0,
    MSG_ACCEPT = 1,
    MSG_DEFER = 2,
    MSG_REJECT = 3,
    MSG_HOLD = 4,
    MSG_SECURE = 5
};
enum msg_direction {
    MSG_NO_DIRECTION = 0,
    MSG_INBOUND = 1,
    MSG_OUTBOUND = 2,
    MSG_INTERNAL_MAIL = 3,
    MSG_RELAY = 4
};
enum msg_auth {
    MSG_AUTH_UNSPECIFIED = 0,
    MSG_AUTH_NONE = 1,
    MSG_AUTH_PASS = 2,
    MSG_AUTH_FAIL = 3,
    MSG_AUTH_SOFTFAIL = 4,
    MSG_AUTH_NEUTRAL = 5,
    MSG_AUTH_TEMPERROR = 6,
    MSG_AUTH_PERMERROR = 7,
};

struct msg_pair { // one entry of a map
    const char *key;
    const char *value;
};

struct msg_check {
    enum msg_stage stage; // after decoding never MSG_STAGE_UNSPECIFIED (read as MSG_RCPT)
    const char *transaction;
    const char *client_ip;
    const char *client_name;
    const char *helo;
    const char *auth_user;
    bool tls;
    bool smtputf8;
    const char *sender;
    const char *const *recipients;
    size_t recipient_total; // how many recipients points at
    uint32_t recipient_count;
    uint64_t size_bytes;
    enum msg_auth
        spf; // of Authentication; the rest of it is checked against its limits and not kept yet
    const char *spf_domain;
    bool dry_run;
    bool trace;
    const char *policy;  // what if: name of a document; "" = what is in force; else dry_run is set
    uint64_t at_ms;      // what if: as of then; 0 = now; else dry_run is set
    uint32_t asn;        // of the client, where the node replays; else refused unless 0
    const char *country; // likewise, unless ""
};

struct msg_header {
    const char *name;
    const char *value; // unfolded
};

// An outbound message was accepted.
struct msg_sent {
    const char *transaction;
    const char *auth_user;
    const char *client_ip;
    const char *sender;
    const char *const *recipients; // those that were accepted
    size_t recipient_total;
    const struct msg_header
        *headers; // those of interest; none where the gateway knows the envelope alone
    size_t header_count;
    uint64_t at_ms; // when, Unix ms; 0 = now
};

struct msg_admin {
    const char *verb;
    const struct msg_pair *args;
    size_t arg_count;
    const void *document;
    size_t document_bytes;
    bool dry_run;
    const char *as_user;
};

enum msg_evidence {
    MSG_NO_EVIDENCE = 0,
    MSG_HAM = 1,
    MSG_SPAM = 2,
    MSG_VIRUS = 3,
    MSG_TRAP = 4,
    MSG_COMPLAINT = 5, // a person pressed "junk"
    MSG_NOT_SPAM = 6,  // a person pressed "not junk"
    MSG_UNKNOWN_RECIPIENT = 7,
};
// What an address or a message turned out to be.
struct msg_report {
    const char *event; // the same event twice counts once
    enum msg_evidence evidence;
    const char *client_ip;
    const char *sender;
    const char *recipient;
    enum msg_auth spf;
    const char *spf_domain;
    double weight; // 0 = the default of the evidence; else finite, positive, at most MSG_WEIGHT_MAX
    uint64_t at_ms;      // when, Unix ms; 0 = now
    uint32_t asn;        // of the client, where the node replays; else refused unless 0
    const char *country; // likewise, unless ""
};

struct msg_request {
    uint64_t id;
    uint32_t budget_ms;
    const char *gateway;
    uint64_t at_ms;
    enum msg_verb verb;
    struct msg_check check;   // MSG_CHECK
    struct msg_sent sent;     // MSG_SENT
    struct msg_report report; // MSG_REPORT
    struct msg_admin admin;   // MSG_ADMIN
};

struct msg_step {
    const char *step;
    const char *outcome;
    const char *rule;
    const char *why;
};

// One level of a reputation, as it was counted.
struct msg_level {
    const char *kind; // ip, net, wide, asn, country, world, sender, domain, tld, senders
    const char *name; // 192.0.2.0/24
    bool is_known;    // false: nothing is kept of it
    double spam, ham; // that count now: decayed, without what is not trusted
    double strength;  // m
    double
        p; // (spam + m p of the next) / (spam + ham + m); of a root (spam + 1) / (spam + ham + 2)
    double
        share; // of the address's or sender's p that rests on this level: N/(N+m) times what the levels below leave
    uint64_t age_s;    // since it was last written
    uint64_t first_s;  // since the day it was first
    double hour, week; // mails that it sends, as counted
    const struct msg_reporter {
        const char *name; // "" = forgotten
        double spam, ham; // that it holds here, decayed
        double trust;
        bool at_cap;
    } * reporter;
    size_t reporter_count;
};
// How a verdict's score came about, where a trace is asked for.
struct msg_reputation {
    double p, address, sender, ip;
    bool has_sender;
    double sender_weight; // L
    double lower, upper;
    const char *
        band; // what the step makes of it: reject, greylist_long, greylist, skip_greylist, ...; node/core/README.md
    bool is_warm;
    const struct msg_level *level;
    size_t level_count;
    size_t address_count; // levels of the address's chain
};

struct msg_verdict {
    const char *recipient;
    enum msg_action action;
    uint32_t code;
    const char *enhanced;
    const char *text;
    const char *reason;
    const char *rule;
    const char *narrative;
    enum msg_direction direction;
    bool skip_reputation;
    bool skip_greylist;
    bool skip_spam;
    const char *ticket;
    uint32_t retry_after_s;
    bool score_known;
    double score;
    const struct msg_step *trace;
    size_t trace_count;
    const char *hold_for;
    uint32_t waited_s;
    const char *shadow;
    const struct msg_reputation *reputation; // NULL = not asked for, or not known
};

struct msg_decision {
    const struct msg_verdict *verdicts;
    size_t verdict_count;
    uint64_t policy_version;
    bool has_message; // MSG_END
    struct msg_verdict message;
};

struct msg_ack {
    uint32_t recorded; // entries that were set or refreshed
    bool queued;       // the store is away; it is recorded when that is back
    const char *const *skipped_why;
    size_t skipped_count;
};

struct msg_pong {
    const char *version;
    uint64_t uptime_ms;
    uint64_t policy_version;
    const char *store;
};

struct msg_row {
    const struct msg_pair *fields;
    size_t field_count;
};

struct msg_admin_reply {
    const struct msg_row *rows;
    size_t row_count;
    const char *cursor;
    const void *document;
    size_t document_bytes;
    uint64_t policy_version;
};

enum msg_answer {
    MSG_NO_ANSWER = 0,
    MSG_DECISION = 10,
    MSG_ACK = 11,
    MSG_ADMIN_REPLY = 14,
    MSG_PONG = 15
};

struct msg_reply {
    uint64_t id;
    enum msg_status status;
    const char *error;
    const char *node;
    bool draining;
    bool degraded;
    const char *degraded_why;
    enum msg_answer answer;
    struct msg_decision decision;
    struct msg_ack ack;
    struct msg_admin_reply admin;
    struct msg_pong pong;
};

// On the PUB socket.
struct msg_metric {
    const char *name;
    double value;
    const struct msg_pair *labels;
    size_t label_count;
};

struct msg_stats {
    const char *node;
    uint64_t epoch_ms;
    uint64_t sequence;
    uint64_t at_ms;
    const struct msg_metric *metrics;
    size_t metric_count;
};

struct msg_event {
    const char *node;
    uint64_t at_ms;
    const char *gateway;
    const char *client_ip;
    const char *sender;
    struct msg_verdict verdict;
    uint32_t took_us;
};
