// The embedded store: a redis-server of the node's own. It is started, restarted, taken over,
// waited for and stopped; two nodes never share a directory; nothing that was told is forgotten;
// and nothing is left running.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "node/store/embedded.h"
#include "node/store/inside.h"
#include "tests/support/redis_stage.h"
#include "tests/support/table.h"

struct scene {
    struct stage stage;
    struct store *store;
    struct stage_pair pair;
};

static void scene_open(struct scene *scene)
{
    memset(scene, 0, sizeof(*scene));
    stage_open(&scene->stage);
    scene->stage.config.mode = STORE_EMBEDDED;
    scene->stage.config.address = "";
    // From now on the stage asks the embedded server.
    (void)snprintf(scene->stage.socket, sizeof(scene->stage.socket), "%s/redis.sock",
                   scene->stage.state_dir);
}

static void scene_begin(struct scene *scene)
{
    scene->store = stage_store(&scene->stage, &scene->stage.config);
    stage_until_state(&scene->stage, scene->store, STORE_UP);
    stage_pair_make(&scene->pair, store_ring(scene->store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(scene->store));
}

static void scene_close(struct scene *scene)
{
    store_free(&scene->store);
    stage_close(&scene->stage);
}

static void an_embedded_store_keeps_its_data(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    uint64_t first_ms = scene.pair.triplet.now_ms;
    struct key_ring ring = *store_ring(scene.store);

    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    store_free(&scene.store);
    assert_false(stage_somebody_in(scene.stage.state_dir)); // it went with the node
    scene_begin(&scene);
    assert_memory_equal(store_ring(scene.store)->epoch[0].secret, ring.epoch[0].secret,
                        KEY_SECRET_BYTES);
    scene.pair.triplet.now_ms += 1000;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, first_ms);
    scene_close(&scene);
}

static void assert_setting(struct scene *scene, const char *name, const char *value)
{
    redisReply *reply = stage_ask(&scene->stage, "CONFIG GET %s", name);

    assert_non_null(reply);
    assert_int_equal(reply->elements, 2);
    assert_string_equal(reply->element[1]->str, value);
    freeReplyObject(reply);
}

static void its_server_is_set_up_as_it_must_be(void **state)
{
    struct scene scene;
    struct stat about;
    char words[200];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    assert_setting(&scene, "port", "0");
    assert_setting(&scene, "appendonly", "yes");
    assert_setting(&scene, "appendfsync", "everysec");
    assert_setting(&scene, "save", "");
    assert_setting(&scene, "maxmemory", "67108864");
    assert_setting(&scene, "maxmemory-policy", "noeviction");
    assert_setting(&scene, "dir", scene.stage.state_dir);
    assert_int_equal(stat(scene.stage.socket, &about), 0);
    assert_int_equal(about.st_mode & 0777, 0700);
    assert_int_equal(stat(scene.stage.state_dir, &about), 0);
    assert_int_equal(about.st_mode & 0027, 0); // made by us: 0750 at most
    text_buf_init(&text, words, sizeof(words));
    store_describe(scene.store, &text);
    assert_non_null(strstr(words, "embedded, up, redis "));
    scene_close(&scene);
}

static int server_pid(struct scene *scene)
{
    int pid = process_recorded(scene->stage.state_dir);

    assert_true(process_lives_in(pid, scene->stage.state_dir));
    return pid;
}

static void a_killed_server_is_started_again_and_forgets_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    stage_do(&scene.stage,
             "CONFIG SET appendfsync always"); // else SIGKILL may lose the last writes
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    uint64_t first_ms = scene.pair.triplet.now_ms;

    assert_int_equal(kill(server_pid(&scene), SIGKILL), 0);
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(store_counters(scene.store)->server_starts, 2);
    scene.pair.triplet.now_ms += 1000;
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].at_ms, first_ms);
    scene_close(&scene);
}

static void a_stopped_server_does_not_hold_up_the_end_for_long(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    assert_int_equal(kill(server_pid(&scene), SIGSTOP), 0);
    uint64_t asked_ms = clock_mono_ms();

    store_free(&scene.store);
    assert_in_range(clock_mono_ms() - asked_ms, 0, EMBEDDED_STOP_MS + 1000);
    scene_close(&scene);
}

// ---- two nodes, one directory

static void a_directory_has_one_node(void **state)
{
    struct scene scene;
    struct store *other = NULL;
    struct err_detail detail = {.text = ""};
    char pid[32];

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    assert_int_equal(store_new(&other, scene.stage.loop, &scene.stage.config, &detail),
                     ERR_CONFLICT);
    assert_null(other);
    (void)snprintf(pid, sizeof(pid), "(pid %d)", (int)getpid());
    assert_non_null(strstr(detail.text, scene.stage.state_dir));
    assert_non_null(strstr(detail.text, pid));
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, false),
                     STORE_UP); // unharmed
    store_free(&scene.store);
    scene_begin(&scene); // the lock goes with its holder
    scene_close(&scene);
}

// ---- a server of before

// pid_name: "redis.pid", as a node of before would have recorded it, or another.
static void start_old_server(struct scene *scene, const char *dir, const char *pid_name)
{
    char pid_file[128];

    if (mkdir(scene->stage.state_dir, 0750) != 0)
        assert_int_equal(errno, EEXIST);
    (void)snprintf(pid_file, sizeof(pid_file), "%s/%s", scene->stage.state_dir, pid_name);
    stage_redis(&scene->stage, "--dir", dir, "--appendonly", "yes", "--pidfile", pid_file, NULL);
}

static void a_recorded_server_ends_and_ours_knows_what_it_knew(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    start_old_server(&scene, scene.stage.state_dir, "redis.pid");
    stage_do(&scene.stage, "SET before yes");
    scene_begin(&scene);
    assert_int_equal(waitpid(scene.stage.server, NULL, WNOHANG), scene.stage.server);
    scene.stage.server = 0;
    assert_int_equal(store_counters(scene.store)->server_starts, 1);
    assert_int_equal(stage_number(&scene.stage, "EXISTS before meta"), 2);
    scene_close(&scene);
}

static void an_unrecorded_server_in_our_directory_is_adopted(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    start_old_server(&scene, scene.stage.state_dir, "other.pid");
    stage_do(&scene.stage, "SET before yes");
    scene_begin(&scene);
    assert_int_equal(store_counters(scene.store)->server_starts, 0);
    assert_int_equal(stage_number(&scene.stage, "EXISTS before meta"), 2);
    stage_kill(&scene.stage); // it dies: now one of ours takes its place, with what it knew
    stage_until_state(&scene.stage, scene.store, STORE_DOWN);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(store_counters(scene.store)->server_starts, 1);
    assert_int_equal(stage_number(&scene.stage, "EXISTS before meta"), 2);
    scene_close(&scene);
}

static void a_server_that_was_adopted_ends_with_the_node(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    start_old_server(&scene, scene.stage.state_dir, "other.pid");
    scene_begin(&scene);
    store_free(&scene.store);
    assert_int_equal(waitpid(scene.stage.server, NULL, WNOHANG), -1); // reaped by who ended it
    scene.stage.server = 0;
    assert_false(stage_answers(&scene.stage));
    scene_close(&scene);
}

static void a_strangers_server_at_our_socket_is_refused(void **state)
{
    struct scene scene;
    char words[400];
    struct text_buf text;

    (void)state;
    scene_open(&scene);
    start_old_server(&scene, scene.stage.dir, "redis.pid");
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    stage_until_state(&scene.stage, scene.store, STORE_FOREIGN);
    text_buf_init(&text, words, sizeof(words));
    store_describe(scene.store, &text);
    assert_non_null(strstr(words, scene.stage.dir));
    assert_int_equal(stage_number(&scene.stage, "EXISTS meta"), 0); // not touched
    store_free(&scene.store);
    assert_true(stage_answers(&scene.stage)); // nor stopped
    scene_close(&scene);
}

static void record_pid(struct scene *scene, int pid)
{
    char path[128];

    if (mkdir(scene->stage.state_dir, 0750) != 0)
        assert_int_equal(errno, EEXIST);
    (void)snprintf(path, sizeof(path), "%s/redis.pid", scene->stage.state_dir);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fprintf(file, "%d\n", pid);
    assert_int_equal(fclose(file), 0);
}

static void a_dying_server_is_waited_for(void **state)
{
    struct scene scene;
    char shell[] = "sh";
    char option[] = "-c";
    char *argv[] = {shell, option, NULL, NULL};
    char command[200];

    (void)state;
    scene_open(&scene);
    record_pid(&scene, 0);
    (void)snprintf(command, sizeof(command), "trap '' TERM && cd %s && exec sleep 1000",
                   scene.stage.state_dir);
    argv[2] = command;
    stage_fork(&scene.stage,
               argv); // works in our directory and takes its time to end
    while (!process_lives_in(scene.stage.server, scene.stage.state_dir))
        stage_sleep_ms(1);
    record_pid(&scene, scene.stage.server);
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    stage_run(&scene.stage, 400);
    assert_int_equal(store_counters(scene.store)->server_starts, 0);
    stage_kill(&scene.stage);
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    assert_int_equal(store_counters(scene.store)->server_starts, 1);
    scene_close(&scene);
}

static void a_pid_that_is_somebody_elses_now_does_not_count(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene);
    record_pid(&scene, (int)getppid());
    scene_begin(&scene);
    assert_int_equal(store_counters(scene.store)->server_starts, 1);
    scene_close(&scene);
}

// ---- the node dies

static bool nobody_is_there(void *arg)
{
    return !stage_somebody_in(((struct scene *)arg)->stage.state_dir);
}

static _Noreturn void live_until_killed(struct scene *scene)
{
    struct stage stage;

    stage_open(&stage); // a loop of its own
    struct store_config config = scene->stage.config;
    struct store *store = stage_store(&stage, &config);

    stage_until_state(&stage, store, STORE_UP);
    struct stage_pair pair;

    stage_pair_make(&pair, store_ring(store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(store));
    pair.triplet.mark = 4711;
    (void)stage_add(&stage, store, &pair.triplet, false);
    char *command = mem_format("rmdir %s && touch %s/told", stage.dir, scene->stage.dir);

    (void)!system(command);
    stage_run(&stage, 60000);
    _exit(1);
}

static void a_killed_node_takes_its_server_along_and_forgets_nothing(void **state)
{
    struct scene scene;
    char told[128];

    (void)state;
    scene_open(&scene);
    (void)snprintf(told, sizeof(told), "%s/told", scene.stage.dir);
    pid_t node = fork();

    if (node == 0)
        live_until_killed(&scene);
    for (unsigned i = 0; access(told, F_OK) != 0; i++) {
        assert_true(i < STAGE_LIMIT_MS);
        stage_sleep_ms(1);
    }
    assert_int_equal(kill(node, SIGKILL), 0);
    assert_int_equal(waitpid(node, NULL, 0), node);
    scene.store =
        stage_store(&scene.stage, &scene.stage.config); // at once, while the old server still dies
    stage_until_state(&scene.stage, scene.store, STORE_UP);
    stage_pair_make(&scene.pair, store_ring(scene.store), "ann@sender.example", "192.0.2.0/24",
                    store_now_ms(scene.store));
    assert_int_equal(stage_add(&scene.stage, scene.store, &scene.pair.triplet, true), STORE_UP);
    assert_int_equal(scene.pair.facts.pending[KEY_CURRENT][1].mark, 4711);
    store_free(&scene.store);
    stage_until(&scene.stage, nobody_is_there, &scene);
    scene_close(&scene);
}

// ---- what cannot be

static const struct hopeless_row {
    const char *name;
    const char *dir; // below the stage's directory
    const char *program;
    enum err err;
    const char *says;
} HOPELESS[] = {
    {"no redis-server", "state", "no-such-redis-server", ERR_NOT_FOUND, "package redis-server"},
    {"a path without a program", "state", "/nonexistent/redis-server", ERR_NOT_FOUND,
     "package redis-server"},
    {"a program that may not be executed", "state", "/etc/passwd", ERR_NOT_FOUND,
     "package redis-server"},
    {"the parent is missing", "a/b", "redis-server", ERR_SYSTEM, "cannot be made"},
    {"the directory is a file", "file", "redis-server", ERR_SYSTEM, "file"},
    {"the path is too long for a socket",
     "0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890",
     "redis-server", ERR_CONFIG, "too long"},
};

static void check_hopeless(void **state)
{
    const struct hopeless_row *row = *state;
    struct scene scene;
    struct store *store = NULL;
    struct err_detail detail = {.text = ""};
    char path[256];

    scene_open(&scene);
    (void)snprintf(path, sizeof(path), "%s/file", scene.stage.dir);
    FILE *file = fopen(path, "w");

    assert_non_null(file);
    (void)fclose(file);
    (void)snprintf(path, sizeof(path), "%s/%s", scene.stage.dir, row->dir);
    scene.stage.config.state_dir = path;
    scene.stage.config.redis_server = row->program;
    assert_int_equal(store_new(&store, scene.stage.loop, &scene.stage.config, &detail), row->err);
    assert_null(store);
    assert_non_null(strstr(detail.text, row->says));
    scene_close(&scene);
}

static const struct short_lived_row {
    const char *name;
    const char *program;
} SHORT_LIVED[] = {
    {"a program that fails", "/bin/false"},
    {"a program that ends well", "/bin/true"},
};

static void check_short_lived(void **state)
{
    const struct short_lived_row *row = *state;
    struct scene scene;

    scene_open(&scene);
    scene.stage.config.redis_server = row->program;
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    stage_run(&scene.stage, 1500);
    assert_int_equal(store_state(scene.store), STORE_DOWN);
    assert_in_range(store_counters(scene.store)->server_starts, 3, 5); // more and more slowly
    scene_close(&scene);
}

static void a_broken_file_is_told_with_the_servers_own_words(void **state)
{
    struct scene scene;
    char command[300];

    (void)state;
    scene_open(&scene);
    scene_begin(&scene);
    store_free(&scene.store);
    (void)snprintf(command, sizeof(command),
                   "for f in %s/appendonlydir/*.aof; do printf 'garbage' > $f; done",
                   scene.stage.state_dir);
    assert_int_equal(system(command), 0);
    scene.store = stage_store(&scene.stage, &scene.stage.config);
    stage_run(&scene.stage, 1000);
    assert_int_equal(store_state(scene.store), STORE_DOWN); // it is not thrown away
    (void)snprintf(command, sizeof(command), "grep -q garbage %s/appendonlydir/*.aof",
                   scene.stage.state_dir);
    assert_int_equal(system(command), 0);
    scene_close(&scene);
}

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, an_embedded_store_keeps_its_data);
    TABLE_TEST(&table, its_server_is_set_up_as_it_must_be);
    TABLE_TEST(&table, a_killed_server_is_started_again_and_forgets_nothing);
    TABLE_TEST(&table, a_stopped_server_does_not_hold_up_the_end_for_long);
    TABLE_TEST(&table, a_directory_has_one_node);
    TABLE_TEST(&table, a_recorded_server_ends_and_ours_knows_what_it_knew);
    TABLE_TEST(&table, an_unrecorded_server_in_our_directory_is_adopted);
    TABLE_TEST(&table, a_server_that_was_adopted_ends_with_the_node);
    TABLE_TEST(&table, a_strangers_server_at_our_socket_is_refused);
    TABLE_TEST(&table, a_dying_server_is_waited_for);
    TABLE_TEST(&table, a_pid_that_is_somebody_elses_now_does_not_count);
    TABLE_TEST(&table, a_killed_node_takes_its_server_along_and_forgets_nothing);
    TABLE_ROWS(&table, HOPELESS, check_hopeless);
    TABLE_ROWS(&table, SHORT_LIVED, check_short_lived);
    TABLE_TEST(&table, a_broken_file_is_told_with_the_servers_own_words);
    return table_run(&table, "embedded store");
}
