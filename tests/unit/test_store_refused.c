// The store against a server that misbehaves on purpose (tests/support/fake_redis.h): every error
// reply, and nonsense. What must hold: done is called exactly once, with the right word; and all
// comes back by itself.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "tests/support/fake_scene.h"
#include "tests/support/table.h"

// ---- every error reply, in the greeting and to each command of an operation

static const struct refusal_row {
    const char *name;
    const char *text;
    enum store_state state;
} REFUSALS[] = {
    {"loading", "LOADING Redis is loading the dataset in memory", STORE_LOADING},
    {"readonly", "READONLY You can't write against a read only replica.", STORE_READONLY},
    {"masterdown", "MASTERDOWN Link with MASTER is down", STORE_MASTERDOWN},
    {"oom", "OOM command not allowed when used memory > 'maxmemory'.", STORE_FULL},
    {"misconf", "MISCONF Errors writing to the AOF file", STORE_DISK},
    {"noreplicas", "NOREPLICAS Not enough good replicas to write.", STORE_NOREPLICAS},
    {"busy", "BUSY Redis is busy running a script.", STORE_BUSY},
    {"noauth", "NOAUTH Authentication required.", STORE_DENIED},
    {"wrongpass", "WRONGPASS invalid username-password pair", STORE_DENIED},
    {"noperm", "NOPERM this user has no permissions", STORE_DENIED},
    {"invalid password", "ERR invalid password", STORE_DENIED},
    {"moved", "MOVED 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"ask", "ASK 3999 127.0.0.1:6381", STORE_CLUSTER},
    {"tryagain", "TRYAGAIN Multiple keys request during rehashing of slot", STORE_CLUSTER},
    {"clusterdown", "CLUSTERDOWN The cluster is down", STORE_CLUSTER},
    {"crossslot", "CROSSSLOT Keys in request don't hash to the same slot", STORE_CLUSTER},
    {"noscript", "NOSCRIPT No matching script.", STORE_NOSCRIPT},
    {"wrong type", "WRONGTYPE Operation against a key", STORE_ERROR},
    {"anything else", "ERR unknown command", STORE_ERROR},
};

static void check_refused_greeting(void **state)
{
    const struct refusal_row *row = *state;
    struct scene scene;
    char words[600];

    scene_open(&scene);
    scene.fake->error_on = "*";
    scene.fake->error_text = row->text;
    if (row->state == STORE_DENIED) { // INFO may be forbidden
        scene.fake->error_on = "HGETALL";
    }
    stage_until_state(&scene.stage, scene.store, row->state);
    assert_int_equal(store_ring(scene.store)->count, 0);
    assert_non_null(
        strstr(described(scene.store, words, sizeof(words)), store_state_text(row->state)));
    assert_non_null(strstr(words, row->text));
    assert_true(store_counters(scene.store)->errors[row->state] > 0);
    scene.fake->error_on = NULL; // and it comes back by itself
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static void check_refused_operation(void **state)
{
    const struct refusal_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    scene.fake->error_on = "HSETNX";
    scene.fake->error_text = row->text;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), row->state);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(scene.pair.facts.pending[KEY_PREVIOUS][1].state, FACT_ABSENT);
    assert_true(scene.pair.facts.refused);
    assert_int_equal(store_counters(scene.store)->errors[row->state], 1);
    assert_int_equal(store_state(scene.store), STORE_UP); // the connection is as good as before
    scene.fake->error_on = "HMGET";
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     row->state);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    scene.fake->error_on = NULL;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_ABSENT);
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_false(scene.pair.facts.refused);
    scene_close(&scene);
}

static void a_denied_store_says_what_to_look_at(void **state)
{
    struct scene scene;
    char words[600];

    (void)state;
    scene_open(&scene);
    scene.fake->error_on = "PING";
    scene.fake->error_text = "NOAUTH Authentication required.";
    stage_until_state(&scene.stage, scene.store, STORE_DENIED);
    assert_non_null(strstr(described(scene.store, words, sizeof(words)),
                           "check store.user and store.password_file"));
    scene_close(&scene);
}

static void a_store_that_forbids_info_is_used(void **state)
{
    struct scene scene;
    char words[600];

    (void)state;
    scene_open(&scene);
    scene.fake->error_on = "INFO";
    scene.fake->error_text = "NOPERM this user has no permissions to run the 'info' command";
    scene_up(&scene);
    assert_null(strstr(described(scene.store, words, sizeof(words)), "redis "));
    scene_close(&scene);
}

// ---- nonsense

static const struct nonsense_row {
    const char *name;
    const char *verb;
    const char *raw;
} NONSENSE[] = {
    {"PING answered with a number", "PING", ":1\r\n"},
    {"INFO answered with a list", "INFO", "*0\r\n"},
    {"TIME with one number", "TIME", "*1\r\n$1\r\n1\r\n"},
    {"TIME with words", "TIME", "*2\r\n$3\r\nten\r\n$1\r\n0\r\n"},
    {"TIME far beyond", "TIME", "*2\r\n$20\r\n18446744073709551615\r\n$1\r\n0\r\n"},
    {"TIME with integers", "TIME", "*2\r\n:1\r\n:1\r\n"},
    {"meta is a number", "HGETALL", ":5\r\n"},
    {"meta is odd", "HGETALL", "*1\r\n$6\r\nformat\r\n"},
    {"meta holds lists", "HGETALL", "*2\r\n*0\r\n*0\r\n"},
    {"two answers to one question", "PING", "+PONG\r\n+PONG\r\n"},
    {"a list nobody asked for", "INFO", "$1\r\nx\r\n*1\r\n$1\r\nx\r\n"},
    {"no protocol at all", "PING", "HTTP/1.1 400 Bad Request\r\n\r\n"},
    {"a length that lies", "INFO", "$-5\r\n"},
};

static void check_nonsense_greeting(void **state)
{
    const struct nonsense_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.fake->raw_on = row->verb;
    scene.fake->raw = row->raw;
    stage_run(&scene.stage, 300);
    assert_int_not_equal(store_state(scene.store), STORE_UP);
    assert_true(scene.fake->connections >= 2); // it was tried again
    scene.fake->raw_on = NULL;
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    scene_close(&scene);
}

static const struct garbage_row {
    const char *name;
    const char *raw; // to HMGET of two fields
} GARBAGE[] = {
    {"an integer", ":1\r\n"},
    {"one value for two fields", "*1\r\n$-1\r\n"},
    {"three values for two fields", "*3\r\n$-1\r\n$-1\r\n$-1\r\n"},
    {"a value too short", "*2\r\n$-1\r\n$9\r\n123456789\r\n"},
    {"a value too long", "*2\r\n$-1\r\n$11\r\n12345678901\r\n"},
    {"an empty value", "*2\r\n$-1\r\n$0\r\n\r\n"},
    {"integers as values", "*2\r\n:1\r\n:2\r\n"},
    {"no list", "*-1\r\n"},
};

static void check_garbage(void **state)
{
    const struct garbage_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene_up(&scene);
    scene.fake->raw_on = "HMGET";
    scene.fake->raw = row->raw;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_ERROR);
    assert_int_equal(scene.pair.facts.passed[KEY_CURRENT][1].state, FACT_UNKNOWN);
    scene.fake->raw_on = NULL;
    assert_int_equal(stage_read(&scene.stage, scene.store, STORE_LOOKUPS, &scene.pair.triplet),
                     STORE_UP);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, REFUSALS, check_refused_greeting);
    TABLE_ROWS(&table, REFUSALS, check_refused_operation);
    TABLE_TEST(&table, a_denied_store_says_what_to_look_at);
    TABLE_TEST(&table, a_store_that_forbids_info_is_used);
    TABLE_ROWS(&table, NONSENSE, check_nonsense_greeting);
    TABLE_ROWS(&table, GARBAGE, check_garbage);
    return table_run(&table, "a store that refuses");
}
