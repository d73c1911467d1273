// reeve.h: libreeve, a mail gateway's side of Reeve: asks nodes what to do with a mail, and always
// gets an answer in time.
//
// Two ways to use it. A simple program calls reeve_check and waits. An event loop calls
// reeve_submit, watches reeve_fd for reading, and calls reeve_dispatch when it is readable; the
// callbacks run inside reeve_dispatch and nowhere else. When no node answers by the deadline, the
// answer is the local fallback verdict, whose reason is "fallback". When a mail of one's own users was
// accepted, reeve_sent or reeve_submit_sent says so, and answers to it are let through; what a mail turned out to be,
// reeve_report or reeve_submit_report says. Of several nodes each question
// goes to one that is well and not busy; one that does not answer soon is helped by another. No
// global state, nothing that a peer sends aborts the process; no thread of its own, unless an
// endpoint holds a host name: then each lookup of the name runs in a short-lived thread. A struct
// reeve belongs to one thread. Not fork-safe: make it after the fork. Full text: reeve(3).
#ifndef REEVE_H
#define REEVE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define REEVE_API __attribute__((visibility("default")))

enum reeve_error {
    REEVE_OK = 0,
    REEVE_BAD_OPTION = 1,  // an option is missing or wrong
    REEVE_SYSTEM = 2,      // no memory, no descriptors, no such address
    REEVE_REFUSED = 3,     // the node refused the request: see the answer's error
    REEVE_UNREACHABLE = 4, // no node gave an answer of use by the deadline
};

enum reeve_stage { REEVE_CONNECT = 1, REEVE_MAIL = 2, REEVE_RCPT = 3, REEVE_END = 4 };
enum reeve_action {
    REEVE_ACCEPT = 1,
    REEVE_DEFER = 2,
    REEVE_REJECT = 3,
    REEVE_HOLD = 4,
    REEVE_SECURE = 5
};
enum reeve_fallback { REEVE_FALLBACK_ACCEPT = 0, REEVE_FALLBACK_DEFER = 1 };
enum reeve_node_state {
    REEVE_NODE_AWAY = 0,     // not connected; it is tried again and again
    REEVE_NODE_UP = 1,       // connected and well
    REEVE_NODE_SUSPECT = 2,  // connected, but late, overloaded or damaged the last time
    REEVE_NODE_DRAINING = 3, // it said that it is about to leave
    REEVE_NODE_GONE = 4,     // its name does not lead to it any more
};
enum reeve_status { // of the node's reply; numbers as in the wire contract
    REEVE_STATUS_OK = 0,
    REEVE_STATUS_BAD_REQUEST = 1,
    REEVE_STATUS_FORBIDDEN = 2,
    REEVE_STATUS_OVERLOADED = 3,
    REEVE_STATUS_EXPIRED = 4,
    REEVE_STATUS_UNAVAILABLE = 5,
    REEVE_STATUS_INTERNAL = 6,
};

// One address of a node, as this client sees it. The counters begin with the client.
struct reeve_node {
    const char *endpoint; // numeric
    const char *node;     // what it calls itself; "" = it has not said yet
    enum reeve_node_state state;
    size_t in_flight;  // questions under way there
    uint64_t asked;    // questions sent there, of whatever kind: first, hedge or retry
    uint64_t answered; // of these, those whose answer it gave
    uint64_t slow;     // unanswered for the hedge time, or at the deadline
    uint64_t refused;  // answered with overloaded, expired and the like, or with what is no answer
    uint64_t late;     // answered after somebody else had, or after the deadline
    uint64_t lost;     // under way when the connection ended
    uint64_t damaged;  // messages that are no reply, or a reply to no question
    uint64_t connects; // connections that were made; above 1: reconnects
};

// Of the client as a whole.
struct reeve_counters {
    uint64_t questions; // of reeve_check, reeve_submit and reeve_ping
    uint64_t answered;  // by a node, with what the caller got
    uint64_t fallbacks; // answered with the local verdict, for whatever reason
    uint64_t hedges;    // second copies, because the first was unanswered for the hedge time
    uint64_t retries;   // further copies, because a node refused
    uint64_t resends;   // further copies, because a connection ended
    uint64_t unhelped;  // hedges and retries that the retry budget did not allow
    uint64_t late;      // replies that came after the answer
    uint64_t sents;     // of reeve_sent and reeve_submit_sent; none of the above but hedges to late
    uint64_t sents_lost; // of these, those that no node took
    uint64_t
        reports; // of reeve_report and reeve_submit_report; none of the above but hedges to late
    uint64_t reports_lost; // of these, those that no node took
};

// Zero is every field's default. Texts are copied.
struct reeve_options {
    // ZeroMQ endpoints of nodes' lookup doors: "tcp://127.0.0.1:7170", "ipc:///run/reeve/lookups".
    const char *const *nodes;
    size_t node_count;          // 1..64; a host name stands for all its addresses
    const char *admin;          // endpoint of an admin door, for reeve_admin; NULL = none
    const char *gateway;        // this gateway's label, 64 bytes; NULL = the host's name
    unsigned deadline_ms;       // of reeve_check, reeve_submit and reeve_ping; 0 = 250; 1..60000
    unsigned admin_deadline_ms; // 0 = 10000
    unsigned in_flight_max; // requests submitted and not answered yet; one more gets the fallback
                            // at once. 0 = 1024
    enum reeve_fallback fallback;
    unsigned hedge_ms; // a question that is unanswered for so long goes to another node too; 0 =
                       // 100; 1..60000
    bool no_hedge;     // never ask a second node because the first is slow
    // Called by reeve_dispatch (and the blocking calls) when a node's state has changed; NULL =
    // nobody. It may call reeve_node_at and reeve_counters, nothing else of this client.
    void (*node_changed)(void *arg, const struct reeve_node *node);
    void *node_arg;
    unsigned
        sent_deadline_ms; // of reeve_submit_sent and reeve_submit_report, for which nobody waits; 0 =
                          // 10000; 1..600000
};

// One question. Texts may be NULL (not given) and may hold any bytes up to their NUL: what a mail
// client chose is cut, escaped and judged, never refused. See reeve.proto, message Check.
struct reeve_check {
    enum reeve_stage stage; // 0 = REEVE_RCPT
    const char *transaction;
    const char *client_ip;
    const char *client_name;
    const char *helo;
    const char *auth_user;
    bool tls;
    bool smtputf8;
    const char *sender; // "" or NULL = the null sender
    const char *const *recipients;
    size_t recipient_total;
    uint32_t recipient_count;
    uint64_t size_bytes;
    int spf; // enum AuthOutcome of the wire contract; 0 = not looked at
    const char *spf_domain;
    bool dry_run;
    bool trace;
    uint64_t at_ms; // only for a node started with --replay
    // What if; both need dry_run.
    const char *
        policy; // judge by this document of a policy set, which the node holds; NULL = what is in force
    uint64_t as_of_ms; // judge as of this moment (Unix ms); 0 = now
};

struct reeve_header {
    const char *name;
    const char *value; // unfolded
};

// A mail of one's own users that was accepted, with those of its recipients that were. Texts as in
// struct reeve_check. Of the headers the node reads those that say whether a person wrote it: Auto-Submitted,
// Precedence, List-Id, List-Unsubscribe, Content-Type, X-Autoreply, X-Autorespond, In-Reply-To, References; 500 at most. A
// gateway that knows none judges by the envelope alone. See reeve.proto, message Sent.
struct reeve_sent {
    const char *transaction;
    const char *auth_user;
    const char *client_ip;
    const char *sender;
    const char *const *recipients;
    size_t recipient_total; // 1000 at most
    const struct reeve_header *headers;
    size_t header_total;
    uint64_t sent_ms; // when, Unix ms; 0 = now
    uint64_t at_ms;   // only for a node started with --replay
};

enum reeve_evidence { // numbers as in the wire contract
    REEVE_HAM = 1,
    REEVE_SPAM = 2,
    REEVE_VIRUS = 3,
    REEVE_TRAP = 4,
    REEVE_COMPLAINT = 5, // a person pressed "junk"
    REEVE_NOT_SPAM = 6,  // a person pressed "not junk"
    REEVE_UNKNOWN_RECIPIENT = 7,
};
// What an address or a mail turned out to be, by evidence that does not contain a node's own verdict: what was only deferred or
// refused because of it is none. Texts as in struct reeve_check. See reeve.proto, message Report.
struct reeve_report {
    const char *event; // names it in the whole cluster, 128 bytes: told twice, it counts once
    enum reeve_evidence evidence;
    const char *client_ip; // this, or sender, or both
    const char *sender;
    const char *recipient; // spam that names a pair ends that Auto Allow lets it through
    int spf;               // as in struct reeve_check
    const char *spf_domain;
    double weight;        // 0 = the evidence's own; else positive, at most 3
    uint64_t reported_ms; // when it was so, Unix ms; 0 = now; of the last 30 days
    // Only for a node started with --replay.
    uint64_t at_ms;
    uint32_t asn;        // of the client; 0 = not known
    const char *country; // ISO 3166-1, two capital letters; NULL = not known
};

struct reeve_step {
    const char *step, *outcome, *rule, *why;
};

// What one reporter holds of a level.
struct reeve_reporter {
    const char *name; // "" = forgotten
    double spam, ham; // decayed
    double trust;     // 0..1
    bool at_cap;      // it may not add more
};
// One level of a reputation, as it was counted. See reeve.proto, message ReputationLevel.
struct reeve_level {
    const char *kind; // ip, net, wide, asn, country, world, sender, domain, tld, senders
    const char *name;
    bool is_known;    // false: nothing is kept of it
    double spam, ham; // that count: decayed, without what is not trusted
    double strength;  // m
    double
        p; // (spam + m p of the next level) / (spam + ham + m); of a root (spam + 1) / (spam + ham + 2)
    double share; // of its chain's p that rests on this level
    uint64_t age_s, first_s;
    double hour, week; // mails that it sends, with half-lives of 1 h and 7 d
    const struct reeve_reporter *reporters;
    size_t reporter_count;
};
// How a verdict's score came about: the whole computation.
struct reeve_reputation {
    double p;               // that the mail is spam
    double address, sender; // logit p = (logit address + L logit sender) / (1 + L)
    bool has_sender;
    double sender_weight; // L
    double ip;            // the address alone, over the root
    double lower, upper;
    const char *band; // what the step reputation makes of it
    bool is_warm;
    const struct reeve_level *levels; // the address's chain, leaf to root, then the sender's
    size_t level_count;
    size_t address_count; // levels of the address's chain
};

struct reeve_verdict {
    const char *recipient;
    enum reeve_action action;
    unsigned code;
    const char *enhanced, *text, *reason, *rule, *narrative;
    const char *direction; // "inbound", "outbound", "internal", "relay" or ""
    bool skip_reputation, skip_greylist, skip_spam;
    const char *ticket;
    uint32_t retry_after_s;
    uint32_t waited_s;
    const char *shadow;
    const struct reeve_step *trace;
    size_t trace_count;
    bool score_known;
    double score; // 100 = certainly no spam, 0 = certainly
    const struct reeve_reputation
        *reputation; // where a trace was asked for; NULL = it was not, or nothing is known
};

struct reeve_pair {
    const char *key, *value;
};
struct reeve_row {
    const struct reeve_pair *fields;
    size_t field_count;
};

// An answer. Texts are never NULL, UTF-8, and live as long as the answer.
struct reeve_answer {
    enum reeve_error error;   // REEVE_OK, or why this is not the node's own verdict
    enum reeve_status status; // of the reply, where there was one
    const char *message;      // for a person; "" when all is well
    bool fallback;            // the verdicts are the local fallback
    bool degraded, draining;
    const char *degraded_why, *node;
    uint64_t policy_version;
    // Of a check: one a recipient, in order (one at CONNECT and MAIL).
    const struct reeve_verdict *verdicts;
    size_t verdict_count;
    const struct reeve_verdict *end; // REEVE_END: the one reply to the client; else NULL
    const char *version, *store;     // ping
    uint64_t uptime_ms;
    const struct reeve_row *rows; // admin
    size_t row_count;
    const char *cursor;
    const void *document;
    size_t document_bytes;
    // Of a sent: entries that were set or refreshed; whether all waits for the store, which is away; and why
    // others were not. Of a report: 1, or 0 and why: seen, off, weightless, nobody.
    uint32_t recorded;
    bool queued;
    const char *const *skipped_why;
    size_t skipped_count;
};

struct reeve;

// reeve_new: connects in the background; a node that is away is no error. On failure *out is
// untouched and message (of size bytes) says what was wrong and what to do.
REEVE_API enum reeve_error reeve_new(struct reeve **out, const struct reeve_options *options,
                                     char *message, size_t size);
// reeve_free: requests under way get their callback with the fallback first. NULL-safe, NULLs.
REEVE_API void reeve_free(struct reeve **reeve);

// The blocking calls. They return the answer's error, and always hand out an answer (free it with
// reeve_answer_free), also on failure: then it holds the fallback verdicts and the message. Do not
// mix them with requests under way from reeve_submit: those are dispatched meanwhile.
REEVE_API enum reeve_error reeve_check(struct reeve *reeve, const struct reeve_check *check,
                                       struct reeve_answer **out);
REEVE_API enum reeve_error reeve_ping(struct reeve *reeve, struct reeve_answer **out);
// reeve_sent: asked twice it is recorded once. No node took it: REEVE_UNREACHABLE.
REEVE_API enum reeve_error reeve_sent(struct reeve *reeve, const struct reeve_sent *sent,
                                      struct reeve_answer **out);
// reeve_report: told twice, or by several gateways, an event counts once.
REEVE_API enum reeve_error reeve_report(struct reeve *reeve, const struct reeve_report *report,
                                        struct reeve_answer **out);
// reeve_admin: a verb of the admin door and its arguments. dry_run: say what would be done. at_ms
// as in reeve_check.
REEVE_API enum reeve_error reeve_admin(struct reeve *reeve, const char *verb,
                                       const struct reeve_pair *args, size_t arg_count,
                                       bool dry_run, uint64_t at_ms, struct reeve_answer **out);
// reeve_admin_ask: the same with all that a verb can be given; texts and document are borrowed until
// it returns. A document may have 16 MiB.
struct reeve_admin_request {
    const char *verb;
    const struct reeve_pair *args;
    size_t arg_count;
    const void *document;
    size_t document_bytes;
    bool dry_run;
    uint64_t at_ms;
};
REEVE_API enum reeve_error reeve_admin_ask(struct reeve *reeve,
                                           const struct reeve_admin_request *request,
                                           struct reeve_answer **out);
REEVE_API void reeve_answer_free(struct reeve_answer **answer);

// The event-loop calls. reeve_submit copies the check, sends it, and calls done exactly once from a
// later reeve_dispatch (or from reeve_free); the answer is valid during the callback. It returns a
// number that names the request. 0 = there is no memory even to remember it, or reeve_free is at
// work: then done is not called.
REEVE_API uint64_t reeve_submit(struct reeve *reeve, const struct reeve_check *check,
                                void (*done)(void *arg, const struct reeve_answer *answer),
                                void *arg);
// reeve_submit_sent, reeve_submit_report: the same for a mail that was accepted, and for what one turned out to be; done may be NULL.
// Nobody waits for it, so it lives for sent_deadline_ms, in which a node may come back. At most half of in_flight_max
// may be such.
REEVE_API uint64_t reeve_submit_sent(struct reeve *reeve, const struct reeve_sent *sent,
                                     void (*done)(void *arg, const struct reeve_answer *answer),
                                     void *arg);
REEVE_API uint64_t reeve_submit_report(struct reeve *reeve, const struct reeve_report *report,
                                       void (*done)(void *arg, const struct reeve_answer *answer),
                                       void *arg);
// reeve_cancel: its callback will not come any more. Unknown numbers are ignored.
REEVE_API void reeve_cancel(struct reeve *reeve, uint64_t request);
// reeve_fd: readable (level-triggered) whenever reeve_dispatch has something to do, deadlines
// included. Do not read from it.
REEVE_API int reeve_fd(const struct reeve *reeve);
// reeve_dispatch: reads what came, calls back, ends what is late. Never blocks.
REEVE_API void reeve_dispatch(struct reeve *reeve);

// reeve_node_at: the nodes that are known now, one an address: index 0, 1, ... until NULL. Valid
// until the next call with this client.
REEVE_API const struct reeve_node *reeve_node_at(struct reeve *reeve, size_t index);
// reeve_counters: valid, and kept up to date, as long as the client.
REEVE_API const struct reeve_counters *reeve_counters(const struct reeve *reeve);

// Listening to a node's stats socket. topic "" = all, "stats", "decision." or longer.
struct reeve_metric {
    const char *name;
    double value;
    const struct reeve_pair *labels;
    size_t label_count;
};
struct reeve_news {
    const char *topic, *node;
    uint64_t at_ms;
    const struct reeve_metric *metrics; // topic stats
    size_t metric_count;
    uint64_t epoch_ms, sequence;
    const char *gateway, *client_ip, *sender; // topic decision.*
    const struct reeve_verdict *verdict;      // topic decision.*; else NULL
    uint32_t took_us;
};
struct reeve_listener;
REEVE_API enum reeve_error reeve_listen(struct reeve_listener **out, const char *endpoint,
                                        const char *topic, char *message, size_t size);
// reeve_next: waits at most timeout_ms for news; valid until the next call. REEVE_UNREACHABLE when
// none came.
REEVE_API enum reeve_error reeve_next(struct reeve_listener *listener, int timeout_ms,
                                      const struct reeve_news **out);
REEVE_API void reeve_listener_free(struct reeve_listener **listener);

// reeve_version: "0.1.0".
REEVE_API const char *reeve_version(void);

#ifdef __cplusplus
}
#endif
#endif
