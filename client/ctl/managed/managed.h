// managed.h: what the commands about personal lists share.
#pragma once

#include "client/ctl/ctl.h"

// managed_by: who says it, as it is kept with an entry, into POLICY_BY_MAX bytes: ann@mx1. A word.
const char *managed_by(char *out);
