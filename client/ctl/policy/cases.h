// cases.h: a file of expected decisions, reeve-policy-test(5): YAML -> questions and what their answers must be.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/lib/reeve.h"
#include "proto/err.h"

// What a verdict must be; what is not given may be anything.
struct expected {
    unsigned code;                                             // 0 = any
    enum reeve_action action;                                  // 0 = any
    const char *enhanced, *reason, *rule, *shadow, *direction; // NULL = any; "" = none
    bool skip_is_given;
    bool skip_greylist, skip_reputation, skip_spam;
};

struct test_case {
    const char *name, *file;
    unsigned line;
    struct reeve_check check; // a dry run with a trace
    // One, for every verdict, or as many as there are recipients, in their order.
    struct expected *expected;
    size_t expected_count;
};

struct cases {
    struct test_case *at;
    size_t count;
    struct yaml **file; // their texts live here
    size_t file_count;
    void **owned;
    size_t owned_count;
};

// cases_load: adds the cases of a file. ERR_SYSTEM if it cannot be read, ERR_CONFIG if it is not what it should be;
// the detail has `file:line: what`. cases is the caller's to free, also then. cases_parse: the same from memory; name
// stands in messages.
MUST_USE enum err cases_load(struct cases *cases, const char *path, struct err_detail *detail);
MUST_USE enum err cases_parse(struct cases *cases, const char *name, const void *bytes, size_t len,
                              struct err_detail *detail);
void cases_free(struct cases *cases);
