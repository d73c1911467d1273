// pattern.h: whom an entry of a personal list is about.
#pragma once

#include "node/core/person.h"
#include "proto/err.h"

enum { PATTERN_ENTRY_MAX = PERSON_ADDRESS_MAX };

// pattern_entry: a pattern as a policy's from writes it -> as person_patterns_of names it: user@dom, user@*, dom, .dom, *, <>.
// ERR_CONFIG, and the detail says what is wrong with it; a party (internal, external) is no such pattern.
MUST_USE enum err pattern_entry(const char *text, char out[PATTERN_ENTRY_MAX],
                                struct err_detail *detail);
