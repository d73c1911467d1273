// Fuzz target: any bytes as a file of a group's members. Beside not crashing it holds that an error names the file and a
// line, and that the members that were taken are told, printed and read back as the same set.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "node/policy/diff.h"
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

static enum err parse(const uint8_t *data, size_t size, struct policy **out,
                      struct err_detail *detail)
{
    static const char set[] = "groups: {g: {file: ../l}, h: [{group: g}]}\n";
    struct bundle *bundle = bundle_new();
    void *bytes = NULL;
    size_t len = 0;
    enum err err;

    must(bundle_add(bundle, BUNDLE_SET, "d/s", set, sizeof(set) - 1, NULL) == ERR_NONE &&
             bundle_add(bundle, BUNDLE_LIST, "l", data, size, NULL) == ERR_NONE &&
             bundle_pack(bundle, true, &bytes, &len, NULL) == ERR_NONE,
         "a bundle can be made");
    err = policy_parse_bundle(bytes, len, out, detail);
    bundle_free(&bundle);
    mem_free(bytes);
    return err;
}

static bool say_change(const struct policy_change *change, void *arg)
{
    (void)arg;
    (void)fprintf(stderr, "%s: %s, %s\n", change->what, change->before, change->after);
    must(0, "what is printed says the same");
    return false;
}

static void print_and_parse(const struct policy *policy)
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);
    struct policy *again = NULL;
    struct err_detail detail = {.text = ""};

    must(out != NULL, "memory for what is printed");
    policy_print(policy, out);
    must(fclose(out) == 0, "memory for what is printed");
    if (policy_parse("printed", text, len, &again, &detail) != ERR_NONE)
        (void)fprintf(stderr, "%s\n%s", detail.text, text);
    must(again != NULL, "what is printed reads back");
    policy_diff(policy, again, say_change, NULL);
    must(again->hash == policy->hash, "what is printed has the same number");
    policy_free(&again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct policy *policy = NULL;
    struct err_detail detail = {.text = ""};

    if (parse(data, size, &policy, &detail) == ERR_NONE) {
        must(policy->group_count == 2 && policy->group[0].members == policy->group[1].members,
             "who is in a group is in the one around it");
        print_and_parse(policy);
        policy_free(&policy);
    } else {
        must(strncmp(detail.text, "l:", 2) == 0 && detail.text[2] >= '1' && detail.text[2] <= '9',
             "an error names the file and the line");
    }
    return 0;
}
