// The grammar of SPF records and their macros: what is a record and what is none.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "client/spf/macro.h"
#include "client/spf/record.h"
#include "proto/mail.h"
#include "tests/support/table.h"

static const struct valid_row {
    const char *terms; // behind "v=spf1 "
    bool is_valid;
} VALID[] = {
    {"", true},
    {"all", true},
    {"-all ?all ~all +all", true},
    {"*all", false},
    {"--all", false},
    {"all.", false},
    {"all:x.y", false},
    {"all/24", false},
    {"a mx ptr", true},
    {"a: mx", false},
    {"a:x.y mx:x.y ptr:x.y", true},
    {"a:/24", false},
    {"a/0 a/32 a//0 a//128 a/0//0 a/24//64", true},
    {"a/33", false},
    {"a//129", false},
    {"a/", false},
    {"a//", false},
    {"a/24/", false},
    {"a/24/64", false},
    {"a/01", false},
    {"a/24//01", false},
    {"a/-1", false},
    {"a/2x", false},
    {"a/4294967320", false},
    {"a:x.y/24//64", true},
    {"a:x/y.z/24", true},
    {"ptr/24", false},
    {"a:x", false},
    {"a:x.", false},
    {"a:x.y.", true},
    {"a:x.1", false},
    {"a:x.1y", true},
    {"a:x.y-", false},
    {"a:x.-y", false},
    {"a:x.y-z", true},
    {"a:x.y_z", false},
    {"a:x_y.z", true},
    {"a:1.2.3.4", false},
    {"a=x.y", true}, // a modifier that nobody knows
    {"ip4:192.0.2.1 ip4:0.0.0.0/0 ip4:192.0.2.1/32", true},
    {"ip4", false},
    {"ip4:", false},
    {"ip4:192.0.2.1/33", false},
    {"ip4:192.0.2.1/", false},
    {"ip4:192.0.2.1//32", false},
    {"ip4:192.0.2", false},
    {"ip4:192.0.2.256", false},
    {"ip4:192.0.2.01", false},
    {"ip4:2001:db8::1", false},
    {"ip6:2001:db8::1 ip6:::/0 ip6:::1/128 ip6:::ffff:192.0.2.1", true},
    {"ip6:2001:db8::1/129", false},
    {"ip6:2001:db8:::1", false},
    {"ip6:192.0.2.1", false},
    {"ip6:1111:2222:3333:4444:5555:6666:7777:8888:9999:1111:2222:3333/64", false},
    {"include:x.y exists:x.y", true},
    {"include", false},
    {"include:", false},
    {"include:x.y/24", false},
    {"exists", false},
    {"exists:", false},
    {"redirect=x.y exp=x.y", true},
    {"-redirect=x.y", false},
    {"redirect=", false},
    {"redirect:x.y", false},
    {"redirect", false},
    {"redirect=x.y redirect=x.y", false},
    {"exp=x.y EXP=x.y", false},
    {"exp=", false},
    {"moo= moo=%{d} m.o-o_1=x", true},
    {"moo=%{d", false},
    {"moo=\xc3\xa4", false},
    {"=x", false},
    {"1a=x", false},
    {"-a=x", false},
    {"wibble", false},
    {"a\tmx", false},
    {"mx\x7f", false},
    {"\xc3\xa4ll", false},
    {"exists:%{d}", true},
    {"exists:%{d}.", false}, // no label behind the last dot, and no macro at the end
    {"exists:%{dr-}.%{L5r+-}.%{h1}", true},
    {"exists:%{i}.%{v}.%{s}.%{o}.%{p}.x", true},
    {"exists:%{c}.x", false},
    {"exists:%{r}.x", false},
    {"exists:%{t}.x", false},
    {"exists:%{z}.x", false},
    {"exists:%{}.x", false},
    {"exists:%{d0}.x", false},
    {"exists:%{d00}.x", false},
    {"exists:%{d128}.x", true},
    {"exists:%{d99999999999999999999}.x", true},
    {"exists:%{dr2}.x", false},
    {"exists:%{d*}.x", false},
    {"exists:%{d.x", false},
    {"exists:%(d).x", false},
    {"exists:%d.x", false},
    {"exists:x.y%", false},
    {"exists:x.%{", false},
    {"exists:%%.%_.%-.x", true},
    {"exists:x.%%", false},
};

static void check_valid(void **state)
{
    const struct valid_row *row = *state;
    char text[256] = "v=spf1 ";

    strncat(text, row->terms, sizeof(text) - strlen(text) - 1);
    assert_int_equal(spf_record_is_valid(text, strlen(text)), row->is_valid);
}

static void what_is_a_record(void **unused)
{
    static const struct {
        const char *text;
        bool is;
    } rows[] = {{"v=spf1", true},    {"v=spf1 ", true},  {"V=SPF1 all", true},
                {"v=spf1\t", false}, {"v=spf10", false}, {" v=spf1", false},
                {"v=spf", false},    {"", false},        {"v=spf2.0/pra", false},
                {"v=spf1all", false}};

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(spf_record_is(rows[i].text, strlen(rows[i].text)), rows[i].is);
}

static void what_a_term_says(void **unused)
{
    static const char text[] = "v=spf1 ?mx:a/b.%{d}/24//64 -a//65 ~exists:%{l}.x redirect=_s.x";
    struct spf_span rest = spf_record_terms(text, strlen(text));
    struct spf_term term;

    (void)unused;
    assert_int_equal(spf_record_next(&rest, &term), SPF_READ_TERM);
    assert_true(term.kind == SPF_MX && term.qualifier == SPF_NEUTRAL);
    assert_true(term.spec.len == 8 && memcmp(term.spec.at, "a/b.%{d}", 8) == 0);
    assert_true(term.bits4 == 24 && term.bits6 == 64);
    assert_int_equal(spf_record_next(&rest, &term), SPF_READ_TERM);
    assert_true(term.kind == SPF_A && term.qualifier == SPF_FAIL && term.spec.len == 0);
    assert_true(term.bits4 == 32 && term.bits6 == 65);
    assert_int_equal(spf_record_next(&rest, &term), SPF_READ_TERM);
    assert_true(term.kind == SPF_EXISTS && term.qualifier == SPF_SOFTFAIL);
    assert_true(spf_macros_use(term.spec, "hl") && !spf_macros_use(term.spec, "sx"));
    assert_int_equal(spf_record_next(&rest, &term), SPF_READ_TERM);
    assert_true(term.kind == SPF_REDIRECT && term.spec.len == 4);
    assert_int_equal(spf_record_next(&rest, &term), SPF_READ_END);
}

// RFC 7208 section 7.4, and what is beyond it.
static const struct expansion {
    const char *name; // the spec
    const char *name_out;
    bool is_ipv6;
} EXPANSIONS[] = {
    {"%{s}.x", "strong-bad@email.example.com.x", false},
    {"%{o}", "email.example.com", false},
    {"%{d}", "email.example.com", false},
    {"%{d4}", "email.example.com", false},
    {"%{d3}", "email.example.com", false},
    {"%{d2}", "example.com", false},
    {"%{d1}", "com", false},
    {"%{dr}", "com.example.email", false},
    {"%{d2r}", "example.email", false},
    {"%{l}", "strong-bad", false},
    {"%{l-}", "strong.bad", false},
    {"%{lr}", "strong-bad", false},
    {"%{lr-}", "bad.strong", false},
    {"%{l1r-}", "strong", false},
    {"%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com", false},
    {"%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com", false},
    {"%{lr-}.lp.%{ir}.%{v}._spf.%{d2}", "bad.strong.lp.3.2.0.192.in-addr._spf.example.com", false},
    {"%{ir}.%{v}.%{l1r-}.lp._spf.%{d2}", "3.2.0.192.in-addr.strong.lp._spf.example.com", false},
    {"%{d2}.trusted-domains.example.net", "example.com.trusted-domains.example.net", false},
    {"%{ir}.%{v}._spf.%{d2}",
     "1.0.b.c.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6._spf.example.com", true},
    {"%{h}.%{p}.x", "mail.helo.x.unknown.x", false},
    {"%{S}.x", "strong-bad%40email.example.com.x", false},
    {"%%.%-.x", "%.%20.x", false},
    {"%_.x", " .x", false},
    {"%{d}.", "email.example.com", false},
    {"%{l@}.x", NULL, false}, // no delimiter: not valid, nothing is expanded
    {"a..x", NULL, false},
    {".x", NULL, false},
    {"a\\b.x", NULL, false},
};

static void check_expansion(void **state)
{
    const struct expansion *row = *state;
    const struct ip v4 = {4, {192, 0, 2, 3}};
    const struct ip v6 = {6, {0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xcb, 0x01}};
    const struct spf_values values = {.client = row->is_ipv6 ? &v6 : &v4,
                                      .local = "strong-bad",
                                      .sender_domain = "email.example.com",
                                      .domain = "email.example.com",
                                      .helo = "mail.helo.x",
                                      .validated = "unknown"};
    const struct spf_span spec = {row->name, strlen(row->name)};
    char out[SPF_NAME_MAX + 1] = "";

    assert_int_equal(spf_macros_expand(spec, &values, out), row->name_out != NULL);
    if (row->name_out != NULL)
        assert_string_equal(out, row->name_out);
}

static void names_from_both_sides_of_their_limits(void **unused)
{
    char name[300];

    (void)unused;
    memset(name, 'a', sizeof(name));
    for (size_t i = 63; i < sizeof(name); i += 64)
        name[i] = '.';
    name[253] = '\0';
    assert_true(spf_name_is_fit(name));
    name[253] = 'a';
    name[254] = '\0';
    assert_false(spf_name_is_fit(name));
    name[63] = 'a';
    name[64] = '\0';
    assert_false(spf_name_is_fit(name));
    name[63] = '\0';
    assert_true(spf_name_is_fit(name));
    assert_false(spf_name_is_fit(""));
    assert_false(spf_name_is_fit("a."));
    assert_false(spf_name_is_fit("a\x01.x"));
}

static void a_spec_has_at_most_512_bytes(void **unused)
{
    char spec[SPF_SPEC_MAX + 2];

    (void)unused;
    memset(spec, 'a', sizeof(spec));
    for (size_t len = SPF_SPEC_MAX; len <= SPF_SPEC_MAX + 1; len++) {
        memcpy(spec + len - 4, "%{d}", 4);
        assert_int_equal(spf_spec_is_valid((struct spf_span){spec, len}), len <= SPF_SPEC_MAX);
        memcpy(spec + len - 4, "aaaa", 4);
    }
}

// A spec of 8 KB that would be a name of a megabyte is no name.
static void an_expansion_is_bounded(void **unused)
{
    static char spec[SPF_RECORD_MAX];
    char local[MAIL_ADDRESS_MAX + 1];
    const struct ip v4 = {4, {192, 0, 2, 3}};
    const struct spf_values values = {.client = &v4,
                                      .local = local,
                                      .sender_domain = "d.x",
                                      .domain = "d.x",
                                      .helo = "h.x",
                                      .validated = "unknown"};
    char out[SPF_NAME_MAX + 1] = "";

    (void)unused;
    memset(local, 'l', sizeof(local));
    local[MAIL_ADDRESS_MAX] = '\0';
    for (size_t i = 0; i + 4 <= sizeof(spec); i += 4)
        memcpy(spec + i, "%{l}", 4);
    assert_false(spf_macros_expand((struct spf_span){spec, sizeof(spec)}, &values, out));
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, VALID, check_valid);
    TABLE_ROWS(&table, EXPANSIONS, check_expansion);
    TABLE_TEST(&table, what_is_a_record);
    TABLE_TEST(&table, what_a_term_says);
    TABLE_TEST(&table, names_from_both_sides_of_their_limits);
    TABLE_TEST(&table, a_spec_has_at_most_512_bytes);
    TABLE_TEST(&table, an_expansion_is_bounded);
    return table_run(&table, "spf record");
}
