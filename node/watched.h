// watched.h: a file that somebody else replaces now and then: whenever it is another one, it is copied into memory,
// a slice at a time, so that the loop never waits for it, and handed over.
//
// The copy is taken once the file has stood still for a whole look: who writes it in place is not caught in the middle.
// What is handed over is a sealed file in memory, of which nothing changes any more: a file that is mapped and then
// truncated by its writer would end the process (SIGBUS).
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proto/base/loop.h"

struct watched_config {
    struct loop *loop;
    const char *path;  // borrowed for the life
    uint64_t every_ms; // how often it is looked at
    uint64_t bytes_max;
    // came: the file as it is now. The descriptor is closed after the call.
    void (*came)(void *arg, int fd);
    // lost: it is gone or cannot be read; once, until it is another one. why is for a person.
    void (*lost)(void *arg, const char *why);
    void *arg;
};

struct watched;

// watched_new: the file is read at once, before this returns: a node begins with what is there.
void watched_new(struct watched **out, const struct watched_config *config);
void watched_free(struct watched **watched);
