// prepare.h: makes the known senders known, as a sender would: each asks, waits as long as it was
// told to, and asks again until it passes and is remembered.
#pragma once

#include <signal.h>
#include <stdint.h>

#include "client/load/asker.h"

// prepare_known: the first `population` of question_known. Who is known already is asked once.
// ERR_TIMEOUT if some are not known after three minutes (greylisting is off, or its delay is
// longer, or the store is away), ERR_UNAVAILABLE if the node does not answer, ERR_CONFLICT when
// *stop became true; the detail says how many, and what they were told last.
MUST_USE enum err prepare_known(struct asker *asker, uint64_t population,
                                const volatile sig_atomic_t *stop, struct err_detail *detail);
