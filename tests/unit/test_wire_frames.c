// Frames of requests that no honest gateway sends: malformed, of a newer contract, with two verbs,
// or asking for much memory.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/text.h"
#include "proto/wire.h"
#include "tests/support/decoding.h"
#include "tests/support/frame.h"
#include "tests/support/table.h"

enum {
    ID = 1,
    CHECK = 10,
    ADMIN = 14,
    PING = 15,
    RECIPIENTS = 10,
    ARGS = 2
}; // numbers of the contract

// ---- frames that are none

struct broken_row {
    const char *name;
    const char *bytes;
    size_t len;
    uint64_t id;
};

#define BYTES(text) text, sizeof(text) - 1

static const struct broken_row broken_rows[] = {
    {"nothing", BYTES(""), 0},
    {"an id alone: no verb", BYTES("\x08\x07"), 7},
    {"an unknown verb", BYTES("\x08\x07\xA2\x01\x00"), 7},
    {"text", BYTES("GET / HTTP/1.1\r\n\r\n"), 0},
    {"a byte", BYTES("\x08"), 0},
    {"a varint that does not end", BYTES("\x08\xFF\xFF\xFF"), 0},
    {"a varint of eleven bytes", BYTES("\x08\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01"), 0},
    {"a varint over 64 bits", BYTES("\x08\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x02"), 0},
    {"field number 0", BYTES("\x08\x07\x00\x01"), 7},
    {"a field number over 29 bits", BYTES("\x08\x07\x80\x80\x80\x80\x10\x01"), 7},
    {"a group", BYTES("\x08\x07\x53\x54"), 7},
    {"a group's end", BYTES("\x08\x07\x54"), 7},
    {"wire type 6", BYTES("\x08\x07\x0E\x01"), 7},
    {"wire type 7", BYTES("\x08\x07\x0F\x01"), 7},
    {"a length past the end",
     BYTES("\x08\x07\x1A\x05"
           "abcd"),
     7},
    {"a length near 2^64", BYTES("\x08\x07\x1A\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF\x01"), 7},
    {"a length of 4 GiB", BYTES("\x08\x07\x1A\xFF\xFF\xFF\xFF\x0F"), 7},
    {"a length without an end", BYTES("\x08\x07\x1A\xFF"), 7},
    {"four bytes, cut off", BYTES("\x08\x07\xFD\x01\x00\x00\x00"), 7},
    {"eight bytes, cut off", BYTES("\x08\x07\xF9\x01\x00\x00\x00\x00\x00\x00\x00"), 7},
    {"a Check that is a number", BYTES("\x08\x07\x50\x01"), 7},
    {"an id that is text", BYTES("\x0A\x01x\x7A\x00"), 0},
    {"a Check that is no message", BYTES("\x08\x07\x52\x01\xFF"), 7},
    {"a Check cut off inside", BYTES("\x08\x07\x52\x02\x52\x05"), 7},
    {"a text that is a number", BYTES("\x08\x07\x52\x02\x48\x01"), 7},
};

static void broken(void **state)
{
    const struct broken_row *row = *state;
    struct decoding *decoding = decode(REQUEST, row->bytes, row->len, 4096);

    assert_int_equal(decoding->err, ERR_SYNTAX);
    assert_int_equal(decoding->out.request.id, row->id);
    assert_true(strlen(decoding->detail.text) > 0);
    decoding_free(decoding);
}

static void no_detail_is_fine(void **state)
{
    unsigned char memory[1024];
    unsigned char bytes[] = {0x08, 0x07, 0x50, 0x01};
    struct arena arena;
    struct msg_request request;

    (void)state;
    arena_init(&arena, memory, sizeof(memory));
    assert_int_equal(wire_decode_request(bytes, sizeof(bytes), &arena, &request, NULL), ERR_SYNTAX);
    assert_int_equal(wire_decode_request(bytes, 2, &arena, &request, NULL), ERR_SYNTAX);
}

// ---- verbs

struct verb_row {
    const char *name;
    enum msg_verb verb;
};

static const struct verb_row verb_rows[] = {
    {"Sent", MSG_SENT}, {"Access", MSG_ACCESS}, {"Admin", MSG_ADMIN},
    {"Ping", MSG_PING}, {"Held", MSG_HELD},
};

static void verb(void **state)
{
    const struct verb_row *row = *state;
    struct msg_request request = {.id = 7, .verb = row->verb};
    unsigned char memory[4096];
    unsigned char bytes[64];
    struct arena scratch;
    struct frame frame = {0};
    struct decoding *decoding;
    size_t len;

    frame_number(&frame, ID, 7);
    frame_text(&frame, (uint32_t)row->verb, "");
    arena_init(&scratch, memory, sizeof(memory));
    assert_int_equal(wire_encode_request(&request, &scratch, bytes, sizeof(bytes), &len), ERR_NONE);
    assert_int_equal(len, frame.len);
    assert_memory_equal(bytes, frame.bytes, len);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->out.request.verb, row->verb);
    assert_string_equal(decoding->out.request.check.sender, ""); // never NULL, whatever the verb
    assert_string_equal(decoding->out.request.check.spf_domain, "");
    assert_string_equal(decoding->out.request.admin.verb, "");
    assert_string_equal(decoding->out.request.gateway, "");
    decoding_free(decoding);
}

static void a_request_without_a_verb(void **state)
{
    struct msg_request request = {.id = 7};
    struct encoded encoded;
    struct decoding *decoding;

    (void)state;
    encode(REQUEST, &request, &encoded);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, 4096);
    assert_int_equal(decoding->err, ERR_SYNTAX);
    assert_int_equal(decoding->out.request.id, 7);
    assert_string_equal(decoding->detail.text, "Request.verb: none that this version knows");
    decoding_free(decoding);
}

static void the_last_verb_wins(void **state)
{
    struct frame frame = {0};
    struct frame check = {0};
    struct decoding *decoding;

    (void)state;
    frame_text(&frame, PING, "");
    frame_text(&check, RECIPIENTS, "ann@x.example");
    frame_put(&frame, CHECK, &check);
    frame_text(&frame, ADMIN, "");
    frame_text(&check, RECIPIENTS, "bob@x.example");
    frame_put(&frame, CHECK, &check);
    frame_number(&frame, ID, 1);
    frame_number(&frame, ID, 2);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->out.request.id, 2);
    assert_int_equal(decoding->out.request.verb, MSG_CHECK);
    assert_int_equal(decoding->out.request.check.recipient_total, 1);
    assert_string_equal(decoding->out.request.check.recipients[0], "bob@x.example");
    decoding_free(decoding);
}

static void a_new_verb_hides_no_old_error(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    for (int i = 0; i < MSG_ADMIN_ARGS_MAX + 1; i++)
        frame_text(&frame, ARGS, "");
    frame_wrap(&frame, ADMIN);
    frame_text(&frame, PING, "");
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_LIMIT);
    decoding_free(decoding);
}

// A contract that has grown: all kinds of fields that are not known here.
static void unknown_fields_do_no_harm(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    frame_number(&frame, 500, 1);
    frame_text(&frame, 501, "text");
    frame_double(&frame, 502, 1.5);
    frame_raw(&frame,
              "\xBD\x1F"
              "abcd",
              6); // field 503, four bytes
    frame_text(&frame, RECIPIENTS, "ann@x.example");
    frame_wrap(&frame, CHECK);
    frame_number(&frame, 536870911, 1); // the largest number of a field
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(decoding->out.request.check.recipients[0], "ann@x.example");
    decoding_free(decoding);
}

static void deep_nesting_is_not_followed(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    for (int i = 0; i < 5000; i++)
        frame_wrap(&frame, 900);
    frame_text(&frame, PING, "");
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    decoding_free(decoding);
    for (int i = 0; i < 5000; i++)
        frame_wrap(&frame, CHECK);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE); // all but the outermost two are a recipient's text
    assert_int_equal(decoding->out.request.check.recipient_total, 1);
    assert_true(text_is_damaged(decoding->out.request.check.recipients[0]));
    decoding_free(decoding);
}

// ---- memory

// A damaged text takes new memory, after protobuf-c's.
static void any_arena_for_damage(void **state)
{
    struct frame frame = {0};
    size_t bytes = 0;
    enum err err;

    (void)state;
    frame_text(&frame, 9, "\xFF");
    frame_text(&frame, RECIPIENTS, "\xFF");
    frame_wrap(&frame, CHECK);
    do {
        struct decoding *decoding = decode(REQUEST, frame.bytes, frame.len, bytes++);

        err = decoding->err;
        assert_true(err == ERR_NONE || err == ERR_MEMORY);
        decoding_free(decoding);
    } while (err != ERR_NONE);
    frame_free(&frame);
}

// What a small frame can ask for at most: a thousand empty recipients are 2 kB.
static void memory_stays_in_proportion(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    for (int i = 0; i < MSG_RECIPIENTS_MAX; i++)
        frame_text(&frame, RECIPIENTS, "");
    frame_wrap(&frame, CHECK);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_true(decoding->arena.used < 256 * 1024);
    decoding_free(decoding);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, broken_rows, broken);
    TABLE_TEST(&table, no_detail_is_fine);
    TABLE_ROWS(&table, verb_rows, verb);
    TABLE_TEST(&table, a_request_without_a_verb);
    TABLE_TEST(&table, the_last_verb_wins);
    TABLE_TEST(&table, a_new_verb_hides_no_old_error);
    TABLE_TEST(&table, unknown_fields_do_no_harm);
    TABLE_TEST(&table, deep_nesting_is_not_followed);
    TABLE_TEST(&table, any_arena_for_damage);
    TABLE_TEST(&table, memory_stays_in_proportion);
    return table_run(&table, "wire frames");
}
