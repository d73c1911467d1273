// server.h: the node without its sockets: bytes of a request in, bytes of a reply out. main.c joins
// it to the doors; scenario tests call it directly.
//
// A request takes a seat (memory for its message, its recipients and its reply) and gives it back
// when the reply was sent. No free seat = STATUS_OVERLOADED at once. The life of a request is a
// table of states in check.c.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/policy.h"
#include "node/dnslist/dnslist.h"
#include "node/net/door.h"
#include "node/probe/probe.h"
#include "node/stats.h"
#include "node/store/store.h"
#include "proto/err.h"
#include "proto/msg.h"

enum { SERVER_COUNTRY_MAX = 3 };

enum server_door { SERVER_LOOKUPS, SERVER_ADMIN };

// What the server calls. None may block.
struct server_out {
    // send: a reply. bytes are valid during the call.
    void (*send)(void *arg, enum server_door door, const struct door_peer *peer, const void *bytes,
                 size_t len);
    // wants_events: does somebody listen to decisions of this topic now?
    bool (*wants_event)(void *arg, const char *topic);
    void (*event)(void *arg, const char *topic, const struct msg_event *event);
    // country: of an address, as two capital letters; "" = not known. NULL = no country ever is.
    const char *(*country)(void *arg, const struct ip *ip, char out[SERVER_COUNTRY_MAX]);
    // asn: the AS of an address; 0 = not known. NULL = none ever is.
    uint32_t (*asn)(void *arg, const struct ip *ip);
    // lists: as dnslist_ask. NULL = no list may be asked: a node that replays.
    void (*lists)(void *arg, const struct dnslist_question *question, struct dnslist_done done);
    // probe: as probe_ask. NULL = nobody may be asked whether a recipient exists: a node that replays.
    void (*probe)(void *arg, const struct probe_question *question, struct probe_done done);
    void *arg;
};

struct server_config {
    const char *node; // name
    const char *version;
    struct keeper *keeper; // of the policy set; outlives the server
    bool replay;
    bool hide_addresses;  // in events
    uint64_t budget_ms;   // of a request that names none
    unsigned seats;       // of ordinary size
    unsigned large_seats; // for messages over SERVER_SMALL_BYTES
};
enum { SERVER_SMALL_BYTES = 8192 };

struct server;
struct keeper;
struct policy_hold;

void server_new(struct server **out, const struct server_config *config, struct store *store,
                struct stats *stats, struct server_out out_calls);
void server_free(struct server **server);

// server_set_policy: from now on new requests are judged by this set; takes a use of it, and gives back that of the old one.
void server_set_policy(struct server *server, struct policy_hold *hold);
const struct policy *server_policy(const struct server *server);

// server_receive: one frame. bytes may be changed. age_ms: how long it may have waited unread. The
// reply may be sent before this returns, or later.
void server_receive(struct server *server, enum server_door door, const struct door_peer *peer,
                    void *bytes, size_t len, uint64_t age_ms);

// server_probed: another server said whether this address exists: kept, for all nodes.
void server_probed(struct server *server, const char *address, const struct probe_answer *answer);

// server_tick: once a second or so: what is told to the store by and by.
void server_tick(struct server *server);

// server_drain: replies say draining from now on. server_idle_ms: monotonic time since the last
// request came in.
void server_drain(struct server *server);
bool server_is_draining(const struct server *server);
uint64_t server_idle_ms(const struct server *server);
size_t server_seats_used(const struct server *server); // requests under way
size_t
server_sent_waiting(const struct server *server); // entries of sent mail that wait for the store
size_t server_reports_waiting(const struct server *server); // reports that wait for the store
