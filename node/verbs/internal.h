// internal.h: what the files of this room share.
#pragma once

#include "node/policy/hold.h"
#include "node/verbs/carried.h"
#include "node/verbs/names.h"
#include "node/verbs/rate.h"
#include "node/verbs/report.h"
#include "node/verbs/seat.h"
#include "node/verbs/sent_queue.h"
#include "node/verbs/server.h"
#include "node/verbs/used.h"

struct server {
    struct server_config config;
    struct store *store;
    struct keeper *keeper;
    struct stats *stats;
    struct server_out out;
    struct seats *seats;
    struct names *names;
    struct carried *carried;
    struct sent_desk *sent;
    struct report_desk *reports;
    struct carried *reported;  // own reports that were made lately
    struct carried *counted;   // transactions of which it is counted that they came
    struct rate *rate;         // first tries
    struct rate *carried_rate; // what is stored because it is carried
    struct policy_hold *policy;
    bool draining;
    uint64_t started_ms;   // monotonic
    uint64_t last_came_ms; // monotonic
    uint64_t flushed_ms;   // monotonic: when the store was last told how often policies were used
    bool *alarmed;         // of each id of a gateway: that its trust is low was told
    uint64_t unique;       // makes the mark of a Check without a transaction its own
    double sample;         // accepts since the last one that got a tracking row, in rows
    struct arena scratch;  // for wire.c, between two replies
    uint8_t *reply_bytes;
    size_t reply_size;
};

// server_answer: sends what reply says (id, node and draining are filled in here) and gives the
// seat back.
void server_answer(struct server *server, struct seat *seat, struct msg_reply *reply);
// server_refuse: an answer that is only a status and words for a person.
void server_refuse(struct server *server, struct seat *seat, enum msg_status status,
                   const char *error);

// server_find_set: the set of a document that this node holds ready, in force or not; NULL = it holds none of that name.
struct policy_hold *server_find_set(const struct server *server, const char *document);

static inline const struct policy *seat_policy(const struct seat *seat)
{
    return seat->policy->policy;
}

static inline struct chain_in seat_chain(const struct seat *seat, const struct recipient *recipient)
{
    return (struct chain_in){&seat->facts, &recipient->facts, seat_policy(seat)};
}

// asker_client: the client's address; "" = not known. asker_login: a login with its domain: without @ it belongs to
// settings.auth_domain. NULL: the arena is full.
MUST_USE bool asker_client(const char *text, struct ip *out, struct err_detail *detail);
const char *asker_login(struct seat *seat, const char *user);

// check_prepare (prepare.c): allocates all that a Check needs, so that nothing fails later. ERR_MEMORY: a
// larger seat is needed. ERR_SYNTAX: the gateway wrote a client_ip that is none.
MUST_USE enum err check_prepare(struct server *server, struct seat *seat,
                                struct err_detail *detail);
// check_go: runs the Check until it waits or is answered.
void check_go(struct server *server, struct seat *seat);

// sent_desk_new, sent_desk_free: what waits for the store. sent_pump: writes it, if the store is there.
struct sent_desk *sent_desk_new(void);
void sent_desk_free(struct sent_desk **sent);
// sent_keep: entries wait behind those that do; they are copied.
void sent_pump(struct server *server);
void sent_keep(struct server *server, const struct store_allow *list);
// sent_prepare: what the message teaches, so that nothing fails later. Errors as those of check_prepare. sent_go: writes
// it, and answers.
MUST_USE enum err sent_prepare(struct server *server, struct seat *seat, struct err_detail *detail);
void sent_go(struct server *server, struct seat *seat);

// clients_name: whom the message comes from, as far as that can be spared, and what this node knows of them.
// clients_note: a recipient's accept is written to the evidence of its clients, if it says something.
void clients_name(const struct server *server, struct seat *seat);
void clients_note(struct server *server, struct seat *seat, const struct recipient *recipient);

// levels_prepare: room for what is known of where the message comes from, if a recipient's verdict may depend on that. levels_read: asks
// the store for it. levels_judge: what was read becomes facts. levels_fill: the whole computation, as a trace tells it, in
// memory of the seat and the store; NULL = there is none.
MUST_USE enum err levels_prepare(struct seat *seat);
// levels_client: of whom a message comes, as reputation knows it; texts are those of facts.
struct reputation_client levels_client(const struct facts *facts);
void levels_read(struct server *server, struct seat *seat, struct store_done done);
void levels_judge(const struct server *server, struct seat *seat);
const struct msg_reputation *levels_fill(const struct server *server, struct seat *seat,
                                         const struct recipient *recipient);

// gateways_watch: tells of gateways that lose trust. Once a second.
void gateways_watch(struct server *server);
// seat_time_to_wait: for another server's answer, so that time is left for what comes behind it (probing.c).
uint64_t seat_time_to_wait(const struct seat *seat);
// lists_prepare: room for what DNS lists say, if a recipient's verdict may depend on that. lists_ask: asks them; the seat waits for them.
MUST_USE enum err lists_prepare(const struct server *server, struct seat *seat);
void lists_ask(struct server *server, struct seat *seat);

// limits_list: what the recipients that are counting, and their message, count of the sender's day, as the store wants
// it: a list. NULL: nothing, or nothing can be named; then it is not known.
// limits_settle: what was counted and accepted is kept, what was counted and refused is taken back.
struct store_limit *limits_list(const struct server *server, struct seat *seat);
void limits_settle(const struct server *server, const struct seat *seat);

// probes_prepare: room for the words of the server that may be asked. probes_ask: for the recipients that are probing: each fact becomes known, or that nobody says it. The seat waits for
// those who are asked. probes_renew: a yes that is old is asked for again, and nobody waits.
MUST_USE enum err probes_prepare(struct seat *seat, struct recipient *recipient);
void probes_ask(struct server *server, struct seat *seat);
void probes_renew(struct server *server, struct seat *seat);
// harvest_note: which recipients that its client named exist and which do not, where that is watched.
void harvest_note(struct server *server, const struct seat *seat);

// verdict_finish: ticket, tracking row, counters and reply text of one recipient's verdict, and its
// place in the reply.
void verdict_finish(struct server *server, struct seat *seat, size_t index);

void admin_run(struct server *server, struct seat *seat);

// client_identify: fills facts->name and facts->spf_domain, in the arena, from the client's confirmed
// name and the domain that SPF passed for ("" = none); facts->client is known. False: the arena is full.
MUST_USE bool client_identify(struct names *names, struct facts *facts, struct arena *arena,
                              const char *client_name, const char *spf_domain);

// client_asn: the AS of a client that sends mail now, as this node knows it; 0 = not known.
uint32_t client_asn(const struct server *server, const struct ip *client);

// triplet_name: normalises a pair and names its triplet for a client (no address, no names: KEY_ANY
// alone) at client->now_ms. The keys live in the arena. False if an address is none (detail says
// which) or the arena is full.
MUST_USE bool triplet_name(const struct policy *policy, const struct key_ring *ring,
                           struct arena *arena, const char *sender, const char *recipient,
                           const struct facts *client, struct key_triplet *out,
                           struct err_detail *detail);
