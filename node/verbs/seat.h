// seat.h: where a request sits while it is under way: its message, its recipients, and who waits
// for the answer.
//
// Seats are made at start. There are many small ones, a few large ones for the rare large message,
// and a few for the admin door. A seat's memory is mapped but not touched until somebody sits
// there, and a large one gives back what it touched. The last one left is the first one taken, so a
// quiet node stays small.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "node/core/chain.h"
#include "node/verbs/server.h"
#include "proto/base/mem.h"

enum { RECIPIENT_TEXT_MAX = 200 };

// One recipient of a Check (or the one record of a MAIL or CONNECT).
struct recipient {
    struct facts_recipient facts;
    struct key_pair pair;
    struct store_triplet triplet; // its place in the list that the store was asked for
    bool reading;                 // its passed entries are asked for
    struct store_person person;   // its place in the list that the store was asked for
    bool reading_person;          // what is kept of it is asked for
    bool probing;                 // another server must be asked whether it exists
    struct recipient_asked {
        struct server *server; // that asked
        char *why;             // what the other server said: where a trace is wanted, else NULL
    } asked;
    bool adding;              // its first try is asked for
    bool counting;            // what was sent today is asked for
    bool was_counted;         // and was answered, or not
    struct key_count counted; // as what this recipient counts
    struct store_limit limit; // its place in the list that the store was asked for
    struct chain_start start; // what the steps that need nothing stored have said
    struct verdict verdict;
    struct trace trace;
    struct msg_step *steps; // the trace as it is sent
    char ticket[TICKET_TEXT_MAX];
    char text[RECIPIENT_TEXT_MAX];
};

// The life of a Check. Each state has a row in check.c's table.
enum check_state {
    CHECK_READ,
    CHECK_READ_ALIAS,
    CHECK_JUDGE,
    CHECK_PROBE,
    CHECK_READ_PROBED,
    CHECK_JUDGE_PROBED,
    CHECK_ADD,
    CHECK_JUDGE_AGAIN,
    CHECK_COUNT,
    CHECK_JUDGE_COUNTED,
    CHECK_WRITE,
    CHECK_ANSWER,
    CHECK_OVER
};

enum seat_size { SEAT_SMALL, SEAT_LARGE, SEAT_ADMIN, SEAT_SIZES };

struct policy_hold;

struct seat {
    uint32_t index;      // in the server's array
    uint32_t generation; // counts who sat here; a late callback carries an older one
    enum seat_size size;
    struct seat *next; // free list
    bool taken;
    enum server_door door;
    struct door_peer peer;
    struct arena arena;
    struct msg_request request;
    struct policy_hold *policy;
    uint64_t came_us;     // monotonic
    uint64_t deadline_ms; // monotonic: when the caller stops waiting
    // Check
    struct facts facts;
    struct recipient *recipients;
    size_t recipient_count;
    struct msg_verdict *verdicts;
    enum reason *reasons;     // room for merging them
    bool reads_levels;        // a recipient's verdict may depend on its reputation
    struct levels *levels;    // where it comes from; NULL = not asked
    bool asks_lists;          // and on what DNS lists say
    struct facts_list *lists; // what DNS lists say of that; NULL = likewise
    uint64_t transaction;     // key_transaction; 0 = none, or none that anybody could be carried by
    struct key_count counted_mail; // as what this message counts
    struct limit_count mail_count;
    struct store_limit mail_limit;
    enum check_state state;
    unsigned waiting; // for so many answers of the store
    bool running;     // check_go is on the stack
    enum store_state store_state;
    // Admin, Sent
    void *work; // a verb's own, in the arena
};

struct seats;

struct seats *seats_new(unsigned small, unsigned large, unsigned admin);
void seats_free(struct seats **seats);
// seats_take: an empty seat, or NULL. Large ones are taken only when asked for.
struct seat *seats_take(struct seats *seats, enum seat_size size);
void seats_leave(struct seats *seats, struct seat *seat);
size_t seats_used(const struct seats *seats);

// seat_token: names a seat and who sits there; seats_find: who that was, or NULL if they left.
uint64_t seat_token(const struct seat *seat);
struct seat *seats_find(struct seats *seats, uint64_t token);
