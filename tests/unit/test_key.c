// test_key.c: names and hashes of triplets: what must differ differs, what must be equal is equal,
// and slices end where they should.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "node/core/key.h"
#include "node/core/plan.h"

static const uint64_t HOUR_MS = 3600ULL * 1000;
static const uint64_t WINDOW_MS = 12 * 3600ULL * 1000;
static const uint64_t NOW_MS = 1795000000000ULL; // 2026-11-18

static struct key_ring ring_of(uint8_t secret, uint32_t buckets)
{
    struct key_ring ring = {.count = 1};

    memset(ring.epoch[0].secret, secret, KEY_SECRET_BYTES);
    ring.epoch[0].buckets = buckets;
    return ring;
}

static struct key_triplet triplet_of(const char *sender, const char *recipient, const char *net,
                                     const struct key_ring *ring, uint64_t now_ms)
{
    struct key_triplet triplet = {.identity_count = 2};
    const struct key_pair pair = {sender, recipient};

    triplet.identity[0].kind = KEY_ANY;
    triplet.identity[1].kind = KEY_NET;
    assert_int_equal(ip_net_parse(net, &triplet.identity[1].net, NULL), ERR_NONE);
    key_triplet_make(&triplet, &pair, ring, now_ms, WINDOW_MS);
    return triplet;
}

static void assert_same_field(const uint8_t *a, const uint8_t *b, bool same)
{
    if (same)
        assert_memory_equal(a, b, KEY_FIELD_BYTES);
    else
        assert_memory_not_equal(a, b, KEY_FIELD_BYTES);
}

static void fields_tell_pairs_and_identities_apart(void **state)
{
    static const struct {
        const char *name, *sender, *recipient, *net;
        bool same_pair, same_field;
    } cases[] = {
        {"itself", "a@b.example", "c@d.example", "192.0.2.0/24", true, true},
        {"another sender", "a2@b.example", "c@d.example", "192.0.2.0/24", false, false},
        {"another recipient", "a@b.example", "c2@d.example", "192.0.2.0/24", false, false},
        {"another network", "a@b.example", "c@d.example", "192.0.3.0/24", true, false},
        {"another length of the same bytes", "a@b.example", "c@d.example", "192.0.2.0/25", true,
         false},
        {"the other family", "a@b.example", "c@d.example", "c000:200::/24", true, false},
        {"text moved over the border of the two", "a@b.exampl", "ec@d.example", "192.0.2.0/24",
         false, false},
        {"sender and recipient swapped", "c@d.example", "a@b.example", "192.0.2.0/24", false,
         false},
    };
    const struct key_ring ring = ring_of(7, 65536);
    const struct key_triplet base =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, NOW_MS);

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        const struct key_triplet other =
            triplet_of(cases[i].sender, cases[i].recipient, cases[i].net, &ring, NOW_MS);

        print_message("%s\n", cases[i].name);
        assert_same_field(base.pending[0].field[0], other.pending[0].field[0], cases[i].same_pair);
        assert_same_field(base.pending[0].field[1], other.pending[0].field[1], cases[i].same_field);
        assert_same_field(base.passed[0].field[1], other.passed[0].field[1], cases[i].same_field);
    }
}

static struct key_triplet known_by(enum key_identity_kind kind, const char *domain,
                                   const struct key_ring *ring)
{
    struct key_triplet triplet = {.identity_count = 2};
    const struct key_pair pair = {"a@b.example", "c@d.example"};

    triplet.identity[1] = (struct key_identity){.kind = kind, .domain = domain};
    key_triplet_make(&triplet, &pair, ring, NOW_MS, WINDOW_MS);
    return triplet;
}

static void a_domain_is_no_network_and_kept_under_the_number_of_names(void **state)
{
    const struct key_ring ring = ring_of(7, 65536);
    const struct key_triplet net =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, NOW_MS);
    const struct key_triplet name = known_by(KEY_DOMAIN, "b.example", &ring);
    const struct key_triplet again = known_by(KEY_DOMAIN, "b.example", &ring);
    const struct key_triplet other = known_by(KEY_DOMAIN, "c.example", &ring);

    (void)state;
    assert_same_field(name.passed[0].field[1], again.passed[0].field[1], true);
    assert_same_field(name.passed[0].field[1], other.passed[0].field[1], false);
    assert_int_equal(KEY_DOMAIN,
                     2); // part of what is hashed: stores that were filled before are read
    assert_same_field(name.passed[0].field[1], net.passed[0].field[1], false);
    assert_memory_equal(name.passed[0].field[1], net.passed[0].field[1],
                        KEY_PAIR_BYTES); // one pair, one hash
}

static void an_as_is_an_identity_of_its_own(void **state)
{
    static const uint32_t ASNS[] = {1, 256, 65536, 16777216, 64500, 4294967294};
    enum { COUNT = sizeof(ASNS) / sizeof(ASNS[0]) };
    const struct key_ring ring = ring_of(7, 65536);
    const struct key_pair pair = {"a@b.example", "c@d.example"};
    struct key_triplet triplet[COUNT];

    (void)state;
    assert_int_equal(KEY_ASN, 4); // part of what is hashed
    for (size_t i = 0; i < COUNT; i++) {
        triplet[i] = (struct key_triplet){.identity_count = 2};
        triplet[i].identity[1] = (struct key_identity){.kind = KEY_ASN, .asn = ASNS[i]};
        key_triplet_make(&triplet[i], &pair, &ring, NOW_MS, WINDOW_MS);
        for (size_t k = 0; k < i; k++)
            assert_same_field(triplet[i].passed[0].field[1], triplet[k].passed[0].field[1], false);
        assert_memory_equal(triplet[i].passed[0].field[1], triplet[0].passed[0].field[1],
                            KEY_PAIR_BYTES);
    }
}

// Which identities are named, for each choice of those that the settings name.
static void the_settings_choose_identities(void **state)
{
    struct facts facts = {.name = "b.example", .spf_domain = "b.example", .asn = 64500};
    const unsigned most = 1U << POLICY_IDENTITY_ASN << 1;
    struct key_triplet triplet;

    (void)state;
    assert_true(ip_parse("192.0.2.1", &facts.client));
    for (unsigned used = 1; used < most; used++) {
        const struct policy policy = {
            .settings = {.greylist = {.net_ipv4 = 24, .net_ipv6 = 64, .identities = used}}};
        const bool domain = (used & (1U << POLICY_IDENTITY_NAME | 1U << POLICY_IDENTITY_SPF)) != 0;
        const bool asn = (used & 1U << POLICY_IDENTITY_ASN) != 0;

        plan_identities(&facts, &policy, &triplet);
        assert_int_equal(triplet.identity_count, 2U + domain + asn);
        assert_int_equal(triplet.identity[1].kind, KEY_NET); // whatever is said
        if (domain)
            assert_string_equal(triplet.identity[2].domain, "b.example");
        if (asn)
            assert_int_equal(triplet.identity[2 + domain].asn, 64500);
    }
    facts.asn = 0;
    plan_identities(&facts, &(struct policy){.settings = {.greylist = {.identities = 15}}},
                    &triplet);
    assert_int_equal(triplet.identity_count, 3);
}

static void a_domain_that_name_and_spf_say_is_one_identity(void **state)
{
    static const struct policy policy = {
        .settings = {.greylist = {.net_ipv4 = 24,
                                  .net_ipv6 = 64,
                                  .identities = 1U << POLICY_IDENTITY_NET |
                                                1U << POLICY_IDENTITY_NAME |
                                                1U << POLICY_IDENTITY_SPF}}};
    struct facts facts = {.name = "b.example", .spf_domain = "b.example"};
    struct key_triplet triplet;

    (void)state;
    assert_true(ip_parse("192.0.2.1", &facts.client));
    plan_identities(&facts, &policy, &triplet);
    assert_int_equal(triplet.identity_count, 3); // any, the network, the domain
    assert_int_equal(triplet.identity[2].kind, KEY_DOMAIN);
    facts.spf_domain = "c.b.example";
    plan_identities(&facts, &policy, &triplet);
    assert_int_equal(triplet.identity_count, 4);
    facts.name = "";
    plan_identities(&facts, &policy, &triplet);
    assert_int_equal(triplet.identity_count, 3);
    assert_string_equal(triplet.identity[2].domain, "c.b.example");
}

static void any_is_zeros_and_nothing_else_is(void **state)
{
    static const uint8_t zeros[KEY_FIELD_BYTES - KEY_PAIR_BYTES] = {0};
    const struct key_ring ring = ring_of(1, 1024);
    const struct key_triplet triplet =
        triplet_of("<>", "c@d.example", "2001:db8::/64", &ring, NOW_MS);

    (void)state;
    assert_memory_equal(triplet.passed[0].field[0] + KEY_PAIR_BYTES, zeros, sizeof(zeros));
    assert_memory_not_equal(triplet.passed[0].field[1] + KEY_PAIR_BYTES, zeros, sizeof(zeros));
    assert_memory_equal(triplet.passed[0].field[0], triplet.passed[0].field[1], KEY_PAIR_BYTES);
}

static void slices_are_those_of_the_time(void **state)
{
    const struct key_ring ring = ring_of(1, 1024);
    const uint64_t edge_ms = (NOW_MS / WINDOW_MS + 1) * WINDOW_MS;
    const struct key_triplet before =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, edge_ms - 1);
    const struct key_triplet after =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, edge_ms);

    (void)state;
    assert_int_equal(after.pending[KEY_CURRENT].slice, before.pending[KEY_CURRENT].slice + 1);
    assert_int_equal(after.pending[KEY_PREVIOUS].slice, before.pending[KEY_CURRENT].slice);
    assert_int_equal(key_slice_end_ms(&before.pending[KEY_CURRENT]), edge_ms);
    assert_int_equal(key_expiry_ms(&before.pending[KEY_CURRENT]), edge_ms + WINDOW_MS);
    assert_int_equal(key_expiry_ms(&before.passed[KEY_CURRENT]),
                     key_slice_end_ms(&before.passed[KEY_CURRENT]) + KEY_PASSED_SLICE_MS);
    assert_int_equal(before.passed[KEY_CURRENT].slice, (edge_ms - 1) / KEY_PASSED_SLICE_MS);
}

static void a_slice_keeps_the_epoch_it_was_opened_under(void **state)
{
    struct key_ring ring = ring_of(1, 1024);
    const uint64_t edge_ms = (NOW_MS / WINDOW_MS + 1) * WINDOW_MS;
    const struct key_triplet before =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, edge_ms - 1);

    (void)state;
    ring.count = 2;
    memset(ring.epoch[1].secret, 2, KEY_SECRET_BYTES);
    ring.epoch[1].buckets = 65536;
    ring.epoch[1].since_ms = edge_ms;
    const struct key_triplet after =
        triplet_of("a@b.example", "c@d.example", "192.0.2.0/24", &ring, edge_ms + HOUR_MS);

    assert_memory_equal(after.pending[KEY_PREVIOUS].field[1], before.pending[KEY_CURRENT].field[1],
                        KEY_FIELD_BYTES);
    assert_int_equal(after.pending[KEY_PREVIOUS].bucket, before.pending[KEY_CURRENT].bucket);
    assert_memory_not_equal(after.pending[KEY_CURRENT].field[1],
                            before.pending[KEY_CURRENT].field[1], KEY_FIELD_BYTES);
    assert_memory_equal(after.passed[KEY_CURRENT].field[1], before.passed[KEY_CURRENT].field[1],
                        KEY_FIELD_BYTES);
    assert_ptr_equal(key_ring_at(&ring, edge_ms - 1), &ring.epoch[0]);
    assert_ptr_equal(key_ring_at(&ring, edge_ms), &ring.epoch[1]);
}

static void names_hold_bucket_and_slice(void **state)
{
    const struct key_place place = {.slice = 41550, .slice_ms = WINDOW_MS, .bucket = 65535};
    const struct key_place widest = {.slice = UINT64_MAX, .slice_ms = 1, .bucket = UINT32_MAX};
    char name[KEY_NAME_MAX];

    (void)state;
    assert_int_equal(key_name(KEY_PENDING, &place, name), strlen("g:{65535}:41550"));
    assert_string_equal(name, "g:{65535}:41550");
    (void)key_name(KEY_PASSED, &place, name);
    assert_string_equal(name, "p:{65535}:41550");
    const size_t len = key_name(KEY_PASSED, &widest, name);

    assert_int_equal(len, strlen(name));
    assert_in_range(len, 1, KEY_NAME_MAX - 1);
}

static void buckets_are_all_used(void **state)
{
    const struct key_ring ring = ring_of(3, 16);
    unsigned hits[16] = {0};

    (void)state;
    for (unsigned i = 0; i < 1600; i++) {
        const char sender[] = {
            (char)('a' + i % 26), (char)('a' + i / 26 % 26), (char)('a' + i / 676), '@', 'x', '\0'};
        const struct key_triplet triplet =
            triplet_of(sender, "c@d.example", "192.0.2.0/24", &ring, NOW_MS);

        assert_in_range(triplet.passed[0].bucket, 0, 15);
        hits[triplet.passed[0].bucket]++;
    }
    for (unsigned i = 0; i < 16; i++)
        assert_in_range(hits[i], 50, 150); // 100 expected; 5 sigma is 48
}

static void marks_recognise_a_question(void **state)
{
    const struct key_ring ring = ring_of(9, 1024);
    const uint32_t mark = key_mark(&ring, "t1", "c@d.example", 1);

    (void)state;
    assert_int_not_equal(mark, 0);
    assert_int_equal(mark, key_mark(&ring, "t1", "c@d.example",
                                    2)); // unique does not matter where there is a transaction
    assert_int_not_equal(mark, key_mark(&ring, "t2", "c@d.example", 1));
    assert_int_not_equal(mark, key_mark(&ring, "t1", "e@d.example", 1));
    assert_int_not_equal(key_mark(&ring, "", "c@d.example", 1),
                         key_mark(&ring, "", "c@d.example", 2));
}

static void values_pack_and_unpack(void **state)
{
    static const struct {
        uint64_t at_ms;
        uint32_t mark;
    } cases[] = {{0, 0}, {1, 1}, {1795000000123ULL, 0xdeadbeefU}, {(1ULL << 48) - 1, UINT32_MAX}};
    uint8_t bytes[KEY_VALUE_BYTES + 1] = {0};
    uint64_t at_ms = 0;
    uint32_t mark = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        key_value_pack(cases[i].at_ms, cases[i].mark, bytes);
        assert_true(key_value_unpack(bytes, KEY_VALUE_BYTES, &at_ms, &mark));
        assert_int_equal(at_ms, cases[i].at_ms);
        assert_int_equal(mark, cases[i].mark);
    }
    for (size_t len = 0; len <= KEY_VALUE_BYTES + 1; len++)
        assert_int_equal(key_value_unpack(bytes, len, &at_ms, &mark), len == KEY_VALUE_BYTES);
    assert_int_equal(at_ms, (1ULL << 48) - 1); // untouched by the refusals
}

static void a_secret_shows_only_its_check(void **state)
{
    const struct key_ring a = ring_of(1, 1024);
    const struct key_ring b = ring_of(2, 1024);
    char check_a[17];
    char check_b[17];

    (void)state;
    key_epoch_check(&a.epoch[0], check_a);
    key_epoch_check(&b.epoch[0], check_b);
    assert_int_equal(strlen(check_a), 16);
    assert_string_not_equal(check_a, check_b);
}

static void long_texts_do_not_collide_by_being_cut(void **state)
{
    const struct key_ring ring = ring_of(5, 1024);
    static char one[3000];
    static char two[3000];

    (void)state;
    memset(one, 'x', sizeof(one) - 1);
    memset(two, 'x', sizeof(two) - 1);
    two[sizeof(two) - 2] = 'y';
    const struct key_triplet a = triplet_of(one, "c@d.example", "192.0.2.0/24", &ring, NOW_MS);
    const struct key_triplet b = triplet_of(two, "c@d.example", "192.0.2.0/24", &ring, NOW_MS);

    assert_memory_not_equal(a.passed[0].field[0], b.passed[0].field[0], KEY_FIELD_BYTES);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fields_tell_pairs_and_identities_apart),
        cmocka_unit_test(an_as_is_an_identity_of_its_own),
        cmocka_unit_test(the_settings_choose_identities),
        cmocka_unit_test(a_domain_is_no_network_and_kept_under_the_number_of_names),
        cmocka_unit_test(a_domain_that_name_and_spf_say_is_one_identity),
        cmocka_unit_test(any_is_zeros_and_nothing_else_is),
        cmocka_unit_test(slices_are_those_of_the_time),
        cmocka_unit_test(a_slice_keeps_the_epoch_it_was_opened_under),
        cmocka_unit_test(names_hold_bucket_and_slice),
        cmocka_unit_test(buckets_are_all_used),
        cmocka_unit_test(marks_recognise_a_question),
        cmocka_unit_test(values_pack_and_unpack),
        cmocka_unit_test(a_secret_shows_only_its_check),
        cmocka_unit_test(long_texts_do_not_collide_by_being_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
