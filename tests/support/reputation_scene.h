// reputation_scene.h: reports in a store and the real redis-server that it uses, and what becomes of them. Header-only, because a unit test
// is one file.
#pragma once

#include "tests/support/store_scene.h"

#define DAY_MS (24ULL * 3600 * 1000)

// The defaults of the paper.
STAGE_UNUSED static struct reputation_settings levels_of_paper(void)
{
    static const struct {
        double strength;
        unsigned days;
    } PAPER[REPUTATION_KINDS] = {
        [REPUTATION_IP] = {1, 30},       [REPUTATION_NET] = {1, 60},
        [REPUTATION_WIDE] = {1, 90},     [REPUTATION_ASN] = {2, 120},
        [REPUTATION_COUNTRY] = {4, 180}, [REPUTATION_WORLD] = {0, 180},
        [REPUTATION_SENDER] = {1, 30},   [REPUTATION_DOMAIN] = {1, 60},
        [REPUTATION_TLD] = {2, 120},     [REPUTATION_SENDERS] = {0, 180},
    };
    struct reputation_settings settings;

    for (unsigned i = 0; i < REPUTATION_KINDS; i++)
        settings.level[i] =
            (struct reputation_level_settings){PAPER[i].strength, PAPER[i].days * DAY_MS};
    return settings;
}

STAGE_UNUSED static void levels_of(struct reputation_facts *facts, const char *ip, uint32_t asn,
                                   const char *domain)
{
    struct reputation_client client = {
        .asn = asn, .country = asn != 0 ? "US" : "", .domain = domain};

    assert_true(ip_parse(ip, &client.ip));
    reputation_levels(&client, facts);
}

// A report of 192.0.2.1 at AS64500, of a sender at sender.example.
STAGE_UNUSED static void report_make(struct store_report *report, const struct store *store,
                                     const char *event, bool is_spam)
{
    *report = (struct store_report){.gateway = "mx1",
                                    .is_spam = is_spam,
                                    .judges = true,
                                    .weight = 1,
                                    .at_ms = store_now_ms(store),
                                    .settings = levels_of_paper()};
    (void)snprintf(report->event, sizeof(report->event), "%s", event);
    levels_of(&report->facts, "192.0.2.1", 64500, "sender.example");
}

STAGE_UNUSED static enum store_state report_of(struct scene *scene, struct store *store,
                                               struct store_report *report)
{
    struct stage_op op = {.calls = 0};

    store_report(store, report, stage_done(stage_op_done, &op, 21));
    stage_until(&scene->stage, stage_op_is_done, &op);
    assert_int_equal(op.calls, 1);
    assert_int_equal(op.token, 21);
    return op.state;
}

STAGE_UNUSED static enum store_state read_of(struct scene *scene, struct store *store,
                                             struct reputation_facts *facts)
{
    struct stage_op op = {.calls = 0};

    store_read_reputation(store, facts, stage_done(stage_op_done, &op, 22));
    stage_until(&scene->stage, stage_op_is_done, &op);
    assert_int_equal(op.calls, 1);
    assert_int_equal(op.token, 22);
    return op.state;
}

STAGE_UNUSED static bool nothing_climbs(void *store)
{
    return store_reputation_waiting(store) == 0;
}

STAGE_UNUSED static void climb_all(struct scene *scene, struct store *store)
{
    store_reputation_flush(store);
    stage_until(&scene->stage, nothing_climbs, store);
}

// What the server holds of a key; its state is zeroed where that is nothing.
STAGE_UNUSED static struct reputation_state stored(struct scene *scene, const char *key)
{
    redisReply *reply = stage_ask(&scene->stage, "GET %s", key);
    struct reputation_state is = {.at_s = 0};
    struct reputation_id id;

    assert_non_null(reply);
    assert_true(reputation_id_read(key, &id));
    if (reply->type != REDIS_REPLY_NIL)
        assert_int_equal(reputation_unpack(id.kind, reply->str, reply->len, &is), ERR_NONE);
    freeReplyObject(reply);
    return is;
}

STAGE_UNUSED static double held(struct scene *scene, const char *key)
{
    const struct reputation_state is = stored(scene, key);

    return is.spam + is.ham;
}

STAGE_UNUSED static void assert_near(double is, double want, double most)
{
    if (!(is >= want - most && is <= want + most))
        fail_msg("%.12g is not %.12g +- %g", is, want, most);
}

STAGE_UNUSED static struct store *another(struct scene *scene)
{
    struct store *store = stage_store(&scene->stage, &scene->stage.config);

    stage_until_state(&scene->stage, store, STORE_UP);
    stage_until(&scene->stage, admin_is_up, store);
    stage_until(&scene->stage, follows_events, store);
    return store;
}

// It has looked whether anybody ever reported, and nobody did.
STAGE_UNUSED static bool is_known_empty(void *store)
{
    return reputation_is_empty(store);
}

// ---- all that is ever asked

STAGE_UNUSED static void told_entities(void *arg, enum store_state state,
                                       const struct store_entity *row, size_t count, uint64_t next)
{
    struct told *told = arg;

    (void)row;
    assert_int_equal(next, 0); // there are few keys
    told->calls++;
    told->state = state;
    told->count = count;
}

// repute: something is reported, read, listed and undone; and mails are counted.
STAGE_UNUSED static void repute(struct scene *scene)
{
    const struct store_entities_done done = {told_entities, &(struct told){.calls = 0}};
    const struct reputation_settings settings = levels_of_paper();
    struct told *told = done.arg;
    struct store_report report;

    report_make(&report, scene->store, "one", true);
    assert_int_equal(report_of(scene, scene->store, &report), STORE_UP);
    climb_all(scene, scene->store);
    assert_int_equal(read_of(scene, scene->store, &report.facts), STORE_UP);
    store_reputation_volume(scene->store, &report.facts.level[0].id, 5,
                            &settings.level[REPUTATION_IP]);
    volumes_flush(scene->store);
    store_reputation_page(scene->store, 0, 256, ~0U, done);
    stage_until(&scene->stage, was_told, told);
    assert_int_equal(told->state, STORE_UP);
    assert_int_equal(told->count, 10);
    told->calls = 0;
    store_reputation_undo(scene->store, 0, 256, "mx1", &settings, false, done);
    stage_until(&scene->stage, was_told, told);
    assert_int_equal(told->state, STORE_UP);
    assert_int_equal(told->count, 10);
    assert_true(stored(scene, "r:i:c0000201").hour > 4);
}
