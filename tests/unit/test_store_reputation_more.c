// Reputation in a real redis-server, what is around a report: gateways and whom to trust, volumes, what an operator lists and undoes, and
// nodes that replay.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/reputation_scene.h"
#include "tests/support/table.h"

static void report_as(struct scene *scene, const char *gateway, const char *event, bool is_spam)
{
    struct store_report report;

    report_make(&report, scene->store, event, is_spam);
    (void)snprintf(report.gateway, sizeof(report.gateway), "%s", gateway);
    assert_int_equal(report_of(scene, scene->store, &report), STORE_UP);
    assert_true(report.is_new);
}

static void report_many(struct scene *scene, const char *gateway, unsigned count, bool is_spam)
{
    for (unsigned i = 0; i < count; i++) {
        char event[96];

        (void)snprintf(event, sizeof(event), "%s %d %u", gateway, is_spam, i);
        report_as(scene, gateway, event, is_spam);
    }
}

static bool nothing_is_told(void *store)
{
    const struct reporters *reporters = &((struct store *)store)->reputing.reporters;

    for (size_t i = 0; i < reporters->count; i++)
        if (reporters->item[i].news.last_ms != 0 || reporters->item[i].is_sending)
            return false;
    return true;
}

static void tell_all(struct scene *scene, struct store *store)
{
    gateways_flush(store);
    stage_until(&scene->stage, nothing_is_told, store);
}

static struct store_reporter row_of_gateway(const struct store *store, const char *name)
{
    struct store_reporter row[16];
    const size_t count = store_reporters_list(store, row, 16);

    for (size_t i = 0; i < count; i++)
        if (strcmp(row[i].name, name) == 0)
            return row[i];
    return (struct store_reporter){.id = 0};
}

// ---- gateways

static void ids_are_given_once(void **state)
{
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    struct store *other = another(&scene);

    report_as(&scene, "mx2", "a", true);
    report_as(&scene, "mx1", "b", true);
    report_make(&report, other, "c", true); // whom it has not heard of yet
    (void)snprintf(report.gateway, sizeof(report.gateway), "mx2");
    assert_int_equal(report_of(&scene, other, &report), STORE_UP);
    assert_int_equal(row_of_gateway(scene.store, "mx2").id, 1);
    assert_int_equal(row_of_gateway(scene.store, "mx1").id, 2);
    assert_int_equal(row_of_gateway(other, "mx2").id, 1);
    assert_int_equal(store_reporters(scene.store).active, 2);
    // A row that went leaves its id to nobody; after the last one it begins anew, and skips who is there.
    stage_do(&scene.stage, "HDEL gateways:{p} mx1");
    report_as(&scene, "mx3", "d", true);
    assert_int_equal(row_of_gateway(scene.store, "mx3").id, 3);
    stage_do(&scene.stage, "HSET gateways:{p} %s 65535", "");
    report_as(&scene, "mx4", "e", true);
    assert_int_equal(row_of_gateway(scene.store, "mx4").id, 2);
    report_as(&scene, "mx5", "f", true);
    assert_int_equal(row_of_gateway(scene.store, "mx5").id, 4);
    report_as(&scene, "", "g", true); // somebody without a name
    assert_int_equal(row_of_gateway(scene.store, "-").id, 5);
    store_free(&other);
    scene_close(&scene);
}

static void rows_that_are_none_of_ours_are_replaced(void **state)
{
    static const char *const VALUES[] = {"",
                                         "x",
                                         "0 1 1 1 1 1 1 1",
                                         "65536 1 1 1 1 1 1 1",
                                         "1 1 1",
                                         "1 1 1 1 1 1 1 -1",
                                         "1.5 1 1 1 1 1 1 1",
                                         "1 1 nan 1 1 1 1 1",
                                         "1 1 1 1 1 1 1 1 1"};
    struct store_reporter row;

    (void)state;
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++)
        assert_false(script_row_read(VALUES[i], &row));
    assert_true(script_row_read("7 1700000000000 1.5 2 30 0 0 20", &row));
    assert_int_equal(row.id, 7);
    assert_true(row.spam == 1.5 && row.ham == 2);
    assert_true(row.record.agreed[0] == 30 && row.record.disagreed[1] == 20);
    assert_near(row.trust, 0, 1e-9);
}

// Two nodes that tell of one gateway at once lose nothing of each other.
static void what_nodes_tell_adds_up(void **state)
{
    struct scene scene;
    struct store_report report;
    struct store_reporter row;

    (void)state;
    scene_open(&scene);
    struct store *other = another(&scene);

    for (unsigned i = 0; i < 5; i++) {
        char event[16];

        (void)snprintf(event, sizeof(event), "%u", i);
        report_make(&report, i % 2 == 0 ? scene.store : other, event, i != 3);
        report.weight = 0.5;
        assert_int_equal(report_of(&scene, i % 2 == 0 ? scene.store : other, &report), STORE_UP);
    }
    tell_all(&scene, scene.store);
    tell_all(&scene, other);
    row = row_of_gateway(other, "mx1"); // it told last, and was told what stands there
    assert_near(row.spam, 2, 1e-6);
    assert_near(row.ham, 0.5, 1e-6);
    assert_int_not_equal(row.last_ms, 0);
    store_free(&other);
    scene_close(&scene);
}

static bool distrusts(void *store)
{
    return store_reporters(store).trust != NULL && store_reporters(store).trust[4] < 0.9F;
}

// Three know the address for spam, the fourth calls all of it ham: everybody hears whom not to trust.
static void who_contradicts_loses_trust_everywhere(void **state)
{
    static const char *const HONEST[] = {"mx1", "mx2", "mx3"};
    struct scene scene;
    struct store_reporter row;

    (void)state;
    scene_open(&scene);
    struct store *other = another(&scene);

    for (unsigned i = 0; i < 3; i++)
        report_many(&scene, HONEST[i], 3, true);
    assert_null(store_reporters(scene.store).trust);
    report_many(&scene, "liar", 12, false);
    row = row_of_gateway(scene.store, "liar");
    assert_int_equal(row.id, 4);
    assert_true(row.record.disagreed[1] > 20); // in each chain
    assert_true(row.trust < REPUTATION_ALARM);
    assert_true(distrusts(scene.store));
    const double ham = stored(&scene, "r:i:c0000201").ham;

    assert_true(ham < 2);                          // the first words of twelve
    report_as(&scene, "liar", "and again", false); // and is not heard any more
    assert_near(stored(&scene, "r:i:c0000201").ham, ham, 1e-6);
    stage_until(&scene.stage, distrusts, other);
    for (unsigned i = 0; i < 3; i++)
        assert_near(row_of_gateway(scene.store, HONEST[i]).trust, 1, 1e-9);
    store_free(&other);
    scene_close(&scene);
}

static void the_chain_s_own_words_judge_nobody(void **state)
{
    static const char *const HONEST[] = {"mx1", "mx2", "mx3"};
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < 3; i++)
        report_many(&scene, HONEST[i], 3, true);
    for (unsigned i = 0; i < 12; i++) {
        report_make(&report, scene.store, "", false);
        (void)snprintf(report.event, sizeof(report.event), "own %u", i);
        (void)snprintf(report.gateway, sizeof(report.gateway), "mx4");
        report.judges = false;
        assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    }
    assert_near(row_of_gateway(scene.store, "mx4").trust, 1, 1e-9);
    scene_close(&scene);
}

static bool has_no_gateway(void *store)
{
    return ((struct store *)store)->reputing.reporters.count == 0;
}

static void rows_go_after_half_a_year(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    report_as(&scene, "mx1", "a", true);
    tell_all(&scene, scene.store);
    assert_true(stage_number(&scene.stage, "TTL gateways:{p}") > 180L * 24 * 3600);
    stage_do(&scene.stage, "HSET gateways:{p} mx1 %s", "1 1000 1 1 0 0 0 0");
    gateways_heard(scene.store);
    stage_until(&scene.stage, has_no_gateway, scene.store);
    scene_close(&scene);
}

// ---- volumes

static void replay_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    scene->stage.config.replay = true;
    stage_redis(&scene->stage, NULL);
    scene_begin(scene);
}

static bool nothing_is_counted(void *store)
{
    return ((struct store *)store)->reputing.volumes.batches == 0;
}

static void mails_are_counted_where_something_is_kept(void **state)
{
    const struct reputation_settings settings = levels_of_paper();
    struct scene scene;
    struct reputation_facts facts;

    (void)state;
    scene_open(&scene);
    report_as(&scene, "mx1", "a", true);
    levels_of(&facts, "192.0.2.1", 0, "");
    store_reputation_volume(scene.store, &facts.level[0].id, 2, &settings.level[REPUTATION_IP]);
    store_reputation_volume(scene.store, &facts.level[0].id, 1, &settings.level[REPUTATION_IP]);
    volumes_flush(scene.store);
    volumes_flush(scene.store); // once
    stage_until(&scene.stage, nothing_is_counted, scene.store);
    assert_near(stored(&scene, "r:i:c0000201").hour, 3, 0.01);
    assert_near(stored(&scene, "r:i:c0000201").week, 3, 0.01);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    scene_close(&scene);
}

static void who_sends_much_is_kept_unreported(void **state)
{
    const struct reputation_settings settings = levels_of_paper();
    struct scene scene;
    struct reputation_facts facts;

    (void)state;
    scene_open(&scene);
    report_as(&scene, "mx1", "a", true);
    levels_of(&facts, "198.51.100.7", 0, "");
    for (unsigned i = 0; i < VOLUME_LEAST; i++) {
        assert_int_equal(stored(&scene, "r:i:c6336407").at_s, 0);
        store_reputation_volume(scene.store, &facts.level[0].id, 1, &settings.level[REPUTATION_IP]);
        volumes_flush(scene.store);
        stage_until(&scene.stage, nothing_is_counted, scene.store);
    }
    assert_near(stored(&scene, "r:i:c6336407").hour, VOLUME_LEAST, 0.05);
    assert_near(held(&scene, "r:i:c6336407"), 0, 0);
    assert_true(stage_number(&scene.stage, "TTL r:i:c6336407") > 80L * 24 * 3600);
    scene_close(&scene);
}

// An hour's mails are of that hour; nobody asks twice about what is not kept.
static void hours_are_counted_apart(void **state)
{
    const struct reputation_settings settings = levels_of_paper();
    const struct reputation_level_settings *level = &settings.level[REPUTATION_IP];
    struct scene scene;
    struct reputation_facts facts;

    (void)state;
    replay_open(&scene);
    levels_of(&facts, "198.51.100.7", 0, "");
    store_replay(scene.store, 1000ULL * 3600 * 1000);
    store_reputation_volume(scene.store, &facts.level[0].id, VOLUME_LEAST - 1, level);
    volumes_flush(scene.store);
    stage_until(&scene.stage, nothing_is_counted, scene.store);
    const uint64_t before = store_counters(scene.store)->commands;

    volumes_flush(scene.store);
    assert_int_equal(store_counters(scene.store)->commands, before);
    store_replay(scene.store, 1001ULL * 3600 * 1000);
    store_reputation_volume(scene.store, &facts.level[0].id, VOLUME_LEAST - 1, level);
    volumes_flush(scene.store);
    stage_until(&scene.stage, nothing_is_counted, scene.store);
    assert_int_equal(stored(&scene, "r:i:c6336407").at_s, 0);
    scene_close(&scene);
}

// ---- what an operator asks

struct pages {
    unsigned calls;
    enum store_state state;
    uint64_t next;
    size_t count;
    struct store_entity row[64];
};

static void got_page(void *arg, enum store_state state, const struct store_entity *row,
                     size_t count, uint64_t next)
{
    struct pages *pages = arg;

    pages->calls++;
    pages->state = state;
    pages->next = next;
    for (size_t i = 0; i < count && pages->count < 64; i++) {
        pages->row[pages->count] = row[i];
        (void)reputation_id_read(pages->row[pages->count].text, &pages->row[pages->count].id);
        pages->count++;
    }
}

static bool is_paged(void *arg)
{
    return ((struct pages *)arg)->calls > 0;
}

static void page_all(struct scene *scene, unsigned kinds, struct pages *pages)
{
    *pages = (struct pages){.calls = 0};
    do {
        pages->calls = 0;
        store_reputation_page(scene->store, pages->next, 7, kinds,
                              (struct store_entities_done){got_page, pages});
        stage_until(&scene->stage, is_paged, pages);
        assert_int_equal(pages->state, STORE_UP);
    } while (pages->next != 0);
}

static void undo_all(struct scene *scene, const char *gateway, bool dry_run, struct pages *pages)
{
    const struct reputation_settings settings = levels_of_paper();

    *pages = (struct pages){.calls = 0};
    do {
        pages->calls = 0;
        store_reputation_undo(scene->store, pages->next, 7, gateway, &settings, dry_run,
                              (struct store_entities_done){got_page, pages});
        stage_until(&scene->stage, is_paged, pages);
        assert_int_equal(pages->state, STORE_UP);
    } while (pages->next != 0);
}

static void entities_are_listed(void **state)
{
    struct pages *pages = mem_new(sizeof(*pages));
    struct scene scene;

    (void)state;
    scene_open(&scene);
    page_all(&scene, ~0U, pages);
    assert_int_equal(pages->count, 0);
    report_as(&scene, "mx1", "a", true);
    climb_all(&scene, scene.store);
    stage_do(&scene.stage, "SET r:i:c0000299 garbage"); // none of ours, and not met
    stage_do(&scene.stage, "SET r:x:c0000299 garbage");
    page_all(&scene, ~0U, pages);
    assert_int_equal(pages->count, 10);
    for (size_t i = 0; i < pages->count; i++)
        assert_near(pages->row[i].is.spam, 1, 1e-6);
    page_all(&scene, 1U << REPUTATION_SENDER | 1U << REPUTATION_NET, pages);
    assert_int_equal(pages->count, 2);
    for (size_t i = 0; i < 2; i++) {
        if (pages->row[i].id.kind == REPUTATION_SENDER)
            assert_string_equal(pages->row[i].id.domain, "sender.example");
        else
            assert_int_equal(pages->row[i].id.net.bits, 24);
    }
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    *pages = (struct pages){.calls = 0};
    store_reputation_page(scene.store, 0, 7, ~0U, (struct store_entities_done){got_page, pages});
    stage_until(&scene.stage, is_paged, pages);
    assert_int_equal(pages->state, STORE_DOWN);
    assert_int_equal(scene.store->admin_work, 0);
    scene_close(&scene);
    mem_free(pages);
}

static void one_gateway_is_taken_out(void **state)
{
    struct pages *pages = mem_new(sizeof(*pages));
    struct scene scene;

    (void)state;
    scene_open(&scene);
    report_many(&scene, "mx1", 4, false);
    report_many(&scene, "mx2", 4, true);
    climb_all(&scene, scene.store);
    const double root = held(&scene, "r:g:address");

    undo_all(&scene, "nobody", false, pages);
    assert_int_equal(pages->count, 0);
    undo_all(&scene, "mx2", true, pages);
    assert_int_equal(pages->count, 10);
    assert_near(held(&scene, "r:i:c0000201"), 8, 1e-4);
    assert_near(row_of_gateway(scene.store, "mx2").spam, 4, 1e-4);
    undo_all(&scene, "mx2", false, pages);
    assert_int_equal(pages->count, 10);
    assert_near(stored(&scene, "r:i:c0000201").spam, 0, 0.01);
    assert_near(stored(&scene, "r:i:c0000201").ham, 4, 0.01);
    assert_near(stored(&scene, "r:g:address").spam, 0, 1e-4);
    assert_true(held(&scene, "r:g:address") < root);
    assert_near(row_of_gateway(scene.store, "mx2").spam, 0, 0);
    assert_near(row_of_gateway(scene.store, "mx1").ham, 4, 1e-4);
    undo_all(&scene, "mx2", false, pages);
    assert_int_equal(pages->count, 0);
    report_as(&scene, "mx2", "once more", true);
    undo_all(&scene, "mx2", false, pages); // what would have climbed goes, too
    const double net = stored(&scene, "r:n:c00002").spam;

    climb_all(&scene, scene.store);
    assert_near(stored(&scene, "r:n:c00002").spam, net, 1e-4);
    scene.store->reputing.knows_reporters = false; // it has not read who reports
    const struct reputation_settings settings = levels_of_paper();

    pages->calls = 0;
    store_reputation_undo(scene.store, 0, 7, "nobody", &settings, false,
                          (struct store_entities_done){got_page, pages});
    assert_int_equal(pages->state, STORE_SLOW);
    scene_close(&scene);
    mem_free(pages);
}

static void who_was_pardoned_is_trusted_again(void **state)
{
    static const char *const HONEST[] = {"mx1", "mx2", "mx3"};
    struct pages *pages = mem_new(sizeof(*pages));
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < 3; i++)
        report_many(&scene, HONEST[i], 3, true);
    report_many(&scene, "liar", 12, false);
    tell_all(&scene, scene.store);
    assert_true(row_of_gateway(scene.store, "liar").trust < REPUTATION_ALARM);
    undo_all(&scene, "liar", false, pages);
    assert_near(row_of_gateway(scene.store, "liar").trust, 1, 0);
    assert_near(row_of_gateway(scene.store, "liar").ham, 0, 0);
    assert_false(distrusts(scene.store));
    scene_close(&scene);
    mem_free(pages);
}

// ---- replay

static void with_replay_all_is_there_when_it_is_answered(void **state)
{
    struct scene scene;
    struct store_report report;
    struct reputation_facts facts;

    (void)state;
    replay_open(&scene);
    struct store *other = another(&scene);

    store_replay(scene.store, 1000000000000ULL);
    store_replay(other, 1000000000000ULL);
    for (unsigned i = 0; i < 10; i++) { // in turn, each with what the other has just written
        struct store *node = i % 2 == 0 ? scene.store : other;
        char event[16];

        (void)snprintf(event, sizeof(event), "%u", i);
        report_make(&report, node, event, true);
        (void)snprintf(report.gateway, sizeof(report.gateway), "mx%u", i % 3);
        assert_int_equal(report_of(&scene, node, &report), STORE_UP);
        assert_int_equal(store_reputation_waiting(node), 0);
        node = i % 2 == 0 ? other : scene.store;
        levels_of(&facts, "192.0.2.1", 64500, "sender.example");
        assert_int_equal(read_of(&scene, node, &facts), STORE_UP);
        assert_near(facts.level[0].is.spam + facts.level[0].is.ham, i + 1, 1e-6);
        assert_near(facts.level[5].is.spam, stored(&scene, "r:g:address").spam, 1e-9);
        assert_int_equal(store_reporters(node).active, i < 2 ? i + 1 : 3);
    }
    assert_int_equal(stage_number(&scene.stage, "TTL r:i:c0000201"), -1);
    assert_int_equal(stage_number(&scene.stage, "TTL gateways:{p}"), -1);
    store_free(&other);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ids_are_given_once),
        cmocka_unit_test(rows_that_are_none_of_ours_are_replaced),
        cmocka_unit_test(what_nodes_tell_adds_up),
        cmocka_unit_test(who_contradicts_loses_trust_everywhere),
        cmocka_unit_test(the_chain_s_own_words_judge_nobody),
        cmocka_unit_test(rows_go_after_half_a_year),
        cmocka_unit_test(mails_are_counted_where_something_is_kept),
        cmocka_unit_test(who_sends_much_is_kept_unreported),
        cmocka_unit_test(hours_are_counted_apart),
        cmocka_unit_test(entities_are_listed),
        cmocka_unit_test(one_gateway_is_taken_out),
        cmocka_unit_test(who_was_pardoned_is_trusted_again),
        cmocka_unit_test(with_replay_all_is_there_when_it_is_answered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
