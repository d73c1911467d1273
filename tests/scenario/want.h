// want.h: what a scenario's line expects behind its `->`, and whether a reply is that.
//
//     -> 451 greylist_new retry_after=60 step greylist hit "first try" | 3 times 250 accept => 250
//     accept
//        group: one verdict, or some alike      ...                       the one reply of END
//     -> bad_request "not supported"      -> ok rows=1 | state=pending      -> nothing
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "proto/msg.h"
#include "tests/scenario/script.h"

enum { WANT_PAIRS_MAX = 16, WANT_STEPS_MAX = 16, WANT_GROUPS_MAX = 64 };

// key=value (is), key~value (contains), key (is not empty), no-key (is empty).
enum want_how { WANT_IS, WANT_CONTAINS, WANT_SOME, WANT_NONE };
struct want_pair {
    const char *key;
    enum want_how how;
    const char *value;
};

struct want_step {
    const char *name;
    const char *outcome; // NULL = the step must not be in the trace
    const char *why;     // contained in why; NULL = anything
};

struct want_group {
    size_t times;
    unsigned code; // 0: no verdict but a row of an admin reply
    const char *reason;
    struct want_pair pair[WANT_PAIRS_MAX];
    size_t pair_count;
    struct want_step step[WANT_STEPS_MAX];
    size_t step_count;
    bool is_message; // behind =>
};

struct want {
    bool nothing; // no reply ever
    enum msg_status status;
    const char *error; // contained; NULL = anything
    bool degraded;
    const char *degraded_why; // contained; NULL = anything
    bool draining;
    bool counts_rows;
    size_t rows;
    const char *cursor; // how the next page begins; NULL = anything
    struct want_group *group;
    size_t group_count;
};

// want_parse: words after `->`. ERR_SYNTAX says which word was not understood.
MUST_USE enum err want_parse(char *const *word, size_t count, struct arena *arena, struct want *out,
                             struct err_detail *detail);

// want_holds: every difference is written to out, a line each. steps: the trace was asked for, so
// steps are compared.
bool want_holds(const struct want *want, const struct msg_reply *reply, bool steps, FILE *out);
