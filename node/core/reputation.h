// reputation.h: how likely mail of an address, or of a sender, is spam; learnt from what gateways report, level by level:
// each level is the prior of the one below it, so a new address is judged by its network and a new network by its AS.
//
// Two chains of levels, leaf first, each ended by a root of its own:
//
//     address   ip -> net (/24, /64) -> wide (/16, /48) -> asn -> country -> world
//     sender    domain at its AS -> registrable domain -> tld -> senders
//
// A level that is not known (no AS, no country) is left out. What is kept of an entity is O(1): decayed weights of spam and
// ham, who reported how much of them, and how much mail it sends.
//
//     predict   p_root = (S+1)/(S+H+2);  p_i = (S_i + m_i p_parent) / (S_i + H_i + m_i), root to leaf
//     update    leaf to root: w arrives, e of it is added, e m/(N+m) goes on to the parent: a parent hears of a message only as
//               far as the child still leaned on it
//
// Defences: no reporter may hold more than a share of an entity (reputation_room); who contradicts what others know loses
// trust (reputation_record), and with it what it said before: S and H count without the untrusted part of each slot.
//
// Pure. Arithmetic is IEEE double everywhere, with pow(2, x), so that the script of the store, the tests' reference in Python and
// this agree to the last bits that are kept.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/person.h" // enum fact_state
#include "proto/err.h"
#include "proto/ip.h"
#include "proto/msg.h"

enum reputation_kind { // of the levels, leaf to root, chain after chain
    REPUTATION_IP,
    REPUTATION_NET,
    REPUTATION_WIDE,
    REPUTATION_ASN,
    REPUTATION_COUNTRY,
    REPUTATION_WORLD,  // root of the address chain
    REPUTATION_SENDER, // registrable domain at an AS
    REPUTATION_DOMAIN,
    REPUTATION_TLD,
    REPUTATION_SENDERS, // root of the sender chain
    REPUTATION_KINDS,
};

static inline bool reputation_is_root(enum reputation_kind kind)
{
    return kind == REPUTATION_WORLD || kind == REPUTATION_SENDERS;
}

enum {
    REPUTATION_SLOTS = 4,       // reporters that are kept of an entity,
    REPUTATION_ROOT_SLOTS = 16, // and of a root
    REPUTATION_BYTES = 44, // an entity, packed: as long as Redis keeps it beside its key's object
    REPUTATION_ROOT_BYTES = 318,  // a root, packed
    REPUTATION_REPORTERS = 65536, // ids of reporters are below; 0 is nobody
};
// The sum of an entity's weights, roots apart, stays at or below this, so that it can change its mind in bounded time.
#define REPUTATION_FULL 32.0

struct reputation_slot {
    uint16_t reporter; // 0 = free
    double spam, ham;  // what it holds of the entity's weights
};

// What is kept of an entity. Zeroed: nothing.
struct reputation_state {
    double spam, ham;    // decayed to at_s
    double hour, week;   // mails, with half-lives of 1 h and 7 d, decayed to at_s
    uint32_t at_s;       // last written, Unix seconds
    uint16_t first_day;  // first written, days since 1970
    unsigned slot_count; // REPUTATION_SLOTS, or REPUTATION_ROOT_SLOTS of a root
    struct reputation_slot slot[REPUTATION_ROOT_SLOTS];
};

// Packed, big endian. Reals are the upper bytes of an IEEE number, rounded to nearest (half away from zero); below REPUTATION_DUST
// they are 0.
//     entity, 44 bytes:  version 1 (u8); spam, ham (upper 5 of a double); at_s (u32); first_day (u16); hour (upper 3 of a
//                        float), week (float); 4 slots: reporter (u16), spam and ham (12 bits each, in 1/128, at most 4095)
//     root, 318 bytes:   version 2 (u8); spam, ham (double); at_s (u32); first_day (u16); hour, week as above;
//                        16 slots: reporter (u16), spam, ham (double)
// A slot of an entity is not rounded to nearest: it would never decay where it is written every second, since each second takes
// less than half of 1/128. It becomes floor(128 weight + d) where d is spread evenly over 0..1 from second to second:
//     d = ((40503 at_s + 24109 (2 slot + (1 for ham))) mod 65536) / 65536
// so it is right on average, and what is written again within its second stays as it is.
// The hour's counter, of 16 bits, is right to a fifteenth where it is written every second; the week's has 24 because it would not hear of
// single mails.
#define REPUTATION_DUST 0x1p-20
// reputation_pack: returns the bytes. reputation_unpack: ERR_SYNTAX if they are none of ours: another version or length, a number that is
// not finite, negative or beyond 1e15.
size_t reputation_pack(enum reputation_kind kind, const struct reputation_state *state,
                       uint8_t out[REPUTATION_ROOT_BYTES]);
MUST_USE enum err reputation_unpack(enum reputation_kind kind, const void *bytes, size_t len,
                                    struct reputation_state *out);
// reputation_round: the state as it is read back after having been written.
void reputation_round(enum reputation_kind kind, struct reputation_state *state);

// reputation_decay: to now_s; a moment before at_s changes nothing. half_life_s: of spam and ham, those of the volumes are fixed.
void reputation_decay(struct reputation_state *state, uint32_t now_s, double half_life_s);

// ---- What a level is worth: settings

struct reputation_level_settings {
    double strength; // m: of the prior; a root has none
    uint64_t half_life_ms;
};
struct reputation_settings {
    struct reputation_level_settings level[REPUTATION_KINDS];
};

// ---- Who reports. Trust of each id, 0..1; ids that nobody knows are trusted. As the node mirrors it.
struct reputation_reporters {
    const float *trust; // REPUTATION_REPORTERS; NULL = all are trusted
    unsigned active;    // G: reporters of the last REPUTATION_ACTIVE_MS
};
#define REPUTATION_ACTIVE_MS (7ULL * 24 * 3600 * 1000)

// What a reporter's words are worth: how often it agreed with what others were sure of, for each class that these had
// named ([0] they said ham, [1] spam); decayed by .998 with each.
struct reputation_record {
    double agreed[2], disagreed[2];
};
void reputation_record_note(struct reputation_record *record, bool others_say_spam, bool agrees);
// reputation_trust: clamp((min over classes of (A+9)/(A+B+10) - 0.6) / 0.3, 0, 1).
double reputation_trust(const struct reputation_record *record);
// Below this somebody should look at the gateway.
#define REPUTATION_ALARM 0.5

// ---- One message's levels

// An entity. What of it names it depends on the kind.
struct reputation_id {
    enum reputation_kind kind;
    struct ip_net net;  // IP, NET, WIDE
    uint32_t asn;       // ASN, SENDER
    const char *domain; // SENDER, DOMAIN: registrable, normalised; TLD: the last label
    char country[3];    // COUNTRY
};

// One level as it was read. UNKNOWN: the store did not say. ABSENT: nothing is kept of it.
struct reputation_level {
    struct reputation_id id;
    enum fact_state state;
    struct reputation_state is; // as it was written: decayed to its at_s, not to now
};
enum { REPUTATION_LEVELS_MAX = REPUTATION_KINDS };
// Address chain first, leaf to root, then the sender's, if there is one.
struct reputation_facts {
    unsigned count;
    unsigned address_count; // of them, the address chain's; 0 = the client's address is not known
    struct reputation_level level[REPUTATION_LEVELS_MAX];
};

// How far the sender's domain is believed.
enum reputation_auth {
    REPUTATION_UNASKED,     // nobody looked: L 0.5
    REPUTATION_PASSED,      // SPF (or DKIM) passed for it: L 1
    REPUTATION_UNCONFIRMED, // looked at, and neither passed nor failed: L 0.5, without the level of the bare domain, in updates too
    REPUTATION_FAILED,      // L 0: the sender says nothing, and nothing is learnt of it
};
enum reputation_auth reputation_auth_of(enum msg_auth spf);

// Of whom a message comes.
struct reputation_client {
    struct ip ip;        // family 0 = not known
    uint32_t asn;        // 0 = not known
    const char *country; // "" = not known
    const char *domain;  // registrable domain of the sender, normalised; "" = none
    enum reputation_auth auth;
};
// reputation_levels: names the levels; each is UNKNOWN. domain is borrowed. SENDER only where the AS is known.
void reputation_levels(const struct reputation_client *client, struct reputation_facts *out);

// reputation_key: the store's key, at most REPUTATION_KEY_MAX - 1 bytes; its length. reputation_id_read: back; domain
// points into key, which must be terminated. False: it is none of ours. reputation_text: for a person: 192.0.2.0/24, AS64500, example.org at AS64500.
//     r:i:<hex of the address>  r:n:<hex of the /24 or /64>  r:w:<of the /16 or /48>  r:a:<asn>  r:c:<cc>  r:g:address
//     r:e:<asn>/<domain>  r:d:<domain>  r:t:<tld>  r:g:sender
enum { REPUTATION_KEY_MAX = 300, REPUTATION_TEXT_MAX = 300 };
size_t reputation_key(const struct reputation_id *id, char out[REPUTATION_KEY_MAX]);
bool reputation_id_read(const char *key, struct reputation_id *out);
const char *reputation_text(const struct reputation_id *id, char out[REPUTATION_TEXT_MAX]);
// reputation_kind_text: ip, net, wide, asn, country, world, sender, domain, tld, senders. reputation_kind_of: REPUTATION_KINDS = none.
const char *reputation_kind_text(enum reputation_kind kind);
enum reputation_kind reputation_kind_of(const char *text);

// ---- Predict

struct reputation_share { // of one level
    double spam, ham;     // decayed to now, without what is not trusted
    double p;             // so far: this level over its parent
};
struct reputation_result {
    bool is_known;   // the whole address chain was read (or is absent)
    bool has_sender; // the sender's chain says something: L > 0, and was read
    double p;        // of both: logit p = (logit p_address + L logit p_sender) / (1 + L)
    double address, sender;
    double
        ip; // the address alone: its leaf right over the root; what a plain list of addresses would know
    double trust_sender; // L
    double lower, upper; // p -+ 1.645 sqrt(p(1-p)/(N_leaf + m_leaf + 1)), within 0..1
    double n_ip, n_net;  // S+H of these levels
    unsigned
        reporters; // different ones in the slots of ip and net, trusted (REPUTATION_ALARM), with a weight of at least REPUTATION_HELD in one of them
    struct reputation_share share[REPUTATION_LEVELS_MAX];
};
#define REPUTATION_HELD 0.25
void reputation_judge(const struct reputation_facts *facts,
                      const struct reputation_settings *settings,
                      const struct reputation_reporters *reporters, enum reputation_auth auth,
                      uint64_t now_ms, struct reputation_result *out);

// reputation_is_warm: the root of the address chain holds 50 of each class, and 10 % of the smaller: before that the
// local score decides nothing.
bool reputation_is_warm(const struct reputation_facts *facts,
                        const struct reputation_settings *settings,
                        const struct reputation_reporters *reporters, uint64_t now_ms);

// reputation_surges: suddenly much more mail than before: hour >= least, and (rate of the hour + 1) / (rate of the week + 1) >= ratio,
// rates in mails an hour (of a counter: ln 2 times what it holds, over its half-life), of an entity younger than 7 days, or one with p > .1.
bool reputation_surges(const struct reputation_state *state, double p, uint64_t now_ms,
                       double least, double ratio);

// ---- Update

struct reputation_report {
    uint16_t reporter;
    unsigned active; // G
    bool is_spam;
    double weight; // times trust, times what the gateway is worth; of a parent: what came up
    uint32_t now_s;
};
struct reputation_added {
    double added;  // e
    double onward; // e m / (N + m), for the parent; a root's is 0
    bool at_cap;   // the reporter may not add more here
};
// Below this nothing climbs on.
#define REPUTATION_LEAST 0.001
// reputation_add: decays, adds what the cap allows, scales to REPUTATION_FULL, rounds. Where nothing is added the state stays as
// it was, and need not be written. A reporter without a slot takes a free one, or the smallest (the first of equals) with
// the weight that is in it (Metwally et al., Space-Saving, 2005). level: of settings.
struct reputation_added reputation_add(enum reputation_kind kind,
                                       const struct reputation_level_settings *level,
                                       const struct reputation_report *report,
                                       struct reputation_state *state);
// reputation_room: what a reporter may hold at most in all, where others hold so much and G are active; INFINITY up to 2 of them:
// max(8, phi/(1-phi) others), phi = min(1, max(1/3, 2/G)).
double reputation_room(double others, unsigned active);
// reputation_undo: decays, takes out what a reporter holds, rounds. False: it holds nothing there.
bool reputation_undo(enum reputation_kind kind, const struct reputation_level_settings *level,
                     uint16_t reporter, uint32_t now_s, struct reputation_state *state);
// reputation_add_volume: mails that it has sent; written with the rest, or alone.
void reputation_add_volume(const struct reputation_level_settings *level, double mails,
                           uint32_t now_s, struct reputation_state *state);

// reputation_others: what all reporters but this one are sure of, of one chain: at the deepest level where at least two others
// that are trusted (REPUTATION_ALARM) hold REPUTATION_HELD each, and 2.5 in all: p < .1 or > .9 of theirs. False: they are not, or nothing is known.
bool reputation_others(const struct reputation_facts *facts, bool of_sender, uint16_t reporter,
                       const struct reputation_settings *settings,
                       const struct reputation_reporters *reporters, uint64_t now_ms,
                       bool *says_spam);

// reputation_life_ms: how long an entity is kept after its last writing: half-life * log2(8 * max(1, S+H)).
uint64_t reputation_life_ms(const struct reputation_level_settings *level,
                            const struct reputation_state *state);
