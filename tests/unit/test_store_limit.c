// Limits in a real redis-server: what is counted, kept and taken back; races; a server that is away, full, read-only, or
// that holds what is not ours.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/store_scene.h"
#include "tests/support/table.h"

enum { MANY = 40 };

// The things of one owner and day, counted together.
struct question {
    struct key_count key[MANY];
    struct limit_count count[MANY];
    struct store_limit limit[MANY];
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

static uint64_t today(const struct store *store)
{
    return store_now_ms(store) / 86400000ULL;
}

// Things first, first + 1, ... of that owner.
static void prepare(struct question *question, const struct store *store, const char *owner,
                    enum key_count_kind kind, unsigned first, unsigned count)
{
    memset(question, 0, sizeof(*question));
    for (unsigned i = 0; i < count; i++) {
        char transaction[16];
        const struct key_thing thing = {transaction, "bob@corp.example", 0};

        (void)snprintf(transaction, sizeof(transaction), "t%u", first + i);
        question->key[i].kind = kind;
        question->key[i].day = today(store);
        key_count_make(&question->key[i], store_ring(store), owner, &thing);
        question->limit[i] =
            (struct store_limit){.next = i + 1 < count ? &question->limit[i + 1] : NULL,
                                 .key = &question->key[i],
                                 .expires_ms = (today(store) + 2) * 86400000ULL,
                                 .count = &question->count[i]};
    }
}

static void begin(struct question *question, struct store *store, bool read_only)
{
    store_limit_add(store, question->limit, read_only,
                    (struct store_done){.fn = answered, .arg = question, .token = 17});
}

static enum store_state ask(struct scene *scene, struct question *question, bool read_only)
{
    begin(question, scene->store, read_only);
    stage_until(&scene->stage, is_answered, question);
    assert_int_equal(question->calls, 1);
    return question->state;
}

static const char *name_of(const struct question *question, char out[KEY_NAME_MAX])
{
    (void)key_count_name(&question->key[0], out);
    return out;
}

static void each_is_counted_in_its_turn(void **state)
{
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 3);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(question.count[i].state, FACT_PRESENT);
        assert_int_equal(question.count[i].count, i + 1);
        assert_true(question.limit[i].added);
        assert_false(question.count[i].kept);
    }
    (void)name_of(&question, name);
    assert_int_equal(strncmp(name, "c:limit:{", 9), 0);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", name), 3);
    assert_int_equal(stage_number(&scene.stage, "EXPIRETIME %s", name),
                     (today(scene.store) + 2) * 86400);
    scene_close(&scene);
}

static void asked_again_it_counts_once(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 1, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    assert_false(question.limit[0].added);
    assert_int_equal(question.count[0].count, 2);
    assert_true(question.limit[1].added);
    assert_int_equal(question.count[1].count, 3);
    scene_close(&scene);
}

static void owners_and_kinds_and_days_count_apart(void **state)
{
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];
    char other[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    (void)name_of(&question, name);
    prepare(&question, scene.store, "bob@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    assert_int_equal(question.count[0].count, 1);
    assert_string_not_equal(name_of(&question, other), name);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_MAILS, 0, 1);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    assert_int_equal(question.count[0].count, 1);
    assert_int_equal(strncmp(name_of(&question, other), "c:mails:{", 9), 0);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    question.key[0].day++;
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    assert_int_equal(question.count[0].count, 1);
    scene_close(&scene);
}

static void several_keys_in_one_trip_have_an_expiry_each(void **state)
{
    struct scene scene;
    struct question question;
    struct question mail;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    prepare(&mail, scene.store, "ann@corp.example", KEY_COUNT_MAILS, 0, 1);
    mail.limit[0].next = &question.limit[0];
    assert_int_equal(ask(&scene, &mail, false), STORE_UP);
    assert_int_equal(mail.count[0].count, 1);
    assert_int_equal(question.count[1].count, 2);
    assert_true(stage_number(&scene.stage, "TTL %s", name_of(&mail, name)) > 0);
    assert_true(stage_number(&scene.stage, "TTL %s", name_of(&question, name)) > 0);
    scene_close(&scene);
}

static void what_was_kept_says_so(void **state)
{
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    store_limit_keep(scene.store, &question.key[0], question.limit[0].expires_ms);
    store_limit_drop(scene.store, &question.key[1]);
    settle(&scene);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", name_of(&question, name)), 1);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    assert_true(question.count[0].kept);
    assert_false(question.limit[0].added);
    assert_false(question.count[1].kept);
    assert_true(question.limit[1].added);
    assert_int_equal(question.count[1].count, 2);
    scene_close(&scene);
}

// The day was lost meanwhile: what is kept must not stay for ever.
static void what_is_kept_alone_has_an_expiry(void **state)
{
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    store_limit_keep(scene.store, &question.key[0], question.limit[0].expires_ms);
    settle(&scene);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", name_of(&question, name)), 1);
    assert_true(stage_number(&scene.stage, "TTL %s", name) > 0);
    scene_close(&scene);
}

static void a_dry_run_reads_alone_and_says_what_would_be(void **state)
{
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    store_limit_keep(scene.store, &question.key[1], question.limit[1].expires_ms);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 1, 3);
    assert_int_equal(ask(&scene, &question, true), STORE_UP);
    assert_true(question.count[0].kept);
    assert_int_equal(question.count[0].count, 2);
    assert_int_equal(question.count[1].count, 3);
    assert_int_equal(question.count[2].count, 4);
    assert_int_equal(question.count[2].state, FACT_PRESENT);
    assert_false(question.limit[2].added);
    assert_int_equal(stage_number(&scene.stage, "HLEN %s", name_of(&question, name)), 2);
    prepare(&question, scene.store, "carol@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    assert_int_equal(ask(&scene, &question, true), STORE_UP);
    assert_int_equal(question.count[0].count, 1);
    assert_int_equal(stage_number(&scene.stage, "EXISTS %s", name_of(&question, name)), 0);
    scene_close(&scene);
}

// Two nodes count at once, again and again: of one limit never more are inside than it says.
static void two_nodes_race_and_never_one_too_many(void **state)
{
    enum { LIMIT_MOST = 25 };
    struct scene scene;
    struct store *other;
    struct question mine;
    struct question theirs;
    unsigned inside = 0;

    (void)state;
    scene_open(&scene);
    other = stage_store(&scene.stage, &scene.stage.config);
    stage_until_state(&scene.stage, other, STORE_UP);
    for (unsigned round = 0; round < 20; round++) {
        prepare(&mine, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, round * 2, 1);
        prepare(&theirs, other, "ann@corp.example", KEY_COUNT_RECIPIENTS, round * 2 + 1, 1);
        begin(&mine, scene.store, false);
        begin(&theirs, other, false);
        stage_until(&scene.stage, is_answered, &mine);
        stage_until(&scene.stage, is_answered, &theirs);
        assert_int_equal(mine.count[0].state, FACT_PRESENT);
        assert_int_equal(theirs.count[0].state, FACT_PRESENT);
        assert_true(mine.count[0].count + theirs.count[0].count >= 4 * round + 3); // one sees both
        inside += (unsigned)(mine.count[0].count <= LIMIT_MOST) +
                  (unsigned)(theirs.count[0].count <= LIMIT_MOST);
    }
    assert_true(inside <= LIMIT_MOST);
    assert_true(inside >= LIMIT_MOST - 1);
    store_free(&other);
    scene_close(&scene);
}

static void a_store_that_is_away_says_nothing(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    assert_int_equal(ask(&scene, &question, false), STORE_DOWN);
    assert_int_equal(question.count[0].state, FACT_UNKNOWN);
    assert_int_equal(question.count[1].state, FACT_UNKNOWN);
    store_limit_keep(scene.store, &question.key[0], question.limit[0].expires_ms);
    assert_true(store_counters(scene.store)->lost_writes > 0);
    scene_close(&scene);
}

static void a_store_that_is_stopped_says_nothing_in_time(void **state)
{
    struct scene scene;
    struct question question;

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(kill(scene.stage.server, SIGSTOP), 0);
    assert_int_equal(ask(&scene, &question, false), STORE_SLOW);
    assert_int_equal(question.count[0].state, FACT_UNKNOWN);
    assert_int_equal(kill(scene.stage.server, SIGCONT), 0);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

// Full, or a replica: what was counted is known, what is new is not.
static void check_refusing(const char *const *makes_it, enum store_state refusal)
{
    struct scene scene;
    struct question question;

    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 2);
    assert_int_equal(ask(&scene, &question, false), STORE_UP);
    store_limit_keep(scene.store, &question.key[0], question.limit[0].expires_ms);
    settle(&scene);
    for (; *makes_it != NULL; makes_it++)
        stage_do(&scene.stage, *makes_it);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 3);
    assert_int_equal(ask(&scene, &question, false), refusal);
    assert_true(question.count[0].kept);
    assert_int_equal(question.count[0].state, FACT_PRESENT);
    assert_int_equal(question.count[1].state, FACT_PRESENT);
    assert_int_equal(question.count[1].count, 2);
    assert_int_equal(question.count[2].state, FACT_UNKNOWN);
    assert_false(question.limit[2].added);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 2, 1);
    assert_int_equal(ask(&scene, &question, true), STORE_UP);
    assert_int_equal(question.count[0].count, 3);
    scene_close(&scene);
}

static void a_full_store_knows_what_it_had(void **state)
{
    static const char *const full[] = {"CONFIG SET maxmemory 1", NULL};

    (void)state;
    check_refusing(full, STORE_FULL);
}

static void a_replica_knows_what_it_had(void **state)
{
    // No such master; what it has stays and may be read.
    static const char *const replica[] = {"CONFIG SET replica-serve-stale-data yes",
                                          "REPLICAOF 127.0.0.1 1", NULL};

    (void)state;
    check_refusing(replica, STORE_READONLY);
}

// ---- what is not ours

static const struct garbage_row {
    const char *name;
    const char *command; // %s is the key, %b the field
    enum store_state state;
} GARBAGE[] = {
    {"another value", "HSET %s %b nonsense", STORE_ERROR},
    {"an empty value", "HSET %s %b ''", STORE_ERROR},
    {"another type", "SET %s x", STORE_ERROR},
    {"a list", "RPUSH %s x", STORE_ERROR},
};

static void check_garbage(void **state)
{
    const struct garbage_row *row = *state;
    struct scene scene;
    struct question question;
    char name[KEY_NAME_MAX];

    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    (void)name_of(&question, name);
    if (strstr(row->command, "%b") != NULL)
        stage_do(&scene.stage, row->command, name, question.key[0].field, (size_t)KEY_COUNT_BYTES);
    else
        stage_do(&scene.stage, row->command, name);
    assert_int_equal(ask(&scene, &question, false), row->state);
    assert_int_equal(question.count[0].state, FACT_UNKNOWN);
    assert_false(question.count[0].kept);
    scene_close(&scene);
}

static void a_new_secret_keeps_the_day(void **state)
{
    struct scene scene;
    struct question question;
    struct key_ring ring;
    struct key_count old;

    (void)state;
    scene_open(&scene);
    prepare(&question, scene.store, "ann@corp.example", KEY_COUNT_RECIPIENTS, 0, 1);
    ring = *store_ring(scene.store);
    old = question.key[0];
    ring.epoch[1] = ring.epoch[0];
    ring.epoch[1].secret[0] ^= 1;
    ring.epoch[1].since_ms = store_now_ms(scene.store);
    ring.count = 2;
    const struct key_thing thing = {"t0", "bob@corp.example", 0};

    key_count_make(&question.key[0], &ring, "ann@corp.example", &thing);
    assert_memory_equal(&old, &question.key[0], sizeof(old));
    question.key[0].day++;
    key_count_make(&question.key[0], &ring, "ann@corp.example", &thing);
    assert_memory_not_equal(old.owner, question.key[0].owner, sizeof(old.owner));
    scene_close(&scene);
}

static void without_a_transaction_it_is_its_own(void **state)
{
    struct key_ring ring = {.count = 1, .epoch[0] = {.buckets = 1, .secret = {7}}};
    const struct key_thing first = {"", "bob@corp.example", 1};
    const struct key_thing second = {"", "bob@corp.example", 2};
    const struct key_thing named = {"t", "bob@corp.example", 1};
    const struct key_thing again = {"t", "bob@corp.example", 2};
    struct key_count a = {.day = 20000};
    struct key_count b = {.day = 20000};

    (void)state;
    key_count_make(&a, &ring, "ann@corp.example", &first);
    key_count_make(&b, &ring, "ann@corp.example", &second);
    assert_memory_not_equal(a.field, b.field, sizeof(a.field));
    assert_memory_equal(a.owner, b.owner, sizeof(a.owner));
    key_count_make(&a, &ring, "ann@corp.example", &named);
    key_count_make(&b, &ring, "ann@corp.example", &again);
    assert_memory_equal(a.field, b.field, sizeof(a.field));
}

int main(void)
{
    static struct table table;

    TABLE_TEST(&table, each_is_counted_in_its_turn);
    TABLE_TEST(&table, asked_again_it_counts_once);
    TABLE_TEST(&table, owners_and_kinds_and_days_count_apart);
    TABLE_TEST(&table, several_keys_in_one_trip_have_an_expiry_each);
    TABLE_TEST(&table, what_was_kept_says_so);
    TABLE_TEST(&table, what_is_kept_alone_has_an_expiry);
    TABLE_TEST(&table, a_dry_run_reads_alone_and_says_what_would_be);
    TABLE_TEST(&table, two_nodes_race_and_never_one_too_many);
    TABLE_TEST(&table, a_store_that_is_away_says_nothing);
    TABLE_TEST(&table, a_store_that_is_stopped_says_nothing_in_time);
    TABLE_TEST(&table, a_full_store_knows_what_it_had);
    TABLE_TEST(&table, a_replica_knows_what_it_had);
    TABLE_ROWS(&table, GARBAGE, check_garbage);
    TABLE_TEST(&table, a_new_secret_keeps_the_day);
    TABLE_TEST(&table, without_a_transaction_it_is_its_own);
    return table_run(&table, "store_limit");
}
