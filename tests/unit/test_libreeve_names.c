// libreeve and host names: looked up again and again, without anybody waiting for it; addresses that
// come and go. And what the caller is told of nodes.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>

#include "tests/support/fake_nodes.h"

// ---- a name server that says what the test wants

struct book {
    pthread_mutex_t lock;
    struct endpoint endpoint[NODES_MAX + 50];
    size_t count;
    enum err err;
    bool hangs;
    atomic_size_t lookups, hanging;
};

// Lives longer than any test: a lookup that hangs is not waited for.
static struct book book = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void book_says(enum err err, size_t count, const char *const *endpoint)
{
    (void)pthread_mutex_lock(&book.lock);
    book.err = err;
    book.count = count;
    for (size_t i = 0; i < count; i++)
        (void)snprintf(book.endpoint[i].text, sizeof(book.endpoint[i].text), "%s", endpoint[i]);
    (void)pthread_mutex_unlock(&book.lock);
}

static enum err look_up(void *arg, const struct endpoint_name *name, struct addresses *out,
                        struct err_detail *detail)
{
    enum err err;

    (void)arg;
    atomic_fetch_add(&book.lookups, 1);
    (void)pthread_mutex_lock(&book.lock);
    if (book.hangs) {
        atomic_fetch_add(&book.hanging, 1);
        while (book.hangs) {
            (void)pthread_mutex_unlock(&book.lock);
            (void)poll(NULL, 0, 5);
            (void)pthread_mutex_lock(&book.lock);
        }
        atomic_fetch_sub(&book.hanging, 1);
    }
    err = book.err;
    out->count = book.count < RESOLVE_MAX ? book.count : RESOLVE_MAX;
    for (size_t i = 0; i < out->count; i++)
        out->endpoint[i] = book.endpoint[i];
    (void)pthread_mutex_unlock(&book.lock);
    return err == ERR_NONE ? err : err_say(detail, err, "nobody knows '%s'", name->host);
}

// open_named: a client of that many fake nodes (which may not be in the book yet) under a name.
static void open_named(struct cast *cast, size_t count, const char *second, unsigned deadline_ms)
{
    const char *nodes[] = {"tcp://reeve.example:7170", second};
    const struct reeve_options options = {.nodes = nodes,
                                          .node_count = second == NULL ? 1 : 2,
                                          .deadline_ms = deadline_ms,
                                          .hedge_ms = 5000};
    char message[256];

    *cast = (struct cast){.count = count, .victim = CAST_NOBODY};
    for (size_t i = 0; i < count; i++)
        cast_open(cast, i, NULL);
    atomic_store(&book.lookups, 0);
    if (client_new(&cast->reeve, &options, (struct resolve_how){.lookup = look_up}, message,
                   sizeof(message)) != REEVE_OK)
        fail_msg("%s", message);
    cast->reeve->lookups.period_least_ms = 20;
    cast->reeve->lookups.period_most_ms = 40;
    cast->reeve->lookups.again_ms = 50;
}

static size_t nodes_known(struct cast *cast)
{
    size_t count = 0;

    while (reeve_node_at(cast->reeve, count) != NULL)
        count++;
    return count;
}

static enum reeve_node_state state_of(struct cast *cast, size_t i)
{
    const struct reeve_node *node = cast_seen(cast, &cast->part[i]);

    return node == NULL ? (enum reeve_node_state)99 : node->state;
}

// ---- names

static void a_name_that_is_not_known_yet(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    book_says(ERR_NOT_FOUND, 0, NULL);
    open_named(&cast, 1, NULL, 300);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_UNREACHABLE);
    assert_string_equal(told.message, "no node is connected: nobody knows 'reeve.example'");
    book_says(ERR_NONE, 1, (const char *[]){cast.part[0].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_UP);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    cast_end(&cast);
}

static void a_question_waits_for_the_name(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    book.hangs = true;
    open_named(&cast, 1, NULL, 20000);
    book_says(ERR_NONE, 1, (const char *[]){cast.part[0].node.endpoint});
    (void)cast_submit(&cast, NULL, &told);
    CAST_UNTIL(&cast, atomic_load(&book.hanging) == 1);
    for (size_t i = 0; i < 5; i++)
        cast_turn(&cast);
    assert_int_equal(told.calls, 0);
    (void)pthread_mutex_lock(&book.lock);
    book.hangs = false;
    (void)pthread_mutex_unlock(&book.lock);
    CAST_UNTIL(&cast, told.calls == 1);
    assert_int_equal(told.error, REEVE_OK);
    cast_end(&cast);
}

static void a_lookup_that_hangs_holds_up_nobody(void **unused)
{
    struct told told = {.calls = 0};
    struct fake_node *node;
    struct cast cast, other;
    uint64_t began_ms;

    (void)unused;
    cast_start(&other, 1, NULL); // whose node has an address
    node = &other.part[0].node;
    book.hangs = true;
    open_named(&cast, 0, node->endpoint, 20000);
    CAST_UNTIL(&cast, atomic_load(&book.hanging) == 1);
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    began_ms = clock_mono_ms();
    cast_end(&cast);
    assert_in_range(clock_mono_ms() - began_ms, 0, 3000);
    assert_int_equal(atomic_load(&book.hanging), 1);
    (void)pthread_mutex_lock(&book.lock);
    book.hangs = false; // its client is gone
    (void)pthread_mutex_unlock(&book.lock);
    while (atomic_load(&book.hanging) > 0)
        (void)poll(NULL, 0, 1);
    cast_end(&other);
}

static void new_addresses_are_asked_and_old_ones_let_go(void **unused)
{
    struct told told = {.calls = 0}, old = {.calls = 0};
    struct cast cast;

    (void)unused;
    open_named(&cast, 2, NULL, 30000);
    cast.reeve->hedge_ms = UINT64_MAX;
    book_says(ERR_NONE, 1, (const char *[]){cast.part[0].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_UP);
    atomic_store(&cast.victims, CAST_HOLDS);
    (void)cast_submit(&cast, NULL, &old);
    CAST_UNTIL(&cast, atomic_load(&cast.part[0].checks) == 1);
    book_says(ERR_NONE, 1, (const char *[]){cast.part[1].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, 1) == REEVE_NODE_UP);
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_GONE);
    for (size_t i = 0; i < 20; i++)
        cast_ask(&cast, NULL, &told);
    assert_int_equal(atomic_load(&cast.part[1].checks), 20);
    assert_int_equal(nodes_known(&cast), 2); // what is under way there is waited for
    assert_int_equal(old.calls, 0);
    health_suspect(&cast.reeve->lookups.node[0]->health, clock_mono_ms()); // its probe frees it
    CAST_UNTIL(&cast, old.calls == 1);
    assert_int_equal(old.error, REEVE_OK);
    assert_string_equal(old.by, "n0");
    CAST_UNTIL(&cast, nodes_known(&cast) == 1);
    assert_int_equal(state_of(&cast, 1), REEVE_NODE_UP);
    cast_end(&cast);
}

static void an_address_that_comes_back_keeps_its_connection(void **unused)
{
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    open_named(&cast, 2, NULL, 30000);
    cast.reeve->hedge_ms = UINT64_MAX;
    book_says(ERR_NONE, 2,
              (const char *[]){cast.part[0].node.endpoint, cast.part[1].node.endpoint});
    CAST_UNTIL(&cast, nodes_known(&cast) == 2 && cast_all_are(&cast, REEVE_NODE_UP));
    atomic_store(&cast.victims, CAST_SILENT);
    (void)cast_submit(&cast, NULL, &told);
    CAST_UNTIL(&cast, atomic_load(&cast.victim) != CAST_NOBODY);
    size_t victim = (size_t)atomic_load(&cast.victim);

    book_says(ERR_NONE, 1, (const char *[]){cast.part[1 - victim].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, victim) == REEVE_NODE_GONE);
    book_says(ERR_NONE, 2,
              (const char *[]){cast.part[0].node.endpoint, cast.part[1].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, victim) == REEVE_NODE_UP);
    assert_int_equal(cast_seen(&cast, &cast.part[victim])->connects, 1);
    assert_int_equal(told.calls, 0);
    cast_end(&cast);
}

static void a_lookup_that_fails_takes_nothing_away(void **unused)
{
    static const enum err errors[] = {ERR_NOT_FOUND, ERR_SYSTEM};
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    open_named(&cast, 1, NULL, 20000);
    book_says(ERR_NONE, 1, (const char *[]){cast.part[0].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_UP);
    for (size_t i = 0; i < 2; i++) {
        size_t lookups = atomic_load(&book.lookups);

        book_says(errors[i], 0, NULL);
        CAST_UNTIL(&cast, atomic_load(&book.lookups) >= lookups + 3);
        assert_int_equal(state_of(&cast, 0), REEVE_NODE_UP);
        cast_ask(&cast, NULL, &told);
        assert_int_equal(told.error, REEVE_OK);
    }
    cast_end(&cast);
}

static void an_address_that_is_named_twice_is_asked_once(void **unused)
{
    struct cast cast, other;

    (void)unused;
    cast_start(&other, 1, NULL);
    open_named(&cast, 0, other.part[0].node.endpoint, 20000);
    book_says(ERR_NONE, 2,
              (const char *[]){other.part[0].node.endpoint, other.part[0].node.endpoint});
    CAST_UNTIL(&cast, atomic_load(&book.lookups) >= 3 && cast_all_are(&cast, REEVE_NODE_UP));
    assert_int_equal(nodes_known(&cast), 1);
    book_says(ERR_NONE, 1, (const char *[]){"tcp://127.0.0.1:1"});
    CAST_UNTIL(&cast, nodes_known(&cast) == 2); // the address itself still leads there
    assert_int_equal(reeve_node_at(cast.reeve, 0)->state, REEVE_NODE_UP);
    cast_end(&cast);
    cast_end(&other);
}

static void a_name_whose_nodes_are_gone_is_looked_up_at_once(void **unused)
{
    struct cast cast;
    uint64_t began_ms;
    size_t lookups;

    (void)unused;
    book_says(ERR_NOT_FOUND, 0, NULL);
    open_named(&cast, 2, NULL, 20000);
    cast.reeve->lookups.period_least_ms = 3600000; // never again while all is well
    cast.reeve->lookups.period_most_ms = 7200000;
    cast.reeve->lookups.again_ms = 1000;
    book_says(ERR_NONE, 1, (const char *[]){cast.part[0].node.endpoint});
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_UP);
    CAST_UNTIL(&cast, cast.reeve->lookups.source[0].next_ms > clock_mono_ms() + 1000000);
    lookups = atomic_load(&book.lookups);
    book_says(ERR_NONE, 1, (const char *[]){cast.part[1].node.endpoint});
    began_ms = clock_mono_ms();
    fake_stop(&cast.part[0].node);
    CAST_UNTIL(&cast, state_of(&cast, 1) == REEVE_NODE_UP);
    assert_in_range(clock_mono_ms() - began_ms, 0, 10000);
    assert_in_range(atomic_load(&book.lookups) - lookups, 1, 4); // not in a frenzy
    cast_open(&cast, 0, NULL);
    cast_end(&cast);
}

static void more_addresses_than_there_is_room_for(void **unused)
{
    static char text[NODES_MAX + 50][64];
    const char *endpoint[NODES_MAX + 50];
    struct told told = {.calls = 0};
    struct cast cast;

    (void)unused;
    open_named(&cast, 1, NULL, 20000);
    for (size_t i = 0; i < NODES_MAX + 50; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "tcp://127.0.0.1:%zu", i + 1);
        endpoint[i] = i == 5 ? cast.part[0].node.endpoint : text[i];
    }
    book_says(ERR_NONE, NODES_MAX + 50, endpoint);
    CAST_UNTIL(&cast, state_of(&cast, 0) == REEVE_NODE_UP);
    CAST_UNTIL(&cast, nodes_known(&cast) == NODES_MAX); // one of before may have had its place
    cast_ask(&cast, NULL, &told);
    assert_int_equal(told.error, REEVE_OK);
    book_says(ERR_NONE, 1, &endpoint[5]);
    CAST_UNTIL(&cast, nodes_known(&cast) == 1);
    assert_int_equal(state_of(&cast, 0), REEVE_NODE_UP);
    cast_end(&cast);
}

static void the_admin_door_may_have_a_name_too(void **unused)
{
    const char *nodes[] = {"tcp://127.0.0.1:1"};
    const struct reeve_options options = {.nodes = nodes,
                                          .node_count = 1,
                                          .admin = "tcp://reeve.example:7172",
                                          .admin_deadline_ms = 1000};
    struct reeve_answer *answer = NULL;
    struct reeve *reeve = NULL;

    (void)unused;
    book_says(ERR_NOT_FOUND, 0, NULL);
    assert_int_equal(client_new(&reeve, &options, (struct resolve_how){.lookup = look_up}, NULL, 0),
                     REEVE_OK);
    assert_int_equal(reeve_admin(reeve, "help", NULL, 0, false, 0, &answer), REEVE_UNREACHABLE);
    assert_string_equal(answer->message, "no node is connected: nobody knows 'reeve.example'");
    reeve_answer_free(&answer);
    reeve_free(&reeve);
}

// The system's resolver. Whether it can be reached or not, nobody waits for it.
static void making_a_client_waits_for_no_name_server(void **unused)
{
    const char *nodes[] = {"tcp://no-such-name.invalid:7170", "tcp://localhost:7170"};
    const struct reeve_options options = {.nodes = nodes, .node_count = 2};
    struct reeve *reeve = NULL;
    uint64_t began_ms = clock_mono_ms();

    (void)unused;
    assert_int_equal(reeve_new(&reeve, &options, NULL, 0), REEVE_OK);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1000);
    began_ms = clock_mono_ms();
    reeve_free(&reeve);
    assert_in_range(clock_mono_ms() - began_ms, 0, 1000);
}

static void all_addresses_of_a_name(void **unused)
{
    const struct endpoint_name localhost = {.host = "localhost", .port = "7170"};
    struct endpoint found[RESOLVE_MAX];
    struct err_detail detail = {.text = ""};
    size_t count = 0;
    bool is_there = false;

    (void)unused;
    assert_int_equal(endpoint_lookup(&localhost, found, RESOLVE_MAX, &count, &detail), ERR_NONE);
    for (size_t i = 0; i < count; i++) {
        is_there |= strcmp(found[i].text, "tcp://127.0.0.1:7170") == 0;
        for (size_t k = 0; k < i; k++)
            assert_string_not_equal(found[i].text, found[k].text);
    }
    assert_true(is_there);
    assert_int_equal(endpoint_lookup(&localhost, found, 1, &count, &detail), ERR_NONE);
    assert_int_equal(count, 1);
}

// Else whoever has taken all would be woken again and again for nothing. Takes without waiting, so
// that it comes between whatever the other thread does.
static void what_was_taken_does_not_wake(void **unused)
{
    const struct endpoint_name name = {.host = "reeve.example", .port = "7170"};
    struct err_detail detail = {.text = ""};
    struct resolver *resolver = NULL;

    (void)unused;
    book_says(ERR_NOT_FOUND, 0, NULL);
    assert_int_equal(resolver_new(&resolver, (struct resolve_how){.lookup = look_up}, &detail),
                     ERR_NONE);
    for (unsigned i = 0; i < 500; i++) {
        struct resolved *resolved = NULL;
        struct pollfd fd = {.fd = resolver_fd(resolver), .events = POLLIN};

        assert_true(resolver_start(resolver, i, &name));
        while (resolved == NULL)
            resolved = resolver_take(resolver);
        assert_int_equal(resolved->who, i);
        resolver_drop(&resolved);
        assert_int_equal(poll(&fd, 1, 1), 0);
    }
    resolver_free(&resolver);
}

// ---- what the caller is told

struct log {
    size_t lines;
    char text[512];
};

static void note_state(void *arg, const struct reeve_node *node)
{
    struct log *log = arg;
    size_t used = strlen(log->text);

    log->lines++;
    (void)snprintf(log->text + used, sizeof(log->text) - used, "%d ", (int)node->state);
}

static void changes_are_told_in_their_order(void **unused)
{
    struct log log = {.lines = 0};
    const struct reeve_options options = {
        .deadline_ms = 300, .node_changed = note_state, .node_arg = &log};
    struct told told = {.calls = 0};
    struct cast cast;
    char endpoint[64];

    (void)unused;
    cast_start(&cast, 1, &options);
    atomic_store(&cast.victims, CAST_SILENT);
    cast_ask(&cast, NULL, &told);
    atomic_store(&cast.victims, CAST_DRAINS);
    CAST_UNTIL(&cast, (cast_ask(&cast, NULL, &told), cast_all_are(&cast, REEVE_NODE_DRAINING)));
    (void)snprintf(endpoint, sizeof(endpoint), "%s", cast.part[0].node.endpoint);
    fake_stop(&cast.part[0].node);
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_AWAY));
    cast_open(&cast, 0, endpoint);
    CAST_UNTIL(&cast, cast_all_are(&cast, REEVE_NODE_UP)); // draining is over with the connection
    CAST_UNTIL(&cast, log.lines == 5);
    assert_string_equal(log.text, "1 2 3 0 1 ");
    assert_int_equal(atomic_load(&cast.part[0].pings), 0); // one node alone is not probed
    assert_null(reeve_node_at(cast.reeve, 1));
    cast_end(&cast);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_that_is_not_known_yet),
        cmocka_unit_test(what_was_taken_does_not_wake),
        cmocka_unit_test(a_question_waits_for_the_name),
        cmocka_unit_test(a_lookup_that_hangs_holds_up_nobody),
        cmocka_unit_test(new_addresses_are_asked_and_old_ones_let_go),
        cmocka_unit_test(an_address_that_comes_back_keeps_its_connection),
        cmocka_unit_test(a_lookup_that_fails_takes_nothing_away),
        cmocka_unit_test(an_address_that_is_named_twice_is_asked_once),
        cmocka_unit_test(a_name_whose_nodes_are_gone_is_looked_up_at_once),
        cmocka_unit_test(more_addresses_than_there_is_room_for),
        cmocka_unit_test(the_admin_door_may_have_a_name_too),
        cmocka_unit_test(making_a_client_waits_for_no_name_server),
        cmocka_unit_test(all_addresses_of_a_name),
        cmocka_unit_test(changes_are_told_in_their_order),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
