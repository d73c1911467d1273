// Report on the wire: each field from both sides of what is allowed, and what is said of the rest.
#include <math.h>
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

enum { // of the contract
    REPORT = 11,
    EVENT_NAME = 1,
    EVIDENCE = 2,
    SENDER = 4,
    RECIPIENT = 5,
    AUTHENTICATION = 6,
    WEIGHT = 7,
    COUNTRY = 10,
};

static char *letters(size_t len)
{
    char *text = malloc(len + 1);

    assert_non_null(text);
    memset(text, 'a', len);
    text[len] = '\0';
    return text;
}

// A report with all that it needs; what is added behind it counts.
static void begin(struct frame *frame)
{
    *frame = (struct frame){0};
    frame_text(frame, EVENT_NAME, "event");
    frame_number(frame, EVIDENCE, MSG_SPAM);
}

// said: how the refusal begins; NULL = it is decoded. The frame is used up.
static struct decoding *finish(struct frame *frame, enum err want, const char *said)
{
    struct decoding *decoding;

    frame_wrap(frame, REPORT);
    decoding = decode_frame(REQUEST, frame);
    assert_int_equal(decoding->err, want);
    if (said != NULL)
        assert_ptr_equal(strstr(decoding->detail.text, said), decoding->detail.text);
    return decoding;
}

// ---- its name

static void expect_event(const char *text, size_t len, enum err want, const char *said)
{
    struct frame frame;
    struct decoding *decoding;

    begin(&frame);
    frame_bytes(&frame, EVENT_NAME, text, len);
    decoding = finish(&frame, want, said);
    if (want == ERR_NONE)
        assert_string_equal(decoding->out.request.report.event, text);
    decoding_free(decoding);
}

static void an_event_has_a_name(void **state)
{
    char *text = letters(MSG_EVENT_MAX + 1);

    (void)state;
    expect_event("a", 1, ERR_NONE, NULL);
    expect_event("mx1/J\xC3\xBCrgen", 11, ERR_NONE, NULL);
    expect_event("", 0, ERR_SYNTAX, "Report.event: empty; ");
    expect_event("a\0", 2, ERR_SYNTAX, "Report.event: not UTF-8");
    expect_event("a\xFF", 2, ERR_SYNTAX, "Report.event: not UTF-8");
    expect_event("a\nb", 3, ERR_SYNTAX, "Report.event: not UTF-8");
    expect_event(text, MSG_EVENT_MAX + 1, ERR_LIMIT, "Report.event: 129 bytes given, at most 128");
    text[MSG_EVENT_MAX] = '\0';
    expect_event(text, MSG_EVENT_MAX, ERR_NONE, NULL);
    free(text);
}

// ---- what it says

static const struct evidence_row {
    const char *name;
    uint64_t evidence;
    bool is_one;
} evidence_rows[] = {
    {"ham", MSG_HAM, true},
    {"spam", MSG_SPAM, true},
    {"virus", MSG_VIRUS, true},
    {"trap", MSG_TRAP, true},
    {"complaint", MSG_COMPLAINT, true},
    {"not spam", MSG_NOT_SPAM, true},
    {"unknown recipient", MSG_UNKNOWN_RECIPIENT, true},
    {"no evidence", MSG_NO_EVIDENCE, false},
    {"evidence of the future", MSG_UNKNOWN_RECIPIENT + 1, false},
    {"evidence below zero", UINT64_MAX, false},
};

static void evidence(void **state)
{
    const struct evidence_row *row = *state;
    struct frame frame;
    struct decoding *decoding;

    begin(&frame);
    frame_number(&frame, EVIDENCE, row->evidence);
    decoding = finish(&frame, row->is_one ? ERR_NONE : ERR_SYNTAX,
                      row->is_one ? NULL : "Report.evidence: ");
    if (row->is_one)
        assert_int_equal(decoding->out.request.report.evidence, row->evidence);
    decoding_free(decoding);
}

// ---- how much it weighs

static const struct weight_row {
    const char *name;
    double weight;
    bool is_one;
} weight_rows[] = {
    {"the default", 0, true},
    {"the least", 4.9e-324, true},
    {"the most", MSG_WEIGHT_MAX, true},
    {"a hair more", 3.0000000000000004, false},
    {"below zero", -4.9e-324, false},
    {"all weight there is", INFINITY, false},
    {"less than that", -INFINITY, false},
    {"no number", NAN, false},
};

static void weight(void **state)
{
    const struct weight_row *row = *state;
    struct frame frame;
    struct decoding *decoding;

    begin(&frame);
    frame_double(&frame, WEIGHT, row->weight);
    decoding =
        finish(&frame, row->is_one ? ERR_NONE : ERR_SYNTAX, row->is_one ? NULL : "Report.weight: ");
    if (row->is_one)
        assert_true(decoding->out.request.report.weight == row->weight);
    decoding_free(decoding);
}

// ---- its country

static const struct country_row {
    const char *name;
    const char *country;
    bool is_one;
} country_rows[] = {
    {"none", "", true},
    {"a country", "DE", true},
    {"the last there may be", "ZZ", true},
    {"small letters", "de", false},
    {"half small", "De", false},
    {"one letter", "D", false},
    {"three letters", "DEU", false},
    {"a digit", "A1", false},
    {"far too long", "DDDDDDDDDDDDDDDDD", false},
    {"below A", "A@", false},
    {"above Z", "[A", false},
};

static void country(void **state)
{
    const struct country_row *row = *state;
    struct frame frame;
    struct decoding *decoding;
    const bool is_long = strlen(row->country) > 16;

    begin(&frame);
    frame_text(&frame, COUNTRY, row->country);
    decoding = finish(&frame,
                      row->is_one ? ERR_NONE
                      : is_long   ? ERR_LIMIT
                                  : ERR_SYNTAX,
                      row->is_one ? NULL : "Report.country: ");
    if (row->is_one)
        assert_string_equal(decoding->out.request.report.country, row->country);
    decoding_free(decoding);
}

// ---- what a mail client chose

static const struct chosen_row {
    const char *name;
    uint32_t field;
    bool in_authentication;
    size_t limit;
    size_t offset;
} chosen_rows[] = {
    {"Report.sender", SENDER, false, MSG_ADDRESS_MAX,
     offsetof(union decoded, request.report.sender)},
    {"Report.recipient", RECIPIENT, false, MSG_ADDRESS_MAX,
     offsetof(union decoded, request.report.recipient)},
    {"Authentication.spf_domain", 2, true, 255, offsetof(union decoded, request.report.spf_domain)},
};

static void expect_chosen(const struct chosen_row *row, const char *text, size_t len,
                          const char *want)
{
    struct frame frame = {0};
    struct decoding *decoding;

    frame_bytes(&frame, row->field, text, len);
    if (row->in_authentication)
        frame_wrap(&frame, AUTHENTICATION);
    frame_text(&frame, EVENT_NAME, "event");
    frame_number(&frame, EVIDENCE, MSG_SPAM);
    decoding = finish(&frame, ERR_NONE, NULL);
    assert_string_equal(text_in(decoding, row->offset), want);
    assert_string_equal(decoding->out.request.report.event, "event");
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
    expect_chosen(row, "a\0b@x", 5, "a" TEXT_DAMAGE "01b@x");
    expect_chosen(row, "a\r\nX", 4, "a" TEXT_DAMAGE "0D" TEXT_DAMAGE "0AX");
    expect_chosen(row, text, row->limit + 1, cut);
    expect_chosen(row, text, 100000, cut);
    text[row->limit] = '\0';
    expect_chosen(row, text, row->limit, text);
    free(text);
    free(cut);
}

static void nothing_but_a_report_says_nothing(void **state)
{
    struct frame frame = {0};
    struct decoding *decoding;

    (void)state;
    decoding = finish(&frame, ERR_SYNTAX, "Report.event: empty; ");
    decoding_free(decoding);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, an_event_has_a_name);
    TABLE_ROWS(&table, evidence_rows, evidence);
    TABLE_ROWS(&table, weight_rows, weight);
    TABLE_ROWS(&table, country_rows, country);
    TABLE_ROWS(&table, chosen_rows, chosen);
    TABLE_TEST(&table, nothing_but_a_report_says_nothing);
    return table_run(&table, "wire, reports");
}
