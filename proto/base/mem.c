// mem.c: heap and arena. Promises: zeroed heap memory or an exit with a message; an arena never
// gives more than it has.
#include "proto/base/mem.h"

#include <stdalign.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static void die_without_memory(size_t size)
{
    (void)fprintf(stderr, "out of memory: could not get %zu bytes\n", size);
    exit(EX_OSERR);
}

void *mem_new(size_t size)
{
    return mem_new_array(1, size);
}

void *mem_new_array(size_t count, size_t size)
{
    void *memory = calloc(count > 0 ? count : 1, size > 0 ? size : 1);

    if (memory == NULL)
        die_without_memory(count * size);
    return memory;
}

void *mem_grow(void *memory, size_t count, size_t size)
{
    void *grown = reallocarray(memory, count > 0 ? count : 1, size);

    if (grown == NULL)
        die_without_memory(count * size);
    return grown;
}

char *mem_text(const char *text)
{
    return text == NULL ? NULL : mem_text_n(text, strlen(text));
}

char *mem_text_n(const char *text, size_t len)
{
    char *copy = mem_new(len + 1);

    memcpy(copy, text, len);
    return copy;
}

char *mem_format(const char *fmt, ...)
{
    char *text = NULL;
    va_list args;

    va_start(args, fmt);
    if (vasprintf(&text, fmt, args) < 0)
        die_without_memory(strlen(fmt));
    va_end(args);
    return text;
}

void mem_free(void *memory)
{
    free(memory);
}

void arena_init(struct arena *arena, void *memory, size_t size)
{
    *arena = (struct arena){.start = memory, .size = size};
}

void arena_reset(struct arena *arena)
{
    arena->used = 0;
}

void *arena_alloc(struct arena *arena, size_t size)
{
    const size_t align = alignof(max_align_t);
    uintptr_t next = (uintptr_t)arena->start + arena->used;
    size_t pad = (align - next % align) % align;

    if (pad > arena->size - arena->used || size > arena->size - arena->used - pad)
        return NULL;
    arena->used += pad + size;
    return arena->start + (arena->used - size);
}

void *arena_zalloc(struct arena *arena, size_t size)
{
    void *memory = arena_alloc(arena, size);

    if (memory != NULL)
        memset(memory, 0, size);
    return memory;
}

char *arena_text(struct arena *arena, const char *text, size_t len)
{
    char *copy = arena_alloc(arena, len + 1);

    if (copy == NULL)
        return NULL;
    if (len > 0)
        memcpy(copy, text, len);
    copy[len] = '\0';
    return copy;
}

size_t arena_left(const struct arena *arena)
{
    return arena->size - arena->used;
}
