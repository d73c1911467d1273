// staged.c: see staged.h. Promises: what is sent is what stood in the files when they were read, once.
#include "client/ctl/staged.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "client/ctl/print.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"

// ---- the files

// The paths on the heap, those of directories spread out.
struct paths {
    char **path;
    size_t count;
};

static void add_path(struct paths *paths, char *path)
{
    paths->path = mem_grow((void *)paths->path, paths->count + 1, sizeof(*paths->path));
    paths->path[paths->count++] = path;
}

static void free_paths(struct paths *paths)
{
    for (size_t i = 0; i < paths->count; i++)
        mem_free(paths->path[i]);
    mem_free((void *)paths->path);
}

static int is_set_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);

    return entry->d_name[0] != '.' && len > strlen(".yaml") &&
           strcmp(entry->d_name + len - strlen(".yaml"), ".yaml") == 0;
}

static int add_directory(struct ctl *ctl, struct paths *paths, const char *path)
{
    struct dirent **entry = NULL;
    int count = scandir(path, &entry, is_set_file, alphasort);

    if (count < 0)
        return ctl_fail(ctl, CTL_USAGE, "%s: %s", path, strerror(errno));
    for (int i = 0; i < count; i++) {
        add_path(paths, mem_format("%s/%s", path, entry[i]->d_name));
        free(entry[i]);
    }
    free((void *)entry);
    if (count == 0)
        return ctl_fail(ctl, CTL_USAGE, "%s: there is no file in it that ends in .yaml", path);
    return CTL_FINE;
}

static int add_files(struct ctl *ctl, struct paths *paths, const struct arg_texts *files)
{
    int code = CTL_FINE;

    for (size_t i = 0; i < files->count && code == CTL_FINE; i++) {
        struct stat status;

        if (stat(files->text[i], &status) == 0 && S_ISDIR(status.st_mode))
            code = add_directory(ctl, paths, files->text[i]);
        else
            add_path(paths, mem_text(files->text[i]));
    }
    return code;
}

static int pack(struct ctl *ctl, const struct arg_texts *files, void **bytes, size_t *len)
{
    struct err_detail detail = {.text = ""};
    struct paths paths = {.count = 0};
    struct bundle *bundle = NULL;
    int code = add_files(ctl, &paths, files);

    if (code == CTL_FINE && (bundle_gather((const char *const *)paths.path, paths.count, &bundle,
                                           &detail) != ERR_NONE ||
                             bundle_pack(bundle, false, bytes, len, &detail) != ERR_NONE))
        code = ctl_fail(ctl, CTL_USAGE, "%s", detail.text);
    bundle_free(&bundle);
    free_paths(&paths);
    return code;
}

// ---- staging

static int take_answer(struct ctl *ctl, struct reeve_answer *answer, struct staged *out)
{
    *out = (struct staged){.answer = answer, .document = ""};
    if (answer->row_count > 0) {
        out->document = print_field(&answer->rows[0], "document");
        out->base = strtoull(print_field(&answer->rows[0], "base"), NULL, 10);
    }
    if (out->document[0] != '\0')
        return CTL_FINE;
    staged_free(out);
    return ctl_fail(ctl, CTL_NO_NODE, "the node did not say how it calls the document");
}

int staged_make(struct ctl *ctl, const struct staging *staging, struct staged *out)
{
    struct reeve_pair args[2];
    struct reeve_admin_request request = {
        .verb = "policy.stage", .args = args, .dry_run = staging->dry};
    struct reeve_answer *answer = NULL;
    void *bytes = NULL;
    int code = pack(ctl, staging->files, &bytes, &request.document_bytes);

    if (staging->note != NULL)
        args[request.arg_count++] = (struct reeve_pair){"note", staging->note};
    if (staging->unused_since != NULL)
        args[request.arg_count++] = (struct reeve_pair){"unused_since", staging->unused_since};
    request.document = bytes;
    ctl->is_patient = true;
    if (code == CTL_FINE)
        code = ctl_admin_ask(ctl, &request, &answer);
    mem_free(bytes);
    return code == CTL_FINE ? take_answer(ctl, answer, out) : code;
}

void staged_free(struct staged *staged)
{
    reeve_answer_free(&staged->answer);
    *staged = (struct staged){.document = ""};
}

void staged_take(int argc, char **argv, int first, struct arg_texts *out)
{
    *out = (struct arg_texts){.count = 0};
    if (first == argc)
        return;
    out->text = mem_new_array((size_t)(argc - first), sizeof(*out->text));
    for (; first < argc; first++)
        out->text[out->count++] = argv[first];
}

// ---- what the node says about it

const char *staged_count(const struct staged *staged, const char *key)
{
    const char *count = print_field(&staged->answer->rows[0], key);

    return count[0] == '\0' ? "0" : count;
}

size_t staged_finding_count(const struct staged *staged)
{
    return staged->answer->row_count - 1;
}

const struct reeve_row *staged_findings(const struct staged *staged)
{
    return staged->answer->rows + 1;
}

void staged_print_findings(const struct staged *staged)
{
    for (size_t i = 0; i < staged_finding_count(staged); i++) {
        const struct reeve_row *row = &staged_findings(staged)[i];

        if (print_field(row, "file")[0] == '\0')
            (void)printf("%s: %s\n", print_field(row, "severity"), print_field(row, "what"));
        else
            (void)printf("%s:%s: %s: %s\n", print_field(row, "file"), print_field(row, "line"),
                         print_field(row, "severity"), print_field(row, "what"));
    }
}
