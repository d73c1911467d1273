// callforward.h: asks the host behind the gateway by SMTP whether it would take mail for a recipient: EHLO, STARTTLS if
// that is offered, MAIL FROM:<>, RCPT TO, and never DATA. Of the host that the policy set names for the domain, and of no
// other: no MX is looked up, no referral is followed.
//
// Promises: at most `connections` to a host at a time, and at most `waiting` questions that wait for one; each question
// ends within `whole_ms`; connections are used again, but not for so long that the host takes us for a harvester; a host
// that cannot be reached is left alone for a moment (up to 10 s), in which its questions are refused at once.
#pragma once

#include "node/probe/probe.h"

struct callforward;

// counters: where connects, connect_errors, tls and crowded are counted; outlive it.
struct callforward *callforward_new(struct loop *loop, struct probe_counters *counters);
// callforward_free: closes everything; nobody is told. NULL-safe, NULLs.
void callforward_free(struct callforward **callforward);

// callforward_ask: done is called exactly once, possibly before this returns, within question->settings'
// callforward.whole_ms: EXISTS, NOBODY or REFUSED. question->within_ms is not looked at.
void callforward_ask(struct callforward *callforward, const struct probe_question *question,
                     struct probe_done done);
