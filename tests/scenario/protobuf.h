// protobuf.h: protobuf's wire format written by hand (protobuf.dev, "Encoding"): as much of it as a
// request needs.
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct protobuf {
    void *at; // borrowed; NULL = full at once
    size_t size;
    size_t used;
    bool full; // something did not fit; the message is of no use
};

// Fields of wire type 0, 2 and 1.
void protobuf_number(struct protobuf *to, unsigned field, uint64_t value);
void protobuf_bytes(struct protobuf *to, unsigned field, const void *bytes, size_t len);
void protobuf_double(struct protobuf *to, unsigned field, double value);
