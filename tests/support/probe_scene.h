// probe_scene.h: what tests of node/probe stand on: a loop, a scripted SMTP server in it, and who asked what and was told what.
// The clock can be moved on. Header-only, because a unit test is one file.
#pragma once

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "node/probe/probe.h"
#include "node/probe/suspects.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "proto/base/mem.h"
#include "tests/support/fake_smtp.h"

#define SCENE_UNUSED __attribute__((unused))

enum { LIMIT_MS = 20000, TOLD_MAX = 64 };
#define POSITIVE_MS 700000ULL
#define NEGATIVE_MS 30000ULL

// ---- the clock

SCENE_UNUSED static uint64_t skipped_ms;

uint64_t clock_mono_us(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / 1000 + skipped_ms * 1000;
}

uint64_t clock_mono_ms(void)
{
    return clock_mono_us() / 1000;
}

uint64_t clock_wall_ms(void)
{
    return 1767592800000ULL;
}

// ---- the stage

// What somebody who waited was told.
struct told {
    enum facts_probe said;
    uint64_t life_ms;
    char why[PROBE_WHY_MAX + 1];
};

struct scene {
    struct loop *loop;
    struct loop_timer *tick;
    struct fake_smtp fake;
    struct policy_settings settings;
    struct policy_domain domain;
    struct probe *probe;
    struct told told[TOLD_MAX];
    bool is_told[TOLD_MAX];
    unsigned told_count;
    unsigned kept_count;
    char kept[PERSON_ADDRESS_MAX]; // the last one
    enum facts_probe kept_said;
    bool (*holds)(const struct scene *scene);
    uint64_t until_ms;
};

SCENE_UNUSED static void look(void *arg)
{
    struct scene *scene = arg;

    if (scene->holds(scene) || clock_mono_ms() >= scene->until_ms)
        loop_stop(scene->loop);
}

// Runs the loop until it holds.
SCENE_UNUSED static void until(struct scene *scene, bool (*holds)(const struct scene *scene))
{
    scene->holds = holds;
    scene->until_ms = clock_mono_ms() + LIMIT_MS;
    if (!holds(scene)) {
        loop_timer_set(scene->tick, 1, 1);
        loop_run(scene->loop);
        loop_timer_cancel(scene->tick);
    }
    assert_true(holds(scene));
}

SCENE_UNUSED static bool is_idle(const struct scene *scene)
{
    const size_t len = strlen(scene->fake.heard);

    return len >= 5 && strcmp(scene->fake.heard + len - 5, "RSET|") == 0;
}

SCENE_UNUSED static unsigned wanted; // of the condition that is waited for

SCENE_UNUSED static bool are_told(const struct scene *scene)
{
    return scene->told_count >= wanted;
}

SCENE_UNUSED static bool are_recipients(const struct scene *scene)
{
    return scene->fake.recipients >= wanted;
}

SCENE_UNUSED static bool are_kept(const struct scene *scene)
{
    return scene->kept_count >= wanted;
}

SCENE_UNUSED static bool are_gone(const struct scene *scene)
{
    return scene->fake.open <= wanted;
}

SCENE_UNUSED static void until_told(struct scene *scene, unsigned count)
{
    wanted = count;
    until(scene, are_told);
}

SCENE_UNUSED static void was_told(void *arg, uint64_t token, const struct probe_answer *answer)
{
    struct scene *scene = arg;
    struct told *told = &scene->told[token];

    assert_false(scene->is_told[token]); // once
    scene->is_told[token] = true;
    scene->told_count++;
    told->said = answer->said;
    told->life_ms = answer->life_ms;
    (void)snprintf(told->why, sizeof(told->why), "%s", answer->why);
}

SCENE_UNUSED static void was_answered(void *arg, const char *address,
                                      const struct probe_answer *answer)
{
    struct scene *scene = arg;

    assert_true(answer->said == FACTS_EXISTS || answer->said == FACTS_NOBODY);
    assert_true(answer->life_ms > 0);
    scene->kept_count++;
    scene->kept_said = answer->said;
    (void)snprintf(scene->kept, sizeof(scene->kept), "%s", address);
}

SCENE_UNUSED static void open_scene(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->tick = loop_timer_new(scene->loop, look, scene);
    fake_smtp_open(&scene->fake, scene->loop);
    scene->settings.callforward.positive_ms = POSITIVE_MS;
    scene->settings.callforward.negative_ms = NEGATIVE_MS;
    scene->settings.callforward.reply_ms = 10000;
    scene->settings.callforward.whole_ms = 15000;
    scene->settings.callforward.connections = 2;
    scene->settings.callforward.waiting = 100;
    scene->settings.callforward.starttls = POLICY_STARTTLS_MAY;
    scene->settings.callforward.helo = "gate.example";
    scene->domain = (struct policy_domain){.name = "corp.example",
                                           .recipients = POLICY_RECIPIENTS_CALLFORWARD,
                                           .host = "127.0.0.1",
                                           .host_port = scene->fake.port};
    const struct probe_config config = {
        .loop = scene->loop, .ldap_password_file = "", .ldap_ca_file = ""};

    scene->probe = probe_new(&config, (struct probe_calls){was_answered, scene});
}

SCENE_UNUSED static void close_scene(struct scene *scene)
{
    probe_free(&scene->probe);
    fake_smtp_close(&scene->fake);
    loop_timer_free(&scene->tick);
    loop_free(&scene->loop);
}

SCENE_UNUSED static struct scene *new_scene(void)
{
    struct scene *scene = mem_new(sizeof(*scene));

    open_scene(scene);
    return scene;
}

SCENE_UNUSED static void end_scene(struct scene *scene)
{
    close_scene(scene);
    mem_free(scene);
}

SCENE_UNUSED static void ask_within(struct scene *scene, unsigned who, const char *address,
                                    uint64_t within_ms)
{
    const struct probe_question question = {.domain = &scene->domain,
                                            .settings = &scene->settings,
                                            .address = address,
                                            .within_ms = within_ms};

    probe_ask(scene->probe, &question, (struct probe_done){was_told, scene, who});
}

SCENE_UNUSED static void ask(struct scene *scene, unsigned who, const char *address)
{
    ask_within(scene, who, address, LIMIT_MS);
}

// Asks and waits for the answer.
SCENE_UNUSED static const struct told *hear(struct scene *scene, unsigned who, const char *address)
{
    ask(scene, who, address);
    until_told(scene, scene->told_count + (scene->is_told[who] ? 0 : 1));
    return &scene->told[who];
}

SCENE_UNUSED static void assert_refused(const struct told *told, const char *why)
{
    if (told->said != FACTS_REFUSED || strstr(told->why, why) == NULL)
        fail_msg("said %d, why '%s', not refused: '%s'", (int)told->said, told->why, why);
    assert_int_equal(told->life_ms, 0);
}
