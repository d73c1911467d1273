// track.h: tracking rows as they stand in Redis.
//
//     t:{<node>}:<day>   stream, a row a verdict; node = 8 hex digits, day = YYYYMMDD (UTC) of the
//     ticket's time;
//                        entry id = <at_ms>-<seq> of the ticket, so a ticket alone names its row
//     tn:<day>           set: the nodes that wrote that day, so that nobody has to search for keys
//
// Both go seven days after their day's end.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/store/resp.h"
#include "node/store/store.h"
#include "proto/ip.h"

struct redisReply;

enum {
    TRACK_NAME_MAX = 40,
    TRACK_TEXT_MAX = 400,     // of one text, written or read
    TRACK_ROWS_MAX = 1000000, // of one node and day, about
    TRACK_SEQ_MAX = 32767,
};
#define TRACK_DAY_MS  (24ULL * 3600 * 1000)
#define TRACK_KEEP_MS (7 * TRACK_DAY_MS)

// A node as it stands in names and in the index: 8 hexadecimal digits. track_node_parse: false
// unless it is that.
void track_node_text(uint32_t node, char out[16]);
bool track_node_parse(const char *text, uint32_t *node);

// Names of the two keys; day is counted from 1970-01-01.
void track_name(uint32_t node, uint64_t day, char out[TRACK_NAME_MAX]);
void track_index_name(uint64_t day, char out[TRACK_NAME_MAX]);
void track_id(uint64_t at_ms, uint32_t seq, char out[TRACK_NAME_MAX]);

// A row that was read: the texts live behind it in the same piece of memory.
struct track_found {
    struct track_found *next; // older
    struct track_row row;
};

// track_put: the row as an XADD command.
void track_put(struct resp *resp, const struct track_row *row);
// track_take: an entry of XRANGE's reply ([id, [field, value, ...]]), cleaned (text.h), on the heap
// (mem_free); NULL if it is none.
struct track_found *track_take(const struct redisReply *entry, uint32_t node);

// track_order: > 0 if a is newer than b: by time, then sequence, then node; 0 if they are the same.
int track_order(const struct ticket *a, const struct ticket *b);

// What a query wants, ready to be compared.
struct track_filter {
    const char *sender;
    const char *recipient;
    const char *reason;
    bool by_net;
    struct ip_net net;
    bool impossible; // the client_ip of the query is none: nothing matches
};
void track_filter_make(struct track_filter *filter, const struct track_query *query);
bool track_filter_matches(const struct track_filter *filter, const struct track_row *row);
