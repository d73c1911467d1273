// watch.c: `reevectl decisions` and `reevectl stats`: what a node publishes, as it comes.
#include <stdio.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { ALIVE_MS = 3000, POLL_MS = 1000, NAME_MAX_BYTES = 512 };

static int listen_to(struct ctl *ctl, const char *topic, struct reeve_listener **out)
{
    char message[512];
    enum reeve_error error = reeve_listen(out, ctl->stats, topic, message, sizeof(message));

    if (error == REEVE_OK)
        return CTL_FINE;
    return ctl_fail(ctl, error == REEVE_BAD_OPTION ? CTL_USAGE : CTL_NO_NODE, "%s", message);
}

static uint64_t patience_ms(const struct ctl *ctl)
{
    return ctl->deadline_ms > 0 ? ctl->deadline_ms : ALIVE_MS;
}

static int fail_silence(struct ctl *ctl)
{
    return ctl_fail(ctl, CTL_NO_NODE,
                    "no word from %s: a node publishes there every second. Is reeved running, and "
                    "is it the right address (--stats or REEVE_STATS)?",
                    ctl->stats);
}

// ---- stats

// A metric's name with its labels, and the value it had in the last snapshot.
struct known {
    char name[NAME_MAX_BYTES];
    double value;
};
struct memory {
    struct known *known;
    size_t count;
};

static void name_metric(const struct reeve_metric *metric, char *out, size_t size)
{
    struct text_buf buf;

    text_buf_init(&buf, out, size);
    text_buf_add(&buf, "%s", metric->name);
    for (size_t i = 0; i < metric->label_count; i++)
        text_buf_add(&buf, "%s%s=\"%s\"", i == 0 ? "{" : ",", metric->labels[i].key,
                     metric->labels[i].value);
    if (metric->label_count > 0)
        text_buf_add(&buf, "}");
}

static struct known *recall(struct memory *memory, const char *name)
{
    for (size_t i = 0; i < memory->count; i++) {
        if (strcmp(memory->known[i].name, name) == 0)
            return &memory->known[i];
    }
    return NULL;
}

static void remember(struct memory *memory, const char *name, double value)
{
    struct known *known = recall(memory, name);

    if (known == NULL) {
        memory->known = mem_grow(memory->known, memory->count + 1, sizeof(*memory->known));
        known = &memory->known[memory->count++];
        (void)snprintf(known->name, sizeof(known->name), "%s", name);
    }
    known->value = value;
}

static void format_value(double value, char *out, size_t size)
{
    bool is_count = value >= 0 && value < 9e15 && value <= (double)(uint64_t)value;

    (void)snprintf(out, size, is_count ? "%.0f" : "%.6g", value);
}

// print_metric: in the first snapshot every metric; then those that changed, and by how much.
static void print_metric(struct memory *memory, const struct reeve_metric *metric, bool is_first)
{
    char name[NAME_MAX_BYTES], value[32];
    const struct known *known;

    format_value(metric->value, value, sizeof(value));
    name_metric(metric, name, sizeof(name));
    known = recall(memory, name);
    if (is_first || known == NULL)
        (void)printf("  %-52s %16s\n", name, value);
    else if (known->value < metric->value || known->value > metric->value)
        (void)printf("  %-52s %16s %+g\n", name, value, metric->value - known->value);
    remember(memory, name, metric->value);
}

static void print_stats(struct memory *memory, const struct reeve_news *news)
{
    bool is_first = memory->count == 0;
    char time[WHEN_MAX];

    (void)printf("%s node %s%s\n", when_format(news->at_ms, time), news->node,
                 is_first ? "" : ", changes:");
    for (size_t i = 0; i < news->metric_count; i++)
        print_metric(memory, &news->metrics[i], is_first);
    (void)fflush(stdout);
}

static void print_labels_json(struct json *json, const struct reeve_metric *metric)
{
    json_open(json, "labels", '{');
    for (size_t i = 0; i < metric->label_count; i++)
        json_text(json, metric->labels[i].key, metric->labels[i].value);
    json_close(json, '}');
}

static void print_stats_json(struct json *json, const struct reeve_news *news)
{
    json_open(json, NULL, '{');
    json_text(json, "node", news->node);
    json_count(json, "at_ms", news->at_ms);
    json_count(json, "epoch_ms", news->epoch_ms);
    json_count(json, "sequence", news->sequence);
    json_open(json, "metrics", '[');
    for (size_t i = 0; i < news->metric_count; i++) {
        json_open(json, NULL, '{');
        json_text(json, "name", news->metrics[i].name);
        print_labels_json(json, &news->metrics[i]);
        json_number(json, "value", news->metrics[i].value);
        json_close(json, '}');
    }
    json_close(json, ']');
    json_close(json, '}');
}

static int watch_stats(struct ctl *ctl, struct reeve_listener *listener, uint64_t count)
{
    struct memory memory = {.count = 0};
    const struct reeve_news *news = NULL;
    int code = CTL_FINE;

    for (uint64_t seen = 0; code == CTL_FINE && (count == 0 || seen < count); seen++) {
        if (reeve_next(listener, (int)patience_ms(ctl), &news) != REEVE_OK)
            code = fail_silence(ctl);
        else if (ctl->want_json)
            print_stats_json(&ctl->json, news);
        else
            print_stats(&memory, news);
    }
    mem_free(memory.known);
    return code;
}

int run_stats(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    bool follow = false;
    uint64_t count = 0;
    const struct arg_row rows[] = {
        {.name = "follow", .kind = ARG_FLAG, .into = &follow},
        {.name = "count", .kind = ARG_COUNT, .into = &count},
        {.name = NULL},
    };
    struct reeve_listener *listener = NULL;
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code == CTL_FINE)
        code = listen_to(ctl, "stats", &listener);
    if (code == CTL_FINE)
        code = watch_stats(ctl, listener, count == 0 && !follow ? 1 : count);
    reeve_listener_free(&listener);
    return code;
}

// ---- decisions

static void print_decision(const struct reeve_news *news)
{
    const struct reeve_verdict *verdict = news->verdict;
    char time[WHEN_MAX];

    (void)printf("%s %s %s", when_format(news->at_ms, time), print_action(verdict->action),
                 verdict->reason);
    if (verdict->shadow[0] != '\0')
        (void)printf(" (in shadow: %s)", verdict->shadow);
    if (news->client_ip[0] != '\0')
        (void)printf(" client=%s", news->client_ip);
    if (verdict->recipient[0] != '\0')
        (void)printf(" from=<%s> to=<%s>", news->sender, verdict->recipient);
    if (verdict->rule[0] != '\0')
        (void)printf(" rule=%s", verdict->rule);
    if (verdict->ticket[0] != '\0')
        (void)printf(" ticket=%s", verdict->ticket);
    (void)printf(" gateway=%s node=%s took_us=%u\n", news->gateway, news->node, news->took_us);
    (void)fflush(stdout);
}

static void print_decision_json(struct json *json, const struct reeve_news *news)
{
    json_open(json, NULL, '{');
    json_text(json, "topic", news->topic);
    json_text(json, "node", news->node);
    json_count(json, "at_ms", news->at_ms);
    json_text(json, "gateway", news->gateway);
    json_text(json, "client_ip", news->client_ip);
    json_text(json, "sender", news->sender);
    json_count(json, "took_us", news->took_us);
    print_verdict_json(json, "verdict", news->verdict);
    json_close(json, '}');
}

static void watch_decisions(struct ctl *ctl, struct reeve_listener *listener, uint64_t count)
{
    const struct reeve_news *news = NULL;

    for (uint64_t seen = 0; count == 0 || seen < count;) {
        if (reeve_next(listener, POLL_MS, &news) != REEVE_OK)
            continue;
        seen++;
        if (ctl->want_json)
            print_decision_json(&ctl->json, news);
        else
            print_decision(news);
    }
}

// is_alive: statistics come every second; without any, a silent stream of decisions means nothing.
static int is_alive(struct ctl *ctl)
{
    struct reeve_listener *listener = NULL;
    const struct reeve_news *news = NULL;
    int code = listen_to(ctl, "stats", &listener);

    if (code == CTL_FINE && reeve_next(listener, (int)patience_ms(ctl), &news) != REEVE_OK)
        code = fail_silence(ctl);
    reeve_listener_free(&listener);
    return code;
}

static int follow_decisions(struct ctl *ctl, const char *topic, uint64_t count)
{
    struct reeve_listener *listener = NULL;
    int code = listen_to(ctl, topic, &listener);

    if (code == CTL_FINE)
        code = is_alive(ctl);
    if (code == CTL_FINE)
        watch_decisions(ctl, listener, count);
    reeve_listener_free(&listener);
    return code;
}

int run_decisions(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    static const char prefix[] = "decision.";
    bool follow = false;
    uint64_t count = 0;
    const char *topic = prefix;
    const struct arg_row rows[] = {
        {.name = "follow", .kind = ARG_FLAG, .into = &follow},
        {.name = "count", .kind = ARG_COUNT, .into = &count},
        {.name = "topic", .kind = ARG_TEXT, .into = &topic},
        {.name = NULL},
    };
    int code = args_read_all(ctl, command, rows, argc, argv);

    if (code != CTL_FINE)
        return code;
    if (!follow && count == 0)
        return ctl_misuse(ctl, command,
                          "decisions are shown as they are made: say --follow, or "
                          "--count N to end after N (earlier ones: reevectl track)");
    if (strncmp(topic, prefix, strlen(prefix)) != 0)
        return ctl_misuse(ctl, command,
                          "--topic: expected decision.ACTION.REASON or its beginning, "
                          "like decision.defer, not '%s'",
                          topic);
    return follow_decisions(ctl, topic, count);
}
