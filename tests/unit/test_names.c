// The memory of clients' names: always host_identity's answer, however small the table and whatever
// was asked before.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "node/verbs/names.h"
#include "proto/host.h"
#include "proto/msg.h"
#include "tests/support/table.h"

static struct ip ip_of(const char *text)
{
    struct ip ip = {0};

    assert_true(ip_parse(text, &ip));
    return ip;
}

static void remembers(void **state)
{
    struct names *names = names_new(16);
    const struct ip ip = ip_of("192.0.2.7");

    (void)state;
    for (unsigned i = 0; i < 3; i++)
        assert_string_equal(names_find(names, "mx1.corp.co.uk", &ip), "corp.co.uk");
    assert_int_equal(names_hits(names), 2);
    names_free(&names);
    assert_null(names);
    names_free(&names);
}

static void remembers_that_a_name_says_nothing(void **state)
{
    struct names *names = names_new(16);
    const struct ip ip = ip_of("192.0.2.7");

    (void)state;
    for (unsigned i = 0; i < 2; i++)
        assert_string_equal(names_find(names, "192-0-2-7.dsl.example.net", &ip), "");
    assert_int_equal(names_hits(names), 1);
    assert_string_equal(names_find(names, "", &ip), "");
    assert_int_equal(names_hits(names), 1);
    names_free(&names);
}

// The name looks dynamic for one address and not for another.
static void the_address_belongs_to_it(void **state)
{
    struct names *names = names_new(1);
    const struct ip own = ip_of("192.0.2.7");
    const struct ip other = ip_of("198.51.100.9");

    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        assert_string_equal(names_find(names, "h-192-0-2-7.example.net", &own), "");
        assert_string_equal(names_find(names, "h-192-0-2-7.example.net", &other), "example.net");
    }
    assert_int_equal(names_hits(names), 0); // one place: each pushed the other out
    names_free(&names);
}

static void too_long_a_name(void **state)
{
    struct names *names = names_new(4);
    const struct ip ip = ip_of("192.0.2.7");
    char name[600];

    (void)state;
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    assert_string_equal(names_find(names, name, &ip), "");
    assert_string_equal(names_find(names, "mx.example.org", &ip), "example.org");
    names_free(&names);
}

// The longest name has a place; a longer one is worked out each time.
static void the_longest_name(void **state)
{
    static const char END[] = "/mx.example.org";
    struct names *names = names_new(1);
    const struct ip ip = ip_of("192.0.2.7");
    char name[MSG_CLIENT_NAME_MAX + 2];

    (void)state;
    for (size_t len = MSG_CLIENT_NAME_MAX; len <= MSG_CLIENT_NAME_MAX + 1; len++) {
        memset(name, 'a', len);
        memcpy(name + len - strlen(END), END, sizeof(END));
        for (unsigned i = 0; i < 2; i++)
            assert_string_equal(names_find(names, name, &ip), "");
        assert_int_equal(names_hits(names), 1);
    }
    names_free(&names);
}

static void a_crowd_in_a_small_table(void **state)
{
    struct names *names = names_new(8);

    (void)state;
    for (unsigned round = 0; round < 5000; round++) {
        char name[64];
        char text[32];
        char want[MAIL_DOMAIN_MAX + 1] = "";
        unsigned pick = round * 2654435761U % 37;

        (void)snprintf(name, sizeof(name), "mx%u.d%u.%s", pick % 5, pick,
                       pick % 3 == 0 ? "example" : "co.uk");
        (void)snprintf(text, sizeof(text), "192.0.2.%u", pick % 7);
        const struct ip ip = ip_of(text);

        if (!host_identity(name, &ip, want))
            want[0] = '\0';
        assert_string_equal(names_find(names, name, &ip), want);
    }
    names_free(&names);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, remembers);
    TABLE_TEST(&table, remembers_that_a_name_says_nothing);
    TABLE_TEST(&table, the_address_belongs_to_it);
    TABLE_TEST(&table, too_long_a_name);
    TABLE_TEST(&table, the_longest_name);
    TABLE_TEST(&table, a_crowd_in_a_small_table);
    return table_run(&table, "names");
}
