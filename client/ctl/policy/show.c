// show.c: `reevectl policy show`: the files of a version, as they were applied. Promises: nothing is written outside the
// directory, and nothing that is there is written over.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "client/ctl/args.h"
#include "client/ctl/policy/policy.h"
#include "client/ctl/print.h"
#include "client/ctl/when.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"

// ---- into a directory

// is_empty: a directory without anything in it.
static bool is_empty(const char *path)
{
    DIR *directory = opendir(path);
    bool empty = directory != NULL;

    for (struct dirent *entry = empty ? readdir(directory) : NULL; entry != NULL;
         entry = readdir(directory))
        empty = empty && (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0);
    if (directory != NULL)
        (void)closedir(directory);
    return empty;
}

// make_directories: those that a path goes through, all but its last part.
static bool make_directories(char *path)
{
    for (char *slash = strchr(path + 1, '/'); slash != NULL; slash = strchr(slash + 1, '/')) {
        bool made;

        *slash = '\0';
        made = mkdir(path, 0777) == 0 || errno == EEXIST;
        *slash = '/';
        if (!made)
            return false;
    }
    return true;
}

static bool write_file(const char *path, const struct bundle_file *file)
{
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0666);
    FILE *out = fd < 0 ? NULL : fdopen(fd, "w");
    bool good;

    if (out == NULL)
        return false;
    good = fwrite(file->bytes, 1, file->len, out) == file->len;
    return fclose(out) == 0 && good;
}

// The bundle's names lead nowhere up; whoever unpacked it has seen to that.
static int write_files(struct ctl *ctl, const struct bundle *bundle, const char *folder)
{
    int code = CTL_FINE;

    if (mkdir(folder, 0777) != 0 && (errno != EEXIST || !is_empty(folder)))
        return ctl_fail(ctl, CTL_USAGE, "--output: %s: expected a new or an empty directory",
                        folder);
    for (size_t i = 0; i < bundle_count(bundle) && code == CTL_FINE; i++) {
        const struct bundle_file *file = bundle_at(bundle, i);
        char *path = mem_format("%s/%s", folder, file->name);

        if (!make_directories(path) || !write_file(path, file))
            code = ctl_fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
        else if (!ctl->want_json)
            (void)printf("%s\n", path);
        mem_free(path);
    }
    return code;
}

// ---- onto the screen

static void print_head(const struct reeve_row *row)
{
    char time[WHEN_MAX];

    (void)printf("# version %s, %s, by %s", print_field(row, "version"),
                 print_time(row, "at", time), print_field(row, "by"));
    if (print_field(row, "note")[0] != '\0')
        (void)printf(": %s", print_field(row, "note"));
    (void)putchar('\n');
}

// One file alone is what it was; of several each has its name in front.
static void print_files(const struct reeve_row *row, const struct bundle *bundle)
{
    print_head(row);
    for (size_t i = 0; i < bundle_count(bundle); i++) {
        const struct bundle_file *file = bundle_at(bundle, i);

        if (bundle_count(bundle) > 1)
            (void)printf("%s# ---- %s\n", i > 0 ? "\n" : "", file->name);
        (void)fwrite(file->bytes, 1, file->len, stdout);
        if (file->len > 0 && file->bytes[file->len - 1] != '\n')
            (void)putchar('\n');
    }
}

static void print_json(struct ctl *ctl, const struct reeve_row *row, const struct bundle *bundle)
{
    struct json *json = &ctl->json;

    json_open(json, NULL, '{');
    print_row_json(json, "version", row);
    json_open(json, "files", '[');
    for (size_t i = 0; i < bundle_count(bundle); i++) {
        const struct bundle_file *file = bundle_at(bundle, i);
        char *text = mem_text_n(file->bytes, file->len);

        json_open(json, NULL, '{');
        json_text(json, "name", file->name);
        json_text(json, "kind", file->kind == BUNDLE_SET ? "set" : "list");
        json_text(json, "text", text);
        json_close(json, '}');
        mem_free(text);
    }
    json_close(json, ']');
    json_close(json, '}');
}

static int show(struct ctl *ctl, const struct reeve_answer *answer, const char *folder)
{
    struct err_detail detail = {.text = ""};
    struct bundle *bundle = NULL;
    int code = CTL_FINE;

    if (answer->row_count == 0 || answer->document_bytes == 0)
        return ctl_fail(ctl, CTL_NEGATIVE,
                        "no policy set was applied: each node has its policy files");
    if (bundle_unpack(answer->document, answer->document_bytes, &bundle, &detail) != ERR_NONE)
        return ctl_fail(ctl, CTL_NO_NODE, "what the node sent is no policy set: %s", detail.text);
    if (folder != NULL)
        code = write_files(ctl, bundle, folder);
    if (code == CTL_FINE && ctl->want_json)
        print_json(ctl, &answer->rows[0], bundle);
    else if (code == CTL_FINE && folder == NULL)
        print_files(&answer->rows[0], bundle);
    bundle_free(&bundle);
    return code;
}

int run_policy_show(struct ctl *ctl, const struct command *command, int argc, char **argv)
{
    const char *folder = NULL;
    const struct arg_row rows[] = {
        {.name = "output", .kind = ARG_TEXT, .into = &folder},
        {.name = NULL},
    };
    char number[POLICY_NUMBER_MAX];
    struct reeve_pair args[] = {{"version", number}};
    struct reeve_answer *answer = NULL;
    uint64_t version = 0;
    int code = policy_read_version(ctl, command, rows, argc, argv, &version);

    if (code != CTL_FINE)
        return code;
    (void)policy_number(number, version);
    ctl->is_patient = true;
    code = ctl_admin(ctl, "policy.show", args, version > 0 ? 1 : 0, false, &answer);
    if (code == CTL_FINE)
        code = show(ctl, answer, folder);
    reeve_answer_free(&answer);
    return code;
}
