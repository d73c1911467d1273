// suspects.h: domains whose host has said yes to everybody so far. Such a host may take any recipient and bounce later;
// then its answers say nothing, and an operator should know. Whoever said yes SUSPECT_AFTER times and never no is
// asked for a recipient that nobody has: a random name.
#pragma once

#include <stdint.h>
#include <sys/queue.h>

#include "node/core/facts.h"

enum { SUSPECT_AFTER = 50 };
#define SUSPECT_AGAIN_MS (24ULL * 3600 * 1000) // a suspect is asked again

struct suspect;
SLIST_HEAD(suspects, suspect); // of one host; empty when zeroed

// suspects_note: what was said of an address. True: made_up should be asked for, too (it is of the same domain; how that
// ends need not be noted).
bool suspects_note(struct suspects *suspects, const char *address, enum facts_probe said,
                   uint64_t now_ms, char made_up[PERSON_ADDRESS_MAX]);
void suspects_free(struct suspects *suspects);
