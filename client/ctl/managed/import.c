// import.c: `reevectl managed import`: many entries of personal lists, from files of comma-separated values (row.h).
// Promises: an entry counts as sent only when the node has answered for it; the same files again change nothing, so a run that
// was ended goes on with them; what is left is counted, with file and line of the first.
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/args.h"
#include "client/ctl/import/csv.h"
#include "client/ctl/import/lines.h"
#include "client/ctl/import/progress.h"
#include "client/ctl/managed/managed.h"
#include "client/ctl/managed/row.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum {
    BATCH_ROWS = 1000,
    BATCH_BYTES = 512 << 10,
    ROW_BYTES = 2048,
    EXAMPLE_MAX = 240,
};

// What may become of a line: the words of managed.import in reeve.proto, and sentences. One that this version does not know
// counts as the last.
#define OUTCOMES(X)                                                              \
    X(TAKEN, "taken", "taken")                                                   \
    X(REPLACED, "replaced", "replaced what was said of the same pattern before") \
    X(KNOWN, "known", "said already")                                            \
    X(OVER, "over", "over already")                                              \
    X(NOT_OURS, "not_ours", "of users in domains that are not the policy set's") \
    X(UNKNOWN, "unknown_user", "of users that the directory does not have")      \
    X(BAD_USER, "bad_user", "of a user that is no address")                      \
    X(BAD_PATTERN, "bad_pattern", "about something that is no pattern")          \
    X(MALFORMED, "malformed", "not of the expected format")                      \
    X(OTHER, "other", "something that this reevectl does not know")
enum outcome_of_row {
#define OUTCOME_ENUM(name, word, text) ROW_##name,
    OUTCOMES(OUTCOME_ENUM)
#undef OUTCOME_ENUM
        ROW_OUTCOMES
};
static const struct {
    const char *word, *text;
} WORDS[] = {
#define OUTCOME_WORD(name, word, text) {word, text},
    OUTCOMES(OUTCOME_WORD)
#undef OUTCOME_WORD
};

// Where a row of a batch stands.
struct source {
    const char *file;
    unsigned line;
};

struct list_import {
    struct ctl *ctl;
    bool dry_run;
    struct progress *progress;
    char *memory; // BATCH_BYTES
    struct text_buf text;
    struct source source[BATCH_ROWS];
    unsigned rows; // of the batch
    struct source at;
    uint64_t read, sent;
    uint64_t count[ROW_OUTCOMES];
    char example[ROW_OUTCOMES][EXAMPLE_MAX];
};

static void note(struct list_import *import, enum outcome_of_row outcome, uint64_t count,
                 const struct source *source, const char *why)
{
    if (import->count[outcome] == 0 && count > 0)
        (void)snprintf(import->example[outcome], EXAMPLE_MAX, "%s:%u%s%s", source->file,
                       source->line, why[0] != '\0' ? ": " : "", why);
    import->count[outcome] += count;
}

// ---- to the node

static enum outcome_of_row find_outcome(const char *word)
{
    for (int i = 0; i < ROW_OTHER; i++)
        if (strcmp(WORDS[i].word, word) == 0)
            return (enum outcome_of_row)i;
    return ROW_OTHER;
}

static void count_row(struct list_import *import, const struct reeve_row *row)
{
    const uint64_t line = strtoull(print_field(row, "line"), NULL, 10);
    const struct source *source = &import->source[line > 0 && line <= import->rows ? line - 1 : 0];

    note(import, find_outcome(print_field(row, "outcome")),
         strtoull(print_field(row, "count"), NULL, 10), source, print_field(row, "why"));
}

static void empty(struct list_import *import)
{
    text_buf_init(&import->text, import->memory, BATCH_BYTES);
    import->rows = 0;
}

static int send(struct list_import *import)
{
    char by[POLICY_BY_MAX];
    const struct reeve_pair arg = {"by", managed_by(by)};
    const struct reeve_admin_request request = {.verb = "managed.import",
                                                .args = &arg,
                                                .arg_count = 1,
                                                .document = import->memory,
                                                .document_bytes = import->text.used,
                                                .dry_run = import->dry_run};
    struct reeve_answer *answer = NULL;
    int code = CTL_FINE;

    if (import->rows > 0)
        code = managed_ask(import->ctl, &request, import->sent > 0, import->progress, &answer);
    if (code == CTL_FINE && answer != NULL) {
        for (size_t i = 0; i < answer->row_count; i++)
            count_row(import, &answer->rows[i]);
        import->sent += import->rows;
    }
    reeve_answer_free(&answer);
    empty(import);
    return code;
}

// ---- a line

// put_text: one field: what a control character would do to the document it must not.
static void put_text(struct list_import *import, const char *text)
{
    char clean[ROW_BYTES / 4];

    (void)text_clean(clean, sizeof(clean) - 1, text, strlen(text));
    text_buf_add(&import->text, "\t%s", clean);
}

static void take_row(struct list_import *import, const struct row *row)
{
    import->source[import->rows++] = import->at;
    text_buf_add(&import->text, "%" PRIu64, row->until_ms);
    put_text(import, row->user);
    put_text(import, row->pattern);
    put_text(import, row->action);
    put_text(import, row->note);
    text_buf_add(&import->text, "\n");
}

static int take_line(struct list_import *import, const struct row_columns *columns,
                     char *const *field, size_t count)
{
    const char *why = "a quote is not closed, or something follows it";
    struct row row;

    import->read++;
    if (count == 0 || !row_read(columns, field, count, import->ctl->now_ms, &row, &why)) {
        note(import, ROW_MALFORMED, 1, &import->at, why);
        return CTL_FINE;
    }
    take_row(import, &row);
    if (import->rows < BATCH_ROWS && import->text.used < BATCH_BYTES - ROW_BYTES)
        return CTL_FINE;
    return send(import);
}

static bool is_skipped(const char *line)
{
    return line[0] == '#' || line[strspn(line, " \t\r")] == '\0';
}

// read_lines: *why is what makes the file none (static), with its line in import->at.
static int read_lines(struct list_import *import, struct lines *lines, const char **why)
{
    struct row_columns columns;
    char *line = NULL, separator = '\0';
    size_t len = 0;
    int code = CTL_FINE;

    while (code == CTL_FINE && *why == NULL && lines_next(lines, &line, &len) &&
           progress_show(import->progress, lines_done(lines), lines_size(lines), import->read)) {
        char *field[ROW_FIELDS_MAX];

        if (import->at.line++ == 0)
            line = csv_begin(line);
        if (is_skipped(line))
            continue;
        const bool is_first = separator == '\0';

        if (is_first)
            separator = csv_separator(line);
        size_t count = csv_split(line, separator, field, ROW_FIELDS_MAX);

        if (is_first && row_columns_read(field, count, &columns, why))
            continue;
        code = take_line(import, &columns, field, count);
    }
    return code;
}

static int read_file(struct list_import *import, const char *path)
{
    struct err_detail detail = {.text = ""};
    struct lines *lines = NULL;
    const char *why = NULL;
    int code = CTL_FINE;

    import->at = (struct source){.file = path};
    if (lines_open(&lines, path, &detail) != ERR_NONE)
        return ctl_fail(import->ctl, CTL_USAGE, "%s", detail.text);
    code = read_lines(import, lines, &why);
    progress_clear(import->progress);
    if (code == CTL_FINE && why != NULL)
        code = ctl_fail(import->ctl, CTL_USAGE, "%s:%u: %s", path, import->at.line, why);
    if (code == CTL_FINE && lines_trouble(lines) != NULL)
        code = ctl_fail(import->ctl, CTL_USAGE, "%s: %s", path, lines_trouble(lines));
    lines_close(&lines);
    return code;
}

// ---- the command

static void print_summary(const struct list_import *import)
{
    (void)printf("%10" PRIu64 "  entries read in %.1f s\n", import->read,
                 (double)progress_ms(import->progress) / 1000);
    (void)printf("%10" PRIu64 "  %s\n", import->count[ROW_TAKEN],
                 import->dry_run ? "would be taken" : "taken");
    for (int i = ROW_TAKEN + 1; i < ROW_OUTCOMES; i++) {
        if (import->count[i] == 0)
            continue;
        (void)printf("%10" PRIu64 "  %s (%s)\n", import->count[i], WORDS[i].text,
                     import->example[i]);
    }
}

static void print_json(struct list_import *import)
{
    struct json *json = &import->ctl->json;

    json_open(json, NULL, '{');
    json_bool(json, "dry_run", import->dry_run);
    json_count(json, "read", import->read);
    json_count(json, "sent", import->sent);
    json_count(json, "took_ms", progress_ms(import->progress));
    for (int i = 0; i < ROW_OUTCOMES; i++) {
        json_open(json, WORDS[i].word, '{');
        json_count(json, "count", import->count[i]);
        json_text(json, "example", import->example[i]);
        json_close(json, '}');
    }
    json_close(json, '}');
}

static int conclude(struct list_import *import, int code)
{
    const bool was_ended = progress_was_interrupted(import->progress);

    if (code != CTL_FINE && import->sent == 0)
        return code;
    if (!import->ctl->want_json)
        print_summary(import);
    else if (code == CTL_FINE)
        print_json(import);
    if (code == CTL_FINE && !was_ended)
        return CTL_FINE;
    ctl_warn("ended after %" PRIu64 " entries; the same command again goes on: what was taken is "
             "known then",
             import->sent);
    return code == CTL_FINE ? CTL_NEGATIVE : code;
}

static int run(struct list_import *import, char **files, int count)
{
    int code = CTL_FINE;

    progress_begin(import->progress, "importing");
    empty(import);
    for (int i = 0; i < count && code == CTL_FINE; i++) {
        code = read_file(import, files[i]);
        if (code == CTL_FINE) // its name stands in what the node says of it
            code = send(import);
    }
    return conclude(import, code);
}

int run_managed_import(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct list_import *import = mem_new(sizeof(*import));
    const struct arg_row rows[] = {
        {.name = "dry-run", .kind = ARG_FLAG, .into = &import->dry_run},
        {.name = NULL},
    };
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    import->ctl = ctl;
    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "name a file, or - for standard input");
    if (code == CTL_FINE) {
        import->memory = mem_new(BATCH_BYTES);
        import->progress = progress_new(!ctl->want_json);
        code = run(import, argv + first, argc - first);
    }
    progress_free(&import->progress);
    mem_free(import->memory);
    mem_free(import);
    return code;
}
