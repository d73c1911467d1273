// report.c: `reevectl report`: tells a node what a mail turned out to be, by whom it came from, or by the decision that was
// made about it: a ticket, or a line of a log.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/line.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { EVENT_MAX = 128, NOT_GIVEN = -1 };

static const char *const EVIDENCE_WORDS[] = {
    "ham", "spam", "virus", "trap", "complaint", "not-spam", "unknown-recipient", NULL};
static const char *const SPF_WORDS[] = {"none",    "pass",      "fail",      "softfail",
                                        "neutral", "temperror", "permerror", NULL};

struct report {
    struct ctl *ctl;
    const struct command *command;
    struct reeve_report told; // its texts live in argv, here, and in found
    const char *weight;
    int spf;
    bool dry_run;
    struct reeve_answer *found; // the decision that a line is about; NULL = none was named
    char event[EVENT_MAX + 1];
};

static int word_of(const char *const *words, const char *word)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], word) == 0)
            return i;
    }
    return NOT_GIVEN;
}

// ---- what is said

static int read_evidence(struct report *report, const char *word)
{
    const int evidence = word == NULL ? NOT_GIVEN : word_of(EVIDENCE_WORDS, word);

    if (evidence == NOT_GIVEN)
        return ctl_misuse(report->ctl, report->command,
                          "%s%s%s; expected ham, spam, virus, trap, complaint, not-spam or "
                          "unknown-recipient",
                          word == NULL ? "what it was is missing" : "'", word == NULL ? "" : word,
                          word == NULL ? "" : "' is no evidence");
    report->told.evidence = (enum reeve_evidence)(evidence + 1);
    return CTL_FINE;
}

static int read_weight(struct report *report)
{
    char *end = NULL;

    if (report->weight == NULL)
        return CTL_FINE;
    report->told.weight = strtod(report->weight, &end);
    if (end != report->weight && *end == '\0' && report->told.weight > 0 &&
        report->told.weight <= 3)
        return CTL_FINE;
    return ctl_misuse(report->ctl, report->command,
                      "--weight: expected a number above 0 and at most 3, not '%s'",
                      report->weight);
}

// ---- the mail that it was

static void take_text(const char **field, const struct reeve_row *row, const char *key)
{
    if (*field == NULL)
        *field = print_field(row, key);
}

// take_row: what the options did not say, of a decision that was made. Told twice of one decision it is one event.
static void take_row(struct report *report, const struct reeve_row *row)
{
    struct reeve_report *told = &report->told;
    uint64_t at_ms = 0;

    take_text(&told->client_ip, row, "client_ip");
    take_text(&told->sender, row, "sender");
    take_text(&told->recipient, row, "recipient");
    take_text(&told->spf_domain, row, "spf_domain");
    if (told->spf == 0)
        told->spf = word_of(SPF_WORDS, print_field(row, "spf")) + 1;
    if (told->reported_ms == 0 && when_parse(print_field(row, "at"), 0, &at_ms))
        told->reported_ms = at_ms;
    (void)snprintf(report->event, sizeof(report->event), "reevectl %s %s",
                   print_field(row, "ticket"), EVIDENCE_WORDS[told->evidence - 1]);
}

static int take_line(struct report *report, int argc, char **argv)
{
    const struct reeve_row *row = NULL;
    char *text = line_take(argc, argv);
    struct line line;
    int code;

    line_read(text, &line);
    mem_free(text);
    if (line.ticket[0] == '\0' && (!line.has_sender || !line.has_recipient))
        return ctl_misuse(report->ctl, report->command,
                          "'%s' was not expected here: it is no ticket, and no line of a log with "
                          "one or with from=<> and to=<>",
                          argv[0]);
    code = line_find(report->ctl, &line, &report->found, &row);
    if (code == CTL_FINE)
        take_row(report, row);
    return code;
}

// What has no name of its own is told once, by this process.
static void name_event(struct report *report)
{
    char host[64] = "";

    (void)gethostname(host, sizeof(host) - 1);
    (void)snprintf(report->event, sizeof(report->event), "reevectl %s %llu %ld", host,
                   (unsigned long long)report->ctl->now_ms, (long)getpid());
}

static int complete(struct report *report)
{
    struct reeve_report *told = &report->told;
    const bool has_client = told->client_ip != NULL && told->client_ip[0] != '\0';
    const bool has_sender = told->sender != NULL && told->sender[0] != '\0';

    if (!has_client && !has_sender)
        return ctl_misuse(report->ctl, report->command,
                          "of whom? --ip or --from, or a ticket or a line of a log");
    if (told->event == NULL && report->event[0] == '\0')
        name_event(report);
    if (told->event == NULL)
        told->event = report->event;
    told->at_ms = report->ctl->at_ms;
    return CTL_FINE;
}

// ---- telling

static void print_about(const struct report *report)
{
    const struct reeve_report *told = &report->told;
    const struct {
        const char *label, *text, *end;
    } parts[] = {
        {" of client ", told->client_ip, ""},
        {" from <", told->sender, ">"},
        {" to <", told->recipient, ">"},
    };
    char time[WHEN_MAX];

    (void)printf("%s", EVIDENCE_WORDS[told->evidence - 1]);
    for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
        if (parts[i].text != NULL && parts[i].text[0] != '\0')
            (void)printf("%s%s%s", parts[i].label, parts[i].text, parts[i].end);
    if (told->reported_ms > 0)
        (void)printf(" at %s", when_format(told->reported_ms, time));
    (void)putchar('\n');
}

static const char *why_not(const char *word)
{
    static const struct {
        const char *word, *text;
    } whys[] = {
        {"seen", "that event was counted before"},
        {"off", "no reputation is kept (settings.reputation.mode is off)"},
        {"weightless", "by the settings this evidence, or this gateway, is worth nothing"},
        {"nobody", "of trusted sources, of domains of one's own and of senders that failed nothing "
                   "is learnt"},
    };

    for (size_t i = 0; i < sizeof(whys) / sizeof(whys[0]); i++)
        if (strcmp(whys[i].word, word) == 0)
            return whys[i].text;
    return word;
}

static void print_text(const struct report *report, const struct reeve_answer *answer)
{
    print_about(report);
    if (answer == NULL)
        (void)puts("not told: --dry-run");
    else if (answer->queued)
        (void)puts("queued: the store is away; it is counted when that is back");
    else if (answer->recorded > 0)
        (void)puts("counted");
    for (size_t i = 0; answer != NULL && i < answer->skipped_count; i++)
        (void)printf("not counted: %s\n", why_not(answer->skipped_why[i]));
}

static void print_json(const struct report *report, const struct reeve_answer *answer)
{
    struct json *json = &report->ctl->json;
    const struct reeve_report *told = &report->told;
    const bool is_skipped = answer != NULL && answer->skipped_count > 0;

    json_open(json, NULL, '{');
    json_text(json, "event", told->event);
    json_text(json, "evidence", EVIDENCE_WORDS[told->evidence - 1]);
    json_text(json, "client_ip", told->client_ip != NULL ? told->client_ip : "");
    json_text(json, "sender", told->sender != NULL ? told->sender : "");
    json_text(json, "recipient", told->recipient != NULL ? told->recipient : "");
    json_bool(json, "dry_run", report->dry_run);
    json_count(json, "recorded", answer != NULL ? answer->recorded : 0);
    json_bool(json, "queued", answer != NULL && answer->queued);
    json_text(json, "skipped_why", is_skipped ? answer->skipped_why[0] : "");
    json_close(json, '}');
}

static void print(const struct report *report, const struct reeve_answer *answer)
{
    if (report->ctl->want_json)
        print_json(report, answer);
    else
        print_text(report, answer);
}

// What was counted before is counted.
static bool is_done(const struct reeve_answer *answer)
{
    return answer->recorded > 0 || answer->queued ||
           (answer->skipped_count > 0 && strcmp(answer->skipped_why[0], "seen") == 0);
}

static int tell(struct report *report)
{
    struct ctl *ctl = report->ctl;
    struct reeve_answer *answer = NULL;
    int code = CTL_FINE;

    if (report->dry_run) {
        print(report, NULL);
        return CTL_FINE;
    }
    code = ctl_client(ctl);
    if (code != CTL_FINE)
        return code;
    if (reeve_report(ctl->reeve, &report->told, &answer) != REEVE_OK) {
        code = ctl_fail_answer(ctl, ctl->node, answer);
    } else {
        print(report, answer);
        code = is_done(answer) ? CTL_FINE : CTL_NEGATIVE;
    }
    reeve_answer_free(&answer);
    return code;
}

int run_report(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct report report = {.ctl = ctl, .command = command, .spf = NOT_GIVEN};
    struct reeve_report *told = &report.told;
    const struct arg_row rows[] = {
        {.name = "ip", .kind = ARG_TEXT, .into = &told->client_ip},
        {.name = "from", .kind = ARG_TEXT, .into = &told->sender},
        {.name = "to", .kind = ARG_TEXT, .into = &told->recipient},
        {.name = "spf", .kind = ARG_WORD, .into = &report.spf, .words = SPF_WORDS},
        {.name = "spf-domain", .kind = ARG_TEXT, .into = &told->spf_domain},
        {.name = "weight", .kind = ARG_TEXT, .into = &report.weight},
        {.name = "came", .kind = ARG_TIME, .into = &told->reported_ms},
        {.name = "event", .kind = ARG_TEXT, .into = &told->event},
        {.name = "gateway", .kind = ARG_TEXT, .into = &ctl->gateway},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &report.dry_run},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE)
        code = read_evidence(&report, first < argc ? argv[first] : NULL);
    if (code == CTL_FINE)
        code = read_weight(&report);
    told->sender = ctl_bare(told->sender);
    told->recipient = ctl_bare(told->recipient);
    told->spf = report.spf + 1;
    if (code == CTL_FINE && first + 1 < argc)
        code = take_line(&report, argc - first - 1, argv + first + 1);
    if (code == CTL_FINE)
        code = complete(&report);
    if (code == CTL_FINE)
        code = tell(&report);
    reeve_answer_free(&report.found);
    return code;
}
