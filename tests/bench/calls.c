// calls.c: asks a node through libreeve, one question after the other, for counting what a call
// costs a gateway (tests/bench/cpu.py runs it under callgrind).
//
//      calls ENDPOINT COUNT
//
// The questions are of the first known sender of reeve-load. Exit code 1: the node did not answer
// each of them.
#include <stdio.h>
#include <stdlib.h>

#include "client/lib/reeve.h"
#include "client/load/question.h"

int main(int argc, char **argv)
{
    const char *nodes[] = {argc == 3 ? argv[1] : NULL};
    const char *recipients[] = {QUESTION_RECIPIENT};
    const struct reeve_options options = {
        .nodes = nodes, .node_count = 1, .deadline_ms = 20000, .gateway = "load"};
    struct question_text text;
    char sender[QUESTION_LOCAL + QUESTION_DOMAIN + 16], ip[QUESTION_IP + 1], message[256] = "";
    struct reeve *reeve = NULL;

    if (argc != 3 || reeve_new(&reeve, &options, message, sizeof(message)) != REEVE_OK) {
        (void)fprintf(stderr, "usage: calls ENDPOINT COUNT (%s)\n", message);
        return 1;
    }
    question_known(0, &text);
    (void)snprintf(sender, sizeof(sender), "%.*s@%.*s.example", QUESTION_LOCAL, text.local,
                   QUESTION_DOMAIN, text.domain);
    (void)snprintf(ip, sizeof(ip), "%.*s", QUESTION_IP, text.ip);
    const struct reeve_check check = {
        .client_ip = ip, .sender = sender, .recipients = recipients, .recipient_total = 1};

    for (long i = atol(argv[2]); i > 0; i--) {
        struct reeve_answer *answer = NULL;
        bool is_fine = reeve_check(reeve, &check, &answer) == REEVE_OK;

        reeve_answer_free(&answer);
        if (!is_fine)
            return 1;
    }
    reeve_free(&reeve);
    return 0;
}
