// send.h: gathered rows to a node, batch after batch.
#pragma once

#include "client/ctl/import/import.h"
#include "proto/text.h"

// What a node may say of a row: the words of the verb in reeve.proto, and sentences. The first is of rows
// that are taken, the second of those that were known; one that this version does not know is counted as
// the last, whose word is "other".
enum { SEND_TAKEN = 0, SEND_KNOWN = 1, SEND_OUTCOMES_MAX = 16 };
struct send_word {
    const char *word, *text; // NULL ends the list
};

// What is sent.
struct send_how {
    const char *verb;
    void (*write)(struct text_buf *out, const struct import_row *row); // its line
    const struct send_word *words;
};
extern const struct send_how SEND_GREY; // grey.seed: triplets
extern const struct send_how
    SEND_ALLOW; // allow.seed: sender, and whom he has written to as recipient
extern const struct send_how SEND_REPORT; // reports.c: nothing is gathered; verb and write are NULL

struct send_result {
    uint64_t rows; // gathered
    uint64_t sent; // the node has answered for them
    struct import_count outcome[SEND_OUTCOMES_MAX];
};

// send_all: CTL_FINE, also when it was interrupted (sent < rows); else the exit code after the error
// was told. What was sent before stands in *out.
int send_all(struct import *import, const struct send_how *how, struct send_result *out);
