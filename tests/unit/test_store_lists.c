// Personal lists in a real redis-server: what is written is what a lookup reads, what was there before is told, who has a
// list is known, and what cannot be read can be seen, replaced and removed.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"

enum { ROWS = 700 };

struct came {
    unsigned calls;
    enum store_state state;
    size_t count;
    uint64_t next;
    char name[ROWS][64];
    enum person_action action[ROWS];
};

static void done(void *arg, uint64_t token, enum store_state state)
{
    struct came *came = arg;

    assert_int_equal(token, 7);
    came->calls++;
    came->state = state;
}

static void page(void *arg, enum store_state state, const struct store_listed *rows, size_t count,
                 uint64_t next)
{
    struct came *came = arg;

    came->calls++;
    came->state = state;
    came->next = next;
    for (size_t i = 0; i < count && came->count < ROWS; i++, came->count++) {
        (void)snprintf(came->name[came->count], sizeof(came->name[0]), "%s", rows[i].name);
        came->action[came->count] = rows[i].entry.action;
    }
}

static bool has_come(void *arg)
{
    return ((struct came *)arg)->calls > 0;
}

typedef void asking(struct store *store, struct store_list_entry *list, struct store_done done);

static enum store_state ask(struct scene *scene, asking *fn, struct store_list_entry *list)
{
    struct came came = {.calls = 0};

    fn(scene->store, list, (struct store_done){.fn = done, .arg = &came, .token = 7});
    stage_until(&scene->stage, has_come, &came);
    assert_int_equal(came.calls, 1);
    return came.state;
}

// All pages.
static void list(struct scene *scene, const char *mailbox, size_t limit, struct came *out)
{
    memset(out, 0, sizeof(*out));
    do {
        const struct store_listed_done listed = {page, out};

        out->calls = 0;
        if (mailbox != NULL)
            store_list(scene->store, mailbox, out->next, limit, listed);
        else
            store_lists(scene->store, out->next, limit, listed);
        stage_until(&scene->stage, has_come, out);
        assert_int_equal(out->calls, 1);
    } while (out->state == STORE_UP && out->next != 0);
}

static struct store_list_entry entry_of(const char *pattern, enum person_action action)
{
    return (struct store_list_entry){
        .mailbox = "bob@corp.example",
        .pattern = pattern,
        .entry = {.action = action, .until_ms = 5000, .since_ms = 9, .by = "eva", .note = "a b"}};
}

static void what_is_written_is_what_a_lookup_reads(void **state)
{
    static const struct person_patterns patterns = {.count = 2,
                                                    .of = {{"x.example", false}, {"*", false}}};
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK),
                            two = entry_of("*", PERSON_PERMIT);
    struct person_facts facts;
    struct store_person person = {
        .mailbox = one.mailbox, .patterns = &patterns, .now_ms = 4000, .facts = &facts};
    struct came came = {.calls = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    one.next = &two;
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    assert_true(one.is_written && two.is_written && !one.was_there && !two.was_there);
    person_facts_clear(&facts);
    store_read_person(scene.store, &person,
                      (struct store_done){.fn = done, .arg = &came, .token = 7});
    stage_until(&scene.stage, has_come, &came);
    assert_int_equal(facts.list.state, FACT_PRESENT);
    assert_int_equal(facts.list.action, PERSON_BLOCK);
    assert_int_equal(facts.list.until_ms, 5000);
    assert_string_equal(facts.list.note, "a b");
    assert_int_equal(stage_number(&scene.stage, "TTL m:{bob@corp.example}"), -1);
    assert_int_equal(stage_number(&scene.stage, "TTL lists:{p}"), -1);
    scene_close(&scene);
}

static void what_was_there_is_told(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(ask(&scene, store_list_read, &one), STORE_UP);
    assert_false(one.was_there || one.is_written);
    assert_int_equal(stage_number(&scene.stage, "EXISTS m:{bob@corp.example} lists:{p}"), 0);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    one.entry.action = PERSON_PERMIT;
    assert_int_equal(ask(&scene, store_list_read, &one), STORE_UP);
    assert_true(one.was_there && !one.is_written);
    assert_int_equal(one.was.action, PERSON_BLOCK);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    assert_true(one.was_there && one.is_written);
    assert_int_equal(one.was.action, PERSON_BLOCK);
    assert_string_equal(one.was.by, "eva");
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    assert_true(one.was_there && one.is_written);
    assert_int_equal(one.was.action, PERSON_PERMIT);
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    assert_false(one.was_there);
    assert_int_equal(stage_number(&scene.stage, "EXISTS m:{bob@corp.example}"), 0);
    scene_close(&scene);
}

static void who_has_a_list_is_known(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK),
                            two = entry_of("*", PERSON_PERMIT);
    struct came came;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    list(&scene, NULL, 10, &came);
    assert_int_equal(came.count, 0);
    one.next = &two;
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    list(&scene, NULL, 10, &came);
    assert_int_equal(came.count, 1);
    assert_string_equal(came.name[0], "bob@corp.example");
    one.next = NULL;
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    list(&scene, NULL, 10, &came);
    assert_int_equal(came.count, 1);
    assert_int_equal(ask(&scene, store_list_remove, &two), STORE_UP);
    list(&scene, NULL, 10, &came);
    assert_int_equal(came.count, 0);
    scene_close(&scene);
}

// Whoever adds an entry while the last one is removed: what is done between the steps of the removal.
static void an_entry_that_comes_between_keeps_its_mailbox_named(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK),
                            two = entry_of("*", PERSON_PERMIT);
    struct came came[2] = {{.calls = 0}, {.calls = 0}};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    store_list_remove(scene.store, &one,
                      (struct store_done){.fn = done, .arg = &came[0], .token = 7});
    // Sent behind the first trip of the removal and before its second.
    store_list_write(scene.store, &two,
                     (struct store_done){.fn = done, .arg = &came[1], .token = 7});
    stage_until(&scene.stage, has_come, &came[0]);
    stage_until(&scene.stage, has_come, &came[1]);
    assert_int_equal(came[0].state, STORE_UP);
    assert_int_equal(came[1].state, STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "HLEN m:{bob@corp.example}"), 1);
    assert_int_equal(stage_number(&scene.stage, "HEXISTS lists:{p} bob@corp.example"), 1);
    scene_close(&scene);
}

static void a_long_list_comes_in_pages(void **state)
{
    struct store_list_entry *entries = calloc(ROWS - 50, sizeof(*entries));
    static char pattern[ROWS][32];
    static bool seen[ROWS];
    struct came came;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (size_t i = 0; i < ROWS - 50; i++) {
        (void)snprintf(pattern[i], sizeof(pattern[i]), "x%zu.example", i);
        entries[i] = entry_of(pattern[i], i % 2 == 0 ? PERSON_BLOCK : PERSON_PERMIT);
        entries[i].next = i > 0 && i % 64 != 0 ? &entries[i - 1] : NULL;
        if (i % 64 == 63 || i == ROWS - 51)
            assert_int_equal(ask(&scene, store_list_write, &entries[i]), STORE_UP);
    }
    list(&scene, "bob@corp.example", 100, &came);
    assert_int_equal(came.state, STORE_UP);
    for (size_t i = 0; i < came.count; i++) {
        size_t number = strtoul(came.name[i] + 1, NULL, 10);

        assert_int_equal(came.action[i], number % 2 == 0 ? PERSON_BLOCK : PERSON_PERMIT);
        seen[number] = true;
    }
    for (size_t i = 0; i < ROWS - 50; i++)
        assert_true(seen[i]);
    free(entries);
    scene_close(&scene);
}

static void what_cannot_be_read_is_seen_and_goes(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK);
    struct came came;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET m:{bob@corp.example} x.example garbage");
    list(&scene, "bob@corp.example", 10, &came);
    assert_int_equal(came.count, 1);
    assert_int_equal(came.action[0], PERSON_NONE);
    assert_int_equal(ask(&scene, store_list_read, &one), STORE_UP);
    assert_true(one.was_there);
    assert_int_equal(one.was.action, PERSON_NONE);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    stage_do(&scene.stage, "HSET m:{bob@corp.example} x.example garbage");
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    assert_int_equal(stage_number(&scene.stage, "EXISTS m:{bob@corp.example}"), 0);
    scene_close(&scene);
}

static void another_kind_of_key_is_an_error(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK);
    struct came came;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "SET m:{bob@corp.example} x");
    assert_int_equal(ask(&scene, store_list_read, &one), STORE_ERROR);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_ERROR);
    assert_false(one.is_written);
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_ERROR);
    assert_false(one.is_written);
    list(&scene, "bob@corp.example", 10, &came);
    assert_int_equal(came.state, STORE_ERROR);
    assert_int_equal(came.count, 0);
    stage_do(&scene.stage, "SET lists:{p} x");
    stage_do(&scene.stage, "DEL m:{bob@corp.example}");
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_ERROR);
    assert_true(one.is_written); // it holds, and nobody can list its mailbox
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_ERROR);
    assert_true(one.is_written);
    scene_close(&scene);
}

static void a_full_store_takes_no_entry_and_gives_one_up(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK),
                            two = entry_of("*", PERSON_PERMIT);
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(ask(&scene, store_list_write, &one), STORE_UP);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(ask(&scene, store_list_write, &two), STORE_FULL);
    assert_false(two.is_written);
    assert_int_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    scene_close(&scene);
}

static void a_store_that_is_away_says_so_at_once(void **state)
{
    struct store_list_entry one = entry_of("x.example", PERSON_BLOCK);
    struct came came;
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_not_equal(ask(&scene, store_list_read, &one), STORE_UP);
    assert_int_not_equal(ask(&scene, store_list_write, &one), STORE_UP);
    assert_int_not_equal(ask(&scene, store_list_remove, &one), STORE_UP);
    list(&scene, NULL, 10, &came);
    assert_int_not_equal(came.state, STORE_UP);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_written_is_what_a_lookup_reads),
        cmocka_unit_test(what_was_there_is_told),
        cmocka_unit_test(who_has_a_list_is_known),
        cmocka_unit_test(an_entry_that_comes_between_keeps_its_mailbox_named),
        cmocka_unit_test(a_long_list_comes_in_pages),
        cmocka_unit_test(what_cannot_be_read_is_seen_and_goes),
        cmocka_unit_test(another_kind_of_key_is_an_error),
        cmocka_unit_test(a_full_store_takes_no_entry_and_gives_one_up),
        cmocka_unit_test(a_store_that_is_away_says_so_at_once),
    };

    return cmocka_run_group_tests_name("store_lists", tests, NULL, NULL);
}
