// import.c: `reevectl directory import` and `reevectl import relay-recipients`: who there is, read from files, checked and
// put into force. Promises: a directory that may lack somebody is not put into force unless --force says so.
#include <stdio.h>
#include <string.h>

#include "client/ctl/directory/import.h"
#include "proto/text.h"

enum { ARENA_BYTES = 16 << 10 };

// ---- which format

static const char *const FORMATS[] = {"auto", "csv", "ldif", "postfix", NULL};
enum { FORMAT_AUTO, FORMAT_CSV, FORMAT_LDIF, FORMAT_MAP };

static bool ends_with(const char *path, size_t len, const char *end)
{
    return len >= strlen(end) && strncmp(path + len - strlen(end), end, strlen(end)) == 0;
}

// format_of: by the name of the file, with .gz or without; FORMAT_AUTO: it does not say.
static int format_of(const char *path)
{
    size_t len = strlen(path);

    len -= ends_with(path, len, ".gz") ? 3 : 0;
    if (ends_with(path, len, ".csv") || ends_with(path, len, ".tsv"))
        return FORMAT_CSV;
    return ends_with(path, len, ".ldif") ? FORMAT_LDIF : FORMAT_AUTO;
}

static int read_one(struct directory_import *import, const char *path)
{
    const int format =
        import->options.format != FORMAT_AUTO ? import->options.format : format_of(path);
    struct err_detail detail = {.text = ""};
    struct lines *lines = NULL;

    import->path = path;
    if (format == FORMAT_AUTO)
        return directory_fail(import, CTL_USAGE,
                              "%s: which format is that? --format csv, ldif or postfix says so",
                              path);
    if (lines_open(&lines, path, &detail) != ERR_NONE)
        return directory_fail(import, CTL_USAGE, "%s", detail.text);
    if (format == FORMAT_CSV)
        return directory_read_csv(import, lines);
    return format == FORMAT_LDIF ? directory_read_ldif(import, lines)
                                 : directory_read_map(import, lines);
}

// ---- the summary

static const struct left_word {
    const char *word, *text;
    bool spoils;
} LEFT[] = {
#define LEFT_WORD(name, word, spoils, text) {word, text, spoils},
    DIRECTORY_LEFT_LIST(LEFT_WORD)
#undef LEFT_WORD
};

static void print_count(uint64_t count, const char *text, const char *example)
{
    if (count == 0)
        return;
    (void)printf("%10llu  %s", (unsigned long long)count, text);
    if (example[0] != '\0')
        (void)printf(" (%s)", example);
    (void)printf("\n");
}

static const char *what_became(const struct directory_import *import,
                               const struct directory_sent *sent)
{
    if (import->options.dry_run)
        return "would be in force";
    return sent->is_switched ? "in force on every node" : "NOT put into force";
}

static void print_summary(struct directory_import *import, const struct directory_sent *sent)
{
    char example[DIRECTORY_EXAMPLE_MAX] = "";
    const uint64_t dangling = entries_dangling(import->entries, example, sizeof(example));

    (void)printf("%10llu  addresses of %llu %s %s (%.1f s), in place of %llu\n",
                 (unsigned long long)sent->entries, (unsigned long long)sent->domains,
                 sent->domains == 1 ? "domain" : "domains", what_became(import, sent),
                 (double)progress_ms(import->progress) / 1000, (unsigned long long)sent->before);
    print_count(import->aliases, "of them are aliases", "");
    print_count(dangling, "aliases of a mailbox that is not among them", example);
    for (int i = 0; i < LEFT_COUNT; i++)
        print_count(import->left[i].count, LEFT[i].text, import->left[i].example);
    print_count(
        sent->idle,
        "domains without `recipients: directory` in the policy set: nothing is decided by theirs",
        sent->idle_example);
}

static void print_json(struct directory_import *import, const struct directory_sent *sent)
{
    struct json *json = &import->ctl->json;
    char example[DIRECTORY_EXAMPLE_MAX] = "";

    json_open(json, NULL, '{');
    json_bool(json, "dry_run", import->options.dry_run);
    json_bool(json, "in_force", sent->is_switched);
    json_count(json, "domains", sent->domains);
    json_count(json, "entries", sent->entries);
    json_count(json, "before", sent->before);
    json_count(json, "aliases", import->aliases);
    json_count(json, "dangling", entries_dangling(import->entries, example, sizeof(example)));
    json_count(json, "idle", sent->idle);
    json_count(json, "took_ms", progress_ms(import->progress));
    json_open(json, "left", '{');
    for (int i = 0; i < LEFT_COUNT; i++) {
        json_open(json, LEFT[i].word, '{');
        json_count(json, "count", import->left[i].count);
        json_text(json, "example", import->left[i].example);
        json_close(json, '}');
    }
    json_close(json, '}');
    json_close(json, '}');
}

static int conclude(struct directory_import *import, const struct directory_sent *sent, int code)
{
    const bool is_cut = progress_was_interrupted(import->progress) && !sent->is_switched;

    progress_clear(import->progress);
    if (code != CTL_FINE)
        return code;
    if (import->ctl->want_json)
        print_json(import, sent);
    else
        print_summary(import, sent);
    if (!is_cut)
        return CTL_FINE;
    ctl_warn("interrupted: nothing was changed");
    return CTL_NEGATIVE;
}

// ---- the command

// A recipient that is missing would be refused, so what could not be read is not passed over.
static int judge(struct directory_import *import)
{
    import->left[LEFT_TWICE].count = import->read - entries_count(import->entries);
    if (import->is_full)
        return directory_fail(import, CTL_USAGE,
                              "the temporary file has no room: name a folder that has some, with "
                              "$TMPDIR");
    for (int i = 0; i < LEFT_COUNT; i++)
        if (LEFT[i].spoils && import->left[i].count > 0 && !import->options.force &&
            !import->options.dry_run)
            return directory_fail(import, CTL_USAGE,
                                  "%s (%llu in all: %s). Nothing was changed, because a directory "
                                  "that lacks them would refuse their mail; --force leaves them",
                                  import->left[i].example,
                                  (unsigned long long)import->left[i].count, LEFT[i].text);
    if (import->read == 0)
        return directory_fail(import, CTL_USAGE, "there is no address in it; nothing was changed");
    return CTL_FINE;
}

static int run(struct directory_import *import, int count, char **paths)
{
    struct directory_sent sent = {.entries = 0};
    int code = CTL_FINE;

    progress_begin(import->progress, "reading");
    for (int i = 0; i < count && code == CTL_FINE; i++)
        code = read_one(import, paths[i]);
    if (code == CTL_FINE && !progress_was_interrupted(import->progress))
        code = judge(import);
    if (code == CTL_FINE && !progress_was_interrupted(import->progress))
        code = directory_send(import, &sent);
    return conclude(import, &sent, code);
}

static int begin(struct directory_import *import, int count, char **paths)
{
    void *memory = mem_new(ARENA_BYTES);
    const char *why = "";
    int code = CTL_FINE;

    arena_init(&import->arena, memory, ARENA_BYTES);
    import->entries = entries_new(&why);
    if (import->entries == NULL) {
        code = ctl_fail(import->ctl, CTL_USAGE, "no temporary file ($TMPDIR): %s", why);
    } else {
        import->progress = progress_new(!import->ctl->want_json);
        code = run(import, count, paths);
    }
    entries_free(&import->entries);
    progress_free(&import->progress);
    mem_free(memory);
    return code;
}

// What the two commands share comes first; the values of a map of recipients mean nothing.
static size_t fill_rows(struct directory_options *options, bool is_map, struct arg_row *rows)
{
    const struct arg_row all[] = {
        {.name = "domain", .kind = ARG_TEXT, .into = (void *)&options->domain},
        {.name = "force", .kind = ARG_FLAG, .into = &options->force},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &options->dry_run},
        {.name = "format", .kind = ARG_WORD, .into = &options->format, .words = FORMATS},
        {.name = "mail", .kind = ARG_TEXT, .into = (void *)&options->mail},
        {.name = "alias", .kind = ARG_TEXTS, .into = &options->alias},
        {.name = "state", .kind = ARG_TEXT, .into = (void *)&options->state},
    };
    const size_t count = is_map ? 3 : sizeof(all) / sizeof(all[0]);

    memcpy(rows, all, count * sizeof(*rows));
    rows[count] = (struct arg_row){.name = NULL};
    return count;
}

int run_directory_import(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    const bool is_map = strcmp(command->name, "import") != 0;
    struct directory_import import = {
        .ctl = ctl,
        .options = {.mail = "mail",
                    .format = is_map ? FORMAT_MAP : FORMAT_AUTO,
                    .has_targets = !is_map},
    };
    struct arg_row rows[8];
    int first = 0;
    int code;

    (void)fill_rows(&import.options, is_map, rows);
    code = args_read(ctl, command, rows, argc, argv, &first);
    if (code == CTL_FINE && first == argc)
        code = ctl_misuse(ctl, command, "name the files to read (- is standard input)");
    if (code == CTL_FINE)
        code = begin(&import, argc - first, argv + first);
    mem_free((void *)import.options.alias.text);
    return code;
}
