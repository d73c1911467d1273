// store_scene.h: a store and the real redis-server that it uses, both up; and what an operator asks
// of it. Header-only, because a unit test is one file.
#pragma once

#include "node/store/inside.h"
#include "tests/support/redis_stage.h"

struct scene {
    struct stage stage;
    struct store *store;
    struct stage_pair pair;
};

static const uint64_t HOUR_MS = 3600ULL * 1000;
static const uint64_t WINDOW_MS = 12ULL * 3600 * 1000;

STAGE_UNUSED static bool admin_is_up(void *store)
{
    return redis_state(((struct store *)store)->lane[STORE_ADMIN]) == STORE_UP;
}

STAGE_UNUSED static bool follows_events(void *store)
{
    return ((struct store *)store)->events.last[0] != '\0';
}

STAGE_UNUSED static void make_pair(struct scene *scene, struct stage_pair *pair, const char *sender)
{
    stage_pair_make(pair, store_ring(scene->store), sender, "192.0.2.0/24",
                    store_now_ms(scene->store));
}

STAGE_UNUSED static void scene_begin(struct scene *scene)
{
    scene->store = stage_store(&scene->stage, &scene->stage.config);
    stage_until_state(&scene->stage, scene->store, STORE_UP);
    stage_until(&scene->stage, admin_is_up, scene->store);
    stage_until(&scene->stage, follows_events, scene->store);
    make_pair(scene, &scene->pair, "ann@sender.example");
}

STAGE_UNUSED static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    stage_redis(&scene->stage, NULL);
    scene_begin(scene);
}

STAGE_UNUSED static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    stage_close(&scene->stage);
}

STAGE_UNUSED static bool nothing_is_under_way(void *store)
{
    return redis_has_room(((struct store *)store)->lane[STORE_LOOKUPS], REDIS_IN_FLIGHT_MAX);
}

STAGE_UNUSED static void settle(struct scene *scene)
{
    stage_until(&scene->stage, nothing_is_under_way, scene->store);
}

STAGE_UNUSED static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

// ---- what an operator asks

struct told {
    unsigned calls;
    enum store_state state;
    size_t count;
    struct pair_entry entry[8];
    char text[400];
};

STAGE_UNUSED static void told_pair(void *arg, enum store_state state,
                                   const struct pair_entry *entries, size_t count)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = count;
    for (size_t i = 0; i < count && i < 8; i++)
        told->entry[i] = entries[i];
}

STAGE_UNUSED static void told_text(void *arg, enum store_state state, const char *text)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    (void)snprintf(told->text, sizeof(told->text), "%s", text);
}

STAGE_UNUSED static bool was_told(void *arg)
{
    return ((struct told *)arg)->calls > 0;
}

STAGE_UNUSED static struct told ask_pair(struct scene *scene,
                                         void (*ask)(struct store *, const struct key_triplet *,
                                                     struct pair_done))
{
    struct told told = {.calls = 0};

    ask(scene->store, &scene->pair.key, (struct pair_done){told_pair, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.calls, 1);
    return told;
}

STAGE_UNUSED static struct told pass_pair(struct scene *scene)
{
    struct told told = {.calls = 0};

    store_pair_pass(scene->store, &scene->pair.key, 777, (struct pair_done){told_pair, &told});
    stage_until(&scene->stage, was_told, &told);
    return told;
}

STAGE_UNUSED static struct told rotate(struct scene *scene, uint64_t buckets)
{
    struct told told = {.calls = 0};

    store_secret_rotate(scene->store, buckets, (struct store_text_done){told_text, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.calls, 1);
    return told;
}

STAGE_UNUSED static bool has_two_epochs(void *store)
{
    return store_ring(store)->count == 2;
}
