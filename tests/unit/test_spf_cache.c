// Outcomes that are kept: which give way, and whose they are.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "client/spf/cache.h"

static void the_least_recently_used_gives_way(void **unused)
{
    struct spf_cache *cache = spf_cache_new(16);
    struct spf_subject subject;
    struct spf_entry *pinned = NULL;
    char sender[32];

    (void)unused;
    for (unsigned i = 0; i < 40; i++) {
        (void)snprintf(sender, sizeof(sender), "ann@d%u.x", i);
        assert_true(spf_subject_init(&subject, "192.0.2.7", sender, "h.x"));
        struct spf_entry *entry = spf_cache_take(cache, &subject, SPF_KEY_DOMAIN);
        assert_int_equal(entry->outcome, SPF_UNKNOWN);
        entry->outcome = SPF_PASS;
        entry->is_pinned = i == 0;
        pinned = i == 0 ? entry : pinned;
        assert_true(spf_cache_count(cache) <= 16);
        assert_true(spf_subject_init(&subject, "192.0.2.7", "ann@d1.x", "h.x"));
        if (i > 1) // d1 is used all the time
            assert_int_equal(spf_cache_take(cache, &subject, SPF_KEY_DOMAIN)->outcome, SPF_PASS);
    }
    assert_true(spf_subject_init(&subject, "192.0.2.7", "ann@d0.x", "h.x"));
    assert_ptr_equal(spf_cache_take(cache, &subject, SPF_KEY_DOMAIN), pinned);
    assert_true(spf_subject_init(&subject, "192.0.2.7", "ann@d2.x", "h.x"));
    assert_int_equal(spf_cache_take(cache, &subject, SPF_KEY_DOMAIN)->outcome, SPF_UNKNOWN);
    assert_true(spf_subject_init(&subject, "192.0.2.7", "ann@d39.x", "h.x"));
    assert_int_equal(spf_cache_take(cache, &subject, SPF_KEY_DOMAIN)->outcome, SPF_PASS);
    spf_cache_free(&cache);
    spf_cache_free(&cache);
}

static void keys_are_of_their_parts(void **unused)
{
    struct spf_cache *cache = spf_cache_new(100);
    static const struct {
        const char *client, *domain, *local, *helo;
        enum spf_key kind;
    } rows[] = {
        {"192.0.2.7", "a.x", "b", "c", SPF_KEY_SENDER},
        {"192.0.2.7", "a.x", "bc", "", SPF_KEY_SENDER},
        {"192.0.2.7", "a.x", "", "bc", SPF_KEY_SENDER},
        {"192.0.2.7", "a.xb", "", "c", SPF_KEY_SENDER},
        {"192.0.2.8", "a.x", "b", "c", SPF_KEY_SENDER},
        {"::192.0.2.7", "a.x", "b", "c", SPF_KEY_SENDER},
        {"192.0.2.7", "a.x", "b", "c", SPF_KEY_DOMAIN},
        {"192.0.2.7", "a.y", "b", "c", SPF_KEY_DOMAIN},
        {"192.0.2.7", "", "", "", SPF_KEY_DOMAIN},
        {"192.0.2.7", "", "", "", SPF_KEY_SENDER},
    };
    const size_t count = sizeof(rows) / sizeof(rows[0]);

    (void)unused;
    for (unsigned round = 0; round < 2; round++) {
        for (size_t i = 0; i < count; i++) {
            struct spf_subject subject = {0};

            assert_true(ip_parse(rows[i].client, &subject.client));
            (void)snprintf(subject.domain, sizeof(subject.domain), "%s", rows[i].domain);
            (void)snprintf(subject.local, sizeof(subject.local), "%s", rows[i].local);
            (void)snprintf(subject.helo, sizeof(subject.helo), "%s", rows[i].helo);
            struct spf_entry *entry = spf_cache_take(cache, &subject, rows[i].kind);
            assert_int_equal(entry->expires_ms, round * (i + 1));
            entry->expires_ms = i + 1;
        }
    }
    assert_int_equal(spf_cache_count(cache), count);
    spf_cache_free(&cache);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_least_recently_used_gives_way),
        cmocka_unit_test(keys_are_of_their_parts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
