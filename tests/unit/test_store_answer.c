// What another server said of a recipient, written to a real redis-server and read back; the key's expiry is only moved on.
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

static const char ADDRESS[] = "\"a b\"@corp.example";

struct question {
    struct person_facts facts;
    unsigned calls;
    enum store_state state;
};

static void answered(void *arg, uint64_t token, enum store_state state)
{
    struct question *question = arg;

    (void)token;
    question->calls++;
    question->state = state;
}

static bool is_answered(void *arg)
{
    return ((struct question *)arg)->calls > 0;
}

// Commands of a connection are done in their order, so what was written before is read.
static struct person_facts read_facts(struct scene *scene, enum fact_state row, uint64_t now_ms)
{
    struct question question = {.calls = 0};
    struct store_person person = {.mailbox = ADDRESS,
                                  .address = ADDRESS,
                                  .answer = true,
                                  .now_ms = now_ms,
                                  .facts = &question.facts};

    person_facts_clear(&question.facts);
    question.facts.row.state = row;
    store_read_person(scene->store, &person, (struct store_done){.fn = answered, .arg = &question});
    stage_until(&scene->stage, is_answered, &question);
    assert_int_equal(question.state, STORE_UP);
    return question.facts;
}

static struct person_answer read_back(struct scene *scene)
{
    return read_facts(scene, FACT_ABSENT, 0).answer;
}

static void say(struct scene *scene, bool exists, uint64_t until_ms)
{
    const struct person_answer answer = {
        .state = FACT_PRESENT, .exists = exists, .until_ms = until_ms};

    store_write_answer(scene->store, ADDRESS, &answer, "");
}

static long long expiry_ms(struct scene *scene)
{
    return stage_number(&scene->stage, "PEXPIRETIME v:{%s}", ADDRESS);
}

static void what_is_written_is_read(void **state)
{
    struct scene scene;
    struct person_answer answer;

    (void)state;
    scene_open(&scene);
    const uint64_t now_ms = store_now_ms(scene.store);

    assert_int_equal(read_back(&scene).state, FACT_ABSENT);
    say(&scene, true, now_ms + 60000);
    answer = read_back(&scene);
    assert_int_equal(answer.state, FACT_PRESENT);
    assert_true(answer.exists);
    assert_int_equal(answer.until_ms, now_ms + 60000);
    say(&scene, false, now_ms + 30000); // the later word counts, also where it lives less long
    answer = read_back(&scene);
    assert_false(answer.exists);
    assert_int_equal(answer.until_ms, now_ms + 30000);
    scene_close(&scene);
}

static void a_mailbox_counts_as_long_as_the_answer(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    const uint64_t until_ms = store_now_ms(scene.store) + 60000;
    struct person_answer answer = {.state = FACT_PRESENT, .exists = true, .until_ms = until_ms};

    store_write_answer(scene.store, ADDRESS, &answer, "bob@corp.example");
    assert_string_equal(read_facts(&scene, FACT_ABSENT, until_ms).row.mailbox, "bob@corp.example");
    assert_string_equal(read_facts(&scene, FACT_ABSENT, until_ms + 1).row.mailbox, "");
    // What a directory has, or may have, says whose address it is.
    assert_string_equal(read_facts(&scene, FACT_PRESENT, until_ms).row.mailbox, "");
    assert_string_equal(read_facts(&scene, FACT_UNKNOWN, until_ms).row.mailbox, "");
    answer.exists = false;
    store_write_answer(scene.store, ADDRESS, &answer, "bob@corp.example");
    assert_string_equal(read_facts(&scene, FACT_ABSENT, until_ms).row.mailbox, "");
    scene_close(&scene);
}

static void its_expiry_is_only_moved_on(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    const uint64_t now_ms = store_now_ms(scene.store) / 1000 * 1000;

    say(&scene, true, now_ms + 60000);
    (void)read_back(&scene);
    assert_int_equal(expiry_ms(&scene), now_ms + 60000);
    say(&scene, false, now_ms + 30000);
    (void)read_back(&scene);
    assert_int_equal(expiry_ms(&scene), now_ms + 60000);
    say(&scene, true, now_ms + 90000);
    (void)read_back(&scene);
    assert_int_equal(expiry_ms(&scene), now_ms + 90000);
    scene_close(&scene);
}

// It has another field, which somebody else writes.
static void the_other_field_stays(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    const uint64_t now_ms = store_now_ms(scene.store) / 1000 * 1000;

    stage_do(&scene.stage, "HSET v:{%s} learnt 700", ADDRESS);
    stage_do(&scene.stage, "PEXPIREAT v:{%s} %llu", ADDRESS, (unsigned long long)now_ms + 86400000);
    say(&scene, false, now_ms + 30000);
    (void)read_back(&scene);
    assert_int_equal(stage_number(&scene.stage, "HINCRBY v:{%s} learnt 0", ADDRESS), 700);
    assert_int_equal(expiry_ms(&scene), now_ms + 86400000);
    scene_close(&scene);
}

static void what_nobody_hears_is_lost_and_counted(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    const uint64_t before = store_counters(scene.store)->lost_writes;

    say(&scene, true, store_now_ms(scene.store) + 60000);
    assert_int_not_equal(store_counters(scene.store)->lost_writes, before);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test_store_answer", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, what_is_written_is_read);
    TABLE_TEST(&table, a_mailbox_counts_as_long_as_the_answer);
    TABLE_TEST(&table, its_expiry_is_only_moved_on);
    TABLE_TEST(&table, the_other_field_stays);
    TABLE_TEST(&table, what_nobody_hears_is_lost_and_counted);
    return table_run(&table, "store_answer");
}
