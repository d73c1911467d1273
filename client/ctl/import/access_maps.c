// access_maps.c: `reevectl import postfix-access`: access maps of Postfix, as text, become a file of policies. Asks no node
// and changes none: the file is for `reevectl policy`, which shows what it changes before it does.
//
// Promises: what an entry does in the map and no policy can do is named with file and line, on standard output and in the
// file; nothing is dropped in silence. A file that is there is never overwritten, and one that could not be written wholly is
// taken away again.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/import/access_table.h"
#include "client/ctl/import/import.h"
#include "client/ctl/import/lines.h"
#include "client/ctl/import/progress.h"
#include "proto/base/mem.h"
#include "proto/text.h"

enum { SAID_MAX = 160 };

struct access_import {
    struct ctl *ctl;
    const char *to;
    bool dry_run, no_parents;
    struct arg_texts maps[ACCESS_HELO + 1];
    struct access_table *table;
    struct progress *progress;
    FILE *out; // NULL = dry
    uint64_t entries, left;
    // The map that is read.
    const char *file;
    enum access_map map;
    bool is_cidr;
    unsigned ifs; // of cidr_table(5), that are open
};

// ---- what is left

static void tell_left(struct access_import *import, unsigned line, const char *what,
                      const char *why)
{
    char said[SAID_MAX + 1];
    struct json *json = &import->ctl->json;

    import->left++;
    (void)text_clean(said, SAID_MAX, what, strlen(what));
    progress_clear(import->progress);
    if (!import->ctl->want_json) {
        (void)printf("%s:%u: %s: %s\n", import->file, line, said, why);
    } else {
        json_open(json, NULL, '{');
        json_text(json, "file", import->file);
        json_count(json, "line", line);
        json_text(json, "what", said);
        json_text(json, "why", why);
        json_close(json, '}');
    }
    if (import->out != NULL)
        (void)fprintf(import->out, "# left: %s:%u: %s: %s\n", import->file, line, said, why);
}

static void tell_entry(void *arg, const struct access_entry *entry, const char *why)
{
    struct access_import *import = arg;

    import->file = entry->file;
    tell_left(import, entry->line, entry->who.text, why);
}

// ---- a logical line

static bool is_word(const char *text, const char *word)
{
    size_t len = strlen(word);

    return strncasecmp(text, word, len) == 0 &&
           (text[len] == '\0' || strchr(" \t!", text[len]) != NULL);
}

// open_close: the if and endif of a cidr table: what stands between them holds for some clients alone.
static bool open_close(struct access_import *import, const char *line, unsigned number)
{
    if (is_word(line, "endif")) {
        import->ifs -= import->ifs > 0;
        return true;
    }
    if (is_word(line, "if"))
        import->ifs++;
    if (import->ifs == 0)
        return false;
    tell_left(import, number, line, "inside of an if: no policy has one; write out its networks");
    return true;
}

static void take_entry(struct access_import *import, unsigned number, const char *pattern,
                       const char *result)
{
    struct access_entry entry = {.file = import->file,
                                 .line = number,
                                 .map = import->map,
                                 .is_cidr = import->is_cidr,
                                 .parents = !import->no_parents};
    char said[SAID_MAX + 1];
    const char *text = "", *why = "";

    (void)snprintf(said, sizeof(said), "%.100s %.50s", pattern, result);
    if (!access_who_read(import->map, pattern, &entry.who, &why)) {
        tell_left(import, number, said, why);
        return;
    }
    if (entry.who.kind == ACCESS_BELOW && entry.parents) {
        tell_left(import, number, said,
                  "Postfix looks for no such pattern unless parent_domain_matches_subdomains is "
                  "without smtpd_access_maps (then: --no-parents)");
        return;
    }
    entry.effect = access_effect_read(result, &text, &why);
    if (entry.effect == ACCESS_OTHER)
        tell_left(import, number, said, why);
    entry.text = mem_text(text);
    access_table_add(import->table, &entry);
}

static void take_line(struct access_import *import, char *line, unsigned number)
{
    char *pattern = NULL, *result = NULL;

    import->entries++;
    if (import->is_cidr && open_close(import, line, number))
        return;
    if (!access_split(line, &pattern, &result))
        tell_left(import, number, pattern, "it has no result");
    else
        take_entry(import, number, pattern, result);
}

// ---- a map

static bool is_skipped(const char *line)
{
    return line[0] == '#' || line[strspn(line, " \t\r")] == '\0';
}

// A line that begins with white space goes on with the one before it; comments between them part nothing.
static void read_lines(struct access_import *import, struct lines *lines)
{
    char *logical = mem_new(LINES_MAX), *line = NULL;
    unsigned number = 0, first = 0;
    size_t used = 0, len = 0;

    while (lines_next(lines, &line, &len) && !lines_had_nul(lines)) {
        number++;
        if (is_skipped(line))
            continue;
        if (used > 0 && line[0] != ' ' && line[0] != '\t') {
            take_line(import, logical, first);
            used = 0;
        }
        if (used == 0)
            first = number;
        used += (size_t)snprintf(logical + used, LINES_MAX - used, "%s", line);
        if (used >= LINES_MAX)
            used = LINES_MAX - 1;
        if (!progress_show(import->progress, lines_done(lines), lines_size(lines), import->entries))
            break;
    }
    if (used > 0)
        take_line(import, logical, first);
    mem_free(logical);
}

// open_map: "cidr:/etc/postfix/clients", as main.cf names it, or the path alone.
static const char *open_map(struct access_import *import, const char *name)
{
    static const char *const types[] = {"texthash:", "hash:", "btree:", "lmdb:", "cdb:", NULL};

    import->is_cidr = strncmp(name, "cidr:", strlen("cidr:")) == 0;
    if (import->is_cidr)
        return name + strlen("cidr:");
    for (size_t i = 0; types[i] != NULL; i++) {
        if (strncmp(name, types[i], strlen(types[i])) == 0)
            return name + strlen(types[i]);
    }
    return name;
}

static int read_map(struct access_import *import, enum access_map map, const char *name)
{
    struct err_detail detail = {.text = ""};
    struct lines *lines = NULL;
    const char *trouble;
    int code = CTL_FINE;

    import->map = map;
    import->file = open_map(import, name);
    import->ifs = 0;
    if (lines_open(&lines, import->file, &detail) != ERR_NONE)
        return ctl_fail(import->ctl, CTL_USAGE, "%s", detail.text);
    read_lines(import, lines);
    trouble = lines_trouble(lines);
    if (trouble != NULL)
        code = ctl_fail(import->ctl, CTL_USAGE, "%s: %s", import->file, trouble);
    else if (lines_had_nul(lines))
        code =
            ctl_fail(import->ctl, CTL_USAGE,
                     "%s: it is no text; give the file that postmap reads, not the database that "
                     "it makes",
                     import->file);
    lines_close(&lines);
    return code;
}

static int read_maps(struct access_import *import)
{
    int code = CTL_FINE;

    progress_begin(import->progress, "reading");
    for (int map = ACCESS_SENDER; map <= ACCESS_HELO; map++) {
        for (size_t i = 0; i < import->maps[map].count && code == CTL_FINE; i++)
            code = read_map(import, (enum access_map)map, import->maps[map].text[i]);
    }
    if (code == CTL_FINE && progress_was_interrupted(import->progress))
        code = ctl_fail(import->ctl, CTL_NEGATIVE, "ended before all was read; nothing is written");
    progress_clear(import->progress);
    return code;
}

// ---- the file

static const char HEAD[] = "# What access maps of Postfix said. Look at what it would change, then "
                           "apply it beside your own files:\n"
                           "# reevectl policy diff FILE ...; reevectl policy apply FILE ...\n";

static int open_out(struct access_import *import)
{
    int fd;

    if (import->dry_run)
        return CTL_FINE;
    fd = open(import->to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (fd < 0)
        return ctl_fail(import->ctl, CTL_USAGE, "--to %s: %s%s", import->to, strerror(errno),
                        errno == EEXIST ? "; a policy file is not overwritten: name another" : "");
    import->out = fdopen(fd, "w");
    (void)fputs(HEAD, import->out);
    return CTL_FINE;
}

// write_list: the key comes last, when it is known whether there is anything behind it.
static uint64_t write_list(struct access_import *import)
{
    const struct access_left left = {tell_entry, import};
    uint64_t count;

    if (import->out != NULL)
        (void)fputs("policies:\n", import->out);
    count = access_table_write(import->table, &left, import->out);
    if (import->out != NULL && count == 0)
        (void)fputs("  []\n", import->out);
    return count;
}

static int close_out(struct access_import *import, bool keep)
{
    bool is_whole;

    if (import->out == NULL)
        return CTL_FINE;
    is_whole = ferror(import->out) == 0;
    is_whole &= fclose(import->out) == 0;
    if (!keep || !is_whole)
        (void)unlink(import->to);
    return is_whole
               ? CTL_FINE
               : ctl_fail(import->ctl, CTL_USAGE,
                          "--to %s could not be written wholly: is the disk full?", import->to);
}

static void print_summary(struct access_import *import, uint64_t count)
{
    struct json *json = &import->ctl->json;

    if (import->ctl->want_json) {
        json_open(json, NULL, '{');
        json_bool(json, "dry_run", import->dry_run);
        json_count(json, "entries", import->entries);
        json_count(json, "policies", count);
        json_count(json, "left", import->left);
        json_close(json, '}');
        return;
    }
    (void)printf("%10llu  entries read in %.1f s\n", (unsigned long long)import->entries,
                 (double)progress_ms(import->progress) / 1000);
    (void)printf("%10llu  policies %s %s\n", (unsigned long long)count,
                 import->dry_run ? "would be written to" : "written to", import->to);
    (void)printf("%10llu  times something was left, named above\n",
                 (unsigned long long)import->left);
}

static int run(struct access_import *import)
{
    uint64_t count = 0;
    int code = open_out(import);
    int closed;

    if (code != CTL_FINE)
        return code;
    code = read_maps(import);
    if (code == CTL_FINE)
        count = write_list(import);
    closed = close_out(import, code == CTL_FINE);
    if (code == CTL_FINE)
        code = closed;
    if (code == CTL_FINE)
        print_summary(import, count);
    return code;
}

int run_import_access(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    struct access_import import = {.ctl = ctl};
    const struct arg_row rows[] = {
        {.name = "sender", .kind = ARG_TEXTS, .into = &import.maps[ACCESS_SENDER]},
        {.name = "recipient", .kind = ARG_TEXTS, .into = &import.maps[ACCESS_RECIPIENT]},
        {.name = "client", .kind = ARG_TEXTS, .into = &import.maps[ACCESS_CLIENT]},
        {.name = "helo", .kind = ARG_TEXTS, .into = &import.maps[ACCESS_HELO]},
        {.name = "to", .kind = ARG_TEXT, .into = &import.to},
        {.name = "no-parents", .kind = ARG_FLAG, .into = &import.no_parents},
        {.name = "dry-run", .kind = ARG_FLAG, .into = &import.dry_run},
        {.name = NULL},
    };
    size_t maps = 0;
    int code = args_read_all(ctl, command, rows, argc, argv);

    for (int map = ACCESS_SENDER; map <= ACCESS_HELO; map++)
        maps += import.maps[map].count;
    if (code == CTL_FINE && maps == 0)
        code = ctl_misuse(ctl, command,
                          "name the maps by what asks them: --sender for check_sender_access, and "
                          "--recipient, --client, --helo");
    if (code == CTL_FINE && import.to == NULL)
        code = ctl_misuse(ctl, command, "--to is missing: the policy file to write");
    if (code == CTL_FINE) {
        import.table = access_table_new();
        import.progress = progress_new(!ctl->want_json);
        code = run(&import);
    }
    access_table_free(&import.table);
    progress_free(&import.progress);
    for (int map = ACCESS_SENDER; map <= ACCESS_HELO; map++)
        mem_free((void *)import.maps[map].text);
    return code;
}
