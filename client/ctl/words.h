// words.h: reasons of the decision table in words for a postmaster.
#pragma once

#include "proto/text.h"

// words_of_reason: why, as the rest of a sentence ("first try of ..."); the reason itself where it
// is one that this version does not know.
const char *words_of_reason(const char *reason);
// words_of_advice: what somebody may do about it; "" = nothing.
const char *words_of_advice(const char *reason);
// words_of_outcome: of a step in a trace: "passes", "decides" ...
const char *words_of_outcome(const char *outcome);

// words_quote: text as one word of a POSIX shell's command line, so that a line which names an
// address that a stranger chose can be pasted.
void words_quote(struct text_buf *out, const char *text);
