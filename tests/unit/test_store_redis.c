// The store against a real redis-server: what is written is what is read, nodes that race agree,
// what an operator asks is answered, and every trouble a server can get into passes by itself.
// Afterwards the history is looked at: a deferral has a stored first-seen.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "node/store/inside.h"
#include "tests/support/redis_stage.h"
#include "tests/support/table.h"

struct scene {
    struct stage stage;
    struct store *store;
    struct stage_pair pair;
};

static const uint64_t HOUR_MS = 3600ULL * 1000;
static const uint64_t WINDOW_MS = 12ULL * 3600 * 1000;

static bool admin_is_up(void *store)
{
    return redis_state(((struct store *)store)->lane[STORE_ADMIN]) == STORE_UP;
}

static void make_pair(struct scene *scene, struct stage_pair *pair, const char *sender)
{
    stage_pair_make(pair, store_ring(scene->store), sender, "192.0.2.0/24",
                    store_now_ms(scene->store));
}

static void scene_begin(struct scene *scene)
{
    scene->store = stage_store(&scene->stage, &scene->stage.config);
    stage_until_state(&scene->stage, scene->store, STORE_UP);
    stage_until(&scene->stage, admin_is_up, scene->store);
    make_pair(scene, &scene->pair, "ann@sender.example");
}

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    stage_redis(&scene->stage, NULL);
    scene_begin(scene);
}

static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    stage_close(&scene->stage);
}

static bool nothing_is_under_way(void *store)
{
    // The last command has been answered when one that is sent after it was.
    return redis_has_room(((struct store *)store)->lane[STORE_LOOKUPS], REDIS_IN_FLIGHT_MAX);
}

static void settle(struct scene *scene)
{
    stage_until(&scene->stage, nothing_is_under_way, scene->store);
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0600), 0);
}

// ---- triplets

static void a_first_try_is_stored_and_read_back(void **state)
{
    struct scene scene;
    struct stage_pair again;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_true(scene.pair.facts.pending_asked);
    const struct fact_stamp *stamp = &scene.pair.facts.pending[KEY_CURRENT][1];

    assert_int_equal(stamp->state, FACT_PRESENT);
    assert_int_equal(stamp->at_ms, scene.pair.triplet.now_ms);
    assert_int_equal(stamp->mark, 7);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][0].state,
                     FACT_ABSENT); // "any" is for people
    assert_int_equal(scene.pair.facts.pending[KEY_PREVIOUS][1].state, FACT_ABSENT);
    make_pair(&scene, &again, "ann@sender.example");
    again.triplet.now_ms += 5000;
    again.triplet.mark = 8;
    assert_int_equal(stage_add(&scene.stage, scene.store, &again.triplet, false), STORE_UP);
    assert_int_equal(again.facts.pending[KEY_CURRENT][1].at_ms,
                     scene.pair.triplet.now_ms); // immutable
    assert_int_equal(again.facts.pending[KEY_CURRENT][1].mark, 7);
    scene_close(&scene);
}

static void a_dry_run_writes_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(stage_number(&scene.stage, "DBSIZE"), 1); // meta
    scene_close(&scene);
}

static void a_first_try_of_the_slice_before_is_found(void **state)
{
    struct scene scene;
    struct stage_pair later;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_pair_make(&later, store_ring(scene.store), "ann@sender.example", "192.0.2.0/24",
                    scene.pair.triplet.now_ms + WINDOW_MS);
    assert_int_equal(stage_add(&scene.stage, scene.store, &later.triplet, true), STORE_UP);
    assert_int_equal(later.facts.pending[KEY_PREVIOUS][1].state, FACT_PRESENT);
    assert_int_equal(later.facts.pending[KEY_PREVIOUS][1].at_ms, scene.pair.triplet.now_ms);
    assert_int_equal(later.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    scene_close(&scene);
}

static void a_passed_triplet_is_known_with_its_mark(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    store_write_passed(scene.store, &scene.pair.key, 123456, 99);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].at_ms, 123456);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].mark, 99);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].state, FACT_ABSENT);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_ADMIN, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

static void aligning_makes_a_first_try_earlier(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    store_align_pending(scene.store, &scene.pair.key, 42, 5);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, 42);
    scene_close(&scene);
}

enum { MANY = 40 };

static void many_pairs_are_one_operation(void **state)
{
    static struct stage_pair pair[MANY];
    struct scene scene;

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < MANY; i++) {
        char sender[32];

        (void)snprintf(sender, sizeof(sender), "u%u@sender.example", i);
        make_pair(&scene, &pair[i], sender);
        pair[i].triplet.next = i > 0 ? &pair[i - 1].triplet : NULL;
        pair[i].triplet.mark = i;
    }
    assert_int_equal(stage_add(&scene.stage, scene.store, &pair[MANY - 1].triplet, false),
                     STORE_UP);
    for (unsigned i = 0; i < MANY; i++) {
        assert_int_equal(pair[i].facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
        assert_int_equal(pair[i].facts.pending[KEY_CURRENT][1].mark, i); // each its own
    }
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &pair[MANY - 1].triplet),
                     STORE_UP);
    scene_close(&scene);
}

static void an_operation_of_nothing_is_done_at_once(void **state)
{
    struct scene scene;
    struct stage_op op = {.calls = 0};

    (void)state;
    scene_open(&scene);
    store_read_passed(scene.store, STORE_LOOKUPS, NULL, stage_done(stage_op_done, &op, 1));
    store_add_pending(scene.store, NULL, false, stage_done(stage_op_done, &op, 1));
    assert_int_equal(op.calls, 2);
    assert_int_equal(op.state, STORE_UP);
    scene_close(&scene);
}

static long long expiry_of(struct scene *scene, const char *pattern)
{
    redisReply *keys = stage_ask(&scene->stage, "KEYS %s", pattern);

    assert_non_null(keys);
    assert_int_equal(keys->elements, 1);
    long long at = stage_number(&scene->stage, "EXPIRETIME %s", keys->element[0]->str);

    freeReplyObject(keys);
    return at;
}

static void everything_that_a_machine_wrote_expires(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    store_write_passed(scene.store, &scene.pair.key, 1, 1);
    settle(&scene);
    uint64_t pending = key_expiry_ms(&scene.pair.key.pending[KEY_CURRENT]);
    uint64_t passed = key_expiry_ms(&scene.pair.key.passed[KEY_CURRENT]);

    assert_int_equal(expiry_of(&scene, "g:*"), (pending + 999) / 1000);
    assert_int_equal(expiry_of(&scene, "p:*"), (passed + 999) / 1000);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME meta"), -1); // but not this
    scene_close(&scene);
}

// ---- two nodes

static void two_nodes_that_race_agree_on_the_first(void **state)
{
    struct scene scene;
    struct stage_pair mine;
    struct stage_pair theirs;
    struct stage_op op[2] = {{.calls = 0}, {.calls = 0}};

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    for (unsigned round = 0; round < 50; round++) {
        char sender[32];

        (void)snprintf(sender, sizeof(sender), "r%u@sender.example", round);
        make_pair(&scene, &mine, sender);
        make_pair(&scene, &theirs, sender);
        mine.triplet.mark = 1;
        theirs.triplet.mark = 2;
        theirs.triplet.now_ms += 1;
        memset(op, 0, sizeof(op));
        store_add_pending(scene.store, &mine.triplet, false, stage_done(stage_op_done, &op[0], 1));
        store_add_pending(other, &theirs.triplet, false, stage_done(stage_op_done, &op[1], 2));
        stage_until(&scene.stage, stage_op_is_done, &op[0]);
        stage_until(&scene.stage, stage_op_is_done, &op[1]);
        const struct fact_stamp *a = &mine.facts.pending[KEY_CURRENT][1];
        const struct fact_stamp *b = &theirs.facts.pending[KEY_CURRENT][1];

        assert_int_equal(a->state, FACT_PRESENT);
        assert_int_equal(b->state, FACT_PRESENT);
        assert_int_equal(a->at_ms, b->at_ms);
        assert_int_equal(a->mark, b->mark);
    }
    store_free(&other);
    scene_close(&scene);
}

enum { NODES = 6 };

static bool all_up(void *arg)
{
    struct store **store = arg;

    for (unsigned i = 0; i < NODES; i++) {
        if (store_state(store[i]) != STORE_UP)
            return false;
    }
    return true;
}

static void first_nodes_that_start_together_agree_on_a_secret(void **state)
{
    struct stage stage;
    struct store *store[NODES];

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    for (unsigned i = 0; i < NODES; i++)
        store[i] = stage_store(&stage, &stage.config);
    stage_until(&stage, all_up, store);
    for (unsigned i = 1; i < NODES; i++) {
        assert_int_equal(store_ring(store[i])->count, 1);
        assert_memory_equal(store_ring(store[i])->epoch[0].secret,
                            store_ring(store[0])->epoch[0].secret, KEY_SECRET_BYTES);
    }
    for (unsigned i = 0; i < NODES; i++)
        store_free(&store[i]);
    stage_close(&stage);
}

static void a_node_with_another_secret_is_refused(void **state)
{
    struct scene scene;
    char path[128];
    char words[800];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    (void)snprintf(path, sizeof(path), "%s/secret", scene.stage.dir);
    write_text(path, "000102030405060708090a0b0c0d0e0f\n");
    struct store_config config = scene.stage.config;

    config.secret_file = path;
    struct store *other = stage_store(&scene.stage, &config);

    stage_until_state(&scene.stage, other, STORE_FOREIGN);
    text_buf_init(&text, words, sizeof(words));
    store_describe(other, &text);
    assert_non_null(strstr(words, "same secret_file"));
    assert_int_equal(store_ring(other)->count, 0);
    assert_int_equal(stage_read(&scene.stage, other, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_FOREIGN);
    assert_int_equal(stage_read(&scene.stage, other, STORE_ADMIN, &scene.pair.triplet),
                     STORE_FOREIGN);
    store_free(&other);
    scene_close(&scene);
}

static void a_secret_from_a_file_is_never_stored(void **state)
{
    struct stage stage;
    char path[128];

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    (void)snprintf(path, sizeof(path), "%s/secret", stage.dir);
    write_text(path, "000102030405060708090a0b0c0d0e0f\n");
    stage.config.secret_file = path;
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_UP);
    assert_int_equal(store_ring(store)->epoch[0].secret[15], 15);
    assert_int_equal(stage_number(&stage, "HEXISTS meta secret:0"), 0);
    assert_int_equal(stage_number(&stage, "HEXISTS meta epoch:0"), 1);
    store_free(&store);
    stage_close(&stage);
}

static bool has_two_epochs(void *store)
{
    return store_ring(store)->count == 2;
}

static bool meta_is_back(void *stage)
{
    return stage_number(stage, "HLEN meta") == 3;
}

static void an_emptied_store_gets_its_secret_back(void **state)
{
    struct scene scene;
    struct key_ring ring;

    (void)state;
    scene_open(&scene);
    ring = *store_ring(scene.store);
    stage_do(&scene.stage, "FLUSHALL");
    greeting_sync(scene.store);
    stage_until(&scene.stage, meta_is_back, &scene.stage);
    struct store *fresh = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, fresh, STORE_UP);
    assert_memory_equal(store_ring(fresh)->epoch[0].secret, ring.epoch[0].secret, KEY_SECRET_BYTES);
    assert_int_equal(store_state(scene.store), STORE_UP);
    store_free(&fresh);
    scene_close(&scene);
}

// ---- what an operator asks

struct told {
    unsigned calls;
    enum store_state state;
    size_t count;
    struct pair_entry entry[8];
    char text[400];
};

static void told_pair(void *arg, enum store_state state, const struct pair_entry *entries,
                      size_t count)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = count;
    for (size_t i = 0; i < count && i < 8; i++)
        told->entry[i] = entries[i];
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

static struct told ask_pair(struct scene *scene,
                            void (*ask)(struct store *, const struct key_triplet *,
                                        struct pair_done))
{
    struct told told = {.calls = 0};

    ask(scene->store, &scene->pair.key, (struct pair_done){told_pair, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.calls, 1);
    return told;
}

static struct told pass_pair(struct scene *scene)
{
    struct told told = {.calls = 0};

    store_pair_pass(scene->store, &scene->pair.key, 777, (struct pair_done){told_pair, &told});
    stage_until(&scene->stage, was_told, &told);
    return told;
}

static void a_pair_is_shown_passed_and_forgotten(void **state)
{
    struct scene scene;
    struct stage_pair stranger;

    (void)state;
    scene_open(&scene);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 0);
    make_pair(&scene, &stranger, "eve@sender.example");
    memcpy(stranger.key.pending, scene.pair.key.pending,
           sizeof(stranger.key.pending)); // the same hash ...
    for (unsigned i = 0; i < 2; i++)
        stranger.key.pending[KEY_CURRENT].field[i][0] ^= 1; // ... of another pair
    assert_int_equal(stage_add(&scene.stage, scene.store, &stranger.triplet, false), STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    struct told told = ask_pair(&scene, store_pair_show);

    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    assert_int_equal(told.entry[0].table, KEY_PENDING);
    assert_int_equal(told.entry[0].at_ms, scene.pair.triplet.now_ms);
    assert_memory_equal(told.entry[0].identity,
                        scene.pair.key.pending[KEY_CURRENT].field[1] + KEY_PAIR_BYTES, 4);
    told = pass_pair(&scene);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].state, FACT_PRESENT); // any client
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][0].at_ms, 777);
    store_write_passed(scene.store, &scene.pair.key, 778, 3);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    told = ask_pair(&scene, store_pair_forget);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 3);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 0);
    assert_int_equal(ask_pair(&scene, store_pair_forget).count, 0); // nothing left, no error
    assert_int_equal(stage_add(&scene.stage, scene.store, &stranger.triplet, true), STORE_UP);
    assert_int_equal(stranger.facts.pending[KEY_CURRENT][1].state,
                     FACT_PRESENT); // the stranger stays
    scene_close(&scene);
}

static struct told rotate(struct scene *scene, uint64_t buckets)
{
    struct told told = {.calls = 0};

    store_secret_rotate(scene->store, buckets, (struct store_text_done){told_text, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.calls, 1);
    return told;
}

static void a_rotation_opens_an_epoch_for_everybody(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    struct told told = rotate(&scene, 4096);

    assert_int_equal(told.state, STORE_UP);
    assert_non_null(strstr(told.text, "epoch 1: a new secret, 4096 buckets"));
    stage_until(&scene.stage, has_two_epochs, scene.store);
    const struct key_ring *ring = store_ring(scene.store);

    assert_int_equal(ring->epoch[1].buckets, 4096);
    assert_true(ring->epoch[1].since_ms > store_now_ms(scene.store) + HOUR_MS / 7);
    assert_memory_not_equal(ring->epoch[0].secret, ring->epoch[1].secret, KEY_SECRET_BYTES);
    greeting_sync(other); // what every node does each ten seconds
    stage_until(&scene.stage, has_two_epochs, other);
    assert_memory_equal(store_ring(other)->epoch[1].secret, ring->epoch[1].secret,
                        KEY_SECRET_BYTES);
    told = rotate(&scene, 0);
    assert_non_null(strstr(told.text, "not in force yet"));
    store_free(&other);
    scene_close(&scene);
}

static void two_rotations_at_once_make_one_epoch(void **state)
{
    struct scene scene;
    struct told told[2] = {{.calls = 0}, {.calls = 0}};

    (void)state;
    scene_open(&scene);
    for (unsigned i = 0; i < 2; i++)
        store_secret_rotate(scene.store, 0, (struct store_text_done){told_text, &told[i]});
    stage_until(&scene.stage, was_told, &told[0]);
    stage_until(&scene.stage, was_told, &told[1]);
    assert_non_null(strstr(told[0].text, "epoch 1"));
    assert_non_null(strstr(told[1].text, "somebody else"));
    assert_int_equal(stage_number(&scene.stage, "HLEN meta"), 5);
    scene_close(&scene);
}

static void a_rotation_that_died_is_continued(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "HSET meta secret:1 ffeeddccbbaa99887766554433221100");
    struct told told = rotate(&scene, 0);

    assert_non_null(strstr(told.text, "epoch 1"));
    stage_until(&scene.stage, has_two_epochs, scene.store);
    assert_int_equal(store_ring(scene.store)->epoch[1].secret[0], 0xff);
    scene_close(&scene);
}

static const struct objection_row {
    const char *name;
    uint64_t buckets;
    const char *text;
} OBJECTIONS[] = {
    {"not a power of two", 1000, "power of two"},
    {"too many", 1ULL << 40, "power of two"},
};

static void check_objection(void **state)
{
    const struct objection_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    assert_non_null(strstr(rotate(&scene, row->buckets).text, row->text));
    assert_int_equal(stage_number(&scene.stage, "HLEN meta"), 3);
    scene_close(&scene);
}

// ---- retries

static bool retries_are_known(void *store)
{
    struct retry_counts counts;

    retry_ask(store);
    return store_retry_counts(store, &counts);
}

static void retries_of_all_nodes_are_counted_together(void **state)
{
    struct scene scene;
    struct retry_counts counts;

    (void)state;
    scene_open(&scene);
    struct store *other = stage_store(&scene.stage, &scene.stage.config);

    stage_until_state(&scene.stage, other, STORE_UP);
    assert_false(store_retry_counts(scene.store, &counts)); // no window is known yet
    uint64_t whole = store_now_ms(scene.store) / WINDOW_MS - 2;

    store_count_retry(scene.store, whole, WINDOW_MS, 3, 1);
    store_count_retry(scene.store, whole, WINDOW_MS, 0, 1);
    store_count_retry(other, whole, WINDOW_MS, 2, 0);
    store_count_retry(other, whole + 1, WINDOW_MS, 50, 50); // its window is not over
    retry_flush(scene.store);
    retry_flush(other);
    retry_flush(other); // nothing twice
    settle(&scene);
    struct scene view = {.store = other, .stage = scene.stage};

    stage_until(&scene.stage, nothing_is_under_way, view.store);
    stage_until(&scene.stage, retries_are_known, scene.store);
    assert_true(store_retry_counts(scene.store, &counts));
    assert_int_equal(counts.slice, whole);
    assert_int_equal(counts.first_tries, 5);
    assert_int_equal(counts.passes, 2);
    store_free(&other);
    scene_close(&scene);
}

// ---- trouble

static void kill_and_restart(struct scene *scene)
{
    stage_kill(&scene->stage);
    stage_until_state(&scene->stage, scene->store, STORE_DOWN);
    assert_int_equal(stage_read(&scene->stage, scene->store, STORE_LOOKUPS, &scene->pair.triplet),
                     STORE_DOWN);
    stage_redis(&scene->stage, "--appendonly", "yes", NULL);
}

static void a_killed_server_loses_nothing_that_was_told(void **state)
{
    struct scene scene;

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, "--appendonly", "yes", NULL);
    scene_begin(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    uint64_t first_ms = scene.pair.triplet.now_ms;

    kill_and_restart(&scene);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene.pair.triplet.now_ms += 60000;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, first_ms);
    assert_int_equal(store_counters(scene.store)->disconnects, 2); // both lanes
    scene_close(&scene);
}

static void a_stopped_server_is_slow_then_gone_then_back(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(kill(scene.stage.server, SIGSTOP), 0);
    uint64_t asked_ms = clock_mono_ms();

    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_SLOW);
    assert_in_range(clock_mono_ms() - asked_ms, 99, 400);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_UNKNOWN);
    stage_run(&scene.stage,
              1500); // the connection is given up; the kernel accepts the next, nobody greets
    assert_int_not_equal(store_state(scene.store), STORE_UP);
    asked_ms = clock_mono_ms();
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_SLOW);
    assert_in_range(clock_mono_ms() - asked_ms, 0, 5); // nobody waits for what is known to be away
    assert_int_equal(kill(scene.stage.server, SIGCONT), 0);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void a_full_server_refuses_first_tries_and_says_so(void **state)
{
    struct scene scene;
    char words[300];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 5, 5);
    settle(&scene);
    stage_do(&scene.stage, "CONFIG SET maxmemory 1");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_FULL);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state,
                     FACT_ABSENT); // not what we hoped
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state,
                     FACT_PRESENT); // known mail is known
    text_buf_init(&text, words, sizeof(words));
    store_describe(scene.store, &text);
    assert_non_null(strstr(words, "but lately full (maxmemory)"));
    store_write_passed(scene.store, &scene.pair.key, 6, 6);
    settle(&scene);
    assert_int_equal(store_counters(scene.store)->lost_writes, 1);
    stage_do(&scene.stage, "CONFIG SET maxmemory 0");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

static void a_replica_is_read_but_not_written(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    store_write_passed(scene.store, &scene.pair.key, 5, 5);
    settle(&scene);
    stage_do(&scene.stage, "REPLICAOF 127.0.0.1 1"); // nobody is there
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_READONLY);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_PRESENT);
    assert_int_equal(pass_pair(&scene).state, STORE_READONLY);
    assert_int_equal(pass_pair(&scene).count, 0); // nothing was written, nothing is said to be
    stage_do(&scene.stage, "CONFIG SET replica-serve-stale-data no");
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_MASTERDOWN);
    stage_do(&scene.stage, "REPLICAOF NO ONE");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    scene_close(&scene);
}

static void a_fresh_replica_cannot_be_founded(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, NULL);
    stage_do(&stage, "REPLICAOF 127.0.0.1 1");
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_READONLY);
    stage_do(&stage, "REPLICAOF NO ONE");
    stage_until_state(&stage, store, STORE_UP);
    store_free(&store);
    stage_close(&stage);
}

static void too_few_replicas_refuse_writes(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    stage_do(&scene.stage, "CONFIG SET min-replicas-to-write 1");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_NOREPLICAS);
    stage_do(&scene.stage, "CONFIG SET min-replicas-to-write 0");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    scene_close(&scene);
}

static void a_server_with_cluster_mode_is_refused(void **state)
{
    struct stage stage;

    (void)state;
    stage_open(&stage);
    stage_redis(&stage, "--cluster-enabled", "yes", NULL);
    struct store *store = stage_store(&stage, &stage.config);

    stage_until_state(&stage, store, STORE_CLUSTER);
    store_free(&store);
    stage_close(&stage);
}

static void a_server_that_loads_is_waited_for(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_do(&scene.stage, "EVAL %s 0", "for i = 1, 2000 do redis.call('set', 'k' .. i, 'x') end");
    stage_do(&scene.stage, "SAVE");
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    // Half a millisecond a key: it loads for a second, and answers -LOADING meanwhile.
    stage_redis(&scene.stage, "--key-load-delay", "500", "--loading-process-events-interval-bytes",
                "1024", NULL);
    stage_until_state(&scene.stage, scene.store, STORE_LOADING);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true),
                     STORE_LOADING);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_PRESENT);
    scene_close(&scene);
}

// ---- who may

static const char *acl_line(char *out, size_t size)
{
    FILE *file = fopen("deploy/redis/reeve.acl", "r");

    assert_non_null(file);
    while (fgets(out, (int)size, file) != NULL) {
        if (strncmp(out, "user reeve ", 11) == 0)
            break;
    }
    (void)fclose(file);
    assert_int_equal(strncmp(out, "user reeve ", 11), 0);
    return out;
}

static void start_with_acl(struct scene *scene)
{
    char line[1000];
    char text[1200];
    char path[128];
    char *at = NULL;

    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    (void)acl_line(line, sizeof(line));
    at = strstr(line, ">CHANGE-ME");
    assert_non_null(at);
    (void)snprintf(text, sizeof(text), "%.*s>right%suser default on nopass ~* &* +@all\n",
                   (int)(at - line), line, at + strlen(">CHANGE-ME"));
    (void)snprintf(path, sizeof(path), "%s/users.acl", scene->stage.dir);
    write_text(path, text);
    stage_redis(&scene->stage, "--aclfile", path, NULL);
}

static void use_password(struct scene *scene, char path[128], const char *user,
                         const char *password)
{
    (void)snprintf(path, 128, "%s/password", scene->stage.dir);
    write_text(path, password);
    scene->stage.config.user = user;
    scene->stage.config.password_file = path;
}

// Everything that the store ever asks goes through the line that is shipped, and the line allows
// nothing that it does not ask.
static void the_shipped_acl_is_enough(void **state)
{
    struct scene scene;
    char path[128];
    struct retry_counts counts;
    struct told told;

    (void)state;
    start_with_acl(&scene);
    use_password(&scene, path, "reeve", "right\n");
    scene_begin(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    store_write_passed(scene.store, &scene.pair.key, 1, 1);
    store_count_retry(scene.store, 5, WINDOW_MS, 1, 1);
    retry_flush(scene.store);
    retry_ask(scene.store);
    struct ticket ticket = ticket_next(scene.store, store_now_ms(scene.store));
    struct track_row row = {
        ticket, 1, "defer", "greylist_new", "", "", "rcpt", "", "", "", "", "", "", "", 0, 0};

    store_track(scene.store, &row);
    settle(&scene);
    assert_int_equal(pass_pair(&scene).state, STORE_UP);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 2 + 1);
    assert_int_equal(ask_pair(&scene, store_pair_forget).count, 3);
    told = rotate(&scene, 0);
    assert_non_null(strstr(told.text, "epoch 1"));
    stage_until(&scene.stage, has_two_epochs, scene.store);
    (void)store_retry_counts(scene.store, &counts);
    for (unsigned i = 0; i < STORE_STATE_COUNT; i++)
        assert_int_equal(store_counters(scene.store)->errors[i], 0);
    assert_int_equal(store_counters(scene.store)->lost_writes, 0);
    assert_true(scene.store->version[0] != '\0');
    scene_close(&scene);
}

static const struct forbidden_row {
    const char *name;
    const char *command;
} FORBIDDEN[] = {
    {"flush everything", "FLUSHALL"},
    {"look for keys", "KEYS *"},
    {"delete a key", "DEL meta"},
    {"change settings", "CONFIG SET maxmemory 1"},
    {"read settings", "CONFIG GET requirepass"},
    {"load functions", "FUNCTION LOAD x"},
    {"run scripts", "EVAL x 0"},
    {"other people's keys", "HGETALL sessions"},
    {"shut it down", "SHUTDOWN"},
    {"users", "ACL LIST"},
    {"spy", "MONITOR"},
};

static void check_forbidden(void **state)
{
    const struct forbidden_row *row = *state;
    struct scene scene;
    struct timeval limit = {.tv_sec = 2};

    start_with_acl(&scene);
    redisContext *context = redisConnectUnixWithTimeout(scene.stage.socket, limit);

    freeReplyObject(redisCommand(context, "AUTH reeve right"));
    redisReply *reply = redisCommand(context, row->command);

    assert_non_null(reply);
    assert_int_equal(reply->type, REDIS_REPLY_ERROR);
    assert_int_equal(strncmp(reply->str, "NOPERM", 6), 0);
    freeReplyObject(reply);
    redisFree(context);
    stage_close(&scene.stage);
}

static void a_wrong_password_is_told_and_a_right_one_helps(void **state)
{
    struct scene scene;
    char path[128];
    char words[600];
    struct text_buf text;

    (void)state;
    start_with_acl(&scene);
    use_password(&scene, path, "reeve", "wrong");
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    stage_until_state(&scene.stage, scene.store, STORE_DENIED);
    text_buf_init(&text, words, sizeof(words));
    store_describe(scene.store, &text);
    assert_non_null(strstr(words, "password_file"));
    assert_null(strstr(words, "wrong")); // never the password itself
    stage_do(&scene.stage, "ACL SETUSER reeve >wrong");
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static void a_password_without_a_user_is_the_default_users(void **state)
{
    struct scene scene;
    char path[128];

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, "--requirepass", "pass word", NULL);
    scene.store = stage_store(&scene.stage, &scene.stage.config); // without one
    stage_until_state(&scene.stage, scene.store, STORE_DENIED);
    store_free(&scene.store);
    use_password(&scene, path, "", "pass word\n");
    scene_begin(&scene);
    scene_close(&scene);
}

static void rights_that_are_taken_away_are_noticed(void **state)
{
    struct scene scene;
    char path[128];

    (void)state;
    start_with_acl(&scene);
    use_password(&scene, path, "reeve", "right");
    scene_begin(&scene);
    stage_do(&scene.stage, "ACL SETUSER reeve -hsetnx");
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_DENIED);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

static void a_tcp_server_is_served_as_well(void **state)
{
    struct scene scene;
    char address[64];

    (void)state;
    memset(&scene, 0, sizeof(scene));
    stage_open(&scene.stage);
    stage_redis(&scene.stage, NULL);
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(any);

    assert_int_equal(bind(fd, (struct sockaddr *)&any, sizeof(any)), 0); // a port that is free
    assert_int_equal(getsockname(fd, (struct sockaddr *)&any, &len), 0);
    (void)close(fd);
    stage_do(&scene.stage, "CONFIG SET port %d", ntohs(any.sin_port));
    (void)snprintf(address, sizeof(address), "127.0.0.1:%d", ntohs(any.sin_port));
    scene.stage.config.address = address;
    scene_begin(&scene);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    stage_do(&scene.stage, "CONFIG SET port 0");
    stage_do(&scene.stage, "CLIENT KILL TYPE normal SKIPME yes");
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    scene_close(&scene);
}

static void a_wrong_type_at_our_key_is_an_error_not_a_fact(void **state)
{
    struct scene scene;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    (void)key_name(KEY_PASSED, &scene.pair.key.passed[KEY_CURRENT], name);
    stage_do(&scene.stage, "SET %s x", name);
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_ERROR);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    assert_int_equal(scene.pair.facts.passed[KEY_PREVIOUS][1].state,
                     FACT_ABSENT); // its neighbour answers
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, a_first_try_is_stored_and_read_back);
    TABLE_TEST(&table, a_dry_run_writes_nothing);
    TABLE_TEST(&table, a_first_try_of_the_slice_before_is_found);
    TABLE_TEST(&table, a_passed_triplet_is_known_with_its_mark);
    TABLE_TEST(&table, aligning_makes_a_first_try_earlier);
    TABLE_TEST(&table, many_pairs_are_one_operation);
    TABLE_TEST(&table, an_operation_of_nothing_is_done_at_once);
    TABLE_TEST(&table, everything_that_a_machine_wrote_expires);
    TABLE_TEST(&table, two_nodes_that_race_agree_on_the_first);
    TABLE_TEST(&table, first_nodes_that_start_together_agree_on_a_secret);
    TABLE_TEST(&table, a_node_with_another_secret_is_refused);
    TABLE_TEST(&table, a_secret_from_a_file_is_never_stored);
    TABLE_TEST(&table, an_emptied_store_gets_its_secret_back);
    TABLE_TEST(&table, a_pair_is_shown_passed_and_forgotten);
    TABLE_TEST(&table, a_rotation_opens_an_epoch_for_everybody);
    TABLE_TEST(&table, two_rotations_at_once_make_one_epoch);
    TABLE_TEST(&table, a_rotation_that_died_is_continued);
    TABLE_ROWS(&table, OBJECTIONS, check_objection);
    TABLE_TEST(&table, retries_of_all_nodes_are_counted_together);
    TABLE_TEST(&table, a_killed_server_loses_nothing_that_was_told);
    TABLE_TEST(&table, a_stopped_server_is_slow_then_gone_then_back);
    TABLE_TEST(&table, a_full_server_refuses_first_tries_and_says_so);
    TABLE_TEST(&table, a_replica_is_read_but_not_written);
    TABLE_TEST(&table, a_fresh_replica_cannot_be_founded);
    TABLE_TEST(&table, too_few_replicas_refuse_writes);
    TABLE_TEST(&table, a_server_with_cluster_mode_is_refused);
    TABLE_TEST(&table, a_server_that_loads_is_waited_for);
    TABLE_TEST(&table, the_shipped_acl_is_enough);
    TABLE_ROWS(&table, FORBIDDEN, check_forbidden);
    TABLE_TEST(&table, a_wrong_password_is_told_and_a_right_one_helps);
    TABLE_TEST(&table, a_password_without_a_user_is_the_default_users);
    TABLE_TEST(&table, rights_that_are_taken_away_are_noticed);
    TABLE_TEST(&table, a_tcp_server_is_served_as_well);
    TABLE_TEST(&table, a_wrong_type_at_our_key_is_an_error_not_a_fact);
    return table_run(&table, "store against redis");
}
