// harvest_scene.h: a store that has read who is banned, clients that name recipients there, and what comes of it. Header-only,
// because a unit test is one file.
#pragma once

#include "tests/support/store_scene.h"

static const struct harvest_bounds BOUNDS = {8, 0.5, 300000, 3600000};
#define CLIENT "192.0.2.1"

STAGE_UNUSED static struct ip_net client(void)
{
    struct ip_net net;

    assert_int_equal(ip_net_parse(CLIENT, &net, NULL), ERR_NONE);
    return net;
}

STAGE_UNUSED static struct named_of this_hour(const struct scene *scene)
{
    return (struct named_of){client(), harvest_hour(store_now_ms(scene->store))};
}

// The key of what is counted in this hour, in turns.
STAGE_UNUSED static const char *key(const struct scene *scene, enum harvest_kind kind)
{
    static char text[2][HARVEST_KEY_MAX];
    const struct named_of of = this_hour(scene);

    (void)harvest_key(kind, &of.client, of.hour, text[kind]);
    return text[kind];
}

STAGE_UNUSED static long long length(struct scene *scene, enum harvest_kind kind)
{
    return stage_number(&scene->stage, "HLEN %s", key(scene, kind));
}

// Recipients first, first + 1, ... are named.
STAGE_UNUSED static void name_them(struct scene *scene, struct store *store, enum harvest_kind kind,
                                   unsigned first, unsigned count)
{
    uint8_t field[STORE_HARVEST_MAX][HARVEST_FIELD_BYTES];
    struct store_harvest news = {.client = client(),
                                 .now_ms = store_now_ms(scene->store),
                                 .bounds = BOUNDS,
                                 .kind = kind,
                                 .field = (const uint8_t(*)[HARVEST_FIELD_BYTES])field,
                                 .count = count};

    memset(field, 0, sizeof(field));
    for (unsigned i = 0; i < count; i++) {
        const unsigned number = first + i;

        memcpy(field[i], &number, sizeof(number));
    }
    store_harvest_note(store, &news);
}

STAGE_UNUSED static bool nothing_is_noted(void *arg)
{
    return ((struct store *)arg)->harvesting.work_count == 0;
}

STAGE_UNUSED static void name_and_wait(struct scene *scene, enum harvest_kind kind, unsigned first,
                                       unsigned count)
{
    name_them(scene, scene->store, kind, first, count);
    stage_until(&scene->stage, nothing_is_noted, scene->store);
}

STAGE_UNUSED static bool is_suspect(void *arg)
{
    struct store *store = arg;
    const struct named_of of = {client(), harvest_hour(store_now_ms(store))};

    return named_suspicion(store->harvesting.named, &of).heard_ms > 0;
}

STAGE_UNUSED static bool is_banned(void *arg)
{
    struct store *store = arg;
    const struct ip_net one = client();
    const struct harvest_ban ban = store_ban(store, &one);

    return harvest_ban_holds(&ban, store_now_ms(store));
}

STAGE_UNUSED static bool is_not_banned(void *arg)
{
    return !is_banned(arg);
}

// As if the store had heard that long ago.
STAGE_UNUSED static void hear(struct store *store, uint64_t ago_ms)
{
    const struct named_of of = {client(), harvest_hour(store_now_ms(store))};
    const struct named_suspicion suspicion = {.heard_ms = clock_mono_ms() - ago_ms};

    named_set_suspicion(store->harvesting.named, &of, &suspicion);
}

STAGE_UNUSED static bool has_read_the_bans(void *arg)
{
    const struct scan *reading = &((struct store *)arg)->harvesting.reading;

    return reading->slices == 0 && reading->due_ms != 0;
}

STAGE_UNUSED static void harvest_scene_open(struct scene *scene)
{
    scene_open(scene);
    stage_until(&scene->stage, has_read_the_bans, scene->store);
}

STAGE_UNUSED static struct store *another(struct scene *scene)
{
    struct store *store = stage_store(&scene->stage, &scene->stage.config);

    stage_until(&scene->stage, follows_events, store);
    stage_until(&scene->stage, has_read_the_bans, store);
    return store;
}
