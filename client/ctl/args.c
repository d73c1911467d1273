// args.c: see args.h. Promises: every wrong option is told with its name, what was given, what is
// expected, and the command's line of usage.
#include "client/ctl/args.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/ctl/when.h"
#include "proto/base/mem.h"

enum { ROWS_MAX = ARG_LIST_MAX, FIRST_ROW = 256 }; // values of getopt_long that are no character

// ---- values

static bool read_number(const char *text, uint64_t *out, const char **rest)
{
    uint64_t number = 0;
    const char *at = text;

    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');

        if (number > (UINT64_MAX - digit) / 10)
            return false;
        number = number * 10 + digit;
    }
    *out = number;
    *rest = at;
    return at != text;
}

// read_real: digits and a point; neither signs, exponents nor words.
static bool read_real(const char *text, double *out)
{
    const size_t len = strspn(text, "0123456789.");
    char *end = NULL;
    double number;

    if (len == 0 || text[len] != '\0')
        return false;
    number = strtod(text, &end);
    if (*end != '\0' || end == text)
        return false;
    *out = number;
    return true;
}

struct suffix {
    const char *text;
    uint64_t factor;
};

static bool read_suffixed(const char *text, const struct suffix *suffix, uint64_t *out)
{
    const char *rest = NULL;
    uint64_t number = 0;

    if (!read_number(text, &number, &rest))
        return false;
    for (; suffix->text != NULL; suffix++) {
        if (strcmp(rest, suffix->text) != 0)
            continue;
        *out = number * suffix->factor;
        return number <= UINT64_MAX / suffix->factor;
    }
    return false;
}

static bool read_word(const char *text, const char *const *words, int *out)
{
    for (int i = 0; words[i] != NULL; i++) {
        if (strcmp(words[i], text) == 0) {
            *out = i;
            return true;
        }
    }
    return false;
}

static void add_text(struct arg_texts *texts, const char *text)
{
    texts->text = mem_grow((void *)texts->text, texts->count + 1, sizeof(*texts->text));
    texts->text[texts->count++] = text;
}

static bool is_in_range(const struct arg_row *row)
{
    return row->max == 0 || *(uint64_t *)row->into <= row->max;
}

// read_value: true, or false if the text is not what the row takes.
static bool read_value(const struct ctl *ctl, const struct arg_row *row, const char *text)
{
    static const struct suffix plain[] = {{"", 1}, {NULL, 0}};
    static const struct suffix sizes[] = {
        {"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
    static const struct suffix spans[] = {{"", 1},         {"ms", 1},      {"s", 1000},
                                          {"m", 60000},    {"min", 60000}, {"h", 3600000},
                                          {"d", 86400000}, {NULL, 0}};

    switch (row->kind) {
    case ARG_FLAG:
        *(bool *)row->into = true;
        return true;
    case ARG_TEXT:
        *(const char **)row->into = text;
        return true;
    case ARG_TEXTS:
        add_text(row->into, text);
        return true;
    case ARG_COUNT:
        return read_suffixed(text, plain, row->into) && is_in_range(row);
    case ARG_SIZE:
        return read_suffixed(text, sizes, row->into) && is_in_range(row);
    case ARG_SPAN:
        return read_suffixed(text, spans, row->into) && is_in_range(row);
    case ARG_TIME:
        return when_parse(text, ctl->now_ms, row->into);
    case ARG_REAL:
        return read_real(text, row->into) &&
               (row->max == 0 || *(double *)row->into <= (double)row->max);
    case ARG_WORD:
        return read_word(text, row->words, row->into);
    }
    return false;
}

// list_words: "one of a, b, c".
static void list_words(const char *const *words, struct text_buf *out)
{
    text_buf_add(out, "one of");
    for (size_t i = 0; words[i] != NULL; i++)
        text_buf_add(out, "%s %s", i > 0 ? "," : "", words[i]);
}

static void describe_expected(const struct arg_row *row, struct text_buf *out)
{
    switch (row->kind) {
    case ARG_COUNT:
        text_buf_add(out, "a whole number");
        break;
    case ARG_SIZE:
        text_buf_add(out, "a size like 1234, 10K, 25M");
        break;
    case ARG_SPAN:
        text_buf_add(out, "a time like 250ms, 2s or 10m");
        break;
    case ARG_TIME:
        text_buf_add(out, "a time like 10m, 2h, 7d (ago), 2026-11-21T21:13:01Z or Unix seconds");
        break;
    case ARG_REAL:
        text_buf_add(out, "a number like 0.5");
        break;
    case ARG_WORD:
        list_words(row->words, out);
        break;
    case ARG_FLAG:
    case ARG_TEXT:
    case ARG_TEXTS:
        break;
    }
    if (row->max != 0)
        text_buf_add(out, ", at most %llu", (unsigned long long)row->max);
}

// ---- tables

struct table {
    struct arg_row row[ROWS_MAX];
    struct option option[ROWS_MAX + 1];
    size_t count;
    bool *want_help;
};

static void add_rows(struct table *table, const struct arg_row *rows)
{
    for (; rows != NULL && rows->name != NULL && table->count < ROWS_MAX; rows++) {
        size_t i = table->count++;

        table->row[i] = *rows;
        table->option[i] = (struct option){
            .name = rows->name,
            .has_arg = rows->kind == ARG_FLAG ? no_argument : required_argument,
            .val = FIRST_ROW + (int)i,
        };
    }
}

static void fill_table(struct table *table, struct ctl *ctl, bool *want_help,
                       const struct arg_row *rows)
{
    const struct arg_row global[] = {
        {.name = "node", .kind = ARG_TEXTS, .into = &ctl->nodes},
        {.name = "admin", .kind = ARG_TEXT, .into = &ctl->admin},
        {.name = "stats", .kind = ARG_TEXT, .into = &ctl->stats},
        {.name = "deadline", .kind = ARG_SPAN, .into = &ctl->deadline_ms, .max = 60000},
        {.name = "at", .kind = ARG_TIME, .into = &ctl->at_ms},
        {.name = "json", .kind = ARG_FLAG, .into = &ctl->want_json},
        {.name = "help", .kind = ARG_FLAG, .into = want_help},
        {.name = NULL},
    };

    *table = (struct table){.want_help = want_help};
    add_rows(table, rows);
    add_rows(table, global);
}

// read_one: what getopt_long returned.
static int read_one(struct ctl *ctl, const struct command *command, const struct table *table,
                    int got, const char *given)
{
    const struct arg_row *row = got >= FIRST_ROW ? &table->row[got - FIRST_ROW] : NULL;
    char expected[512];
    struct text_buf buf;

    if (row == NULL && got == ':')
        return ctl_misuse(ctl, command, "%s needs a value", given);
    if (row == NULL)
        return ctl_misuse(ctl, command, "unknown option %s", given);
    if (read_value(ctl, row, optarg))
        return CTL_FINE;
    text_buf_init(&buf, expected, sizeof(expected));
    describe_expected(row, &buf);
    return ctl_misuse(ctl, command, "--%s: expected %s, not '%s'", row->name, expected, optarg);
}

static int read_options(struct ctl *ctl, const struct command *command, const struct table *table,
                        const char *letters, int argc, char **argv)
{
    int code = CTL_FINE;

    optind = 0; // start again: also GNU's way to reread the environment
    opterr = 0;
    while (code == CTL_FINE) {
        int got = getopt_long(argc, argv, letters, table->option, NULL);
        char letter[] = {'-', (char)optopt, '\0'};

        if (got == -1)
            break;
        if (got == 'h')
            *table->want_help = true;
        else
            code = read_one(ctl, command, table, got,
                            optopt > 0 && optopt < FIRST_ROW ? letter : argv[optind - 1]);
    }
    return code;
}

int args_global(struct ctl *ctl, int argc, char **argv, bool *want_version, int *first)
{
    const struct command none = {.name = "", .usage = "[OPTIONS] COMMAND ...; see: reevectl help"};
    const struct arg_row rows[] = {
        {.name = "version", .kind = ARG_FLAG, .into = want_version},
        {.name = NULL},
    };
    bool want_help = false;
    struct table table;
    int code;

    fill_table(&table, ctl, &want_help, rows);
    code = read_options(ctl, &none, &table, "+:h", argc, argv);
    *first = optind;
    return code == CTL_FINE && want_help ? ARGS_HELPED : code;
}

// take_rows: each name once; a command's own option hides the global one.
static void take_rows(struct arg_list *list, const struct table *table)
{
    for (size_t i = 0; i < table->count; i++) {
        bool known = false;

        for (size_t k = 0; k < list->count; k++)
            known |= strcmp(list->row[k].name, table->row[i].name) == 0;
        if (!known && list->count < ARG_LIST_MAX)
            list->row[list->count++] = table->row[i];
    }
}

void args_list(struct ctl *ctl, const struct command *command, struct arg_list *out)
{
    char name[64];
    char *argv[] = {name, NULL};
    bool unused = false;
    struct table table;

    *out = (struct arg_list){.count = 0};
    if (command == NULL) {
        const struct arg_row rows[] = {{.name = "version", .kind = ARG_FLAG, .into = &unused},
                                       {.name = NULL}};

        fill_table(&table, ctl, &unused, rows);
        take_rows(out, &table);
        return;
    }
    (void)snprintf(name, sizeof(name), "%s", command->name);
    ctl->list = out;
    (void)command->run(ctl, command, 1, argv);
    ctl->list = NULL;
}

int args_read(struct ctl *ctl, const struct command *command, const struct arg_row *rows, int argc,
              char **argv, int *first)
{
    bool want_help = false;
    struct table table;
    int code;

    fill_table(&table, ctl, &want_help, rows);
    *first = argc;
    if (ctl->list != NULL) {
        take_rows(ctl->list, &table);
        return ARGS_HELPED;
    }
    code = read_options(ctl, command, &table, ":h", argc, argv);
    *first = optind;
    if (code != CTL_FINE || !want_help)
        return code;
    (void)printf("usage: reevectl %s%s%s %s\n%s\n", command->group == NULL ? "" : command->group,
                 command->group == NULL ? "" : " ", command->name, command->usage, command->what);
    return ARGS_HELPED;
}

int args_read_all(struct ctl *ctl, const struct command *command, const struct arg_row *rows,
                  int argc, char **argv)
{
    int first = 0;
    int code = args_read(ctl, command, rows, argc, argv, &first);

    if (code == CTL_FINE && first < argc)
        return ctl_misuse(ctl, command, "'%s' was not expected here", argv[first]);
    return code;
}
