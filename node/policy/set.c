// set.c: policy files -> one compiled set. All files are read first, then each section is read out
// of all of them, so that neither the order of files nor how a set is split over them changes what
// is in force. The first mistake ends it; nothing is half loaded.
#include "node/policy/set.h"

#include <string.h>

#include "node/policy/build.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"

void *build_keep(struct policy_build *build, void *memory)
{
    build->owned = build_grow(build->owned, build->owned_count, sizeof(*build->owned));
    build->owned[build->owned_count++] = memory;
    return memory;
}

const struct yaml_node *build_section(const struct policy_build *build, size_t file,
                                      const char *key)
{
    return yaml_find(yaml_root(build->file[file]), key);
}

bool build_has_word(const char *const *words, const char *word)
{
    for (; *words != NULL; words++) {
        if (strcmp(*words, word) == 0)
            return true;
    }
    return false;
}

enum err build_refuse(const struct yaml_node *map, const char *where, const char *const *keys,
                      struct err_detail *detail)
{
    for (const struct yaml_node *node = map->kind == YAML_MAP ? map->child : NULL; node != NULL;
         node = node->next) {
        if (build_has_word(keys, node->key))
            return err_say(detail, ERR_CONFIG, "%s:%u: %s%s%s is not supported by this version",
                           node->file, node->line, where, where[0] != '\0' ? "." : "", node->key);
    }
    return ERR_NONE;
}

static enum err check_root(const struct yaml_node *root, struct err_detail *detail)
{
    static const struct yaml_row rows[] = {
        {"domains", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "internal domains"},
        {"trusted_sources", YAML_IS_OTHER, 0, NULL, 0, 0, NULL,
         "networks whose mail is not judged as a stranger's"},
        {"groups", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "patterns that are named as one"},
        {"users", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "mailboxes of which more is known"},
        {"settings", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "of the whole cluster"},
        {"policies", YAML_IS_OTHER, 0, NULL, 0, 0, NULL, "exceptions"},
        {0},
    };

    return yaml_read(root, "", rows, NULL, detail);
}

static enum err compile(struct policy_build *build, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    for (size_t i = 0; i < build->file_count && err == ERR_NONE; i++)
        err = check_root(yaml_root(build->file[i]), detail);
    if (err == ERR_NONE)
        err = domains_read(build, detail);
    if (err == ERR_NONE)
        err = trusted_read(build, detail);
    if (err == ERR_NONE)
        err = settings_read(build, detail);
    if (err == ERR_NONE)
        err = ldap_check(build, detail);
    if (err == ERR_NONE)
        err = groups_read(build, detail);
    if (err == ERR_NONE)
        err = users_read(build, detail);
    if (err == ERR_NONE)
        err = rules_read(build, detail);
    if (err == ERR_NONE)
        err = build_index(build, detail);
    if (err != ERR_NONE)
        return err;
    groups_finish(build);
    if (build->file_count > 0)
        build->policy.hash = build->policy.version = version_of(&build->policy);
    return ERR_NONE;
}

// hand_out: compiles what was read, or frees it. err is how the reading ended.
static enum err hand_out(struct policy_build *build, enum err err, struct policy **out,
                         struct err_detail *detail)
{
    struct policy *policy = &build->policy;

    if (err == ERR_NONE)
        err = compile(build, detail);
    if (err != ERR_NONE)
        policy_free(&policy);
    else
        *out = policy;
    return err;
}

static struct policy_build *build_new(size_t file_count)
{
    struct policy_build *build = mem_new(sizeof(*build));

    build->file = mem_new_array(file_count, sizeof(struct yaml *));
    return build;
}

enum err policy_load(const char *const *paths, size_t count, struct policy **out,
                     struct err_detail *detail)
{
    struct policy_build *build = build_new(count);
    enum err err = ERR_NONE;

    build->from_disk = true;
    for (size_t i = 0; i < count && err == ERR_NONE; i++) {
        err = yaml_load(paths[i], &build->file[i], detail);
        build->file_count = i + 1;
    }
    return hand_out(build, err, out, detail);
}

enum err policy_parse(const char *name, const void *bytes, size_t len, struct policy **out,
                      struct err_detail *detail)
{
    struct policy_build *build = build_new(1);
    enum err err = yaml_parse(name, bytes, len, &build->file[0], detail);

    build->file_count = 1;
    return hand_out(build, err, out, detail);
}

// read_sets: the bundle's YAML files.
static enum err read_sets(struct policy_build *build, struct err_detail *detail)
{
    enum err err = ERR_NONE;

    for (size_t i = 0; i < bundle_count(build->bundle) && err == ERR_NONE; i++) {
        const struct bundle_file *file = bundle_at(build->bundle, i);

        if (file->kind != BUNDLE_SET)
            continue;
        err =
            yaml_parse(file->name, file->bytes, file->len, &build->file[build->file_count], detail);
        build->file_count++;
    }
    if (err == ERR_NONE && build->file_count == 0)
        err = err_say(detail, ERR_CONFIG, "the bundle has no file of a policy set");
    return err;
}

enum err policy_parse_bundle(const void *bytes, size_t len, struct policy **out,
                             struct err_detail *detail)
{
    struct bundle *bundle = NULL;
    struct policy_build *build;
    enum err err = bundle_unpack(bytes, len, &bundle, detail);

    if (err != ERR_NONE)
        return err;
    build = build_new(bundle_count(bundle));
    build->bundle = bundle;
    err = read_sets(build, detail);
    err = hand_out(build, err, out, detail);
    if (err == ERR_NONE)
        build->bundle = NULL;
    bundle_free(&bundle);
    return err;
}

void policy_free(struct policy **policy)
{
    struct policy_build *build = (struct policy_build *)*policy;

    if (build == NULL)
        return;
    for (size_t i = 0; i < build->file_count; i++)
        yaml_free(&build->file[i]);
    for (size_t i = 0; i < build->owned_count; i++)
        mem_free(build->owned[i]);
    mem_free(build->known);
    mem_free(build->known_slot);
    mem_free(build->pair);
    mem_free(build->place);
    mem_free(build->file);
    mem_free(build->owned);
    mem_free(build);
    *policy = NULL;
}
