// test_geo.c: the country of an address, out of files that are good, broken, of something else, replaced, and written to
// while they are used.
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
    const struct geo_config config = {scene->loop, scene->path, LOOK_MS};

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
    return geo_counters(scene->geo)->loads >= scene->loads;
}

static bool has_errors(const struct scene *scene)
{
    return geo_counters(scene->geo)->errors >= scene->errors;
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
    assert_true(geo_is_known(scene.geo));
    assert_string_equal(country(&scene, row->address), row->country);
    assert_int_equal(geo_counters(scene.geo)->errors, 0);
    scene_close(&scene);
}

static void no_address_and_no_database_have_no_country(void **state)
{
    struct scene scene;
    char out[GEO_COUNTRY_MAX] = "xx";
    const struct ip nobody = {0};

    (void)state;
    assert_string_equal(geo_country(NULL, &nobody, out), "");
    assert_false(geo_is_known(NULL));
    scene_open(&scene);
    begin(&scene);
    assert_false(geo_is_known(scene.geo));
    assert_int_equal(geo_counters(scene.geo)->errors, 1); // missing
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
    assert_false(geo_is_known(scene.geo));
    assert_int_equal(geo_counters(scene.geo)->errors, 1);
    assert_string_equal(country(&scene, "192.0.2.1"), "");
    wait_until(&scene, is_later);
    assert_int_equal(geo_counters(scene.geo)->errors, 1); // said once
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
    len = mmdb_bytes(&mmdb, bytes, sizeof(bytes));
    for (size_t i = 0; i < len; i++) {
        const uint8_t was = bytes[i];

        bytes[i] = (uint8_t)(was ^ (i % 2 == 0 ? 0xff : 0x20));
        mmdb_write_bytes(scene.path, bytes, i % 7 == 0 ? i : len);
        bytes[i] = was;
        begin(&scene);
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
    assert_int_equal(geo_counters(scene.geo)->loads, 2); // once
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
    assert_false(geo_is_known(scene.geo));
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
    assert_int_equal(geo_counters(scene.geo)->errors, 0);
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
    TABLE_TEST(&table, no_address_and_no_database_have_no_country);
    TABLE_ROWS(&table, BROKEN, check_broken);
    TABLE_TEST(&table, no_damage_ends_the_process);
    TABLE_TEST(&table, a_file_that_takes_its_place_is_taken);
    TABLE_TEST(&table, one_that_goes_leaves_nothing_known_and_comes_back);
    TABLE_TEST(&table, one_that_is_truncated_in_place_is_still_known_until_it_is_looked_at);
    TABLE_TEST(&table, one_that_is_being_written_waits);
    return table_run(&table, "geo");
}
