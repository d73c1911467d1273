// managed.h: what the commands about personal lists share.
#pragma once

#include "client/ctl/ctl.h"
#include "client/ctl/import/progress.h"

// managed_by: who says it, as it is kept with an entry, into POLICY_BY_MAX bytes: ann@mx1. A word.
const char *managed_by(char *out);

// managed_ask: as ctl_admin_ask. A store that was there before and is slow for a moment is asked again, unless somebody wants the
// command to end (progress may be NULL): nothing is lost by that.
int managed_ask(struct ctl *ctl, const struct reeve_admin_request *request, bool was_there,
                struct progress *progress, struct reeve_answer **out);
