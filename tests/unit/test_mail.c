// Mail addresses: what is one, how it is normalised, and what stands for it in a greylist triplet.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/mail.h"
#include "proto/text.h"
#include "tests/support/table.h"

#define L10  "abcdefghij"
#define L60  L10 L10 L10 L10 L10 L10
#define L63  L60 "abc"
#define L64  L63 "d"
#define D240 L60 "." L60 "." L60 "." L10 L10 L10 L10 L10 "abcdef" // 239 bytes

enum { ARENA_BYTES = 8192 };

static void parse(const char *text, unsigned char *memory, struct arena *arena,
                  struct mail_address *out)
{
    arena_init(arena, memory, ARENA_BYTES);
    assert_int_equal(mail_parse(text, arena, out), ERR_NONE);
    assert_ptr_equal(out->text, text);
}

// ---- good addresses

struct good_row {
    const char *name;
    const char *text;
    const char *local;
    const char *base; // NULL = local
    const char *domain;
    bool not_ascii;
};

static const struct good_row good_rows[] = {
    {"a plain one", "ann@example.org", "ann", NULL, "example.org", false},
    {"capitals", "Ann.Smith@EXAMPLE.Org", "ann.smith", NULL, "example.org", false},
    {"a trailing dot", "ann@example.org.", "ann", NULL, "example.org", false},
    {"a host without dots", "root@localhost", "root", NULL, "localhost", false},
    {"digits alone", "123@456.example", "123", NULL, "456.example", false},
    {"every character of an atom", "a!#$%&'*/=?^_`{|}~-z@x.example", "a!#$%&'*/=?^_`{|}~-z", NULL,
     "x.example", false},
    {"two dots in a row", "taro..y@docomo.example", "taro..y", NULL, "docomo.example", false},
    {"a dot in front", ".ann@docomo.example", ".ann", NULL, "docomo.example", false},
    {"a dot at the end", "ann.@docomo.example", "ann.", NULL, "docomo.example", false},
    {"a local part of 64", L64 "@x.example", L64, NULL, "x.example", false},
    {"a local part of 100", L60 L10 L10 L10 L10 "@x.example", L60 L10 L10 L10 L10, NULL,
     "x.example", false},
    {"320 bytes", L60 L60 L60 L60 L60 L10 "a@b.exampl", L60 L60 L60 L60 L60 L10 "a", NULL,
     "b.exampl", false},
    {"a label of 63", "a@" L63 ".example", "a", NULL, L63 ".example", false},
    {"a domain of 255", "a@" D240 ".abcdefghijklmno", "a", NULL, D240 ".abcdefghijklmno", false},
    {"a domain of 255 and a dot", "a@" D240 ".abcdefghijklmno.", "a", NULL, D240 ".abcdefghijklmno",
     false},
    {"an underscore in the domain", "a@my_host.example", "a", NULL, "my_host.example", false},
    {"a hyphen in the domain", "a@x-y--z.example", "a", NULL, "x-y--z.example", false},
    {"a bang path", "host!user@x.example", "host!user", NULL, "x.example", false},
    {"a percent route", "user%host@x.example", "user%host", NULL, "x.example", false},
    {"a tag", "ann+news@x.example", "ann+news", "ann", "x.example", false},
    {"two tags", "ann+a+b@x.example", "ann+a+b", "ann", "x.example", false},
    {"an empty tag", "ann+@x.example", "ann+", "ann", "x.example", false},
    {"a plus in front", "+tag@x.example", "+tag", NULL, "x.example", false},
    {"a plus in front and a tag", "+ann+tag@x.example", "+ann+tag", "+ann", "x.example", false},
    {"a plus alone", "+@x.example", "+", NULL, "x.example", false},
    {"two pluses alone", "++@x.example", "++", "+", "x.example", false},
    {"postmaster without a domain", "postmaster", "postmaster", NULL, "", false},
    {"Postmaster without a domain", "PostMaster", "postmaster", NULL, "", false},
    {"postmaster in quotes", "\"postmaster\"", "postmaster", NULL, "", false},
    {"postmaster with a domain", "Postmaster@X.example", "postmaster", NULL, "x.example", false},
    {"needless quotes", "\"Ann\"@x.example", "ann", NULL, "x.example", false},
    {"needless quotes and a tag", "\"ann+tag\"@x.example", "ann+tag", "ann", "x.example", false},
    {"a needless backslash", "\"a\\nn\"@x.example", "ann", NULL, "x.example", false},
    {"quotes for a space", "\"Ann Smith\"@x.example", "\"ann smith\"", NULL, "x.example", false},
    {"quotes for an @", "\"ann@home\"@x.example", "\"ann@home\"", NULL, "x.example", false},
    {"quotes for two dots", "\"a..b\"@x.example", "\"a..b\"", NULL, "x.example", false},
    {"quotes for a dot in front", "\".a\"@x.example", "\".a\"", NULL, "x.example", false},
    {"quotes for a dot at the end", "\"a.\"@x.example", "\"a.\"", NULL, "x.example", false},
    {"a quote in quotes", "\"a\\\"b\"@x.example", "\"a\\\"b\"", NULL, "x.example", false},
    {"a backslash in quotes", "\"a\\\\b\"@x.example", "\"a\\\\b\"", NULL, "x.example", false},
    {"an escaped space", "\"a\\ b\"@x.example", "\"a b\"", NULL, "x.example", false},
    {"a tag in quotes", "\"a b+tag\"@x.example", "\"a b+tag\"", "\"a b\"", "x.example", false},
    {"a tag that needs the quotes", "\"ann+a b\"@x.example", "\"ann+a b\"", "ann", "x.example",
     false},
    {"a dot before a tag in needless quotes", "\"a.+t\"@x.example", "a.+t", "a.", "x.example",
     false},
    {"a dot before a tag in quotes", "\"a.+t.\"@x.example", "\"a.+t.\"", "\"a.\"", "x.example",
     false},
    {"an IPv4 literal", "ann@[192.0.2.1]", "ann", NULL, "[192.0.2.1]", false},
    {"an IPv6 literal", "ann@[IPv6:2001:DB8::0:1]", "ann", NULL, "[ipv6:2001:db8::1]", false},
    {"an IPv6 literal in capitals", "ann@[IPV6:2001:db8::1]", "ann", NULL, "[ipv6:2001:db8::1]",
     false},
    {"a mapped literal is IPv4", "ann@[IPv6:::ffff:192.0.2.1]", "ann", NULL, "[192.0.2.1]", false},
    {"an IPv4 address as a name", "ann@192.0.2.1", "ann", NULL, "192.0.2.1", false},
    {"an A-label", "ann@XN--Mnchen-3ya.example", "ann", NULL, "xn--mnchen-3ya.example", false},
    {"a U-label", "ann@m\xC3\xBCnchen.example", "ann", NULL, "xn--mnchen-3ya.example", true},
    {"a U-label in capitals", "ann@M\xC3\x9CNCHEN.Example.", "ann", NULL, "xn--mnchen-3ya.example",
     true},
    {"a U-label, decomposed", "ann@mu\xCC\x88nchen.example", "ann", NULL, "xn--mnchen-3ya.example",
     true},
    {"sharp s is kept (not transitional)", "ann@fa\xC3\x9F.example", "ann", NULL,
     "xn--fa-hia.example", true},
    {"full-width letters", "ann@\xEF\xBD\x85\xEF\xBC\xB8.example", "ann", NULL, "ex.example", true},
    {"an ideographic full stop",
     "ann@x\xE3\x80\x82"
     "example",
     "ann", NULL, "x.example", true},
    {"an ideographic stop at the end", "ann@x.example\xE3\x80\x82", "ann", NULL, "x.example", true},
    {"a whole name that is not ASCII",
     "\xE7\x94\xA8\xE6\x88\xB7@\xE4\xBE\x8B\xE5\xAD\x90.\xE5\xB9\xBF\xE5\x91\x8A",
     "\xE7\x94\xA8\xE6\x88\xB7", NULL, "xn--fsqu00a.xn--4rr70v", true},
    {"a local part, folded", "J\xC3\x9CRGEN@x.example", "j\xC3\xBCrgen", NULL, "x.example", true},
    {"a local part, composed", "ju\xCC\x88rgen+Tag@x.example", "j\xC3\xBCrgen+tag", "j\xC3\xBCrgen",
     "x.example", true},
    {"sharp s folds",
     "stra\xC3\x9F"
     "e@x.example",
     "strasse", NULL, "x.example", true},
    {"final sigma folds", "\xCF\x83\xCF\x82@x.example", "\xCF\x83\xCF\x83", NULL, "x.example",
     true},
    {"a kelvin sign becomes a k", "\xE2\x84\xAA@x.example", "k", NULL, "x.example", true},
    {"non-ASCII in needless quotes", "\"J\xC3\xBCrgen\"@x.example", "j\xC3\xBCrgen", NULL,
     "x.example", true},
};

static void good(void **state)
{
    const struct good_row *row = *state;
    unsigned char memory[ARENA_BYTES];
    struct arena arena;
    struct mail_address address;
    char again[2 * MAIL_ADDRESS_MAX];

    parse(row->text, memory, &arena, &address);
    assert_int_equal(address.flaw, MAIL_OK);
    assert_string_equal(address.local, row->local);
    assert_string_equal(address.base, row->base != NULL ? row->base : row->local);
    assert_string_equal(address.domain, row->domain);
    assert_int_equal(address.ascii, !row->not_ascii);
    assert_false(address.null);
    if (row->domain[0] == '\0')
        return;
    // What is normal stays as it is.
    (void)snprintf(again, sizeof(again), "%s@%s", row->local, row->domain);
    parse(again, memory, &arena, &address);
    assert_string_equal(address.local, row->local);
    assert_string_equal(address.domain, row->domain);
}

// ---- flaws

struct flaw_row {
    const char *name;
    const char *text;
    enum mail_flaw flaw;
};

static const struct flaw_row flaw_rows[] = {
    {"an escaped byte", "a" TEXT_DAMAGE "FF@x.example", MAIL_DAMAGED},
    {"a cut", "a@x.exam" TEXT_DAMAGE, MAIL_DAMAGED},
    {"a control character", "a\x01@x.example", MAIL_DAMAGED},
    {"a line break", "a@x.example\r\nRCPT TO:<b@x.example>", MAIL_DAMAGED},
    {"not UTF-8", "a\xFF@x.example", MAIL_DAMAGED},
    {"321 bytes", L60 L60 L60 L60 L60 L10 "a@b.example", MAIL_DAMAGED},
    {"no domain", "ann", MAIL_NO_DOMAIN},
    {"no domain, in quotes", "\"ann smith\"", MAIL_NO_DOMAIN},
    {"no domain, an @ in quotes", "\"ann@home\"", MAIL_NO_DOMAIN},
    {"almost postmaster", "postmaster2", MAIL_NO_DOMAIN},
    {"postmaster with a tag", "postmaster+x", MAIL_NO_DOMAIN},
    {"a word of ten letters", "postmasteR\xC3\xA4", MAIL_NO_DOMAIN},
    {"no local part", "@x.example", MAIL_BAD_LOCAL},
    {"an @ alone", "@", MAIL_BAD_LOCAL},
    {"an empty quoted local part", "\"\"@x.example", MAIL_BAD_LOCAL},
    {"two @", "a@b@x.example", MAIL_BAD_LOCAL},
    {"a source route", "@relay.example:ann@x.example", MAIL_BAD_LOCAL},
    {"a quote alone", "\"", MAIL_BAD_LOCAL},
    {"quotes that do not end", "\"ann@x.example", MAIL_BAD_LOCAL},
    {"a backslash at the end", "\"ann\\", MAIL_BAD_LOCAL},
    {"an escaped last quote", "\"ann\\\"@x.example", MAIL_BAD_LOCAL},
    {"something behind the quotes", "\"ann\"smith@x.example", MAIL_BAD_LOCAL},
    {"a quote in the middle", "an\"n@x.example", MAIL_BAD_LOCAL},
    {"quotes as a word of many", "a.\"b\".c@x.example", MAIL_BAD_LOCAL},
    {"a space", "ann smith@x.example", MAIL_BAD_LOCAL},
    {"a space in front", " ann@x.example", MAIL_BAD_LOCAL},
    {"angle brackets", "<ann@x.example>", MAIL_BAD_LOCAL},
    {"a display name", "Ann <ann@x.example>", MAIL_BAD_LOCAL},
    {"a comment", "ann(home)@x.example", MAIL_BAD_LOCAL},
    {"a colon", "mailto:ann@x.example", MAIL_BAD_LOCAL},
    {"a semicolon", "ann;x@x.example", MAIL_BAD_LOCAL},
    {"a comma", "ann,bob@x.example", MAIL_BAD_LOCAL},
    {"a backslash outside of quotes", "a\\b@x.example", MAIL_BAD_LOCAL},
    {"a Greek question mark, which is a semicolon", "a\xCD\xBE@x.example", MAIL_BAD_LOCAL},
    {"nothing behind the @", "ann@", MAIL_BAD_DOMAIN},
    {"a dot alone", "ann@.", MAIL_BAD_DOMAIN},
    {"two dots at the end", "ann@x.example..", MAIL_BAD_DOMAIN},
    {"a dot in front", "ann@.x.example", MAIL_BAD_DOMAIN},
    {"an empty label", "ann@x..example", MAIL_BAD_DOMAIN},
    {"a label of 64", "ann@" L64 ".example", MAIL_BAD_DOMAIN},
    {"a domain of 256", "a@" D240 ".abcdefghijklmnop", MAIL_BAD_DOMAIN},
    {"a hyphen in front", "ann@-x.example", MAIL_BAD_DOMAIN},
    {"a hyphen at the end", "ann@x-.example", MAIL_BAD_DOMAIN},
    {"a space at the end", "ann@x.example ", MAIL_BAD_DOMAIN},
    {"a space inside", "ann@x example", MAIL_BAD_DOMAIN},
    {"a bracket at the end", "ann@x.example>", MAIL_BAD_DOMAIN},
    {"a port", "ann@x.example:25", MAIL_BAD_DOMAIN},
    {"a slash", "ann@x/y.example", MAIL_BAD_DOMAIN},
    {"a plus", "ann@x+y.example", MAIL_BAD_DOMAIN},
    {"a star", "ann@*.example", MAIL_BAD_DOMAIN},
    {"an empty literal", "ann@[]", MAIL_BAD_DOMAIN},
    {"a literal that does not end", "ann@[192.0.2.1", MAIL_BAD_DOMAIN},
    {"something behind a literal", "ann@[192.0.2.1].x", MAIL_BAD_DOMAIN},
    {"a dot behind a literal", "ann@[192.0.2.1].", MAIL_BAD_DOMAIN},
    {"a literal of nothing known", "ann@[x.example]", MAIL_BAD_DOMAIN},
    {"a general literal", "ann@[tag:content]", MAIL_BAD_DOMAIN},
    {"a literal out of range", "ann@[192.0.2.256]", MAIL_BAD_DOMAIN},
    {"an IPv6 literal without its tag", "ann@[2001:db8::1]", MAIL_BAD_DOMAIN},
    {"an IPv6 tag before IPv4", "ann@[IPv6:192.0.2.1]", MAIL_BAD_DOMAIN},
    {"an IPv6 tag alone", "ann@[IPv6:]", MAIL_BAD_DOMAIN},
    {"a literal much too long", "ann@[IPv6:" L60 "]", MAIL_BAD_DOMAIN},
    {"an ideographic stop in front", "ann@\xE3\x80\x82x.example", MAIL_BAD_DOMAIN},
    {"two ideographic stops",
     "ann@x\xE3\x80\x82\xE3\x80\x82"
     "example",
     MAIL_BAD_DOMAIN},
    {"two stops of both kinds",
     "ann@x.\xE3\x80\x82"
     "example",
     MAIL_BAD_DOMAIN},
    {"two ideographic stops at the end", "ann@x.example\xE3\x80\x82\xE3\x80\x82", MAIL_BAD_DOMAIN},
    {"a full-width slash", "ann@x\xEF\xBC\x8Fy.example", MAIL_BAD_DOMAIN},
    {"a full-width bracket",
     "ann@\xEF\xBC\xBB"
     "192.0.2.1]",
     MAIL_BAD_DOMAIN},
    {"a symbol that IDNA forbids", "ann@\xE2\x98\x83.example", MAIL_BAD_IDNA},
    {"a label that begins with a mark", "ann@\xCC\x88x.example", MAIL_BAD_IDNA},
    {"right-to-left and left-to-right",
     "ann@\xD7\x90"
     "a1\xD7\x90.example",
     MAIL_BAD_IDNA},
    {"a U-label whose A-label is over 63", "ann@" L60 "\xC3\xBC.example", MAIL_BAD_IDNA},
};

static void flaw(void **state)
{
    const struct flaw_row *row = *state;
    unsigned char memory[ARENA_BYTES];
    struct arena arena;
    struct mail_address address;

    parse(row->text, memory, &arena, &address);
    assert_int_equal(address.flaw, row->flaw);
    assert_string_equal(address.local, "");
    assert_string_equal(address.base, "");
    assert_string_equal(address.domain, "");
    assert_string_equal(mail_sender_key(&address, true, &arena), row->text);
    assert_string_equal(mail_sender_key(&address, false, &arena), row->text);
    assert_string_equal(mail_recipient_key(&address, &arena), row->text);
}

static void null_sender(void **state)
{
    unsigned char memory[ARENA_BYTES];
    struct arena arena;
    struct mail_address address;

    (void)state;
    parse("", memory, &arena, &address);
    assert_true(address.null);
    assert_true(address.ascii);
    assert_int_equal(address.flaw, MAIL_OK);
    assert_string_equal(address.local, "");
    assert_string_equal(address.domain, "");
    assert_string_equal(mail_sender_key(&address, true, &arena), "<>");
    assert_string_equal(mail_sender_key(&address, false, &arena), "<>");
}

static void every_flaw_has_words(void **state)
{
    (void)state;
    for (int i = MAIL_OK; i <= MAIL_BAD_IDNA; i++) {
        assert_true(strlen(mail_flaw_text((enum mail_flaw)i)) > 5);
        for (int j = MAIL_OK; j < i; j++)
            assert_string_not_equal(mail_flaw_text((enum mail_flaw)i),
                                    mail_flaw_text((enum mail_flaw)j));
    }
    assert_string_equal(mail_flaw_text((enum mail_flaw)99), "an unknown flaw");
}

// ---- domains

struct domain_row {
    const char *name; // the text
    const char *want; // NULL = none
};

static const struct domain_row domain_rows[] = {
    {"Example.ORG", "example.org"},
    {"example.org.", "example.org"},
    {"localhost", "localhost"},
    {"[192.0.2.1]", "[192.0.2.1]"},
    {"m\xC3\xBCnchen.example", "xn--mnchen-3ya.example"},
    {"", NULL},
    {".", NULL},
    {"..", NULL},
    {"a..b", NULL},
    {"user@example.org", NULL},
    {"*.example.org", NULL},
    {" example.org", NULL},
    {"\xFF", NULL},
    {"\xE2\x98\x83.example", NULL},
};

static void domain(void **state)
{
    const struct domain_row *row = *state;
    char out[MAIL_DOMAIN_MAX + 1] = "untouched";

    assert_int_equal(mail_domain_normalise(row->name, out), row->want != NULL);
    assert_string_equal(out, row->want != NULL ? row->want : "untouched");
}

static void a_huge_domain(void **state)
{
    enum { LEN = 100000 };
    char *text = malloc(LEN + 3);
    char out[MAIL_DOMAIN_MAX + 1];

    (void)state;
    memset(text, 'a', LEN);
    text[LEN] = '\0';
    assert_false(mail_domain_normalise(text, out));
    memcpy(text + LEN, "\xC3\xBC", 3);
    assert_false(mail_domain_normalise(text, out));
    free(text);
}

// ---- keys

struct key_row {
    const char *name;
    const char *sender;
    const char *folded;
    const char *plain; // NULL = as given
};

#define BATV "1234abcdef"

static const struct key_row key_rows[] = {
    {"key: a plain sender", "ann@x.example", "ann@x.example", NULL},
    {"key: capitals", "Ann@X.example", "ann@x.example", "ann@x.example"},
    {"key: a tag", "ann+shop@x.example", "ann@x.example", NULL},
    {"key: a plus in front", "+ann@x.example", "+ann@x.example", NULL},
    {"key: digits", "bounce-123456-789@x.example", "bounce-#-#@x.example", NULL},
    {"key: digits at both ends", "1a22@x.example", "#a#@x.example", NULL},
    {"key: digits alone", "4711@x.example", "#@x.example", NULL},
    {"key: one digit", "a1@x.example", "a#@x.example", NULL},
    {"key: a literal #", "a#1@x.example", "a##@x.example", NULL},
    {"key: digits of the domain", "ann@mx163-7.example", "ann@mx#-#.example", NULL},
    {"key: digits of a literal", "a1@[192.0.2.1]", "a#@[#.#.#.#]", NULL},
    {"key: postmaster alone", "postmaster", "postmaster", NULL},
    {"key: IDN", "B1@m\xC3\xBCnchen.example", "b#@xn--mnchen-#ya.example",
     "b1@xn--mnchen-3ya.example"},
    {"key: non-ASCII local part", "J\xC3\x9CRGEN7@x.example", "j\xC3\xBCrgen#@x.example",
     "j\xC3\xBCrgen7@x.example"},
    {"key: quoted", "\"Ann Smith\"@x.example", "\"ann smith\"@x.example",
     "\"ann smith\"@x.example"},
    {"key: quoted with digits and a tag", "\"a b12+t\"@x.example", "\"a b#\"@x.example", NULL},
    {"key: quoted, not needed", "\"ann+t\"@x.example", "ann@x.example", "ann+t@x.example"},
    {"key: quoted like BATV", "\"prvs=" BATV "=a b\"@x.example", "\"prvs=#abcdef=a b\"@x.example",
     NULL},
    // VERP and its like
    {"key: Mailman", "list-bounces+ann=corp.example@lists.example", "list-bounces@lists.example",
     NULL},
    {"key: ezmlm", "list-return-4711-ann=corp.example@lists.example",
     "list-return-#-ann=corp.example@lists.example", NULL},
    {"key: Amazon", "0102018f3a4b5c6d-00000000-1111-2222@ses.example",
     "#f#a#b#c#d-#-#-#@ses.example", NULL},
    {"key: a mailing service", "bounces+1234567-ab12-ann=corp.example@em.example",
     "bounces@em.example", NULL},
    {"key: Exchange's SRS", "bounces+SRS=aBcDe=XY@corp.example", "bounces@corp.example",
     "bounces+srs=abcde=xy@corp.example"},
    // BATV
    {"key: BATV", "prvs=" BATV "=ann@x.example", "ann@x.example", NULL},
    {"key: BATV in capitals", "PRVS=1234ABCDEF=Ann@x.example", "ann@x.example",
     "prvs=1234abcdef=ann@x.example"},
    {"key: BATV, tag and digits", "prvs=" BATV "=ann7+t@x.example", "ann#@x.example", NULL},
    {"key: BATV, local with =", "prvs=" BATV "=a=b@x.example", "a=b@x.example", NULL},
    {"key: BATV, older form", "prvs=ann/" BATV "@x.example", "ann@x.example", NULL},
    {"key: BATV, older form with a slash", "prvs=a/b/" BATV "@x.example", "a/b@x.example", NULL},
    {"key: BATV, ten digits", "prvs=1234567890=ann@x.example", "ann@x.example", NULL},
    {"key: BATV, nine digits", "prvs=1234abcde=ann@x.example", "prvs=#abcde=ann@x.example", NULL},
    {"key: BATV, eleven digits", "prvs=1234abcdef0=ann@x.example", "prvs=#abcdef#=ann@x.example",
     NULL},
    {"key: BATV, letters where digits belong", "prvs=12a4abcdef=ann@x.example",
     "prvs=#a#abcdef=ann@x.example", NULL},
    {"key: BATV, not hex", "prvs=1234abcdeg=ann@x.example", "prvs=#abcdeg=ann@x.example", NULL},
    {"key: BATV, no local part", "prvs=" BATV "=@x.example", "prvs=#abcdef=@x.example", NULL},
    {"key: BATV, no second =", "prvs=" BATV "@x.example", "prvs=#abcdef@x.example", NULL},
    {"key: BATV, older form without local", "prvs=/" BATV "@x.example", "prvs=/#abcdef@x.example",
     NULL},
    {"key: BATV, older form, bad tag", "prvs=ann/x234abcdef@x.example",
     "prvs=ann/x#abcdef@x.example", NULL},
    {"key: BATV, another scheme", "prvz=" BATV "=ann@x.example", "prvz=#abcdef=ann@x.example",
     NULL},
    {"key: BATV, the word alone", "prvs=@x.example", "prvs=@x.example", NULL},
    // SRS
    {"key: SRS0", "SRS0=HHHH=TT=x.example=ann@fwd.example", "srs#=x.example=ann@fwd.example",
     "srs0=hhhh=tt=x.example=ann@fwd.example"},
    {"key: SRS0 with +", "SRS0+Ab+c=T9=x.example=ann@fwd.example", "srs#=x.example=ann@fwd.example",
     "srs0+ab+c=t9=x.example=ann@fwd.example"},
    {"key: SRS0 with -", "srs0-a/b=tt=x.example=ann@fwd.example", "srs#=x.example=ann@fwd.example",
     NULL},
    {"key: SRS0, tag and digits inside", "srs0=h=t=x.example=ann7+tag@fwd.example",
     "srs#=x.example=ann#@fwd.example", NULL},
    {"key: SRS0, BATV inside", "srs0=h=t=x.example=prvs=" BATV "=ann@fwd.example",
     "srs#=x.example=ann@fwd.example", NULL},
    {"key: SRS0, local with =", "srs0=h=t=x.example=a=b@fwd.example",
     "srs#=x.example=a=b@fwd.example", NULL},
    {"key: SRS0 in BATV", "prvs=" BATV "=srs0=h=t=x.example=ann@fwd.example",
     "srs#=x.example=ann@fwd.example", NULL},
    {"key: SRS1", "SRS1=HHHH=one.example==H2=TT=x.example=ann@two.example",
     "srs#=one.example==x.example=ann@two.example",
     "srs1=hhhh=one.example==h2=tt=x.example=ann@two.example"},
    {"key: SRS1 with +", "srs1+hh=one.example=+h2=tt=x.example=ann@two.example",
     "srs#=one.example==x.example=ann@two.example", NULL},
    {"key: SRS1 with -", "srs1-hh=one.example=-h2=tt=x.example=ann@two.example",
     "srs#=one.example==x.example=ann@two.example", NULL},
    {"key: SRS0, no local part", "srs0=h=t=x.example=@fwd.example",
     "srs#=h=t=x.example=@fwd.example", NULL},
    {"key: SRS0, no domain", "srs0=h=t==ann@fwd.example", "srs#=h=t==ann@fwd.example", NULL},
    {"key: SRS0, no time", "srs0=h==x.example=ann@fwd.example", "srs#=h==x.example=ann@fwd.example",
     NULL},
    {"key: SRS0, no hash", "srs0==t=x.example=ann@fwd.example", "srs#==t=x.example=ann@fwd.example",
     NULL},
    {"key: SRS0, too short", "srs0=h=t@fwd.example", "srs#=h=t@fwd.example", NULL},
    {"key: SRS0, the word alone", "srs0@fwd.example", "srs#@fwd.example", NULL},
    {"key: SRS0, another separator", "srs0.h=t=x.example=ann@fwd.example",
     "srs#.h=t=x.example=ann@fwd.example", NULL},
    {"key: SRS1, the word alone", "srs1@fwd.example", "srs#@fwd.example", NULL},
    {"key: SRS1, another separator", "srs1.h=t@fwd.example", "srs#.h=t@fwd.example", NULL},
    {"key: SRS1, no forwarder", "srs1=h===h2=tt=x.example=ann@two.example",
     "srs#=h===h#=tt=x.example=ann@two.example", NULL},
    {"key: SRS1, no hash", "srs1==one.example==h=tt=x.example=ann@two.example",
     "srs#==one.example==h=tt=x.example=ann@two.example", NULL},
    {"key: SRS1 around nothing", "srs1=h=one.example=@two.example",
     "srs#=h=one.example=@two.example", NULL},
    {"key: SRS2 is no scheme", "srs2=h=t=x.example=ann@two.example",
     "srs#=h=t=x.example=ann@two.example", NULL},
};

static void sender_key(void **state)
{
    const struct key_row *row = *state;
    unsigned char memory[ARENA_BYTES];
    struct arena arena;
    struct mail_address address;

    parse(row->sender, memory, &arena, &address);
    assert_int_equal(address.flaw, MAIL_OK);
    assert_string_equal(mail_sender_key(&address, true, &arena), row->folded);
    assert_string_equal(mail_sender_key(&address, false, &arena),
                        row->plain != NULL ? row->plain : row->sender);
}

struct recipient_row {
    const char *name; // the address
    const char *want;
};

static const struct recipient_row recipient_rows[] = {
    {"Ann@X.example", "ann@x.example"},
    {"ann+tag@x.example", "ann@x.example"},
    {"ann7@x.example", "ann7@x.example"},
    {"\"ann smith+tag\"@x.example", "\"ann smith\"@x.example"},
    {"Postmaster", "postmaster"},
    {"ann@m\xC3\xBCnchen.example", "ann@xn--mnchen-3ya.example"},
    {"prvs=1234abcdef=ann@x.example", "prvs=1234abcdef=ann@x.example"},
};

static void recipient_key(void **state)
{
    const struct recipient_row *row = *state;
    unsigned char memory[ARENA_BYTES];
    struct arena arena;
    struct mail_address address;

    parse(row->name, memory, &arena, &address);
    assert_string_equal(mail_recipient_key(&address, &arena), row->want);
}

// ---- memory

// With every size of arena: a result, or ERR_MEMORY and an untouched one; never more than the
// arena.
static void any_arena(void **state)
{
    static const char *const texts[] = {
        "Ann+tag@X.example",
        "\"a b+tag\"@x.example",
        "J\xC3\xBCrgen+t@m\xC3\xBCnchen.example",
        "SRS1=h=one.example==h=t=x.example=prvs=1234abcdef=a7@y.example",
        "broken",
        ""};
    const size_t count = sizeof(texts) / sizeof(texts[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        bool fitted = false;

        for (size_t size = 0; size < 512; size++) {
            unsigned char *memory = malloc(size);
            struct mail_address address = {.text = "untouched"};
            struct arena arena;
            enum err err;

            arena_init(&arena, memory, size);
            err = mail_parse(texts[i], &arena, &address);
            assert_true(err == ERR_NONE || err == ERR_MEMORY);
            if (err == ERR_MEMORY)
                assert_string_equal(address.text, "untouched");
            else
                fitted = mail_sender_key(&address, true, &arena) != NULL &&
                         mail_recipient_key(&address, &arena) != NULL;
            free(memory);
        }
        assert_true(fitted);
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, good_rows, good);
    TABLE_ROWS(&table, flaw_rows, flaw);
    TABLE_TEST(&table, null_sender);
    TABLE_TEST(&table, every_flaw_has_words);
    TABLE_ROWS(&table, domain_rows, domain);
    TABLE_TEST(&table, a_huge_domain);
    TABLE_ROWS(&table, key_rows, sender_key);
    TABLE_ROWS(&table, recipient_rows, recipient_key);
    TABLE_TEST(&table, any_arena);
    return table_run(&table, "mail");
}
