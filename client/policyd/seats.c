// seats.c: a stack of free parsers. Promises: no allocation after policy_seats_new, and pages of a seat
// that was never taken stay untouched.
#include "client/policyd/seats.h"

#include <assert.h>

#include "proto/base/mem.h"

struct policy_seats {
    struct policy_parser *parsers;
    struct policy_parser *free[SEATS_COUNT]; // a stack
    size_t free_count;
};

struct policy_seats *policy_seats_new(void)
{
    struct policy_seats *seats = mem_new(sizeof(*seats));

    seats->parsers = mem_new_array(SEATS_COUNT, sizeof(*seats->parsers));
    for (size_t i = 0; i < SEATS_COUNT; i++)
        seats->free[i] = &seats->parsers[SEATS_COUNT - 1 - i];
    seats->free_count = SEATS_COUNT;
    return seats;
}

void policy_seats_free(struct policy_seats **seats)
{
    if (*seats == NULL)
        return;
    mem_free((*seats)->parsers);
    mem_free(*seats);
    *seats = NULL;
}

struct policy_parser *policy_seats_take(struct policy_seats *seats)
{
    struct policy_parser *parser = NULL;

    if (seats->free_count == 0)
        return NULL;
    parser = seats->free[--seats->free_count];
    policy_parser_reset(parser);
    return parser;
}

void policy_seats_leave(struct policy_seats *seats, struct policy_parser **parser)
{
    if (*parser == NULL)
        return;
    assert(seats->free_count < SEATS_COUNT);
    seats->free[seats->free_count++] = *parser;
    *parser = NULL;
}
