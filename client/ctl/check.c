// check.c: `reevectl check`, which asks as a gateway does (a first try is a first try), and
// `reevectl ping`.
#include <stdio.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/question.h"
#include "client/ctl/words.h"
#include "proto/base/clock.h"

// ---- ping

static void print_pong(const char *endpoint, const struct reeve_answer *answer, double took_ms)
{
    char memory[64];
    struct text_buf uptime;

    text_buf_init(&uptime, memory, sizeof(memory));
    text_buf_add_duration(&uptime, answer->uptime_ms);
    (void)printf("node %s at %s answered in %.1f ms%s\n", answer->node, endpoint, took_ms,
                 answer->draining ? "; it is draining" : "");
    (void)printf("version %s, up %s, policy version %llu, store %s%s%s\n", answer->version, memory,
                 (unsigned long long)answer->policy_version, answer->store,
                 answer->degraded ? ", degraded: " : "", answer->degraded_why);
}

static void print_pong_json(struct json *json, const struct reeve_answer *answer, double took_ms)
{
    json_open(json, NULL, '{');
    json_text(json, "node", answer->node);
    json_text(json, "version", answer->version);
    json_count(json, "uptime_ms", answer->uptime_ms);
    json_count(json, "policy_version", answer->policy_version);
    json_text(json, "store", answer->store);
    json_bool(json, "draining", answer->draining);
    json_bool(json, "degraded", answer->degraded);
    json_text(json, "degraded_why", answer->degraded_why);
    json_number(json, "took_ms", took_ms);
    json_close(json, '}');
}

static int ping_with(struct ctl *ctl, struct reeve *reeve, const char *endpoint)
{
    struct reeve_answer *answer = NULL;
    uint64_t began_us = clock_mono_us();
    enum reeve_error error = reeve_ping(reeve, &answer);
    double took_ms = (double)(clock_mono_us() - began_us) / 1000;
    int code = CTL_FINE;

    if (error != REEVE_OK)
        code = ctl_fail_answer(ctl, endpoint, answer);
    else if (ctl->want_json)
        print_pong_json(&ctl->json, answer, took_ms);
    else
        print_pong(endpoint, answer, took_ms);
    reeve_answer_free(&answer);
    return code;
}

static int ping_one(struct ctl *ctl, const char *endpoint)
{
    struct reeve *reeve = NULL;
    int code = ctl_connect(ctl, &endpoint, 1, &reeve);

    if (code == CTL_FINE)
        code = ping_with(ctl, reeve, endpoint);
    reeve_free(&reeve);
    return code;
}

// Each node by itself: a client that knows them all would ask the best.
int run_ping(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    int code = args_read_all(ctl, command, NULL, argc, argv);
    int worst = CTL_FINE;

    if (code != CTL_FINE)
        return code;
    ctl_nodes(ctl);
    if (ctl->nodes.count == 0)
        return ctl_client(ctl); // which says what is missing
    for (size_t i = 0; i < ctl->nodes.count; i++) {
        code = ping_one(ctl, ctl->nodes.text[i]);
        worst = worst == CTL_FINE ? code : worst;
    }
    return worst;
}

// ---- check

static void print_details(const struct reeve_verdict *verdict)
{
    char memory[512];
    struct text_buf text;

    text_buf_init(&text, memory, sizeof(memory));
    text_buf_add(&text, "reason %s", verdict->reason);
    if (verdict->rule[0] != '\0')
        text_buf_add(&text, ", rule %s", verdict->rule);
    if (verdict->direction[0] != '\0')
        text_buf_add(&text, ", %s", verdict->direction);
    if (verdict->retry_after_s > 0) {
        text_buf_add(&text, ", a retry passes in ");
        text_buf_add_duration(&text, verdict->retry_after_s * 1000ULL);
    }
    if (verdict->waited_s > 0) {
        text_buf_add(&text, ", waited ");
        text_buf_add_duration(&text, verdict->waited_s * 1000ULL);
    }
    if (verdict->ticket[0] != '\0')
        text_buf_add(&text, ", ticket %s", verdict->ticket);
    (void)printf("    %s\n    %s\n", memory, words_of_reason(verdict->reason));
    if (verdict->narrative[0] != '\0')
        (void)printf("    note: %s\n", verdict->narrative);
    if (verdict->shadow[0] != '\0')
        (void)printf("    in shadow, would have decided: %s (%s)\n",
                     words_of_reason(verdict->shadow), verdict->shadow);
}

static void print_verdict(const char *who, const struct reeve_verdict *verdict)
{
    (void)printf("%s: %s, %u %s %s\n", who, print_action(verdict->action), verdict->code,
                 verdict->enhanced, verdict->text);
    print_details(verdict);
}

static void print_answer(const struct reeve_answer *answer)
{
    for (size_t i = 0; i < answer->verdict_count; i++) {
        const char *recipient = answer->verdicts[i].recipient;

        print_verdict(recipient[0] == '\0' ? "verdict" : recipient, &answer->verdicts[i]);
    }
    if (answer->end != NULL)
        print_verdict("the whole message", answer->end);
    if (answer->degraded)
        (void)printf("degraded: %s\n", answer->degraded_why);
}

int run_check(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct reeve_answer *answer = NULL;
    struct question question;
    int code = question_read(ctl, command, false, argc, argv, &question);

    if (code == CTL_FINE)
        code = question_complete(ctl, command, &question);
    if (code == CTL_FINE)
        code = question_ask(ctl, &question, &answer);
    if (answer != NULL) {
        if (ctl->want_json)
            question_print_json(&ctl->json, NULL, answer);
        else
            print_answer(answer);
        code = question_exit(answer);
    }
    reeve_answer_free(&answer);
    question_free(&question);
    return code;
}
