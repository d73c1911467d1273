// fake_scene.h: a store and the server that misbehaves for it (fake_redis.h). Header-only, because
// a unit test is one file.
#pragma once

#include "node/store/inside.h"
#include "tests/support/fake_redis.h"
#include "tests/support/redis_stage.h"

// A store and its fake server, up, with one pair to ask about.
struct scene {
    struct stage stage;
    struct fake *fake;
    struct store *store;
    struct stage_pair pair;
};

STAGE_UNUSED static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    scene->fake = fake_open(&scene->stage);
    scene->store = stage_store(&scene->stage, &scene->stage.config);
}

STAGE_UNUSED static void scene_up(struct scene *scene)
{
    stage_until_state(&scene->stage, scene->store, STORE_UP);
    stage_pair_make(&scene->pair, store_ring(scene->store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(scene->store));
}

STAGE_UNUSED static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    fake_close(&scene->fake);
    stage_close(&scene->stage);
}

STAGE_UNUSED static const char *described(const struct store *store, char *memory, size_t size)
{
    struct text_buf text;

    text_buf_init(&text, memory, size);
    store_describe(store, &text);
    return memory;
}

STAGE_UNUSED static bool admin_is_up(void *store)
{
    return redis_state(((struct store *)store)->lane[STORE_ADMIN]) == STORE_UP;
}
