// harvest.h: counting what clients name (core/harvest.h), and whom that bans. Of the store, and seen by its files alone.
//
//     a recipient that does not exist     HSET c:harvest field ""    EXPIREAT    HLEN                     by any node
//     a quarter of the bound is reached   XADD events kind suspect client hour       every node writes which existing ones
//                                                                                    it has seen, and from then on each
//     the bound is reached                HLEN c:harvest    HLEN c:exists            a second later than that, or at once
//     and they are more than the share    EVAL bans:{p}    EXPIREAT    XADD events kind ban
//
// So who names recipients that exist costs no command until he is suspect, and nobody is banned before every node had its
// time to say what speaks for him. Nobody waits for any of it, and it goes over the operator's connection, so that no
// lookup queues behind it. At most HARVEST_WORK_MAX notes are under way; what is more, or cannot be done, is lost (one
// recipient less), and counted as lost_writes.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/bans.h"
#include "node/store/named.h"
#include "node/store/scan.h"
#include "node/store/store.h"

enum {
    HARVEST_WORK_MAX = 256,
    HARVEST_DUE_MAX = 64,
    HARVEST_HEARD_MS =
        1000, // so long after a client became suspect every node has said what it knows of it
    HARVEST_FRESH_MS =
        60000, // later it is told again, because nodes may have come that were not there
    HARVEST_TELL_MS = 2000, // what was told and not heard since is told again
    HARVEST_GIVE_UP_MS = 10000,
};

// A client that has reached the bound; it is judged when everybody was heard.
struct harvest_due {
    struct named_of of;
    struct harvest_bounds bounds;
    uint64_t since_ms; // monotonic
};

struct harvesting {
    struct named *named;
    unsigned work_count; // notes and judgements under way
    struct harvest_due due[HARVEST_DUE_MAX];
    size_t due_count;
    struct bans bans;
    struct scan reading;
};

// harvest_poll: judges who is due; each EVENTS_POLL_MS.
void harvest_poll(struct store *store);
// harvest_heard: an event said that the client is suspect in that hour.
void harvest_heard(struct store *store, const struct named_of *of);

// bans_heard: an event said so of a client; zeroed: it was lifted. bans_reread: begins to read all of them, if it is time.
void bans_heard(struct store *store, const struct ip_net *client, const struct harvest_ban *ban);
void bans_reread(struct store *store);
// bans_put_event: the command that tells every node.
struct resp;
void bans_put_event(struct resp *resp, const struct ip_net *client, const struct harvest_ban *ban);
// bans_expiry_ms: when the hash may go, as long as nothing is written.
uint64_t bans_expiry_ms(uint64_t now_ms);
