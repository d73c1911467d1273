// Directories imported into a real Redis, as two nodes see them.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/log.h"
#include "tests/support/store_scene.h"
#include "tests/support/table.h"

enum { MANY = 700 };

static const struct store_directory *torn_of; // of the last switch
static char torn_domain[64];

static void switched(void *arg, enum store_state state, const struct store_directory *torn)
{
    struct stage_op *op = arg;

    op->calls++;
    op->state = state;
    torn_of = torn;
    (void)snprintf(torn_domain, sizeof(torn_domain), "%s", torn != NULL ? torn->domain : "");
}

static enum store_state begin(struct scene *scene, struct store_directory *rows, size_t count)
{
    struct stage_op op = {.calls = 0};

    store_directory_begin(scene->store, rows, count, stage_done(stage_op_done, &op, 3));
    stage_until(&scene->stage, stage_op_is_done, &op);
    assert_int_equal(op.token, 3);
    return op.state;
}

static enum store_state add_some(struct scene *scene, const struct store_directory *row,
                                 unsigned first, unsigned count)
{
    struct store_entry entries[DIRECTORY_ROWS_MAX];
    static char address[DIRECTORY_ROWS_MAX][64];
    struct stage_op op = {.calls = 0};

    for (unsigned i = 0; i < count; i++) {
        (void)snprintf(address[i], sizeof(address[i]), "u%u@%s", first + i, row->domain);
        entries[i] = (struct store_entry){address[i], "active\t\t", row->directory};
    }
    store_directory_add(scene->store, entries, count, stage_done(stage_op_done, &op, 4));
    stage_until(&scene->stage, stage_op_is_done, &op);
    return op.state;
}

static void add_all(struct scene *scene, const struct store_directory *row, unsigned count)
{
    for (unsigned at = 0; at < count; at += 100)
        assert_int_equal(add_some(scene, row, at, count - at < 100 ? count - at : 100), STORE_UP);
}

static enum store_state put_into_force(struct scene *scene, const struct store_directory *rows,
                                       size_t count)
{
    struct stage_op op = {.calls = 0};

    store_directory_switch(scene->store, rows, count, (struct store_directory_done){switched, &op});
    stage_until(&scene->stage, stage_op_is_done, &op);
    assert_int_equal(op.calls, 1);
    return op.state;
}

static struct store_directory import(struct scene *scene, const char *domain, unsigned count)
{
    struct store_directory row = {.domain = domain, .entries = count, .by = "me", .at_ms = 5};

    assert_int_equal(begin(scene, &row, 1), STORE_UP);
    add_all(scene, &row, count);
    assert_int_equal(put_into_force(scene, &row, 1), STORE_UP);
    assert_null(torn_of);
    return row;
}

static bool has_read_directories(void *store)
{
    return ((struct store *)store)->directories.is_known;
}

static void open_scene(struct scene *scene)
{
    scene_open(scene);
    stage_until(&scene->stage, has_read_directories, scene->store);
}

static uint64_t in_force(const struct store *store, const char *domain)
{
    struct person_directory directory;

    assert_true(store_directory(store, domain, &directory));
    return directory.version;
}

static enum fact_state look(struct scene *scene, struct store *store, const char *domain,
                            const char *address)
{
    struct person_facts facts;
    struct stage_op op = {.calls = 0};
    struct store_person person = {.mailbox = address, .address = address, .facts = &facts};

    person_facts_clear(&facts);
    assert_true(store_directory(store, domain, &person.directory));
    assert_true(person.directory.version != 0);
    store_read_person(store, &person, stage_done(stage_op_done, &op, 5));
    stage_until(&scene->stage, stage_op_is_done, &op);
    return facts.row.state;
}

static long long keys_of(struct scene *scene, const struct store_directory *row, bool with_end)
{
    long long count = 0;
    char key[PERSON_KEY_MAX];

    for (uint32_t i = 0; i < row->directory.buckets; i++) {
        (void)person_directory_key(&row->directory, i, key);
        const long long ttl = stage_number(&scene->stage, "TTL %s", key);

        count += with_end ? ttl > 0 : ttl != -2;
    }
    return count;
}

struct wanted {
    struct store *store;
    const char *domain;
    uint64_t version;
};

static bool is_in_force(void *arg)
{
    const struct wanted *wanted = arg;

    return in_force(wanted->store, wanted->domain) == wanted->version;
}

static void until_in_force(struct scene *scene, struct store *store, const char *domain,
                           uint64_t version)
{
    struct wanted wanted = {store, domain, version};

    stage_until(&scene->stage, is_in_force, &wanted);
}

static struct store *second_node(struct scene *scene)
{
    struct store *other = stage_store(&scene->stage, &scene->stage.config);

    stage_until_state(&scene->stage, other, STORE_UP);
    stage_until(&scene->stage, follows_events, other);
    stage_until(&scene->stage, has_read_directories, other);
    return other;
}

static void a_switch_is_at_once_and_on_both_nodes(void **state)
{
    struct store_directory row = {.domain = "corp.example", .entries = MANY, .by = "me"};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    struct store *other = second_node(&scene);

    assert_int_equal(begin(&scene, &row, 1), STORE_UP);
    assert_int_equal(row.directory.buckets, 11);
    assert_int_equal(keys_of(&scene, &row, true), 11); // a torn import ends by itself
    add_all(&scene, &row, MANY);
    assert_int_equal(in_force(scene.store, "corp.example"), 0);
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_UP);
    assert_null(torn_of);
    assert_int_equal(in_force(scene.store, "corp.example"), row.directory.version);
    const uint64_t told_ms = clock_mono_ms();

    until_in_force(&scene, other, "corp.example", row.directory.version);
    assert_in_range(clock_mono_ms() - told_ms, 0, 1000 + 1000);
    assert_int_equal(keys_of(&scene, &row, true), 0); // what is in force does not
    assert_int_equal(keys_of(&scene, &row, false), 11);
    assert_int_equal(look(&scene, other, "corp.example", "u699@corp.example"), FACT_PRESENT);
    assert_int_equal(look(&scene, other, "corp.example", "u700@corp.example"), FACT_ABSENT);
    assert_int_equal(look(&scene, scene.store, "corp.example", "u0@corp.example"), FACT_PRESENT);
    store_free(&other);
    scene_close(&scene);
}

static void all_domains_of_an_import_switch_together(void **state)
{
    struct store_directory rows[3] = {{.domain = "a.example", .entries = 100, .by = "me"},
                                      {.domain = "b.example", .entries = 1, .by = "me"},
                                      {.domain = "c.example", .entries = 0, .by = "me"}};
    struct scene scene;
    struct store_directory found;

    (void)state;
    open_scene(&scene);
    assert_int_equal(begin(&scene, rows, 3), STORE_UP);
    assert_int_equal(rows[1].directory.version, rows[0].directory.version + 1);
    add_all(&scene, &rows[0], 100);
    assert_int_equal(put_into_force(&scene, rows, 3), STORE_UP);
    assert_string_equal(torn_domain, "b.example"); // one is not whole: none of them
    assert_int_equal(store_directory_count(scene.store), 0);
    assert_int_equal(stage_number(&scene.stage, "EXISTS directory:{p}"), 0);
    add_all(&scene, &rows[1], 1);
    assert_int_equal(put_into_force(&scene, rows, 3), STORE_UP);
    assert_null(torn_of);
    assert_int_equal(store_directory_count(scene.store), 3);
    assert_true(store_directory_find(scene.store, "a.example", &found));
    assert_int_equal(found.entries, 100);
    assert_string_equal(found.by, "me");
    assert_int_equal(look(&scene, scene.store, "c.example", "u0@c.example"), FACT_ABSENT);
    scene_close(&scene);
}

static bool is_gone(void *arg)
{
    struct scene *scene = ((void **)arg)[0];
    const struct store_directory *row = ((void **)arg)[1];

    if (scene->store->directories.is_sweeping)
        return false;
    if (keys_of(scene, row, false) == 0)
        return true;
    directory_sweep(scene->store);
    return false;
}

static void until_gone(struct scene *scene, const struct store_directory *row)
{
    const void *both[2] = {scene, row};

    stage_until(&scene->stage, is_gone, (void *)both);
}

static void sweep(struct scene *scene)
{
    directory_sweep(scene->store);
    while (scene->store->directories.is_sweeping)
        stage_run(&scene->stage, 10);
}

static void what_gave_way_is_removed_when_its_time_is_over(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory before = import(&scene, "corp.example", MANY);
    const struct store_directory now = import(&scene, "corp.example", 10);

    sweep(&scene);
    assert_int_equal(keys_of(&scene, &before, false), 11); // for those who have not heard yet
    stage_do(&scene.stage, "HSET directory:{p}:versions %llu %s",
             (unsigned long long)before.directory.version, "11 5");
    stage_do(&scene.stage, "HSET directory:{p}:versions %llu %s",
             (unsigned long long)now.directory.version, "1 5");
    until_gone(&scene, &before);
    sweep(&scene);
    assert_int_equal(stage_number(&scene.stage, "HLEN directory:{p}:versions"), 1);
    assert_int_equal(keys_of(&scene, &now, false), 1); // in force, whatever stands there
    assert_int_equal(look(&scene, scene.store, "corp.example", "u9@corp.example"), FACT_PRESENT);
    scene_close(&scene);
}

static void an_import_that_is_aborted_goes(void **state)
{
    struct store_directory row = {.domain = "corp.example", .entries = MANY, .by = "me"};
    struct stage_op op = {.calls = 0};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    assert_int_equal(begin(&scene, &row, 1), STORE_UP);
    add_all(&scene, &row, 50);
    store_directory_abort(scene.store, &row, 1, stage_done(stage_op_done, &op, 1));
    stage_until(&scene.stage, stage_op_is_done, &op);
    assert_int_equal(op.state, STORE_UP);
    sweep(&scene);
    assert_int_equal(keys_of(&scene, &row, false), 11);
    stage_do(&scene.stage, "HSET directory:{p}:versions %llu %s",
             (unsigned long long)row.directory.version, "11 5");
    until_gone(&scene, &row);
    scene_close(&scene);
}

static void nothing_is_removed_while_one_in_force_cannot_be_read(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory before = import(&scene, "corp.example", 10);

    (void)import(&scene, "corp.example", 10);
    stage_do(&scene.stage, "HSET directory:{p}:versions %llu %s",
             (unsigned long long)before.directory.version, "1 5");
    stage_do(&scene.stage, "HSET directory:{p} other.example garbage");
    sweep(&scene);
    assert_int_equal(keys_of(&scene, &before, false), 1);
    stage_do(&scene.stage, "HDEL directory:{p} other.example");
    until_gone(&scene, &before);
    scene_close(&scene);
}

static void a_lost_hash_says_nothing(void **state)
{
    struct scene scene;
    char key[PERSON_KEY_MAX];

    (void)state;
    open_scene(&scene);
    const struct store_directory row = import(&scene, "corp.example", 10);

    assert_int_equal(look(&scene, scene.store, "corp.example", "eve@corp.example"), FACT_ABSENT);
    (void)person_directory_key(&row.directory, 0, key);
    stage_do(&scene.stage, "HSET %s whole 0", key);
    assert_int_equal(look(&scene, scene.store, "corp.example", "eve@corp.example"), FACT_UNKNOWN);
    assert_int_equal(look(&scene, scene.store, "corp.example", "u1@corp.example"), FACT_UNKNOWN);
    stage_do(&scene.stage, "DEL %s", key);
    assert_int_equal(look(&scene, scene.store, "corp.example", "u1@corp.example"), FACT_UNKNOWN);
    scene_close(&scene);
}

static void a_row_that_was_lost_on_the_way_is_noticed(void **state)
{
    struct store_directory row = {.domain = "corp.example", .entries = 10, .by = "me"};
    struct scene scene;
    char key[PERSON_KEY_MAX];

    (void)state;
    open_scene(&scene);
    assert_int_equal(begin(&scene, &row, 1), STORE_UP);
    add_all(&scene, &row, 10);
    (void)person_directory_key(&row.directory, 0, key);
    stage_do(&scene.stage, "HDEL %s u3@corp.example", key);
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_UP);
    assert_string_equal(torn_domain, "corp.example");
    assert_int_equal(in_force(scene.store, "corp.example"), 0);
    assert_int_equal(add_some(&scene, &row, 3, 1), STORE_UP);
    assert_int_equal(add_some(&scene, &row, 3, 1), STORE_UP); // twice is once
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_UP);
    assert_null(torn_of);
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_UP); // and so is this
    assert_null(torn_of);
    sweep(&scene);
    assert_int_equal(look(&scene, scene.store, "corp.example", "u3@corp.example"), FACT_PRESENT);
    scene_close(&scene);
}

static void numbers_that_are_taken_are_not_used(void **state)
{
    struct store_directory rows[2] = {{.domain = "a.example", .entries = 1, .by = ""},
                                      {.domain = "b.example", .entries = 1, .by = ""}};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const uint64_t now_ms = store_now_ms(scene.store);

    // Whatever moment it is begun at in the next two seconds, the second one's number is taken at it.
    for (uint64_t at_ms = now_ms; at_ms < now_ms + 2000; at_ms++)
        stage_do(&scene.stage, "HSETNX directory:{p}:versions %llu %s",
                 (unsigned long long)((at_ms << DIRECTORY_VERSION_BITS) + 1), "1 5");
    assert_int_equal(begin(&scene, rows, 2), STORE_UP);
    assert_true(rows[0].directory.version >> DIRECTORY_VERSION_BITS >= now_ms + 2000);
    assert_int_equal(rows[1].directory.version, rows[0].directory.version + 1);
    scene_close(&scene);
}

static void a_dropped_one_is_dropped_everywhere(void **state)
{
    struct stage_op op = {.calls = 0};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory row = import(&scene, "corp.example", 10);
    struct store *other = second_node(&scene);

    assert_int_equal(in_force(other, "corp.example"), row.directory.version);
    store_directory_drop(scene.store, "corp.example", stage_done(stage_op_done, &op, 1));
    stage_until(&scene.stage, stage_op_is_done, &op);
    assert_int_equal(op.state, STORE_UP);
    assert_int_equal(in_force(scene.store, "corp.example"), 0);
    until_in_force(&scene, other, "corp.example", 0);
    stage_do(&scene.stage, "HSET directory:{p}:versions %llu %s",
             (unsigned long long)row.directory.version, "1 5");
    until_gone(&scene, &row);
    op.calls = 0;
    store_directory_drop(scene.store, "corp.example", stage_done(stage_op_done, &op, 1));
    stage_until(&scene.stage, stage_op_is_done, &op);
    assert_int_equal(op.state, STORE_UP);
    store_free(&other);
    scene_close(&scene);
}

static void a_node_that_was_away_catches_up(void **state)
{
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory before = import(&scene, "corp.example", 10);
    struct store *other = second_node(&scene);

    assert_int_equal(in_force(other, "corp.example"), before.directory.version);
    const struct store_directory now = import(&scene, "corp.example", 20);

    stage_do(&scene.stage, "DEL events:{p}"); // whatever it would have heard
    until_in_force(&scene, other, "corp.example", now.directory.version);
    assert_int_equal(look(&scene, other, "corp.example", "u19@corp.example"), FACT_PRESENT);
    store_free(&other);
    scene_close(&scene);
}

static void a_store_that_is_away_changes_nothing(void **state)
{
    struct store_directory row = {.domain = "corp.example", .entries = 10, .by = "me"};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory before = import(&scene, "corp.example", 10);

    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(begin(&scene, &row, 1), STORE_DOWN);
    assert_int_equal(row.directory.version, 0);
    row.directory = (struct person_directory){7, 1};
    assert_int_equal(add_some(&scene, &row, 0, 5), STORE_DOWN);
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_DOWN);
    assert_int_equal(in_force(scene.store, "corp.example"), before.directory.version);
    scene_close(&scene);
}

static void a_full_store_refuses_it(void **state)
{
    struct store_directory row = {.domain = "corp.example", .entries = 10, .by = "me"};
    struct scene scene;

    (void)state;
    open_scene(&scene);
    const struct store_directory before = import(&scene, "corp.example", 10);

    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(begin(&scene, &row, 1), STORE_FULL);
    row.directory = (struct person_directory){before.directory.version + 5, 1};
    assert_int_equal(put_into_force(&scene, &row, 1), STORE_FULL);
    assert_int_equal(in_force(scene.store, "corp.example"), before.directory.version);
    assert_int_equal(look(&scene, scene.store, "corp.example", "u1@corp.example"), FACT_PRESENT);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_switch_is_at_once_and_on_both_nodes);
    TABLE_TEST(&table, all_domains_of_an_import_switch_together);
    TABLE_TEST(&table, what_gave_way_is_removed_when_its_time_is_over);
    TABLE_TEST(&table, an_import_that_is_aborted_goes);
    TABLE_TEST(&table, nothing_is_removed_while_one_in_force_cannot_be_read);
    TABLE_TEST(&table, a_lost_hash_says_nothing);
    TABLE_TEST(&table, a_row_that_was_lost_on_the_way_is_noticed);
    TABLE_TEST(&table, numbers_that_are_taken_are_not_used);
    TABLE_TEST(&table, a_dropped_one_is_dropped_everywhere);
    TABLE_TEST(&table, a_node_that_was_away_catches_up);
    TABLE_TEST(&table, a_store_that_is_away_changes_nothing);
    TABLE_TEST(&table, a_full_store_refuses_it);
    return table_run(&table, "directories");
}
