// test_geo.c: the country of an address and its AS, out of files that are good, broken, of something else, replaced, and
// written to while they are used.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "node/geo.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"
#include "tests/support/mmdb.h"
#include "tests/support/table.h"

enum { LOOK_MS = 5, PATIENCE_MS = 20000 };

struct scene {
    struct loop *loop;
    struct geo *geo;
    enum geo_kind kind; // that is looked at
    struct loop_timer *watch;
    bool (*until)(const struct scene *scene);
    uint64_t loads, errors; // that are waited for
    uint64_t give_up_ms;
    char dir[64];
    char path[96];
};

static struct mmdb mmdb;
static uint8_t bytes[MMDB_TREE_BYTES + 2 * MMDB_BYTES];

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    (void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/reeve-geo-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    (void)snprintf(scene->path, sizeof(scene->path), "%s/countries.mmdb", scene->dir);
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
}

static void begin(struct scene *scene)
{
    struct geo_config config = {.loop = scene->loop, .every_ms = LOOK_MS};

    config.path[scene->kind] = scene->path;
    geo_new(&scene->geo, &config);
}

static void scene_close(struct scene *scene)
{
    geo_free(&scene->geo);
    assert_null(scene->geo);
    geo_free(&scene->geo); // nothing is fine
    loop_free(&scene->loop);
    (void)unlink(scene->path);
    assert_int_equal(rmdir(scene->dir), 0);
}

static void look(void *arg)
{
    struct scene *scene = arg;

    if (scene->until(scene) || clock_mono_ms() > scene->give_up_ms)
        loop_stop(scene->loop);
}

static void wait_until(struct scene *scene, bool (*until)(const struct scene *scene))
{
    scene->until = until;
    scene->give_up_ms = clock_mono_ms() + PATIENCE_MS;
    scene->watch = loop_timer_new(scene->loop, look, scene);
    loop_timer_set(scene->watch, 1, 1);
    loop_run(scene->loop);
    loop_timer_free(&scene->watch);
    assert_true(until(scene));
}

static bool has_loads(const struct scene *scene)
{
    return geo_counters(scene->geo, scene->kind)->loads >= scene->loads;
}

static bool has_errors(const struct scene *scene)
{
    return geo_counters(scene->geo, scene->kind)->errors >= scene->errors;
}

static bool is_later(const struct scene *scene)
{
    return clock_mono_ms() + PATIENCE_MS > scene->give_up_ms + 20ULL * LOOK_MS;
}

static const char *country(const struct scene *scene, const char *address)
{
    static char out[GEO_COUNTRY_MAX];
    struct ip ip;

    assert_true(ip_parse(address, &ip));
    return geo_country(scene->geo, &ip, out);
}

// One database that has all: both families, all styles.
static void fill(unsigned version)
{
    mmdb_open(&mmdb, version);
    mmdb_add(&mmdb, "192.0.2.0/24", MMDB_NESTED, "DE");
    mmdb_add(&mmdb, "198.51.100.0/25", MMDB_CODE, "fr");
    mmdb_add(&mmdb, "203.0.113.7/32", MMDB_PLAIN, "Jp");
    mmdb_add(&mmdb, "10.0.0.0/8", MMDB_OTHER, "An Operator");
    mmdb_add(&mmdb, "172.16.0.0/12", MMDB_PLAIN, "Germany");
    mmdb_add(&mmdb, "172.32.0.0/12", MMDB_PLAIN, "D1");
    if (version == 6)
        mmdb_add(&mmdb, "2001:db8::/32", MMDB_NESTED, "AT");
}

// ---- what is found

static const struct find_row {
    const char *name;
    unsigned version;
    const char *address;
    const char *country;
} FINDS[] = {
    {"the first of a network", 6, "192.0.2.0", "DE"},
    {"the last of it", 6, "192.0.2.255", "DE"},
    {"behind it", 6, "192.0.3.0", ""},
    {"before it", 6, "192.0.1.255", ""},
    {"a code at the top, in small letters", 6, "198.51.100.127", "FR"},
    {"half a network", 6, "198.51.100.128", ""},
    {"one address, and only the word country", 6, "203.0.113.7", "JP"},
    {"another address", 6, "203.0.113.8", ""},
    {"a record without a country", 6, "10.0.0.1", ""},
    {"a country in words is none", 6, "172.16.0.1", ""},
    {"nor is one with a digit", 6, "172.32.0.1", ""},
    {"IPv6", 6, "2001:db8::1", "AT"},
    {"the end of IPv6", 6, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", "AT"},
    {"other IPv6", 6, "2001:db9::", ""},
    {"a mapped address is IPv4", 6, "::ffff:192.0.2.9", "DE"},
    {"IPv4 alone", 4, "192.0.2.9", "DE"},
    {"IPv6 in a database of IPv4", 4, "2001:db8::1", ""},
};

static void check_find(void **state)
{
    const struct find_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    fill(row->version);
    mmdb_write(&mmdb, scene.path);
    begin(&scene);
    assert_true(geo_is_known(scene.geo, scene.kind));
    assert_string_equal(country(&scene, row->address), row->country);
    assert_int_equal(geo_counters(scene.geo, scene.kind)->errors, 0);
    scene_close(&scene);
}

static uint32_t asn(const struct scene *scene, const char *address)
{
    struct ip ip;

    assert_true(ip_parse(address, &ip));
    return geo_asn(scene->geo, &ip);
}

static const struct asn_row {
    const char *name;
    enum mmdb_style style;
    const char *says;
    uint32_t asn;
} ASNS[] = {
    {"a number", MMDB_AS, "64500", 64500},
    {"the least", MMDB_AS, "1", 1},
    {"one of 32 bits", MMDB_AS, "4200000000", 4200000000},
    {"the last that a network can have", MMDB_AS, "4294967294", 4294967294},
    {"none has the very last", MMDB_AS, "4294967295", 0},
    {"nor 0", MMDB_AS, "0", 0},
    {"nor AS_TRANS", MMDB_AS, "23456", 0},
    {"its neighbour", MMDB_AS, "23457", 23457},
    {"in words", MMDB_AS_TEXT, "AS64500", 64500},
    {"in small letters", MMDB_AS_TEXT, "as7", 7},
    {"in digits", MMDB_AS_TEXT, "64500", 64500},
    {"the letters alone", MMDB_AS_TEXT, "AS", 0},
    {"nothing", MMDB_AS_TEXT, "", 0},
    {"one letter", MMDB_AS_TEXT, "A64500", 0},
    {"with something behind it", MMDB_AS_TEXT, "AS64500 ", 0},
    {"a negative one", MMDB_AS_TEXT, "AS-1", 0},
    {"AS_TRANS in words", MMDB_AS_TEXT, "AS23456", 0},
    {"too much for 32 bits", MMDB_AS_TEXT, "AS4294967296", 0},
    {"too much for 64", MMDB_AS_TEXT, "AS18446744073709551617", 0},
    {"in a map", MMDB_AS_TRAITS, "64500", 64500},
    {"only its name", MMDB_OTHER, "An Operator", 0},
    {"a country", MMDB_PLAIN, "DE", 0},
};

static void check_asn(void **state)
{
    const struct asn_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.kind = GEO_ASN;
    mmdb_open(&mmdb, 6);
    mmdb_add(&mmdb, "192.0.2.0/24", row->style, row->says);
    mmdb_add(&mmdb, "2001:db8::/32", row->style, row->says);
    mmdb_add(&mmdb, "198.51.100.0/24", MMDB_AS, "64501"); // a database of ASs it is
    mmdb_write(&mmdb, scene.path);
    begin(&scene);
    assert_int_equal(asn(&scene, "192.0.2.255"), row->asn);
    assert_int_equal(asn(&scene, "2001:db8::1"), row->asn);
    assert_int_equal(asn(&scene, "198.51.100.1"), 64501);
    assert_int_equal(asn(&scene, "192.0.3.0"), 0);
    assert_int_equal(geo_counters(scene.geo, GEO_ASN)->errors, 0);
    assert_false(geo_is_known(scene.geo, GEO_COUNTRY)); // there is no file of that
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    scene_close(&scene);
}

// IPinfo's lite database has both, and may be named twice. One of countries is none of ASs.
static void each_kind_has_its_own_file_and_its_own_complaints(void **state)
{
    struct scene scene;
    struct ip ip;
    struct geo_config config = {.every_ms = LOOK_MS};

    (void)state;
    scene_open(&scene);
    config.loop = scene.loop;
    config.path[GEO_COUNTRY] = config.path[GEO_ASN] = scene.path;
    mmdb_open(&mmdb, 4);
    mmdb_point(&mmdb, "192.0.2.0/24", mmdb.used);
    mmdb_put_map(&mmdb, 2);
    mmdb_put_text(&mmdb, "asn");
    mmdb_put_text(&mmdb, "AS64500");
    mmdb_put_text(&mmdb, "country_code");
    mmdb_put_text(&mmdb, "DE");
    mmdb_write(&mmdb, scene.path);
    geo_new(&scene.geo, &config);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    assert_int_equal(asn(&scene, "192.0.2.1"), 64500);
    geo_free(&scene.geo);
    fill(6);
    mmdb_write(&mmdb, scene.path);
    geo_new(&scene.geo, &config);
    assert_true(geo_is_known(scene.geo, GEO_COUNTRY));
    assert_false(geo_is_known(scene.geo, GEO_ASN));
    assert_int_equal(geo_counters(scene.geo, GEO_COUNTRY)->errors, 0);
    assert_int_equal(geo_counters(scene.geo, GEO_ASN)->errors, 1);
    assert_int_equal(asn(&scene, "192.0.2.1"), 0);
    assert_true(ip_parse("192.0.2.1", &ip));
    assert_int_equal(geo_asn(NULL, &ip), 0);
    assert_int_equal(geo_asn(scene.geo, &(struct ip){0}), 0);
    assert_int_equal(geo_counters(NULL, GEO_ASN)->errors, 0);
    scene_close(&scene);
}

static void no_address_and_no_database_have_no_country(void **state)
{
    struct scene scene;
    char out[GEO_COUNTRY_MAX] = "xx";
    const struct ip nobody = {0};

    (void)state;
    assert_string_equal(geo_country(NULL, &nobody, out), "");
    assert_false(geo_is_known(NULL, GEO_COUNTRY));
    scene_open(&scene);
    begin(&scene);
    assert_false(geo_is_known(scene.geo, scene.kind));
    assert_int_equal(geo_counters(scene.geo, scene.kind)->errors, 1); // missing
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    assert_string_equal(geo_country(scene.geo, &nobody, out), "");
    scene_close(&scene);
}

// ---- files that are of no use

static void write_text(const char *path)
{
    mmdb_write_bytes(path, "no database\n", 12);
}

static void write_nothing(const char *path)
{
    mmdb_write_bytes(path, "", 0);
}

static void write_others(const char *path)
{
    mmdb_open(&mmdb, 4);
    mmdb_add(&mmdb, "192.0.2.0/24", MMDB_OTHER, "An Operator");
    mmdb_write(&mmdb, path);
}

static void write_half(const char *path)
{
    fill(6);
    mmdb_write_bytes(path, bytes, mmdb_bytes(&mmdb, bytes, sizeof(bytes)) / 2);
}

static void write_without_data(const char *path)
{
    mmdb_open(&mmdb, 4);
    mmdb_write(&mmdb, path);
}

static void make_directory(const char *path)
{
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_fifo(const char *path)
{
    assert_int_equal(mkfifo(path, 0600), 0);
}

static void write_deep(const char *path)
{
    mmdb_open(&mmdb, 4);
    mmdb_point(&mmdb, "192.0.2.0/24", mmdb.used);
    mmdb_put_map(&mmdb, 1);
    mmdb_put_text(&mmdb, "a");
    for (unsigned i = 0; i < 30000; i++)
        mmdb_put(&mmdb, "\x01\x04", 2); // an array of one that is an array of one that ...
    mmdb_write(&mmdb, path);
}

// The same in the description of the database.
static void write_deep_metadata(const char *path)
{
    mmdb_open(&mmdb, 4);
    mmdb_put(&mmdb, "\xab\xcd\xefMaxMind.com", 14);
    for (unsigned i = 0; i < 30000; i++)
        mmdb_put(&mmdb, "\x01\x04", 2);
    mmdb_write_bytes(path, mmdb.data, mmdb.used);
}

static const struct broken_row {
    const char *name;
    void (*write)(const char *path);
} BROKEN[] = {
    {"text", write_text},
    {"an empty file", write_nothing},
    {"a database of something else", write_others},
    {"the half of one", write_half},
    {"one without records", write_without_data},
    {"a directory", make_directory},
    {"a FIFO", make_fifo},
    {"a record that goes on for ever", write_deep},
    {"a description that does", write_deep_metadata},
};

static void check_broken(void **state)
{
    const struct broken_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    row->write(scene.path);
    begin(&scene);
    assert_false(geo_is_known(scene.geo, scene.kind));
    assert_int_equal(geo_counters(scene.geo, scene.kind)->errors, 1);
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    wait_until(&scene, is_later);
    assert_int_equal(geo_counters(scene.geo, scene.kind)->errors, 1); // said once
    (void)rmdir(scene.path);
    (void)unlink(scene.path);
    fill(6);
    mmdb_write(&mmdb, scene.path); // and mended
    scene.loads = 1;
    wait_until(&scene, has_loads);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    scene_close(&scene);
}

// Whatever a byte becomes, and wherever the file ends: an answer, or none.
static void no_damage_ends_the_process(void **state)
{
    struct scene scene;
    size_t len;

    (void)state;
    scene_open(&scene);
    fill(4);
    mmdb_add(&mmdb, "100.64.0.0/10", MMDB_AS, "64500");
    mmdb_add(&mmdb, "100.128.0.0/10", MMDB_AS_TEXT, "AS64500");
    len = mmdb_bytes(&mmdb, bytes, sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        const uint8_t was = bytes[i];

        bytes[i] = (uint8_t)(was ^ (i % 2 == 0 ? 0xff : 0x20));
        mmdb_write_bytes(scene.path, bytes, i % 7 == 0 ? i : len);
        bytes[i] = was;
        scene.kind = i % 3 == 0 ? GEO_ASN : GEO_COUNTRY;
        begin(&scene);
        (void)asn(&scene, "100.64.0.1");
        (void)asn(&scene, "100.128.0.1");
        (void)country(&scene, "192.0.2.1");
        (void)country(&scene, "203.0.113.7");
        (void)country(&scene, "10.0.0.1");
        geo_free(&scene.geo);
    }
    scene_close(&scene);
}

// ---- files that change

static void write_country(const char *path, const char *to)
{
    mmdb_open(&mmdb, 6);
    mmdb_add(&mmdb, "192.0.2.0/24", MMDB_NESTED, to);
    mmdb_write(&mmdb, path);
}

static void a_file_that_takes_its_place_is_taken(void **state)
{
    struct scene scene;
    char next[128];

    (void)state;
    scene_open(&scene);
    write_country(scene.path, "DE");
    begin(&scene);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    (void)snprintf(next, sizeof(next), "%s.next", scene.path);
    write_country(next, "FR");
    assert_int_equal(rename(next, scene.path), 0);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    scene.loads = 2;
    wait_until(&scene, has_loads);
    assert_string_equal(country(&scene, "192.0.2.1"), "FR");
    wait_until(&scene, is_later);
    assert_int_equal(geo_counters(scene.geo, scene.kind)->loads, 2); // once
    scene_close(&scene);
}

static void one_that_goes_leaves_nothing_known_and_comes_back(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    write_country(scene.path, "DE");
    begin(&scene);
    assert_int_equal(unlink(scene.path), 0);
    scene.errors = 1;
    wait_until(&scene, has_errors);
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    assert_false(geo_is_known(scene.geo, scene.kind));
    write_country(scene.path, "FR");
    scene.loads = 2;
    wait_until(&scene, has_loads);
    assert_string_equal(country(&scene, "192.0.2.1"), "FR");
    scene_close(&scene);
}

// A mapped file that is truncated would be a SIGBUS at the next look-up.
static void one_that_is_truncated_in_place_is_still_known_until_it_is_looked_at(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    write_country(scene.path, "DE");
    begin(&scene);
    assert_int_equal(truncate(scene.path, 0), 0);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    scene.errors = 1;
    wait_until(&scene, has_errors);
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    write_country(scene.path, "FR"); // in place
    scene.loads = 2;
    wait_until(&scene, has_loads);
    assert_string_equal(country(&scene, "192.0.2.1"), "FR");
    scene_close(&scene);
}

// Written a bit at every look: nothing is taken before it stands still.
static bool writes_a_bit(const struct scene *scene)
{
    static size_t written;
    FILE *file = fopen(scene->path, written == 0 ? "wb" : "ab");

    assert_non_null(file);
    (void)fputc('x', file);
    (void)fclose(file);
    return ++written >= 100;
}

static void one_that_is_being_written_waits(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    write_country(scene.path, "DE");
    begin(&scene);
    wait_until(&scene, writes_a_bit); // each millisecond, so no two looks see the same
    assert_int_equal(geo_counters(scene.geo, scene.kind)->errors, 0);
    assert_string_equal(country(&scene, "192.0.2.1"), "DE");
    scene.errors = 1;
    wait_until(&scene, has_errors);
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, FINDS, check_find);
    TABLE_ROWS(&table, ASNS, check_asn);
    TABLE_TEST(&table, each_kind_has_its_own_file_and_its_own_complaints);
    TABLE_TEST(&table, no_address_and_no_database_have_no_country);
    TABLE_ROWS(&table, BROKEN, check_broken);
    TABLE_TEST(&table, no_damage_ends_the_process);
    TABLE_TEST(&table, a_file_that_takes_its_place_is_taken);
    TABLE_TEST(&table, one_that_goes_leaves_nothing_known_and_comes_back);
    TABLE_TEST(&table, one_that_is_truncated_in_place_is_still_known_until_it_is_looked_at);
    TABLE_TEST(&table, one_that_is_being_written_waits);
    return table_run(&table, "geo");
}
