// ask.h: a request as a scenario's line asks it: words -> struct -> bytes.
//
// The bytes are made in two ways. ask_encode is libreeve's: proto/wire.h. ask_encode_by_hand writes
// protobuf's format without any of our code, as a stranger's client would: it cleans nothing and
// knows no limit, so what a mail client chose reaches the node's own decoder as it is.
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "proto/msg.h"
#include "tests/scenario/script.h"

enum { ASK_FIELDS = 24, ASK_RECIPIENTS_MAX = 2000, ASK_ARGS_MAX = 64, ASK_HEADERS_MAX = 600 };

struct ask {
    enum msg_verb verb;
    const char *node; // "a" unless the line says node=
    bool admin_door;
    uint64_t age_ms;               // how long it waited unread
    struct bytes text[ASK_FIELDS]; // by the row of ask.c's table; at NULL = not given
    uint64_t number[ASK_FIELDS];   // flags are 0 or 1
    struct bytes *recipient;
    size_t recipient_count;
    const char *admin_verb;
    struct msg_pair *arg;
    size_t arg_count;
    bool dry_run;
    struct bytes as_user, document; // of an admin line; at NULL = not given
    struct bytes *header;           // of a sent line: "Name: value"
    size_t header_count;
    struct bytes event; // of a report
    uint64_t evidence;
    double weight;
    bool has_ago; // of a sent line or a report: when that was, before now
    int64_t ago_ms;
    uint64_t sent_at_ms; // the same, as it is sent; 0 = not said
    bool by_hand;        // only ask_encode_by_hand can write this verb
};

// ask_check, ask_admin, ask_sent: reads the words of a line up to its `->`; *used is how many they were.
// now_ms is for times in arguments. ERR_SYNTAX says which word was not understood, and what would
// have been.
MUST_USE enum err ask_check(const struct words *words, size_t *used, struct arena *arena,
                            struct ask *out, struct err_detail *detail);
MUST_USE enum err ask_admin(const struct words *words, size_t *used, struct arena *arena,
                            struct ask *out, struct err_detail *detail);

MUST_USE enum err ask_sent(const struct words *words, size_t *used, struct arena *arena,
                           struct ask *out, struct err_detail *detail);

// ask_report (ask_report.c): number makes the name of an event that the line does not name.
MUST_USE enum err ask_report(const struct words *words, uint64_t number, size_t *used,
                             struct arena *arena, struct ask *out, struct err_detail *detail);
struct protobuf;
void ask_report_fill(struct msg_request *request, const struct ask *ask);
void ask_report_by_hand(struct protobuf *to, const struct ask *ask);
// ask_word: reads a word that a check knows as well. ask_text, ask_number: what was read; at NULL, 0 = nothing.
MUST_USE enum err ask_word(struct ask *ask, const char *word, struct arena *arena,
                           struct err_detail *detail);
const struct bytes *ask_text(const struct ask *ask, const char *word);
uint64_t ask_number(const struct ask *ask, const char *word);

// ask_is_raw: only ask_encode_by_hand can write it: a verb without a struct, or a text with NUL,
// which a C string cannot hold.
bool ask_is_raw(const struct ask *ask);

// The request's id and whether a trace is wanted, beside what the line says.
struct ask_how {
    uint64_t id;
    bool trace;
};
MUST_USE enum err ask_encode(const struct ask *ask, const struct ask_how *how,
                             struct arena *scratch, struct bytes *out);
MUST_USE enum err ask_encode_by_hand(const struct ask *ask, const struct ask_how *how,
                                     struct arena *scratch, struct bytes *out);

// ask_stage: the stage a check asks at, MSG_RCPT unless the line says stage=.
enum msg_stage ask_stage(const struct ask *ask);
bool ask_is_dry(const struct ask *ask);
bool ask_is_what_if(const struct ask *ask); // which only a dry run may ask
void ask_set_dry(struct ask *ask);
bool ask_wants_trace(const struct ask *ask);
