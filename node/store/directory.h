// directory.h: which directories are in force, as a node mirrors them in memory: so a lookup costs no command to find its
// version, and the others go on as they are while the store is away. Pure: a table in the order of domains, and the
// forms in which the store keeps what concerns a whole directory.
//
//     directory:{p}            field = domain    value = "<version> <buckets> <entries> <at_ms> <by>"    in force
//     directory:{p}:versions   field = version   value = "<buckets> <until_ms>"    all that have a row somewhere
//
// Their rows are core/person.h's. A version is written down before its first row; when it is not in force and its time
// is over, its rows are removed and it is crossed out, in that order: so nothing that was begun is left for ever.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/store.h"

#define DIRECTORY_KEY          "directory:{p}"
#define DIRECTORY_VERSIONS_KEY "directory:{p}:versions"
#define DIRECTORY_TORN_MS      (24ULL * 3600 * 1000) // an import that is not switched by then is removed
#define DIRECTORY_LEAVE_MS     (60ULL * 1000) // so long rows stay that are not in force any more

enum {
    DIRECTORY_REREAD_MS = 60000,
    DIRECTORY_DOUBT_MS = 1000,
    DIRECTORY_SWEEP_TICKS = 60, // and as many again at most, so that not all nodes do it at once
    DIRECTORY_VALUE_MAX = 4 * TEXT_NUMBER_MAX + STORE_BY_MAX + 1,
    DIRECTORY_VERSION_BITS = 20, // the domains of one import are numbered by these
    DIRECTORY_BUCKETS_MAX = 1 << 22,
};

// Zeroed = empty.
struct directory_table {
    struct store_directory *item; // by domain; texts are its own
    size_t count, room;
};

void directory_clear(struct directory_table *table); // frees what it holds
// directory_find: NULL if there is none.
const struct store_directory *directory_find(const struct directory_table *table,
                                             const char *domain);
// directory_set: takes a copy, instead of what is there of the domain. False: it is full.
bool directory_set(struct directory_table *table, const struct store_directory *row);
// directory_append, directory_settle: many at once, in any order, each domain once, into a table that was empty.
bool directory_append(struct directory_table *table, const struct store_directory *row);
void directory_settle(struct directory_table *table);
void directory_remove(struct directory_table *table, const char *domain);
// directory_page: copies of the rows (their texts stay the table's) behind the domain after.
size_t directory_page(const struct directory_table *table, const char *after,
                      struct store_directory *out, size_t max);

// directory_buckets: into how many hashes so many entries are parted.
uint32_t directory_buckets(uint64_t entries);
// directory_number: the versions of rows that are begun at that moment, one after another.
void directory_number(struct store_directory *rows, size_t count, uint64_t now_ms);

// directory_value: a row as it is stored; its length. directory_read: a stored one, or false if that is none. by is the
// value's.
size_t directory_value(const struct store_directory *row, char out[DIRECTORY_VALUE_MAX]);
bool directory_read(const char *domain, const char *value, struct store_directory *out);

// What is written down of a version.
struct directory_version {
    struct person_directory directory;
    uint64_t until_ms; // not removed before
};
enum { DIRECTORY_VERSION_MAX = 2 * TEXT_NUMBER_MAX };
// directory_version_value: as it is stored. directory_version_read: false if that is none.
void directory_version_value(const struct person_directory *directory, uint64_t until_ms,
                             char out[DIRECTORY_VERSION_MAX]);
bool directory_version_read(const char *field, const char *value, struct directory_version *out);

// What a node has of them, and what it does about what is over.
struct directory_following {
    struct directory_table table;
    bool is_known; // it was read
    bool is_asking;
    uint64_t asked_ms; // monotonic: when all of them were asked for; 0 = they must be
    bool is_sweeping;
    unsigned sweep_ticks; // before it is looked for what is to be removed; 0 = at start
};

struct op;
struct redisReply;
struct resp;

// directory_take_all: HGETALL of DIRECTORY_KEY into an empty table. False: something in it was left out.
// directory_put_all: that command.
bool directory_take_all(struct directory_table *table, const struct redisReply *reply);
void directory_put_all(struct resp *resp);
// directory_reread: asks for all of them if it is time. directory_heard: an event said that it is. directory_doubt: a lookup
// met what does not fit to them; that may be once a second.
void directory_reread(struct store *store);
void directory_heard(struct store *store);
void directory_doubt(struct store *store);
// directory_tell: the event, with its expiry; of an operation of directory_tell_commands(store) commands.
unsigned directory_tell_commands(const struct store *store);
void directory_tell(struct store *store, struct op *op);
// directory_put_version: field and value of an HSET or HSETNX of DIRECTORY_VERSIONS_KEY.
void directory_put_version(struct resp *resp, const struct person_directory *directory,
                           uint64_t until_ms);
// directory_sweep: removes what is over, one version after another; nobody waits. directory_tick: each second: does that
// now and then.
void directory_sweep(struct store *store);
void directory_tick(struct store *store);
