// Addresses and networks: what is one, how it is written, what lies in it.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "proto/ip.h"
#include "tests/support/table.h"

// ---- ip_parse

struct address_row {
    const char *name; // the text
    const char *want; // canonical; NULL = no address
    uint8_t family;
};

static const struct address_row address_rows[] = {
    {"192.0.2.1", "192.0.2.1", 4},
    {"0.0.0.0", "0.0.0.0", 4},
    {"255.255.255.255", "255.255.255.255", 4},
    {"::", "::", 6},
    {"::1", "::1", 6},
    {"2001:DB8::0001", "2001:db8::1", 6},
    {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1", 6},
    {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1", 6},
    {"1:2:3:4:5:6:7:8", "1:2:3:4:5:6:7:8", 6},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 6},
    {"64:ff9b::192.0.2.33", "64:ff9b::c000:221", 6},
    {"::ffff:192.0.2.1", "192.0.2.1", 4},
    {"::FFFF:c000:0201", "192.0.2.1", 4},
    {"0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1", 4},
    {"::fffe:192.0.2.1", "::fffe:c000:201", 6},
    {"", NULL, 0},
    {" ", NULL, 0},
    {" 192.0.2.1", NULL, 0},
    {"192.0.2.1 ", NULL, 0},
    {"192.0.2", NULL, 0},
    {"192.0.2.1.1", NULL, 0},
    {"192.0.2.256", NULL, 0},
    {"192.0.2.-1", NULL, 0},
    {"192.0.2.01", NULL, 0},
    {"192.0.2.0x1", NULL, 0},
    {"192.0..1", NULL, 0},
    {"3221225985", NULL, 0},
    {"192.0.2.1:25", NULL, 0},
    {"192.0.2.1/24", NULL, 0},
    {"[192.0.2.1]", NULL, 0},
    {"[2001:db8::1]", NULL, 0},
    {":", NULL, 0},
    {":::", NULL, 0},
    {"1::2::3", NULL, 0},
    {"1:2:3:4:5:6:7", NULL, 0},
    {"1:2:3:4:5:6:7:8:9", NULL, 0},
    {"12345::", NULL, 0},
    {"g::", NULL, 0},
    {"fe80::1%eth0", NULL, 0},
    {"2001:db8::/32", NULL, 0},
    {"::ffff:192.0.2.256", NULL, 0},
    {"unknown", NULL, 0},
    {"192.0.2.1\x01", NULL, 0},
    {"\xEF\xBC\x91.2.3.4", NULL, 0},
};

static void address(void **state)
{
    const struct address_row *row = *state;
    struct ip ip = {.family = 99};
    char text[IP_TEXT_MAX];

    if (row->want == NULL) {
        assert_false(ip_parse(row->name, &ip));
        assert_int_equal(ip.family, 99); // untouched
        return;
    }
    assert_true(ip_parse(row->name, &ip));
    assert_int_equal(ip.family, row->family);
    assert_string_equal(ip_format(&ip, text), row->want);
}

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};

    if (text[0] != '\0')
        assert_true(ip_parse(text, &ip));
    return ip;
}

// ---- ip_net_parse

struct net_row {
    const char *name;   // the text
    const char *want;   // canonical; NULL = refused
    const char *in_why; // part of the message, where refused
};

static const struct net_row net_rows[] = {
    {"192.0.2.0/24", "192.0.2.0/24", NULL},
    {"192.0.2.1", "192.0.2.1/32", NULL},
    {"192.0.2.1/32", "192.0.2.1/32", NULL},
    {"192.0.2.128/25", "192.0.2.128/25", NULL},
    {"0.0.0.0/0", "0.0.0.0/0", NULL},
    {"2001:DB8::/32", "2001:db8::/32", NULL},
    {"2001:db8::1", "2001:db8::1/128", NULL},
    {"::/0", "::/0", NULL},
    {"2001:db8:0:8000::/49", "2001:db8:0:8000::/49", NULL},
    {"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff/128",
     NULL},
    {"::ffff:192.0.2.0/120", "192.0.2.0/24", NULL},
    {"::ffff:192.0.2.1", "192.0.2.1/32", NULL},
    {"::ffff:0.0.0.0/96", "0.0.0.0/0", NULL},
    {"192.0.2.1/24", NULL, "did you mean 192.0.2.0/24?"},
    {"192.0.2.129/25", NULL, "did you mean 192.0.2.128/25?"},
    {"10.0.0.1/0", NULL, "did you mean 0.0.0.0/0?"},
    {"2001:db8::1/64", NULL, "did you mean 2001:db8::/64?"},
    {"::ffff:192.0.2.1/120", NULL, "did you mean 192.0.2.0/24?"},
    {"::ffff:0.0.0.0/95", NULL, "did you mean ::fffe:0:0/95?"},
    {"", NULL, "'' is no IP address or network"},
    {"/", NULL, "is no IP address or network"},
    {"/24", NULL, "is no IP address or network"},
    {"192.0.2.0/", NULL, "is no IP address or network"},
    {"192.0.2.0/33", NULL, "is no IP address or network"},
    {"2001:db8::/129", NULL, "is no IP address or network"},
    {"192.0.2.0/-1", NULL, "is no IP address or network"},
    {"192.0.2.0/+8", NULL, "is no IP address or network"},
    {"192.0.2.0/024", NULL, "is no IP address or network"},
    {"192.0.2.0/00", NULL, "is no IP address or network"},
    {"192.0.2.0/1000", NULL, "is no IP address or network"},
    {"192.0.2.0/ 24", NULL, "is no IP address or network"},
    {"192.0.2.0/24 ", NULL, "is no IP address or network"},
    {"192.0.2.0/24/24", NULL, "is no IP address or network"},
    {"192.0.2.0/255.255.255.0", NULL, "is no IP address or network"},
    {"192.0.2/24", NULL, "is no IP address or network"},
    {"example.org", NULL, "is no IP address or network"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.2555", NULL, "is no IP address or network"},
    {"one that is much longer than any network can be, and then some more text", NULL,
     "is no IP address or network"},
};

static void net(void **state)
{
    const struct net_row *row = *state;
    struct ip_net net = {.bits = 99};
    struct err_detail detail = {0};
    char text[IP_NET_TEXT_MAX];
    enum err err = ip_net_parse(row->name, &net, &detail);

    if (row->want == NULL) {
        assert_int_equal(err, ERR_SYNTAX);
        assert_int_equal(net.bits, 99);
        assert_non_null(strstr(detail.text, row->in_why));
        assert_int_equal(ip_net_parse(row->name, &net, NULL), ERR_SYNTAX);
        return;
    }
    assert_int_equal(err, ERR_NONE);
    assert_string_equal(ip_net_format(&net, text), row->want);
    assert_int_equal(ip_net_parse(text, &net, NULL), ERR_NONE);
    assert_string_equal(ip_net_format(&net, text), row->want);
}

// ---- ip_net_of

struct around_row {
    const char *name;
    const char *ip;
    unsigned bits;
    const char *want;
};

static const struct around_row around_rows[] = {
    {"a /24", "192.0.2.77", 24, "192.0.2.0/24"},
    {"a /32", "192.0.2.77", 32, "192.0.2.77/32"},
    {"a /0", "192.0.2.77", 0, "0.0.0.0/0"},
    {"a /1", "192.0.2.77", 1, "128.0.0.0/1"},
    {"a /31", "192.0.2.77", 31, "192.0.2.76/31"},
    {"bits beyond IPv4", "192.0.2.77", 64, "192.0.2.77/32"},
    {"a /64", "2001:db8:1:2:3:4:5:6", 64, "2001:db8:1:2::/64"},
    {"a /63", "2001:db8:1:3:3:4:5:6", 63, "2001:db8:1:2::/63"},
    {"a /128", "2001:db8::1", 128, "2001:db8::1/128"},
    {"bits beyond IPv6", "2001:db8::1", 4000, "2001:db8::1/128"},
    {"no address", "", 24, "-"},
};

static void around(void **state)
{
    const struct around_row *row = *state;
    struct ip ip = ip_of(row->ip);
    struct ip_net net = ip_net_of(&ip, row->bits);
    char text[IP_NET_TEXT_MAX];

    assert_string_equal(ip_net_format(&net, text), row->want);
    assert_int_equal(ip_net_contains(&net, &ip), ip.family != 0);
}

// ---- questions

struct inside_row {
    const char *name;
    const char *net;
    const char *ip;
    bool want;
};

static const struct inside_row inside_rows[] = {
    {"first of a /24", "192.0.2.0/24", "192.0.2.0", true},
    {"last of a /24", "192.0.2.0/24", "192.0.2.255", true},
    {"before a /24", "192.0.2.0/24", "192.0.1.255", false},
    {"after a /24", "192.0.2.0/24", "192.0.3.0", false},
    {"inside a /25", "192.0.2.0/25", "192.0.2.127", true},
    {"after a /25", "192.0.2.0/25", "192.0.2.128", false},
    {"itself", "192.0.2.7", "192.0.2.7", true},
    {"its neighbour", "192.0.2.7", "192.0.2.6", false},
    {"all of IPv4", "0.0.0.0/0", "255.0.0.1", true},
    {"all of IPv4 holds no IPv6", "0.0.0.0/0", "::1", false},
    {"all of IPv6 holds no IPv4", "::/0", "192.0.2.1", false},
    {"a mapped address is IPv4", "192.0.2.0/24", "::ffff:192.0.2.9", true},
    {"inside a /64", "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff", true},
    {"after a /64", "2001:db8::/64", "2001:db8:0:1::", false},
    {"no address is nowhere", "0.0.0.0/0", "", false},
};

static void inside(void **state)
{
    const struct inside_row *row = *state;
    struct ip ip = ip_of(row->ip);
    struct ip_net net;

    assert_int_equal(ip_net_parse(row->net, &net, NULL), ERR_NONE);
    assert_int_equal(ip_net_contains(&net, &ip), row->want);
}

struct loopback_row {
    const char *name; // the address
    bool want;
};

static const struct loopback_row loopback_rows[] = {
    {"127.0.0.1", true},
    {"127.255.255.255", true},
    {"::1", true},
    {"::ffff:127.0.0.1", true},
    {"126.255.255.255", false},
    {"128.0.0.0", false},
    {"::", false},
    {"::2", false},
    {"7f00::1", false},
    {"", false},
};

static void loopback(void **state)
{
    const struct loopback_row *row = *state;
    struct ip ip = ip_of(row->name);

    assert_int_equal(ip_is_loopback(&ip), row->want);
}

static void equal(void **state)
{
    struct ip a = ip_of("192.0.2.1");
    struct ip b = ip_of("::ffff:192.0.2.1");
    struct ip c = ip_of("192.0.2.2");
    struct ip d = ip_of("c000:0201::"); // the same bytes in the other family

    (void)state;
    assert_true(ip_equal(&a, &b));
    assert_false(ip_equal(&a, &c));
    assert_memory_equal(a.bytes, d.bytes, sizeof(a.bytes));
    assert_false(ip_equal(&a, &d));
}

// Every two of a list that is in order compare like their places.
static void compare(void **state)
{
    static const char *const order[] = {"0.0.0.0/0",     "10.0.0.0/8",    "10.0.0.0/16",
                                        "10.0.0.1",      "192.0.2.0/24",  "::/0",
                                        "2001:db8::/32", "2001:db8::/64", "2001:db8::1"};
    const size_t count = sizeof(order) / sizeof(order[0]);

    (void)state;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < count; j++) {
            struct ip_net a;
            struct ip_net b;
            int got;

            assert_int_equal(ip_net_parse(order[i], &a, NULL), ERR_NONE);
            assert_int_equal(ip_net_parse(order[j], &b, NULL), ERR_NONE);
            got = ip_net_compare(&a, &b);
            assert_int_equal((got > 0) - (got < 0), (i > j) - (i < j));
        }
    }
}

static void no_address(void **state)
{
    struct ip ip = {0};
    struct ip_net network = {0};
    char text[IP_TEXT_MAX];
    char net_text[IP_NET_TEXT_MAX];

    (void)state;
    assert_string_equal(ip_format(&ip, text), "-");
    assert_string_equal(ip_net_format(&network, net_text), "-");
}

static void every_octet_is_written(void **state)
{
    char text[IP_TEXT_MAX];
    char want[IP_TEXT_MAX];

    (void)state;
    for (unsigned i = 0; i < 256; i++) {
        const struct ip ip = {.family = 4,
                              .bytes = {(uint8_t)i, (uint8_t)(255 - i), 0, (uint8_t)i}};

        (void)snprintf(want, sizeof(want), "%u.%u.0.%u", i, 255 - i, i);
        assert_string_equal(ip_format(&ip, text), want);
    }
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, address_rows, address);
    TABLE_ROWS(&table, net_rows, net);
    TABLE_ROWS(&table, around_rows, around);
    TABLE_ROWS(&table, inside_rows, inside);
    TABLE_ROWS(&table, loopback_rows, loopback);
    TABLE_TEST(&table, equal);
    TABLE_TEST(&table, compare);
    TABLE_TEST(&table, no_address);
    TABLE_TEST(&table, every_octet_is_written);
    return table_run(&table, "ip");
}
