// check_host() with a scripted DNS: the outcomes, the limits from both sides, and what is asked.
// The RFC's own test suite runs through the whole program: tests/system/test_spf.py.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/spf/evaluate.h"
#include "proto/base/mem.h"
#include "tests/support/spf_zone.h"
#include "tests/support/table.h"

#define TXT(name, value)               \
    {                                  \
        name, SPF_TYPE_TXT, value, 300 \
    }
#define A(name, value)               \
    {                                \
        name, SPF_TYPE_A, value, 300 \
    }
#define AAAA(name, value)               \
    {                                   \
        name, SPF_TYPE_AAAA, value, 300 \
    }
#define MX(name, value)               \
    {                                 \
        name, SPF_TYPE_MX, value, 300 \
    }
#define PTR(name, value)               \
    {                                  \
        name, SPF_TYPE_PTR, value, 300 \
    }
#define HERE    "7.2.0.192.in-addr.arpa"
#define LABEL63 "aaaaaaaaaabbbbbbbbbbccccccccccddddddddddeeeeeeeeeeffffffffffggg"

static const struct zone_record ZONE[] = {
    TXT("ip4.x", "v=spf1 ip4:192.0.2.7 -all"),
    TXT("net.x", "v=spf1 ip4:192.0.2.200/24 -all"),
    TXT("bit25.x", "v=spf1 ip4:192.0.2.128/25 -all"),
    TXT("zero.x", "v=spf1 ip4:0.0.0.0/0 -all"),
    TXT("ip6.x", "v=spf1 ip6:2001:db8::/32 -all"),
    TXT("mapped.x", "v=spf1 ip6:::ffff:192.0.2.7 -all"),
    TXT("all.x", "v=spf1 +all"),
    TXT("case.x", "V=sPf1 Ip4:192.0.2.7 -ALL"),
    TXT("spaces.x", "v=spf1   ip4:192.0.2.7   "),
    TXT("tab.x", "v=spf1\t+all"),
    TXT("glued.x", "v=spf10 +all"),
    TXT("late.x", "v=spf1 ip4:192.0.2.7 -all wibble"),
    TXT("two.x", "v=spf1 +all"),
    TXT("two.x", "v=spf1 +all"),
    TXT("others.x", "google-site-verification=abc"),
    TXT("others.x", "v=spf1 ?all"),
    TXT("sick.x", NULL),
    TXT("a.x", "v=spf1 a -all"),
    A("a.x", "198.51.100.1"),
    A("a.x", "192.0.2.7"),
    AAAA("a.x", "2001:db8::7"),
    TXT("anet.x", "v=spf1 a:far.x/24//64 -all"),
    A("far.x", "192.0.2.99"),
    AAAA("far.x", "2001:db8::99"),
    TXT("anet25.x", "v=spf1 a:far.x/25//65 -all"),
    TXT("a32.x", "v=spf1 a:far.x -all"),
    TXT("asick.x", "v=spf1 a:broken.x +all"),
    A("broken.x", NULL),
    MX("broken.x", NULL),
    TXT("mxsick.x", "v=spf1 mx:broken.x +all"),
    TXT("mx.x", "v=spf1 mx -all"),
    MX("mx.x", "gone.x"),
    MX("mx.x", "a.x"),
    TXT("nullmx.x", "v=spf1 mx -all"),
    MX("nullmx.x", ""),
    TXT("mxhostsick.x", "v=spf1 mx -all"),
    MX("mxhostsick.x", "broken.x"),
    TXT("exists.x", "v=spf1 exists:%{ir}.%{v}._spf.%{d2} -all"),
    A("7.2.0.192.in-addr._spf.exists.x", "127.0.0.2"),
    TXT("inc.x", "v=spf1 include:ip4.x -all"),
    TXT("incneg.x", "v=spf1 include:bit25.x ?all"),
    TXT("incnone.x", "v=spf1 include:nowhere.x +all"),
    TXT("incsick.x", "v=spf1 include:sick.x +all"),
    TXT("incbad.x", "v=spf1 include:late.x +all"),
    TXT("red.x", "v=spf1 redirect=ip4.x"),
    TXT("redall.x", "v=spf1 redirect=ip4.x ?all"),
    TXT("rednone.x", "v=spf1 redirect=nowhere.x"),
    TXT("red2.x", "v=spf1 redirect=ip4.x redirect=ip4.x"),
    TXT("exp2.x", "v=spf1 exp=ip4.x exp=ip4.x +all"),
    TXT("self.x", "v=spf1 include:self.x -all"),
    TXT("selfred.x", "v=spf1 redirect=selfred.x"),
    TXT("ptr.x", "v=spf1 ptr -all"),
    TXT("ptrto.x", "v=spf1 ptr:pool.ptr.x -all"),
    PTR(HERE, "liar.x"),
    PTR(HERE, "mail.ptr.x"),
    A("liar.x", "198.51.100.1"),
    A("mail.ptr.x", "192.0.2.7"),
    TXT("p.x", "v=spf1 exists:%{p}.seen.x -all"),
    A("mail.ptr.x.seen.x", "127.0.0.2"),
    TXT("local.x", "v=spf1 exists:%{l}.user.x -all"),
    A("ann.user.x", "127.0.0.2"),
    TXT("helo.x", "v=spf1 exists:%{h}.seen.x -all"),
    TXT("unused.x", "v=spf1 ip4:192.0.2.7 exists:%{l}.user.x -all"),
    TXT("v2.x", "v=spf1 a:n1.x a:n2.x +all"),
    TXT("v3.x", "v=spf1 a:n1.x mx:n2.x exists:n3.x +all"),
    TXT("v3inc.x", "v=spf1 a:n1.x include:v2.x +all"),
    TXT("t10.x", "v=spf1 a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x "
                 "a:far.x +all"),
    TXT("t11.x", "v=spf1 a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x "
                 "a:far.x a:far.x +all"),
    TXT("t10red.x", "v=spf1 a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x "
                    "a:far.x redirect=all.x"),
    TXT("t11red.x", "v=spf1 a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x a:far.x "
                    "a:far.x a:far.x redirect=all.x"),
    TXT("m10.x", "v=spf1 mx +all"),
    TXT("m11.x", "v=spf1 mx +all"),
    MX("m10.x", "h1.x"),
    MX("m10.x", "h2.x"),
    MX("m10.x", "h3.x"),
    MX("m10.x", "h4.x"),
    MX("m10.x", "h5.x"),
    MX("m10.x", "h6.x"),
    MX("m10.x", "h7.x"),
    MX("m10.x", "h8.x"),
    MX("m10.x", "h9.x"),
    MX("m10.x", "far.x"),
    MX("m11.x", "h1.x"),
    MX("m11.x", "h2.x"),
    MX("m11.x", "h3.x"),
    MX("m11.x", "h4.x"),
    MX("m11.x", "h5.x"),
    MX("m11.x", "h6.x"),
    MX("m11.x", "h7.x"),
    MX("m11.x", "h8.x"),
    MX("m11.x", "h9.x"),
    MX("m11.x", "far.x"),
    MX("m11.x", "a.x"),
    TXT("long.x", "v=spf1 a:" LABEL63 "h.x +all"),
    TXT("dots.x", "v=spf1 a:one..two.x +all"),
    TXT("cut.x", "v=spf1 exists:" LABEL63 "." LABEL63 "." LABEL63 "." LABEL63 ".%{d} -all"),
    A(LABEL63 "." LABEL63 "." LABEL63 ".cut.x", "127.0.0.2"),
    {0},
};

static const struct row {
    const char *name; // domain, and what is special
    const char *client, *sender, *helo;
    enum spf_outcome outcome;
    unsigned answers; // that it took
} ROWS[] = {
    {"ip4", "192.0.2.7", "ann@ip4.x", "h.x", SPF_PASS, 1},
    {"ip4, another", "192.0.2.8", "ann@ip4.x", "h.x", SPF_FAIL, 1},
    {"ip4, IPv6 client", "2001:db8::7", "ann@ip4.x", "h.x", SPF_FAIL, 1},
    {"ip4, mapped client", "::ffff:192.0.2.7", "ann@ip4.x", "h.x", SPF_PASS, 1},
    {"host bits in a network", "192.0.2.7", "ann@net.x", "h.x", SPF_PASS, 1},
    {"outside a /24", "192.0.3.7", "ann@net.x", "h.x", SPF_FAIL, 1},
    {"below a /25", "192.0.2.127", "ann@bit25.x", "h.x", SPF_FAIL, 1},
    {"first of a /25", "192.0.2.128", "ann@bit25.x", "h.x", SPF_PASS, 1},
    {"/0 is everybody", "203.0.113.9", "ann@zero.x", "h.x", SPF_PASS, 1},
    {"/0 of IPv4 is no IPv6", "2001:db8::1", "ann@zero.x", "h.x", SPF_FAIL, 1},
    {"ip6", "2001:db8:ffff::1", "ann@ip6.x", "h.x", SPF_PASS, 1},
    {"ip6, another", "2001:db9::1", "ann@ip6.x", "h.x", SPF_FAIL, 1},
    {"a mapped network is no IPv4", "192.0.2.7", "ann@mapped.x", "h.x", SPF_FAIL, 1},
    {"all", "192.0.2.7", "ann@all.x", "h.x", SPF_PASS, 1},
    {"case", "192.0.2.7", "ann@case.x", "h.x", SPF_PASS, 1},
    {"spaces", "192.0.2.7", "ann@spaces.x", "h.x", SPF_PASS, 1},
    {"no match is neutral", "192.0.2.8", "ann@spaces.x", "h.x", SPF_NEUTRAL, 1},
    {"a tab", "192.0.2.7", "ann@tab.x", "h.x", SPF_NONE, 1},
    {"another version", "192.0.2.7", "ann@glued.x", "h.x", SPF_NONE, 1},
    {"an error behind the match", "192.0.2.7", "ann@late.x", "h.x", SPF_PERMERROR, 1},
    {"two records", "192.0.2.7", "ann@two.x", "h.x", SPF_PERMERROR, 1},
    {"other texts", "192.0.2.7", "ann@others.x", "h.x", SPF_NEUTRAL, 1},
    {"no such domain", "192.0.2.7", "ann@nowhere.x", "h.x", SPF_NONE, 1},
    {"a sick domain", "192.0.2.7", "ann@sick.x", "h.x", SPF_TEMPERROR, 1},
    {"one label", "192.0.2.7", "ann@localhost", "h.x", SPF_NONE, 0},
    {"no domain", "192.0.2.7", "ann", "h.x", SPF_NONE, 0},
    {"no domain after the @", "192.0.2.7", "ann@", "h.x", SPF_NONE, 0},
    {"an address literal", "192.0.2.7", "ann@[192.0.2.7]", "h.x", SPF_NONE, 0},
    {"not UTF-8", "192.0.2.7", "ann@\xff\xfe.x", "h.x", SPF_NONE, 0},
    {"null sender", "192.0.2.7", "", "ip4.x", SPF_PASS, 1},
    {"null sender without HELO", "192.0.2.7", "", "", SPF_NONE, 0},
    {"a", "192.0.2.7", "ann@a.x", "h.x", SPF_PASS, 2},
    {"a, IPv6", "2001:db8::7", "ann@a.x", "h.x", SPF_PASS, 2},
    {"a, another", "192.0.2.8", "ann@a.x", "h.x", SPF_FAIL, 2},
    {"a with a network", "192.0.2.7", "ann@anet.x", "h.x", SPF_PASS, 2},
    {"a with a network, IPv6", "2001:db8::7", "ann@anet.x", "h.x", SPF_PASS, 2},
    {"a with its other half", "192.0.2.199", "ann@anet25.x", "h.x", SPF_FAIL, 2},
    {"a with its half", "192.0.2.1", "ann@anet25.x", "h.x", SPF_PASS, 2},
    {"a with its other half, IPv6", "2001:db8::8000:0:0:1", "ann@anet25.x", "h.x", SPF_FAIL, 2},
    {"a without a network", "192.0.2.98", "ann@a32.x", "h.x", SPF_FAIL, 2},
    {"a, DNS fails", "192.0.2.7", "ann@asick.x", "h.x", SPF_TEMPERROR, 2},
    {"mx", "192.0.2.7", "ann@mx.x", "h.x", SPF_PASS, 4},
    {"mx, another", "192.0.2.8", "ann@mx.x", "h.x", SPF_FAIL, 4},
    {"mx, DNS fails", "192.0.2.7", "ann@mxsick.x", "h.x", SPF_TEMPERROR, 2},
    {"mx, a host's DNS fails", "192.0.2.7", "ann@mxhostsick.x", "h.x", SPF_TEMPERROR, 3},
    {"null MX", "192.0.2.7", "ann@nullmx.x", "h.x", SPF_FAIL, 2},
    {"exists with macros", "192.0.2.7", "ann@exists.x", "h.x", SPF_PASS, 2},
    {"exists with macros, another", "192.0.2.8", "ann@exists.x", "h.x", SPF_FAIL, 2},
    {"include", "192.0.2.7", "ann@inc.x", "h.x", SPF_PASS, 2},
    {"include that fails", "192.0.2.7", "ann@incneg.x", "h.x", SPF_NEUTRAL, 2},
    {"include of nothing", "192.0.2.7", "ann@incnone.x", "h.x", SPF_PERMERROR, 2},
    {"include of the sick", "192.0.2.7", "ann@incsick.x", "h.x", SPF_TEMPERROR, 2},
    {"include of the broken", "192.0.2.7", "ann@incbad.x", "h.x", SPF_PERMERROR, 2},
    {"redirect", "192.0.2.7", "ann@red.x", "h.x", SPF_PASS, 2},
    {"redirect that fails", "192.0.2.8", "ann@red.x", "h.x", SPF_FAIL, 2},
    {"all before redirect", "192.0.2.7", "ann@redall.x", "h.x", SPF_NEUTRAL, 1},
    {"redirect to nothing", "192.0.2.7", "ann@rednone.x", "h.x", SPF_PERMERROR, 2},
    {"two redirects", "192.0.2.7", "ann@red2.x", "h.x", SPF_PERMERROR, 1},
    {"two explanations", "192.0.2.7", "ann@exp2.x", "h.x", SPF_PERMERROR, 1},
    {"include of itself", "192.0.2.7", "ann@self.x", "h.x", SPF_PERMERROR, 1},
    {"redirect to itself", "192.0.2.7", "ann@selfred.x", "h.x", SPF_PERMERROR, 1},
    {"ptr", "192.0.2.7", "ann@ptr.x", "h.x", SPF_PASS, 3},
    {"ptr without a name", "192.0.2.9", "ann@ptr.x", "h.x", SPF_FAIL, 2},
    {"ptr of another name", "192.0.2.7", "ann@ptrto.x", "h.x", SPF_FAIL, 2},
    {"a validated name", "192.0.2.7", "ann@p.x", "h.x", SPF_PASS, 5},
    {"no validated name", "192.0.2.9", "ann@p.x", "h.x", SPF_FAIL, 3},
    {"two voids", "192.0.2.7", "ann@v2.x", "h.x", SPF_PASS, 3},
    {"three voids", "192.0.2.7", "ann@v3.x", "h.x", SPF_PERMERROR, 4},
    {"three voids with an include", "192.0.2.7", "ann@v3inc.x", "h.x", SPF_PERMERROR, 4},
    {"ten terms", "198.51.100.9", "ann@t10.x", "h.x", SPF_PASS, 2},
    {"eleven terms", "198.51.100.9", "ann@t11.x", "h.x", SPF_PERMERROR, 2},
    {"ten terms, one a redirect", "198.51.100.9", "ann@t10red.x", "h.x", SPF_PASS, 3},
    {"eleven terms, one a redirect", "198.51.100.9", "ann@t11red.x", "h.x", SPF_PERMERROR, 2},
    {"ten MX hosts", "192.0.2.99", "ann@m10.x", "h.x", SPF_PASS, 12},
    {"eleven MX hosts", "192.0.2.99", "ann@m11.x", "h.x", SPF_PERMERROR, 2},
    {"a label too long for DNS", "192.0.2.7", "ann@long.x", "h.x", SPF_PASS, 1},
    {"an empty label", "192.0.2.7", "ann@dots.x", "h.x", SPF_PASS, 1},
    {"a name too long is cut from the left", "192.0.2.7", "ann@cut.x", "h.x", SPF_PASS, 2},
};

// evaluate: to the end, with the zone. Returns how many answers it took.
static unsigned evaluate(const struct spf_subject *subject, const struct zone_record *zone,
                         struct spf_result *out)
{
    struct spf_facts *facts = mem_new(sizeof(*facts));
    struct zone_message *message = mem_new(sizeof(*message));
    unsigned answers = 0;

    spf_facts_init(facts);
    for (spf_evaluate(subject, facts, out); out->outcome == SPF_UNKNOWN;
         spf_evaluate(subject, facts, out)) {
        enum dns_state state = zone_answer(zone, &out->query, message);

        assert_null(spf_facts_find(facts, out->query.name, out->query.type));
        assert_int_equal(spf_facts_add(facts, out->query.name, out->query.type, state,
                                       message->bytes, message->len),
                         ERR_NONE);
        assert_true(++answers <= SPF_ANSWERS_MAX);
    }
    mem_free(message);
    mem_free(facts);
    return answers;
}

static void check_row(void **state)
{
    const struct row *row = *state;
    struct spf_subject subject;
    struct spf_result result = {0};

    assert_true(spf_subject_init(&subject, row->client, row->sender, row->helo));
    unsigned answers = evaluate(&subject, ZONE, &result);
    assert_int_equal(result.outcome, row->outcome);
    assert_int_equal(answers, row->answers);
}

static void what_an_outcome_rests_on(void **unused)
{
    static const struct {
        const char *sender, *helo;
        enum spf_outcome outcome;
        bool varies;
    } rows[] = {
        {"ann@local.x", "h.x", SPF_PASS, true},      {"bob@local.x", "h.x", SPF_FAIL, true},
        {"@local.x", "h.x", SPF_FAIL, true},         {"ann@helo.x", "mail.ptr.x", SPF_PASS, true},
        {"ann@helo.x", "h.x", SPF_FAIL, true},       {"ann@ip4.x", "h.x", SPF_PASS, false},
        {"ann@exists.x", "h.x", SPF_PASS, false},    {"ann@unused.x", "h.x", SPF_PASS, false},
        {"\xc3\xa4@local.x", "h.x", SPF_FAIL, true}, // RFC 8616: a name that nobody has
        {"a..b@local.x", "h.x", SPF_FAIL, true},
    };

    (void)unused;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct spf_subject subject;
        struct spf_result result = {0};

        assert_true(spf_subject_init(&subject, "192.0.2.7", rows[i].sender, rows[i].helo));
        (void)evaluate(&subject, ZONE, &result);
        assert_int_equal(result.outcome, rows[i].outcome);
        assert_int_equal(result.varies, rows[i].varies);
    }
}

static void who_is_not_looked_up(void **unused)
{
    static const char *const clients[] = {
        "",           "unknown",        "192.0.2",     "127.0.0.1",   "::1",     "10.0.0.1",
        "172.16.0.1", "172.31.255.255", "192.168.0.1", "169.254.1.1", "fe80::1", "fd00::1",
    };
    static const char *const public[] = {"9.255.255.255", "11.0.0.0",    "172.15.255.255",
                                         "172.32.0.0",    "192.167.0.1", "192.169.0.1",
                                         "2001:db8::1",   "fec0::1"};
    struct spf_subject subject;

    (void)unused;
    for (size_t i = 0; i < sizeof(clients) / sizeof(clients[0]); i++)
        assert_false(spf_subject_init(&subject, clients[i], "ann@ip4.x", "h.x"));
    for (size_t i = 0; i < sizeof(public) / sizeof(public[0]); i++)
        assert_true(spf_subject_init(&subject, public[i], "ann@ip4.x", "h.x"));
}

static void what_is_too_long_of_a_client_is_cut(void **unused)
{
    struct spf_subject subject;
    char sender[5000];

    (void)unused;
    memset(sender, 'a', sizeof(sender));
    memcpy(sender + sizeof(sender) - 7, "@ip4.x", 7);
    assert_true(spf_subject_init(&subject, "192.0.2.7", sender, sender));
    assert_string_equal(subject.domain, "ip4.x");
    assert_int_equal(strlen(subject.local), MAIL_ADDRESS_MAX);
    assert_int_equal(strlen(subject.helo), MAIL_DOMAIN_MAX);
    sender[10] = '@';
    sender[sizeof(sender) - 7] = 'a';
    assert_true(spf_subject_init(&subject, "192.0.2.7", sender, ""));
    assert_string_equal(subject.domain, "");
}

// The most that the limits allow: ten terms, each with ten hosts, of which none has an address that
// fits, and %{p} beside.
static void the_most_that_can_be_asked(void **unused)
{
    static char names[200][64];
    static struct zone_record zone[260];
    static char record[SPF_RECORD_MAX];
    struct spf_subject subject;
    struct spf_result result = {0};
    struct text_buf text;
    size_t used = 0;

    (void)unused;
    text_buf_init(&text, record, sizeof(record));
    text_buf_add(&text, "v=spf1");
    for (unsigned term = 0; term < 10; term++) {
        (void)snprintf(names[term], sizeof(names[term]), "mail-unknown.%u.x", term);
        text_buf_add(&text, " mx:mail-%%{p}.%u.x", term);
        for (unsigned host = 0; host < 10; host++) {
            char *name = names[20 + term * 10 + host];

            (void)snprintf(name, sizeof(names[0]), "h%u.%u.x", host, term);
            zone[used++] = (struct zone_record)MX(names[term], name);
            zone[used++] = (struct zone_record)A(name, "198.51.100.1");
        }
    }
    for (unsigned i = 0; i < 12; i++) {
        (void)snprintf(names[150 + i], sizeof(names[0]), "p%u.x", i);
        zone[used++] = (struct zone_record)PTR(HERE, names[150 + i]);
    }
    text_buf_add(&text, " +all");
    zone[used++] = (struct zone_record)TXT("most.x", record);
    assert_true(spf_subject_init(&subject, "192.0.2.7", "ann@most.x", "h.x"));
    assert_int_equal(evaluate(&subject, zone, &result), 1 + 1 + 10 + 10 + 100);
    assert_int_equal(result.outcome, SPF_PASS);
}

// ---- answers that are no good

static void what_is_no_message_is_a_failure(void **unused)
{
    static const struct zone_record good[] = {TXT("x.x", "v=spf1 +all"), {0}};
    const struct spf_query query = {"x.x", SPF_TYPE_TXT};
    struct spf_facts *facts = mem_new(sizeof(*facts));
    struct zone_message *message = mem_new(sizeof(*message));

    (void)unused;
    assert_int_equal(zone_answer(good, &query, message), DNS_FOUND);
    for (size_t len = 0; len <= message->len; len++) {
        unsigned char *exact = mem_new(len + 1); // so that a reader beyond it is found

        memcpy(exact, message->bytes, len);
        exact = mem_grow(exact, len > 0 ? len : 1, 1);
        spf_facts_init(facts);
        assert_int_equal(spf_facts_add(facts, "x.x", SPF_TYPE_TXT, DNS_FOUND, exact, len),
                         ERR_NONE);
        assert_int_equal(spf_facts_find(facts, "x.x", SPF_TYPE_TXT)->state,
                         len == message->len ? DNS_FOUND : DNS_FAILED);
        mem_free(exact);
    }
    mem_free(message);
    mem_free(facts);
}

static void sizes_of_answers(void **unused)
{
    static char text[60000];
    static struct zone_record zone[] = {TXT("x.x", text), TXT("x.x", text), {0}};
    const struct spf_query query = {"x.x", SPF_TYPE_TXT};
    struct spf_facts *facts = mem_new(sizeof(*facts));
    struct zone_message *message = mem_new(sizeof(*message));
    const struct spf_fact *fact = NULL;

    (void)unused;
    zone[1] = (struct zone_record){0};
    for (size_t len = SPF_RECORD_MAX; len <= SPF_RECORD_MAX + 1; len++) {
        memset(text, ' ', sizeof(text));
        memcpy(text, "v=spf1", 6);
        text[len] = '\0';
        (void)zone_answer(zone, &query, message);
        spf_facts_init(facts);
        assert_int_equal(
            spf_facts_add(facts, "x.x", SPF_TYPE_TXT, DNS_FOUND, message->bytes, message->len),
            ERR_NONE);
        fact = spf_facts_find(facts, "X.x", SPF_TYPE_TXT);
        assert_int_equal(fact->count, 1);
        assert_int_equal(fact->record != NULL, len == SPF_RECORD_MAX);
    }
    mem_free(message);
    mem_free(facts);
}

static void the_memory_of_an_evaluation_is_bounded(void **unused)
{
    static struct zone_record zone[4000];
    const struct spf_query query = {"x.x", SPF_TYPE_A};
    struct spf_facts *facts = mem_new(sizeof(*facts));
    struct zone_message *message = mem_new(sizeof(*message));
    enum err err = ERR_NONE;
    unsigned added = 0;
    char name[8];

    (void)unused;
    for (size_t i = 0; i + 1 < sizeof(zone) / sizeof(zone[0]); i++)
        zone[i] = (struct zone_record)A("x.x", "192.0.2.1");
    (void)zone_answer(zone, &query, message);
    spf_facts_init(facts);
    for (; err == ERR_NONE && added < 100; added++) {
        (void)snprintf(name, sizeof(name), "x%u.x", added);
        err = spf_facts_add(facts, name, SPF_TYPE_A, DNS_FOUND, message->bytes, message->len);
    }
    assert_int_equal(err, ERR_MEMORY);
    assert_int_equal(added, SPF_FACTS_MEMORY / 16000 + 1);
    mem_free(message);
    mem_free(facts);
}

static void the_least_ttl_counts(void **unused)
{
    static const struct zone_record zone[] = {{"x.x", SPF_TYPE_TXT, "hello", 70},
                                              {"x.x", SPF_TYPE_TXT, "v=spf1 a", 90},
                                              {"x.x", SPF_TYPE_A, "192.0.2.1", 5},
                                              {0}};
    static const struct {
        enum spf_type type;
        uint32_t ttl_s;
    } rows[] = {{SPF_TYPE_MX, SPF_TTL_MAX_S}, {SPF_TYPE_TXT, 70}, {SPF_TYPE_A, 5}};
    struct spf_facts *facts = mem_new(sizeof(*facts));
    struct zone_message *message = mem_new(sizeof(*message));

    (void)unused;
    spf_facts_init(facts);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const struct spf_query query = {"x.x", rows[i].type};
        enum dns_state state = zone_answer(zone, &query, message);

        assert_int_equal(
            spf_facts_add(facts, "x.x", rows[i].type, state, message->bytes, message->len),
            ERR_NONE);
        assert_int_equal(facts->ttl_s, rows[i].ttl_s);
    }
    mem_free(message);
    mem_free(facts);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, ROWS, check_row);
    TABLE_TEST(&table, what_an_outcome_rests_on);
    TABLE_TEST(&table, who_is_not_looked_up);
    TABLE_TEST(&table, what_is_too_long_of_a_client_is_cut);
    TABLE_TEST(&table, the_most_that_can_be_asked);
    TABLE_TEST(&table, what_is_no_message_is_a_failure);
    TABLE_TEST(&table, sizes_of_answers);
    TABLE_TEST(&table, the_memory_of_an_evaluation_is_bounded);
    TABLE_TEST(&table, the_least_ttl_counts);
    return table_run(&table, "spf evaluate");
}
