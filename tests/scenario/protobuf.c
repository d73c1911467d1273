// protobuf.c: protobuf's wire format written by hand.
#include "tests/scenario/protobuf.h"

#include <string.h>

enum { WIRE_VARINT = 0, WIRE_64 = 1, WIRE_BYTES = 2, WIRE_BITS = 3 };

static void put(struct protobuf *to, const void *bytes, size_t len)
{
    if (to->at == NULL || to->size - to->used < len) {
        to->full = true;
        return;
    }
    if (len > 0)
        memcpy((char *)to->at + to->used, bytes, len);
    to->used += len;
}

// Seven bits a byte, lowest first; the eighth says that more follows.
static void put_varint(struct protobuf *to, uint64_t value)
{
    do {
        uint8_t byte = (uint8_t)((value & 0x7f) | (value > 0x7f ? 0x80 : 0));

        put(to, &byte, 1);
        value >>= 7;
    } while (value != 0);
}

void protobuf_number(struct protobuf *to, unsigned field, uint64_t value)
{
    put_varint(to, (uint64_t)field << WIRE_BITS | WIRE_VARINT);
    put_varint(to, value);
}

void protobuf_bytes(struct protobuf *to, unsigned field, const void *bytes, size_t len)
{
    put_varint(to, (uint64_t)field << WIRE_BITS | WIRE_BYTES);
    put_varint(to, len);
    put(to, bytes, len);
}

void protobuf_double(struct protobuf *to, unsigned field, double value)
{
    put_varint(to, (uint64_t)field << WIRE_BITS | WIRE_64);
    put(to, &value, sizeof(value)); // little-endian, as all machines that we build for
}
