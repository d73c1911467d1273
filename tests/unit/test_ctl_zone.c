// What `reputation export` writes: the three forms to the letter, what may not stand in a zone, and, over random sets of
// networks in networks, that whoever asks the list by the rules of rbldnsd or of DNS wildcards (RFC 4592) gets what the
// narrowest entry around an address says.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "client/ctl/json.c"
#include "client/ctl/reputation/zone.c"
#include "proto/base/mem.h"
#include "tests/support/random.h"
#include "tests/support/table.h"

enum { ENTRIES_MAX = 64, NAMES_MAX = 4096 };

// ---- names

static const struct name_row {
    const char *name;
    bool is_name;
    size_t more;
} name_rows[] = {
    {"example.org", true, 0},
    {"a", true, 0},
    {"xn--bcher-kva.example", true, 0},
    {"_dmarc.Example.ORG", true, 0},
    {"a23456789012345678901234567890123456789012345678901234567890123.org", true, 0},
    {"a234567890123456789012345678901234567890123456789012345678901234.org", false, 0},
    {"example.org", true, 242},
    {"example.org", false, 243},
    {"", false, 0},
    {".", false, 0},
    {".example.org", false, 0},
    {"example.org.", false, 0},
    {"example..org", false, 0},
    {"exa mple.org", false, 0},
    {"example.org\n$INCLUDE /etc/passwd", false, 0},
    {"example.org;", false, 0},
    {"*.example.org", false, 0},
    {"\"x\".org", false, 0},
    {"b\xC3\xBC"
     "cher.example",
     false, 0},
    {"$TTL", false, 0},
    {"!192.0.2.1", false, 0},
    {"a:b", false, 0},
};

static void check_name(void **state)
{
    const struct name_row *row = *state;

    assert_int_equal(zone_is_name(row->name, row->more), row->is_name);
}

// ---- zones

struct written {
    struct zone_entry entry[ENTRIES_MAX];
    struct zone zone;
};

static void zone_begin(struct written *written)
{
    *written = (struct written){.zone = {.origin = "",
                                         .server = "",
                                         .contact = "hostmaster.example",
                                         .rater = "mx.example",
                                         .ttl_s = 600,
                                         .now_s = 1795295581,
                                         .of_addresses = true,
                                         .of_domains = true}};
    written->zone.entry = written->entry;
}

static struct zone_entry *add(struct written *written, const char *name, double p, bool is_listed)
{
    struct zone_entry *entry = &written->entry[written->zone.count++];
    struct err_detail detail;

    *entry = (struct zone_entry){.domain = "",
                                 .p = p,
                                 .weight = 4.6,
                                 .confidence = 0.5,
                                 .reporters = 2,
                                 .is_listed = is_listed};
    if (ip_net_parse(name, &entry->net, &detail) != ERR_NONE)
        entry->domain = name;
    return entry;
}

enum form { RBLDNSD, BIND, REPUTON };

// The caller frees it.
static char *text_of(struct zone *zone, enum form form, size_t *count, size_t *left_out)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    *left_out = 0;
    *count = form == RBLDNSD ? zone_write_rbldnsd(zone, out)
             : form == BIND  ? zone_write_bind(zone, out, left_out)
                             : zone_write_reputons(zone, out);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect(struct zone *zone, enum form form, const char *expected, size_t listed,
                   size_t excepted)
{
    size_t count = 0, left_out = 0;
    char *text = text_of(zone, form, &count, &left_out);

    assert_string_equal(text, expected);
    assert_int_equal(count, listed);
    assert_int_equal(left_out, excepted);
    free(text);
}

static void add_some(struct written *written)
{
    zone_begin(written);
    (void)add(written, "bad.example", 0.98, true);
    (void)add(written, "192.0.2.7", 0.1, false); // an exception
    (void)add(written, "2001:db8::1", 0.99, true);
    (void)add(written, "192.0.2.0/24", 0.98, true);
    (void)add(written, "192.0.2.9", 0.985, true); // as its network
    add(written, "198.51.100.7", 0.9712, true)->reporters = 1;
    (void)add(written, "good.example", 0.1, false);
    (void)add(written, "127.0.0.1", 1, true);
    (void)add(written, "::1", 1, true);
    add(written, "198.51.100.7", 0.9712, true)->reporters = 1; // once more
    (void)add(written, "evil.example\n$INCLUDE x", 1, true);
    (void)add(written, "2001:db8:1::/64", 0.98, true);
    assert_int_equal(zone_sort(&written->zone), 1);
}

#define EVIDENCE "evidence 4.6, 2 gateways"

static void rbldnsd_to_the_letter(void **state)
{
    struct written written;

    (void)state;
    add_some(&written);
    written.zone.server = "ns.example";
    expect(&written.zone, RBLDNSD,
           "$SOA 600 ns.example hostmaster.example 1795295581 600 600 604800 600\n"
           "$NS 600 ns.example\n"
           "$TTL 600\n"
           "$DATASET ip4trie @\n:127.0.0.2:listed\n127.0.0.2\n"
           "192.0.2.0/24 :127.0.0.2:spam probability 0.980, " EVIDENCE "\n"
           "!192.0.2.7\n"
           "198.51.100.7 :127.0.0.2:spam probability 0.971, evidence 4.6, 1 gateway\n"
           "$DATASET ip6trie @\n:127.0.0.2:listed\n::ffff:7f00:2\n"
           "2001:db8::1 :127.0.0.2:spam probability 0.990, " EVIDENCE "\n"
           "2001:db8:1::/64 :127.0.0.2:spam probability 0.980, " EVIDENCE "\n"
           "$DATASET dnset @\n:127.0.0.2:listed\ntest\n"
           ".bad.example :127.0.0.2:spam probability 0.980, " EVIDENCE "\n",
           5, 0);
}

static void bind_to_the_letter(void **state)
{
    struct written written;

    (void)state;
    add_some(&written);
    written.zone.origin = "bl.example";
    expect(&written.zone, BIND,
           "$ORIGIN bl.example.\n$TTL 600\n"
           "@ SOA localhost. hostmaster.example. 1795295581 600 600 604800 600\n@ NS localhost.\n"
           "2.0.0.127 A 127.0.0.2\n2.0.0.127 TXT \"listed\"\n"
           "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 A 127.0.0.2\n"
           "2.0.0.0.0.0.f.7.f.f.f.f.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0 TXT \"listed\"\n"
           "test A 127.0.0.2\ntest TXT \"listed\"\n"
           "bad.example A 127.0.0.2\nbad.example TXT \"spam probability 0.980, " EVIDENCE "\"\n"
           "*.bad.example A 127.0.0.2\n*.bad.example TXT \"spam probability 0.980, " EVIDENCE "\"\n"
           "9.2.0.192 A 127.0.0.2\n9.2.0.192 TXT \"spam probability 0.985, " EVIDENCE "\"\n"
           "7.100.51.198 A 127.0.0.2\n"
           "7.100.51.198 TXT \"spam probability 0.971, evidence 4.6, 1 gateway\"\n"
           "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.2\n"
           "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2 TXT \"spam "
           "probability 0.990, " EVIDENCE "\"\n"
           "*.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2 A 127.0.0.2\n"
           "*.0.0.0.0.1.0.0.0.8.b.d.0.1.0.0.2 TXT \"spam probability 0.980, " EVIDENCE "\"\n",
           5, 1);
}

static void reputons_to_the_letter(void **state)
{
    struct written written;

    (void)state;
    zone_begin(&written);
    (void)add(&written, "192.0.2.7", 0.25, false);
    (void)add(&written, "2001:db8::/48", 0.5, true);
    (void)add(&written, "bad.example", 1, true);
    assert_int_equal(zone_sort(&written.zone), 0);
    expect(
        &written.zone, REPUTON,
        "{\"application\":\"email-id\",\"reputons\":["
        "{\"rater\":\"mx.example\",\"assertion\":\"spam\",\"email-id-identity\":\"rfc5321."
        "mailfrom\","
        "\"rated\":\"bad.example\",\"rating\":1,\"confidence\":0.5,\"sample-size\":5,\"sources\":2,"
        "\"generated\":1795295581,\"expires\":1795296181},"
        "{\"rater\":\"mx.example\",\"assertion\":\"spam\",\"email-id-identity\":\"ipv4\","
        "\"rated\":\"192.0.2.7\",\"rating\":0.25,\"confidence\":0.5,\"sample-size\":5,\"sources\":"
        "2,"
        "\"generated\":1795295581,\"expires\":1795296181},"
        "{\"rater\":\"mx.example\",\"assertion\":\"spam\",\"email-id-identity\":\"ipv6\","
        "\"rated\":\"2001:db8::/48\",\"rating\":0.5,\"confidence\":0.5,\"sample-size\":5,"
        "\"sources\":2,\"generated\":1795295581,\"expires\":1795296181}]}\n",
        3, 0);
}

static void an_empty_list_has_its_test_entries(void **state)
{
    struct written written;

    (void)state;
    zone_begin(&written);
    assert_int_equal(zone_sort(&written.zone), 0);
    written.zone.of_addresses = false;
    expect(&written.zone, RBLDNSD, "$TTL 600\n$DATASET dnset @\n:127.0.0.2:listed\ntest\n", 0, 0);
    written.zone.of_domains = false;
    written.zone.of_addresses = true;
    expect(&written.zone, RBLDNSD,
           "$TTL 600\n$DATASET ip4trie @\n:127.0.0.2:listed\n127.0.0.2\n"
           "$DATASET ip6trie @\n:127.0.0.2:listed\n::ffff:7f00:2\n",
           0, 0);
    expect(&written.zone, REPUTON, "{\"application\":\"email-id\",\"reputons\":[]}\n", 0, 0);
}

// ---- who asks gets what the narrowest entry says

// The narrowest entry around an address: true if that lists it. whole: as if networks with an exception were not there.
static bool should_be_listed(const struct written *written, const struct ip *ip, bool whole)
{
    const struct zone_entry *narrowest = NULL;

    for (size_t i = 0; i < written->zone.count; i++) {
        const struct zone_entry *entry = &written->entry[i];

        if (!ip_net_contains(&entry->net, ip) || (whole && entry->is_left_out))
            continue;
        if (narrowest == NULL || entry->net.bits > narrowest->net.bits)
            narrowest = entry;
    }
    return narrowest != NULL && narrowest->is_listed;
}

// The longest prefix of a trie wins.
static bool rbldnsd_lists(char *text, const struct ip *ip)
{
    char *copy = mem_text(text), *save = NULL;
    int longest = -1;
    bool is_listed = false;

    for (char *line = strtok_r(copy, "\n", &save); line != NULL;
         line = strtok_r(NULL, "\n", &save)) {
        const bool is_not = line[0] == '!';
        struct err_detail detail;
        struct ip_net net;

        line[strcspn(line, " ")] = '\0';
        if (ip_net_parse(line + is_not, &net, &detail) != ERR_NONE || !ip_net_contains(&net, ip) ||
            net.bits <= longest)
            continue;
        longest = net.bits;
        is_listed = !is_not;
    }
    mem_free(copy);
    return is_listed;
}

struct names {
    char text[NAMES_MAX][80];
    size_t count;
};

static void read_names(struct names *names, const char *text)
{
    names->count = 0;
    for (const char *line = text; *line != '\0'; line = strchr(line, '\n') + 1) {
        const size_t len = strcspn(line, " ");

        if (strncmp(line + len, " A ", 3) == 0)
            (void)snprintf(names->text[names->count++], sizeof(names->text[0]), "%.*s", (int)len,
                           line);
    }
}

static bool has_name(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++)
        if (strcmp(names->text[i], name) == 0)
            return true;
    return false;
}

// RFC 4592: a name exists too if one below it does.
static bool exists(const struct names *names, const char *name)
{
    for (size_t i = 0; i < names->count; i++) {
        const size_t len = strlen(names->text[i]), own = strlen(name);

        if (len >= own && strcmp(names->text[i] + len - own, name) == 0 &&
            (len == own || names->text[i][len - own - 1] == '.'))
            return true;
    }
    return false;
}

static bool dns_lists(const struct names *names, const struct ip *ip)
{
    char name[NAME_MAX_BYTES + 1], wildcard[NAME_MAX_BYTES + 3];
    const struct ip_net net = ip_net_of(ip, 128);
    const char *encloser;

    reverse_name(&net, name);
    if (exists(names, name))
        return has_name(names, name);
    for (encloser = strchr(name, '.'); encloser != NULL && !exists(names, encloser + 1);
         encloser = strchr(encloser + 1, '.'))
        ;
    (void)snprintf(wildcard, sizeof(wildcard), "*.%s", encloser == NULL ? "" : encloser + 1);
    return has_name(names, wildcard);
}

// Few different octets, so that networks lie in networks.
static struct ip random_ip(struct random *random, bool is_old)
{
    struct ip ip = {.family = is_old ? 4 : 6};

    if (is_old) {
        ip.bytes[0] = 192;
        for (size_t i = 2; i < 4; i++)
            ip.bytes[i] = (uint8_t)random_below(random, 3);
        return ip;
    }
    ip.bytes[0] = 0x20;
    ip.bytes[5] = (uint8_t)random_below(random, 2);
    ip.bytes[7] = (uint8_t)random_below(random, 3);
    ip.bytes[15] = (uint8_t)random_below(random, 3);
    return ip;
}

static void add_random(struct random *random, struct written *written)
{
    static const uint8_t bits[2][3] = {{32, 24, 16}, {128, 64, 48}};

    for (size_t i = 0; i < 12; i++) {
        const bool is_old = random_below(random, 2) == 0;
        const struct ip ip = random_ip(random, is_old);
        struct zone_entry *entry = add(written, "x", 0.98, random_below(random, 4) != 0);

        entry->domain = "";
        entry->net = ip_net_of(&ip, bits[!is_old][random_below(random, 3)]);
    }
}

static void lists_say_what_the_narrowest_entry_says(void **state)
{
    struct random random = {random_seed(5782)};
    unsigned listed[2] = {0}, unlisted[2] = {0};
    static struct names names;

    (void)state;
    for (size_t round = 0; round < 300; round++) {
        struct written written;
        size_t count = 0, left_out = 0;

        zone_begin(&written);
        add_random(&random, &written);
        (void)zone_sort(&written.zone);
        for (size_t i = 1; i < written.zone.count; i++) // of entries that came twice one was kept
            assert_true(compare(&written.entry[i - 1], &written.entry[i]) < 0);
        char *trie = text_of(&written.zone, RBLDNSD, &count, &left_out);
        bool expected[40];
        struct ip asked[40];

        for (size_t i = 0; i < 40; i++) {
            asked[i] = random_ip(&random, i % 2 == 0);
            expected[i] = should_be_listed(&written, &asked[i], false);
            assert_int_equal(rbldnsd_lists(trie, &asked[i]), expected[i]);
            (*(expected[i] ? &listed[0] : &unlisted[0]))++;
        }
        char *zone = text_of(&written.zone, BIND, &count, &left_out);

        read_names(&names, zone);
        for (size_t i = 0; i < 40; i++) {
            const bool is_listed = dns_lists(&names, &asked[i]);

            assert_int_equal(is_listed, should_be_listed(&written, &asked[i], true));
            assert_false(is_listed && !expected[i]); // it never lists more
            (*(is_listed ? &listed[1] : &unlisted[1]))++;
        }
        free(trie);
        free(zone);
    }
    for (size_t i = 0; i < 2; i++)
        assert_true(listed[i] > 1000 && unlisted[i] > 1000);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, name_rows, check_name);
    TABLE_TEST(&table, rbldnsd_to_the_letter);
    TABLE_TEST(&table, bind_to_the_letter);
    TABLE_TEST(&table, reputons_to_the_letter);
    TABLE_TEST(&table, an_empty_list_has_its_test_entries);
    TABLE_TEST(&table, lists_say_what_the_narrowest_entry_says);
    return table_run(&table, "ctl_zone");
}
