// The scripts of reputation beside core/reputation.h, in a real redis-server: thousands of random histories, after each step of which
// both hold the same bytes; claims; and what a value that is none of ours becomes.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/reputation_script.h"
#include "tests/support/random.h"
#include "tests/support/redis_stage.h"
#include "tests/support/table.h"

enum { HISTORIES = 1200, STEPS = 6, LONG = 30, GATEWAYS = 20 };

struct desk {
    struct stage stage;
    redisContext *redis;
};

static void desk_open(struct desk *desk)
{
    stage_open(&desk->stage);
    stage_redis(&desk->stage, NULL);
    desk->redis = redisConnectUnix(desk->stage.socket);
    assert_non_null(desk->redis);
    assert_int_equal(desk->redis->err, 0);
}

static void desk_close(struct desk *desk)
{
    redisFree(desk->redis);
    stage_close(&desk->stage);
}

// The reply of one command; the caller frees it.
static redisReply *ask(struct desk *desk, struct resp *resp)
{
    size_t len = 0;
    const char *bytes = resp_finish(resp, &len);
    void *reply = NULL;

    assert_non_null(bytes);
    assert_int_equal(redisAppendFormattedCommand(desk->redis, bytes, len), REDIS_OK);
    assert_int_equal(redisGetReply(desk->redis, &reply), REDIS_OK);
    assert_non_null(reply);
    redisReply *made = reply;

    if (made->type == REDIS_REPLY_ERROR)
        fail_msg("%s", made->str);
    return made;
}

static long long ask_number(struct desk *desk, struct resp *resp)
{
    redisReply *reply = ask(desk, resp);

    assert_int_equal(reply->type, REDIS_REPLY_INTEGER);
    const long long number = reply->integer;

    freeReplyObject(reply);
    return number;
}

static redisReply *get(struct desk *desk, const char *key)
{
    struct resp resp;

    resp_begin(&resp, "GET");
    resp_text(&resp, key);
    return ask(desk, &resp);
}

// ---- the same bytes

struct twin {
    const char *key;
    enum reputation_kind kind;
    struct reputation_level_settings level;
    struct reputation_state is;
    bool exists;
};

static void check_bytes(struct desk *desk, const struct twin *twin, const char *after)
{
    redisReply *reply = get(desk, twin->key);
    uint8_t bytes[REPUTATION_ROOT_BYTES];

    if (!twin->exists) {
        assert_int_equal(reply->type, REDIS_REPLY_NIL);
        freeReplyObject(reply);
        return;
    }
    const size_t len = reputation_pack(twin->kind, &twin->is, bytes);

    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_int_equal(reply->len, len);
    if (memcmp(reply->str, bytes, len) != 0)
        for (size_t i = 0; i < len; i++)
            if ((uint8_t)reply->str[i] != bytes[i])
                fail_msg("%s after %s: byte %zu is %02x, not %02x", twin->key, after, i,
                         (uint8_t)reply->str[i], bytes[i]);
    freeReplyObject(reply);
}

static void step_add(struct desk *desk, struct twin *twin, struct random *random, uint32_t now_s)
{
    static const double WEIGHT[] = {3, 1, 0.5, 0.3, 0.001, 0.037, 1.0 / 3, 8, 40, 7.25e-4};
    const struct reputation_report report = {
        .reporter = (uint16_t)random_below(random, GATEWAYS), // 0 is nobody
        .active = random_below(random, 9),
        .is_spam = random_chance(random, 60),
        .weight = RANDOM_OF(random, WEIGHT),
        .now_s = now_s,
    };
    const struct reputation_added want =
        reputation_add(twin->kind, &twin->level, &report, &twin->is);
    struct script_added is;
    struct resp resp;

    script_put_add(&resp, twin->key, &twin->level, &report,
                   &(struct script_how){.keeps = random_chance(random, 50)});
    redisReply *reply = ask(desk, &resp);

    assert_true(script_take_add(reply, &is));
    assert_memory_equal(&is.added.added, &want.added, sizeof(want.added));
    assert_memory_equal(&is.added.onward, &want.onward, sizeof(want.onward));
    assert_int_equal(is.added.at_cap, want.at_cap);
    assert_int_equal(is.value != NULL, want.added > 0);
    twin->exists = twin->exists || want.added > 0;
    freeReplyObject(reply);
}

static void step_undo(struct desk *desk, struct twin *twin, struct random *random, uint32_t now_s)
{
    const uint16_t reporter = (uint16_t)random_below(random, GATEWAYS);
    struct resp resp;

    script_put_undo(&resp, twin->key, &twin->level, reporter, now_s,
                    &(struct script_how){.keeps = true});
    assert_int_equal(ask_number(desk, &resp),
                     reputation_undo(twin->kind, &twin->level, reporter, now_s, &twin->is));
}

static void step_volume(struct desk *desk, struct twin *twin, struct random *random, uint32_t now_s)
{
    const struct script_volume volume = {1 + random_below(random, 5000), now_s,
                                         random_chance(random, 50)};
    const bool counts = twin->exists || volume.founds;
    struct resp resp;

    script_put_volume(&resp, twin->key, &twin->level, &volume, &(struct script_how){.keeps = true});
    assert_int_equal(ask_number(desk, &resp), counts);
    if (!counts)
        return;
    reputation_add_volume(&twin->level, volume.mails, now_s, &twin->is);
    reputation_round(twin->kind, &twin->is);
    twin->exists = true;
}

static void play(struct desk *desk, struct twin *twin, struct random *random)
{
    static const uint32_t PAST_S[] = {0, 1, 1, 2, 59, 3600, 86400, 30 * 86400, 400 * 86400};
    static const uint32_t LATE_S[] = {1, 5, 5000};
    static const struct {
        const char *name;
        void (*fn)(struct desk *, struct twin *, struct random *, uint32_t);
    } DO[] = {{"add", step_add}, {"undo", step_undo}, {"volume", step_volume}};
    uint32_t now_s = 1700000000 + random_below(random, 100000000);

    const unsigned steps = random_chance(random, 5) ? LONG : STEPS;

    for (unsigned i = 0; i < steps; i++) {
        const unsigned dice = random_below(random, 10);
        const unsigned which = dice < 8 ? 0 : dice - 7;

        now_s += RANDOM_OF(random, PAST_S);
        // Now and then something that comes late.
        DO[which].fn(desk, twin, random,
                     random_chance(random, 10) ? now_s - RANDOM_OF(random, LATE_S) : now_s);
        check_bytes(desk, twin, DO[which].name);
    }
}

static void scripts_do_what_the_core_does(void **state)
{
    static const char *const KEYS[] = {"r:i:c0000201", "r:n:c00002", "r:a:64500",
                                       "r:g:address",  "r:g:sender", "r:e:64500/sender.example"};
    static const double STRENGTH[] = {1, 2, 4, 0.3};
    static const uint64_t DAYS[] = {1, 30, 60, 180};
    struct random random = {random_seed(11)};
    struct desk desk;

    (void)state;
    desk_open(&desk);
    for (unsigned i = 0; i < HISTORIES; i++) {
        struct twin twin = {.key = KEYS[i % (sizeof(KEYS) / sizeof(KEYS[0]))]};
        struct reputation_id id;
        struct resp resp;

        assert_true(reputation_id_read(twin.key, &id));
        twin.kind = id.kind;
        twin.level.strength = RANDOM_OF(&random, STRENGTH);
        twin.level.half_life_ms = RANDOM_OF(&random, DAYS) * 86400000 + random_below(&random, 999);
        twin.is.slot_count = reputation_is_root(id.kind) ? REPUTATION_ROOT_SLOTS : REPUTATION_SLOTS;
        resp_begin(&resp, "DEL");
        resp_text(&resp, twin.key);
        (void)ask_number(&desk, &resp);
        play(&desk, &twin, &random);
    }
    desk_close(&desk);
}

// ---- gateways

static void assert_close(double is, double want)
{
    if (!(fabs(is - want) <= 1e-9 * (1 + fabs(want))))
        fail_msg("%.17g is not %.17g", is, want);
}

// What is told in parts, with time between them, is what one who notes everything would know.
static void what_is_told_in_parts_adds_up(void **state)
{
    static const uint64_t PAST_MS[] = {0, 1, 1000, 86400000, 40ULL * 86400000};
    struct random random = {random_seed(12)};
    struct store_reporter want = {.id = 1};
    uint64_t now_ms = 1700000000000;
    struct desk desk;

    (void)state;
    desk_open(&desk);
    for (unsigned step = 0; step < 200; step++) {
        struct script_news news = {.last_ms = now_ms += RANDOM_OF(&random, PAST_MS)};
        struct store_reporter is = {.id = 0};
        struct resp resp;

        if (random_chance(&random, 10))
            news.last_ms -= 500; // told late
        script_decay_counts(&want, news.last_ms);
        want.last_ms = news.last_ms > want.last_ms ? news.last_ms : want.last_ms;
        want.spam += news.spam = random_below(&random, 3);
        want.ham += news.ham = random_below(&random, 3) / 3.0;
        for (unsigned i = random_below(&random, 5); i > 0; i--) {
            const bool says_spam = random_chance(&random, 50);
            const bool agrees = random_chance(&random, 80);

            news.judged[says_spam]++;
            reputation_record_note(&news.record, says_spam, agrees);
            reputation_record_note(&want.record, says_spam, agrees);
        }
        script_put_gateway(&resp, "mx1", &news, true);
        redisReply *reply = ask(&desk, &resp);

        assert_int_equal(reply->type, REDIS_REPLY_STRING);
        assert_true(script_row_read(reply->str, &is));
        freeReplyObject(reply);
        assert_int_equal(is.id, want.id);
        assert_int_equal(is.last_ms, want.last_ms);
        assert_close(is.spam, want.spam);
        assert_close(is.ham, want.ham);
        for (unsigned class = 0; class < 2; class ++) {
            assert_close(is.record.agreed[class], want.record.agreed[class]);
            assert_close(is.record.disagreed[class], want.record.disagreed[class]);
        }
        assert_close(is.trust, reputation_trust(&want.record));
    }
    desk_close(&desk);
}

static void no_more_gateways_than_fit(void **state)
{
    const struct script_news news = {.last_ms = 1};
    struct desk desk;
    struct resp resp;
    char name[32];

    (void)state;
    desk_open(&desk);
    resp_begin(&resp, "HSET");
    resp_text(&resp, SCRIPT_GATEWAYS);
    resp_text(&resp, "");
    resp_number(&resp, SCRIPT_GATEWAYS_MAX - 1); // the id that was given last
    (void)ask_number(&desk, &resp);
    for (unsigned i = 0; i < SCRIPT_GATEWAYS_MAX - 1; i++) {
        resp_begin(&resp, "HSET");
        resp_text(&resp, SCRIPT_GATEWAYS);
        (void)snprintf(name, sizeof(name), "gateway %u", i);
        resp_text(&resp, name);
        (void)snprintf(name, sizeof(name), "%u 1 0 0 0 0 0 0", i + 1);
        resp_text(&resp, name);
        (void)ask_number(&desk, &resp);
    }
    script_put_gateway(&resp, "one more", &news, true);
    redisReply *reply = ask(&desk, &resp);

    assert_int_equal(reply->type, REDIS_REPLY_STRING);
    assert_string_equal(reply->str, "4096 1 0 0 0 0 0 0");
    freeReplyObject(reply);
    script_put_gateway(&resp, "too many", &news, true);
    reply = ask(&desk, &resp);
    assert_int_equal(reply->type, REDIS_REPLY_NIL);
    freeReplyObject(reply);
    script_put_gateway(&resp, "gateway 7", &news, true); // who is there stays
    reply = ask(&desk, &resp);
    assert_string_equal(reply->str, "8 1 0 0 0 0 0 0");
    freeReplyObject(reply);
    desk_close(&desk);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scripts_do_what_the_core_does),
        cmocka_unit_test(what_is_told_in_parts_adds_up),
        cmocka_unit_test(no_more_gateways_than_fit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
