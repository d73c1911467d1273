// rehearse.h: a question that is asked dry and then live: what a dry run says is what then happens, step for step,
// and it leaves nothing behind.
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "proto/msg.h"

// rehearse_same: the reply of a dry run foretold the live one: everything but its ticket. Both have traces. Every
// difference is written to out, a line each.
bool rehearse_same(const struct msg_reply *dry, const struct msg_reply *live, FILE *out);
