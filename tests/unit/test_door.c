// test_door.c: how old a request is when the door hands it over.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zmq.h>

#include "node/net/door.h"
#include "proto/base/clock.h"

enum { SLOW_MS = 20, QUIET_MS = 400, LIMIT_MS = 10000 };

struct scene {
    struct loop *loop;
    struct door *door;
    struct loop_timer *timer;
    void *zmq;
    void *dealer;
    unsigned came;
    uint64_t age_ms; // of the last one
};

static void ask(void *arg)
{
    struct scene *scene = arg;

    assert_int_equal(zmq_send(scene->dealer, "", 0, ZMQ_SNDMORE), 0);
    assert_int_equal(zmq_send(scene->dealer, "x", 1, 0), 1);
}

static void give_up(void *arg)
{
    loop_stop(((struct scene *)arg)->loop);
}

// The first request takes longer than a turn may; the second comes after a long silence.
static void request_came(void *arg, const struct door_peer *peer, void *bytes, size_t len,
                         uint64_t age_ms)
{
    struct scene *scene = arg;
    uint64_t until_ms = clock_mono_ms() + SLOW_MS;

    (void)peer;
    (void)bytes;
    (void)len;
    scene->age_ms = age_ms;
    if (++scene->came == 2) {
        loop_stop(scene->loop);
        return;
    }
    while (clock_mono_ms() < until_ms)
        continue;
    loop_timer_set(scene->timer, QUIET_MS, 0);
}

static void malformed_came(void *arg)
{
    fail_msg("malformed: %p", arg);
}

static void a_silence_is_not_the_age_of_what_ends_it(void **state)
{
    struct scene scene = {.came = 0};
    const struct door_config config = {.endpoint = "tcp://127.0.0.1:*",
                                       .message_max = 1024,
                                       .ipc = {0600, ENDPOINT_NO_GROUP},
                                       .waiting_max = 100};
    const struct door_calls calls = {request_came, malformed_came, &scene};

    (void)state;
    assert_int_equal(loop_new(&scene.loop, NULL), ERR_NONE);
    scene.zmq = zmq_ctx_new();
    assert_int_equal(door_new(&scene.door, scene.loop, scene.zmq, &config, calls, NULL), ERR_NONE);
    scene.timer = loop_timer_new(scene.loop, ask, &scene);
    struct loop_timer *limit = loop_timer_new(scene.loop, give_up, &scene);

    loop_timer_set(limit, LIMIT_MS, 0);
    scene.dealer = zmq_socket(scene.zmq, ZMQ_DEALER);
    assert_int_equal(zmq_connect(scene.dealer, door_endpoint(scene.door)), 0);
    ask(&scene);
    loop_run(scene.loop);
    assert_int_equal(scene.came, 2);
    assert_in_range(scene.age_ms, 0, QUIET_MS / 2);
    loop_timer_free(&limit);
    loop_timer_free(&scene.timer);
    door_free(&scene.door);
    loop_free(&scene.loop);
    (void)zmq_close(scene.dealer);
    (void)zmq_ctx_term(scene.zmq);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_silence_is_not_the_age_of_what_ends_it)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
