// Sent on the wire: texts that a mail client chose, from both sides of their limits. What a gateway writes, and counts, stand in
// test_wire_request.c.
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

enum { SENT = 12 }; // numbers of the contract

static char *letters(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

struct chosen_sent_row {
    const char *name;
    uint32_t field;
    uint32_t header_field; // 0 = the field itself is the text
    size_t limit;
};

static const struct chosen_sent_row chosen_sent_rows[] = {
    {"Sent.sender", 4, 0, MSG_ADDRESS_MAX},
    {"Sent.recipients", 5, 0, MSG_ADDRESS_MAX},
    {"Header.name", 6, 1, MSG_HEADER_NAME_MAX},
    {"Header.value", 6, 2, MSG_HEADER_VALUE_MAX},
};

static const char *chosen_sent_text(const struct msg_sent *sent, const struct chosen_sent_row *row)
{
    if (row->field == 4)
        return sent->sender;
    if (row->field == 5)
        return sent->recipients[0];
    return row->header_field == 1 ? sent->headers[0].name : sent->headers[0].value;
}

static void expect_chosen_sent(const struct chosen_sent_row *row, const char *text, size_t len,
                               const char *want)
{
    struct frame frame = {0};
    struct decoding *decoding;
    const struct msg_sent *sent;

    frame_bytes(&frame, row->header_field != 0 ? row->header_field : row->field, text, len);
    if (row->header_field != 0)
        frame_wrap(&frame, row->field);
    frame_text(&frame, 1, "transaction");
    frame_wrap(&frame, SENT);
    decoding = decode_frame(REQUEST, &frame);
    assert_int_equal(decoding->err, ERR_NONE);
    sent = &decoding->out.request.sent;
    assert_string_equal(chosen_sent_text(sent, row), want);
    assert_string_equal(sent->transaction, "transaction");
    decoding_free(decoding);
}

static void chosen_sent(void **state)
{
    const struct chosen_sent_row *row = *state;
    char *text = letters(100000);
    char *cut = letters(row->limit);

    memcpy(cut + row->limit - 3, TEXT_DAMAGE, 3);
    expect_chosen_sent(row, "", 0, "");
    expect_chosen_sent(row, "a\0b@x", 5, "a" TEXT_DAMAGE "01b@x");
    expect_chosen_sent(row, "a\r\nX", 4, "a" TEXT_DAMAGE "0D" TEXT_DAMAGE "0AX");
    expect_chosen_sent(row, text, row->limit + 1, cut);
    expect_chosen_sent(row, text, 100000, cut);
    text[row->limit] = '\0';
    expect_chosen_sent(row, text, row->limit, text);
    free(text);
    free(cut);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, chosen_sent_rows, chosen_sent);
    return table_run(&table, "wire, sent mail");
}
