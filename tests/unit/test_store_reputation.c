// Reputation in a real redis-server: what a lookup asks, what a report leaves, that each counts once whoever says it and however many at
// once, and what becomes of it while the server is away.
#include <inttypes.h>
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

// ---- reading

static void while_nobody_reports_nothing_is_asked(void **state)
{
    struct scene scene;
    struct reputation_facts facts;

    (void)state;
    scene_open(&scene);
    stage_until(&scene.stage, is_known_empty, scene.store);
    levels_of(&facts, "192.0.2.1", 64500, "sender.example");
    const uint64_t before = store_counters(scene.store)->commands;
    struct stage_op op = {.calls = 0};

    store_read_reputation(scene.store, &facts, stage_done(stage_op_done, &op, 0));
    store_reputation_volume(scene.store, &facts.level[0].id, 100,
                            &levels_of_paper().level[REPUTATION_IP]);
    volumes_flush(scene.store);
    assert_int_equal(op.calls, 1); // at once
    assert_int_equal(op.state, STORE_UP);
    assert_int_equal(store_counters(scene.store)->commands, before);
    for (unsigned i = 0; i < facts.count; i++)
        assert_int_equal(facts.level[i].state, FACT_ABSENT);
    stage_kill(&scene.stage); // nor while it is away
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP);
    scene_close(&scene);
}

static void a_report_is_there_for_every_node(void **state)
{
    struct scene scene;
    struct reputation_facts facts;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    struct store *other = another(&scene);

    stage_until(&scene.stage, is_known_empty, other);
    report_make(&report, scene.store, "one", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_true(report.is_new);
    assert_true(report.trusted == 1);
    climb_all(&scene, scene.store);
    stage_run(&scene.stage, 3 * EVENTS_POLL_MS); // heard of the gateway
    levels_of(&facts, "192.0.2.1", 64500, "sender.example");
    assert_int_equal(read_of(&scene, other, &facts), STORE_UP);
    for (unsigned i = 0; i < facts.count; i++) {
        assert_int_equal(facts.level[i].state, FACT_PRESENT);
        assert_near(facts.level[i].is.spam, 1, 1e-6); // whoever is new climbs whole
        assert_int_equal(facts.level[i].is.slot[0].reporter, 1);
    }
    assert_string_equal(store_reporter_name(other, 1), "mx1");
    assert_string_equal(store_reporter_name(other, 2), "");
    store_free(&other);
    scene_close(&scene);
}

static void parents_are_read_once_in_a_while(void **state)
{
    struct scene scene;
    struct reputation_facts facts;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    climb_all(&scene, scene.store);
    levels_of(&facts, "192.0.2.1", 64500, "sender.example");
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP);
    // Somebody else writes: of the leaf this node knows at once, of its parents a little later.
    stage_do(&scene.stage,
             "DEL r:i:c0000201 r:n:c00002 r:e:64500/sender.example r:d:sender.example");
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP);
    assert_int_equal(facts.level[0].state, FACT_ABSENT);
    assert_int_equal(facts.level[1].state, FACT_PRESENT);
    assert_int_equal(facts.level[facts.address_count].state, FACT_ABSENT);
    assert_int_equal(facts.level[facts.address_count + 1].state, FACT_PRESENT);
    levels_of(&facts, "192.0.2.1", 0, "sender.example"); // and where the domain is the leaf
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP);
    assert_int_equal(facts.level[facts.address_count].id.kind, REPUTATION_DOMAIN);
    assert_int_equal(facts.level[facts.address_count].state, FACT_ABSENT);
    levels_of(&facts, "192.0.2.9", 64500, "sender.example");
    const uint64_t before = store_counters(scene.store)->commands;

    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP);
    assert_int_equal(store_counters(scene.store)->commands, before + 1);
    assert_int_equal(facts.level[1].state, FACT_PRESENT);
    scene_close(&scene);
}

// As long as an entity, and of a weight that nobody writes.
#define TOO_HEAVY "\x01zz0123456789012345678901234567890123456789A"

static void what_is_none_of_ours_is_unknown(void **state)
{
    static const char *const VALUES[] = {"", "x", "\x02spam", TOO_HEAVY};
    struct scene scene;
    struct reputation_facts facts;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    for (size_t i = 0; i < sizeof(VALUES) / sizeof(VALUES[0]); i++) {
        stage_do(&scene.stage, "SET r:i:c0000201 %b", VALUES[i], strlen(VALUES[i]));
        levels_of(&facts, "192.0.2.1", 64500, "sender.example");
        assert_int_equal(read_of(&scene, scene.store, &facts), STORE_ERROR);
        assert_int_equal(facts.level[0].state, FACT_UNKNOWN);
        assert_int_not_equal(facts.level[1].state, FACT_UNKNOWN);
    }
    stage_do(&scene.stage, "DEL r:i:c0000201");
    stage_do(&scene.stage, "HSET r:i:c0000201 a b"); // not even the type
    levels_of(&facts, "192.0.2.1", 64500, "sender.example");
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_UP); // MGET: nothing there
    stage_do(&scene.stage, "DEL r:i:c0000201");
    stage_do(&scene.stage, "SET r:i:c0000201 x");
    report_make(&report, scene.store, "two", true); // the report mends it
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    scene_close(&scene);
}

// ---- reporting

static void what_climbs_is_what_the_core_says(void **state)
{
    struct scene scene;
    struct store_report report;
    struct reputation_facts serial;

    (void)state;
    scene_open(&scene);
    levels_of(&serial, "192.0.2.1", 64500, "sender.example");
    for (unsigned n = 0; n < 12; n++) {
        char event[16];

        (void)snprintf(event, sizeof(event), "%u", n);
        report_make(&report, scene.store, event, n % 3 != 0);
        assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
        climb_all(&scene, scene.store);
        struct reputation_report part = {.reporter = 1,
                                         .active = 1,
                                         .is_spam = n % 3 != 0,
                                         .now_s = (uint32_t)(report.at_ms / 1000)};

        for (unsigned i = 0; i < serial.count; i++) {
            const enum reputation_kind kind = serial.level[i].id.kind;

            if (i == 0 || i == serial.address_count)
                part.weight = 1;
            serial.level[i].is.slot_count =
                reputation_is_root(kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS;
            if (part.weight >= REPUTATION_LEAST)
                part.weight =
                    reputation_add(kind, &report.settings.level[kind], &part, &serial.level[i].is)
                        .onward;
        }
    }
    for (unsigned i = 0; i < serial.count; i++) {
        char key[REPUTATION_KEY_MAX];

        (void)reputation_key(&serial.level[i].id, key);
        const struct reputation_state is = stored(&scene, key);

        assert_near(is.spam, serial.level[i].is.spam, 1e-6);
        assert_near(is.ham, serial.level[i].is.ham, 1e-6);
    }
    scene_close(&scene);
}

static void what_climbs_waits_for_a_second(void **state)
{
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    report_make(&report, scene.store, "two", true); // of the same: one sum
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    climb_flush(scene.store);
    assert_int_equal(scene.store->reputing.climb.count, 2); // one a chain
    assert_int_equal(stored(&scene, "r:n:c00002").at_s, 0);
    climb_all(&scene, scene.store);
    assert_near(held(&scene, "r:n:c00002"), 1.5, 1e-6);
    scene_close(&scene);
}

static void of_a_sender_that_failed_nothing_is_learnt(void **state)
{
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    report.auth = REPUTATION_FAILED;
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    assert_int_equal(stored(&scene, "r:e:64500/sender.example").at_s, 0);
    scene_close(&scene);
}

static void an_event_counts_once(void **state)
{
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    struct store *other = another(&scene);

    report_make(&report, scene.store, "the same", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_true(report.is_new);
    report_make(&report, scene.store, "the same", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_false(report.is_new);
    report_make(&report, other, "the same", false); // and by another gateway, at another node
    (void)snprintf(report.gateway, sizeof(report.gateway), "mx2");
    assert_int_equal(report_of(&scene, other, &report), STORE_UP);
    assert_false(report.is_new);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    assert_int_equal(store_counters(scene.store)->reports, 1);
    assert_int_equal(store_counters(scene.store)->reports_again, 1);
    assert_int_equal(store_counters(other)->reports_again, 1);
    store_free(&other);
    scene_close(&scene);
}

// Stores are as many nodes; each says the same events at once, in another order.
enum { NODES = 6, EVENTS = 24, GATEWAYS = 4 };

struct crowd {
    struct store_report report[NODES][EVENTS];
    unsigned done, failed;
};

static void crowd_done(void *arg, uint64_t token, enum store_state state)
{
    struct crowd *crowd = arg;

    (void)token;
    crowd->done++;
    crowd->failed += state != STORE_UP;
}

static bool crowd_is_done(void *arg)
{
    return ((struct crowd *)arg)->done == NODES * EVENTS;
}

static void many_at_once_lose_and_double_nothing(void **state)
{
    struct crowd *crowd = mem_new(sizeof(*crowd));
    struct store *node[NODES];
    struct scene scene;
    unsigned fresh[EVENTS] = {0};

    (void)state;
    scene_open(&scene);
    node[0] = scene.store;
    for (unsigned n = 1; n < NODES; n++)
        node[n] = another(&scene);
    for (unsigned n = 0; n < NODES; n++)
        for (unsigned i = 0; i < EVENTS; i++) {
            const unsigned which = (i * 7 + n * 5) % EVENTS;
            struct store_report *report = &crowd->report[n][which];
            char event[16];

            (void)snprintf(event, sizeof(event), "event %u", which);
            report_make(report, node[n], event, which % 4 != 0);
            (void)snprintf(report->gateway, sizeof(report->gateway), "mx%u", which % GATEWAYS);
            store_report(node[n], report, stage_done(crowd_done, crowd, 0));
        }
    stage_until(&scene.stage, crowd_is_done, crowd);
    assert_int_equal(crowd->failed, 0);
    for (unsigned n = 0; n < NODES; n++)
        for (unsigned i = 0; i < EVENTS; i++)
            fresh[i] += crowd->report[n][i].is_new;
    for (unsigned i = 0; i < EVENTS; i++)
        assert_int_equal(fresh[i], 1);
    const struct reputation_state is = stored(&scene, "r:i:c0000201");

    assert_near(is.spam, EVENTS * 3 / 4, 1e-4); // six of each gateway: nobody is at his cap
    assert_near(is.ham, EVENTS / 4, 1e-4);
    for (unsigned n = 0; n < NODES; n++)
        climb_all(&scene, node[n]);
    // The parent hears of all of it as far as the child leaned on it: at least as if one had said it, at most all of it.
    assert_true(held(&scene, "r:n:c00002") >= 3);
    assert_true(held(&scene, "r:n:c00002") <= EVENTS);
    assert_int_equal(stage_number(&scene.stage, "HLEN gateways:{p}"), GATEWAYS + 1);
    for (unsigned n = 1; n < NODES; n++)
        store_free(&node[n]);
    scene_close(&scene);
    mem_free(crowd);
}

static void claims_look_at_the_period_before_and_after(void **state)
{
    static const struct {
        const char *name;
        uint64_t first_ms, second_ms; // of a period
        long long second;
    } rows[] = {
        {"at once", 5, 5, 0},
        {"over the end of a period", SCRIPT_EVENT_MS - 1, SCRIPT_EVENT_MS, 0},
        {"31 days later", 0, SCRIPT_EVENT_MS, 0},
        {"nearly 62 days later", 0, 2 * SCRIPT_EVENT_MS - 1, 0},
        {"62 days later", 0, 2 * SCRIPT_EVENT_MS, 1},
        {"at a node whose clock is behind", SCRIPT_EVENT_MS, SCRIPT_EVENT_MS - 1, 0},
    };
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint64_t begin_ms = 700 * SCRIPT_EVENT_MS;
        const uint64_t at_ms[] = {begin_ms + rows[i].first_ms, begin_ms + rows[i].second_ms};

        for (unsigned k = 0; k < 2; k++) {
            struct resp resp;
            size_t len = 0;
            redisContext *redis = redisConnectUnix(scene.stage.socket);
            void *reply = NULL;

            script_put_claim(&resp, rows[i].name, 7 + k, at_ms[k],
                             &(struct script_how){.keeps = false});
            const char *bytes = resp_finish(&resp, &len);

            assert_int_equal(redisAppendFormattedCommand(redis, bytes, len), REDIS_OK);
            assert_int_equal(redisGetReply(redis, &reply), REDIS_OK);
            if (((redisReply *)reply)->integer != (k == 0 ? 1 : rows[i].second))
                fail_msg("%s", rows[i].name);
            freeReplyObject(reply);
            redisFree(redis);
        }
    }
    scene_close(&scene);
}

static bool has_names(void *store)
{
    return ((struct store *)store)->reputing.names.of[SCRIPT_COUNT - 1][0] != '\0';
}

static bool is_all_told(void *store)
{
    return ((struct store *)store)->reputing.volumes.batches == 0;
}

// A server that forgot what was sent by name is sent it whole, and nothing of it is lost.
static void scripts_are_sent_by_name(void **state)
{
    struct crowd *crowd = mem_new(sizeof(*crowd));
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < EVENTS; i++) {
        struct store_report *report = &crowd->report[0][i];
        char event[16];

        (void)snprintf(event, sizeof(event), "event %u", i);
        report_make(report, scene.store, event, true);
    }
    assert_int_equal(report_of(&scene, scene.store, &crowd->report[0][0]), STORE_UP);
    stage_until(&scene.stage, has_names, scene.store);
    assert_int_equal(report_of(&scene, scene.store, &crowd->report[0][1]), STORE_UP);
    stage_do(&scene.stage, "SCRIPT FLUSH");
    crowd->done = NODES * EVENTS - (EVENTS - 2);
    for (unsigned i = 2; i < EVENTS; i++)
        store_report(scene.store, &crowd->report[0][i], stage_done(crowd_done, crowd, 0));
    stage_until(&scene.stage, crowd_is_done, crowd);
    assert_int_equal(crowd->failed, 0);
    for (unsigned i = 0; i < EVENTS; i++)
        assert_true(crowd->report[0][i].is_new);
    assert_near(held(&scene, "r:i:c0000201"), EVENTS, 1e-4);
    stage_until(&scene.stage, has_names, scene.store);
    stage_do(&scene.stage, "SCRIPT FLUSH"); // and what climbs, and is counted
    store_reputation_volume(scene.store, &crowd->report[0][0].facts.level[0].id, 5,
                            &crowd->report[0][0].settings.level[REPUTATION_IP]);
    volumes_flush(scene.store);
    climb_all(&scene, scene.store);
    stage_until(&scene.stage, is_all_told, scene.store);
    volumes_flush(scene.store);
    stage_until(&scene.stage, is_all_told, scene.store);
    assert_near(stored(&scene, "r:i:c0000201").hour, 5, 0.05);
    assert_true(held(&scene, "r:n:c00002") >= 3);
    assert_true(held(&scene, "r:g:address") >= 3);
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    scene_close(&scene);
    mem_free(crowd);
}

// ---- trouble

static void while_it_is_away_nothing_is_claimed(void **state)
{
    struct scene scene;
    struct store_report report;
    struct reputation_facts facts;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "before", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    report_make(&report, scene.store, "one", true);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_DOWN);
    assert_false(report.is_new);
    levels_of(&facts, "192.0.2.1", 64500, "");
    assert_int_equal(read_of(&scene, scene.store, &facts), STORE_DOWN);
    assert_int_equal(facts.level[0].state, FACT_UNKNOWN);
    stage_redis(&scene.stage, NULL);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, admin_is_up, scene.store);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_true(report.is_new);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    scene_close(&scene);
}

static void a_full_server_claims_nothing(void **state)
{
    struct scene scene;
    struct store_report report;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_FULL);
    assert_false(report.is_new);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_true(report.is_new);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    scene_close(&scene);
}

// Its event was claimed, and nobody heard of it: given again it counts, and once.
static void who_was_not_heard_asks_again(void **state)
{
    struct scene scene;
    struct store_report report;
    struct store_report same;

    (void)state;
    scene_open(&scene);
    report_make(&report, scene.store, "one", true);
    (void)kill(scene.stage.server, SIGSTOP);
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_SLOW);
    assert_false(report.is_new);
    (void)kill(scene.stage.server, SIGCONT);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, admin_is_up, scene.store);
    same = report;
    assert_int_equal(report_of(&scene, scene.store, &report), STORE_UP);
    assert_true(report.is_new);
    same.claim = 0; // somebody else says the same
    assert_int_equal(report_of(&scene, scene.store, &same), STORE_UP);
    assert_false(same.is_new);
    assert_near(held(&scene, "r:i:c0000201"), 1, 1e-6);
    scene_close(&scene);
}

static void too_many_at_once_are_told_so(void **state)
{
    enum { MANY = REPUTATION_REPORTS_MAX + 3 };
    struct store_report *report = mem_new_array(MANY, sizeof(*report));
    struct stage_op op = {.calls = 0};
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.stage.config.deadline_ms = 5000;
    store_free(&scene.store);
    scene_begin(&scene);
    for (unsigned i = 0; i < MANY; i++) {
        char event[16];

        (void)snprintf(event, sizeof(event), "%u", i);
        report_make(&report[i], scene.store, event, true);
        store_report(scene.store, &report[i], stage_done(stage_op_done, &op, i));
    }
    assert_int_equal(op.calls, 3);
    assert_int_equal(op.state, STORE_CROWDED);
    store_free(&scene.store); // whoever waits is answered
    assert_int_equal(op.calls, MANY);
    assert_int_equal(op.state, STORE_DOWN);
    scene_close(&scene);
    mem_free(report);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(while_nobody_reports_nothing_is_asked),
        cmocka_unit_test(a_report_is_there_for_every_node),
        cmocka_unit_test(parents_are_read_once_in_a_while),
        cmocka_unit_test(what_is_none_of_ours_is_unknown),
        cmocka_unit_test(what_climbs_is_what_the_core_says),
        cmocka_unit_test(what_climbs_waits_for_a_second),
        cmocka_unit_test(of_a_sender_that_failed_nothing_is_learnt),
        cmocka_unit_test(an_event_counts_once),
        cmocka_unit_test(many_at_once_lose_and_double_nothing),
        cmocka_unit_test(claims_look_at_the_period_before_and_after),
        cmocka_unit_test(scripts_are_sent_by_name),
        cmocka_unit_test(while_it_is_away_nothing_is_claimed),
        cmocka_unit_test(a_full_server_claims_nothing),
        cmocka_unit_test(who_was_not_heard_asks_again),
        cmocka_unit_test(too_many_at_once_are_told_so),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
