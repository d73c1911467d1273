// document.h: the bytes of a policy set, as they were given, with their name. Several hold them at once, also work beside
// the loop, which only reads them; holding and releasing is done on the loop.
#pragma once

#include <stddef.h>

#include "node/store/store.h"
#include "proto/err.h"

struct policy;

struct document {
    unsigned users;
    char name[STORE_DOCUMENT_NAME];
    size_t len;
    char bytes[];
};

// document_new: a copy. One holds it: the caller. The name is made of the bytes: tens of milliseconds of a large one.
struct document *document_new(const void *bytes, size_t len);
struct document *document_hold(struct document *document);
void document_release(struct document **document); // NULL-safe, NULLs

// document_compile: the set that it is: a bundle (proto/bundle.h), or one plain file of YAML. Errors are those of policy_parse. May take seconds: beside the loop.
MUST_USE enum err document_compile(const struct document *document, struct policy **out,
                                   struct err_detail *detail);
