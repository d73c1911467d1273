// mem.h: memory. Start-up allocates from the heap and stops the program when there is none; a
// request allocates from the arena of its seat, which is emptied in one step when the request is
// over.
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/err.h"

// mem_new: zeroed memory from the heap. Never NULL: without memory the program says so and exits
// with 71 (EX_OSERR).
void *mem_new(size_t size);
void *mem_new_array(size_t count, size_t size);
// mem_grow: realloc to count elements of size bytes each; what is new is not zeroed. Never NULL.
void *mem_grow(void *memory, size_t count, size_t size);
char *mem_text(const char *text);               // a copy on the heap; NULL stays NULL
char *mem_text_n(const char *text, size_t len); // of len bytes, terminated
char *mem_format(const char *fmt, ...) PRINTF_LIKE(1, 2);
void mem_free(void *memory); // NULL is fine

// A bounded piece of memory that is filled from the front and emptied at once.
struct arena {
    unsigned char *start; // borrowed
    size_t size;
    size_t used;
};

void arena_init(struct arena *arena, void *memory, size_t size);
void arena_reset(struct arena *arena);
// arena_alloc: size bytes, aligned for any type, not zeroed; NULL when the arena is full.
void *arena_alloc(struct arena *arena, size_t size);
void *arena_zalloc(struct arena *arena, size_t size); // zeroed
// arena_text: a terminated copy of len bytes; NULL when the arena is full.
char *arena_text(struct arena *arena, const char *text, size_t len);
size_t arena_left(const struct arena *arena);
