// test_ldap_pool.c: the directory server that is asked beside the loop: servers that answer, that misbehave in each way,
// that go and come back; and that no question is lost, asked twice or answered late.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "node/probe/ldap_pool.h"
#include "proto/base/clock.h"
#include "proto/base/log.h"
#include "tests/support/ldap_peer.h"
#include "tests/support/table.h"

enum { STEP_MS = 300, WITHIN_MS = 5000, PATIENCE_MS = 20000, ANSWERS_MOST = 2048 };

struct scene {
    struct loop *loop;
    struct ldap_pool *pool;
    struct loop_timer *watch;
    struct ldap_peer peer;
    struct ldap_peer other; // opened by who needs it
    unsigned wanted;        // answers that are waited for
    unsigned came;
    uint64_t give_up_ms;
    unsigned times[ANSWERS_MOST]; // [token]: how often it was answered
    struct ldap_answer last;
    char dir[64];
    char path[96];
};

static void look(void *arg)
{
    struct scene *scene = arg;

    if (scene->came >= scene->wanted || clock_mono_ms() > scene->give_up_ms)
        loop_stop(scene->loop);
}

static void answered(void *arg, uint64_t token, const struct ldap_answer *answer)
{
    struct scene *scene = arg;

    scene->came++;
    scene->times[token]++;
    scene->last = *answer;
    look(scene);
}

static void scene_open(struct scene *scene, enum ldap_peer_manner manner)
{
    memset(scene, 0, sizeof(*scene));
    (void)snprintf(scene->dir, sizeof(scene->dir), "/tmp/reeve-ldap-XXXXXX");
    assert_non_null(mkdtemp(scene->dir));
    (void)snprintf(scene->path, sizeof(scene->path), "%s/password", scene->dir);
    assert_int_equal(loop_new(&scene->loop, NULL), ERR_NONE);
    scene->watch = loop_timer_new(scene->loop, look, scene);
    loop_timer_set(scene->watch, 10, 10);
    ldap_peer_open(&scene->peer, scene->loop, manner);
    const struct ldap_pool_config config = {
        .loop = scene->loop, .password_file = scene->path, .ca_file = "/nowhere/ca.pem"};

    scene->pool = ldap_pool_new(&config);
}

static void scene_close(struct scene *scene)
{
    ldap_pool_free(&scene->pool);
    assert_null(scene->pool);
    ldap_pool_free(&scene->pool); // nothing is fine
    ldap_peer_close(&scene->peer);
    if (scene->other.loop != NULL)
        ldap_peer_close(&scene->other);
    loop_timer_free(&scene->watch);
    loop_free(&scene->loop);
    (void)unlink(scene->path);
    assert_int_equal(rmdir(scene->dir), 0);
}

static void set_patience(struct scene *scene, const char *uris, uint64_t connections,
                         uint64_t step_ms)
{
    const struct ldap_servers servers = {
        .uris = uris, .bind_dn = "", .step_ms = step_ms, .connections = connections};

    ldap_pool_set(scene->pool, &servers);
}

static void set_servers(struct scene *scene, const char *uris, uint64_t connections)
{
    set_patience(scene, uris, connections, STEP_MS);
}

static bool put(struct scene *scene, uint64_t token, uint64_t within_ms)
{
    static const struct ldap_search SEARCH = {"dc=corp,dc=example", "(mail=ann@corp.example)",
                                              "mail", LDAP_SCOPE_OF_SUB};

    return ldap_pool_ask(scene->pool, &SEARCH, within_ms,
                         (struct ldap_done){answered, scene, token});
}

static void await(struct scene *scene, unsigned answers)
{
    scene->wanted = scene->came + answers;
    scene->give_up_ms = clock_mono_ms() + PATIENCE_MS;
    loop_run(scene->loop);
    assert_int_equal(scene->came, scene->wanted);
}

static const struct ldap_answer *ask(struct scene *scene)
{
    assert_true(put(scene, 0, WITHIN_MS));
    await(scene, 1);
    return &scene->last;
}

// run_for: the loop goes on although nothing is waited for.
static void run_for(struct scene *scene, uint64_t ms)
{
    scene->wanted = UINT32_MAX;
    scene->give_up_ms = clock_mono_ms() + ms;
    loop_run(scene->loop);
}

// ---- what one server says

struct said_row {
    const char *name;
    enum ldap_peer_manner manner;
    unsigned entries;
    int result; // RFC 4511, 4.1.9
    const char *value;
    enum err err;
    bool exists;
    const char *mailbox;
    const char *why; // part of it
};

static const struct said_row said_rows[] = {
    {"found", LDAP_PEER_ANSWERS, 1, 0, NULL, ERR_NONE, true, "", ""},
    {"found, with a value", LDAP_PEER_ANSWERS, 1, 0, "ann@corp.example", ERR_NONE, true,
     "ann@corp.example", ""},
    {"a value that is no text", LDAP_PEER_ANSWERS, 1, 0, "a\nb", ERR_NONE, true, "", ""},
    {"a value that is empty", LDAP_PEER_ANSWERS, 1, 0, "", ERR_NONE, true, "", ""},
    {"two found: whose value is it?", LDAP_PEER_ANSWERS, 2, 0, "ann@corp.example", ERR_NONE, true,
     "", ""},
    {"two found, more there", LDAP_PEER_ANSWERS, 2, 4, "ann@corp.example", ERR_NONE, true, "", ""},
    {"one found, and a size limit of the server's", LDAP_PEER_ANSWERS, 1, 4, "ann@corp.example",
     ERR_NONE, true, "", ""},
    {"more found than was asked for", LDAP_PEER_ANSWERS, 50, 0, NULL, ERR_NONE, true, "", ""},
    {"nothing found", LDAP_PEER_ANSWERS, 0, 0, NULL, ERR_NONE, false, "", ""},
    {"nothing found but others to ask", LDAP_PEER_REFERS, 0, 0, NULL, ERR_NONE, false, "", ""},
    {"others to ask without an end", LDAP_PEER_REFERS_ON, 0, 0, NULL, ERR_CONFIG, false, "",
     "Size limit"},
    {"the base is not there", LDAP_PEER_ANSWERS, 0, 32, NULL, ERR_CONFIG, false, "",
     "No such object"},
    {"no right to search", LDAP_PEER_ANSWERS, 0, 50, NULL, ERR_CONFIG, false, "",
     "Insufficient access"},
    {"all of it elsewhere", LDAP_PEER_ANSWERS, 0, 10, NULL, ERR_CONFIG, false, "", "Referral"},
    {"its time was over", LDAP_PEER_ANSWERS, 0, 3, NULL, ERR_CONFIG, false, "", "Time limit"},
    {"its limit, and nothing found", LDAP_PEER_ANSWERS, 0, 4, NULL, ERR_CONFIG, false, "",
     "Size limit"},
    {"busy", LDAP_PEER_ANSWERS, 0, 51, NULL, ERR_UNAVAILABLE, false, "", "busy"},
    {"unavailable", LDAP_PEER_ANSWERS, 0, 52, NULL, ERR_UNAVAILABLE, false, "", "unavailable"},
    {"hangs up", LDAP_PEER_HANGS_UP, 1, 0, NULL, ERR_UNAVAILABLE, false, "", "Can't contact"},
    {"garbage", LDAP_PEER_SAYS_GARBAGE, 1, 0, NULL, ERR_UNAVAILABLE, false, "", "cannot search"},
    {"a message without an end", LDAP_PEER_ANNOUNCES_MUCH, 1, 0, NULL, ERR_UNAVAILABLE, false, "",
     "cannot search"},
    {"silent", LDAP_PEER_SAYS_NOTHING, 1, 0, NULL, ERR_TIMEOUT, false, "",
     "no answer within 300 ms"},
    {"a byte now and then", LDAP_PEER_DRIPS, 1, 0, NULL, ERR_TIMEOUT, false, "",
     "no answer within 300 ms"},
    {"an answer to something else", LDAP_PEER_ANSWERS_ANOTHER, 1, 0, NULL, ERR_TIMEOUT, false, "",
     "no answer"},
};

static void check_said(void **state)
{
    const struct said_row *row = *state;
    struct scene scene;

    scene_open(&scene, row->manner);
    scene.peer.entries = row->entries;
    scene.peer.result = row->result;
    scene.peer.value = row->value;
    set_servers(&scene, scene.peer.uri, 1);
    const uint64_t began_ms = clock_mono_ms();
    const struct ldap_answer *answer = ask(&scene);

    assert_int_equal(answer->err, row->err);
    assert_int_equal(answer->found.exists, row->exists);
    assert_string_equal(answer->found.value, row->mailbox);
    if (strstr(answer->why.text, row->why) == NULL)
        fail_msg("why is \"%s\"", answer->why.text);
    assert_true(clock_mono_ms() - began_ms < WITHIN_MS);
    scene_close(&scene);
}

// ---- connections

static void a_connection_is_used_again(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    set_servers(&scene, scene.peer.uri, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(ask(&scene)->err, ERR_NONE);
    assert_int_equal(scene.peer.searches, 10);
    assert_int_equal(scene.peer.connections, 1);
    assert_int_equal(ldap_pool_counters(scene.pool).connects, 1);
    scene_close(&scene);
}

static void what_is_asked_is_what_was_given(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    set_servers(&scene, scene.peer.uri, 1);
    (void)ask(&scene);
    assert_true(ldap_peer_has_heard(&scene.peer, "dc=corp,dc=example"));
    assert_true(ldap_peer_has_heard(&scene.peer, "ann@corp.example"));
    assert_int_equal(scene.peer.binds, 0); // anonymous: nobody says who he is
    scene_close(&scene);
}

static void one_that_was_closed_while_it_rested_costs_nothing(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_LEAVES);
    set_servers(&scene, scene.peer.uri, 1);
    for (int i = 0; i < 3; i++)
        assert_int_equal(ask(&scene)->err, ERR_NONE);
    assert_int_equal(scene.peer.searches, 3);
    assert_int_equal(scene.peer.connections, 3);
    scene_close(&scene);
}

static void each_question_is_answered_once(void **state)
{
    enum { QUESTIONS = 200, CONNECTIONS = 3 };
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    set_servers(&scene, scene.peer.uri, CONNECTIONS);
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_true(put(&scene, i, PATIENCE_MS));
    await(&scene, QUESTIONS);
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_int_equal(scene.times[i], 1);
    assert_int_equal(scene.peer.searches, QUESTIONS);
    assert_in_range(scene.peer.most_open, 1, CONNECTIONS);
    scene_close(&scene);
}

// await_open: until the server, which keeps them all waiting, has so many connections.
static void await_open(struct scene *scene, unsigned connections)
{
    for (int i = 0; i < 1000 && scene->peer.open != connections; i++)
        run_for(scene, 20);
    run_for(scene, 50); // and no more
    assert_int_equal(scene->peer.open, connections);
}

static void hang_up(struct scene *scene)
{
    for (size_t i = 0; i < LDAP_PEER_CONNECTIONS; i++)
        ldap_peer_hang_up(&scene->peer.link[i]);
}

static void as_many_connections_as_said(void **state)
{
    enum { QUESTIONS = 10, CONNECTIONS = 3 };
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_SAYS_NOTHING);
    set_patience(&scene, scene.peer.uri, CONNECTIONS, PATIENCE_MS);
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_true(put(&scene, i, PATIENCE_MS));
    await_open(&scene, CONNECTIONS);
    assert_int_equal(scene.came, 0);
    scene.peer.manner = LDAP_PEER_ANSWERS;
    hang_up(&scene);
    await(&scene, QUESTIONS); // whatever it is
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_int_equal(scene.times[i], 1);
    assert_int_equal(scene.peer.most_open, CONNECTIONS);
    scene_close(&scene);
}

static void too_many_questions_are_refused_at_once(void **state)
{
    struct scene scene;
    unsigned taken = 0;

    (void)state;
    scene_open(&scene, LDAP_PEER_SAYS_NOTHING);
    set_servers(&scene, scene.peer.uri, 1);
    while (taken < ANSWERS_MOST && put(&scene, taken, STEP_MS / 2))
        taken++;
    // One may be in the thread's hands.
    assert_in_range(taken, LDAP_POOL_WAITING_MOST, LDAP_POOL_WAITING_MOST + 1);
    await(&scene, taken); // each is answered, and within about its time
    for (unsigned i = 0; i < taken; i++)
        assert_int_equal(scene.times[i], 1);
    assert_int_not_equal(scene.last.err, ERR_NONE);
    assert_true(put(&scene, 0, STEP_MS / 2));
    await(&scene, 1);
    scene_close(&scene);
}

static void without_a_server_there_is_an_answer_all_the_same(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    assert_int_equal(ask(&scene)->err, ERR_CONFIG);
    assert_string_equal(scene.last.why.text, "settings.ldap names no server");
    assert_int_equal(scene.peer.connections, 0);
    scene_close(&scene);
}

// ---- several servers, and none

static void the_next_server_is_asked(void **state)
{
    const enum ldap_peer_manner *manner = *state;
    char uris[160];
    struct scene scene;

    scene_open(&scene, *manner);
    ldap_peer_open(&scene.other, scene.loop, LDAP_PEER_ANSWERS);
    (void)snprintf(uris, sizeof(uris), "%s  %s", scene.peer.uri, scene.other.uri);
    set_servers(&scene, uris, 1);
    assert_int_equal(ask(&scene)->err, ERR_NONE);
    assert_int_equal(ask(&scene)->err, ERR_NONE);
    assert_int_equal(scene.other.connections, 1); // and stays with it
    assert_int_equal(scene.other.searches, 2);
    scene_close(&scene);
}

static void who_is_away_is_left_in_peace_for_a_while(void **state)
{
    enum { QUESTIONS = 50 };
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_HANGS_UP);
    set_servers(&scene, scene.peer.uri, 1);
    assert_int_equal(ask(&scene)->err, ERR_UNAVAILABLE);
    for (unsigned i = 0; i < QUESTIONS; i++) {
        assert_int_equal(ask(&scene)->err, ERR_UNAVAILABLE);
        assert_non_null(strstr(scene.last.why.text, "Can't contact"));
    }
    assert_in_range(scene.peer.connections, 1, 5); // on a slow machine its second may have passed
    scene.peer.manner = LDAP_PEER_ANSWERS;
    for (int i = 0; i < 100 && scene.last.err != ERR_NONE; i++) {
        run_for(&scene, 100);
        (void)ask(&scene);
    }
    assert_int_equal(scene.last.err, ERR_NONE);
    assert_int_equal(ask(&scene)->err, ERR_NONE);
    scene_close(&scene);
}

static void nobody_listens(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    ldap_peer_close(&scene.peer);
    scene.peer.watch = NULL;
    set_servers(&scene, scene.peer.uri, 1);
    assert_int_equal(ask(&scene)->err, ERR_UNAVAILABLE);
    assert_non_null(strstr(scene.last.why.text, "cannot connect"));
    assert_int_equal(ldap_pool_counters(scene.pool).connect_errors, 1);
    scene_close(&scene);
}

static void others_are_asked_from_now_on(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    ldap_peer_open(&scene.other, scene.loop, LDAP_PEER_ANSWERS);
    scene.other.entries = 0;
    set_servers(&scene, scene.peer.uri, 1);
    assert_true(ask(&scene)->found.exists);
    set_servers(&scene, scene.peer.uri, 1); // the same: nothing is closed
    assert_true(ask(&scene)->found.exists);
    assert_int_equal(scene.peer.connections, 1);
    set_servers(&scene, scene.other.uri, 1);
    assert_false(ask(&scene)->found.exists);
    assert_int_equal(scene.peer.searches, 2);
    for (int i = 0; i < 100 && scene.peer.open > 0; i++)
        run_for(&scene, 20); // the old connection is closed, although nobody needs it
    assert_int_equal(scene.peer.open, 0);
    scene_close(&scene);
}

static void fewer_connections_from_now_on(void **state)
{
    enum { BEFORE = 4, QUESTIONS = 10 };
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_SAYS_NOTHING);
    set_patience(&scene, scene.peer.uri, BEFORE, PATIENCE_MS);
    for (unsigned i = 0; i < BEFORE; i++)
        assert_true(put(&scene, i, PATIENCE_MS));
    await_open(&scene, BEFORE);
    hang_up(&scene);
    await(&scene, BEFORE);
    set_patience(&scene, scene.peer.uri, 1, PATIENCE_MS - 1); // it may be asked again at once
    for (unsigned i = 0; i < QUESTIONS; i++)
        assert_true(put(&scene, i, PATIENCE_MS));
    await_open(&scene, 1);
    scene.peer.manner = LDAP_PEER_ANSWERS;
    hang_up(&scene);
    await(&scene, QUESTIONS);
    scene_close(&scene);
}

// ---- who asks

struct bind_row {
    const char *name;
    const char *password; // content of the file; NULL = it is not there
    int result;
    enum err err;
    const char *why;
    unsigned binds;
};

static const struct bind_row bind_rows[] = {
    {"a name and a password", "s3cret\nsecond line\n", 0, ERR_NONE, "", 1},
    {"a wrong password", "s3cret\n", 49, ERR_UNAVAILABLE, "cannot bind: Invalid credentials", 1},
    {"busy", "s3cret\n", 51, ERR_UNAVAILABLE, "cannot bind: Server is busy", 1},
    // RFC 4513, 5.1.2: such a bind would be anonymous, and succeed.
    {"no password", "\n", 0, ERR_UNAVAILABLE, "no password in its first line", 0},
    {"an empty file", "", 0, ERR_UNAVAILABLE, "no password in its first line", 0},
    {"no file", NULL, 0, ERR_UNAVAILABLE, "password_file cannot be read", 0},
};

static void check_bind(void **state)
{
    const struct bind_row *row = *state;
    struct scene scene;

    scene_open(&scene, LDAP_PEER_ANSWERS);
    scene.peer.bind_result = row->result;
    if (row->password != NULL) {
        FILE *file = fopen(scene.path, "w");

        assert_non_null(file);
        (void)fputs(row->password, file);
        (void)fclose(file);
    }
    const struct ldap_servers servers = {.uris = scene.peer.uri,
                                         .bind_dn = "cn=reeve,dc=corp,dc=example",
                                         .step_ms = STEP_MS,
                                         .connections = 1};

    ldap_pool_set(scene.pool, &servers);
    assert_int_equal(ask(&scene)->err, row->err);
    if (strstr(scene.last.why.text, row->why) == NULL)
        fail_msg("why is \"%s\"", scene.last.why.text);
    assert_null(strstr(scene.last.why.text, "s3cret"));
    assert_int_equal(scene.peer.binds, row->binds);
    assert_int_equal(scene.peer.searches, row->err == ERR_NONE ? 1 : 0);
    scene_close(&scene);
}

static void tls_is_never_left_out(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_ANSWERS);
    const struct ldap_servers servers = {.uris = scene.peer.uri,
                                         .start_tls = true,
                                         .bind_dn = "",
                                         .step_ms = STEP_MS,
                                         .connections = 1};

    ldap_pool_set(scene.pool, &servers);
    assert_int_equal(ask(&scene)->err, ERR_UNAVAILABLE);
    assert_int_equal(scene.peer.searches, 0);
    scene_close(&scene);
}

// ---- the end

static void it_ends_while_a_server_is_silent(void **state)
{
    struct scene scene;

    (void)state;
    scene_open(&scene, LDAP_PEER_SAYS_NOTHING);
    set_servers(&scene, scene.peer.uri, 2);
    for (unsigned i = 0; i < 10; i++)
        assert_true(put(&scene, i, WITHIN_MS));
    run_for(&scene, 50);
    scene_close(&scene);
    assert_int_equal(scene.came, 0); // nobody is called any more
}

int main(void)
{
    static const enum ldap_peer_manner BAD[] = {LDAP_PEER_HANGS_UP, LDAP_PEER_SAYS_GARBAGE,
                                                LDAP_PEER_SAYS_NOTHING, LDAP_PEER_FORGETS_SEARCHES};
    struct table table = {.count = 0};

    log_open("test", LOG_ERROR_LEVEL);
    TABLE_ROWS(&table, said_rows, check_said);
    TABLE_ROWS(&table, bind_rows, check_bind);
    for (size_t i = 0; i < sizeof(BAD) / sizeof(BAD[0]); i++)
        table_add(&table, "the next server is asked", the_next_server_is_asked, &BAD[i]);
    TABLE_TEST(&table, a_connection_is_used_again);
    TABLE_TEST(&table, what_is_asked_is_what_was_given);
    TABLE_TEST(&table, one_that_was_closed_while_it_rested_costs_nothing);
    TABLE_TEST(&table, each_question_is_answered_once);
    TABLE_TEST(&table, as_many_connections_as_said);
    TABLE_TEST(&table, too_many_questions_are_refused_at_once);
    TABLE_TEST(&table, without_a_server_there_is_an_answer_all_the_same);
    TABLE_TEST(&table, who_is_away_is_left_in_peace_for_a_while);
    TABLE_TEST(&table, nobody_listens);
    TABLE_TEST(&table, others_are_asked_from_now_on);
    TABLE_TEST(&table, fewer_connections_from_now_on);
    TABLE_TEST(&table, tls_is_never_left_out);
    TABLE_TEST(&table, it_ends_while_a_server_is_silent);
    return table_run(&table, "ldap_pool");
}
