// tally.c: see tally.h. Promises: adding allocates nothing; more reasons than there is room for
// are counted together under "other".
#include "client/load/tally.h"

#include <inttypes.h>
#include <string.h>

#include "client/ctl/json.h"

struct percentile {
    const char *name;
    double share;
};

static const struct percentile PERCENTILES[] = {
    {"p50", .5}, {"p90", .9}, {"p99", .99}, {"p99.9", .999}};
enum { PERCENTILE_COUNT = sizeof(PERCENTILES) / sizeof(PERCENTILES[0]) };

const char *load_kind_name(unsigned kind)
{
    static const char *const names[] = {
#define LOAD_NAME(name, what) #name,
        LOAD_KINDS(LOAD_NAME)
#undef LOAD_NAME
            NULL};

    return names[kind];
}

// ---- counting

static void count_reason(struct tally *tally, const char *name)
{
    unsigned i = 0;

    while (i < tally->reason_count && strcmp(tally->reason[i].name, name) != 0)
        i++;
    if (i == TALLY_REASONS_MAX)
        name = "other";
    if (i == TALLY_REASONS_MAX)
        i--;
    if (i == tally->reason_count)
        tally->reason_count++;
    (void)snprintf(tally->reason[i].name, TALLY_REASON_BYTES, "%s", name);
    tally->reason[i].count++;
}

// What became of mail that was sent, in a word: recorded, queued, or why it was not learnt.
static void count_ack(struct tally *tally, unsigned kind, const struct asker_answer *answer)
{
    const struct msg_ack *ack = &answer->reply->ack;
    char word[TALLY_REASON_BYTES] = "nothing";

    if (ack->queued || ack->recorded > 0)
        (void)snprintf(word, sizeof(word), "%s", ack->queued ? "queued" : "recorded");
    else if (ack->skipped_count > 0)
        (void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(ack->skipped_why[0], " "),
                       ack->skipped_why[0]);
    tally->answered++;
    histogram_add(&tally->took[kind], answer->took_us);
    count_reason(tally, word);
}

static void count_verdict(struct tally *tally, unsigned kind, const struct asker_answer *answer)
{
    const struct msg_verdict *verdict = &answer->reply->decision.verdicts[0];

    tally->answered++;
    tally->shadowed += verdict->shadow[0] != '\0';
    tally->degraded += answer->reply->degraded;
    histogram_add(&tally->took[kind], answer->took_us);
    count_reason(tally, verdict->reason);
}

void tally_add(struct tally *tally, const struct asker_question *question,
               const struct asker_answer *answer)
{
    switch (answer->outcome) {
    case ASKER_ANSWERED:
        if (answer->reply->answer == MSG_ACK)
            count_ack(tally, question->kind, answer);
        else
            count_verdict(tally, question->kind, answer);
        break;
    case ASKER_REFUSED:
        tally->refused++;
        break;
    case ASKER_DAMAGED:
        tally->damaged++;
        break;
    case ASKER_TIMED_OUT:
        tally->timed_out++;
        break;
    }
}

// ---- telling

static double seconds_of(const struct tally *tally)
{
    return (double)(tally->ended_us - tally->began_us) / 1e6;
}

static double rate_of(const struct tally *tally)
{
    double seconds = seconds_of(tally);

    return seconds > 0 ? (double)tally->answered / seconds : 0;
}

static void add_all(const struct tally *tally, struct histogram *out)
{
    for (unsigned i = 0; i < LOAD_KIND_COUNT; i++)
        histogram_merge(out, &tally->took[i]);
}

static void print_times(FILE *out, const char *name, const struct histogram *took)
{
    if (took->count == 0)
        return;
    (void)fprintf(out, "%-8s %10" PRIu64, name, took->count);
    for (unsigned i = 0; i < PERCENTILE_COUNT; i++)
        (void)fprintf(out, " %8" PRIu64, histogram_at(took, PERCENTILES[i].share));
    (void)fprintf(out, " %8" PRIu64 "\n", took->max_us);
}

static void print_table(const struct tally *tally, FILE *out)
{
    struct histogram all = {.count = 0};

    (void)fprintf(out, "%-8s %10s", "us", "count");
    for (unsigned i = 0; i < PERCENTILE_COUNT; i++)
        (void)fprintf(out, " %8s", PERCENTILES[i].name);
    (void)fprintf(out, " %8s\n", "max");
    for (unsigned i = 0; i < LOAD_KIND_COUNT; i++)
        print_times(out, load_kind_name(i), &tally->took[i]);
    add_all(tally, &all);
    print_times(out, "all", &all);
}

static void print_text(const struct tally *tally, const struct tally_about *about, FILE *out)
{
    (void)fprintf(out, "%" PRIu64 " lookups in %.2f s: %.0f/s (window %u, seed %" PRIu64 ")\n",
                  tally->answered, seconds_of(tally), rate_of(tally), about->config->window,
                  about->seed);
    print_table(tally, out);
    (void)fputs("reasons ", out);
    for (unsigned i = 0; i < tally->reason_count; i++)
        (void)fprintf(out, "%s %s %" PRIu64, i > 0 ? "," : "", tally->reason[i].name,
                      tally->reason[i].count);
    (void)fprintf(out,
                  "\nof them  shadowed %" PRIu64 ", degraded %" PRIu64 "\nfallback timed out "
                  "%" PRIu64 ", refused %" PRIu64 ", damaged %" PRIu64 "; late answers %" PRIu64
                  ", sendings repeated %" PRIu64 "\n",
                  tally->shadowed, tally->degraded, tally->timed_out, tally->refused,
                  tally->damaged, about->late, about->unsent);
}

static void json_times(struct json *json, const char *name, const struct histogram *took)
{
    json_open(json, name, '{');
    json_count(json, "count", took->count);
    for (unsigned i = 0; i < PERCENTILE_COUNT; i++)
        json_count(json, PERCENTILES[i].name, histogram_at(took, PERCENTILES[i].share));
    json_count(json, "max", took->max_us);
    json_close(json, '}');
}

static void json_took(struct json *json, const struct tally *tally)
{
    struct histogram all = {.count = 0};

    json_open(json, "us", '{');
    for (unsigned i = 0; i < LOAD_KIND_COUNT; i++) {
        if (tally->took[i].count > 0)
            json_times(json, load_kind_name(i), &tally->took[i]);
    }
    add_all(tally, &all);
    json_times(json, "all", &all);
    json_close(json, '}');
}

static void print_json(const struct tally *tally, const struct tally_about *about, FILE *out)
{
    struct json json;

    json_init(&json, out);
    json_open(&json, NULL, '{');
    json_count(&json, "lookups", tally->answered);
    json_number(&json, "seconds", seconds_of(tally));
    json_number(&json, "per_second", rate_of(tally));
    json_count(&json, "window", about->config->window);
    json_count(&json, "nodes", about->config->node_count);
    json_count(&json, "seed", about->seed);
    json_count(&json, "population", about->population);
    json_took(&json, tally);
    json_open(&json, "reasons", '{');
    for (unsigned i = 0; i < tally->reason_count; i++)
        json_count(&json, tally->reason[i].name, tally->reason[i].count);
    json_close(&json, '}');
    json_count(&json, "shadowed", tally->shadowed);
    json_count(&json, "degraded", tally->degraded);
    json_count(&json, "timed_out", tally->timed_out);
    json_count(&json, "refused", tally->refused);
    json_count(&json, "damaged", tally->damaged);
    json_count(&json, "late", about->late);
    json_count(&json, "unsent", about->unsent);
    json_close(&json, '}');
}

void tally_print(const struct tally *tally, const struct tally_about *about, FILE *out)
{
    if (about->as_json)
        print_json(tally, about, out);
    else
        print_text(tally, about, out);
}
