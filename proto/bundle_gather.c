// bundle_gather.c: the files of a policy set from disk into a bundle: those that were named, and those that their
// groups name. How they are called in the bundle is decided once all are known.
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "proto/base/mem.h"
#include "proto/base/yaml.h"
#include "proto/bundle.h"

// Files that were read. Paths are normalised: no empty parts, no ., and .. only in front of a relative one.
struct found {
    enum bundle_kind kind;
    char *path;
    char *bytes;
    size_t len;
};

struct gathering {
    struct found file[BUNDLE_FILES_MAX];
    size_t count;
    size_t bytes;
    struct err_detail *detail;
};

// ---- Paths

// normalise: a path relative to the directory `dir` ("" = where we are), on the heap.
static char *normalise(const char *dir, const char *path)
{
    char *whole =
        path[0] == '/' || dir[0] == '\0' ? mem_text(path) : mem_format("%s/%s", dir, path);
    char *out = mem_new(strlen(whole) + 2);
    size_t root = whole[0] == '/' ? 1 : 0;
    size_t used = root;

    out[0] = whole[0] == '/' ? '/' : '\0';
    for (const char *part = whole + root; part != NULL;) {
        size_t len = strcspn(part, "/");
        const char *slash = memrchr(out + root, '/', used - root);
        const char *last = slash != NULL ? slash + 1 : out + root;
        bool is_up = len == 2 && strncmp(part, "..", 2) == 0;

        if (is_up && used > root && strcmp(last, "..") != 0) {
            used = (size_t)((slash != NULL ? slash : out + root) - out);
        } else if (len > 0 && !(len == 1 && part[0] == '.') && !(is_up && root == 1)) {
            if (used > root)
                out[used++] = '/';
            memcpy(out + used, part, len);
            used += len;
        }
        out[used] = '\0';
        part = part[len] == '/' ? part + len + 1 : NULL;
    }
    mem_free(whole);
    return out;
}

static char *dir_of(const char *path)
{
    const char *slash = strrchr(path, '/');

    if (slash == NULL)
        return mem_text("");
    return mem_text_n(path, slash == path ? 1 : (size_t)(slash - path));
}

// ---- Reading

static enum err read_stream(FILE *stream, const char *path, struct found *out,
                            struct err_detail *detail)
{
    size_t room = 0;

    for (size_t got = 1; got > 0 && out->len <= BUNDLE_BYTES_MAX;) {
        if (out->len == room) {
            room = room * 2 + (64U << 10);
            out->bytes = mem_grow(out->bytes, room, 1);
        }
        got = fread(out->bytes + out->len, 1, room - out->len, stream);
        out->len += got;
    }
    if (ferror(stream) != 0)
        return err_say(detail, ERR_SYSTEM, "%s: %s", path, strerror(errno));
    if (out->len > BUNDLE_BYTES_MAX)
        return err_say(detail, ERR_LIMIT, "%s: larger than %d MiB", path, BUNDLE_BYTES_MAX >> 20);
    return ERR_NONE;
}

static enum err read_file(struct gathering *g, struct found *file)
{
    FILE *stream;
    enum err err;

    if (strcmp(file->path, "-") == 0)
        return read_stream(stdin, file->path, file, g->detail);
    stream = fopen(file->path, "rbe");
    if (stream == NULL)
        return err_say(g->detail, ERR_SYSTEM, "%s: %s", file->path, strerror(errno));
    err = read_stream(stream, file->path, file, g->detail);
    (void)fclose(stream);
    return err;
}

// add_path: takes the path. A list that two groups name is one file; a file that was given twice is a mistake that
// bundle_add tells.
static enum err add_path(struct gathering *g, enum bundle_kind kind, char *path)
{
    struct found *file = &g->file[g->count];
    enum err err;

    for (size_t i = 0; i < g->count && kind == BUNDLE_LIST; i++) {
        if (g->file[i].kind == kind && strcmp(g->file[i].path, path) == 0) {
            mem_free(path);
            return ERR_NONE;
        }
    }
    if (g->count == BUNDLE_FILES_MAX) {
        mem_free(path);
        return err_say(g->detail, ERR_LIMIT, "more than %d files in a policy set",
                       BUNDLE_FILES_MAX);
    }
    *file = (struct found){.kind = kind, .path = path};
    g->count++;
    err = read_file(g, file);
    if (err == ERR_NONE && file->len > BUNDLE_BYTES_MAX - g->bytes)
        err = err_say(g->detail, ERR_LIMIT, "the files of the policy set are larger than %d MiB",
                      BUNDLE_BYTES_MAX >> 20);
    g->bytes += file->len;
    return err;
}

// ---- What groups name

static enum err add_list(struct gathering *g, const char *dir, const struct yaml_node *node)
{
    if (node->kind != YAML_TEXT || node->text[0] == '\0')
        return ERR_NONE; // whoever compiles the set says what is wrong with it
    if (node->text[0] == '/')
        return err_say(g->detail, ERR_CONFIG,
                       "%s:%u: file: expected a path relative to this file, not '%s'", node->file,
                       node->line, node->text);
    return add_path(g, BUNDLE_LIST, normalise(dir, node->text));
}

static enum err add_lists(struct gathering *g, const char *dir, const struct yaml_node *root)
{
    const struct yaml_node *groups = yaml_find(root, "groups");
    enum err err = ERR_NONE;

    for (const struct yaml_node *group = groups != NULL ? groups->child : NULL;
         group != NULL && err == ERR_NONE; group = group->next) {
        const struct yaml_node *file = group->kind == YAML_MAP ? yaml_find(group, "file") : NULL;

        if (file == NULL)
            continue;
        if (file->kind == YAML_TEXT)
            err = add_list(g, dir, file);
        for (const struct yaml_node *node = file->kind == YAML_LIST ? file->child : NULL;
             node != NULL && err == ERR_NONE; node = node->next)
            err = add_list(g, dir, node);
    }
    return err;
}

static enum err add_set(struct gathering *g, const char *path)
{
    const struct found *file = &g->file[g->count];
    struct yaml *yaml = NULL;
    char *dir;
    enum err err = add_path(g, BUNDLE_SET, normalise("", path));

    if (err == ERR_NONE)
        err = yaml_parse(path, file->bytes, file->len, &yaml, g->detail);
    if (err != ERR_NONE)
        return err;
    dir = dir_of(file->path);
    err = add_lists(g, dir, yaml_root(yaml));
    mem_free(dir);
    yaml_free(&yaml);
    return err;
}

// ---- Names

static bool leads_up(const char *path)
{
    return path[0] == '/' || strcmp(path, "..") == 0 || strncmp(path, "../", 3) == 0;
}

static enum err make_absolute(struct gathering *g)
{
    char here[PATH_MAX];

    if (getcwd(here, sizeof(here)) == NULL)
        return err_say(g->detail, ERR_SYSTEM, "the working directory: %s", strerror(errno));
    for (size_t i = 0; i < g->count; i++) {
        char *path = normalise(here, g->file[i].path);

        mem_free(g->file[i].path);
        g->file[i].path = path;
    }
    return ERR_NONE;
}

// shared_len: of the directory that holds all files, with its last slash.
static size_t shared_len(const struct gathering *g)
{
    const char *first = g->file[0].path;
    size_t len = (size_t)(strrchr(first, '/') - first) + 1;

    for (size_t i = 1; i < g->count; i++) {
        while (strncmp(first, g->file[i].path, len) != 0)
            len = (size_t)((const char *)memrchr(first, '/', len - 1) - first) + 1;
    }
    return len;
}

static enum err name_all(struct gathering *g, struct bundle *bundle)
{
    bool are_names = true;
    size_t skip = 0;
    enum err err = ERR_NONE;

    for (size_t i = 0; i < g->count; i++)
        are_names = are_names && !leads_up(g->file[i].path);
    if (!are_names) {
        err = make_absolute(g);
        skip = err == ERR_NONE ? shared_len(g) : 0;
    }
    for (size_t i = 0; i < g->count && err == ERR_NONE; i++) {
        const struct found *file = &g->file[i];

        err = bundle_add(bundle, file->kind, file->path + skip, file->bytes, file->len, g->detail);
    }
    return err;
}

enum err bundle_gather(const char *const *paths, size_t count, struct bundle **out,
                       struct err_detail *detail)
{
    struct gathering *g = mem_new(sizeof(*g));
    struct bundle *bundle = bundle_new();
    enum err err = ERR_NONE;

    g->detail = detail;
    for (size_t i = 0; i < count && err == ERR_NONE; i++)
        err = add_set(g, paths[i]);
    if (err == ERR_NONE && count > 0)
        err = name_all(g, bundle);
    for (size_t i = 0; i < g->count; i++) {
        mem_free(g->file[i].path);
        mem_free(g->file[i].bytes);
    }
    mem_free(g);
    if (err == ERR_NONE)
        *out = bundle;
    else
        bundle_free(&bundle);
    return err;
}
