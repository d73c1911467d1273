// source.c: where the files of a set come from beside its YAML: the disk, or the bundle that the YAML came in.
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"

static enum err say(struct err_detail *detail, enum err err, const struct yaml_node *node,
                    const char *why)
{
    return err_say(detail, err, "%s:%u: file: '%s': %s", node->file, node->line, node->text, why);
}

static enum err from_bundle(const struct policy_build *build, const struct yaml_node *node,
                            char **path, char **bytes, size_t *len, struct err_detail *detail)
{
    char name[BUNDLE_NAME_MAX + 1];
    const struct bundle_file *file = NULL;

    if (build->bundle != NULL && bundle_resolve(node->file, node->text, name))
        file = bundle_find(build->bundle, name);
    if (file == NULL || file->kind != BUNDLE_LIST)
        return say(detail, ERR_CONFIG, node, "no such file came with the set");
    *path = mem_text(name);
    *bytes = mem_text_n(file->bytes, file->len);
    *len = file->len;
    return ERR_NONE;
}

// read_all: terminated; more than a set may have is read no further.
static enum err read_all(FILE *file, const struct yaml_node *node, char **bytes, size_t *len,
                         struct err_detail *detail)
{
    size_t room = 64U << 10;
    size_t got = 1;

    *bytes = mem_new(room);
    while (got > 0 && *len <= BUNDLE_BYTES_MAX) {
        if (*len + 1 == room) {
            room *= 2;
            *bytes = mem_grow(*bytes, room, 1);
        }
        got = fread(*bytes + *len, 1, room - *len - 1, file);
        *len += got;
    }
    (*bytes)[*len] = '\0';
    if (ferror(file) != 0)
        return say(detail, ERR_SYSTEM, node, strerror(errno));
    return *len <= BUNDLE_BYTES_MAX ? ERR_NONE : say(detail, ERR_CONFIG, node, "too large");
}

static enum err from_disk(const struct yaml_node *node, char **path, char **bytes, size_t *len,
                          struct err_detail *detail)
{
    const char *slash = strrchr(node->file, '/');
    FILE *file;
    enum err err;

    *path = mem_format("%.*s%s", slash != NULL ? (int)(slash + 1 - node->file) : 0, node->file,
                       node->text);
    file = fopen(*path, "rbe");
    if (file == NULL)
        return say(detail, ERR_SYSTEM, node, strerror(errno));
    err = read_all(file, node, bytes, len, detail);
    (void)fclose(file);
    return err;
}

enum err source_list(struct policy_build *build, const struct yaml_node *node, const char **name,
                     char **bytes, size_t *len, struct err_detail *detail)
{
    char *path = NULL;
    enum err err;

    if (node->text[0] == '\0' || node->text[0] == '/')
        return say(detail, ERR_CONFIG, node, "expected a path relative to this file");
    if (build->from_disk)
        err = from_disk(node, &path, bytes, len, detail);
    else
        err = from_bundle(build, node, &path, bytes, len, detail);
    if (err == ERR_NONE)
        *name = build_text(build, path);
    mem_free(path);
    return err;
}
