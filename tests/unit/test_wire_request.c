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
#include "tests/support/decoding.h"
#include "tests/support/frame.h"
#include "tests/support/table.h"

enum {
    // numbers of the contract
    ID = 1,
    CHECK = 10,
    REPORT = 11,
    SENT = 12,
    ADMIN = 14,
    PING = 15,
    STAGE = 1,
    RECIPIENTS = 10,
    AUTHENTICATION = 13,
    MESSAGE = 14,
    DRY_RUN = 15,
    POLICY = 17,
    AS_OF = 18,
    EVENT_NAME = 1,
    EVIDENCE = 2,
    ARGS = 2,
    DOCUMENT = 3,
};

static char *letters(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
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

#define AT(member) offsetof(union decoded, request.member)

static const struct given_row given_rows[] = {
    {"Request.gateway", 0, 3, MSG_GATEWAY_MAX, AT(gateway)},
    {"Check.transaction", CHECK, 2, MSG_TRANSACTION_MAX, AT(check.transaction)},
    {"Check.client_ip", CHECK, 3, 64, AT(check.client_ip)},
    {"Check.auth_user", CHECK, 6, MSG_AUTH_USER_MAX, AT(check.auth_user)},
    {"Check.policy", CHECK, POLICY, MSG_POLICY_MAX, AT(check.policy)},
    {"Sent.transaction", SENT, 1, MSG_TRANSACTION_MAX, AT(sent.transaction)},
    {"Sent.auth_user", SENT, 2, MSG_AUTH_USER_MAX, AT(sent.auth_user)},
    {"Sent.client_ip", SENT, 3, 64, AT(sent.client_ip)},
    {"Report.client_ip", REPORT, 3, 64, AT(report.client_ip)},
    {"Admin.verb", ADMIN, 1, MSG_ADMIN_VERB_MAX, AT(admin.verb)},
    {"Admin.as_user", ADMIN, 5, MSG_AUTH_USER_MAX, AT(admin.as_user)},
};

// A request with one text in it that matters.
static void make_given(struct frame *frame, const struct given_row *row, const char *text,
                       size_t len)
{
    *frame = (struct frame){0};
    if (row->verb == CHECK) {
        frame_text(frame, RECIPIENTS, "ann@x.example");
        frame_number(frame, DRY_RUN, 1);
    }
    if (row->verb == REPORT) {
        frame_text(frame, EVENT_NAME, "e");
        frame_number(frame, EVIDENCE, MSG_SPAM);
    }
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, want);
    assert_int_equal(decoding->out.request.id, 7);
    if (want == ERR_NONE)
        assert_string_equal(text_in(decoding, row->offset), text);
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
    decoding = decode_frame(REQUEST, &frame);
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    check = &decoding->out.request.check;
    got = row->field == RECIPIENTS ? check->recipients[0] : text_in(decoding, row->offset);
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
    {"Sent.recipients", {SENT, 5}, MSG_RECIPIENTS_MAX},
    {"Sent.headers", {SENT, 6}, MSG_HEADERS_MAX},
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    decoding_free(decoding);
    make_count(&frame, row, row->most + 1);
    decoding = decode_frame(REQUEST, &frame);
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
    decoding = decode_frame(REQUEST, &frame);
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
    decoding = decode_frame(REQUEST, &frame);
    err = decoding->err;
    if (err == ERR_NONE && row->path[0] == ADMIN)
        assert_int_equal(decoding->out.request.admin.document_bytes, len);
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, row->want);
    if (row->want == ERR_NONE) {
        assert_int_equal(decoding->out.request.admin.arg_count, 1);
        assert_string_equal(decoding->out.request.admin.args[0].key, key);
        assert_string_equal(decoding->out.request.admin.args[0].value, value);
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, row->want);
    if (row->want == ERR_NONE) {
        assert_int_equal(decoding->out.request.check.stage, row->is);
        assert_int_equal(decoding->out.request.check.recipient_total, row->recipients);
    } else {
        assert_non_null(
            strstr(decoding->detail.text, row->stage > 4 ? "Check.stage" : "Check.recipients"));
    }
    decoding_free(decoding);
}

// ---- numbers, each by its own

struct number_row {
    const char *name;
    uint32_t verb; // 0 = a field of Request
    uint32_t field;
    size_t offset;
    size_t size; // of the member
};

#define NUMBER(verb, field, member)                                                    \
    {                                                                                  \
#member, verb, field, AT(member), sizeof(((struct msg_request *)NULL)->member) \
    }

static const struct number_row number_rows[] = {
    NUMBER(0, 1, id),
    NUMBER(0, 2, budget_ms),
    NUMBER(0, 4, at_ms),
    NUMBER(CHECK, 7, check.tls),
    NUMBER(CHECK, 8, check.smtputf8),
    NUMBER(CHECK, 11, check.recipient_count),
    NUMBER(CHECK, 12, check.size_bytes),
    NUMBER(CHECK, 15, check.dry_run),
    NUMBER(CHECK, 16, check.trace),
    NUMBER(CHECK, AS_OF, check.at_ms),
    NUMBER(ADMIN, 4, admin.dry_run),
};

static uint64_t number_in(const struct decoding *decoding, const struct number_row *row)
{
    uint64_t number = 0;

    memcpy(&number, (const char *)&decoding->out + row->offset, row->size); // little-endian
    return number;
}

static void expect_number(const struct number_row *row, uint64_t number)
{
    struct frame frame = {0};
    struct decoding *decoding;

    if (row->verb == CHECK) {
        frame_text(&frame, RECIPIENTS, "ann@x.example");
        frame_number(&frame, DRY_RUN, 1); // the last one counts where that is the row
    }
    frame_number(&frame, row->field, number);
    if (row->verb != 0)
        frame_wrap(&frame, row->verb);
    else
        frame_text(&frame, PING, "");
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(number_in(decoding, row), number);
    decoding_free(decoding);
}

static void number(void **state)
{
    const struct number_row *row = *state;

    expect_number(row, 0);
    expect_number(row, 1);
    if (row->size > sizeof(bool))
        expect_number(row, row->size == sizeof(uint32_t) ? UINT32_MAX : UINT64_MAX);
}

// ---- what else is not passed on as it came

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
    encode(REQUEST, &request, &encoded);
    assert_true(encoded.len < 700);
    decoding = decode(REQUEST, encoded.bytes, encoded.len, DECODING_ARENA_BYTES);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_string_equal(decoding->out.request.check.helo, "a" TEXT_DAMAGE "FFb");
    assert_string_equal(decoding->out.request.check.client_name,
                        "x" TEXT_DAMAGE "0D" TEXT_DAMAGE "0Ay");
    assert_int_equal(strlen(decoding->out.request.check.sender), MSG_ADDRESS_MAX);
    assert_true(text_is_damaged(decoding->out.request.check.recipients[0]));
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
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    assert_int_equal(decoding->out.request.check.spf, MSG_AUTH_UNSPECIFIED);
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
    TABLE_ROWS(&table, number_rows, number);
    TABLE_TEST(&table, a_client_cleans_before_it_sends);
    TABLE_TEST(&table, an_outcome_of_the_future_is_none);
    return table_run(&table, "wire request");
}
