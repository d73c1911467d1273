// Cleaning text, what counts as clean, and text_buf.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/text.h"
#include "tests/support/table.h"

#define D           TEXT_DAMAGE
#define BYTES(text) text, sizeof(text) - 1

// ---- text_clean

struct clean_row {
    const char *name;
    const char *src;
    size_t len;
    size_t limit;
    const char *want;
};

static const struct clean_row clean_rows[] = {
    {"nothing", BYTES(""), 10, ""},
    {"plain text", BYTES("ann@example.org"), 320, "ann@example.org"},
    {"exactly the limit", BYTES("abcdef"), 6, "abcdef"},
    {"one over the limit", BYTES("abcdefg"), 6, "abc" D},
    {"the least limit", BYTES("abcde"), 4, "a" D},
    {"a cut falls between characters", BYTES("abc\xC3\xA4g"), 6, "abc\xC3\xA4g"},
    {"a cut does not tear a character", BYTES("ab\xC3\xA4ghi"), 6, "ab" D},
    {"a cut after a character", BYTES("a\xC3\xA4ghij"), 6, "a\xC3\xA4" D},
    {"an escape that just fits", BYTES("a\xFF"), 6, "a" D "FF"},
    {"an escape that does not fit", BYTES("ab\xFF"), 6, "ab" D},
    {"an escape and a cut",
     BYTES("\xFF"
           "abc"),
     6, D},
    {"a lone 0xff",
     BYTES("a\xFF"
           "b"),
     320, "a" D "FFb"},
    {"a lone continuation byte", BYTES("\x80"), 320, D "80"},
    {"NUL", BYTES("a\0b"), 320, "a" D "00b"},
    {"a line break", BYTES("a\r\nb"), 320, "a" D "0D" D "0Ab"},
    {"a tab", BYTES("\t"), 320, D "09"},
    {"the last C0 control", BYTES("\x1F"), 320, D "1F"},
    {"space is no control", BYTES(" "), 320, " "},
    {"DEL", BYTES("\x7F"), 320, D "7F"},
    {"tilde is the last of ASCII that is clean", BYTES("~"), 320, "~"},
    {"the first C1 control", BYTES("\xC2\x80"), 320, D "C2" D "80"},
    {"the last C1 control", BYTES("\xC2\x9F"), 320, D "C2" D "9F"},
    {"no-break space is no control", BYTES("\xC2\xA0"), 320, "\xC2\xA0"},
    {"two bytes", BYTES("\xC3\xA4"), 320, "\xC3\xA4"},
    {"three bytes", BYTES("\xE2\x82\xAC"), 320, "\xE2\x82\xAC"},
    {"four bytes", BYTES("\xF0\x9F\x93\xAE"), 320, "\xF0\x9F\x93\xAE"},
    {"the last code point", BYTES("\xF4\x8F\xBF\xBF"), 320, "\xF4\x8F\xBF\xBF"},
    {"beyond the last code point", BYTES("\xF4\x90\x80\x80"), 320, D "F4" D "90" D "80" D "80"},
    {"a first byte beyond", BYTES("\xF5\x80\x80\x80"), 320, D "F5" D "80" D "80" D "80"},
    {"an overlong slash, two bytes", BYTES("\xC0\xAF"), 320, D "C0" D "AF"},
    {"an overlong DEL", BYTES("\xC1\xBF"), 320, D "C1" D "BF"},
    {"an overlong slash, three bytes", BYTES("\xE0\x80\xAF"), 320, D "E0" D "80" D "AF"},
    {"the first of three bytes", BYTES("\xE0\xA0\x80"), 320, "\xE0\xA0\x80"},
    {"an overlong slash, four bytes", BYTES("\xF0\x80\x80\xAF"), 320, D "F0" D "80" D "80" D "AF"},
    {"the first of four bytes", BYTES("\xF0\x90\x80\x80"), 320, "\xF0\x90\x80\x80"},
    {"before the surrogates", BYTES("\xED\x9F\xBF"), 320, "\xED\x9F\xBF"},
    {"a surrogate", BYTES("\xED\xA0\x80"), 320, D "ED" D "A0" D "80"},
    {"a sequence that the end cuts off", BYTES("a\xE2\x82"), 320, "a" D "E2" D "82"},
    {"a sequence that a letter cuts off",
     BYTES("\xE2\x82"
           "a"),
     320, D "E2" D "82a"},
    {"Latin-1", BYTES("M\xFCller"), 320, "M" D "FCller"},
    {"damage stays as it is", BYTES("a" D "FFb" D), 320, "a" D "FFb" D},
};

static void clean(void **state)
{
    const struct clean_row *row = *state;
    char *dst = malloc(row->limit + 1); // so that ASan sees a byte too much
    char *again = malloc(row->limit + 1);
    size_t len = text_clean(dst, row->limit, row->src, row->len);

    assert_string_equal(dst, row->want);
    assert_int_equal(len, strlen(row->want));
    assert_true(len <= row->limit);
    assert_true(text_is_clean(dst, len, row->limit));
    assert_int_equal(text_clean(again, row->limit, dst, len), len);
    assert_string_equal(again, dst);
    assert_int_equal(text_is_clean(row->src, row->len, row->limit),
                     len == row->len && memcmp(row->src, dst, len) == 0);
    free(dst);
    free(again);
}

// However long the text and wherever it is cut, the result is within its limit, clean, and stays
// the same.
static void clean_at_every_limit(void **state)
{
    static const char src[] = "a\xC3\xA4\xFF\xE2\x82\xAC\xF0\x9F\x93\xAE\x01z";
    char dst[64];
    char again[64];

    (void)state;
    for (size_t len = 0; len < sizeof(src); len++) {
        for (size_t limit = 4; limit < 40; limit++) {
            size_t used = text_clean(dst, limit, src, len);

            assert_true(used <= limit);
            assert_true(text_is_clean(dst, used, limit));
            assert_int_equal(text_clean(again, limit, dst, used), used);
            assert_memory_equal(again, dst, used + 1);
        }
    }
}

static void clean_a_lot(void **state)
{
    enum { LEN = 100000 };
    char *src = malloc(LEN);
    char dst[321];

    (void)state;
    memset(src, 'a', LEN);
    assert_int_equal(text_clean(dst, 320, src, LEN), 320);
    assert_true(text_is_damaged(dst));
    assert_int_equal(strspn(dst, "a"), 317);
    memset(src, 0xFF, LEN);
    assert_int_equal(text_clean(dst, 320, src, LEN), 63 * 5 + 3);
    assert_true(text_is_clean(dst, strlen(dst), 320));
    free(src);
}

static void clean_limit(void **state)
{
    (void)state;
    assert_true(text_is_clean("abc", 3, 3));
    assert_false(text_is_clean("abc", 3, 2));
    assert_true(text_is_clean("abc", 0, 0));
}

// ---- questions

struct question_row {
    const char *name;
    const char *text;
    bool damaged;
    bool ascii;
};

static const struct question_row question_rows[] = {
    {"no text", NULL, false, true},
    {"empty", "", false, true},
    {"ASCII", "a@b~", false, true},
    {"the last byte decides", "abc\xC3\xA4", false, false},
    {"damage alone", D, true, false},
    {"damage inside", "a" D "FFb", true, false},
    {"half of a mark is no mark", "a\xEF\xBF", false, false},
    {"a neighbour of U+FFFD", "\xEF\xBF\xBC", false, false},
};

static void question(void **state)
{
    const struct question_row *row = *state;

    assert_int_equal(text_is_damaged(row->text), row->damaged);
    assert_int_equal(text_is_ascii(row->text), row->ascii);
}

struct utf8_row {
    const char *name;
    const char *text;
    size_t len;
    bool want;
};

static const struct utf8_row utf8_rows[] = {
    {"UTF-8: nothing", BYTES(""), true},
    {"UTF-8: NUL and controls", BYTES("\0\x1F\x7F"), true},
    {"UTF-8: C1", BYTES("\xC2\x80"), true},
    {"UTF-8: all lengths", BYTES("a\xC3\xA4\xE2\x82\xAC\xF0\x9F\x93\xAE"), true},
    {"UTF-8: cut off", BYTES("a\xC3"), false},
    {"UTF-8: cut off after two", BYTES("\xF0\x9F"), false},
    {"UTF-8: continuation first", BYTES("\xBF"), false},
    {"UTF-8: overlong", BYTES("\xC0\x80"), false},
    {"UTF-8: surrogate", BYTES("\xED\xBF\xBF"), false},
    {"UTF-8: beyond", BYTES("\xF4\x90\x80\x80"), false},
    {"UTF-8: 0xff", BYTES("\xFF"), false},
};

static void utf8(void **state)
{
    const struct utf8_row *row = *state;

    assert_int_equal(text_is_utf8(row->text, row->len), row->want);
}

// ---- text_buf

static void buf_add(void **state)
{
    char memory[16];
    struct text_buf buf;

    (void)state;
    text_buf_init(&buf, memory, sizeof(memory));
    assert_string_equal(memory, "");
    text_buf_add(&buf, "%s-%d", "abc", 7);
    text_buf_add(&buf, "%s", "");
    text_buf_add(&buf, "+%c", 'x');
    assert_string_equal(memory, "abc-7+x");
    assert_int_equal(buf.used, 7);
    assert_false(buf.full);
}

static void buf_exactly_full(void **state)
{
    char memory[4];
    struct text_buf buf;

    (void)state;
    text_buf_init(&buf, memory, sizeof(memory));
    text_buf_add(&buf, "abc");
    assert_false(buf.full);
    text_buf_add(&buf, "%s", "");
    assert_false(buf.full);
    text_buf_add(&buf, "d");
    assert_true(buf.full);
    assert_string_equal(memory, "abc");
}

static void buf_full_takes_no_more(void **state)
{
    char memory[6];
    struct text_buf buf;

    (void)state;
    text_buf_init(&buf, memory, sizeof(memory));
    text_buf_add(&buf, "ab\xE2\x82\xAC"
                       "c");
    assert_true(buf.full);
    assert_string_equal(memory, "ab\xE2\x82\xAC");
    text_buf_init(&buf, memory, 5);
    text_buf_add(&buf, "ab\xE2\x82\xAC");
    assert_true(buf.full);
    text_buf_add(&buf, "c"); // would fit, but after a gap
    assert_string_equal(memory, "ab");
    assert_int_equal(buf.used, 2);
}

// At every size: terminated, valid UTF-8, a prefix of the whole.
static void buf_at_every_size(void **state)
{
    static const char text[] = "\xF0\x9F\x93\xAE"
                               "a\xC3\xA4\xE2\x82\xAC";

    (void)state;
    for (size_t size = 1; size <= sizeof(text) + 1; size++) {
        char *memory = malloc(size);
        struct text_buf buf;

        for (unsigned way = 0; way < 2; way++) {
            text_buf_init(&buf, memory, size);
            if (way == 0)
                text_buf_add(&buf, "%s", text);
            else
                text_buf_put(&buf, text);
            assert_int_equal(strlen(memory), buf.used);
            assert_true(text_is_utf8(memory, buf.used));
            assert_memory_equal(memory, text, buf.used);
            assert_int_equal(buf.full, size < sizeof(text));
        }
        free(memory);
    }
}

static void buf_put_appends(void **state)
{
    char memory[8];
    struct text_buf buf;

    (void)state;
    text_buf_init(&buf, memory, sizeof(memory));
    text_buf_put(&buf, "ab");
    text_buf_put(&buf, "");
    text_buf_put(&buf, "%s");
    assert_string_equal(memory, "ab%s");
    assert_false(buf.full);
    text_buf_put(&buf, "wxyz");
    assert_true(buf.full);
    assert_string_equal(memory, "ab%swxy");
    text_buf_put(&buf, "");
    assert_true(buf.full);
}

static void number(void **state)
{
    static const struct {
        uint64_t number;
        const char *want;
    } rows[] = {{0, "0"},
                {7, "7"},
                {10, "10"},
                {65535, "65535"},
                {UINT64_C(9999999999), "9999999999"},
                {UINT64_MAX, "18446744073709551615"}};

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[TEXT_NUMBER_MAX];

        assert_int_equal(text_number(out, rows[i].number), strlen(rows[i].want));
        assert_string_equal(out, rows[i].want);
    }
}

// Every byte at every place of a text that is looked at eight bytes at a time: the answer is that of
// text_clean, which looks at each byte.
static void is_clean_at_every_place(void **state)
{
    char src[19];
    char dst[8 * sizeof(src)];

    (void)state;
    for (size_t at = 0; at < sizeof(src); at++) {
        for (unsigned byte = 0; byte < 256; byte++) {
            memset(src, 'a', sizeof(src));
            src[at] = (char)byte;
            size_t used = text_clean(dst, sizeof(dst) - 1, src, sizeof(src));

            assert_int_equal(text_is_clean(src, sizeof(src), sizeof(src)),
                             used == sizeof(src) && memcmp(src, dst, used) == 0);
        }
    }
}

static void buf_sink(void **state)
{
    struct text_buf buf;

    (void)state;
    text_buf_init(&buf, NULL, 0);
    text_buf_add(&buf, "x");
    text_buf_put(&buf, "x");
    text_buf_add_duration(&buf, 5000);
    assert_false(buf.full);
    assert_int_equal(buf.used, 0);
}

struct duration_row {
    const char *name; // what is wanted, too
    unsigned long long ms;
};

#define S   1000ULL
#define MIN (60 * S)
#define H   (60 * MIN)
#define DAY (24 * H)

static const struct duration_row duration_rows[] = {
    {"0 s", 0},
    {"1 ms", 1},
    {"250 ms", 250},
    {"999 ms", 999},
    {"1 s", 1 * S},
    {"1 s", 1999},
    {"45 s", 45 * S},
    {"59 s", 1 * MIN - 1},
    {"1 min", 1 * MIN},
    {"1 min", 1 * MIN + 999},
    {"1 min 1 s", 1 * MIN + 1 * S},
    {"3 min", 3 * MIN},
    {"59 min 59 s", 1 * H - 1 * S},
    {"1 h", 1 * H},
    {"1 h", 1 * H + 59 * S},
    {"11 h 59 min", 12 * H - 1},
    {"12 h", 12 * H},
    {"23 h 59 min", 1 * DAY - 1},
    {"1 d", 1 * DAY},
    {"1 d", 1 * DAY + 59 * MIN},
    {"35 d 4 h", 35 * DAY + 4 * H + 7 * MIN},
    {"36 d", 36 * DAY},
    {"213503982334 d 14 h", UINT64_MAX},
};

static void duration(void **state)
{
    const struct duration_row *row = *state;
    char memory[40];
    struct text_buf buf;

    text_buf_init(&buf, memory, sizeof(memory));
    text_buf_add_duration(&buf, row->ms);
    assert_string_equal(memory, row->name);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, clean_rows, clean);
    TABLE_TEST(&table, clean_at_every_limit);
    TABLE_TEST(&table, clean_a_lot);
    TABLE_TEST(&table, clean_limit);
    TABLE_ROWS(&table, question_rows, question);
    TABLE_ROWS(&table, utf8_rows, utf8);
    TABLE_TEST(&table, buf_add);
    TABLE_TEST(&table, buf_exactly_full);
    TABLE_TEST(&table, buf_full_takes_no_more);
    TABLE_TEST(&table, buf_at_every_size);
    TABLE_TEST(&table, buf_sink);
    TABLE_TEST(&table, buf_put_appends);
    TABLE_TEST(&table, number);
    TABLE_TEST(&table, is_clean_at_every_place);
    TABLE_ROWS(&table, duration_rows, duration);
    return table_run(&table, "text");
}
