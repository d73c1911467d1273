// store_reputation.h: the chapter of store.h about reputation (core/reputation.h): what the lookup reads, what reports
// write, who reports, and what an operator asks. Included by store.h.
#pragma once

#include "node/core/reputation.h"
#include "node/store/store.h"

// ---- Read.

// store_read_reputation: each level becomes PRESENT, ABSENT or stays UNKNOWN. One MGET: the leaves always, their parents where
// the node has not read them within 5 s. Nothing is asked, and all is ABSENT, while both roots are known to be empty: nobody has ever reported.
// With replay everything is read each time. facts must live until done.
void store_read_reputation(struct store *store, struct reputation_facts *facts,
                           struct store_done done);

// store_reporters: who is trusted how much, as this node mirrors it. The memory is the store's, until the next turn of the loop.
struct reputation_reporters store_reporters(const struct store *store);
// store_reporter_name: of an id; "" = not known.
const char *store_reporter_name(const struct store *store, uint16_t reporter);

// ---- Report.

enum { STORE_EVENT_MAX = 128 };
struct store_report {
    char event[STORE_EVENT_MAX + 1]; // what names it in the whole cluster; counts once
    char gateway[65];                // who says so
    bool is_spam;
    bool
        judges; // it is compared with what others are sure of, for the gateway's trust: what people and scanners say
    double weight;  // before trust
    uint64_t at_ms; // when it was so
    struct reputation_settings settings;
    struct reputation_facts facts; // the entities that hear of it; read on the way
    enum reputation_auth auth;
    uint32_t
        claim; // the store's own: 0, and what it has become where the same report is given again
    // The answer.
    bool is_new;    // false: its event was counted before
    double trusted; // the trust that it was weighed with
};
// store_report: claims the event (HSETNX), reads all levels, adds to the leaves, atomically each, and compares with what others hold
// at that moment (with replay, before it adds). Done when that is written; what climbs is summed for a second by level, reporter and
// class, and written behind its back; with replay it has climbed to the roots. STORE_UP: it is counted, or was before. Else, told by
// is_new: false: nothing is counted, and it may be given again, with the same claim (whether its event was claimed is not known; if it was, it was by this report); true: it was claimed
// and may be lost in part, and must not be given again. report must live until done.
void store_report(struct store *store, struct store_report *report, struct store_done done);
// store_reputation_flush: what climbs, and what is new of gateways, is written now, and so is what climbs of that. store_reputation_waiting:
// sums that wait or are under way. store_reporters_waiting: gateways of whom there is news that the store has not.
void store_reputation_flush(struct store *store);
size_t store_reputation_waiting(const struct store *store);
size_t store_reporters_waiting(const struct store *store);

// store_reputation_volume: so many mails came of this entity; nobody waits. Counted in the node, written once a second where
// something is kept of it already, or where it sent 10 or more within that hour.
void store_reputation_volume(struct store *store, const struct reputation_id *id, unsigned mails,
                             const struct reputation_level_settings *level);

// ---- What an operator asks. Nothing of it is on the way of a lookup.

struct store_reporter {
    char name[65];
    uint16_t id;
    uint64_t last_ms; // of its last report
    double spam, ham; // weights that it has reported, decayed with a half-life of 30 d
    struct reputation_record record;
    double trust;
};
enum { STORE_REPORTERS_MAX = 4096 }; // what one more says is claimed, and adds nothing
// store_reporters_list: as this node mirrors them, by name; how many.
size_t store_reporters_list(const struct store *store, struct store_reporter *out, size_t max);

struct store_entity {
    struct reputation_id id; // domain: in text
    char text[REPUTATION_KEY_MAX];
    struct reputation_state is;
};
// rows and next are valid during the call. next 0: that was all.
struct store_entities_done {
    void (*fn)(void *arg, enum store_state state, const struct store_entity *row, size_t count,
               uint64_t next);
    void *arg;
};
// store_reputation_page: SCAN: about limit entities of these kinds (bits 1 << kind), in no order; some may come twice.
void store_reputation_page(struct store *store, uint64_t cursor, size_t limit, unsigned kinds,
                           struct store_entities_done done);
// store_reputation_undo: the same, and takes out what the reporter holds of each (dry_run: would); rows are those where it held
// something, as they were. At the end (next 0) its record and counts are zeroed.
void store_reputation_undo(struct store *store, uint64_t cursor, size_t limit, const char *gateway,
                           const struct reputation_settings *settings, bool dry_run,
                           struct store_entities_done done);
