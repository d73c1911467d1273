// The store against a server that misbehaves on purpose (tests/support/fake_redis.h): clocks that
// are set, and an operator's questions to a store that does not answer.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_scene.h"
#include "tests/support/table.h"

// ---- the clock

static const struct step_row {
    const char *name;
    int64_t step_ms;
    bool is_ok;
    unsigned steps;
    bool is_followed;
} STEPS[] = {
    {"half a second", 500, true, 0, true},          {"ten seconds", 10000, true, 1, true},
    {"ten seconds back", -10000, true, 1, true},    {"two minutes", 120000, false, 1, false},
    {"two minutes back", -120000, false, 1, false},
};

static bool has_asked_time_and_meta(void *arg)
{
    return strcmp(((struct fake *)arg)->last_verb, "HGETALL") == 0;
}

static void sync_now(struct scene *scene)
{
    scene->fake->last_verb[0] = '\0';
    greeting_sync(scene->store);
    stage_until(&scene->stage, has_asked_time_and_meta, scene->fake);
    stage_run(&scene->stage, 5); // its last answer is on the way
}

static void check_step(void **state)
{
    const struct step_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    assert_in_range(store_clock_offset_ms(scene.store) + 50, 0, 100);
    scene.fake->clock_ms = row->step_ms;
    sync_now(&scene);
    assert_int_equal(store_clock_ok(scene.store), row->is_ok);
    assert_int_equal(store_counters(scene.store)->clock_steps, row->steps);
    int64_t wanted_ms = row->is_followed && row->step_ms > 0 ? row->step_ms : 0; // never back

    assert_in_range(store_clock_offset_ms(scene.store) - wanted_ms + 100, 0, 200);
    sync_now(&scene); // told once
    assert_int_equal(store_counters(scene.store)->clock_steps, row->steps);
    store_clock_accept(scene.store);
    assert_true(store_clock_ok(scene.store));
    if (!row->is_followed)
        assert_in_range(store_clock_offset_ms(scene.store) - row->step_ms + 100, 0, 200);
    scene_close(&scene);
}

static void time_runs_on_in_an_outage(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene.fake->clock_ms = 3600000;
    scene_up(&scene);
    scene.fake->hangs_up = true;
    fake_hang_up_all(scene.fake);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_in_range(store_clock_offset_ms(scene.store), 3599900, 3600100);
    assert_int_equal(store_ring(scene.store)->count, 1); // and the secrets are kept
    scene_close(&scene);
}

static void with_replay_nothing_expires_and_time_is_given(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    scene.fake = fake_open(&scene.stage);
    scene.stage.config.replay = true;
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    store_replay(scene.store, 5000);
    store_replay(scene.store, 4000); // never earlier
    assert_int_equal(store_now_ms(scene.store), 5000);
    scene_up(&scene);
    assert_int_equal(store_now_ms(scene.store), 5000);
    assert_true(store_clock_ok(scene.store));
    stage_until(&scene.stage, admin_is_up, scene.store); // its PING is counted, too
    unsigned before = scene.fake->commands;

    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.fake->commands - before, 4); // HMGET HMGET HSETNX HMGET, no EXPIREAT
    scene_close(&scene);
}

// ---- what an operator's commands meet

struct told {
    unsigned calls;
    enum store_state state;
    size_t count;
    char text[300];
};

static void told_pair(void *arg, enum store_state state, const struct pair_entry *entries,
                      size_t count)
{
    struct told *told = arg;

    (void)entries;
    told->calls++;
    told->state = state;
    told->count = count;
}

static void told_rows(void *arg, enum store_state state, const struct track_row *rows, size_t count,
                      const char *cursor)
{
    struct told *told = arg;

    (void)rows;
    told->calls++;
    told->state = state;
    told->count = count;
    (void)snprintf(told->text, sizeof(told->text), "%s", cursor);
}

static void told_text(void *arg, enum store_state state, const char *text)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

static bool was_told(void *arg)
{
    return ((struct told *)arg)->calls > 0;
}

static void ask_show(struct scene *scene, struct told *told)
{
    store_pair_show(scene->store, &scene->pair.key, (struct pair_done){told_pair, told});
}

static void ask_forget(struct scene *scene, struct told *told)
{
    store_pair_forget(scene->store, &scene->pair.key, (struct pair_done){told_pair, told});
}

static void ask_pass(struct scene *scene, struct told *told)
{
    store_pair_pass(scene->store, &scene->pair.key, 5, (struct pair_done){told_pair, told});
}

static void ask_find(struct scene *scene, struct told *told)
{
    struct track_query query = {
        .sender = "", .recipient = "", .client_ip = "", .reason = "", .cursor = "", .limit = 5};

    store_track_find(scene->store, &query, (struct track_done){told_rows, told});
}

static void ask_ticket(struct scene *scene, struct told *told)
{
    struct track_query query = {.by_ticket = true,
                                .ticket = {1, 1000, 1},
                                .sender = "",
                                .recipient = "",
                                .client_ip = "",
                                .reason = "",
                                .cursor = ""};

    store_track_find(scene->store, &query, (struct track_done){told_rows, told});
}

static void ask_rotate(struct scene *scene, struct told *told)
{
    store_secret_rotate(scene->store, 0, (struct store_text_done){told_text, told});
}

static const struct question_row {
    const char *name;
    void (*ask)(struct scene *scene, struct told *told);
} QUESTIONS_ASKED[] = {
    {"show", ask_show}, {"forget", ask_forget}, {"pass", ask_pass},
    {"find", ask_find}, {"ticket", ask_ticket}, {"rotate", ask_rotate},
};

static void check_question(void **state)
{
    const struct question_row *row = *state;
    struct scene scene;
    struct told told = {.calls = 0};

    scene_open(&scene);
    row->ask(&scene, &told); // before there is a connection: at once
    assert_int_equal(told.calls, 1);
    assert_true(told.state != STORE_UP || told.text[0] != '\0');
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->error_on = "*"; // an error to everything
    scene.fake->error_text = "LOADING Redis is loading the dataset in memory";
    told = (struct told){.calls = 0};
    row->ask(&scene, &told);
    stage_until(&scene.stage, was_told, &told);
    assert_int_equal(told.state, STORE_LOADING);
    assert_int_equal(told.count, 0);
    scene.fake->error_on = NULL;
    scene.fake->is_silent = true; // silence
    told = (struct told){.calls = 0};
    row->ask(&scene, &told);
    stage_until(&scene.stage, was_told, &told);
    assert_int_equal(told.state, STORE_SLOW);
    scene.fake->is_silent = false;
    fake_hang_up_all(scene.fake); // and everything is well again
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_until(&scene.stage, admin_is_up, scene.store);
    assert_int_equal(told.calls, 1);
    assert_int_equal(scene.store->admin_work, 0);
    scene_close(&scene);
}

static void a_handful_of_questions_at_once_is_enough(void **state)
{
    static struct told told[STORE_ADMIN_WORK_MAX + 1];
    struct scene scene;

    (void)state;
    memset(told, 0, sizeof(told));
    scene_open(&scene);
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i <= STORE_ADMIN_WORK_MAX; i++)
        ask_show(&scene, &told[i]);
    assert_int_equal(told[STORE_ADMIN_WORK_MAX].calls, 1);
    assert_int_equal(told[STORE_ADMIN_WORK_MAX].state, STORE_CROWDED);
    stage_until(&scene.stage, was_told, &told[0]);
    assert_int_equal(told[0].state, STORE_SLOW);
    scene_close(&scene);
}

static void questions_under_way_end_with_the_store(void **state)
{
    static struct told told[6];
    struct scene scene;

    (void)state;
    memset(told, 0, sizeof(told));
    scene_open(&scene);
    scene_up(&scene);
    stage_until(&scene.stage, admin_is_up, scene.store);
    scene.fake->is_silent = true;
    for (unsigned i = 0; i < 6; i++)
        QUESTIONS_ASKED[i].ask(&scene, &told[i]);
    store_free(&scene.store);
    for (unsigned i = 0; i < 6; i++) {
        assert_int_equal(told[i].calls, 1);
        assert_int_equal(told[i].state, STORE_DOWN);
    }
    scene_close(&scene);
}

static void an_address_that_is_none_is_refused_when_made(void **state)
{
    struct stage stage;
    struct store *store = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    stage_open(&stage);
    stage.config.address = "redis.example:6379";
    assert_int_equal(store_new(&store, stage.loop, &stage.config, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "redis.example"));
    assert_null(store);
    stage_close(&stage);
}

static void a_user_without_a_password_is_refused_when_made(void **state)
{
    struct stage stage;
    struct store *store = NULL;
    struct err_detail detail = {.text = ""};

    (void)state;
    stage_open(&stage);
    stage.config.user = "reeve";
    assert_int_equal(store_new(&store, stage.loop, &stage.config, &detail), ERR_CONFIG);
    assert_non_null(strstr(detail.text, "password_file"));
    stage_close(&stage);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, STEPS, check_step);
    TABLE_TEST(&table, time_runs_on_in_an_outage);
    TABLE_TEST(&table, with_replay_nothing_expires_and_time_is_given);
    TABLE_ROWS(&table, QUESTIONS_ASKED, check_question);
    TABLE_TEST(&table, a_handful_of_questions_at_once_is_enough);
    TABLE_TEST(&table, questions_under_way_end_with_the_store);
    TABLE_TEST(&table, an_address_that_is_none_is_refused_when_made);
    TABLE_TEST(&table, a_user_without_a_password_is_refused_when_made);
    return table_run(&table, "clocks and questions");
}
