// seats.h: the memory that a request needs while it is read and answered. There is a fixed number
// of seats; a connection holds one only between the first byte of a request and its answer, so an
// idle connection costs a few hundred bytes.
#pragma once

#include <stddef.h>

#include "client/policyd/request.h"

enum { SEATS_COUNT = 1024 };

struct seats;

// seats_new: 1024 parsers. Their memory is reserved, not used: the seat that was left last is taken
// first.
struct seats *seats_new(void);
void seats_free(struct seats **seats);
// seats_take: a parser, reset; NULL when all are taken.
struct policy_parser *seats_take(struct seats *seats);
// seats_leave: gives it back. *parser becomes NULL; NULL is fine.
void seats_leave(struct seats *seats, struct policy_parser **parser);
