// Who may use the store, and how: the ACL line that is shipped allows all that a node asks and nothing beside it; passwords, and
// rights that are taken away.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "proto/base/log.h"
#include "tests/support/policy_scene.h"
#include "tests/support/reputation_scene.h"
#include "tests/support/table.h"

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
    char line[2000];
    char text[2200];
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

static void told_spared(void *arg, enum store_state state, const struct spared_client *client,
                        const struct spared_row *row)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = client->count + row->newest;
}

static bool nothing_is_noted(void *store)
{
    return ((struct store *)store)->note_count == 0;
}

// A client that earns it, is shown and forgotten: all that is asked about it, and removed.
static void spare(struct scene *scene)
{
    const char *name = "w:spf:sender.example";
    struct spared_news news = {.life_ms = SPARED_LIFE_DAYS * SPARED_DAY_MS};
    struct told told = {.calls = 0};

    for (uint8_t i = 0; i < SPARED_PAIRS_MAX + 2; i++) { // the last one needs room
        news.pair[0] = i;
        news.now_ms = store_now_ms(scene->store) + i / 16 * SPARED_DAY_MS;
        store_spared_note(scene->store, name, &news);
        stage_until(&scene->stage, nothing_is_noted, scene->store);
    }
    assert_int_not_equal(store_spared(scene->store, name).newest, 0);
    store_spared_show(scene->store, name, (struct spared_done){told_spared, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_true(told.count > 16);
    told.calls = 0;
    store_spared_forget(scene->store, name, (struct spared_done){told_spared, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(store_spared(scene->store, name).newest, 0);
    settle(scene);
}

static bool nothing_is_harvested(void *store)
{
    return ((struct store *)store)->harvesting.work_count == 0;
}

static bool is_banned(void *store)
{
    return store_ban_count(store) > 0;
}

static void told_ban(void *arg, enum store_state state, const struct store_banned *found)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = found->hour.unknown;
}

// A client that harvests, is banned, shown, and banned no more.
static void harvest(struct scene *scene)
{
    const uint8_t field[2][HARVEST_FIELD_BYTES] = {{1}, {2}};
    struct store_harvest news = {.now_ms = store_now_ms(scene->store),
                                 .bounds = {1, 0.4, 1000, 1000},
                                 .kind = HARVEST_EXISTING,
                                 .field = &field[0],
                                 .count = 1};
    struct told told = {.calls = 0};

    assert_int_equal(ip_net_parse("192.0.2.1", &news.client, NULL), ERR_NONE);
    store_harvest_note(scene->store, &news);
    news.kind = HARVEST_UNKNOWN;
    news.field = &field[1];
    store_harvest_note(scene->store, &news);
    stage_until(&scene->stage, is_banned, scene->store);
    stage_until(&scene->stage, nothing_is_harvested, scene->store);
    store_ban_show(scene->store, &news.client, (struct store_ban_done){told_ban, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 1);
    told.calls = 0;
    store_ban_lift(scene->store, &news.client, (struct store_ban_done){told_ban, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    settle(scene);
}

static void told_limit(void *arg, uint64_t token, enum store_state state)
{
    struct told *told = arg;

    (void)token;
    told->calls++;
    told->state = state;
}

// A recipient that counts of somebody's day, and is kept or taken back.
static void limit(struct scene *scene)
{
    const struct key_thing thing = {"t1", "bob@corp.example", 0};
    struct key_count key = {.kind = KEY_COUNT_RECIPIENTS, .day = 20000};
    struct key_count mail = {.kind = KEY_COUNT_MAILS, .day = 20000};
    struct limit_count count[2];
    struct told told = {.calls = 0};
    const uint64_t expires_ms = store_now_ms(scene->store) + HOUR_MS;
    struct store_limit list[2] = {
        {.next = &list[1], .key = &key, .count = &count[0], .expires_ms = expires_ms},
        {.key = &mail, .count = &count[1], .expires_ms = expires_ms}};

    key_count_make(&key, store_ring(scene->store), "ann@corp.example", &thing);
    key_count_make(&mail, store_ring(scene->store), "ann@corp.example", &thing);
    store_limit_add(scene->store, list, false, (struct store_done){.fn = told_limit, .arg = &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(count[1].count, 1);
    store_limit_keep(scene->store, &key, expires_ms);
    store_limit_drop(scene->store, &mail);
    settle(scene);
}

// What another server said of a recipient.
static void answer(struct scene *scene)
{
    const struct person_answer said = {
        .state = FACT_PRESENT, .exists = true, .until_ms = store_now_ms(scene->store) + HOUR_MS};

    store_write_answer(scene->store, "bob@corp.example", &said, "ann@corp.example");
    settle(scene);
}

static void told_switch(void *arg, enum store_state state, const struct store_directory *torn)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = torn == NULL;
}

// An import, another one in its place, and what is removed then.
static void directory(struct scene *scene)
{
    struct store_directory row = {.domain = "corp.example", .entries = 1, .by = "me"};
    struct told told = {.calls = 0};

    for (unsigned i = 0; i < 2; i++) {
        const struct store_done done = {.fn = told_limit, .arg = &told};

        store_directory_begin(scene->store, &row, 1, done);
        stage_until(&scene->stage, was_told, &told);
        told.calls = 0;
        store_directory_add(scene->store,
                            &(struct store_entry){"ann@corp.example", "active\t\t", row.directory},
                            1, done);
        stage_until(&scene->stage, was_told, &told);
        told.calls = 0;
        store_directory_switch(scene->store, &row, 1,
                               (struct store_directory_done){told_switch, &told});
        stage_until(&scene->stage, was_told, &told);
        assert_int_equal(told.state, STORE_UP);
        assert_int_equal(told.count, 1);
        told.calls = 0;
    }
    stage_do(&scene->stage, "HSET directory:{p}:versions 5 %s", "1 5");
    directory_sweep(scene->store);
    while (scene->store->directories.is_sweeping)
        stage_run(&scene->stage, 10);
    assert_int_equal(stage_number(&scene->stage, "HEXISTS directory:{p}:versions 5"), 0);
    store_directory_drop(scene->store, "corp.example",
                         (struct store_done){.fn = told_limit, .arg = &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
}

static void told_page(void *arg, enum store_state state, const struct store_listed *rows,
                      size_t count, uint64_t next)
{
    struct told *told = arg;

    (void)rows;
    (void)next;
    told->calls++;
    told->state = state;
    told->count = count;
}

// An entry of a personal list that is written, listed and removed, the last of its mailbox.
static void list(struct scene *scene)
{
    struct store_list_entry entry = {.mailbox = "bob@corp.example",
                                     .pattern = "sender.example",
                                     .entry = {.action = PERSON_BLOCK, .by = "root"}};
    struct told told = {.calls = 0};
    const struct store_done done = {.fn = told_limit, .arg = &told};
    const struct store_listed_done listed = {told_page, &told};

    store_list_write(scene->store, &entry, done);
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    told.calls = 0;
    store_list(scene->store, entry.mailbox, 0, 10, listed);
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.count, 1);
    told.calls = 0;
    store_lists(scene->store, 0, 10, listed);
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.count, 1);
    told.calls = 0;
    store_list_remove(scene->store, &entry, done);
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
}

static bool has_read_the_roll(void *store)
{
    return ((struct store *)store)->reading.is_known;
}

static bool is_declared(void *store)
{
    return store_declared(store, "corp.example") != 0;
}

static void told_used(void *arg, enum store_state state, const struct store_used *rows,
                      size_t count)
{
    struct told *told = arg;

    told->calls++;
    told->state = state;
    told->count = count > 0 ? rows[0].hits : 0;
}

static void told_list(void *arg, enum store_state state, const struct store_allow_row *rows,
                      size_t count, uint64_t cursor)
{
    struct told *told = arg;

    (void)rows;
    (void)cursor;
    told->calls++;
    told->state = state;
    told->count = count;
}

// Somebody writes to somebody, is listed and forgotten; and is known to have sent mail.
static void allow(struct scene *scene)
{
    const uint64_t now_ms = store_now_ms(scene->store);
    struct store_allow sent = {.owner = "ann@corp.example", .sent_ms = now_ms};
    struct store_allow entry = {.next = &sent,
                                .owner = "ann@corp.example",
                                .external = "bob@ext.example",
                                .sent_ms = now_ms};
    struct told told = {.calls = 0};

    // What is over is removed.
    stage_do(&scene->stage, "HSET a:{ann@corp.example} old@ext.example 1000-0");
    store_allow_note(scene->store, &entry, HOUR_MS, false,
                     (struct store_done){.fn = told_limit, .arg = &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(stage_number(&scene->stage, "HLEN a:{ann@corp.example}"), 1);
    told.calls = 0;
    store_allow_list(scene->store, entry.owner, 0, 10,
                     (struct store_allow_list_done){told_list, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.count, 1);
    told.calls = 0;
    store_allow_forget(scene->store, &entry, (struct store_done){.fn = told_limit, .arg = &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
}

// A domain is declared, and a policy used.
static void use_policies(struct scene *scene)
{
    static const char *const DOMAIN = "corp.example";
    static const char *const ID = "b";
    const struct store_used used = {ID, 2, 1, store_now_ms(scene->store)};
    struct told told = {.calls = 0};

    store_declare(scene->store, &DOMAIN, 1);
    stage_until(&scene->stage, is_declared, scene->store);
    assert_true(store_used_add(scene->store, &used));
    settle(scene);
    store_used_read(scene->store, &ID, 1, (struct used_done){told_used, &told});
    stage_until(&scene->stage, was_told, &told);
    assert_int_equal(told.state, STORE_UP);
    assert_int_equal(told.count, 2);
}

// More versions than are kept, so that something is removed; each has its own document.
static void apply_policies(struct scene *scene)
{
    struct store_node node = {.name = "n", .state = "files"};
    struct came came = {.calls = 0};

    for (char letter = 'a'; letter < 'g'; letter++) {
        struct document document = document_of(letter, 1);
        struct store_version row = row_of((uint64_t)(letter - 'a') + 1, &document, "ann");

        row.bytes = STORE_DOCUMENT_BYTES; // it says so
        assert_int_equal(stage_document(scene, &document), STORE_UP);
        assert_int_equal(activate(scene, &row).end, STORE_ACTIVATED);
        assert_true(is_fetched(scene, &document));
        mem_free(document.bytes);
    }
    store_policy_beat(scene->store, &node);
    store_policy_nodes(scene->store, (struct store_nodes_done){came_nodes, &came});
    wait_for(scene, &came);
    assert_int_equal(came.count, 1);
    store_policy_leave(scene->store);
    settle(scene);
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
    struct track_row row = {ticket, 1,  "defer", "greylist_new",
                            "",     "", "rcpt",  "",
                            "",     "", "",      "",
                            "",     "", "",      "",
                            "",     0,  0,       0,
                            0,      0,  0};

    store_track(scene.store, &row);
    settle(&scene);
    assert_int_equal(pass_pair(&scene).state, STORE_UP);
    assert_int_equal(ask_pair(&scene, store_pair_show).count, 2 + 1);
    assert_int_equal(ask_pair(&scene, store_pair_forget).count, 3);
    stage_until(&scene.stage, has_read_the_roll, scene.store);
    spare(&scene);
    answer(&scene);
    limit(&scene);
    allow(&scene);
    directory(&scene);
    list(&scene);
    harvest(&scene);
    repute(&scene);
    use_policies(&scene);
    apply_policies(&scene);
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
    {"load scripts", "SCRIPT FLUSH"},
    {"scripts about other people's keys", "EVAL x 1 sessions"},
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

// A script may do no more than whoever sends it.
static void scripts_have_no_more_rights(void **state)
{
    static const char *const commands[] = {"EVAL return(redis.call('FLUSHALL')) 0",
                                           "EVAL return(redis.call('HGETALL',KEYS[1])) 1 sessions",
                                           "EVAL return(redis.call('HGETALL','sessions')) 0"};
    struct scene scene;
    struct timeval limit = {.tv_sec = 2};

    (void)state;
    start_with_acl(&scene);
    redisContext *context = redisConnectUnixWithTimeout(scene.stage.socket, limit);

    freeReplyObject(redisCommand(context, "AUTH reeve right"));
    for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
        redisReply *reply = redisCommand(context, commands[i]);

        assert_non_null(reply);
        assert_int_equal(reply->type, REDIS_REPLY_ERROR);
        assert_true(strncmp(reply->str, "NOPERM", 6) == 0 ||
                    strstr(reply->str, "The user executing the script can't") != NULL);
        freeReplyObject(reply);
    }
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

int main(void)
{
    static struct table table;

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_TEST(&table, the_shipped_acl_is_enough);
    TABLE_ROWS(&table, FORBIDDEN, check_forbidden);
    TABLE_TEST(&table, scripts_have_no_more_rights);
    TABLE_TEST(&table, a_wrong_password_is_told_and_a_right_one_helps);
    TABLE_TEST(&table, a_password_without_a_user_is_the_default_users);
    TABLE_TEST(&table, rights_that_are_taken_away_are_noticed);
    return table_run(&table, "who may use a store");
}
