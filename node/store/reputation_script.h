// reputation_script.h: the scripts of reputation, as commands: what core/reputation.h does in C, in one step of the server, each about
// one key (of events: one slot), so that nodes and gateways at once never lose or double anything. A test compares both, byte for byte.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "node/core/reputation.h"
#include "node/store/resp.h"
#include "node/store/store.h"

struct redisReply;

// ---- how they are sent

// The two that are sent for each report are sent by the names that the server gave them, as soon as it has: that spares it a third of its
// work. A server that forgot them says NOSCRIPT, has done nothing, and is sent them whole again.
enum script { SCRIPT_ENTITY, SCRIPT_CLAIM, SCRIPT_COUNT };
enum { SCRIPT_NAME_MAX = 41 };
struct script_names {
    char of[SCRIPT_COUNT][SCRIPT_NAME_MAX]; // "" = not known
};
struct script_how {
    bool keeps;                       // keys get their expiry
    const struct script_names *names; // NULL = whole
};
// script_put_load: asks for a name. script_take_name: false: it is none.
void script_put_load(struct resp *resp, enum script script);
bool script_take_name(const struct redisReply *reply, char out[SCRIPT_NAME_MAX]);

// ---- entities: r:...

// script_put_add: reputation_add of a key, whose expiry is its life (reputation_life_ms).
void script_put_add(struct resp *resp, const char *key,
                    const struct reputation_level_settings *level,
                    const struct reputation_report *report, const struct script_how *how);
// Its reply. value is what is stored now; NULL where nothing was added. False: it is none.
struct script_added {
    struct reputation_added added;
    const struct redisReply *value;
};
bool script_take_add(const struct redisReply *reply, struct script_added *out);

// script_put_undo: reputation_undo of a key; the reply is 1 where the reporter held something there, else 0.
void script_put_undo(struct resp *resp, const char *key,
                     const struct reputation_level_settings *level, uint16_t reporter,
                     uint32_t now_s, const struct script_how *how);
// script_put_volume: reputation_add_volume of a key of which something is kept, or, with founds, of any; the reply is 1, or 0 where
// nothing is kept of it.
struct script_volume {
    double mails;
    uint32_t now_s;
    bool founds;
};
void script_put_volume(struct resp *resp, const char *key,
                       const struct reputation_level_settings *level,
                       const struct script_volume *volume, const struct script_how *how);

// ---- events: e:{<bucket>}:<period>, field = 8 bytes of a hash, value = 4 bytes of the claim

#define SCRIPT_EVENT_MS (31ULL * 24 * 3600 * 1000) // so long an event is known at least
// script_put_claim: the reply is 1 where this claim has the event, else 0.
void script_put_claim(struct resp *resp, const char *event, uint32_t claim, uint64_t now_ms,
                      const struct script_how *how);

// ---- gateways:{p}, field = name, value = "<id> <last_ms> <spam> <ham> <agreed, disagreed of ham> <of spam>"; the field "" is the
// id that was given last

#define SCRIPT_GATEWAYS "gateways:{p}"
enum { SCRIPT_GATEWAYS_MAX = STORE_REPORTERS_MAX };
#define SCRIPT_GATEWAY_LIFE_MS (180ULL * 24 * 3600 * 1000)

// What is new of a gateway since its row was written.
struct script_news {
    uint64_t last_ms; // 0 = it has not reported
    double spam, ham;
    struct reputation_record record; // as if it had begun with nothing,
    unsigned judged[2];              // after so many comparisons of each class
};
// script_put_gateway: gives it an id if it has none, adds the news, and answers its row; nil where there are SCRIPT_GATEWAYS_MAX already.
// script_put_pardon: the same, but it zeroes record and counts.
void script_put_gateway(struct resp *resp, const char *name, const struct script_news *news,
                        bool keeps);
void script_put_pardon(struct resp *resp, const char *name, uint64_t now_ms, bool keeps);
// script_row_read: a row's value; name is left. False: it is none.
bool script_row_read(const char *value, struct store_reporter *out);
// script_merge: news of a record upon an older one.
void script_merge(struct reputation_record *record, const struct script_news *news);
// script_decay_counts: spam and ham of a row to now_ms.
void script_decay_counts(struct store_reporter *row, uint64_t now_ms);
