// The levels of one message, and their names: for the store, for a person, and back.
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/reputation.h"
#include "proto/mail.h"
#include "tests/support/table.h"

// 255 bytes, as long as a domain may be.
#define LABEL_64 "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxy."
#define LONG_DOMAIN \
    LABEL_64 LABEL_64 LABEL_64 "abcdefghijklmnopqrstuvwxyz0123456789-_abcdefghijklmnopqrstuvwxy"

// ---- levels

static const struct levels_row {
    const char *name;
    const char *ip; // "" = not known
    uint32_t asn;
    const char *country, *domain;
    enum reputation_auth auth;
    unsigned address_count;
    const char *keys; // leaf to root, chain after chain
} LEVELS[] = {
    {"nothing is known", "", 0, "", "", REPUTATION_UNASKED, 0, ""},
    {"an address alone", "192.0.2.130", 0, "", "", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address"},
    {"IPv6", "2001:db8:1:2:3:4:5:6", 0, "", "", REPUTATION_UNASKED, 4,
     "r:i:20010db8000100020003000400050006 r:n:20010db800010002 r:w:20010db80001 r:g:address"},
    {"IPv4 that is mapped", "::ffff:192.0.2.130", 0, "", "", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address"},
    {"all of an address", "192.0.2.130", 64500, "DE", "", REPUTATION_PASSED, 6,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:64500 r:c:DE r:g:address"},
    {"no AS", "192.0.2.130", 0, "DE", "", REPUTATION_PASSED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:c:DE r:g:address"},
    {"no country", "192.0.2.130", UINT32_MAX, "", "", REPUTATION_PASSED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:4294967295 r:g:address"},
    {"what is no country", "192.0.2.130", 0, "de", "", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address"},
    {"one letter", "192.0.2.130", 0, "D", "", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address"},
    {"three letters", "192.0.2.130", 0, "DEU", "", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address"},
    {"AS and country without an address say nothing", "", 64500, "DE", "", REPUTATION_UNASKED, 0,
     ""},
    {"a sender at an AS", "192.0.2.130", 64500, "", "example.co.uk", REPUTATION_UNASKED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:64500 r:g:address "
     "r:e:64500/example.co.uk r:d:example.co.uk r:t:uk r:g:sender"},
    {"a sender that SPF passed for", "192.0.2.130", 64500, "", "example.org", REPUTATION_PASSED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:64500 r:g:address "
     "r:e:64500/example.org r:d:example.org r:t:org r:g:sender"},
    {"one that was looked at without avail", "192.0.2.130", 64500, "", "example.org",
     REPUTATION_UNCONFIRMED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:64500 r:g:address "
     "r:e:64500/example.org r:t:org r:g:sender"},
    {"one that failed", "192.0.2.130", 64500, "", "example.org", REPUTATION_FAILED, 5,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:a:64500 r:g:address"},
    {"a sender without an AS", "192.0.2.130", 0, "", "example.org", REPUTATION_UNASKED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address r:d:example.org r:t:org r:g:sender"},
    {"neither AS nor avail", "192.0.2.130", 0, "", "example.org", REPUTATION_UNCONFIRMED, 4,
     "r:i:c0000282 r:n:c00002 r:w:c000 r:g:address r:t:org r:g:sender"},
    {"a sender alone", "", 64500, "", "example.org", REPUTATION_UNASKED, 0,
     "r:e:64500/example.org r:d:example.org r:t:org r:g:sender"},
    {"a single label", "", 0, "", "localhost", REPUTATION_UNASKED, 0,
     "r:d:localhost r:t:localhost r:g:sender"},
};

static void check_levels(void **state)
{
    const struct levels_row *row = *state;
    struct reputation_client client = {
        .asn = row->asn, .country = row->country, .domain = row->domain, .auth = row->auth};
    struct reputation_facts facts;
    char keys[600] = "";

    if (row->ip[0] != '\0')
        assert_true(ip_parse(row->ip, &client.ip));
    reputation_levels(&client, &facts);
    for (unsigned i = 0; i < facts.count; i++) {
        const size_t used = strlen(keys);
        char key[REPUTATION_KEY_MAX];
        const size_t len = reputation_key(&facts.level[i].id, key);

        assert_int_equal(facts.level[i].state, FACT_UNKNOWN);
        assert_int_equal(facts.level[i].is.slot_count, 0);
        assert_int_equal(len, strlen(key));
        snprintf(keys + used, sizeof(keys) - used, "%s%s", used > 0 ? " " : "", key);
    }
    assert_string_equal(keys, row->keys);
    assert_int_equal(facts.address_count, row->address_count);
}

// ---- names

static const struct name_row {
    const char *key;
    enum reputation_kind kind;
    const char *text;
} NAMES[] = {
    {"r:i:00000000", REPUTATION_IP, "0.0.0.0"},
    {"r:i:ffffffff", REPUTATION_IP, "255.255.255.255"},
    {"r:i:c0000201", REPUTATION_IP, "192.0.2.1"},
    {"r:i:20010db8000000000000000000000001", REPUTATION_IP, "2001:db8::1"},
    {"r:n:c00002", REPUTATION_NET, "192.0.2.0/24"},
    {"r:n:20010db800010002", REPUTATION_NET, "2001:db8:1:2::/64"},
    {"r:w:c000", REPUTATION_WIDE, "192.0.0.0/16"},
    {"r:w:20010db80001", REPUTATION_WIDE, "2001:db8:1::/48"},
    {"r:a:1", REPUTATION_ASN, "AS1"},
    {"r:a:4294967295", REPUTATION_ASN, "AS4294967295"},
    {"r:c:DE", REPUTATION_COUNTRY, "DE"},
    {"r:g:address", REPUTATION_WORLD, "all addresses"},
    {"r:e:64500/example.org", REPUTATION_SENDER, "example.org at AS64500"},
    {"r:e:4294967295/" LONG_DOMAIN, REPUTATION_SENDER, LONG_DOMAIN " at AS4294967295"},
    {"r:d:example.org", REPUTATION_DOMAIN, "example.org"},
    {"r:d:xn--mnchen-3ya.example", REPUTATION_DOMAIN, "xn--mnchen-3ya.example"},
    {"r:d:" LONG_DOMAIN, REPUTATION_DOMAIN, LONG_DOMAIN},
    {"r:t:org", REPUTATION_TLD, ".org"},
    {"r:g:sender", REPUTATION_SENDERS, "all senders"},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;
    char key[REPUTATION_KEY_MAX], text[REPUTATION_TEXT_MAX];
    struct reputation_id id;

    assert_true(reputation_id_read(row->key, &id));
    assert_int_equal(id.kind, row->kind);
    assert_int_equal(reputation_key(&id, key), strlen(row->key));
    assert_string_equal(key, row->key);
    assert_string_equal(reputation_text(&id, text), row->text);
}

static const struct foreign_row {
    const char *key;
} FOREIGN[] = {
    {"r"},
    {"r:"},
    {"r:i"},
    {"r:i:"},
    {"R:i:c0000201"},
    {"r-i:c0000201"},
    {"r:i-c0000201"},
    {"r:x:c0000201"},
    {"r:I:c0000201"},
    {" r:i:c0000201"},
    {"t:{c0000201}"},
    {"r:i:c000020"},
    {"r:i:c00002010"},
    {"r:i:c000020100"},
    {"r:i:C0000201"},
    {"r:i:c000020g"},
    {"r:i:c000020 "},
    {"r:i:g0000201"},
    {"r:i:c00002"},
    {"r:i:20010db800000000000000000000000"},
    {"r:i:20010db80000000000000000000000011"},
    {"r:n:c000"},
    {"r:n:c0000201"},
    {"r:n:20010db8000100"},
    {"r:w:c0"},
    {"r:w:c00002"},
    {"r:w:20010db800010002"},
    {"r:a:"},
    {"r:a:0"},
    {"r:a:01"},
    {"r:a:-1"},
    {"r:a:1x"},
    {"r:a:4294967296"},
    {"r:a:18446744073709551617"},
    {"r:a:99999999999999999999999999"},
    {"r:c:"},
    {"r:c:D"},
    {"r:c:de"},
    {"r:c:DEU"},
    {"r:c:D1"},
    {"r:c:1D"},
    {"r:c:[D"},
    {"r:c:D["},
    {"r:g:"},
    {"r:g:addr"},
    {"r:g:addresses"},
    {"r:g:senders"},
    {"r:g:x"},
    {"r:e:"},
    {"r:e:example.org"},
    {"r:e:64500"},
    {"r:e:64500/"},
    {"r:e:/example.org"},
    {"r:e:0/example.org"},
    {"r:e:064500/example.org"},
    {"r:e:4294967296/example.org"},
    {"r:e:64500/64500/example.org"},
    {"r:e:64500/Example.org"},
    {"r:e:64500/" LONG_DOMAIN "x"},
    {"r:d:"},
    {"r:d:Example.org"},
    {"r:d:example org"},
    {"r:d:example.org/64500"},
    {"r:d:m\xc3\xbcnchen.example"},
    {"r:d:example.org\n"},
    {"r:d:" LONG_DOMAIN "x"},
    {"r:t:"},
    {"r:t:co.uk"},
    {"r:t:ORG"},
};

static void check_foreign(void **state)
{
    const struct foreign_row *row = *state;
    struct reputation_id id, before;

    memset(&before, 0xa5, sizeof(before));
    memcpy(&id, &before, sizeof(id));
    assert_false(reputation_id_read(row->key, &id));
    assert_memory_equal(&id, &before, sizeof(id));
}

// What most keys are: together with their bytes they decide how much memory an entity takes.
static void keys_of_addresses_are_short(void **state)
{
    struct reputation_client client = {.country = "", .domain = ""};
    struct reputation_facts facts;
    struct reputation_id id;
    char key[REPUTATION_KEY_MAX];

    (void)state;
    assert_false(reputation_id_read("", &id));
    assert_true(ip_parse("255.255.255.255", &client.ip));
    reputation_levels(&client, &facts);
    assert_int_equal(reputation_key(&facts.level[0].id, key), 12);
}

static void kinds_have_names(void **state)
{
    static const char *const TEXTS[REPUTATION_KINDS] = {
        "ip", "net", "wide", "asn", "country", "world", "sender", "domain", "tld", "senders"};

    (void)state;
    for (enum reputation_kind kind = 0; kind < REPUTATION_KINDS; kind++) {
        assert_string_equal(reputation_kind_text(kind), TEXTS[kind]);
        assert_int_equal(reputation_kind_of(TEXTS[kind]), kind);
        assert_int_equal(reputation_is_root(kind),
                         kind == REPUTATION_WORLD || kind == REPUTATION_SENDERS);
    }
    assert_int_equal(reputation_kind_of(""), REPUTATION_KINDS);
    assert_int_equal(reputation_kind_of("IP"), REPUTATION_KINDS);
    assert_int_equal(reputation_kind_of("sende"), REPUTATION_KINDS);
}

int main(void)
{
    struct table table = {.count = 0};

    assert_int_equal(strlen(LONG_DOMAIN), MAIL_DOMAIN_MAX);
    TABLE_ROWS(&table, LEVELS, check_levels);
    TABLE_ROWS(&table, NAMES, check_name);
    TABLE_ROWS(&table, FOREIGN, check_foreign);
    TABLE_TEST(&table, keys_of_addresses_are_short);
    TABLE_TEST(&table, kinds_have_names);
    return table_run(&table, "reputation_id");
}
