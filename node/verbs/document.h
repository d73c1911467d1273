// document.h: what the words that take a document of rows share (grey.seed, allow.seed, managed.import): it is worked on in
// slices, and what became of its rows is told at the end.
//
//     open -> [ next slice -> the word's own rows -> the store ] ... -> tell each outcome -> admin_answer
#pragma once

#include "node/verbs/admin.h"
#include "node/verbs/seed_row.h"

enum { DOCUMENT_SLICE = 64, DOCUMENT_OUTCOMES_MAX = 32, DOCUMENT_WHY_MAX = 400 };

// How many rows became what, and of the first of them the line and why.
struct document_outcome {
    uint64_t total;
    size_t line; // 0 = none yet
    char why[DOCUMENT_WHY_MAX];
};

struct document {
    struct admin_call *call;
    struct seed_rows rows;
    struct arena arena; // of one slice
    uint64_t now_ms;    // when the slice was begun, store clock
    size_t count;       // rows taken into this slice
    struct document_outcome outcome[DOCUMENT_OUTCOMES_MAX];
};

// document_open: a word's own work, of size bytes and zeroed, whose first member is its struct document: that of the
// call. NULL: it was refused, because it has no row, or more than SEED_ROWS_MAX, or there is no memory left.
void *document_open(struct admin_call *call, size_t size);
// document_fill: the next slice, with at least one row in it; false: there are no more. take reads a row (seed_*_next)
// and takes it, which counts it, or notes what is wrong with it; one that is no row is noted as malformed.
bool document_fill(struct document *document,
                   enum seed_read (*take)(struct document *document, const char **why),
                   int malformed);
// document_note: a row became that. why "" = nothing is to be said.
void document_note(struct document *document, int outcome, size_t line, const char *why);
// document_tell: a row of the answer. word must outlive the reply.
void document_tell(struct document *document, int outcome, const char *word);
// document_refuse_clock: no age can be told. Answers.
void document_refuse_clock(struct document *document);
// document_refuse_store: the store failed on the way; rows so many were taken before. Answers.
void document_refuse_store(struct document *document, enum store_state state, uint64_t taken);
