// policy.c: Postfix's side of a policy service: some connections, each with one request under way,
// as smtpd processes have.
//
//      policy PORT CONNECTIONS FIRST COUNT ANSWERS
//
// Asks about the strangers FIRST to FIRST + COUNT - 1 of reeve-load (client/load/question.h), and
// writes each one's action to the file ANSWERS, a line each, in their order. Prints one JSON
// object. Exit code 1: the service did not answer each of them.
#include <arpa/inet.h>
#include <inttypes.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "client/load/histogram.h"
#include "client/load/question.h"
#include "proto/base/clock.h"
#include "proto/base/mem.h"

enum { CONNECTIONS_MAX = 64, REQUEST_BYTES = 1024, ACTION_BYTES = 256, PATIENCE_MS = 20000 };

struct connection {
    uint64_t number; // of the question under way
    uint64_t sent_us;
    char answer[ACTION_BYTES];
    size_t answer_len;
};

struct policy {
    struct pollfd poll[CONNECTIONS_MAX];
    struct connection connection[CONNECTIONS_MAX];
    unsigned connections;
    uint64_t first, count, sent, done;
    char (*action)[ACTION_BYTES];
    struct histogram took;
};

static void die(const char *what)
{
    (void)fprintf(stderr, "policy: %s\n", what);
    exit(1);
}

static int connect_to(uint16_t port)
{
    const struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || connect(fd, (const struct sockaddr *)&address, sizeof(address)) != 0)
        die("cannot connect");
    return fd;
}

// The attributes that Postfix 3.7 sends, in its order.
static int write_request(uint64_t number, char out[REQUEST_BYTES])
{
    struct question_text text;

    question_stranger(0, number, &text);
    return snprintf(out, REQUEST_BYTES,
                    "request=smtpd_access_policy\nprotocol_state=RCPT\nprotocol_name=ESMTP\n"
                    "client_address=%.*s\nclient_name=mx.%.*s-host.example\nclient_port=25252\n"
                    "reverse_client_name=mx.%.*s-host.example\nserver_address=192.0.2.1\n"
                    "server_port=25\nhelo_name=mx.%.*s-host.example\nsender=%.*s@%.*s.example\n"
                    "recipient=" QUESTION_RECIPIENT "\nrecipient_count=0\nqueue_id=\n"
                    "instance=%" PRIx64 ".%" PRIx64 ".0\nsize=4711\netrn_domain=\nstress=\n"
                    "sasl_method=\nsasl_username=\nsasl_sender=\nccert_subject=\nccert_issuer=\n"
                    "ccert_fingerprint=\nccert_pubkey_fingerprint=\nencryption_protocol=\n"
                    "encryption_cipher=\nencryption_keysize=0\npolicy_context=\n\n",
                    QUESTION_IP, text.ip, QUESTION_DOMAIN, text.domain, QUESTION_DOMAIN,
                    text.domain, QUESTION_DOMAIN, text.domain, QUESTION_LOCAL, text.local,
                    QUESTION_DOMAIN, text.domain, number, clock_mono_us());
}

static void ask(struct policy *policy, unsigned index)
{
    struct connection *connection = &policy->connection[index];
    char request[REQUEST_BYTES];

    if (policy->sent == policy->count)
        return;
    connection->number = policy->sent++;
    connection->answer_len = 0;
    int len = write_request(policy->first + connection->number, request);

    connection->sent_us = clock_mono_us();
    if (write(policy->poll[index].fd, request, (size_t)len) != len)
        die("cannot write");
}

static void take(struct policy *policy, unsigned index)
{
    struct connection *connection = &policy->connection[index];
    ssize_t got = read(policy->poll[index].fd, connection->answer + connection->answer_len,
                       ACTION_BYTES - 1 - connection->answer_len);

    if (got <= 0)
        die("the service hung up, or says more than it should");
    connection->answer_len += (size_t)got;
    connection->answer[connection->answer_len] = '\0';
    char *end = strstr(connection->answer, "\n\n");

    if (end == NULL)
        return;
    *end = '\0';
    histogram_add(&policy->took, clock_mono_us() - connection->sent_us);
    (void)snprintf(policy->action[connection->number], ACTION_BYTES, "%s", connection->answer);
    policy->done++;
    ask(policy, index);
}

static double run(struct policy *policy)
{
    uint64_t began_us = clock_mono_us();

    for (unsigned i = 0; i < policy->connections; i++)
        ask(policy, i);
    while (policy->done < policy->count) {
        if (poll(policy->poll, policy->connections, PATIENCE_MS) <= 0)
            die("no answer in 20 s");
        for (unsigned i = 0; i < policy->connections; i++) {
            if (policy->poll[i].revents != 0)
                take(policy, i);
        }
    }
    return (double)policy->count * 1e6 / (double)(clock_mono_us() - began_us);
}

static void write_actions(const struct policy *policy, const char *path)
{
    FILE *file = fopen(path, "w");

    if (file == NULL)
        die("cannot write the answers");
    for (uint64_t i = 0; i < policy->count; i++)
        (void)fprintf(file, "%s\n", policy->action[i]);
    (void)fclose(file);
}

int main(int argc, char **argv)
{
    struct policy *policy = mem_new(sizeof(*policy));

    if (argc != 6)
        die("usage: policy PORT CONNECTIONS FIRST COUNT ANSWERS");
    policy->connections = (unsigned)strtoul(argv[2], NULL, 10);
    policy->first = strtoull(argv[3], NULL, 10);
    policy->count = strtoull(argv[4], NULL, 10);
    if (policy->connections == 0 || policy->connections > CONNECTIONS_MAX || policy->count == 0)
        die("1 to 64 connections, and a question at least");
    policy->action = mem_new_array(policy->count, ACTION_BYTES);
    for (unsigned i = 0; i < policy->connections; i++)
        policy->poll[i] = (struct pollfd){connect_to((uint16_t)atoi(argv[1])), POLLIN, 0};
    double rate = run(policy);

    write_actions(policy, argv[5]);
    (void)printf("{\"per_second\": %.1f, \"p50\": %" PRIu64 ", \"p99\": %" PRIu64 "}\n", rate,
                 histogram_at(&policy->took, .5), histogram_at(&policy->took, .99));
    return 0;
}
