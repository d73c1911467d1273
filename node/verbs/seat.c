// seat.c: the seats. Promises: taking and leaving touch no heap; a token of somebody who left finds
// nobody.
#include "node/verbs/seat.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sysexits.h>

struct seats {
    struct seat *all;
    unsigned count;
    unsigned used;
    struct seat *free[SEAT_SIZES];
    unsigned char *memory; // of all arenas, mapped in one piece
    size_t memory_bytes;
};

static const size_t arena_bytes[SEAT_SIZES] = {
    [SEAT_SMALL] = 64U << 10, // a request of 8 KiB, a dozen recipients and their traces
    [SEAT_LARGE] = 16U << 20, // 1000 recipients with traces, or a message of 2 MiB
    [SEAT_ADMIN] = 24U << 20, // a document of 16 MiB
};
enum {
    SEAT_KEEPS_BYTES = 256U << 10
}; // of a large arena after use; the rest goes back to the kernel

static void add_seats(struct seats *seats, enum seat_size size, unsigned count, size_t *at_byte)
{
    for (unsigned i = 0; i < count; i++) {
        struct seat *seat = &seats->all[seats->count];

        seat->index = seats->count++;
        seat->size = size;
        arena_init(&seat->arena, seats->memory + *at_byte, arena_bytes[size]);
        *at_byte += arena_bytes[size];
        seat->next = seats->free[size];
        seats->free[size] = seat;
    }
}

struct seats *seats_new(unsigned small, unsigned large, unsigned admin)
{
    struct seats *seats = mem_new(sizeof(*seats));
    size_t at_byte = 0;

    seats->all = mem_new_array(small + large + admin, sizeof(*seats->all));
    seats->memory_bytes = small * arena_bytes[SEAT_SMALL] + large * arena_bytes[SEAT_LARGE] +
                          admin * arena_bytes[SEAT_ADMIN];
    seats->memory = mmap(NULL, seats->memory_bytes, PROT_READ | PROT_WRITE,
                         MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (seats->memory == MAP_FAILED) {
        perror("cannot map memory for seats (lower lookups.seats)");
        exit(EX_OSERR);
    }
    add_seats(seats, SEAT_SMALL, small, &at_byte);
    add_seats(seats, SEAT_LARGE, large, &at_byte);
    add_seats(seats, SEAT_ADMIN, admin, &at_byte);
    return seats;
}

void seats_free(struct seats **seats)
{
    if (*seats == NULL)
        return;
    (void)munmap((*seats)->memory, (*seats)->memory_bytes);
    mem_free((*seats)->all);
    mem_free(*seats);
    *seats = NULL;
}

struct seat *seats_take(struct seats *seats, enum seat_size size)
{
    struct seat *seat = seats->free[size];

    if (seat == NULL)
        return NULL;
    seats->free[size] = seat->next;
    seats->used++;
    *seat = (struct seat){.index = seat->index,
                          .generation = seat->generation + 1,
                          .size = size,
                          .taken = true,
                          .arena = seat->arena};
    arena_reset(&seat->arena);
    return seat;
}

void seats_leave(struct seats *seats, struct seat *seat)
{
    if (seat->arena.used > SEAT_KEEPS_BYTES)
        (void)madvise(seat->arena.start + SEAT_KEEPS_BYTES, seat->arena.size - SEAT_KEEPS_BYTES,
                      MADV_DONTNEED);
    seat->taken = false;
    seat->next = seats->free[seat->size];
    seats->free[seat->size] = seat;
    seats->used--;
}

size_t seats_used(const struct seats *seats)
{
    return seats->used;
}

uint64_t seat_token(const struct seat *seat)
{
    return (uint64_t)seat->generation << 32 | seat->index;
}

struct seat *seats_find(struct seats *seats, uint64_t token)
{
    uint32_t index = (uint32_t)token;

    if (index >= seats->count || !seats->all[index].taken ||
        seats->all[index].generation != (uint32_t)(token >> 32))
        return NULL;
    return &seats->all[index];
}
