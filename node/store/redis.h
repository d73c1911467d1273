// redis.h: one connection to Redis and its life: it connects, is greeted, serves, is lost, rests
// and connects again, for ever, by itself. It knows no key and no operation.
//
//     RESTING --backoff--> CONNECTING --onConnect--> GREETING --redis_ready--> SERVING
//        ^                     |                        |                         |
//        +---------------------+------------------------+-- lost, refused, too slow
//
// A connection that answers late is told apart from one that is gone: when the oldest command has
// waited longer than the deadline, redis_state says STORE_SLOW and nobody sends to it; after a
// second it is closed and begun anew.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/store/resp.h"
#include "node/store/store.h"

struct redis;
struct redisReply;

enum {
    REDIS_IN_FLIGHT_MAX = 8192, // commands without a reply; a power of two
    REDIS_GREETING_MS = 1000,   // to connect, and again to be greeted
    REDIS_DEAD_MS = 1000,       // age of the oldest command at which the connection is given up
    REDIS_REST_MS = 100,        // before the first attempt to connect again ...
    REDIS_REST_MAX_MS = 5000,   // ... and at most, doubling
};

struct redis_config {
    struct loop *loop;
    const char *lane;     // for logs: "lookups", "admin"
    bool logs_changes;    // one line a change of state
    const char *address;  // as in struct store_config
    const char *user;     // "" = the default user
    const char *password; // "" = none
    uint64_t deadline_ms;
    struct store_counters *counters;
    // greet: connected and authenticated. Sends what it must; redis_ready or redis_refuse come
    // later, from a reply.
    void (*greet)(void *arg);
    void *arg;
};

// Who gets a reply. fn is called exactly once a command, in the order of sending: with the reply,
// which is valid during the call, or with NULL when the connection is gone.
struct redis_wait {
    void (*fn)(void *arg, uint64_t tag, const struct redisReply *reply);
    void *arg;
    uint64_t tag;
};

// redis_new: parses the address (ERR_CONFIG if it is no numeric one: names would block the loop).
// Rests until redis_start. The config's texts are borrowed for life.
MUST_USE enum err redis_new(struct redis **out, const struct redis_config *config,
                            struct err_detail *detail);
void redis_free(struct redis **redis); // whoever waits gets NULL
// redis_start: connects now, unless it is connected.
void redis_start(struct redis *redis);

// redis_ready: the greeting is over. redis_refuse: this server is not to be used, and why; it is
// tried again later.
void redis_ready(struct redis *redis);
void redis_refuse(struct redis *redis, enum store_state state, const char *why);

enum store_state redis_state(const struct redis *redis); // STORE_UP = send
bool redis_is_greeting(const struct redis *redis);
// redis_is_away: there is no connection that passed its greeting. (One that is slow is not away.)
bool redis_is_away(const struct redis *redis);
// redis_why: why it is not up, in words ("Connection refused"); "" if it is. redis_since_ms:
// monotonic, of the last change between up and not.
const char *redis_why(const struct redis *redis);
uint64_t redis_since_ms(const struct redis *redis);

// redis_has_room: for so many commands more.
bool redis_has_room(const struct redis *redis, unsigned commands);
// redis_send: puts the command into the socket's buffer, which is written once a turn of the loop.
// False if it was not sent (no connection, no room, too long); wait.fn is then not called. During
// the greeting only the greeter sends.
bool redis_send(struct redis *redis, struct resp *resp, struct redis_wait wait);
// redis_send_bytes: the same for a whole command that is larger than a struct resp holds.
bool redis_send_bytes(struct redis *redis, const char *bytes, size_t len, struct redis_wait wait);

// redis_address_parse: ERR_CONFIG unless the text is "unix:/path", "10.0.0.5:6379" or
// "[2001:db8::5]:6379".
struct redis_address {
    char host[110]; // numeric address, or the path of a unix socket
    int port;       // 0 = unix socket
};
MUST_USE enum err redis_address_parse(const char *text, struct redis_address *out,
                                      struct err_detail *detail);
