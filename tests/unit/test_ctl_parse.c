// What reevectl reads from people: times, log lines, Postfix requests; and the JSON and the shell
// words that it writes for them.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

// The pure parts, which are in no library.
#include "client/ctl/json.c"
#include "client/ctl/postfix.c"
#include "client/ctl/ticket.c"
#include "client/ctl/when.c"
#include "client/ctl/words.c"

#include "proto/base/mem.h"

// ---- times

#define NOW 1795295581000ULL // 2026-11-21T21:13:01Z

static const struct when_row {
    const char *text;
    bool good;
    uint64_t ms;
} WHENS[] = {
    {"0s", true, NOW},
    {"90s", true, NOW - 90000},
    {"10m", true, NOW - 600000},
    {"10min", true, NOW - 600000},
    {"2h", true, NOW - 7200000},
    {"7d", true, NOW - 604800000},
    {"1w", true, NOW - 604800000},
    {"2026-11-21", true, 1795219200000ULL},
    {"2026-11-21T21:13:01Z", true, NOW},
    {"2026-11-21 21:13:01Z", true, NOW},
    {"2026-11-21t21:13:01z", true, NOW},
    {"2026-11-21T21:13:01.5Z", true, NOW + 500},
    {"2026-11-21T21:13:01.123Z", true, NOW + 123},
    {"2026-11-21T21:13:01.1239999Z", true, NOW + 123},
    {"2026-11-21T22:13:01+01:00", true, NOW},
    {"2026-11-21T15:43:01-05:30", true, NOW},
    {"1970-01-01", true, 0},
    {"2024-02-29", true, 1709164800000ULL},
    {"1795295581", true, NOW},
    {"1795295581000", true, NOW},
    {"0", true, 0},

    {"", false, 0},
    {" ", false, 0},
    {"s", false, 0},
    {"10 m", false, 0},
    {"10x", false, 0},
    {"-10m", false, 0},
    {"1.5h", false, 0},
    {"10m ago", false, 0},
    {"999999999w", false, 0}, // before 1970
    {"9999999999d", false, 0},
    {"yesterday", false, 0},
    {"2026", true, 2026000}, // Unix time
    {"2026-11", false, 0},
    {"2026-1-1", false, 0},
    {"2026-13-01", false, 0},
    {"2026-00-10", false, 0},
    {"2026-02-29", false, 0},
    {"2026-02-30", false, 0},
    {"26-11-21", false, 0},
    {"2026-11-21T", false, 0},
    {"2026-11-21Z", false, 0},
    {"2026-11-21T21:13Z", false, 0},
    {"2026-11-21T21:13:01", false, 0}, // in which zone?
    {"2026-11-21T25:00:00Z", false, 0},
    {"2026-11-21T21:60:00Z", false, 0},
    {"2026-11-21T21:13:61Z", false, 0},
    {"2026-11-21T21:13:01.Z", false, 0},
    {"2026-11-21T21:13:01+1:00", false, 0},
    {"2026-11-21T21:13:01+24:00", false, 0},
    {"2026-11-21T21:13:01+01:60", false, 0},
    {"2026-11-21T21:13:01+0100", false, 0},
    {"2026-11-21T21:13:01Zx", false, 0},
    {"2026/11/21", false, 0},
    {"1969-12-31", false, 0},
    {"1970-01-01T00:00:00+01:00", false, 0},
    {"12345678901234567890", false, 0},
    {"999999999999999", false, 0}, // ms after 9999
    {"1795295581Z", false, 0},
    {"\xff", false, 0},
};

static void times(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(WHENS) / sizeof(WHENS[0]); i++) {
        uint64_t ms = 77;
        bool good = when_parse(WHENS[i].text, NOW, &ms);

        if (good != WHENS[i].good || (good && ms != WHENS[i].ms))
            fail_msg("'%s': %d, %llu", WHENS[i].text, good, (unsigned long long)ms);
    }
}

static void times_are_written(void **unused)
{
    char out[WHEN_MAX];

    (void)unused;
    assert_string_equal(when_format(NOW + 999, out), "2026-11-21 21:13:01Z");
    assert_string_equal(when_format(0, out), "1970-01-01 00:00:00Z");
    assert_string_equal(when_format(UINT64_MAX, out), "9999-12-31 23:59:59Z");
}

// ---- tickets

#define T1 "2kexg11m802pcz5000"

static const struct ticket_row {
    const char *name, *line, *ticket; // NULL = there is none
} TICKETS[] = {
    {"postfix",
     "postfix/smtpd[1]: NOQUEUE: reject: RCPT from x[192.0.2.7]: 451 4.7.1 <b@example.org>: "
     "Recipient address rejected: Greylisted, please try again in 60 s (ticket " T1
     "); from=<a@example.net> to=<b@example.org> proto=ESMTP helo=<x>",
     T1},
    {"key=value", "msg=deferred ticket=" T1 " to=b", T1},
    {"quoted", "\"ticket\": \"" T1 "\"", T1},
    {"colon", "Ticket: " T1, T1},
    {"alone", T1, T1},
    {"upper case", "2KEXG11M802PCZ5000", T1},
    {"letters read as digits", "ticket 2kexgiim8o2pcz5ooo", "2kexgiim8o2pcz5ooo"},
    {"labelled without a digit", "ticket abcdefghjkmnpqrstv", "abcdefghjkmnpqrstv"},
    {"the label wins", "0000000000000000aa and ticket " T1, T1},
    {"end of a sentence", "see " T1 ".", T1},
    {"before a comma", T1 ", please", T1},
    {"in brackets", "(" T1 ")", T1},
    {"second label", "ticket closed, ticket " T1, T1},

    {"nothing", "", NULL},
    {"a word", "hello", NULL},
    {"17 characters", "ticket 2kexg11m802pcz500", NULL},
    {"19 characters", "ticket 2kexg11m802pcz50000", NULL},
    {"the letter u", "ticket 2kexu11m802pcz5000", NULL},
    {"a hyphen inside", "ticket 2kexg11m8-2pcz5000", NULL},
    {"labels without one", "ticket ticket ticket=", NULL},
    {"18 letters", "characteristically", NULL},
    {"18 digits", "123456789012345678", NULL},
    {"mixed case", "2kexg11M802pcz5000", NULL},
    {"a message id", "message-id=<2kexg11m802pcz5000@example.net>", NULL},
    {"a part of a path", "/var/2kexg11m802pcz5000", NULL},
    {"a part of a host", "2kexg11m802pcz5000.example.net", NULL},
    {"a part of a UUID", "2kexg11m802pcz5000-4f2a", NULL},
    {"behind an underscore", "x_2kexg11m802pcz5000", NULL},
    {"part of another word", "etickets 2kexu11m802pcz5000", NULL},
    {"label run together", "ticket2kexg11m802pcz50", NULL},
    {"not ASCII", "ticket 2kexg11m802pcz500\xc3\xa9", NULL},
    {"binary", "\xff\xfe\x01ticket\x02", NULL},
};

static void tickets(void **unused)
{
    (void)unused;
    for (size_t i = 0; i < sizeof(TICKETS) / sizeof(TICKETS[0]); i++) {
        const struct ticket_row *row = &TICKETS[i];
        char out[TICKET_LEN + 1] = "";
        bool found = ticket_find(row->line, out);

        if (found != (row->ticket != NULL) || (found && strcmp(out, row->ticket) != 0))
            fail_msg("%s: found '%s'", row->name, out);
        assert_true(found || out[0] == '\0');
    }
}

static void whole_tickets(void **unused)
{
    static const struct {
        const char *text;
        bool valid;
    } rows[] = {
        {T1, true},
        {"2KEXG11M802PCZ5000", true},
        {"", false},
        {T1 "0", false},
        {T1 " ", false},
        {" " T1, false},
        {"2kexg11m802pcz500", false},
        {"2kexg11m802pcz500!", false},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (ticket_is_valid(rows[i].text) != rows[i].valid)
            fail_msg("'%s'", rows[i].text);
    }
}

static void addresses_of_a_line(void **unused)
{
    static char long_line[2000];
    static const struct {
        const char *line, *name, *address; // NULL = there is none
    } rows[] = {
        {"from=<a@b> to=<c@d>", "from", "a@b"},
        {"from=<a@b> to=<c@d>", "to", "c@d"},
        {"from=<> to=<c@d>", "from", ""},
        {"orig_to=<x@y>, to=<c@d>", "to", "x@y"}, // Postfix writes to= before orig_to=
        {"xfrom=<a@b>", "from", NULL},
        {"from=a@b", "from", NULL},
        {"from=<a@b", "from", NULL},
        {"from=<a\n>", "from", NULL},
        {"from", "from", NULL},
        {"", "to", NULL},
        {long_line, "to", NULL},
    };

    (void)unused;
    memset(long_line, 'x', sizeof(long_line) - 2);
    memcpy(long_line, "to=<", 4);
    long_line[sizeof(long_line) - 2] = '>';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char out[TICKET_ADDRESS_MAX] = "";
        bool found = ticket_find_address(rows[i].line, rows[i].name, out);

        if (found != (rows[i].address != NULL) || (found && strcmp(out, rows[i].address) != 0))
            fail_msg("'%.40s': '%s'", rows[i].line, out);
    }
}

// ---- Postfix requests

static enum policy_feed read_text(const char *text, struct policy_parser *parser)
{
    int ends[2];
    enum policy_feed state;

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], text, strlen(text)), strlen(text));
    (void)close(ends[1]);
    state = postfix_read(ends[0], parser);
    (void)close(ends[0]);
    return state;
}

#define RCPT "request=smtpd_access_policy\nprotocol_state=RCPT\nrecipient=b@example.org\n"

static const struct postfix_row {
    const char *name, *text;
    const char *said; // what is wrong; NULL = nothing
    enum reeve_stage stage;
    size_t recipients;
} POSTFIX[] = {
    {"whole", RCPT "\n", NULL, REEVE_RCPT, 1},
    {"without its empty line", RCPT, NULL, REEVE_RCPT, 1},
    {"without its last newline", "protocol_state=RCPT\nrecipient=b@example.org", NULL, REEVE_RCPT,
     1},
    {"two requests", RCPT "\n" RCPT "\n", NULL, REEVE_RCPT, 1},
    {"connect", "protocol_state=CONNECT\n", NULL, REEVE_CONNECT, 0},
    {"mail", "protocol_state=MAIL\nrecipient=\n", NULL, REEVE_MAIL, 0},
    {"data", "protocol_state=DATA\nrecipient=b@example.org\n", NULL, REEVE_RCPT, 1},
    {"end", "protocol_state=END-OF-MESSAGE\nrecipient=b@example.org\n", NULL, REEVE_END, 1},

    {"nothing", "", "empty line before", 0, 0},
    {"an empty line", "\n", "empty line before", 0, 0},
    {"no attribute", "hello\n\n", "not name=value", 0, 0},
    {"no name", "=x\n\n", "attribute's name", 0, 0},
    {"a control character", "sender=a\x01\n\n", "control character", 0, 0},
    {"carriage returns", "protocol_state=RCPT\r\n\r\n", "control character", 0, 0},
    {"no state", "sender=a@example.net\n\n", "protocol_state=", 0, 0},
    {"a state that is not judged", "protocol_state=EHLO\n\n", "protocol_state=", 0, 0},
    {"ETRN", "protocol_state=ETRN\n\n", "protocol_state=", 0, 0},
    {"another request", "request=junk_mail\n" RCPT, NULL, REEVE_RCPT, 1}, // the last one counts
    {"a foreign request", RCPT "request=junk_mail\n\n", "not smtpd_access_policy", 0, 0},
    {"no recipient", "protocol_state=RCPT\n\n", "no recipient=", 0, 0},
    {"data to many", "protocol_state=DATA\nrecipient=\n\n", "no recipient=", 0, 0},
};

static void postfix_requests(void **unused)
{
    struct policy_parser *parser = mem_new(sizeof(*parser));

    (void)unused;
    for (size_t i = 0; i < sizeof(POSTFIX) / sizeof(POSTFIX[0]); i++) {
        const struct postfix_row *row = &POSTFIX[i];
        struct reeve_check check = {.stage = 0};
        enum policy_feed state = read_text(row->text, parser);
        const char *said =
            state == POLICY_BROKEN ? parser->why.text : postfix_to_check(&parser->request, &check);

        if ((said == NULL) != (row->said == NULL) ||
            (said != NULL && strstr(said, row->said) == NULL))
            fail_msg("%s: '%s'", row->name, said == NULL ? "taken" : said);
        if (row->said == NULL &&
            (check.stage != row->stage || check.recipient_total != row->recipients))
            fail_msg("%s: stage %d, %zu recipients", row->name, check.stage, check.recipient_total);
    }
    mem_free(parser);
}

static void fields_of_a_request(void **unused)
{
    struct policy_parser *parser = mem_new(sizeof(*parser));
    struct reeve_check check = {.helo = "given"};

    (void)unused;
    assert_int_equal(read_text(RCPT "sender=a@example.net\nclient_address=192.0.2.7\n"
                                    "client_name=unknown\nhelo_name=x\nsasl_username=ann\n"
                                    "instance=1a.2b\nsize=1234\nrecipient_count=3\n"
                                    "encryption_protocol=TLSv1.3\n\n",
                               parser),
                     POLICY_COMPLETE);
    assert_null(postfix_to_check(&parser->request, &check));
    assert_string_equal(check.sender, "a@example.net");
    assert_string_equal(check.recipients[0], "b@example.org");
    assert_string_equal(check.client_ip, "192.0.2.7");
    assert_null(check.client_name);
    assert_string_equal(check.helo, "given"); // what was given as an option wins
    assert_string_equal(check.auth_user, "ann");
    assert_string_equal(check.transaction, "1a.2b");
    assert_int_equal(check.size_bytes, 1234);
    assert_int_equal(check.recipient_count, 3);
    assert_true(check.tls);
    assert_true(check.smtputf8);
    mem_free(parser);
}

// ---- JSON

static char *written(void (*write_to)(struct json *json))
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);
    struct json json;

    json_init(&json, out);
    write_to(&json);
    (void)fclose(out);
    return text;
}

static void write_nested(struct json *json)
{
    json_open(json, NULL, '{');
    json_text(json, "a", "x");
    json_open(json, "b", '[');
    json_count(json, NULL, UINT64_MAX);
    json_bool(json, NULL, true);
    json_open(json, NULL, '{');
    json_close(json, '}');
    json_text(json, NULL, NULL);
    json_close(json, ']');
    json_number(json, "c", 0.5);
    json_number(json, "d", 1.0 / 0.0);
    json_close(json, '}');
    json_open(json, NULL, '[');
    json_close(json, ']');
}

static void write_odd_texts(struct json *json)
{
    json_open(json, NULL, '[');
    json_text(json, NULL, "\"\\/\b\n\x1f\x7f");
    json_text(json, NULL, "gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xac");
    json_text(json, NULL, "\xff\xc3");
    json_text(json, NULL, "\xed\xa0\x80\xc0\x80");
    json_text(json, NULL, "");
    json_close(json, ']');
}

static void json_is_valid(void **unused)
{
    char *text = written(write_nested);

    (void)unused;
    assert_string_equal(
        text, "{\"a\":\"x\",\"b\":[18446744073709551615,true,{},null],\"c\":0.5,\"d\":null}\n[]\n");
    free(text);
    text = written(write_odd_texts);
    assert_string_equal(text, "[\"\\\"\\\\/\\u0008\\u000a\\u001f\\u007f\","
                              "\"gr\xc3\xbc\xc3\x9f \xf0\x9f\x93\xac\",\"\\ufffd\\ufffd\","
                              "\"\\ufffd\\ufffd\\ufffd\\ufffd\\ufffd\",\"\"]\n");
    free(text);
}

// ---- words of a shell

static void shell_words(void **unused)
{
    static const struct {
        const char *text, *quoted;
    } rows[] = {
        {"a@example.net", "a@example.net"},
        {"a+b_c.d-e=f/g:h@x", "a+b_c.d-e=f/g:h@x"},
        {"", "''"},
        {"<>", "'<>'"},
        {"a b", "'a b'"},
        {"$(reboot)@x", "'$(reboot)@x'"},
        {"`id`", "'`id`'"},
        {"a;b&c|d", "'a;b&c|d'"},
        {"o'neil@x", "'o'\\''neil@x'"},
        {"'", "''\\'''"},
        {"a\nb", "'a\nb'"},
        {"*?[x]!~#\"\\", "'*?[x]!~#\"\\'"},
        {"gr\xc3\xbc\xc3\x9f", "'gr\xc3\xbc\xc3\x9f'"},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char memory[128];
        struct text_buf out;

        text_buf_init(&out, memory, sizeof(memory));
        words_quote(&out, rows[i].text);
        assert_string_equal(memory, rows[i].quoted);
    }
}

static void reasons_in_words(void **unused)
{
    (void)unused;
    assert_string_equal(words_of_reason("greylist_new"),
                        "first try of this sender, recipient and client");
    assert_string_equal(words_of_reason("of_tomorrow"), "of_tomorrow");
    assert_string_equal(words_of_advice("accept"), "");
    assert_string_equal(words_of_advice("of_tomorrow"), "");
    assert_int_not_equal(words_of_advice("relay_denied")[0], '\0');
    assert_string_equal(words_of_outcome("hit"), "decides");
    assert_string_equal(words_of_outcome("of_tomorrow"), "of_tomorrow");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times),
        cmocka_unit_test(times_are_written),
        cmocka_unit_test(tickets),
        cmocka_unit_test(whole_tickets),
        cmocka_unit_test(addresses_of_a_line),
        cmocka_unit_test(postfix_requests),
        cmocka_unit_test(fields_of_a_request),
        cmocka_unit_test(json_is_valid),
        cmocka_unit_test(shell_words),
        cmocka_unit_test(reasons_in_words),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
