// Requests: every limit from both sides, every field by its number in the contract, and what
// strangers send.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/text.h"
#include "proto/wire.h"
#include "tests/support/frame.h"
#include "tests/support/table.h"

enum {
    ARENA_BYTES = 64 << 20,
    // numbers of the contract
    ID = 1,
    CHECK = 10,
    ADMIN = 14,
    PING = 15,
    STAGE = 1,
    RECIPIENTS = 10,
    AUTHENTICATION = 13,
    MESSAGE = 14,
    ARGS = 2,
    DOCUMENT = 3,
};

// One decoding: its arena, a copy of the frame of exactly its length (so that ASan sees a byte too
// far), and what came out.
struct decoding {
    struct arena arena;
    unsigned char *bytes;
    enum err err;
    struct msg_request request;
    struct err_detail detail;
};

static struct decoding *decode(const void *bytes, size_t len, size_t arena_bytes)
{
    struct decoding *decoding = calloc(1, sizeof(*decoding));

    assert_non_null(decoding);
    arena_init(&decoding->arena, malloc(arena_bytes), arena_bytes);
    decoding->bytes = malloc(len);
    if (len > 0)
        memcpy(decoding->bytes, bytes, len);
    decoding->request.id = 99;
    decoding->err = wire_decode_request(decoding->bytes, len, &decoding->arena, &decoding->request,
                                        &decoding->detail);
    return decoding;
}

static struct decoding *decode_frame(struct frame *frame)
{
    struct decoding *decoding = decode(frame->bytes, frame->len, ARENA_BYTES);

    frame_free(frame);
    return decoding;
}

static void decoding_free(struct decoding *decoding)
{
    free(decoding->arena.start);
    free(decoding->bytes);
    free(decoding);
}

static char *letters(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

static const char *text_at(const struct msg_request *request, size_t offset)
{
    const char *text;

    memcpy(&text, (const char *)request + offset, sizeof(text));
    return text;
}

// ---- texts that a gateway writes

struct given_row {
    const char *name;
    uint32_t verb; // 0 = a field of Request
    uint32_t field;
    size_t limit;
    size_t offset;
};

#define AT(member) offsetof(struct msg_request, member)

static const struct given_row given_rows[] = {
    {"Request.gateway", 0, 3, MSG_GATEWAY_MAX, AT(gateway)},
    {"Check.transaction", CHECK, 2, MSG_TRANSACTION_MAX, AT(check.transaction)},
    {"Check.client_ip", CHECK, 3, 64, AT(check.client_ip)},
    {"Check.auth_user", CHECK, 6, MSG_AUTH_USER_MAX, AT(check.auth_user)},
    {"Admin.verb", ADMIN, 1, MSG_ADMIN_VERB_MAX, AT(admin.verb)},
    {"Admin.as_user", ADMIN, 5, MSG_AUTH_USER_MAX, AT(admin.as_user)},
};

// A request with one text in it that matters.
static void make_given(struct frame *frame, const struct given_row *row, const char *text,
                       size_t len)
{
    *frame = (struct frame){0};
    if (row->verb == CHECK)
        frame_text(frame, RECIPIENTS, "ann@x.example");
    if (row->verb != 0) {
        frame_bytes(frame, row->field, text, len);
        frame_wrap(frame, row->verb);
    } else {
        frame_bytes(frame, row->field, text, len);
        frame_text(frame, PING, "");
    }
    frame_number(frame, ID, 7);
}

static void expect_given(const struct given_row *row, const char *text, size_t len, enum err want)
{
    struct frame frame;
    struct decoding *decoding;

    make_given(&frame, row, text, len);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, want);
    assert_int_equal(decoding->request.id, 7);
    if (want == ERR_NONE)
        assert_string_equal(text_at(&decoding->request, row->offset), text);
    else
        assert_ptr_equal(strstr(decoding->detail.text, row->name), decoding->detail.text);
    decoding_free(decoding);
}

static void given(void **state)
{
    const struct given_row *row = *state;
    char *text = letters(100000);

    expect_given(row, "", 0, ERR_NONE);
    expect_given(row, "J\xC3\xBCrgen", 7, ERR_NONE);
    expect_given(row, "a\xFF", 2, ERR_SYNTAX);
    expect_given(row, "a\0b", 3, ERR_SYNTAX);
    expect_given(row, "a\0", 2, ERR_SYNTAX);
    expect_given(row, "a\nb", 3, ERR_SYNTAX);
    expect_given(row, text, 100000, ERR_LIMIT);
    expect_given(row, text, row->limit + 1, ERR_LIMIT);
    text[row->limit] = '\0';
    expect_given(row, text, row->limit, ERR_NONE);
    free(text);
}

static void a_limit_is_named_with_its_numbers(void **state)
{
    struct frame frame;
    struct decoding *decoding;
    char *text = letters(129);

    (void)state;
    make_given(&frame, &given_rows[1], text, 129);
    decoding = decode_frame(&frame);
    assert_string_equal(decoding->detail.text, "Check.transaction: 129 bytes given, at most 128");
    decoding_free(decoding);
    free(text);
}

// ---- texts that a mail client chose

struct chosen_row {
    const char *name;
    uint32_t field;
    bool in_authentication;
    size_t limit;
    size_t offset; // not for recipients, which stand in an array
};

static const struct chosen_row chosen_rows[] = {
    {"Check.client_name", 4, false, MSG_CLIENT_NAME_MAX, AT(check.client_name)},
    {"Check.helo", 5, false, MSG_HELO_MAX, AT(check.helo)},
    {"Check.sender", 9, false, MSG_ADDRESS_MAX, AT(check.sender)},
    {"Check.recipients", RECIPIENTS, false, MSG_ADDRESS_MAX, 0},
    {"Authentication.spf_domain", 2, true, 255, AT(check.spf_domain)},
};

static void make_chosen(struct frame *frame, const struct chosen_row *row, const char *text,
                        size_t len)
{
    *frame = (struct frame){0};
    frame_bytes(frame, row->field, text, len);
    if (row->in_authentication)
        frame_wrap(frame, AUTHENTICATION);
    frame_text(frame, RECIPIENTS, "ann@x.example");
    frame_text(frame, 2, "transaction");
    frame_wrap(frame, CHECK);
}

static void expect_chosen(const struct chosen_row *row, const char *text, size_t len,
                          const char *want)
{
    struct frame frame;
    struct decoding *decoding;
    const struct msg_check *check;
    const char *got;

    make_chosen(&frame, row, text, len);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    check = &decoding->request.check;
    got =
        row->field == RECIPIENTS ? check->recipients[0] : text_at(&decoding->request, row->offset);
    assert_string_equal(got, want);
    assert_true(strlen(got) <= row->limit);
    // the rest is there, so all other steps still decide
    assert_string_equal(check->transaction, "transaction");
    assert_string_equal(check->recipients[check->recipient_total - 1], "ann@x.example");
    decoding_free(decoding);
}

static void chosen(void **state)
{
    const struct chosen_row *row = *state;
    char *text = letters(100000);
    char *cut = letters(row->limit);

    memcpy(cut + row->limit - 3, TEXT_DAMAGE, 3);
    expect_chosen(row, "", 0, "");
    expect_chosen(row, "J\xC3\xBCrgen@x", 9, "J\xC3\xBCrgen@x");
    expect_chosen(row,
                  "a\xFF"
                  "b",
                  3, "a" TEXT_DAMAGE "FFb");
    expect_chosen(row, "a\0b@x", 5, "a" TEXT_DAMAGE "01b@x");
    expect_chosen(row, "\0", 1, TEXT_DAMAGE "01");
    expect_chosen(row, "a\r\nQUIT", 7, "a" TEXT_DAMAGE "0D" TEXT_DAMAGE "0AQUIT");
    expect_chosen(row, text, row->limit + 1, cut);
    expect_chosen(row, text, 100000, cut);
    text[row->limit] = '\0';
    expect_chosen(row, text, row->limit, text);
    free(text);
    free(cut);
}

// ---- counts

struct count_row {
    const char *name; // as the message names it
    uint32_t path[4]; // numbers from the verb to the field, 0 = the end
    unsigned most;
};

static const struct count_row count_rows[] = {
    {"Check.recipients", {CHECK, RECIPIENTS}, MSG_RECIPIENTS_MAX},
    {"Authentication.dkim", {CHECK, AUTHENTICATION, 3}, MSG_DKIM_MAX},
    {"MessageFacts.headers", {CHECK, MESSAGE, 1}, MSG_HEADERS_MAX},
    {"MessageFacts.attachments", {CHECK, MESSAGE, 3}, MSG_ATTACHMENTS_MAX},
    {"Attachment.inner_names", {CHECK, MESSAGE, 3, 8}, MSG_INNER_NAMES_MAX},
    {"Sent.recipients", {12, 5}, MSG_RECIPIENTS_MAX},
    {"Sent.headers", {12, 6}, MSG_HEADERS_MAX},
    {"Admin.args", {ADMIN, ARGS}, MSG_ADMIN_ARGS_MAX},
    {"Held.done", {16, 1}, 1000},     // by the default for what has no limit of its own
    {"Check.sender", {CHECK, 9}, 64}, // single fields: the last one wins
    {"Check.authentication", {CHECK, AUTHENTICATION}, 64},
    {"Request.check", {CHECK}, 64},
    {"Request.gateway", {3}, 64},
    {"Request: more than 64 fields that are not known here", {4711}, 64},
    {"Check: more than 64 fields that are not known here", {CHECK, 4711}, 64},
};

static void make_count(struct frame *frame, const struct count_row *row, unsigned count)
{
    size_t depth = 0;

    *frame = (struct frame){0};
    while (depth < 4 && row->path[depth] != 0)
        depth++;
    if (row->path[0] == CHECK && depth == 2)
        frame_text(frame, RECIPIENTS, "");
    if (row->path[0] == CHECK && depth == 2 && row->path[1] == RECIPIENTS)
        count--;
    for (unsigned i = 0; i < count; i++)
        frame_text(frame, row->path[depth - 1], "");
    while (--depth > 0) {
        if (depth == 1 && row->path[0] == CHECK && row->path[2] != 0)
            frame_text(frame, RECIPIENTS, "");
        frame_wrap(frame, row->path[depth - 1]);
    }
    if (row->path[1] == 0)
        frame_text(frame, PING, "");
}

static void count(void **state)
{
    const struct count_row *row = *state;
    struct frame frame;
    struct decoding *decoding;

    make_count(&frame, row, row->most);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    decoding_free(decoding);
    make_count(&frame, row, row->most + 1);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_LIMIT);
    assert_ptr_equal(strstr(decoding->detail.text, row->name), decoding->detail.text);
    decoding_free(decoding);
}

// What stands twice is joined by protobuf's rules; the limit is of the whole.
static void a_limit_holds_over_two_halves(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    frame_text(&frame, RECIPIENTS, "ann@x.example");
    for (int half = 0; half < 2; half++) {
        struct frame dkim = {0};

        for (int i = 0; i < 9; i++)
            frame_text(&dkim, 3, "");
        frame_put(&frame, AUTHENTICATION, &dkim);
    }
    frame_wrap(&frame, CHECK);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_LIMIT);
    assert_string_equal(decoding->detail.text, "Authentication.dkim: 18 given, at most 16");
    decoding_free(decoding);
}

// ---- sizes

struct size_row {
    const char *name;
    uint32_t path[3];
    size_t most;
};

static const struct size_row size_rows[] = {
    {"MessageFacts.text", {CHECK, MESSAGE, 2}, 1 << 20},
    {"Admin.document", {ADMIN, DOCUMENT, 0}, 16 << 20},
};

static enum err decode_sized(const struct size_row *row, size_t len, char *why)
{
    char *text = letters(len);
    struct frame frame = {0};
    struct decoding *decoding;
    enum err err;

    frame_bytes(&frame, row->path[2] != 0 ? row->path[2] : row->path[1], text, len);
    if (row->path[2] != 0) {
        frame_wrap(&frame, row->path[1]);
        frame_text(&frame, RECIPIENTS, "");
    }
    frame_wrap(&frame, row->path[0]);
    decoding = decode_frame(&frame);
    err = decoding->err;
    if (err == ERR_NONE && row->path[0] == ADMIN)
        assert_int_equal(decoding->request.admin.document_bytes, len);
    (void)snprintf(why, sizeof(decoding->detail.text), "%s", decoding->detail.text);
    decoding_free(decoding);
    free(text);
    return err;
}

static void size(void **state)
{
    const struct size_row *row = *state;
    char why[sizeof(((struct err_detail *)NULL)->text)];

    assert_int_equal(decode_sized(row, row->most, why), ERR_NONE);
    assert_int_equal(decode_sized(row, row->most + 1, why), ERR_LIMIT);
    assert_ptr_equal(strstr(why, row->name), why);
}

// ---- arguments of an admin verb

struct arg_row {
    const char *name;
    const char *key;
    size_t key_len; // 0 = strlen; else letters
    const char *value;
    size_t value_len;
    enum err want;
};

static const struct arg_row arg_rows[] = {
    {"an argument", "sender", 0, "ann@x.example", 0, ERR_NONE},
    {"an empty argument", "", 0, "", 0, ERR_NONE},
    {"a key of 4096 bytes", NULL, MSG_ADMIN_ARG_MAX, "", 0, ERR_NONE},
    {"a key of 4097 bytes", NULL, MSG_ADMIN_ARG_MAX + 1, "", 0, ERR_LIMIT},
    {"a value of 4096 bytes", "k", 0, NULL, MSG_ADMIN_ARG_MAX, ERR_NONE},
    {"a value of 4097 bytes", "k", 0, NULL, MSG_ADMIN_ARG_MAX + 1, ERR_LIMIT},
    {"a key that is not UTF-8", "\xFF", 0, "", 0, ERR_SYNTAX},
    {"a value that is not UTF-8", "k", 0, "a\xC3", 0, ERR_SYNTAX},
    {"a value with a line break", "k", 0, "a\n", 0, ERR_SYNTAX},
};

static void arg(void **state)
{
    const struct arg_row *row = *state;
    char *key = row->key != NULL ? strdup(row->key) : letters(row->key_len);
    char *value = row->value != NULL ? strdup(row->value) : letters(row->value_len);
    struct frame frame = {0};
    struct decoding *decoding;

    frame_text(&frame, 1, key);
    frame_text(&frame, 2, value);
    frame_wrap(&frame, ARGS);
    frame_wrap(&frame, ADMIN);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, row->want);
    if (row->want == ERR_NONE) {
        assert_int_equal(decoding->request.admin.arg_count, 1);
        assert_string_equal(decoding->request.admin.args[0].key, key);
        assert_string_equal(decoding->request.admin.args[0].value, value);
    } else {
        assert_non_null(strstr(decoding->detail.text, "Admin.args: "));
    }
    decoding_free(decoding);
    free(key);
    free(value);
}

// ---- stages and their recipients

struct stage_row {
    const char *name;
    uint64_t stage;
    unsigned recipients;
    enum err want;
    enum msg_stage is;
};

static const struct stage_row stage_rows[] = {
    {"no stage is RCPT", 0, 1, ERR_NONE, MSG_RCPT},
    {"no stage, no recipient", 0, 0, ERR_SYNTAX, 0},
    {"CONNECT", 1, 0, ERR_NONE, MSG_CONNECT},
    {"CONNECT with a recipient", 1, 1, ERR_SYNTAX, 0},
    {"MAIL", 2, 0, ERR_NONE, MSG_MAIL},
    {"MAIL with a recipient", 2, 1, ERR_SYNTAX, 0},
    {"RCPT", 3, 1, ERR_NONE, MSG_RCPT},
    {"RCPT with many", 3, 1000, ERR_NONE, MSG_RCPT},
    {"RCPT without", 3, 0, ERR_SYNTAX, 0},
    {"END", 4, 2, ERR_NONE, MSG_END},
    {"END without", 4, 0, ERR_SYNTAX, 0},
    {"a stage of the future", 5, 1, ERR_SYNTAX, 0},
    {"a stage below zero", UINT64_MAX, 1, ERR_SYNTAX, 0},
};

static void stage(void **state)
{
    const struct stage_row *row = *state;
    struct frame frame = {0};
    struct decoding *decoding;

    frame_number(&frame, STAGE, row->stage);
    for (unsigned i = 0; i < row->recipients; i++)
        frame_text(&frame, RECIPIENTS, "ann@x.example");
    frame_wrap(&frame, CHECK);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, row->want);
    if (row->want == ERR_NONE) {
        assert_int_equal(decoding->request.check.stage, row->is);
        assert_int_equal(decoding->request.check.recipient_total, row->recipients);
    } else {
        assert_non_null(
            strstr(decoding->detail.text, row->stage > 4 ? "Check.stage" : "Check.recipients"));
    }
    decoding_free(decoding);
}

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
    struct decoding *decoding = decode(row->bytes, row->len, 4096);

    assert_int_equal(decoding->err, ERR_SYNTAX);
    assert_int_equal(decoding->request.id, row->id);
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
    {"Report", MSG_REPORT}, {"Sent", MSG_SENT}, {"Access", MSG_ACCESS},
    {"Admin", MSG_ADMIN},   {"Ping", MSG_PING}, {"Held", MSG_HELD},
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
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->request.verb, row->verb);
    assert_string_equal(decoding->request.check.sender, ""); // never NULL, whatever the verb
    assert_string_equal(decoding->request.check.spf_domain, "");
    assert_string_equal(decoding->request.admin.verb, "");
    assert_string_equal(decoding->request.gateway, "");
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
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->request.id, 2);
    assert_int_equal(decoding->request.verb, MSG_CHECK);
    assert_int_equal(decoding->request.check.recipient_total, 1);
    assert_string_equal(decoding->request.check.recipients[0], "bob@x.example");
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
    decoding = decode_frame(&frame);
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
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(decoding->request.check.recipients[0], "ann@x.example");
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
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    decoding_free(decoding);
    for (int i = 0; i < 5000; i++)
        frame_wrap(&frame, CHECK);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE); // all but the outermost two are a recipient's text
    assert_int_equal(decoding->request.check.recipient_total, 1);
    assert_true(text_is_damaged(decoding->request.check.recipients[0]));
    decoding_free(decoding);
}

// ---- there and back

static const char *const two_recipients[] = {"ann@x.example", "J\xC3\xBCrgen@x.example"};
static const struct msg_pair two_args[] = {{"sender", "a@x.example"}, {"limit", "10"}};

static const struct msg_request full_check = {
    .id = UINT64_MAX,
    .budget_ms = 250,
    .gateway = "mx1",
    .at_ms = 1700000000123,
    .verb = MSG_CHECK,
    .check =
        {
            .stage = MSG_END,
            .transaction = "4F2",
            .client_ip = "192.0.2.1",
            .client_name = "mail.example.net",
            .helo = "helo.example.net",
            .auth_user = "ann",
            .tls = true,
            .smtputf8 = true,
            .sender = "bob@example.net",
            .recipients = two_recipients,
            .recipient_total = 2,
            .recipient_count = 5,
            .size_bytes = 1ULL << 40,
            .spf = MSG_AUTH_PASS,
            .spf_domain = "example.net",
            .dry_run = true,
            .trace = true,
        },
};

static const struct msg_request full_admin = {
    .id = 8,
    .gateway = "ctl",
    .verb = MSG_ADMIN,
    .admin =
        {
            .verb = "grey.show",
            .args = two_args,
            .arg_count = 2,
            .document = "a: b\n\0c",
            .document_bytes = 7,
            .dry_run = true,
            .as_user = "ann@x.example",
        },
};

struct encoded {
    unsigned char bytes[4096];
    size_t len;
};

static void encode(const struct msg_request *request, struct encoded *out)
{
    unsigned char memory[8192];
    struct arena scratch;

    arena_init(&scratch, memory, sizeof(memory));
    assert_int_equal(
        wire_encode_request(request, &scratch, out->bytes, sizeof(out->bytes), &out->len),
        ERR_NONE);
}

static void check_there_and_back(void **state)
{
    const struct msg_check *want = &full_check.check;
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_check *got;

    (void)state;
    encode(&full_check, &encoded);
    decoding = decode(encoded.bytes, encoded.len, ARENA_BYTES);
    got = &decoding->request.check;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->request.id, full_check.id);
    assert_int_equal(decoding->request.budget_ms, full_check.budget_ms);
    assert_string_equal(decoding->request.gateway, full_check.gateway);
    assert_int_equal(decoding->request.at_ms, full_check.at_ms);
    assert_int_equal(decoding->request.verb, MSG_CHECK);
    assert_int_equal(got->stage, want->stage);
    assert_string_equal(got->transaction, want->transaction);
    assert_string_equal(got->client_ip, want->client_ip);
    assert_string_equal(got->client_name, want->client_name);
    assert_string_equal(got->helo, want->helo);
    assert_string_equal(got->auth_user, want->auth_user);
    assert_true(got->tls && got->smtputf8 && got->dry_run && got->trace);
    assert_string_equal(got->sender, want->sender);
    assert_int_equal(got->recipient_total, 2);
    assert_string_equal(got->recipients[0], two_recipients[0]);
    assert_string_equal(got->recipients[1], two_recipients[1]);
    assert_int_equal(got->recipient_count, want->recipient_count);
    assert_int_equal(got->size_bytes, want->size_bytes);
    assert_int_equal(got->spf, want->spf);
    assert_string_equal(got->spf_domain, want->spf_domain);
    decoding_free(decoding);
}

static void admin_there_and_back(void **state)
{
    struct encoded encoded;
    struct decoding *decoding;
    const struct msg_admin *got;

    (void)state;
    encode(&full_admin, &encoded);
    decoding = decode(encoded.bytes, encoded.len, ARENA_BYTES);
    got = &decoding->request.admin;
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(got->verb, "grey.show");
    assert_int_equal(got->arg_count, 2);
    assert_string_equal(got->args[0].key, "sender");
    assert_string_equal(got->args[0].value, "a@x.example");
    assert_string_equal(got->args[1].key, "limit");
    assert_string_equal(got->args[1].value, "10");
    assert_int_equal(got->document_bytes, 7);
    assert_memory_equal(got->document, "a: b\n\0c", 7);
    assert_true(got->dry_run);
    assert_string_equal(got->as_user, "ann@x.example");
    decoding_free(decoding);
}

static void a_client_cleans_before_it_sends(void **state)
{
    char *text = letters(5000);
    const char *recipient[] = {text};
    struct msg_request request = {
        .verb = MSG_CHECK,
        .check = {.helo = "a\xFF"
                          "b",
                  .sender = text,
                  .client_name = "x\r\ny",
                  .recipients = recipient,
                  .recipient_total = 1},
    };
    struct encoded encoded;
    struct decoding *decoding;

    (void)state;
    encode(&request, &encoded);
    assert_true(encoded.len < 700);
    decoding = decode(encoded.bytes, encoded.len, ARENA_BYTES);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(decoding->request.check.helo, "a" TEXT_DAMAGE "FFb");
    assert_string_equal(decoding->request.check.client_name,
                        "x" TEXT_DAMAGE "0D" TEXT_DAMAGE "0Ay");
    assert_int_equal(strlen(decoding->request.check.sender), MSG_ADDRESS_MAX);
    assert_true(text_is_damaged(decoding->request.check.recipients[0]));
    decoding_free(decoding);
    free(text);
}

static void an_outcome_of_the_future_is_none(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    frame_number(&frame, 1, MSG_AUTH_PERMERROR + 1);
    frame_wrap(&frame, AUTHENTICATION);
    frame_text(&frame, RECIPIENTS, "ann@x.example");
    frame_wrap(&frame, CHECK);
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->request.check.spf, MSG_AUTH_UNSPECIFIED);
    decoding_free(decoding);
}

// ---- cut off anywhere, and with too little memory

static void cut_off_at_every_byte(void **state)
{
    struct encoded encoded;

    (void)state;
    encode(&full_check, &encoded);
    for (size_t len = 0; len < encoded.len; len++) {
        struct decoding *decoding = decode(encoded.bytes, len, 8192);

        assert_int_equal(decoding->err, ERR_SYNTAX); // the verb is the last field
        assert_int_equal(decoding->request.id, len >= 11 ? full_check.id : 0);
        decoding_free(decoding);
    }
}

static void every_byte_turned(void **state)
{
    struct encoded encoded;

    (void)state;
    encode(&full_admin, &encoded);
    for (size_t i = 0; i < encoded.len; i++) {
        for (int bit = 0; bit < 8; bit++) {
            struct decoding *decoding;

            encoded.bytes[i] ^= (unsigned char)(1 << bit);
            decoding = decode(encoded.bytes, encoded.len, 8192);
            assert_true(decoding->err == ERR_NONE || decoding->detail.text[0] != '\0');
            decoding_free(decoding);
            encoded.bytes[i] ^= (unsigned char)(1 << bit);
        }
    }
}

static void any_arena(void **state)
{
    const struct msg_request *const requests[] = {&full_check, &full_admin};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct encoded encoded;
        size_t bytes = 0;
        enum err err;

        encode(requests[i], &encoded);
        do {
            struct decoding *decoding = decode(encoded.bytes, encoded.len, bytes++);

            err = decoding->err;
            assert_true(err == ERR_NONE || err == ERR_MEMORY);
            assert_int_equal(decoding->request.id, requests[i]->id);
            decoding_free(decoding);
        } while (err != ERR_NONE);
        assert_true(bytes > 100 && bytes < 8192);
    }
}

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
        struct decoding *decoding = decode(frame.bytes, frame.len, bytes++);

        err = decoding->err;
        assert_true(err == ERR_NONE || err == ERR_MEMORY);
        decoding_free(decoding);
    } while (err != ERR_NONE);
    frame_free(&frame);
}

static void any_room_for_the_bytes(void **state)
{
    unsigned char memory[8192];
    struct encoded encoded;
    struct arena scratch;

    (void)state;
    encode(&full_check, &encoded);
    for (size_t room = 0; room <= encoded.len; room++) {
        unsigned char *bytes = malloc(room);
        size_t len = 4711;
        enum err err;

        arena_init(&scratch, memory, sizeof(memory));
        err = wire_encode_request(&full_check, &scratch, bytes, room, &len);
        assert_int_equal(err, room < encoded.len ? ERR_MEMORY : ERR_NONE);
        assert_int_equal(len, room < encoded.len ? 4711 : encoded.len);
        free(bytes);
    }
}

static void any_scratch(void **state)
{
    const struct msg_request *const requests[] = {&full_check, &full_admin};

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        size_t room = 0;
        enum err err;

        do {
            unsigned char *memory = malloc(room);
            unsigned char bytes[4096];
            struct arena scratch;
            size_t len;

            arena_init(&scratch, memory, room++);
            err = wire_encode_request(requests[i], &scratch, bytes, sizeof(bytes), &len);
            assert_true(err == ERR_NONE || err == ERR_MEMORY);
            free(memory);
        } while (err != ERR_NONE);
        assert_true(room > 1);
    }
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
    decoding = decode_frame(&frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_true(decoding->arena.used < 256 * 1024);
    decoding_free(decoding);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, given_rows, given);
    TABLE_TEST(&table, a_limit_is_named_with_its_numbers);
    TABLE_ROWS(&table, chosen_rows, chosen);
    TABLE_ROWS(&table, count_rows, count);
    TABLE_TEST(&table, a_limit_holds_over_two_halves);
    TABLE_ROWS(&table, size_rows, size);
    TABLE_ROWS(&table, arg_rows, arg);
    TABLE_ROWS(&table, stage_rows, stage);
    TABLE_ROWS(&table, broken_rows, broken);
    TABLE_TEST(&table, no_detail_is_fine);
    TABLE_ROWS(&table, verb_rows, verb);
    TABLE_TEST(&table, the_last_verb_wins);
    TABLE_TEST(&table, a_new_verb_hides_no_old_error);
    TABLE_TEST(&table, unknown_fields_do_no_harm);
    TABLE_TEST(&table, deep_nesting_is_not_followed);
    TABLE_TEST(&table, check_there_and_back);
    TABLE_TEST(&table, admin_there_and_back);
    TABLE_TEST(&table, a_client_cleans_before_it_sends);
    TABLE_TEST(&table, an_outcome_of_the_future_is_none);
    TABLE_TEST(&table, cut_off_at_every_byte);
    TABLE_TEST(&table, every_byte_turned);
    TABLE_TEST(&table, any_arena);
    TABLE_TEST(&table, any_arena_for_damage);
    TABLE_TEST(&table, any_room_for_the_bytes);
    TABLE_TEST(&table, any_scratch);
    TABLE_TEST(&table, memory_stays_in_proportion);
    return table_run(&table, "wire request");
}
