// How many first tries a network brought in an hour: exact as long as there is room, bounded always.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "node/core/chain.h"
#include "node/verbs/rate.h"
#include "tests/support/table.h"

static const uint64_t NOW_MS = 500 * ABUSE_HOUR_MS;

static struct ip_net net_of(const char *text)
{
    struct ip_net net;

    assert_int_equal(ip_net_parse(text, &net, NULL), ERR_NONE);
    return net;
}

static void networks_are_counted_apart(void **state)
{
    static const char *const NETS[] = {"192.0.2.0/24", "192.0.3.0/24", "192.0.2.0/25",
                                       "2001:db8::/64", "2001:db8:0:1::/64"};
    struct rate *rate = rate_new(64);

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        const struct ip_net net = net_of(NETS[i]);

        assert_int_equal(rate_count(rate, &net, NOW_MS), 0);
        for (unsigned n = 0; n <= i; n++)
            rate_add(rate, &net, NOW_MS);
    }
    for (unsigned i = 0; i < 5; i++) {
        const struct ip_net net = net_of(NETS[i]);

        assert_int_equal(rate_count(rate, &net, NOW_MS), i + 1);
    }
    rate_free(&rate);
    assert_null(rate);
    rate_free(&rate);
}

static void an_hour_begins_with_nothing(void **state)
{
    const struct ip_net net = net_of("192.0.2.0/24");
    struct rate *rate = rate_new(8);

    (void)state;
    rate_add(rate, &net, NOW_MS);
    rate_add(rate, &net, NOW_MS + ABUSE_HOUR_MS - 1);
    assert_int_equal(rate_count(rate, &net, NOW_MS + ABUSE_HOUR_MS - 1), 2);
    assert_int_equal(rate_count(rate, &net, NOW_MS + ABUSE_HOUR_MS), 0);
    rate_add(rate, &net, NOW_MS + ABUSE_HOUR_MS);
    assert_int_equal(rate_count(rate, &net, NOW_MS + ABUSE_HOUR_MS), 1);
    assert_int_equal(rate_count(rate, &net, NOW_MS), 0); // the clock was set back: it begins anew
    rate_free(&rate);
}

static struct ip_net numbered(unsigned number)
{
    char text[32];

    (void)snprintf(text, sizeof(text), "10.%u.%u.0/24", number / 256, number % 256);
    return net_of(text);
}

static void what_was_counted_before_this_hour_goes_first(void **state)
{
    struct rate *rate = rate_new(8); // one set

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        const struct ip_net net = numbered(i);

        for (unsigned n = 0; n < 10 - i; n++)
            rate_add(rate, &net, NOW_MS + (i == 0 ? 0 : ABUSE_HOUR_MS));
    }
    const struct ip_net old = numbered(0);
    const struct ip_net least = numbered(7);
    const struct ip_net ninth = numbered(8);
    const struct ip_net tenth = numbered(9);

    rate_add(rate, &ninth, NOW_MS + ABUSE_HOUR_MS);
    rate_add(rate, &ninth, NOW_MS + ABUSE_HOUR_MS);
    rate_add(rate, &ninth, NOW_MS + ABUSE_HOUR_MS);
    rate_add(rate, &ninth, NOW_MS + ABUSE_HOUR_MS);
    assert_int_equal(rate_count(rate, &old, NOW_MS), 0); // ten, but of the hour before
    assert_int_equal(rate_count(rate, &least, NOW_MS + ABUSE_HOUR_MS), 3);
    rate_add(rate, &tenth, NOW_MS + ABUSE_HOUR_MS);
    assert_int_equal(rate_count(rate, &least, NOW_MS + ABUSE_HOUR_MS), 0); // and then who has least
    assert_int_equal(rate_count(rate, &ninth, NOW_MS + ABUSE_HOUR_MS), 4);
    assert_int_equal(rate_count(rate, &tenth, NOW_MS + ABUSE_HOUR_MS), 1);
    rate_free(&rate);
}

static void a_flood_of_networks_pushes_out_none_that_brings_more(void **state)
{
    const struct ip_net busy = net_of("192.0.2.0/24");
    struct rate *rate = rate_new(64);
    unsigned kept = 0;

    (void)state;
    rate_add(rate, &busy, NOW_MS);
    rate_add(rate, &busy, NOW_MS);
    for (unsigned i = 0; i < 10000; i++) {
        const struct ip_net net = numbered(i);

        rate_add(rate, &net, NOW_MS);
    }
    assert_int_equal(rate_count(rate, &busy, NOW_MS), 2);
    for (unsigned i = 0; i < 10000; i++) {
        const struct ip_net net = numbered(i);

        kept += rate_count(rate, &net, NOW_MS) > 0;
    }
    assert_in_range(kept, 32, 63);
    rate_free(&rate);
}

// Networks counted ahead of the clock, before it was set back, must not keep the place for ever.
static void what_was_counted_ahead_of_the_clock_gives_way(void **state)
{
    struct rate *rate = rate_new(8); // one set

    (void)state;
    for (unsigned i = 0; i < 8; i++) {
        const struct ip_net net = numbered(i);

        rate_add(rate, &net, NOW_MS + ABUSE_HOUR_MS);
        rate_add(rate, &net, NOW_MS + ABUSE_HOUR_MS);
    }
    for (unsigned n = 0; n < 3; n++) {
        for (unsigned i = 8; i < 16; i++) {
            const struct ip_net net = numbered(i);

            rate_add(rate, &net, NOW_MS);
        }
    }
    for (unsigned i = 8; i < 16; i++) {
        const struct ip_net net = numbered(i);

        assert_int_equal(rate_count(rate, &net, NOW_MS), 3);
    }
    rate_free(&rate);
}

static void a_site_is_over_with_eight_of_its_networks(void **state)
{
    const struct ip_net other = net_of("2001:db8:2:1::/64");
    const struct ip_net fresh = net_of("2001:db8:1:ffff::/64");
    const struct ip_net whole = net_of("2001:db8:1::/48");
    struct rate *rate = rate_new(64);

    (void)state;
    for (unsigned i = 0; i < 8 * 2; i++) {
        struct ip_net net = net_of("2001:db8:1::/64");

        net.ip.bytes[7] = (uint8_t)(i + 1);
        assert_false(rate_is_over(rate, &fresh, NOW_MS, 2));
        rate_add(rate, &net, NOW_MS);
        assert_false(rate_is_over(rate, &net, NOW_MS, 2) && i < 15);
    }
    assert_true(rate_is_over(rate, &fresh, NOW_MS, 2));
    assert_false(rate_is_over(rate, &fresh, NOW_MS, 3));
    assert_false(rate_is_over(rate, &fresh, NOW_MS, 0));
    assert_false(rate_is_over(rate, &fresh, NOW_MS + ABUSE_HOUR_MS, 2));
    assert_false(rate_is_over(rate, &other, NOW_MS, 2));
    assert_int_equal(rate_count(rate, &whole, NOW_MS), 16);
    rate_free(&rate);
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, networks_are_counted_apart);
    TABLE_TEST(&table, an_hour_begins_with_nothing);
    TABLE_TEST(&table, what_was_counted_before_this_hour_goes_first);
    TABLE_TEST(&table, a_flood_of_networks_pushes_out_none_that_brings_more);
    TABLE_TEST(&table, what_was_counted_ahead_of_the_clock_gives_way);
    TABLE_TEST(&table, a_site_is_over_with_eight_of_its_networks);
    return table_run(&table, "new mail a network and hour");
}
