// The parser of policy requests: every case is fed whole, byte by byte, and in two pieces cut
// everywhere, which must not matter.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "client/policyd/request.h"
#include "proto/base/mem.h"
#include "tests/support/table.h"

#define END "\n\n"

struct case_row {
    const char *name;
    const char *bytes;
    size_t len; // 0 = strlen
    enum policy_feed feed;
    const char *why; // part of the reason; NULL = none
    size_t left;     // bytes not taken
};

static const struct case_row CASES[] = {
    {"a usual request", "request=smtpd_access_policy\nsender=a@b.example" END, 0, POLICY_COMPLETE,
     NULL, 0},
    {"one attribute", "a=b" END, 0, POLICY_COMPLETE, NULL, 0},
    {"an empty value", "sender=" END, 0, POLICY_COMPLETE, NULL, 0},
    {"equals signs in a value", "sender=a==b=@c" END, 0, POLICY_COMPLETE, NULL, 0},
    {"spaces in a value", "helo_name= a b " END, 0, POLICY_COMPLETE, NULL, 0},
    {"bytes that are not UTF-8", "helo_name=\xff\xfe\x80" END, 0, POLICY_COMPLETE, NULL, 0},
    {"the next request is left", "a=b" END "c=d" END, 0, POLICY_COMPLETE, NULL, 5},
    {"rubbish behind a request is left", "a=b" END "\x01\x02", 0, POLICY_COMPLETE, NULL, 2},
    {"the empty line is missing", "a=b\n", 0, POLICY_MORE, NULL, 0},
    {"half a line", "request=smtp", 0, POLICY_MORE, NULL, 0},
    {"an empty request", "\n", 0, POLICY_BROKEN, "empty line", 0},
    {"a line without an equals sign", "request" END, 0, POLICY_BROKEN, "line 1 is not name=value",
     1},
    {"the second line is bad", "a=b\nhello" END, 0, POLICY_BROKEN, "line 2 is not", 1},
    {"no name", "=x" END, 0, POLICY_BROKEN, "attribute's name", 1},
    {"a space in the name", "a b=x" END, 0, POLICY_BROKEN, "attribute's name", 1},
    {"a name that is not ASCII", "s\xc3\xa4nder=x" END, 0, POLICY_BROKEN, "attribute's name", 1},
    {"HTTP", "GET / HTTP/1.1\r\n", 0, POLICY_BROKEN, "control character 0x0d", 1},
    {"SMTP", "EHLO mail.example" END, 0, POLICY_BROKEN, "is not name=value: \"EHLO", 1},
    {"TLS", "\x16\x03\x01\x02", 0, POLICY_BROKEN, "0x16", 3},
    {"CRLF", "a=b\r\n\r\n", 0, POLICY_BROKEN, "0x0d", 3},
    {"a tab", "helo_name=a\tb" END, 0, POLICY_BROKEN, "0x09", 3},
    {"DEL", "helo_name=\x7f" END, 0, POLICY_BROKEN, "0x7f", 2},
    {"NUL in a value", "sender=a\0b" END, 12, POLICY_BROKEN, "0x00", 3},
    {"NUL in a name", "sen\0der=a" END, 11, POLICY_BROKEN, "0x00", 7},
    {"NUL first", "\0", 1, POLICY_BROKEN, "0x00", 0},
    {"a size that is no number", "size=12k" END, 0, POLICY_BROKEN, "size is not a number", 1},
    {"a negative size", "size=-1" END, 0, POLICY_BROKEN, "size is not a number", 1},
    {"a size beyond 64 bits", "size=18446744073709551616" END, 0, POLICY_BROKEN, "not a number", 1},
    {"the largest size", "size=18446744073709551615" END, 0, POLICY_COMPLETE, NULL, 0},
    {"a count with a space", "recipient_count= 1" END, 0, POLICY_BROKEN, "recipient_count", 1},
    {"an empty count", "recipient_count=" END, 0, POLICY_COMPLETE, NULL, 0},
};

static struct policy_parser *parser_new(void)
{
    struct policy_parser *parser = mem_new(sizeof(*parser));

    policy_parser_reset(parser);
    return parser;
}

static enum policy_feed feed(struct policy_parser *parser, const char *bytes, size_t len,
                             size_t *taken)
{
    size_t now = 0;
    enum policy_feed state = policy_parser_feed(parser, bytes, len, &now);

    *taken += now;
    return state;
}

static void expect_row(const struct case_row *row, const struct policy_parser *parser,
                       enum policy_feed state, size_t taken, size_t len, const char *how)
{
    bool why_fits =
        row->why == NULL ? parser->why.text[0] == '\0' : strstr(parser->why.text, row->why) != NULL;

    if (state != row->feed || taken != len - row->left || !why_fits)
        fail_msg("%s, %s: state %d, %zu of %zu bytes taken, why '%s'", row->name, how, (int)state,
                 taken, len, parser->why.text);
}

static void check_in_two_pieces(const struct case_row *row, struct policy_parser *parser,
                                size_t len, size_t cut)
{
    size_t taken = 0;
    enum policy_feed state = POLICY_MORE;

    policy_parser_reset(parser);
    (void)feed(parser, row->bytes, cut, &taken);
    // What comes after the end is left where it is, whichever call sees it.
    state = feed(parser, row->bytes + cut, len - cut, &taken);
    expect_row(row, parser, state, taken, len, "in two pieces");
}

static void check_case(void **state)
{
    const struct case_row *row = *state;
    struct policy_parser *parser = parser_new();
    size_t len = row->len > 0 ? row->len : strlen(row->bytes);
    enum policy_feed fed = POLICY_MORE;
    size_t taken = 0;

    for (size_t cut = 0; cut <= len; cut++)
        check_in_two_pieces(row, parser, len, cut);
    policy_parser_reset(parser);
    for (size_t at = 0; at < len; at++)
        fed = feed(parser, row->bytes + at, 1, &taken);
    expect_row(row, parser, fed, taken, len, "byte by byte");
    mem_free(parser);
}

static const char *value_of(const struct policy_request *request, const char *name)
{
#define PICK(known)                \
    if (strcmp(name, #known) == 0) \
        return request->known;
    POLICY_TEXTS(PICK)
#undef PICK
    fail_msg("no attribute %s", name);
    return "";
}

static void every_known_attribute_arrives(void **unused)
{
    static const char *const names[] = {
#define NAME(known) #known,
        POLICY_TEXTS(NAME)
#undef NAME
    };
    struct policy_parser *parser = parser_new();
    char text[4096];
    size_t used = 0;
    size_t taken = 0;

    (void)unused;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used,
                                 "%s=value of %s\nunknown_%zu=x\n", names[i], names[i], i);
    used += (size_t)snprintf(text + used, sizeof(text) - used, "size=77\nrecipient_count=3\n\n");
    assert_int_equal(policy_parser_feed(parser, text, used, &taken), POLICY_COMPLETE);
    assert_int_equal(taken, used);
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        char expected[128];

        (void)snprintf(expected, sizeof(expected), "value of %s", names[i]);
        assert_string_equal(value_of(&parser->request, names[i]), expected);
    }
    assert_int_equal(parser->request.size, 77);
    assert_int_equal(parser->request.recipient_count, 3);
    mem_free(parser);
}

static void the_last_of_two_counts(void **unused)
{
    static const char text[] = "sender=first@a\nsize=1\nsender=second@b\nsize=2\nsize=" END;
    struct policy_parser *parser = parser_new();
    size_t taken = 0;

    (void)unused;
    assert_int_equal(policy_parser_feed(parser, text, strlen(text), &taken), POLICY_COMPLETE);
    assert_string_equal(parser->request.sender, "second@b");
    assert_int_equal(parser->request.size, 0);
    mem_free(parser);
}

static void nothing_of_an_old_request_stays(void **unused)
{
    struct policy_parser *parser = parser_new();
    size_t taken = 0;

    (void)unused;
    assert_true(policy_parser_is_idle(parser));
    assert_int_equal(policy_parser_feed(parser, "sender=a\nsize=5" END, 17, &taken),
                     POLICY_COMPLETE);
    assert_int_equal(policy_parser_feed(parser, "x=y", 3, &taken), POLICY_COMPLETE);
    assert_int_equal(taken, 0);
    assert_false(policy_parser_is_idle(parser));
    policy_parser_reset(parser);
    assert_true(policy_parser_is_idle(parser));
    assert_int_equal(policy_parser_feed(parser, "helo_name=b" END, 13, &taken), POLICY_COMPLETE);
    assert_string_equal(parser->request.sender, "");
    assert_string_equal(parser->request.helo_name, "b");
    assert_int_equal(parser->request.size, 0);
    mem_free(parser);
}

// A piece repeated, and what comes of it.
static const struct bound_row {
    const char *name;
    const char *before, *piece, *after;
    size_t count;
    enum policy_feed feed;
    const char *why;
} BOUNDS[] = {
    {"the longest line", "sender=", "x", END, POLICY_LINE_MAX - 7, POLICY_COMPLETE, NULL},
    {"a line one byte too long", "sender=", "x", END, POLICY_LINE_MAX - 6, POLICY_BROKEN,
     "line 1 is longer"},
    {"an unknown line too long", "a=b\nqq=", "x", END, POLICY_LINE_MAX, POLICY_BROKEN,
     "line 2 is longer"},
    {"a line that never ends", "", "x", "", 1000000, POLICY_BROKEN, "longer than 4096"},
    {"the longest name", "", "n", "=x" END, POLICY_NAME_MAX, POLICY_COMPLETE, NULL},
    {"a name one byte too long", "", "n", "=x" END, POLICY_NAME_MAX + 1, POLICY_BROKEN, "name"},
    {"the most attributes", "", "a=b\n", "\n", POLICY_ATTRIBUTES_MAX, POLICY_COMPLETE, NULL},
    {"one attribute too many", "", "a=b\n", "\n", POLICY_ATTRIBUTES_MAX + 1, POLICY_BROKEN,
     "more than 128"},
    {"100,000 attributes", "", "a=b\n", "\n", 100000, POLICY_BROKEN, "more than 128 attributes"},
    {"a binary blob", "", "\xff", "", 100000, POLICY_BROKEN, "longer than"},
};

static char *repeat(const struct bound_row *row, size_t *len)
{
    size_t piece = strlen(row->piece);
    char *text = mem_new(strlen(row->before) + piece * row->count + strlen(row->after) + 1);
    char *at = text;

    memcpy(at, row->before, strlen(row->before));
    at += strlen(row->before);
    for (size_t i = 0; i < row->count; i++, at += piece)
        memcpy(at, row->piece, piece);
    memcpy(at, row->after, strlen(row->after));
    *len = (size_t)(at - text) + strlen(row->after);
    return text;
}

static void check_bound(void **state)
{
    const struct bound_row *row = *state;
    struct policy_parser *parser = parser_new();
    size_t len = 0;
    size_t taken = 0;
    char *text = repeat(row, &len);

    if (policy_parser_feed(parser, text, len, &taken) != row->feed ||
        (row->why != NULL && strstr(parser->why.text, row->why) == NULL))
        fail_msg("state %d, why '%s'", (int)parser->state, parser->why.text);
    mem_free(text);
    mem_free(parser);
}

// fill: lines of the longest kind, known and unknown, then one that makes the request exactly size
// bytes long.
static size_t fill(char *out, size_t size)
{
    size_t used = 0;

    while (size - used > POLICY_LINE_MAX + 1) {
        size_t line = size - used - 2 > POLICY_LINE_MAX + 4 ? POLICY_LINE_MAX : 1000;

        memset(out + used, 'v', line);
        memcpy(out + used, "sender=", 7);
        out[used + line] = '\n';
        used += line + 1;
    }
    memset(out + used, 'v', size - used);
    memcpy(out + used, "sender=", 7);
    memcpy(out + size - 2, END, 2);
    return size;
}

static void the_largest_request(void **unused)
{
    struct policy_parser *parser = parser_new();
    char *text = mem_new(POLICY_REQUEST_MAX + 2);
    size_t taken = 0;
    size_t len = fill(text, POLICY_REQUEST_MAX);

    (void)unused;
    assert_int_equal(policy_parser_feed(parser, text, len, &taken), POLICY_COMPLETE);
    assert_int_equal(taken, len);
    len = fill(text, POLICY_REQUEST_MAX + 1);
    policy_parser_reset(parser);
    assert_int_equal(policy_parser_feed(parser, text, len, &taken), POLICY_BROKEN);
    assert_non_null(strstr(parser->why.text, "more than 65536 bytes"));
    mem_free(text);
    mem_free(parser);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, CASES, check_case);
    TABLE_ROWS(&table, BOUNDS, check_bound);
    TABLE_TEST(&table, every_known_attribute_arrives);
    TABLE_TEST(&table, the_last_of_two_counts);
    TABLE_TEST(&table, nothing_of_an_old_request_stays);
    TABLE_TEST(&table, the_largest_request);
    return table_run(&table, "policyd request");
}
