// The policy set in a real Redis: documents in pieces, versions of which exactly one wins, and what is too much.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/mem.h"
#include "tests/support/policy_scene.h"
#include "tests/support/table.h"

// ---- documents

static const struct size_row {
    const char *name;
    size_t len;
    long long fields;
} SIZES[] = {
    {"one byte", 1, 2},
    {"one piece", POLICY_PIECE_BYTES, 2},
    {"one piece and a byte", POLICY_PIECE_BYTES + 1, 3},
    {"three pieces less a byte", POLICY_PIECE_BYTES * 3 - 1, 4},
    {"as large as one may be", STORE_DOCUMENT_BYTES, 65},
};

static void check_size(void **state)
{
    const struct size_row *row = *state;
    struct document document = document_of('a', row->len);
    struct scene scene;

    scene_open(&scene);
    assert_false(is_fetched(&scene, &document));
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    assert_true(is_fetched(&scene, &document));
    assert_int_equal(stage_number(&scene.stage, "HLEN policy:{p}:stage:%s", document.name),
                     row->fields);
    assert_in_range(life_s(&scene, "stage", &document), 3590, 3601);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // again: only its life is new
    assert_true(is_fetched(&scene, &document));
    scene_close(&scene);
    mem_free(document.bytes);
}

// Whatever of a document is gone or wrong: it is not there.
static const struct torn_row {
    const char *name;
    const char *words;
} TORN[] = {
    {"without its head", "HDEL policy:{p}:stage:%s head"},
    {"without a piece", "HDEL policy:{p}:stage:%s 1"},
    {"a piece too many", "HSET policy:{p}:stage:%s 9 x"},
    {"a piece that is too short", "HSET policy:{p}:stage:%s 0 x"},
    {"its head says more", "HSET policy:{p}:stage:%s head 999999999999"},
    {"its head says nothing", "HSET policy:{p}:stage:%s head 0"},
    {"its head is a word", "HSET policy:{p}:stage:%s head many"},
    {"gone", "DEL policy:{p}:stage:%s"},
};

static void check_torn(void **state)
{
    const struct torn_row *row = *state;
    struct document document = document_of('a', POLICY_PIECE_BYTES + 5);
    struct scene scene;

    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    stage_do(&scene.stage, row->words, document.name);
    assert_false(is_fetched(&scene, &document));
    struct store_version version = row_of(1, &document, "ann");

    if (strcmp(row->name, "a piece that is too short") != 0) // only reading it tells
        assert_int_equal(activate(&scene, &version).end, STORE_MISSING);
    stage_do(&scene.stage, "DEL policy:{p}:stage:%s", document.name);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // and staging mends it
    assert_true(is_fetched(&scene, &document));
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- versions

static void a_version_makes_its_document_stay(void **state)
{
    struct document document = document_of('a', SMALL);
    struct store_version row = row_of(1, &document, "ann");
    struct heard heard = {.tips = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_policy_follow(scene.store, (struct store_policy_calls){heard_tip, heard_staged, &heard});
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    struct came came = activate(&scene, &row);

    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_true(came.has_tip);
    assert_false(came.unreplicated);
    assert_int_equal(life_s(&scene, "doc", &document), -1);
    assert_int_equal(life_s(&scene, "stage", &document), -2); // it was renamed
    assert_true(is_fetched(&scene, &document));
    came = history(&scene, 0, 10);
    assert_int_equal(came.count, 1);
    assert_memory_equal(&came.rows[0], &row, sizeof(row));
    came = activate(&scene, &row); // exactly the same once more: it is there already
    assert_int_equal(came.end, STORE_ACTIVATED);
    assert_int_equal(history(&scene, 0, 10).count, 1);
    assert_int_equal(stage_document(&scene, &document), STORE_UP); // it stays where it is
    assert_int_equal(life_s(&scene, "stage", &document), -2);
    assert_int_equal(life_s(&scene, "doc", &document), -1);
    scene_close(&scene);
    mem_free(document.bytes);
}

static void of_two_with_one_number_one_wins(void **state)
{
    struct document one = document_of('a', SMALL);
    struct document two = document_of('k', SMALL);
    struct store_version first = row_of(1, &one, "ann");
    struct store_version second = row_of(1, &two, "bob");
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &one), STORE_UP);
    assert_int_equal(stage_document(&scene, &two), STORE_UP);
    assert_int_equal(activate(&scene, &first).end, STORE_ACTIVATED);
    struct came came = activate(&scene, &second);

    assert_int_equal(came.end, STORE_OVERTAKEN);
    assert_string_equal(came.tip.by, "ann");
    assert_string_equal(came.tip.document, one.name);
    assert_int_equal(life_s(&scene, "doc", &two), -2); // it stays staged, and goes
    assert_in_range(life_s(&scene, "stage", &two), 3500, 3601);
    second = first; // the same number, and nearly the same words
    second.at_ms++;
    assert_int_equal(activate(&scene, &second).end, STORE_OVERTAKEN);
    second = row_of(2, &two, "bob");
    assert_int_equal(activate(&scene, &second).end, STORE_ACTIVATED);
    assert_int_equal(activate(&scene, &first).end, STORE_OVERTAKEN); // an old one never comes back
    scene_close(&scene);
    mem_free(one.bytes);
    mem_free(two.bytes);
}

static void two_at_once_one_wins(void **state)
{
    struct document one = document_of('a', SMALL);
    struct document two = document_of('k', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    stage_until(&scene.stage, admin_is_up, other);
    assert_int_equal(stage_document(&scene, &one), STORE_UP);
    assert_int_equal(stage_document(&scene, &two), STORE_UP);
    for (uint64_t version = 1; version <= 20; version++) {
        struct store_version rows[2] = {row_of(version, &one, "ann"), row_of(version, &two, "bob")};
        struct came came[2] = {{.calls = 0}, {.calls = 0}};

        store_policy_activate(scene.store, &rows[0],
                              (struct store_activate_done){came_end, &came[0]});
        store_policy_activate(other, &rows[1], (struct store_activate_done){came_end, &came[1]});
        wait_for(&scene, &came[0]);
        wait_for(&scene, &came[1]);
        size_t winner = came[0].end == STORE_ACTIVATED ? 0 : 1;

        assert_int_equal(came[winner].end, STORE_ACTIVATED);
        assert_int_equal(came[1 - winner].end, STORE_OVERTAKEN);
        assert_string_equal(came[1 - winner].tip.by, rows[winner].by);
    }
    assert_int_equal(history(&scene, 0, 100).count, 20);
    store_free(&other);
    scene_close(&scene);
    mem_free(one.bytes);
    mem_free(two.bytes);
}

static void a_history_has_pages(void **state)
{
    struct document document = document_of('a', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(history(&scene, 0, 10).count, 0);
    assert_int_equal(history(&scene, 1, 10).count, 0);
    assert_int_equal(stage_document(&scene, &document), STORE_UP);
    for (uint64_t version = 1; version <= 7; version++) {
        struct store_version row = row_of(version, &document, "ann");

        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    struct came came = history(&scene, 0, 3);

    assert_int_equal(came.count, 3);
    assert_int_equal(came.rows[0].version, 7);
    came = history(&scene, 5, 10);
    assert_int_equal(came.count, 4);
    assert_int_equal(came.rows[0].version, 4);
    assert_int_equal(came.rows[3].version, 1);
    stage_do(&scene.stage, "XADD policy:{p} 8-0 at 5 document %s",
             document.name); // of a later release
    stage_do(&scene.stage, "XADD policy:{p} 9-1 a b");
    assert_int_equal(history(&scene, 0, 10).count, 7); // what is not understood is left out
    scene_close(&scene);
    mem_free(document.bytes);
}

// ---- what is too much

static bool has_versions(void *arg)
{
    struct scene *scene = arg;

    return stage_number(&scene->stage, "XLEN policy:{p}") == STORE_VERSIONS_MAX;
}

static void a_hundred_versions_stay(void **state)
{
    struct document common = document_of('a', SMALL);
    struct document first = document_of('k', SMALL);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_document(&scene, &common), STORE_UP);
    assert_int_equal(stage_document(&scene, &first), STORE_UP);
    for (uint64_t version = 1; version <= STORE_VERSIONS_MAX + 2; version++) {
        struct store_version row = row_of(version, version == 1 ? &first : &common, "ann");

        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    stage_until(&scene.stage, has_versions, &scene);
    assert_int_equal(life_s(&scene, "doc", &first), -2); // nobody names it any more
    assert_int_equal(life_s(&scene, "doc", &common), -1);
    struct came came = history(&scene, 0, 200);

    assert_int_equal(came.count, STORE_VERSIONS_MAX);
    assert_int_equal(came.rows[STORE_VERSIONS_MAX - 1].version, 3);
    scene_close(&scene);
    mem_free(common.bytes);
    mem_free(first.bytes);
}

static void so_do_64_mib(void **state)
{
    struct document document[6];
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (uint64_t i = 0; i < 6; i++) {
        document[i] = document_of((char)('a' + i), SMALL + i);
        assert_int_equal(stage_document(&scene, &document[i]), STORE_UP);
        struct store_version row = row_of(i + 1, &document[i], "ann");

        row.bytes = STORE_DOCUMENT_BYTES; // it says so
        assert_int_equal(activate(&scene, &row).end, STORE_ACTIVATED);
    }
    // Four of 16 MiB are 64 MiB.
    struct came came = {.count = 0};

    for (unsigned i = 0; i < 1000 && came.count != 4; i++)
        came = history(&scene, 0, 200);
    assert_int_equal(came.count, 4);
    assert_int_equal(life_s(&scene, "doc", &document[1]), -2);
    assert_int_equal(life_s(&scene, "doc", &document[2]), -1);
    scene_close(&scene);
    for (size_t i = 0; i < 6; i++)
        mem_free(document[i].bytes);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, SIZES, check_size);
    TABLE_ROWS(&table, TORN, check_torn);
    TABLE_TEST(&table, a_version_makes_its_document_stay);
    TABLE_TEST(&table, of_two_with_one_number_one_wins);
    TABLE_TEST(&table, two_at_once_one_wins);
    TABLE_TEST(&table, a_history_has_pages);
    TABLE_TEST(&table, a_hundred_versions_stay);
    TABLE_TEST(&table, so_do_64_mib);
    return table_run(&table, "store_policy");
}
