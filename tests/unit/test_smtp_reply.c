// What an SMTP server says, line by line: what is a reply, and what it says of a recipient.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/probe/smtp_reply.h"
#include "proto/text.h"
#include "tests/support/table.h"

// One reply that came whole.
static const struct row {
    const char *name, *bytes;
    enum facts_probe says;
    const char *put; // as words
} rows[] = {
    {"200 is yes", "200 x\r\n", FACTS_EXISTS, "200 x"},
    {"250", "250 2.1.5 Ok\r\n", FACTS_EXISTS, "250 2.1.5 Ok"},
    {"299 is yes", "299 x\r\n", FACTS_EXISTS, "299 x"},
    {"300 says nothing", "300 x\r\n", FACTS_REFUSED, "300 x"},
    {"450", "450 4.1.1 x\r\n", FACTS_REFUSED, "450 4.1.1 x"},
    {"499 says nothing", "499 x\r\n", FACTS_REFUSED, "499 x"},
    {"500", "500 x\r\n", FACTS_REFUSED, "500 x"},
    {"549", "549 x\r\n", FACTS_REFUSED, "549 x"},
    {"550", "550 x\r\n", FACTS_NOBODY, "550 x"},
    {"551", "551 x\r\n", FACTS_NOBODY, "551 x"},
    {"552", "552 x\r\n", FACTS_REFUSED, "552 x"},
    {"553", "553 x\r\n", FACTS_NOBODY, "553 x"},
    {"554", "554 x\r\n", FACTS_REFUSED, "554 x"},
    {"554 with 5.1.1", "554 5.1.1 x\r\n", FACTS_NOBODY, "554 5.1.1 x"},
    {"5.1.0", "550 5.1.0 x\r\n", FACTS_NOBODY, "550 5.1.0 x"},
    {"5.1.6", "550 5.1.6 x\r\n", FACTS_NOBODY, "550 5.1.6 x"},
    {"5.1.7 is about the sender", "550 5.1.7 x\r\n", FACTS_REFUSED, "550 5.1.7 x"},
    {"5.1.8 is about the sender", "550 5.1.8 x\r\n", FACTS_REFUSED, "550 5.1.8 x"},
    {"5.1.9", "550 5.1.9 x\r\n", FACTS_NOBODY, "550 5.1.9 x"},
    {"5.1.10", "550 5.1.10 x\r\n", FACTS_NOBODY, "550 5.1.10 x"},
    {"5.2.0", "550 5.2.0 x\r\n", FACTS_REFUSED, "550 5.2.0 x"},
    {"5.2.1 is disabled", "550 5.2.1 x\r\n", FACTS_NOBODY, "550 5.2.1 x"},
    {"5.2.2 is full", "550 5.2.2 x\r\n", FACTS_REFUSED, "550 5.2.2 x"},
    {"5.3.1", "550 5.3.1 x\r\n", FACTS_REFUSED, "550 5.3.1 x"},
    {"5.4.1 is what a hosted directory says", "550 5.4.1 x\r\n", FACTS_NOBODY, "550 5.4.1 x"},
    {"5.4.4", "550 5.4.4 x\r\n", FACTS_REFUSED, "550 5.4.4 x"},
    {"5.7.1 is about us", "550 5.7.1 x\r\n", FACTS_REFUSED, "550 5.7.1 x"},
    {"an enhanced code of another class is none", "550 4.7.1 x\r\n", FACTS_NOBODY, "550 4.7.1 x"},
    {"an enhanced code of four digits is none", "550 5.7.1000 x\r\n", FACTS_NOBODY,
     "550 5.7.1000 x"},
    {"an enhanced code with more behind it is none", "550 5.7.1x\r\n", FACTS_NOBODY, "550 5.7.1x"},
    {"half an enhanced code is none", "550 5.7\r\n", FACTS_NOBODY, "550 5.7"},
    {"an enhanced code without words", "550 5.7.1\r\n", FACTS_REFUSED, "550 5.7.1"},
    {"no words", "550 \r\n", FACTS_NOBODY, "550"},
    {"no blank", "550\r\n", FACTS_NOBODY, "550"},
    {"a bare line feed", "550 x\n", FACTS_NOBODY, "550 x"},
    {"several lines: the first counts", "550-5.7.1 a\r\n550-5.1.1 b\r\n550 5.1.1 c\r\n",
     FACTS_REFUSED, "550 5.7.1 a"},
    {"control characters", "550 a\x01z\r\n", FACTS_NOBODY, "550 a" TEXT_DAMAGE "01z"},
};

static void it_says(void **state)
{
    const struct row *row = *state;
    struct smtp_reader reader;
    char memory[256];
    struct text_buf words;
    size_t used = 0;

    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, row->bytes, strlen(row->bytes), &used), SMTP_REPLY);
    assert_int_equal(used, strlen(row->bytes));
    assert_int_equal(smtp_reply_says(&reader.reply), row->says);
    text_buf_init(&words, memory, sizeof(memory));
    smtp_reply_put(&reader.reply, &words);
    assert_string_equal(memory, row->put);
}

static const struct garbage {
    const char *name, *bytes;
} garbages[] = {
    {"an empty line", "\r\n"},
    {"two digits", "25 x\r\n"},
    {"a letter", "2S0 x\r\n"},
    {"199", "199 x\r\n"},
    {"600", "600 x\r\n"},
    {"four digits", "2500 x\r\n"},
    {"another sign behind the code", "250+x\r\n"},
    {"two codes", "250-x\r\n251 x\r\n"},
    {"a blank before it", " 250 x\r\n"},
};

static void it_is_garbage(void **state)
{
    const struct garbage *row = *state;
    struct smtp_reader reader;
    size_t used = 0;

    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, row->bytes, strlen(row->bytes), &used),
                     SMTP_GARBAGE);
}

static enum smtp_read take_line_of(size_t len)
{
    static char bytes[SMTP_LINE_MAX + 8];
    struct smtp_reader reader;
    size_t used = 0;

    memset(bytes, 'x', sizeof(bytes));
    memcpy(bytes, "250 ", 4);
    bytes[len] = '\n';
    smtp_reader_reset(&reader);
    return smtp_reader_take(&reader, bytes, len + 1, &used);
}

static enum smtp_read take_lines(unsigned count)
{
    struct smtp_reader reader;
    enum smtp_read read = SMTP_MORE;
    size_t used = 0;

    smtp_reader_reset(&reader);
    for (unsigned i = 1; i < count && read == SMTP_MORE; i++)
        read = smtp_reader_take(&reader, "250-x\r\n", 7, &used);
    return read == SMTP_MORE ? smtp_reader_take(&reader, "250 x\r\n", 7, &used) : read;
}

static void its_bounds_hold(void **state)
{
    (void)state;
    assert_int_equal(take_line_of(SMTP_LINE_MAX), SMTP_REPLY);
    assert_int_equal(take_line_of(SMTP_LINE_MAX + 1), SMTP_GARBAGE);
    assert_int_equal(take_lines(SMTP_LINES_MAX), SMTP_REPLY);
    assert_int_equal(take_lines(SMTP_LINES_MAX + 1), SMTP_GARBAGE);
}

static const struct ehlo {
    const char *name, *bytes;
    bool starttls, smtputf8;
} ehlos[] = {
    {"nothing", "250 mx.example\r\n", false, false},
    {"both", "250-mx.example\r\n250-STARTTLS\r\n250 SMTPUTF8\r\n", true, true},
    {"in small letters", "250-mx.example\r\n250 starttls\r\n", true, false},
    {"with an argument", "250-mx.example\r\n250 SMTPUTF8 x\r\n", false, true},
    {"a longer word", "250-mx.example\r\n250 STARTTLSX\r\n", false, false},
    {"the name of the server is no extension", "250-STARTTLS\r\n250 SIZE 1\r\n", false, false},
};

static void it_offers(void **state)
{
    const struct ehlo *row = *state;
    struct smtp_reader reader;
    size_t used = 0;

    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, row->bytes, strlen(row->bytes), &used), SMTP_REPLY);
    assert_int_equal(reader.reply.starttls, row->starttls);
    assert_int_equal(reader.reply.smtputf8, row->smtputf8);
}

static void what_follows_a_reply_is_left(void **state)
{
    static const char BYTES[] = "250 a\r\n251 b\r\n25";
    struct smtp_reader reader;
    size_t used = 0;

    (void)state;
    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, BYTES, strlen(BYTES), &used), SMTP_REPLY);
    assert_int_equal(used, 7);
    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, BYTES + 7, strlen(BYTES) - 7, &used), SMTP_REPLY);
    assert_int_equal(reader.reply.code, 251);
    smtp_reader_reset(&reader);
    assert_int_equal(smtp_reader_take(&reader, BYTES + 14, 2, &used), SMTP_MORE);
    assert_int_equal(smtp_reader_take(&reader, "2 c\n", 4, &used), SMTP_REPLY);
    assert_int_equal(reader.reply.code, 252);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, rows, it_says);
    TABLE_ROWS(&table, garbages, it_is_garbage);
    TABLE_ROWS(&table, ehlos, it_offers);
    TABLE_TEST(&table, its_bounds_hold);
    TABLE_TEST(&table, what_follows_a_reply_is_left);
    return table_run(&table, "smtp_reply");
}
