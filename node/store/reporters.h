// reporters.h: who reports, as a node mirrors it in memory: so that a lookup costs no command for whom to trust, and what was known
// holds while the store is away. Pure: a table in the order of names, each with what this node has to tell of it.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/reputation_script.h"

struct reporter {
    struct store_reporter row; // as the store said
    struct script_news news;   // what it was not told yet,
    struct script_news sent;   // and what is on its way
    double told;               // the trust that the other nodes were told, or know
    uint32_t reading;          // in which it was met last
    bool is_sending;
};

// Zeroed = empty.
struct reporters {
    struct reporter *item; // by name
    size_t count, room;
    uint32_t reading;
    float *trust; // by id; NULL = all are trusted
};

void reporters_clear(struct reporters *reporters); // frees what it holds
// reporters_find: NULL if there is none; until the next reporters_set.
struct reporter *reporters_find(const struct reporters *reporters, const char *name);
const struct reporter *reporters_find_id(const struct reporters *reporters, uint16_t id);
// reporters_set: what the store says of one; what is to be told stays. NULL: there are too many.
struct reporter *reporters_set(struct reporters *reporters, const struct store_reporter *row);
// reporters_read_begin, reporters_read_end: a reading of all rows: what it did not meet is gone, unless there is something to tell of it.
void reporters_read_begin(struct reporters *reporters);
void reporters_read_end(struct reporters *reporters);

// reporters_note: a report, and what others say of what it is about. reporters_refresh: trust by id, after a change.
struct reporter_note {
    uint64_t now_ms;
    bool is_spam;
    double weight;
    unsigned count; // of what follows: each chain, of which others are sure
    bool others_say_spam[2];
};
void reporters_note(struct reporter *reporter, const struct reporter_note *note);
// reporters_has_news: a report, or what others said of one that the store has heard of already.
bool reporters_has_news(const struct reporter *reporter);
void reporters_refresh(struct reporters *reporters, const struct reporter *changed);
// reporters_view: the row with all that is new of it, at now_ms.
struct store_reporter reporters_view(const struct reporter *reporter, uint64_t now_ms);
double reporters_trust(const struct reporter *reporter);
unsigned reporters_active(const struct reporters *reporters, uint64_t now_ms);
