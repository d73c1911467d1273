// decoding.h: one decoding of one frame: its arena, a copy of the bytes of exactly their length (so
// that ASan sees a byte too far), and what came out. Include <cmocka.h> and what it needs first.
#pragma once

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/wire.h"
#include "tests/support/frame.h"

enum kind { REQUEST, REPLY, STATS, EVENT };

enum { DECODING_ARENA_BYTES = 64 << 20 }; // enough for all that is within its limits

union decoded {
    struct msg_request request;
    struct msg_reply reply;
    struct msg_stats stats;
    struct msg_event event;
};

struct decoding {
    struct arena arena;
    unsigned char *bytes;
    enum err err;
    union decoded out;
    struct err_detail detail;
};

static inline enum err decode_kind(enum kind kind, size_t len, struct decoding *decoding)
{
    union decoded *out = &decoding->out;

    switch (kind) {
    case REQUEST:
        return wire_decode_request(decoding->bytes, len, &decoding->arena, &out->request,
                                   &decoding->detail);
    case REPLY:
        return wire_decode_reply(decoding->bytes, len, &decoding->arena, &out->reply,
                                 &decoding->detail);
    case STATS:
        return wire_decode_stats(decoding->bytes, len, &decoding->arena, &out->stats,
                                 &decoding->detail);
    case EVENT:
        return wire_decode_event(decoding->bytes, len, &decoding->arena, &out->event,
                                 &decoding->detail);
    }
    return ERR_SYSTEM;
}

// decode: any result is one of wire.h's; a failure says why and changes nothing but a request's id.
static inline struct decoding *decode(enum kind kind, const void *bytes, size_t len,
                                      size_t arena_bytes)
{
    struct decoding *decoding = calloc(1, sizeof(*decoding));
    union decoded untouched;

    assert_non_null(decoding);
    arena_init(&decoding->arena, malloc(arena_bytes), arena_bytes);
    decoding->bytes = malloc(len);
    if (len > 0)
        memcpy(decoding->bytes, bytes, len);
    memset(&decoding->out, 0x5A, sizeof(decoding->out));
    untouched = decoding->out;
    decoding->err = decode_kind(kind, len, decoding);
    if (decoding->err != ERR_NONE) {
        assert_true(decoding->err == ERR_SYNTAX || decoding->err == ERR_LIMIT ||
                    decoding->err == ERR_MEMORY);
        assert_int_not_equal(decoding->detail.text[0], '\0');
        if (kind == REQUEST)
            untouched.request.id = decoding->out.request.id;
        assert_memory_equal(&decoding->out, &untouched, sizeof(untouched));
    }
    return decoding;
}

// decode_frame: empties the frame.
static inline struct decoding *decode_frame(enum kind kind, struct frame *frame)
{
    struct decoding *decoding = decode(kind, frame->bytes, frame->len, DECODING_ARENA_BYTES);

    frame_free(frame);
    return decoding;
}

static inline void decoding_free(struct decoding *decoding)
{
    free(decoding->arena.start);
    free(decoding->bytes);
    free(decoding);
}

// text_in: the text that a member of out points at, by its offset.
static inline const char *text_in(const struct decoding *decoding, size_t offset)
{
    const char *text;

    memcpy(&text, (const char *)&decoding->out + offset, sizeof(text));
    return text;
}

struct encoded {
    unsigned char bytes[4096];
    size_t len;
};

static inline enum err encode_kind(enum kind kind, const void *what, struct arena *scratch,
                                   void *bytes, size_t size, size_t *len)
{
    switch (kind) {
    case REQUEST:
        return wire_encode_request(what, scratch, bytes, size, len);
    case REPLY:
        return wire_encode_reply(what, scratch, bytes, size, len);
    case STATS:
        return wire_encode_stats(what, scratch, bytes, size, len);
    case EVENT:
        return wire_encode_event(what, scratch, bytes, size, len);
    }
    return ERR_SYSTEM;
}

static inline void encode(enum kind kind, const void *what, struct encoded *out)
{
    unsigned char memory[16384];
    struct arena scratch;

    arena_init(&scratch, memory, sizeof(memory));
    assert_int_equal(encode_kind(kind, what, &scratch, out->bytes, sizeof(out->bytes), &out->len),
                     ERR_NONE);
}
