// frame.h: protobuf frames made by hand, field by field, so that tests can also say what no honest
// peer says. Include <cmocka.h> and what it needs first.
#pragma once

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct frame {
    unsigned char *bytes;
    size_t len;
    size_t room;
};

static inline void frame_raw(struct frame *frame, const void *bytes, size_t len)
{
    if (len > frame->room - frame->len) {
        frame->room = 2 * (frame->len + len);
        frame->bytes = realloc(frame->bytes, frame->room);
        assert_non_null(frame->bytes);
    }
    if (len > 0)
        memcpy(frame->bytes + frame->len, bytes, len);
    frame->len += len;
}

static inline void frame_varint(struct frame *frame, uint64_t value)
{
    unsigned char byte;

    for (; value >= 0x80; value >>= 7) {
        byte = (unsigned char)(value | 0x80);
        frame_raw(frame, &byte, 1);
    }
    byte = (unsigned char)value;
    frame_raw(frame, &byte, 1);
}

static inline void frame_number(struct frame *frame, uint32_t field, uint64_t value)
{
    frame_varint(frame, (uint64_t)field << 3);
    frame_varint(frame, value);
}

static inline void frame_bytes(struct frame *frame, uint32_t field, const void *bytes, size_t len)
{
    frame_varint(frame, (uint64_t)field << 3 | 2);
    frame_varint(frame, len);
    frame_raw(frame, bytes, len);
}

static inline void frame_text(struct frame *frame, uint32_t field, const char *text)
{
    frame_bytes(frame, field, text, strlen(text));
}

static inline void frame_double(struct frame *frame, uint32_t field, double value)
{
    frame_varint(frame, (uint64_t)field << 3 | 1);
    frame_raw(frame, &value, sizeof(value)); // little-endian, as all machines that we build for
}

static inline void frame_free(struct frame *frame)
{
    free(frame->bytes);
    *frame = (struct frame){0};
}

// frame_put: a message as a field; empties inner.
static inline void frame_put(struct frame *frame, uint32_t field, struct frame *inner)
{
    frame_bytes(frame, field, inner->bytes, inner->len);
    frame_free(inner);
}

// frame_wrap: turns the frame into a message that has it as a field.
static inline void frame_wrap(struct frame *frame, uint32_t field)
{
    struct frame outer = {0};

    frame_put(&outer, field, frame);
    *frame = outer;
}
