// Who waits for an answer and for how long, how many connections a host has, and what becomes of them. The host is
// scripted, in the test's own loop.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/support/probe_scene.h"
#include "tests/support/table.h"

// ---- who waits, and for how long

static void equal_questions_are_one(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    ask(scene, 0, "ann@corp.example");
    ask(scene, 1, "ann@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    ask(scene, 2, "ann@corp.example");
    fake_release(&scene->fake);
    until_told(scene, 3);
    assert_int_equal(scene->fake.recipients, 1);
    assert_int_equal(scene->kept_count, 1);
    assert_int_equal(scene->told[2].said, FACTS_EXISTS);
    assert_int_equal(probe_counters(scene->probe)->questions, 3);
    assert_int_equal(probe_counters(scene->probe)->joined, 2);
    assert_int_equal(probe_counters(scene->probe)->exists, 1);
    end_scene(scene);
}

static void who_cannot_wait_is_told_and_the_question_goes_on(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    ask_within(scene, 0, "ann@corp.example", 30);
    ask(scene, 1, "ann@corp.example");
    until_told(scene, 1);
    assert_int_equal(scene->told[0].said, FACTS_SILENT);
    assert_int_equal(scene->told[0].life_ms, 0);
    assert_int_equal(scene->kept_count, 0);
    wanted = 1;
    until(scene, are_recipients);
    fake_release(&scene->fake);
    until_told(scene, 2);
    assert_int_equal(scene->told[1].said, FACTS_EXISTS);
    assert_int_equal(scene->kept_count, 1);
    assert_int_equal(probe_counters(scene->probe)->silent, 1);
    end_scene(scene);
}

static bool is_first_kept(const struct scene *scene)
{
    return scene->kept_count > 0;
}

// Eight waited in vain, one after the other: the ninth does not, until the host has answered somebody.
static void nobody_waits_for_who_is_always_silent(void **state)
{
    struct scene *scene = new_scene();
    char address[64];

    (void)state;
    scene->fake.holds = true;
    for (unsigned i = 0; i < 8; i++) {
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        ask_within(scene, i, address, 20);
        until_told(scene, i + 1);
        assert_int_equal(scene->told[i].said, FACTS_SILENT);
    }
    ask_within(scene, 8, "u8@corp.example", 10 * LIMIT_MS);
    ask_within(scene, 9, "u9@elsewhere.example", 10 * LIMIT_MS); // another domain's server
    until_told(scene, 9);
    assert_int_equal(scene->told[8].said, FACTS_SILENT);
    assert_false(scene->is_told[9]);
    fake_release(&scene->fake);
    until(scene, is_first_kept);
    ask(scene, 10, "u10@corp.example");
    until_told(scene, 11);
    assert_int_equal(scene->told[9].said, FACTS_EXISTS);
    assert_int_equal(scene->told[10].said, FACTS_EXISTS);
    end_scene(scene);
}

static void nobody_need_wait(void **state)
{
    struct scene *scene = new_scene();
    const struct probe_question question = {
        .domain = &scene->domain, .settings = &scene->settings, .address = "nobody@corp.example"};

    (void)state;
    probe_ask(scene->probe, &question, (struct probe_done){NULL, NULL, 0});
    wanted = 1;
    until(scene, are_kept);
    assert_int_equal(scene->kept_said, FACTS_NOBODY);
    assert_int_equal(scene->told_count, 0);
    end_scene(scene);
}

static void connections_are_few(void **state)
{
    struct scene *scene = new_scene();
    char address[64];

    (void)state;
    scene->fake.holds = true;
    for (unsigned i = 0; i < 20; i++) {
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        ask(scene, i, address);
    }
    wanted = 2;
    until(scene, are_recipients);
    fake_release(&scene->fake);
    until_told(scene, 20);
    assert_int_equal(scene->fake.connections, 2);
    assert_int_equal(scene->fake.most_open, 2);
    assert_int_equal(scene->kept_count, 20);
    end_scene(scene);
}

static void the_line_is_short(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    scene->settings.callforward.waiting = 2;
    ask(scene, 0, "a@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    ask(scene, 1, "b@corp.example");
    ask(scene, 2, "c@corp.example");
    assert_int_equal(scene->told_count, 0);
    ask(scene, 3, "d@corp.example");
    assert_int_equal(scene->told_count, 1);
    assert_refused(&scene->told[3], "too many recipients wait");
    assert_int_equal(probe_counters(scene->probe)->crowded, 1);
    fake_release(&scene->fake);
    until_told(scene, 4);
    end_scene(scene);
}

// Who stands in line when their time is over was not asked for at all.
static void time_in_line_counts(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    ask(scene, 0, "a@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    scene->settings.callforward.whole_ms = 50;
    assert_refused(hear(scene, 1, "b@corp.example"), "too many others are asked for");
    assert_int_equal(scene->fake.recipients, 1);
    fake_release(&scene->fake);
    until_told(scene, 2);
    assert_int_equal(scene->told[0].said, FACTS_EXISTS);
    end_scene(scene);
}

// ---- connections that are used again

static void a_tired_host_is_asked_on_another_connection(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.tired_after = 3;
    for (unsigned i = 0; i < 7; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        assert_int_equal(hear(scene, i, address)->said, FACTS_EXISTS);
    }
    assert_int_equal(scene->fake.connections, 3);
    end_scene(scene);
}

// Once: a host that hangs up on this very question does it again.
static void a_lost_question_is_repeated_once(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    (void)hear(scene, 0, "ann@corp.example");
    until(scene, is_idle);
    assert_refused(hear(scene, 1, "bye@corp.example"), "closed the connection");
    assert_int_equal(scene->fake.recipients, 3);
    assert_int_equal(scene->fake.connections, 2);
    end_scene(scene);
}

// A host slows down whoever asks for many that are not there.
static void many_unknown_ones_change_the_connection(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    for (unsigned i = 0; i < 9; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "nobody%u@corp.example", i);
        assert_int_equal(hear(scene, i, address)->said, FACTS_NOBODY);
    }
    assert_int_equal(scene->fake.connections, 2);
    end_scene(scene);
}

static bool are_taking_all(const struct scene *scene)
{
    return probe_counters(scene->probe)->takes_all >= wanted;
}

static void who_says_yes_to_everybody_is_found_out(void **state)
{
    struct scene *scene = new_scene();
    char address[64];

    (void)state;
    for (unsigned i = 0; i < 50; i++) {
        assert_int_equal(scene->fake.recipients, i);
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i, address);
    }
    wanted = 1;
    until(scene, are_taking_all);
    assert_int_equal(scene->fake.recipients, 51);
    assert_int_equal(scene->kept_count, 50); // of the random name nothing is kept
    for (unsigned i = 50; i < 60; i++) {     // a day of peace
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i, address);
    }
    assert_int_equal(scene->fake.recipients, 61);
    end_scene(scene);
}

// It is asked again when it has said yes as often once more, a day later.
static void who_refuses_a_random_name_is_none(void **state)
{
    struct scene *scene = new_scene();
    unsigned asked = 0;
    char address[64];

    (void)state;
    scene->fake.made_up = "550 5.1.1 who?\r\n";
    for (unsigned i = 0; i < 99; i++) {
        (void)snprintf(address, sizeof(address), "u%u@corp.example", i);
        (void)hear(scene, i % 50, address);
        scene->is_told[i % 50] = false;
        skipped_ms += SUSPECT_AGAIN_MS / 50;
    }
    wanted = asked = 100;
    until(scene, are_recipients);
    (void)hear(scene, 51, "last@corp.example");
    wanted = asked + 2;
    until(scene, are_recipients);
    assert_int_equal(probe_counters(scene->probe)->takes_all, 0);
    end_scene(scene);
}

static void who_says_no_now_and_then_is_no_suspect(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    for (unsigned i = 0; i < 60; i++) {
        char address[64];

        (void)snprintf(address, sizeof(address), "%s%u@corp.example", i == 45 ? "nobody" : "u", i);
        (void)hear(scene, i, address);
    }
    assert_int_equal(scene->fake.recipients, 60);
    end_scene(scene);
}

static void the_end_tells_who_waits(void **state)
{
    struct scene *scene = new_scene();

    (void)state;
    scene->fake.holds = true;
    scene->settings.callforward.connections = 1;
    ask(scene, 0, "ann@corp.example");
    ask(scene, 1, "ann@corp.example");
    ask(scene, 2, "bob@corp.example");
    wanted = 1;
    until(scene, are_recipients);
    probe_free(&scene->probe);
    assert_int_equal(scene->told_count, 3);
    assert_int_equal(scene->told[0].said, FACTS_SILENT);
    assert_int_equal(scene->told[2].said, FACTS_SILENT);
    assert_int_equal(scene->kept_count, 0);
    end_scene(scene);
}

int main(void)
{
    static struct table table;

    log_open("test_probe", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, equal_questions_are_one);
    TABLE_TEST(&table, who_cannot_wait_is_told_and_the_question_goes_on);
    TABLE_TEST(&table, nobody_waits_for_who_is_always_silent);
    TABLE_TEST(&table, nobody_need_wait);
    TABLE_TEST(&table, connections_are_few);
    TABLE_TEST(&table, the_line_is_short);
    TABLE_TEST(&table, time_in_line_counts);
    TABLE_TEST(&table, a_tired_host_is_asked_on_another_connection);
    TABLE_TEST(&table, a_lost_question_is_repeated_once);
    TABLE_TEST(&table, many_unknown_ones_change_the_connection);
    TABLE_TEST(&table, who_says_yes_to_everybody_is_found_out);
    TABLE_TEST(&table, who_refuses_a_random_name_is_none);
    TABLE_TEST(&table, who_says_no_now_and_then_is_no_suspect);
    TABLE_TEST(&table, the_end_tells_who_waits);
    return table_run(&table, "probe");
}
