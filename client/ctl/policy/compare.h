// compare.h: what a case expects, beside the verdicts that came. Pure.
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "client/ctl/policy/cases.h"
#include "client/lib/reeve.h"

// One thing that is not as it was expected; "" = none. Valid during the call.
struct difference {
    size_t verdict; // which of the answer's
    const char *field;
    const char *wanted, *came;
};

// compare_case: calls differ for each difference. True if there is none. The answer is one to the case's question.
bool compare_case(const struct test_case *test, const struct reeve_answer *answer,
                  void (*differ)(void *arg, const struct difference *difference), void *arg);
