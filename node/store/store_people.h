// store_people.h: the part of the seam (store.h, which includes it) that is about people: what is kept of a recipient, to
// whom somebody has written, personal lists, directories, and clients that try out who exists.
#pragma once

#include "node/store/store.h"

// ---- What a lookup asks of a recipient

// What is kept of a recipient (core/person.h); a list of them is one trip. Each part may be asked or not. The memory is
// the caller's until done was called.
struct store_person {
    struct store_person *next;
    const char *mailbox;                    // whose list and entries they are
    const struct person_patterns *patterns; // fields of m:{mailbox}; NULL = not asked
    const char *external;                   // field of a:{mailbox}; NULL = not asked
    bool org;                               // and of the organisation's
    const char *address;                    // the recipient
    struct person_directory directory;      // of its row; version 0 = not asked
    char *groups; // of its row: PERSON_GROUPS_MAX + 1 bytes; NULL = not asked
    bool answer;  // v:{address}
    uint64_t now_ms;
    struct person_facts
        *facts; // filled: what was asked becomes ABSENT or PRESENT, or stays as it was
};
// store_read_person: HMGET of m; HGET of a; HMGET of d; HMGET of v: as many commands as are asked for.
void store_read_person(struct store *store, struct store_person *list, struct store_done done);

// store_write_answer: what another server said of an address, until when that counts, and whose address it is ("" = its
// own). Nobody waits; what is lost is asked for again.
void store_write_answer(struct store *store, const char *address,
                        const struct person_answer *answer, const char *mailbox);

// store_directory: which version of a domain's directory is in force. Out of this node's memory: also while the store is
// away. False: this node has not heard yet of any domain's.
MUST_USE bool store_directory(const struct store *store, const char *domain,
                              struct person_directory *out);

// ---- Auto Allow (core/person.h): to whom somebody has written. Both stamps of an entry only grow, so it makes no difference
// in which order, how often, or by how many nodes something is noted.

struct store_allow {
    struct store_allow *next;
    const char *owner;          // mailbox, or person_org_owner
    const char *external;       // NULL: that this address (owner) has sent mail is noted
    uint64_t sent_ms;           // 0 = nothing is said of it
    uint64_t disabled_ms;       // likewise
    struct person_allow before; // filled: what it was
};
// store_allow_note: on STORE_ADMIN, also where no operator asks: lookups do not wait behind it. life_ms: how long an entry
// holds. read_only: nothing is noted. state is STORE_UP if all of it was. Entries of one owner with the same stamps that stand
// together are one command. The memory is the caller's until done was called.
void store_allow_note(struct store *store, struct store_allow *list, uint64_t life_ms,
                      bool read_only, struct store_done done);
// store_allow_forget: there is no such entry any more; before is what it was.
void store_allow_forget(struct store *store, struct store_allow *entry, struct store_done done);

struct store_allow_row {
    const char *external;
    struct person_allow allow;
};
// rows: valid during the call, in no order. cursor: where the next page begins; 0 = there is none.
struct store_allow_list_done {
    void (*fn)(void *arg, enum store_state state, const struct store_allow_row *rows, size_t count,
               uint64_t cursor);
    void *arg;
};
// store_allow_list: a page of about limit entries of an owner, from a cursor on (0 = from the first); a small owner's come all
// at once. One that changes meanwhile may come twice.
void store_allow_list(struct store *store, const char *owner, uint64_t cursor, size_t limit,
                      struct store_allow_list_done done);

// ---- Personal lists (core/person.h). All on STORE_ADMIN.

// One entry; a list of them is one pipeline. The memory is the caller's until done was called.
struct store_list_entry {
    struct store_list_entry *next;
    const char *mailbox, *pattern; // as person.h says
    struct person_entry entry;     // to be written
    // Filled.
    bool was_there;          // before it was written
    struct person_entry was; // action PERSON_NONE: it cannot be read
    bool is_written; // also where state is not STORE_UP: then store_lists may not show its mailbox
};
// store_list_read: what is there. store_list_write: and in its place is the entry from now on, until somebody says
// otherwise. store_list_remove: of one alone; is_written: there is none any more.
void store_list_read(struct store *store, struct store_list_entry *list, struct store_done done);
void store_list_write(struct store *store, struct store_list_entry *list, struct store_done done);
void store_list_remove(struct store *store, struct store_list_entry *one, struct store_done done);

// A page of a list, or of the mailboxes that have one. In no order; a row may come twice where something was written
// meanwhile. Rows are valid during the call; next is what the next page begins with, 0 at the end.
struct store_listed {
    const char *name;          // the pattern, or the mailbox
    struct person_entry entry; // of a list; action PERSON_NONE: it cannot be read
};
struct store_listed_done {
    void (*fn)(void *arg, enum store_state state, const struct store_listed *rows, size_t count,
               uint64_t next);
    void *arg;
};
// store_list, store_lists: about limit rows, of a short list all. from: 0, or what the page before said.
void store_list(struct store *store, const char *mailbox, uint64_t from, size_t limit,
                struct store_listed_done done);
void store_lists(struct store *store, uint64_t from, size_t limit, struct store_listed_done done);

// ---- Directories: which addresses a domain has. A directory is imported beside the one in force, and takes its place at
// once and wholly, on every node within a second; until then, and if that never comes, nothing has changed.

enum {
    DIRECTORY_DOMAINS_MAX = 10000, // with a directory; one more cannot be read
    DIRECTORY_ROWS_MAX = 256,      // of one store_directory_add
    DIRECTORY_BUCKET_ROWS = 64,    // a hash holds about so many
};

// The directory of one domain.
struct store_directory {
    const char *domain; // normalised
    struct person_directory directory;
    uint64_t entries; // addresses that it has
    uint64_t at_ms;   // since when it is in force; 0 = it is not yet
    const char *by;   // who said so; at most STORE_BY_MAX bytes, clean (text.h), never NULL
};
// store_directory_find: the one in force as this node knows it, also while the store is away; false: the domain has none.
// store_directory_list: all of these, in the order of domains, behind the domain after ("" = from the first). Texts are the
// store's, until the caller returns to the loop.
bool store_directory_find(const struct store *store, const char *domain,
                          struct store_directory *out);
size_t store_directory_count(const struct store *store);
size_t store_directory_list(const struct store *store, const char *after,
                            struct store_directory *out, size_t max);

// An import: begin, add as often as is needed, switch. Each may be asked again when it has failed. rows are the caller's
// until done was called.
//
// store_directory_begin: gives each of them, of which it is known how many entries it will have, a version of its own
// and buckets, and makes these: what is not switched within a day is removed again.
// store_directory_switch: if all entries are there, all of these directories are in force from now on. torn: of which that
// is not so; nothing was changed then. Else NULL.
// store_directory_drop: the domain has no directory any more. What takes no part is removed in the background.
void store_directory_begin(struct store *store, struct store_directory *rows, size_t count,
                           struct store_done done);
struct store_entry {
    const char *address; // base@domain
    const char *value;   // as person_row_write makes it
    struct person_directory directory;
};
void store_directory_add(struct store *store, const struct store_entry *rows, size_t count,
                         struct store_done done);
struct store_directory_done {
    void (*fn)(void *arg, enum store_state state, const struct store_directory *torn);
    void *arg;
};
void store_directory_switch(struct store *store, const struct store_directory *rows, size_t count,
                            struct store_directory_done done);
// store_directory_abort: these are not wanted any more. None of them may be in force.
void store_directory_abort(struct store *store, const struct store_directory *rows, size_t count,
                           struct store_done done);
void store_directory_drop(struct store *store, const char *domain, struct store_done done);

// ---- Clients that harvest (core/harvest.h), and their bans.

enum { STORE_HARVEST_MAX = 64 };
// Different recipients that a client named, of one kind: fields as key_harvest_field makes them.
struct store_harvest {
    struct ip_net client; // harvest_client
    uint64_t now_ms;      // store clock
    struct harvest_bounds bounds;
    enum harvest_kind kind;
    const uint8_t (*field)[HARVEST_FIELD_BYTES];
    size_t count; // STORE_HARVEST_MAX at most
};
// store_harvest_note: nobody waits. Those that do not exist are counted cluster-wide, each once, and the client is banned
// when they are too many: at this node when that was written, at the others within a second. Those that exist cost no
// command until the client is suspect. What cannot be written is lost, and counted as lost_writes; it is news again when
// it is named again.
void store_harvest_note(struct store *store, const struct store_harvest *news);

// store_ban: zeroed if this node knows of none. Out of its memory: also while the store is away.
struct harvest_ban store_ban(const struct store *store, const struct ip_net *client);
// store_ban_count: rows that this node has.
size_t store_ban_count(const struct store *store);

struct store_banned {
    struct ip_net client;
    struct harvest_ban ban;    // that holds, or the last one; zeroed: none
    struct harvest_count hour; // store_ban_show: what was counted in this hour
    bool is_lifted;            // store_ban_lift
};
// store_ban_list: bans that hold now, out of this node's memory: of clients inside the network (family 0: any) behind the
// client after (family 0: from the first), in order. How many.
size_t store_ban_list(const struct store *store, const struct ip_net *net,
                      const struct ip_net *after, struct store_banned *out, size_t max);

// found: valid during the call.
struct store_ban_done {
    void (*fn)(void *arg, enum store_state state, const struct store_banned *found);
    void *arg;
};
// store_ban_show: the client's last ban, as long as it makes the next one longer, and what was counted of it in this hour.
// store_ban_lift: its ban is over, was never there, and what was counted in this hour is not any more; every node is told.
// is_lifted with another state than STORE_UP: that was done, but the others were not told: they see it within 5 min.
void store_ban_show(struct store *store, const struct ip_net *client, struct store_ban_done done);
void store_ban_lift(struct store *store, const struct ip_net *client, struct store_ban_done done);
