// service.h: the policy service: listens, accepts, and ends in an orderly way.
#pragma once

#include "client/policyd/config.h"
#include "proto/base/loop.h"
#include "proto/err.h"

struct service;

// service_new: opens every listening address of the configuration (borrowed, like the loop and
// reeve) and begins to serve. On failure nothing is left open.
MUST_USE enum err service_new(struct service **out, struct loop *loop, struct reeve *reeve,
                              const struct policyd_config *config, struct err_detail *detail);
// service_drain: no new connections; ends idle ones, answers what is under way, and stops the loop
// when that is done, after 5 s at the latest. Asked again, it stops the loop at once.
void service_drain(struct service *service);
// service_report: a log line of the transactions whose recipients are remembered.
void service_report(const struct service *service);
// service_free: closes everything. Before reeve_free and loop_free.
void service_free(struct service **service);
