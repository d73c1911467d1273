// Fuzz target: any bytes as a bundle, the files of a policy set in one piece, and as the set in it. Beside not crashing it
// holds that an error has a text, that names are names, and that what was unpacked packs and unpacks to the same files.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/set.h"
#include "proto/base/mem.h"
#include "proto/bundle.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void must(int holds, const char *what)
{
    if (holds)
        return;
    (void)fprintf(stderr, "does not hold: %s\n", what);
    abort();
}

static void check_names(const struct bundle *bundle)
{
    char name[BUNDLE_NAME_MAX + 1];

    for (size_t i = 0; i < bundle_count(bundle); i++) {
        const struct bundle_file *file = bundle_at(bundle, i);

        must(bundle_find(bundle, file->name) == file, "a file is found by its name");
        must(bundle_resolve("x", file->name, name) && strcmp(name, file->name) == 0,
             "a name is resolved as it stands");
    }
}

static void check_again(const struct bundle *bundle, int plain)
{
    struct bundle *again = NULL;
    void *bytes = NULL;
    size_t len = 0;

    must(bundle_pack(bundle, plain != 0, &bytes, &len, NULL) == ERR_NONE, "it can be packed");
    must(bundle_unpack(bytes, len, &again, NULL) == ERR_NONE, "what was packed can be unpacked");
    must(bundle_count(again) == bundle_count(bundle), "it has as many files");
    for (size_t i = 0; i < bundle_count(bundle); i++) {
        const struct bundle_file *a = bundle_at(bundle, i);
        const struct bundle_file *b = bundle_at(again, i);

        must(a->kind == b->kind && strcmp(a->name, b->name) == 0 && a->len == b->len &&
                 memcmp(a->bytes, b->bytes, a->len) == 0,
             "a file is what it was");
    }
    bundle_free(&again);
    mem_free(bytes);
}

static void check_set(const uint8_t *data, size_t size)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = policy_parse_bundle(data, size, &policy, &detail);

    must((err == ERR_NONE) == (policy != NULL), "there is a set if and only if there is no error");
    must((err == ERR_NONE) == (detail.text[0] == '\0'), "an error of the set has a text");
    policy_free(&policy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bundle *bundle = NULL;
    struct err_detail detail = {.text = ""};
    enum err err = bundle_unpack(data, size, &bundle, &detail);

    must((err == ERR_NONE) == (detail.text[0] == '\0'), "an error has a text");
    if (err != ERR_NONE)
        return 0;
    check_names(bundle);
    check_again(bundle, size % 2 == 0);
    check_set(data, size);
    bundle_free(&bundle);
    return 0;
}
