// seats.h: the memory that a request needs while it is read and answered. There is a fixed number
// of seats; a connection holds one only between the first byte of a request and its answer, so an
// idle connection costs a few hundred bytes.
#pragma once

#include <stddef.h>

#include "client/policyd/request.h"

enum { SEATS_COUNT = 1024 };

struct policy_seats;

// policy_seats_new: 1024 parsers. Their memory is reserved, not used: the seat that was left last is taken
// first.
struct policy_seats *policy_seats_new(void);
void policy_seats_free(struct policy_seats **seats);
// policy_seats_take: a parser, reset; NULL when all are taken.
struct policy_parser *policy_seats_take(struct policy_seats *seats);
// policy_seats_leave: gives it back. *parser becomes NULL; NULL is fine.
void policy_seats_leave(struct policy_seats *seats, struct policy_parser **parser);
