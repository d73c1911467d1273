// What is kept of recipients in a real redis-server: what is asked for comes, in one trip; what is not of our format, and a
// server that is away, leave it unknown.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"

static const struct person_patterns PATTERNS = {
    .count = 3, .of = {{"eve@x.example", false}, {"x.example", false}, {"*", false}}};

struct question {
    struct person_facts facts;
    struct store_person person;
    unsigned calls;
    enum store_state state;
};

static void answered(void *arg, uint64_t token, enum store_state state)
{
    struct question *question = arg;

    assert_int_equal(token, 17);
    question->calls++;
    question->state = state;
}

static bool is_answered(void *arg)
{
    return ((struct question *)arg)->calls > 0;
}

// What every hash of a directory in force holds.
static void make_whole(struct scene *scene)
{
    stage_do(&scene->stage, "HSET d:{0.7} whole 1");
}

static void prepare(struct question *question)
{
    memset(question, 0, sizeof(*question));
    person_facts_clear(&question->facts);
    question->person = (struct store_person){.mailbox = "bob@corp.example",
                                             .patterns = &PATTERNS,
                                             .external = "eve@x.example",
                                             .org = true,
                                             .address = "bob@corp.example",
                                             .directory = {7, 1},
                                             .answer = true,
                                             .now_ms = 1000,
                                             .facts = &question->facts};
}

static enum store_state ask(struct scene *scene, struct question *question)
{
    store_read_person(scene->store, &question->person,
                      (struct store_done){.fn = answered, .arg = question, .token = 17});
    stage_until(&scene->stage, is_answered, question);
    assert_int_equal(question->calls, 1);
    return question->state;
}

static void put(struct scene *scene, const char *key, const char *field, const char *value)
{
    stage_do(&scene->stage, "HSET %s %s %s", key, field, value);
}

static void nothing_is_kept(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    make_whole(&scene);
    prepare(&question);
    assert_int_equal(ask(&scene, &question), STORE_UP);
    assert_int_equal(question.facts.list.state, FACT_PRESENT);
    assert_int_equal(question.facts.list.action, PERSON_NONE);
    assert_int_equal(question.facts.allow[PERSON_OWN].state, FACT_ABSENT);
    assert_int_equal(question.facts.allow[PERSON_ORG].state, FACT_ABSENT);
    assert_int_equal(question.facts.row.state, FACT_ABSENT);
    assert_int_equal(question.facts.answer.state, FACT_ABSENT);
    assert_int_equal(question.facts.learnt.state, FACT_ABSENT);
    scene_close(&scene);
}

static void all_of_it_comes(void **state)
{
    struct scene scene;
    struct question question;
    char owner[PERSON_ORG_OWNER_MAX];
    char key[PERSON_KEY_MAX];

    (void)state;
    scene_open(&scene);
    make_whole(&scene);
    person_org_owner("eve@x.example", owner);
    (void)person_allow_key(owner, key);
    put(&scene, "m:{bob@corp.example}", "x.example", "b 0 5 bob why");
    put(&scene, "m:{bob@corp.example}", "*", "p 0 5 bob ");
    put(&scene, "a:{bob@corp.example}", "eve@x.example", "900 0");
    put(&scene, key, "eve@x.example", "800 801");
    put(&scene, "d:{0.7}", "bob@corp.example", "active\trobert@corp.example\tstaff");
    put(&scene, "v:{bob@corp.example}", "answer", "- 2000");
    put(&scene, "v:{bob@corp.example}", "learnt", "700");
    prepare(&question);
    assert_int_equal(ask(&scene, &question), STORE_UP);
    assert_int_equal(question.facts.list.action, PERSON_BLOCK);
    assert_int_equal(question.facts.list.pattern, 1);
    assert_int_equal(question.facts.allow[PERSON_OWN].sent_ms, 900);
    assert_int_equal(question.facts.allow[PERSON_ORG].disabled_ms, 801);
    assert_string_equal(question.facts.row.mailbox, "robert@corp.example");
    assert_int_equal(question.facts.answer.state, FACT_PRESENT);
    assert_false(question.facts.answer.exists);
    assert_int_equal(question.facts.learnt.sent_ms, 700);
    scene_close(&scene);
}

static void only_what_is_asked_for_costs_a_command(void **state)
{
    struct scene scene;
    struct question first;
    struct question second;

    (void)state;
    scene_open(&scene);
    make_whole(&scene);
    prepare(&first);
    prepare(&second);
    first.person.patterns = NULL;
    first.person.org = false;
    first.person.directory.version = 0;
    first.person.answer = false;
    second.person.external = NULL;
    second.person.answer = false;
    first.person.next = &second.person;
    put(&scene, "a:{bob@corp.example}", "eve@x.example", "900 0");
    put(&scene, "d:{0.7}", "bob@corp.example", "disabled\t\t");
    const uint64_t before = store_counters(scene.store)->commands;

    assert_int_equal(ask(&scene, &first), STORE_UP);
    assert_in_range(store_counters(scene.store)->commands - before, 3,
                    4); // with one of the clock's
    assert_int_equal(first.facts.allow[PERSON_OWN].sent_ms, 900);
    assert_int_equal(first.facts.list.state, FACT_UNKNOWN);
    assert_int_equal(second.facts.list.state, FACT_PRESENT);
    assert_int_equal(second.facts.row.status, PERSON_DISABLED);
    assert_int_equal(second.facts.allow[PERSON_OWN].state, FACT_UNKNOWN);
    scene_close(&scene);
}

static void what_is_not_ours_stays_unknown(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    make_whole(&scene);
    put(&scene, "m:{bob@corp.example}", "eve@x.example", "b 0 5 bob ");
    put(&scene, "m:{bob@corp.example}", "*", "garbage");
    put(&scene, "a:{bob@corp.example}", "eve@x.example", "soon 0");
    put(&scene, "d:{0.7}", "bob@corp.example", "gone");
    put(&scene, "v:{bob@corp.example}", "answer", "perhaps");
    put(&scene, "v:{bob@corp.example}", "learnt", "700");
    prepare(&question);
    assert_int_equal(ask(&scene, &question), STORE_ERROR);
    assert_int_equal(question.facts.list.state, FACT_UNKNOWN);
    assert_int_equal(question.facts.list.action, PERSON_NONE);
    assert_int_equal(question.facts.allow[PERSON_OWN].state, FACT_UNKNOWN);
    assert_int_equal(question.facts.allow[PERSON_ORG].state, FACT_ABSENT);
    assert_int_equal(question.facts.row.state, FACT_UNKNOWN);
    assert_int_equal(question.facts.answer.state, FACT_UNKNOWN);
    assert_int_equal(question.facts.learnt.state, FACT_PRESENT);
    scene_close(&scene);
}

static void another_type_of_key_is_an_error(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    make_whole(&scene);
    stage_do(&scene.stage, "SET m:{bob@corp.example} x");
    prepare(&question);
    assert_int_equal(ask(&scene, &question), STORE_ERROR);
    assert_int_equal(question.facts.list.state, FACT_UNKNOWN);
    assert_int_equal(question.facts.row.state, FACT_ABSENT);
    scene_close(&scene);
}

static void who_is_away_says_nothing(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    prepare(&question);
    assert_int_equal(ask(&scene, &question), STORE_DOWN);
    assert_int_equal(question.facts.list.state, FACT_UNKNOWN);
    assert_int_equal(question.facts.learnt.state, FACT_UNKNOWN);
    scene_close(&scene);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_kept),
        cmocka_unit_test(all_of_it_comes),
        cmocka_unit_test(only_what_is_asked_for_costs_a_command),
        cmocka_unit_test(what_is_not_ours_stays_unknown),
        cmocka_unit_test(another_type_of_key_is_an_error),
        cmocka_unit_test(who_is_away_says_nothing),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
