// Questions to DNS through c-ares, of a name server in the test's own loop.
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <arpa/inet.h>
#include <netinet/in.h>

#include "proto/base/dns.h"
#include "tests/support/table.h"

enum { TRY_MS = 50, PATIENCE_MS = 20000, PACKET_MAX = 1500, ANSWERS_MAX = 200 };

// What the server makes of any question.
struct behaviour {
    bool is_silent;
    bool is_cut; // by UDP: come by TCP
    unsigned code;
    unsigned answers, authority;
};

struct server {
    struct loop *loop;
    struct behaviour does;
    int udp, tcp, client;
    struct loop_fd *udp_watch, *tcp_watch, *client_watch;
    struct sockaddr_in at;
    unsigned asked, asked_by_tcp;
};

struct asker {
    struct server *server;
    unsigned told;
    enum dns_state state;
    bool unreachable, has_why;
    size_t len;
    unsigned char bytes[1 << 14];
};

// ---- the server

static size_t put(unsigned char *to, size_t at, uint32_t number, size_t size)
{
    for (size_t i = size; i-- > 0;)
        to[at++] = (unsigned char)(number >> (8 * i));
    return at;
}

// answer: the question's bytes are those of a message with one question, and EDNS behind it.
static size_t answer(const struct behaviour *does, bool by_udp, unsigned char *packet)
{
    const bool is_cut = does->is_cut && by_udp;
    size_t at = 12;

    while (packet[at] != 0)
        at += 1U + packet[at];
    at += 5;
    (void)put(packet, 2, 0x8180 | (is_cut ? 0x0200U : 0) | does->code, 2);
    (void)put(packet, 6, is_cut ? 0 : does->answers, 2);
    (void)put(packet, 8, does->authority, 2);
    (void)put(packet, 10, 0, 2);
    for (unsigned i = 0; i < does->answers && !is_cut; i++) {
        at = put(packet, at, 0xc00c, 2);
        at = put(packet, at, 0x00010001, 4);
        at = put(packet, at, 300, 4);
        at = put(packet, at, 4, 2);
        at = put(packet, at, 0x7f000002 + i, 4);
    }
    for (unsigned i = 0; i < does->authority; i++) {
        at = put(packet, at, 0, 1);
        at = put(packet, at, 0x00060001, 4);
        at = put(packet, at, 60, 4);
        at = put(packet, at, 22, 2);
        at = put(packet, at, 0, 2);
        for (uint32_t number = 1; number <= 5; number++)
            at = put(packet, at, number, 4);
    }
    return at;
}

static void on_udp(void *arg, int events)
{
    struct server *server = arg;
    unsigned char packet[PACKET_MAX + ANSWERS_MAX * 16];
    struct sockaddr_storage peer;
    socklen_t peer_len = sizeof(peer);
    const ssize_t len =
        recvfrom(server->udp, packet, PACKET_MAX, 0, (struct sockaddr *)&peer, &peer_len);

    (void)events;
    assert_true(len > 16);
    server->asked++;
    if (server->does.is_silent)
        return;
    const size_t answered = answer(&server->does, true, packet);

    assert_int_equal(sendto(server->udp, packet, answered, 0, (struct sockaddr *)&peer, peer_len),
                     answered);
}

static void on_client(void *arg, int events)
{
    struct server *server = arg;
    unsigned char packet[2 + PACKET_MAX + ANSWERS_MAX * 16];
    const ssize_t len = recv(server->client, packet, PACKET_MAX, 0);

    (void)events;
    if (len > 18) { // the question came whole
        server->asked_by_tcp++;
        const size_t answered = answer(&server->does, false, packet + 2);

        (void)put(packet, 0, (uint32_t)answered, 2);
        assert_int_equal(send(server->client, packet, answered + 2, 0), answered + 2);
        return;
    }
    loop_fd_free(&server->client_watch);
    (void)close(server->client);
}

static void on_tcp(void *arg, int events)
{
    struct server *server = arg;

    (void)events;
    server->client = accept(server->tcp, NULL, NULL);
    assert_true(server->client >= 0);
    server->client_watch = loop_fd_new(server->loop, server->client, on_client, server);
    loop_fd_want(server->client_watch, LOOP_READ);
}

// The same port for both; now and then the one that the kernel chose for UDP is taken for TCP.
static void bind_both(struct server *server)
{
    socklen_t len = sizeof(server->at);
    int bound = -1;

    while (bound != 0) {
        server->at =
            (struct sockaddr_in){.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        server->udp = socket(AF_INET, SOCK_DGRAM, 0);
        server->tcp = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(server->udp, (struct sockaddr *)&server->at, len), 0);
        assert_int_equal(getsockname(server->udp, (struct sockaddr *)&server->at, &len), 0);
        bound = bind(server->tcp, (struct sockaddr *)&server->at, len);
        if (bound != 0) {
            (void)close(server->udp);
            (void)close(server->tcp);
        }
    }
    assert_int_equal(listen(server->tcp, 4), 0);
}

static void open_server(struct server *server, const struct behaviour *does)
{
    *server = (struct server){.does = *does};
    assert_int_equal(loop_new(&server->loop, NULL), ERR_NONE);
    bind_both(server);
    server->udp_watch = loop_fd_new(server->loop, server->udp, on_udp, server);
    server->tcp_watch = loop_fd_new(server->loop, server->tcp, on_tcp, server);
    loop_fd_want(server->udp_watch, LOOP_READ);
    loop_fd_want(server->tcp_watch, LOOP_READ);
}

static void stop_listening(struct server *server)
{
    loop_fd_free(&server->udp_watch);
    loop_fd_free(&server->tcp_watch);
    (void)close(server->udp);
    (void)close(server->tcp);
}

static void close_server(struct server *server)
{
    if (server->udp_watch != NULL)
        stop_listening(server);
    if (server->client_watch != NULL) {
        loop_fd_free(&server->client_watch);
        (void)close(server->client);
    }
    loop_free(&server->loop);
}

// ---- who asks

static void is_told(void *arg, const struct dns_reply *reply)
{
    struct asker *asker = arg;

    asker->told++;
    asker->state = reply->state;
    asker->unreachable = reply->unreachable;
    asker->has_why = reply->why != NULL && reply->why[0] != '\0';
    asker->len = reply->len;
    assert_true(reply->len <= sizeof(asker->bytes));
    assert_int_equal(reply->len > 0, reply->bytes != NULL);
    if (reply->len > 0)
        memcpy(asker->bytes, reply->bytes, reply->len);
    if (asker->server != NULL)
        loop_stop(asker->server->loop);
}

static void gives_up(void *arg)
{
    loop_stop(arg);
}

static void run(struct server *server, const struct asker *asker)
{
    struct loop_timer *patience = loop_timer_new(server->loop, gives_up, server->loop);

    loop_timer_set(patience, PATIENCE_MS, 0);
    if (asker->told == 0)
        loop_run(server->loop);
    loop_timer_free(&patience);
    assert_int_equal(asker->told, 1);
}

static struct dns *open_resolver(struct server *server)
{
    struct dns *resolver = NULL;
    char text[32];
    const char *const texts[] = {text};
    const struct dns_config config = {.servers = {texts, 1}, .try_ms = TRY_MS};

    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)ntohs(server->at.sin_port));
    assert_int_equal(dns_new(&resolver, server->loop, &config, NULL), ERR_NONE);
    return resolver;
}

static const struct row {
    const char *name;
    struct behaviour does;
    enum dns_state state;
    bool unreachable;
    bool has_message;
    bool by_tcp;
} rows[] = {
    {"found", {.answers = 2}, DNS_FOUND, false, true, false},
    {"no such name", {.code = 3, .authority = 1}, DNS_VOID, false, true, false},
    {"nothing of that type", {.authority = 1}, DNS_VOID, false, true, false},
    {"the server is sick", {.code = 2}, DNS_FAILED, false, false, false},
    {"refused", {.code = 5}, DNS_FAILED, false, false, false},
    {"silence", {.is_silent = true}, DNS_FAILED, true, false, false},
    {"by TCP", {.is_cut = true, .answers = ANSWERS_MAX}, DNS_FOUND, false, true, true},
};

static void a_question_is_answered(void **state)
{
    const struct row *row = *state;
    struct server server;
    struct asker asker = {.server = &server};
    struct dns *resolver = NULL;

    open_server(&server, &row->does);
    resolver = open_resolver(&server);
    dns_ask(resolver, "2.0.0.127.bl.example", 1, is_told, &asker);
    run(&server, &asker);
    assert_int_equal(asker.state, row->state);
    assert_int_equal(asker.unreachable, row->unreachable);
    assert_int_equal(asker.len > 0, row->has_message);
    assert_true(server.asked >= 1);
    assert_int_equal(server.asked_by_tcp, row->by_tcp);
    assert_true(asker.has_why || row->state != DNS_FAILED);
    if (row->has_message) // how many answers it says it has
        assert_int_equal(asker.bytes[6] << 8 | asker.bytes[7], row->does.answers);
    dns_free(&resolver);
    close_server(&server);
}

static void nobody_listens(void **state)
{
    static const struct behaviour any = {0};
    struct server server;
    struct asker asker = {.server = &server};
    struct dns *resolver = NULL;

    (void)state;
    open_server(&server, &any);
    stop_listening(&server);
    resolver = open_resolver(&server);
    dns_ask(resolver, "2.0.0.127.bl.example", 1, is_told, &asker);
    run(&server, &asker);
    assert_int_equal(asker.state, DNS_FAILED);
    assert_true(asker.unreachable);
    dns_free(&resolver);
    close_server(&server);
}

static void what_is_under_way_is_ended(void **state)
{
    static const struct behaviour silent = {.is_silent = true};
    struct server server;
    struct asker asker[2] = {{.told = 0}, {.told = 0}};
    struct dns *resolver = NULL;

    (void)state;
    open_server(&server, &silent);
    resolver = open_resolver(&server);
    dns_ask(resolver, "a.example", 1, is_told, &asker[0]);
    dns_ask(resolver, "b.example", 1, is_told, &asker[1]);
    assert_int_equal(asker[0].told + asker[1].told, 0);
    dns_free(&resolver);
    assert_null(resolver);
    dns_free(&resolver); // nothing is fine
    assert_int_equal(asker[0].told, 1);
    assert_int_equal(asker[1].told, 1);
    assert_int_equal(asker[0].state, DNS_FAILED);
    close_server(&server);
}

static const struct server_row {
    const char *name;
    const char *text;
    bool is_fine;
} server_rows[] = {
    {"an address", "127.0.0.1:53", true},
    {"IPv6", "[::1]:53", true},
    {"the last port", "127.0.0.1:65535", true},
    {"no port", "127.0.0.1", false},
    {"port 0", "127.0.0.1:0", false},
    {"port 65536", "127.0.0.1:65536", false},
    {"a port and more", "127.0.0.1:53x", false},
    {"a signed port", "127.0.0.1:+53", false},
    {"a name", "localhost:53", false},
    {"IPv6 without brackets", "::1:53", false},
    {"IPv4 in brackets", "[127.0.0.1]:53", false},
    {"nothing", "", false},
    {"empty brackets", "[]:53", false},
    {"an address without an end",
     "1111111111111111111111111111111111111111111111111111111111111111:53", false},
};

static void a_server_is_named(void **state)
{
    const struct server_row *row = *state;
    const char *const texts[] = {"192.0.2.1:53", row->text};
    const struct yaml_texts servers = {texts, 2};
    struct err_detail detail = {""};

    assert_int_equal(dns_servers_check(&servers, &detail), row->is_fine ? ERR_NONE : ERR_CONFIG);
    assert_int_equal(strstr(detail.text, "is no name server") != NULL, !row->is_fine);
}

static void the_systems_servers_will_do(void **state)
{
    static const struct dns_config config = {.try_ms = 0};
    struct dns *resolver = NULL;
    struct loop *loop = NULL;

    (void)state;
    assert_int_equal(loop_new(&loop, NULL), ERR_NONE);
    assert_int_equal(dns_new(&resolver, loop, &config, NULL), ERR_NONE);
    dns_free(&resolver);
    loop_free(&loop);
}

int main(void)
{
    static struct table table;

    TABLE_ROWS(&table, rows, a_question_is_answered);
    TABLE_TEST(&table, nobody_listens);
    TABLE_TEST(&table, what_is_under_way_is_ended);
    TABLE_ROWS(&table, server_rows, a_server_is_named);
    TABLE_TEST(&table, the_systems_servers_will_do);
    return table_run(&table, "resolver");
}
