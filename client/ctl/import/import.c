// import.c: `reevectl import`: who was known at another greylist, or whose mail was delivered, need
// not wait again. Reads a source wholly, then sends what it found, and says what became of all of it.
#include "client/ctl/import/import.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "client/ctl/import/exempt.h"
#include "client/ctl/import/gather.h"
#include "client/ctl/import/progress.h"
#include "client/ctl/import/send.h"
#include "proto/base/mem.h"
#include "proto/msg.h"
#include "proto/text.h"

// ---- what the readers call

void import_count_add(struct import_count *count, const char *example)
{
    if (count->count++ == 0)
        (void)text_clean(count->example, IMPORT_EXAMPLE_MAX - 1, example, strlen(example));
}

void import_leave(struct import *import, enum import_left why, const char *what)
{
    import_count_add(&import->left[why], what);
}

void import_take(struct import *import, const struct import_row *row)
{
    char client[64 + 1];
    char name[MSG_CLIENT_NAME_MAX + 1];
    char sender[MSG_ADDRESS_MAX + 1];
    char recipient[MSG_ADDRESS_MAX + 1];
    const struct import_row clean = {row->at_ms, client, name, sender, recipient};

    (void)text_clean(client, sizeof(client) - 1, row->client, strlen(row->client));
    (void)text_clean(name, sizeof(name) - 1, row->name, strlen(row->name));
    (void)text_clean(sender, sizeof(sender) - 1, row->sender, strlen(row->sender));
    (void)text_clean(recipient, sizeof(recipient) - 1, row->recipient, strlen(row->recipient));
    import->is_full |= !gather_add(import->gather, &clean);
}

void import_exempt(struct import *import, const struct import_exemption *one)
{
    static const enum import_left left[] = {
        [EXEMPT_FOLDED] = IMPORT_FOLDED,
        [EXEMPT_EXPIRED] = IMPORT_EXPIRED,
        [EXEMPT_NO_FILE] = IMPORT_NO_RECIPIENT,
    };
    enum exempt_result result = exempt_add(import->exempt, one, import->ctl->now_ms);
    char what[IMPORT_EXAMPLE_MAX];

    if (result == EXEMPT_WRITTEN)
        return;
    (void)snprintf(what, sizeof(what), "%s %s", one->source, one->from);
    import_leave(import, left[result], what);
}

bool import_goes_on(struct import *import, uint64_t done, uint64_t total)
{
    return progress_show(import->progress, done, total, import->read) && !import->is_full;
}

int import_fail(struct import *import, const char *fmt, ...)
{
    char message[1024];
    va_list args;

    progress_clear(import->progress);
    va_start(args, fmt);
    (void)vsnprintf(message, sizeof(message), fmt, args);
    va_end(args);
    return ctl_fail(import->ctl, CTL_USAGE, "%s", message);
}

int import_fail_full(struct import *import)
{
    return import_fail(import, "the temporary file has no room: name a folder that has some, with "
                               "$TMPDIR");
}

// ---- the summary

static const struct send_word LEFT[] = {
#define LEFT_WORD(name, word, text) {word, text},
    IMPORT_LEFT_LIST(LEFT_WORD)
#undef LEFT_WORD
};
static void print_count(const struct send_word *word, const struct import_count *count)
{
    if (count->count == 0)
        return;
    (void)printf("%10llu  %s", (unsigned long long)count->count, word->text);
    if (count->example[0] != '\0')
        (void)printf(" (%s)", count->example);
    (void)printf("\n");
}

static void print_summary(const struct import *import, const struct send_result *sent)
{
    const struct import_format *format = import->format;
    const struct send_word *words = format->send->words;
    bool is_dry = import->options.dry_run;
    uint64_t policies = exempt_count(import->exempt);

    (void)printf("%10llu  %s read in %.1f s, %llu %s\n", (unsigned long long)import->read,
                 format->is_log ? "log lines" : "entries",
                 (double)progress_ms(import->progress) / 1000, (unsigned long long)sent->rows,
                 format->rows);
    (void)printf("%10llu  %s\n", (unsigned long long)sent->outcome[SEND_TAKEN].count,
                 is_dry ? "would be taken" : format->taken);
    for (int i = SEND_KNOWN; words[i].word != NULL; i++)
        print_count(&words[i], &sent->outcome[i]);
    for (int i = 0; i < IMPORT_LEFT_COUNT; i++)
        print_count(&LEFT[i], &import->left[i]);
    if (policies > 0)
        (void)printf("%10llu  policies %s %s; add it to `policy:` in reeve.yaml, then: reevectl "
                     "reload\n",
                     (unsigned long long)policies, is_dry ? "would be written to" : "written to",
                     import->options.policy);
    if (format->read == import_rspamd)
        (void)printf("%10llu  keys of rspamd without mail in the log\n",
                     (unsigned long long)(import->keys - import->keys_used));
}

static void print_count_json(struct json *json, const struct send_word *word,
                             const struct import_count *count)
{
    json_open(json, word->word, '{');
    json_count(json, "count", count->count);
    json_text(json, "example", count->example);
    json_close(json, '}');
}

// An interruption that came when everything had been sent cut nothing short.
static bool was_cut_short(const struct import *import, const struct send_result *sent)
{
    return progress_was_interrupted(import->progress) &&
           (import->format->send->verb == NULL || sent->rows == 0 || sent->sent < sent->rows);
}

static void print_json(struct import *import, const struct send_result *sent)
{
    const struct send_word *words = import->format->send->words;
    struct json *json = &import->ctl->json;

    json_open(json, NULL, '{');
    json_text(json, "format", import->format->name);
    json_bool(json, "dry_run", import->options.dry_run);
    json_count(json, "read", import->read);
    json_count(json, import->format->counted, sent->rows);
    json_count(json, "sent", sent->sent);
    json_bool(json, "interrupted", was_cut_short(import, sent));
    json_count(json, "took_ms", progress_ms(import->progress));
    for (int i = 0; words[i].word != NULL; i++)
        print_count_json(json, &words[i], &sent->outcome[i]);
    json_open(json, "left", '{');
    for (int i = 0; i < IMPORT_LEFT_COUNT; i++)
        print_count_json(json, &LEFT[i], &import->left[i]);
    json_close(json, '}');
    json_count(json, "policies", exempt_count(import->exempt));
    json_count(json, "keys", import->keys);
    json_count(json, "keys_without_mail", import->keys - import->keys_used);
    json_close(json, '}');
}

// conclude: the summary, and what is to be done about a run that did not reach its end.
static int conclude(struct import *import, const struct send_result *sent, int code)
{
    progress_clear(import->progress);
    if (code != CTL_FINE && sent->sent == 0)
        return code;
    if (!import->ctl->want_json)
        print_summary(import, sent);
    else if (code == CTL_FINE)
        print_json(import, sent);
    if (code == CTL_FINE && !was_cut_short(import, sent))
        return CTL_FINE;
    ctl_warn(
        "ended after %llu of %llu rows; the same command again goes on: what was taken is known "
        "then",
        (unsigned long long)sent->sent, (unsigned long long)sent->rows);
    return code == CTL_FINE ? CTL_NEGATIVE : code;
}

// ---- the command

// The options, as bits.
enum {
    TAKES_DRY_RUN = 1,
    TAKES_POLICY = 2,
    TAKES_DELAY = 4,
    TAKES_CLIENTS = 8,
    TAKES_LOG = 16,
    TAKES_PREFIX = 32,
    TAKES_TIMEOUT = 64,
    TAKES_INSIDE = 128,
    TAKES_GATEWAY = 256,
};

#define OF_TRIPLETS                                                                              \
    .send = &SEND_GREY, .rows = "different triplets of mail that passed", .counted = "triplets", \
    .taken = "taken: known from now on"

static const struct import_format FORMATS[] = {
    {"postgrey", import_postgrey, 1, TAKES_DRY_RUN | TAKES_POLICY | TAKES_DELAY | TAKES_CLIENTS,
     .is_log = false, OF_TRIPLETS},
    {"sqlgrey", import_sqlgrey, 1, TAKES_DRY_RUN | TAKES_POLICY, .is_log = false, OF_TRIPLETS},
    {"rspamd", import_rspamd, 1, TAKES_DRY_RUN | TAKES_LOG | TAKES_PREFIX | TAKES_TIMEOUT,
     .is_log = true, OF_TRIPLETS},
    {"postfix", import_postfix, 1000, TAKES_DRY_RUN, .is_log = true, OF_TRIPLETS},
    {"correspondents", import_correspondents, 1000, TAKES_DRY_RUN | TAKES_INSIDE, .is_log = true,
     .send = &SEND_ALLOW, .rows = "different pairs of a user and whom he has written to",
     .counted = "correspondents", .taken = "taken: answers are let through from now on"},
    {"reports", import_reports, 1000, TAKES_DRY_RUN | TAKES_GATEWAY, .is_log = true,
     .send = &SEND_REPORT, .rows = "mails of which a scanner or a rule said what they are",
     .counted = "reports", .taken = "taken: they count from now on"},
};

static const struct import_format *find_format(const char *name)
{
    size_t i = 0;

    while (strcmp(FORMATS[i].name, name) != 0)
        i++;
    return &FORMATS[i];
}

static int run(struct import *import, char **sources, int count)
{
    const struct import_format *format = import->format;
    struct send_result sent = {.rows = 0};
    int code = CTL_FINE;

    import->exempt = exempt_new(import->ctl, import->options.policy, format->name,
                                import->options.dry_run, &code);
    if (code != CTL_FINE)
        return code;
    import->sent = &sent;
    progress_begin(import->progress, "reading");
    code = format->read(import, sources, count);
    if (code == CTL_FINE && import->is_full)
        code = import_fail_full(import);
    if (code == CTL_FINE && format->send->verb != NULL &&
        !progress_was_interrupted(import->progress))
        code = send_all(import, format->send, &sent);
    code = conclude(import, &sent, code);
    if (!exempt_close(&import->exempt, code == CTL_FINE))
        code = ctl_fail(import->ctl, CTL_USAGE,
                        "--policy %s could not be written wholly: is the disk full?",
                        import->options.policy);
    return code;
}

// fill_rows: the options of a format; those of the others are not known to it.
static void fill_rows(struct import_options *options, const char **gateway, unsigned takes,
                      struct arg_row *rows)
{
    const struct arg_row all[] = {
        {.name = "dry-run", .kind = ARG_FLAG, .into = &options->dry_run},
        {.name = "policy", .kind = ARG_TEXT, .into = (void *)&options->policy},
        {.name = "delay", .kind = ARG_COUNT, .into = &options->delay_s, .max = 86400},
        {.name = "clients", .kind = ARG_COUNT, .into = &options->clients, .max = 1000000},
        {.name = "log", .kind = ARG_TEXTS, .into = &options->log},
        {.name = "prefix", .kind = ARG_TEXT, .into = (void *)&options->prefix},
        {.name = "timeout", .kind = ARG_COUNT, .into = &options->timeout_s, .max = 86400},
        {.name = "inside", .kind = ARG_TEXTS, .into = &options->inside},
        {.name = "gateway", .kind = ARG_TEXT, .into = (void *)gateway},
    };
    size_t used = 0;

    for (size_t k = 0; k < sizeof(all) / sizeof(all[0]); k++) {
        if ((takes >> k & 1) != 0)
            rows[used++] = all[k];
    }
    rows[used] = (struct arg_row){.name = NULL};
}

int run_import(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct import import = {
        .ctl = ctl,
        .format = find_format(command->name),
        .options = {.policy = "", .delay_s = 300, .clients = 5, .prefix = "rg", .timeout_s = 300},
    };
    struct arg_row rows[10];
    const char *why = "";
    int first = 0;

    fill_rows(&import.options, &ctl->gateway, import.format->options, rows);
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && (first == argc || argc - first > import.format->sources_max))
        code = ctl_misuse(ctl, command, "name %s to read from",
                          import.format->sources_max > 1 ? "the logs" : "one source");
    if (code == CTL_FINE && (import.gather = gather_new(&why)) == NULL)
        code = ctl_fail(ctl, CTL_USAGE, "no temporary file ($TMPDIR): %s", why);
    if (code == CTL_FINE) {
        import.progress = progress_new(!ctl->want_json);
        code = run(&import, argv + first, argc - first);
    }
    gather_free(&import.gather);
    progress_free(&import.progress);
    mem_free((void *)import.options.log.text);
    mem_free((void *)import.options.inside.text);
    return code;
}
